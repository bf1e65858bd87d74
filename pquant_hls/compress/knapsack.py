"""Knapsacks: what to keep within a capacity, exactly where that is small, else with a bound on what is lost by haste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
CELLS = 4_000_000
"""Items times units of capacity up to which a knapsack is solved exactly."""
WHOLE = 1e-9
"""How far from a whole multiple a cost may lie."""


@dataclass(frozen=True)
class Packing:
    """What stays, (n,) bool; its value; the most that any choice could have, by the relaxation to shares of items."""

    kept: Mask
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the bound that is missing, 0 where the choice is known to be the best."""
        return 0.0 if self.bound <= 0 else max(0.0, 1.0 - self.value / self.bound)


def fill(values: ArrayLike, costs: ArrayLike, capacity: float) -> Packing:
    """The items of most value whose costs come to no more than ``capacity``; values and costs (n,), not negative.

    Costs that are few whole units, such as DSPs, are packed exactly (dynamic programming over the capacity); others by
    value over cost, each that still fits (Dantzig, Operations Research 5 (1957) 266, whose bound is the relaxation's).
    """
    worth, price = np.asarray(values, np.float64), np.asarray(costs, np.float64)
    kept, bound = _greedy(worth, price, capacity)
    unit = _unit(price)
    if unit is not None and len(price) * (capacity / unit) <= CELLS:
        better = _exact(worth, np.rint(price / unit).astype(np.int64), int(capacity / unit + WHOLE))
        kept = better if worth[better].sum() > worth[kept].sum() else kept
        bound = float(worth[kept].sum())
    return Packing(kept, float(worth[kept].sum()), bound)


def _greedy(worth: Floats, price: Floats, capacity: float) -> tuple[Mask, float]:
    """The choice, and the value of the same choice if the first item that does not fit could be cut to fit."""
    density = np.divide(worth, price, out=np.full(len(worth), np.inf), where=price > 0)
    order = np.lexsort((-worth, -density))
    filled = np.cumsum(price[order])
    fits = filled <= capacity * (1 + WHOLE)
    count = int(fits.sum()) if fits.all() else int(np.argmin(fits))
    kept = np.zeros(len(worth), bool)
    kept[order[:count]] = True
    bound, left = float(worth[kept].sum()), capacity - float(price[kept].sum())
    if count < len(order):
        first = order[count]
        bound += max(0.0, float(worth[first] * left / price[first]))
    for item in order[count:]:
        if 0 < price[item] <= left:
            kept[item], left = True, left - price[item]
    return kept, bound


def _unit(price: Floats) -> float | None:
    """What every cost is a whole multiple of; None where the least cost is no such unit."""
    paid = price[price > 0]
    if len(paid) == 0:
        return None
    unit = float(paid.min())
    return unit if np.abs(paid / unit - np.rint(paid / unit)).max() < WHOLE else None


def _exact(worth: Floats, units: NDArray[np.int64], capacity: int) -> Mask:
    """The best choice of whole units (Bellman's recursion over the capacity)."""
    best = np.zeros(capacity + 1)
    taken = np.zeros((len(worth), capacity + 1), bool)
    for item, (value, cost) in enumerate(zip(worth, units, strict=True)):
        if cost > capacity:
            continue
        with_it = best[: capacity + 1 - cost] + value
        taken[item, cost:] = with_it > best[cost:]
        best[cost:] = np.maximum(best[cost:], with_it)
    kept, left = np.asarray(units == 0), capacity
    for item in range(len(worth) - 1, -1, -1):
        if units[item] > 0 and taken[item, left]:
            kept[item], left = True, left - int(units[item])
    return kept


def pick(losses: Sequence[ArrayLike], savings: Sequence[ArrayLike], wanted: int) -> tuple[int, ...] | None:
    """One option of each list so that the savings (whole numbers) reach ``wanted`` at the least loss; None where they cannot.

    A knapsack of multiple choice (Sinha, Zoltners, Operations Research 27 (1979) 503), solved exactly.
    """
    least = np.full(wanted + 1, np.inf)
    least[0] = 0.0
    choices = []
    for loss, saving in zip(losses, savings, strict=True):
        trial = np.full((len(np.asarray(loss)), wanted + 1), np.inf)
        for option, (lost, saved) in enumerate(
            zip(np.asarray(loss, np.float64), np.asarray(saving, np.int64), strict=True)
        ):
            reached = np.minimum(np.arange(wanted + 1) + max(0, int(saved)), wanted)
            np.minimum.at(trial[option], reached, least + lost)
        choices.append(
            (trial.argmin(axis=0), np.asarray(saving, np.int64), np.asarray(loss, np.float64), least)
        )
        least = trial.min(axis=0)
    return None if np.isinf(least[wanted]) else _traced(choices, wanted)


def _traced(
    choices: Sequence[tuple[Floats, NDArray[np.int64], Floats, Floats]], wanted: int
) -> tuple[int, ...]:
    """The options behind the least loss, from the last list to the first."""
    found, at = [], wanted
    for picked, saving, loss, before in reversed(choices):
        option = int(picked[at])
        saved = max(0, int(saving[option]))
        starts = [s for s in range(at + 1) if (s + saved == at or (at == wanted and s + saved >= wanted))]
        at = min(starts, key=lambda s: before[s] + loss[option])
        found.append(option)
    return tuple(reversed(found))
