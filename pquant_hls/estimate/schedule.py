"""The schedule of one fully unrolled sum of products: pipeline stages and the values held between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pquant_hls.estimate.operators import Operators
from pquant_hls.estimate.weights import Operands, chain_steps, folds_signs

EPS = 1e-6
LEAST_BITS = 1.5
"""Bits of a part of a sum, at least; from 1/ln 2 on, fewer parts never hold more bits together."""


@dataclass(frozen=True)
class Schedule:
    """``end_ns`` counts whole stages of the clock budget plus the time used in the last one.

    ``live_bits`` are the bits in registers between the stages, summed over the stage borders, and
    ``waiting_bits`` those of inputs that a chain has not reached yet. ``chained`` says that subtractions
    kept the tool from balancing the sum.
    """

    end_ns: float
    live_bits: float
    chained: bool
    waiting_bits: float = 0.0


def schedule_sum(operands: Operands, delay: Operators, budget_ns: float) -> Schedule:
    """Schedule the slowest output; every output is scheduled as soon as possible."""
    if not operands.codes.any():
        return Schedule(0.0, 0.0, chained=folds_signs(operands) and not operands.saturates)
    if operands.saturates:
        step = delay.relu_ns(operands.accum.width, rounds=True)
        steps = int(((operands.codes != 0).sum(axis=0) + operands.bias).max())
        return _chain(operands, delay, budget_ns, steps, step)
    if folds_signs(operands):
        steps = max(int(chain_steps(operands.codes).max()), _tree_steps(operands, delay, budget_ns))
        return replace(_chain(operands, delay, budget_ns, steps, delay.step), chained=True)
    return _trees(operands, delay, budget_ns)


def _tree_steps(operands: Operands, delay: Operators, budget_ns: float) -> int:
    """Steps of a chain in the time of a balanced tree of its longest sum: signs make none faster."""
    terms = int(((operands.codes != 0).sum(axis=0) + operands.bias).max())
    levels = math.ceil(math.log2(max(terms, 1)))
    return math.ceil(levels * delay.level_ns(operands.sum_bits, budget_ns) / delay.step - EPS)


def chain_end(steps: int, step_ns: float, budget_ns: float) -> tuple[int, float]:
    """(full stages, ns in the last one) of dependent operations of ``step_ns`` each."""
    per_stage = max(1, math.floor(budget_ns / step_ns + EPS))
    full = max(0, math.ceil(steps / per_stage) - 1)
    return full, (steps - full * per_stage) * min(step_ns, budget_ns)


def _chain(operands: Operands, delay: Operators, budget_ns: float, steps: int, step_ns: float) -> Schedule:
    """Dependent additions, as many in a stage as fit; inputs wait in registers for their turn."""
    ready = float(delay.product_ns(operands, budget_ns).max())
    full, rest = chain_end(steps, step_ns, budget_ns)
    whole = math.floor(ready / budget_ns + EPS) if ready > budget_ns else 0
    terms, outputs = operands.codes.shape
    stored = (
        np.broadcast_to(operands.inputs.own - (not operands.data.signed), (terms, outputs))
        .max(axis=1)
        .clip(0)
    )
    live = full * outputs * operands.sum_bits + whole * stored.sum()
    waiting = 0.5 * full * stored[operands.codes.any(axis=1)].sum()
    end = (whole + full) * budget_ns + rest
    return Schedule(end, float(live), chained=False, waiting_bits=float(waiting))


def _trees(operands: Operands, delay: Operators, budget_ns: float) -> Schedule:
    ready = np.round(delay.product_ns(operands, budget_ns), 3)
    level = delay.level_ns(operands.sum_bits, budget_ns)
    ends: list[float] = []
    live = 0.0
    widths = np.maximum(operands.column_bits, LEAST_BITS)
    for column, times, constant, bits in zip(operands.codes.T, ready.T, operands.bias, widths, strict=True):
        values, counts = np.unique(times[column != 0], return_counts=True)
        arrivals = dict(zip(values.tolist(), counts.tolist(), strict=True))
        if constant:
            arrivals[0.0] = arrivals.get(0.0, 0) + 1
        done, held = balanced_tree(arrivals, level, budget_ns)
        ends.append(done)
        live += sum(count * max(LEAST_BITS, bits - math.log2(count)) for count in held)
    stage = np.maximum(np.ceil(np.array(ends) / budget_ns - EPS), 1.0)  # early sums wait for the last one
    live += float(((stage.max() - stage) * widths).sum())
    return Schedule(max(ends), live, chained=False)


def balanced_tree(arrivals: dict[float, int], level_ns: float, budget_ns: float) -> tuple[float, list[int]]:
    """Add values as they arrive, two by two, earliest first; no adder crosses a stage border.

    Returns the end in ns and the number of values that cross each border.
    """
    waiting, odd, border = dict(arrivals), 0, budget_ns
    held: list[int] = []
    now = 0.0
    while waiting:
        now = min(waiting)
        while now > border - EPS and (len(waiting) > 1 or waiting[now] + odd > 1):
            held.append(sum(waiting.values()) + odd)
            border += budget_ns
        count, odd = waiting.pop(now) + odd, 0
        if count == 1 and not waiting:
            break
        fits = now + level_ns <= border + EPS
        later = round(now + level_ns if fits else border, 6)
        pairs, odd = (count // 2, count % 2) if fits else (count, 0)
        if pairs:
            waiting[later] = waiting.get(later, 0) + pairs
    return now, held
