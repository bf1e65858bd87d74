"""Combinational logic of single values, as alkaid and da4ml write it: a program that a node of operation ``logic`` holds.

One value an operation, in an order in which each reads earlier ones. The operations are those of alkaid's IR, version 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel

Codes = NDArray[np.int64]


class Code(IntEnum):
    """What an operation computes."""

    NEGATE = -2
    INPUT = -1
    ADD = 0
    SUBTRACT = 1
    RELU = 2
    QUANTIZE = 3
    ADD_CONSTANT = 4
    CONSTANT = 5
    SELECT = 6
    PRODUCT = 7
    TABLE = 8
    BITS = 9
    PAIR_BITS = 10
    SUM = 11


OPERANDS: Mapping[int, tuple[int, int]] = {
    Code.NEGATE: (1, 0),
    Code.INPUT: (0, 1),
    Code.ADD: (2, 1),
    Code.SUBTRACT: (2, 1),
    Code.RELU: (1, 0),
    Code.QUANTIZE: (1, 1),
    Code.ADD_CONSTANT: (1, 2),
    Code.CONSTANT: (0, 1),
    Code.SELECT: (3, 1),
    Code.PRODUCT: (2, 0),
    Code.TABLE: (1, 1),
    Code.BITS: (1, 1),
    Code.PAIR_BITS: (2, 2),
}
"""How many values and numbers each operation has; a SUM has any number of values, and a sign and a shift for each."""
MOST_BITS = 53
"""Of one value: all of them are held in float64, as alkaid's interpreter does."""


@dataclass(frozen=True)
class LogicOp:
    """One value: ``code`` computes it of the values ``reads`` and the numbers ``data``; it lies between ``low`` and ``high``,
    in steps of ``2**-frac``."""

    code: int
    reads: tuple[int, ...]
    data: tuple[int, ...]
    low: int
    high: int
    frac: int

    @property
    def kif(self) -> tuple[bool, int, int]:
        """The narrowest type: sign, bits before and behind the point; no bits for 0 alone."""
        if self.low == self.high == 0:
            return False, 0, 0
        bits = max(self.high.bit_length(), (-self.low - 1).bit_length() if self.low < 0 else 0)
        return self.low < 0, bits - self.frac, self.frac

    @property
    def width(self) -> int:
        return sum(self.kif)


@dataclass(frozen=True)
class LogicTable:
    """The results ``codes * 2**-frac`` of a table, from that of the least value that is looked up on."""

    codes: Codes
    frac: int


@dataclass(frozen=True)
class Logic:
    """A program of ``n_inputs`` values; ``outputs`` are (value or -1 for 0, shift, negated) each.

    Raises
    ------
    UnsupportedModel : an operation that is not known, that reads what is not computed yet, or is wider than MOST_BITS.
    """

    n_inputs: int
    ops: tuple[LogicOp, ...]
    outputs: tuple[tuple[int, int, bool], ...]
    tables: tuple[LogicTable, ...] = ()

    def __post_init__(self) -> None:
        for place, op in enumerate(self.ops):
            fault = self._fault(place, op)
            if fault is not None:
                raise UnsupportedModel(fault, where=f"operation {place}")
        if not self.outputs or any(not -1 <= index < len(self.ops) for index, _, _ in self.outputs):
            raise UnsupportedModel(f"an output is none of {len(self.ops)} values", where="outputs")

    def _fault(self, place: int, op: LogicOp) -> str | None:
        counts = OPERANDS.get(op.code)
        if op.code == Code.SUM:
            counts = (len(op.reads), 2 * len(op.reads)) if len(op.reads) > 1 else None
        if counts != (len(op.reads), len(op.data)):
            return (
                f"{op.code} with {len(op.reads)} values and {len(op.data)} numbers is no operation of the IR"
            )
        if any(not 0 <= read < place for read in op.reads):
            return f"reads {op.reads}, which are not computed before it"
        if op.low > op.high or op.width > MOST_BITS:
            return f"a value from {op.low} to {op.high}, of at most {MOST_BITS} bits"
        if op.code == Code.INPUT and not 0 <= op.data[0] < self.n_inputs:
            return f"reads input {op.data[0]} of {self.n_inputs}"
        if op.code == Code.TABLE:
            if not 0 <= op.data[0] < len(self.tables):
                return f"looks up table {op.data[0]} of {len(self.tables)}"
            read = self.ops[op.reads[0]]
            if len(self.tables[op.data[0]].codes) != read.high - read.low + 1:
                return f"looks up {read.high - read.low + 1} values in a table of {len(self.tables[op.data[0]].codes)}"
        return None

    def arrays(self) -> dict[str, Any]:
        """As arrays of integers with a binary point, which a node can hold (``qor.FixedArray``)."""
        from pquant_hls.qor.graph import FixedArray

        words = [
            word
            for op in self.ops
            for word in (op.code, len(op.reads), *op.reads, len(op.data), *op.data, op.low, op.high, op.frac)
        ]
        outputs = [(index, shift, int(negated)) for index, shift, negated in self.outputs]
        tables = {f"table{i}": FixedArray(table.codes, table.frac) for i, table in enumerate(self.tables)}
        return {
            "program": FixedArray(np.array([self.n_inputs, *words], np.int64), 0),
            "outputs": FixedArray(np.array(outputs, np.int64).reshape(-1, 3), 0),
            **tables,
        }

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Logic:
        """From a node's arrays; raises UnsupportedModel where they are damaged."""
        try:
            words = iter(arrays["program"].codes.tolist())
            outputs = tuple(
                (i, shift, bool(negated)) for i, shift, negated in arrays["outputs"].codes.tolist()
            )
            names = [f"table{i}" for i in range(sum(name.startswith("table") for name in arrays))]
            tables = tuple(LogicTable(arrays[name].codes, arrays[name].frac_bits) for name in names)
            return cls(next(words), tuple(_ops(words)), outputs, tables)
        except (KeyError, ValueError, StopIteration, RuntimeError) as cause:
            raise UnsupportedModel(f"damaged logic: {cause!r}", where="program") from cause

    @property
    def input_types(self) -> dict[int, tuple[bool, int, int]]:
        """The narrowest type that holds all that is read of each input; inputs that nothing reads are left out."""
        found: dict[int, tuple[bool, int, int]] = {}
        for op in self.ops:
            if op.code == Code.INPUT and op.width:
                found[op.data[0]] = widest(found.get(op.data[0]), op.kif)
        return found

    @property
    def output_types(self) -> list[tuple[bool, int, int]]:
        """The narrowest type of each output; no bits for one that is 0."""
        return [self._output_type(*output) for output in self.outputs]

    def _output_type(self, index: int, shift: int, negated: bool) -> tuple[bool, int, int]:
        if index < 0:
            return False, 0, 0
        op = self.ops[index]
        low, high = (-op.high, -op.low) if negated else (op.low, op.high)
        keep, integer, frac = LogicOp(Code.CONSTANT, (), (0,), low, high, op.frac).kif
        return (keep, integer, frac) if low == high == 0 else (keep, integer + shift, frac - shift)


def widest(first: tuple[bool, int, int] | None, second: tuple[bool, int, int]) -> tuple[bool, int, int]:
    """The narrowest type that holds the values of both."""
    if first is None:
        return second
    return cast("tuple[bool, int, int]", tuple(max(pair) for pair in zip(first, second, strict=True)))


def _ops(words: Iterator[int]) -> Iterator[LogicOp]:
    for code in words:
        reads = tuple(next(words) for _ in range(next(words)))
        data = tuple(next(words) for _ in range(next(words)))
        yield LogicOp(code, reads, data, next(words), next(words), next(words))
