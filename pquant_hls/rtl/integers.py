"""A graph as straight-line C++ on 64-bit integers: alkaid's program, one statement an operation, every value exact.

A value of an operation is an integer times its step, a power of two (docs/alir.md of alkaid). No value has more than 53 bits
(``bridge``), so that none overflows 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.rtl.bridge import bridge

INTEGER_PRELUDE = """typedef std::int64_t Code;
static inline Code up(Code x, int bits) { return Code(std::uint64_t(x) << bits); }
static inline Code wrap(Code x, int bits) { return up(x, 64 - bits) >> (64 - bits); }
static inline Code mask(Code x, int bits) { return x & (up(1, bits) - 1); }"""
"""What the statements call; g++ shifts negative numbers arithmetically, as C++20 demands."""
Interval = tuple[float, float, float]


def integer_code(graph: FixedPointGraph, name: str) -> str:
    """C++ of ``static void name(const Code *in, Code *out)``: all inputs' codes to all outputs', in the graph's order.

    Raises
    ------
    NotMeasured : a layer that cannot be exact (named), or numbers of more than 53 bits.
    """
    program = bridge(graph).optimized()
    return _Writer(graph, program.logic).function(name)


@dataclass(frozen=True)
class _Writer:
    graph: FixedPointGraph
    logic: Any

    def function(self, name: str) -> str:
        lines = [*self._tables(), f"static void {name}(const Code *in, Code *out) {{"]
        used = self.logic.ref_count
        for place, op in enumerate(self.logic.ops):
            if used[place]:
                lines.append(f"    const Code v{place} = {self._value(op)};")
        lines += [f"    {line}" for line in self._outputs()]
        return "\n".join([*lines, "}"])

    def _tables(self) -> Iterator[str]:
        for place, table in enumerate(self.logic.lookup_tables or ()):
            keep, integer, frac = table.spec.out_kif
            kind = FixedType(max(1, keep + integer + frac), keep + integer, bool(keep))
            codes = (str((int(code) - kind.code_min) % 2**kind.width + kind.code_min) for code in table.table)
            yield f"static const std::int32_t table{place}[] = {{{', '.join(codes)}}};"

    def _value(self, op: Any) -> str:
        rule = _RULES.get(op.opcode)
        if rule is None:
            raise NotMeasured(f"alkaid's operation {op.opcode} has no C++ here", where=self.graph.name)
        return rule(self, op)

    def operand(self, place: int, shift: int = 0) -> tuple[str, Interval]:
        """An earlier value times 2**shift: its name, and what it can be."""
        least, most, step = self.logic.ops[place].qint
        scale = 2.0**shift
        return f"v{place}", (least * scale, most * scale, step * scale)

    def taken(self, op: Any) -> str:
        place = op.data[0]
        kind = self._inputs[place]
        if self.logic.inp_shifts[place]:
            raise NotMeasured("an input is scaled", where=self.graph.name)
        return _stored(f"in[{place}]", (kind.low, kind.high, kind.lsb), op.qint)

    @cached_property
    def _inputs(self) -> list[FixedType]:
        return [node.result for node in self.graph.inputs for _ in range(math.prod(node.shape))]

    def _outputs(self) -> Iterator[str]:
        nodes = [self.graph.node(name) for name in self.graph.outputs]
        kinds = [node.result for node in nodes for _ in range(math.prod(node.shape))]
        given = zip(self.logic.out_idxs, self.logic.out_shifts, self.logic.out_negs, strict=True)
        for index, (kind, (place, shift, negative)) in enumerate(zip(kinds, given, strict=True)):
            text = "0"
            if place >= 0:
                name, (_, _, step) = self.operand(place, shift)
                text = _moved(name, step, kind.lsb)
            yield f"out[{index}] = {'-' if negative else ''}{text};"


def _moved(text: str, step: float, to: float) -> str:
    """A code in units of ``step`` as one in units of ``to``; bits below are cut, those beyond 64 wrap away."""
    bits = round(math.log2(step)) - round(math.log2(to))
    if bits > 63:
        return "0"
    return text if bits == 0 else f"up({text}, {bits})" if bits > 0 else f"({text} >> {min(-bits, 63)})"


def _stored(text: str, span: Interval, qint: Any) -> str:
    """A value cut and wrapped to what ``qint`` holds."""
    keep, integer, frac = qint.kif
    least, most, step = span
    width = keep + integer + frac
    if width <= 0:
        return "0"
    to = 2.0**-frac
    text = _moved(text, step, to)
    low, high = (-(2.0**integer) if keep else 0.0), 2.0**integer - to
    if not (low <= least and most < high + to):
        text = f"{'wrap' if keep else 'mask'}({text}, {width})"
    return _moved(text, to, qint.step)


def _sum(writer: _Writer, op: Any, terms: list[tuple[int, bool, int]]) -> str:
    text = ""
    for place, plus, shift in terms:
        name, (_, _, step) = writer.operand(place, shift)
        text += f" {'+' if plus else '-'} {_moved(name, step, op.qint.step)}"
    return text.removeprefix(" + ").strip()


def _shifted_sum(writer: _Writer, op: Any) -> str:
    pairs = zip(op.addr, op.data[::2], op.data[1::2], strict=False)
    return _sum(writer, op, [(place, bool(plus), shift) for place, plus, shift in pairs])


def _relu(writer: _Writer, op: Any) -> str:
    name, (_, most, step) = writer.operand(op.addr[0])
    return _stored(f"({name} > 0 ? {name} : 0)", (0.0, max(most, 0.0), step), op.qint)


def _quantize(writer: _Writer, op: Any) -> str:
    return _stored(*writer.operand(op.addr[0], op.data[0]), op.qint)


def _add_constant(writer: _Writer, op: Any) -> str:
    name, (_, _, step) = writer.operand(op.addr[0])
    added = op.data[0] * 2.0 ** -op.data[1] / op.qint.step
    return f"{_moved(name, step, op.qint.step)} + {int(added)}"


def _choose(writer: _Writer, op: Any) -> str:
    """By the highest bit of the third operand."""
    condition, (least, _, step) = writer.operand(op.addr[2])
    _, integer, _ = writer.logic.ops[op.addr[2]].qint.kif
    asked = f"{condition} < 0" if least < 0 else f"{condition} >= {int(2.0 ** (integer - 1) / step)}"
    one, other = (
        _stored(*writer.operand(place, shift), op.qint)
        for place, shift in zip(op.addr, (0, op.data[0]), strict=False)
    )
    return f"{asked} ? {one} : {other}"


def _product(writer: _Writer, op: Any) -> str:
    (one, (_, _, a)), (other, (_, _, b)) = (writer.operand(place) for place in op.addr)
    return _moved(f"({one} * {other})", a * b, op.qint.step)


def _look_up(writer: _Writer, op: Any) -> str:
    name, (least, _, step) = writer.operand(op.addr[0])
    table = writer.logic.lookup_tables[op.data[0]]
    entry = f"Code(table{op.data[0]}[{name} - ({int(least / step)})])"
    return _moved(entry, 2.0 ** -table.spec.out_kif[2], op.qint.step)


def _one_bit(writer: _Writer, op: Any) -> str:
    """Not, any, all of a value's bits."""
    name, (least, most, _) = writer.operand(op.addr[0])
    keep, integer, frac = writer.logic.ops[op.addr[0]].qint.kif if (least, most) != (0, 0) else (False, 1, 0)
    bits = keep + integer + frac
    if op.data[0] == 0:
        to_keep, to_integer, to_frac = op.qint.kif
        helper = "wrap" if to_keep else "mask"
        return f"{helper}(mask(~{name}, {bits}), {to_keep + to_integer + to_frac})"
    if op.data[0] == 1:
        return f"Code({name} != 0)"
    return f"Code({name} == {-1 if least < 0 else 2**bits - 1})"


def _two_bits(writer: _Writer, op: Any) -> str:
    shift, which = op.data
    pairs = [writer.operand(op.addr[0]), writer.operand(op.addr[1], shift)]
    step = min(span[2] for _, span in pairs)
    one, other = (_moved(name, span[2], step) for name, span in pairs)
    return _moved(f"({one} {'&|^'[which]} {other})", step, op.qint.step)


_RULES: dict[int, Callable[[_Writer, Any], str]] = {
    -2: lambda writer, op: _sum(writer, op, [(op.addr[0], False, 0)]),
    -1: lambda writer, op: writer.taken(op),
    0: lambda writer, op: _sum(writer, op, [(op.addr[0], True, 0), (op.addr[1], True, op.data[0])]),
    1: lambda writer, op: _sum(writer, op, [(op.addr[0], True, 0), (op.addr[1], False, op.data[0])]),
    2: _relu,
    3: _quantize,
    4: _add_constant,
    5: lambda _, op: str(op.data[0]),
    6: _choose,
    7: _product,
    8: _look_up,
    9: _one_bit,
    10: _two_bits,
    11: _shifted_sum,
}
"""By alkaid's code of an operation (``alkaid.types.CombLogic.exec_op``)."""
