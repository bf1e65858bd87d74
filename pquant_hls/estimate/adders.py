"""Layers of distributed arithmetic: nothing but adders, those of the graph itself where it tells them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pquant_hls.estimate.module import dsps
from pquant_hls.estimate.operators import Operators
from pquant_hls.estimate.schedule import EPS, Schedule, balanced_tree
from pquant_hls.estimate.weights import Operands
from pquant_hls.qor.digits import signed_digits

SHARED = 0.66
"""Adders of da4ml's solution over those of signed digits that share nothing: 0.58 to 0.93 over six layers of 16 x 64 to 64 x 32
weights of 4 to 8 bits, no to 93 % zeros; sparser ones share less."""


def told_adders(adders: NDArray[np.int64], delay: Operators, budget_ns: float) -> Schedule:
    """The schedule of an adder graph (adders, 3), each as soon as its operands are there and no border cuts it."""
    takes = np.minimum(delay.add_ns(adders[:, 2]), budget_ns).tolist()
    reads = [tuple(operand for operand in pair if operand >= 0) for pair in adders[:, :2].tolist()]
    return as_soon(reads, takes, adders[:, 2], budget_ns)


def as_soon(
    reads: Sequence[Sequence[int]], takes: Sequence[float], bits: NDArray[np.int64], budget_ns: float
) -> Schedule:
    """Operations in order, each in one stage, begun once what it ``reads`` (earlier ones) is there; ``takes`` are ns of at
    most ``budget_ns``, ``bits`` those of the results, held in registers until the last stage that reads them."""
    ready = [0.0] * len(reads)
    made, read = [0] * len(reads), [-1] * len(reads)
    for row, operands in enumerate(reads):
        begin = max((ready[operand] for operand in operands), default=0.0)
        stage = math.floor(begin / budget_ns + EPS)
        if begin + takes[row] > (stage + 1) * budget_ns + EPS:
            stage += 1
            begin = stage * budget_ns
        made[row], ready[row] = stage, begin + takes[row]
        for operand in operands:
            read[operand] = max(read[operand], stage)
    last = max(made, default=0)
    held = np.array([(last if at < 0 else at) - own for own, at in zip(made, read, strict=True)], np.int64)
    return Schedule(max(ready, default=0.0), float((held * bits).sum()), chained=False)


def told_counts(adders: NDArray[np.int64], schedule: Schedule) -> dict[str, float]:
    """Bits of the adders and of the registers between their stages."""
    return {"add_bits": float(adders[:, 2].sum()), "live_bits": schedule.live_bits, **dsps(0)}


def imagined_adders(
    operands: Operands, delay: Operators, budget_ns: float
) -> tuple[Schedule, dict[str, float]]:
    """What a solution may come to for weights that nobody solved: a balanced tree of each output's signed digits, of
    whose adders a share is built once for several outputs."""
    digits = signed_digits(operands.codes).sum(axis=0) + operands.bias
    terms = np.maximum((operands.codes != 0).sum(axis=0) + operands.bias - 1, 0).sum()
    step = min(float(delay.add_ns(operands.sum_bits)), budget_ns)
    trees = [balanced_tree({0.0: int(count)}, step, budget_ns) for count in digits if count]
    live = sum(
        sum(held) * bits for (_, held), bits in zip(trees, operands.column_bits[digits > 0], strict=True)
    )
    schedule = Schedule(max((end for end, _ in trees), default=0.0), float(live), chained=False)
    bits = operands.add_bits / max(terms, 1)
    adders = SHARED * float(np.maximum(digits - 1, 0).sum())
    return schedule, {"add_bits": adders * bits, "live_bits": schedule.live_bits, **dsps(0)}
