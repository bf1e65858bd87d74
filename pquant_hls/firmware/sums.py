"""Programs of adders alone, as distributed arithmetic writes a layer's sums: the weights that they stand for, and the adders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor.logic import Code, Logic, LogicOp

Floats = NDArray[np.float64]
_ADDS = (Code.ADD, Code.SUBTRACT, Code.ADD_CONSTANT)


def sums_of(logic: Logic) -> tuple[Floats, Floats] | None:
    """(weights (inputs, outputs), biases (outputs,)), float64, of a program of exact sums; None where it computes anything
    else, or where a value of it may be cut or wrap for what its inputs hold."""
    inputs = {op.data[0]: op for op in logic.ops if op.code == Code.INPUT}
    rows: list[Floats] = []
    for op in logic.ops:
        row = _row(op, rows, logic.n_inputs)
        if row is None or not _holds(op, row, inputs):
            return None
        rows.append(row)
    nothing = np.zeros(logic.n_inputs + 1)
    found = [
        nothing if place < 0 else rows[place] * 2.0**shift * (-1 if negated else 1)
        for place, shift, negated in logic.outputs
    ]
    columns = np.stack(found, axis=1)
    return columns[:-1], columns[-1]


def _row(op: LogicOp, rows: list[Floats], count: int) -> Floats | None:
    """The factor of each input in a value, and what is added last; None for what is no sum."""
    read = [rows[place] for place in op.reads]
    row = np.zeros(count + 1)
    if op.code == Code.INPUT:
        row[op.data[0]] = 1.0
    elif op.code == Code.CONSTANT:
        row[-1] = op.data[0] * 2.0**-op.frac
    elif op.code == Code.NEGATE:
        row -= read[0]
    elif op.code == Code.QUANTIZE:
        row += read[0] * 2.0 ** op.data[0]
    elif op.code == Code.ADD_CONSTANT:
        row += read[0]
        row[-1] += op.data[0] * 2.0 ** -op.data[1]
    elif op.code in (Code.ADD, Code.SUBTRACT):
        row += read[0] + read[1] * 2.0 ** op.data[0] * (1 if op.code == Code.ADD else -1)
    else:
        return None
    return row


def _holds(op: LogicOp, row: Floats, inputs: dict[int, LogicOp]) -> bool:
    """Whether the value's type holds all that the sum can be, to the last bit."""
    low = high = float(row[-1])
    steps = [low]
    for place in np.flatnonzero(row[:-1]).tolist():
        read, factor = inputs[place], float(row[place])
        ends = sorted(factor * code * 2.0**-read.frac for code in (read.low, read.high))
        low, high = low + ends[0], high + ends[1]
        steps.append(factor * 2.0**-read.frac)
    on_grid = all((step * 2.0**op.frac).is_integer() for step in steps)
    return on_grid and op.low <= low * 2.0**op.frac and high * 2.0**op.frac <= op.high


def adders_of(logic: Logic) -> NDArray[np.int64]:
    """(adders, 3): rows of the two operands, -1 for an input or a constant, and bits of the sum, in order."""
    rows: list[int] = []
    """The row of each value that is a sum; what only passes one on has its row."""
    found: list[tuple[int, int, int]] = []
    for op in logic.ops:
        read = [rows[place] for place in op.reads]
        if op.code in _ADDS:
            first, second, *_ = (*read, -1)
            found.append((first, second, op.width))
            rows.append(len(found) - 1)
        else:
            rows.append(read[0] if read else -1)
    return np.array(found, np.int64).reshape(-1, 3)
