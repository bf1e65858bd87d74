"""Verilog text: alkaid's modules under names of their own, a top whose ports have the firmware's types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from math import prod

from alkaid.codegen.rtl.verilog import fsm_logic_gen

from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.rtl.timing import Pipelined

_LIBRARY = ("binop", "multiplier", "mux", "negative", "shift_adder", "ternary_adder")
_LIBRARY_USE = re.compile(rf"\b({'|'.join(_LIBRARY)})\b(?=\s*#\()")
_WORDS = (
    "always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design "
    "disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask "
    "event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input "
    "instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor "
    "noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup "
    "pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 "
    "scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0 "
    "tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor "
    "xor"
)
_KEYWORDS = frozenset(_WORDS.split())
"""IEEE 1364-2005, annex B."""
_OWN_MODULE = re.compile(r"\b(logic\d+|table_[0-9a-f_]+)\b")


@dataclass(frozen=True)
class VerilogPort:
    """One tensor of the firmware: ``size`` values of ``kind``, the first in the lowest bits."""

    name: str
    tensor: str
    shape: tuple[int, ...]
    kind: FixedType

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def bits(self) -> int:
        return self.size * self.kind.width


def verilog_identifier(text: str) -> str:
    """``text`` as a Verilog identifier (IEEE 1364-2005, 3.7): whatever else it holds becomes ``_``."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z_]", name) and name not in _KEYWORDS else f"m_{name}"


def ports(graph: FixedPointGraph) -> tuple[tuple[VerilogPort, ...], tuple[VerilogPort, ...]]:
    """Inputs ``in_<tensor>`` and outputs ``out_<tensor>``, in the graph's order."""
    inputs = [
        VerilogPort(f"in_{verilog_identifier(n.name)}", n.name, n.shape, n.result) for n in graph.inputs
    ]
    nodes = [graph.node(name) for name in graph.outputs]
    outputs = [
        VerilogPort(f"out{i}_{verilog_identifier(n.name)}", n.name, n.shape, n.result)
        for i, n in enumerate(nodes)
    ]
    return tuple(inputs), tuple(outputs)


def core_source(pipelined: Pipelined, name: str) -> str:
    """All modules below the top. Each name starts with ``name``: two designs can live in one project."""
    parts = fsm_logic_gen(pipelined.fsm, f"{name}_core", timescale=None)
    folder = resources.files("alkaid.codegen.rtl.verilog") / "source"
    library = [(folder / f"{module}.v").read_text() for module in _LIBRARY]
    text = "\n".join([*library, *parts.values()]).replace("`timescale 1ns / 1ps", "")
    text = _LIBRARY_USE.sub(rf"{name}_\1", _OWN_MODULE.sub(rf"{name}_\1", text))
    return "`timescale 1 ns / 1 ps\n" + re.sub(r"\n{3,}", "\n\n", text)


def top_source(graph: FixedPointGraph, pipelined: Pipelined, name: str) -> str:
    """The top module: clock, one input for each tensor in, one output for each tensor out."""
    inputs, outputs = ports(graph)
    core_in, core_out = pipelined.fsm.inp_signals[0], pipelined.fsm.out_signals[0]
    declared = [f"input [{p.bits - 1}:0] {p.name}" for p in inputs] + [
        f"output [{p.bits - 1}:0] {p.name}" for p in outputs
    ]
    body = [
        f"wire [{core_in.width - 1}:0] core_in;",
        f"wire [{core_out.width - 1}:0] core_out;",
        *_input_wires(inputs, core_in.precisions),
        f"{name}_core core (.clk(clk), .model_inp(core_in), .model_out(core_out));",
        *_output_wires(outputs, core_out.precisions),
    ]
    head = ",\n    ".join(["input clk", *declared])
    lines = "\n    ".join(body)
    return f"`timescale 1 ns / 1 ps\n\nmodule {name} (\n    {head}\n);\n    {lines}\nendmodule\n"


Precisions = Sequence[tuple[bool, int, int]]


def _elements(
    tensors: Sequence[VerilogPort], precisions: Precisions
) -> Iterator[tuple[VerilogPort, int, int, int, tuple[bool, int, int]]]:
    """(port, lowest bit in the port, lowest bit in the core, width in the core, precision) of each value."""
    places = [(port, index * port.kind.width) for port in tensors for index in range(port.size)]
    offset = 0
    for (port, low), (signed, integer, frac) in zip(places, precisions, strict=True):
        width = int(signed) + integer + frac
        yield port, low, offset, width, (bool(signed), integer, frac)
        offset += width


def _input_wires(tensors: Sequence[VerilogPort], precisions: Precisions) -> Iterator[str]:
    for port, low, offset, width, (_, _, frac) in _elements(tensors, precisions):
        if width > 0:
            first = low + port.kind.frac - frac
            yield f"assign core_in[{offset + width - 1}:{offset}] = {port.name}[{first + width - 1}:{first}];"


def _output_wires(tensors: Sequence[VerilogPort], precisions: Precisions) -> Iterator[str]:
    """alkaid keeps each value as narrow as its range: extend it to the port's type."""
    for port, low, offset, width, (signed, _, frac) in _elements(tensors, precisions):
        below = port.kind.frac - frac if width > 0 else 0
        above = port.kind.width - below - width
        sign = f"core_out[{offset + width - 1}]" if signed else "1'b0"
        parts = [f"{{{above}{{{sign}}}}}"] if above > 0 else []
        parts += [f"core_out[{offset + width - 1}:{offset}]"] if width > 0 else []
        parts += [f"{below}'d0"] if below > 0 else []
        yield f"assign {port.name}[{low + port.kind.width - 1}:{low}] = {{{', '.join(parts)}}};"
