"""The C++ that csim compiles: the top's own text with probes behind its layers, and an entry for rows of doubles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from pquant_hls.firmware.cpp import code_of
from pquant_hls.firmware.declared import Parameter, Struct
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.ports import RESULT, TopPort, structs_of, top_ports
from pquant_hls.firmware.shapes import shapes_of
from pquant_hls.firmware.values import stream_of
from pquant_hls.programs.quoting import cpp_string

ENTRY = "pquant_csim"


@dataclass(frozen=True)
class Probe:
    """What csim notes behind a call: the layer's name, the variable, and the shape of its values."""

    layer: str
    variable: str
    shape: tuple[int, ...]
    stream: bool
    place: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def probes(layout: Layout) -> tuple[Probe, ...]:
    """One for each call whose result has a known size, in the order of the calls."""
    found = []
    for call in layout.top.calls:
        shape = shapes_of(layout).of(call.writes[0]) if call.writes else None
        if shape is None:
            continue
        kind = layout.top.declaration(call.writes[0])
        stream = kind is not None and stream_of(layout.names.type_text(kind.type)) is not None
        if isinstance(kind, Parameter) and not (kind.lengths or kind.pointer or stream):
            continue  # a part of a struct
        found.append(Probe(call.name, call.writes[0], shape, stream, call.statement.end_byte))
    return tuple(found)


def unit(layout: Layout, *, probed: bool = True) -> str:
    """One translation unit that computes what the firmware computes.

    Its entry is ``int pquant_csim(size_t rows, const double *const *inputs, double *const *outputs, double *const *probes)``:
    rows of each port one behind the other, ``probes`` null or an array for each of ``probes(layout)``. It gives 0, or the
    number (from 1) of an output stream that held another count of values.
    """
    watched = probes(layout) if probed else ()
    prelude = resources.files("pquant_hls.firmware").joinpath("csim.h").read_text(encoding="utf-8")
    place = layout.source.path.relative_to(layout.root)
    line = f"#line 1 {cpp_string(place.as_posix())}\n"
    return f'{prelude}\n{line}{_with_probes(layout, watched)}\n#line 1 "bridge"\n{_entry(layout, watched)}'


def _with_probes(layout: Layout, watched: Sequence[Probe]) -> str:
    """The top's file with a note behind each call, on the same line, so that lines keep their numbers."""
    text, parts, start = layout.source.text, [], 0
    for index, probe in sorted(enumerate(watched), key=lambda pair: pair[1].place):
        function = "probe_stream" if probe.stream else "probe"
        values = probe.variable if probe.stream else f"&{probe.variable}[0]"
        parts += [
            text[start : probe.place],
            f" ::pquant::{function}({index}, {values}, {probe.size});".encode(),
        ]
        start = probe.place
    return b"".join([*parts, text[start:]]).decode(errors="surrogateescape")


def _entry(layout: Layout, watched: Sequence[Probe]) -> str:
    inputs, outputs = top_ports(layout)
    space = layout.namespace
    taken = [_move("take", port, f"inputs[{place}] + row * {port.size}") for place, port in enumerate(inputs)]
    given = [
        _move("give", port, f"outputs[{place}] + row * {port.size}", f"return {place + 1};")
        for place, port in enumerate(outputs)
    ]
    sizes = ", ".join(str(probe.size) for probe in watched) or "0"
    return "\n".join(
        [
            *_weight_headers(layout),
            *_structs(layout, (*inputs, *outputs)),
            _trace_switches(layout),
            f"namespace {space} {{" if space else "",
            f'extern "C" const int {ENTRY}_probes = {len(watched)};',
            f'extern "C" int {ENTRY}(std::size_t rows, const double *const *inputs, double *const *outputs,',
            "                           double *const *probes) {",
            f"    static const std::size_t sizes[] = {{{sizes}}};",
            f"    static double *here[{max(1, len(watched))}];",
            *(f"    {line}" for line in _locals(layout)),
            "    for (std::size_t row = 0; row < rows; row++) {",
            f"        for (std::size_t i = 0; probes != nullptr && i < {len(watched)}; i++)",
            "            here[i] = probes[i] + row * sizes[i];",
            "        ::pquant::probes = probes == nullptr ? nullptr : here;",
            *(f"        {line}" for line in (*taken, _call(layout), *given)),
            "    }",
            "    return 0;",
            "}",
            f"}} // namespace {space}" if space else "",
            "",
        ]
    )


