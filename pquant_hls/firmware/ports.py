"""The ports of a top function as csim fills and reads them: sizes, types, streams, structs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import CPP_DEPTH
from pquant_hls.firmware.declared import Parameter, Struct
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.shapes import shapes_of
from pquant_hls.firmware.values import SourceNames, stream_of
from pquant_hls.qor import FixedType

RESULT = "result"
"""The port that a function's own value is."""
_COMPOSED = re.compile(r"(?:std::)?(pair|tuple|array) ?< ?(.+) ?>$")


@dataclass(frozen=True)
class TopPort:
    """One port: ``shape`` as the sources have it, ``kind`` its type where all its values are of one fixed-point type.

    ``stream`` tells a stream from an array; ``parameter`` is None for the value that the function gives back.
    """

    name: str
    shape: tuple[int, ...]
    kind: FixedType | None
    stream: bool
    parameter: Parameter | None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def top_ports(layout: Layout) -> tuple[tuple[TopPort, ...], tuple[TopPort, ...]]:
    """Inputs and outputs, in the order of the signature.

    Raises
    ------
    UnsupportedModel : a port whose size nothing tells, or no inputs or outputs at all.
    """
    top = layout.top
    inputs = tuple(_port(layout, port) for port in top.inputs)
    outputs = tuple(_port(layout, port) for port in top.outputs)
    if not outputs and top.function.result != "void":
        count = value_count(top.function.result, layout.names)
        kind = single_type(top.function.result, layout.names)
        outputs = (TopPort(RESULT, (count,), kind, False, None),)
    for word, found in (("input", inputs), ("output", outputs)):
        if not found:
            trouble = f" ({layout.trouble})" if layout.trouble is not None else ""
            raise UnsupportedModel(
                f"{top.name} has no {word} that a layer touches{trouble}", where=layout.source.path
            )
    return inputs, outputs


def _port(layout: Layout, port: Parameter) -> TopPort:
    names = layout.names
    stream = stream_of(names.type_text(port.type))
    inner = value_count(port.type, names) if stream is None else 1
    shape = shapes_of(layout).of(port.name)
    if stream is None and not port.lengths and not port.pointer:
        shape = (inner,)
    elif shape is not None and stream is None and inner > 1:
        shape = (*shape, inner)
    if shape is None:
        raise UnsupportedModel(
            f"nothing tells how many values port {port.name} has",
            where=layout.source.path,
            mend=f"put its length in brackets, as in {port.type.rpartition(':')[2]} {port.name}[16]",
        )
    return TopPort(port.name, shape, single_type(port.type, names), stream is not None, port)


def value_count(text: str, names: SourceNames, depth: int = 0) -> int:
    """How many numbers a value of this type holds: one, or those of its parts."""
    if depth > CPP_DEPTH:
        raise UnsupportedModel("types within types without an end", where=text[:60])
    struct = _struct(text, names)
    if struct is not None:
        members = [(kind, math.prod(names.size(n) or 1 for n in sizes)) for kind, _, sizes in struct.members]
        return sum(count * value_count(kind, names, depth + 1) for kind, count in members)
    whole = names.type_text(text)
    lanes = names.lanes(whole)
    if lanes is not None:
        return lanes
    composed = _COMPOSED.match(whole)
    if composed is None:
        return 1
    parts = list(split(composed[2]))
    if composed[1] == "array":
        return _length(parts[1], names) * value_count(parts[0], names, depth + 1)
    return sum(value_count(part, names, depth + 1) for part in parts)


def single_type(text: str, names: SourceNames) -> FixedType | None:
    """The one fixed-point type of all numbers of a value; None where they have several or others."""
    kinds = set(_leaves(text, names, 0))
    return next(iter(kinds)) if len(kinds) == 1 else None


def _leaves(text: str, names: SourceNames, depth: int) -> Iterator[FixedType | None]:
    struct, whole = _struct(text, names), names.type_text(text)
    composed = _COMPOSED.match(whole)
    if depth > CPP_DEPTH:
        yield None
    elif struct is not None:
        for kind, _, _ in struct.members:
            yield from _leaves(kind, names, depth + 1)
    elif composed is None:
        yield names.stored(text)
    else:
        parts = list(split(composed[2]))
        for part in parts[:1] if composed[1] == "array" else parts:
            yield from _leaves(part, names, depth + 1)


def structs_of(text: str, names: SourceNames, depth: int = 0) -> list[Struct]:
    """The structs of the sources in a type, innermost first."""
    if depth > CPP_DEPTH:
        return []
    struct = _struct(text, names)
    if struct is not None:
        return [inner for kind, _, _ in struct.members for inner in structs_of(kind, names, depth + 1)] + [
            struct
        ]
    whole = stream_of(names.type_text(text)) or names.type_text(text)
    composed = _COMPOSED.match(whole)
    parts = (
        [whole]
        if composed is None and whole != text
        else []
        if composed is None
        else list(split(composed[2]))
    )
    return [inner for part in parts for inner in structs_of(part, names, depth + 1)]


def _struct(text: str, names: SourceNames) -> Struct | None:
    found = names.declared.structs.get(names.type_text(text).rpartition("::")[2])
    return found if found is not None and found.members else None


def _length(text: str, names: SourceNames) -> int:
    node = names.declared.values.get(text)
    found = int(text) if text.isdigit() else None if node is None else names.size(node)
    if found is None:
        raise UnsupportedModel(f"the length {text!r} of a std::array cannot be told", where="a port")
    return found


def split(text: str) -> Iterator[str]:
    """Template arguments at the outermost level."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()