def event_entry(layout: Layout, signature: str) -> str:
    """C++ of a function with this signature, which takes a ``double`` pointer for each port, for one event.

    Any number of threads may call it: ports are each thread's own, the first call fills hls4ml's tables while others wait, and
    layers of streams, which keep what they have seen, take one event at a time.
    """
    inputs, outputs = top_ports(layout)
    space = layout.namespace
    taken = [_move("take", port, f"pquant_{port.name}") for port in inputs]
    given = [_move("give", port, f"pquant_{port.name}", "return;") for port in outputs]
    held = [line.replace("static ", "static thread_local ", 1) for line in _locals(layout)]
    lines = (*held, *taken, _call(layout), *given)
    ports = (*inputs, *outputs)
    pointers = ", ".join(f"double *pquant_{port.name}" for port in ports)
    passed = ", ".join(port.name for port in ports)
    rows = [f"static double {port.name}[{port.size}];" for port in ports]
    streams = any(port.stream for port in ports)
    lock = ["static std::mutex one;", "std::lock_guard<std::mutex> held(one);"] if streams else []
    return "\n".join(
        [
            *_structs(layout, ports),
            f"namespace {space} {{" if space else "",
            f"static void pquant_event({pointers}) {{",
            *(f"    {line}" for line in lines),
            "}",
            "static void pquant_ready() {",
            f"    static const bool filled = [] {{ {' '.join(rows)} pquant_event({passed}); return true; }}();",
            "    (void)filled;",
            "}",
            f"}} // namespace {space}" if space else "",
            f"{signature} {{ {' '.join(lock)} {_scoped('pquant_ready', space)}(); {_scoped('pquant_event', space)}({passed}); }}",
        ]
    )


def _call(layout: Layout) -> str:
    given = ", ".join(port.name for port in layout.top.function.parameters)
    call = f"{_scoped(layout.name, layout.namespace)}({given});"
    return call if layout.top.outputs else f"auto {RESULT} = {call}"


def _locals(layout: Layout) -> Iterator[str]:
    for side in top_ports(layout):
        for port in side:
            yield from _local(port)
    for parameter in layout.top.others:
        yield f"static {parameter.type} {parameter.name};"


def _scoped(name: str, space: str) -> str:
    """A name with its namespace: another thing may be called as the top is."""
    return f"{space}::{name}" if space else name


def _local(port: TopPort) -> Iterator[str]:
    if port.parameter is None:
        return
    parameter = port.parameter
    word = stream_of(parameter.type)
    if port.stream:
        yield f'{parameter.type if word is None else f"hls::stream<{word}>"} {port.name}("{port.name}");'
    elif parameter.lengths:
        yield f"static {parameter.type} {port.name}{''.join(f'[{length}]' for length in _lengths(port))};"
    elif parameter.pointer:
        yield f"static {parameter.type} {port.name}[{port.size}];"
    else:
        yield f"static {parameter.type} {port.name};"


def _lengths(port: TopPort) -> list[str]:
    return [code_of(length) for length in port.parameter.lengths] if port.parameter is not None else []


def _move(way: str, port: TopPort, row: str, otherwise: str = "") -> str:
    """From or to a row of doubles; ``otherwise`` is what is done where a stream gave another number of values."""
    if port.stream:
        call = f"pquant::{way}_stream({port.name}, {port.size}, {row})"
        return f"{call};" if way == "take" else f"if (!{call}) {otherwise}"
    if port.parameter is not None and port.parameter.pointer:
        return f"pquant::{way}_array({port.name}, {port.size}, {row});"
    kind = "const double" if way == "take" else "double"
    flat = f"pquant::Flat<std::remove_const_t<decltype({port.name})>>"
    return f"{{ {kind} *pquant_at = {row}; {flat}::{way}({port.name}, pquant_at); }}"


def _weight_headers(layout: Layout) -> Iterator[str]:
    for port in layout.top.weights:
        yield f'#include "weights/{port.name}.h"'


def _structs(layout: Layout, sides: Sequence[TopPort]) -> Iterator[str]:
    """How to go through the members of the sources' own structs."""
    texts = [
        port.parameter.type if port.parameter is not None else layout.top.function.result for port in sides
    ]
    found: dict[str, Struct] = {}
    for text in texts:
        for struct in structs_of(text, layout.names):
            found.setdefault(struct.name, struct)
    if not found:
        return
    yield "namespace pquant {"
    for struct in found.values():
        name = _scoped(struct.name, layout.namespace)
        yield f"template <> struct Flat<{name}> {{"
        ways = (("take", f"{name} &value, const double *&at"), ("give", f"const {name} &value, double *&at"))
        for way, given in ways:
            moves = [
                f"Flat<decltype({name}::{part})>::{way}(value.{part}, at);" for _, part, _ in struct.members
            ]
            yield f"    static void {way}({given}) {{ {' '.join(moves)} }}"
        yield "};"
    yield "} // namespace pquant"


_SWITCHES = {
    "extern bool trace_enabled": "bool trace_enabled = false;",
    "extern std::map<std::string, void *> *trace_outputs": "std::map<std::string, void *> *trace_outputs = nullptr;",
    "extern size_t trace_type_size": "size_t trace_type_size = sizeof(double);",
}


def _trace_switches(layout: Layout) -> str:
    """What hls4ml's helpers expect of a bridge: the switches of its own trace, which stay off."""
    folder = layout.libraries
    helpers = None if folder is None else folder / "nnet_helpers.h"
    text = helpers.read_text(errors="replace") if helpers is not None and helpers.is_file() else ""
    text = " ".join(text.split()).replace("void*> *", "void *> *").replace("void *>* ", "void *> *")
    found = [line for declared, line in _SWITCHES.items() if declared in text]
    return f"namespace nnet {{ {' '.join(found)} }}" if found else ""
