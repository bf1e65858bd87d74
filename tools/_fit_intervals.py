"""Bounds from the errors of designs outside the fit.

Errors of designs of one group are alike, so the group is the unit: a class has bounds of its own when it
has FEWEST groups, else the next wider class speaks for it. With fewer than twenty groups a 95 % quantile
of an unseen group is the largest error seen or beyond (conformal prediction with ranks of groups; Lee,
Barber and Willett 2023, "Distribution-free inference with hierarchical data"), so the largest error is
taken and widened by one part in the number of groups.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pquant_hls.estimate.intervals import APART, OFFSET, PIPELINES, fallbacks

if TYPE_CHECKING:
    from fit_estimator import Case

COVERAGE = 0.95
FEWEST = 5
"""Groups that a class needs for bounds of its own."""
MANY = 30
"""Designs with which a class of one-pipeline taggers has ranks of its own."""
SMALLEST = {"delay": (0.1, 0.1), "cycles": (0.1, 0.25), "dsp": (0.1, 0.25)}
SMALLEST_OTHERS = (0.25, 0.4)
"""Least half-widths, as logarithms: of one-pipeline tops, and of tasks, which differ more from each other; of LUT, FF
and BRAM, which are weighted sums, more than of what is counted.
"""
SIDE = 0.5
"""Least share of the wider side that the other side gets: few groups may all err one way."""


@dataclass(frozen=True)
class Error:
    """The logarithm of truth over estimate of one design, and their difference."""

    key: str
    group: str
    owner: str
    ratio: float
    difference: float


def intervals(found: Sequence[Case]) -> dict[str, Any]:
    """The bounds of cycles and resources for each class with enough groups; ``seen`` lists all classes."""
    keys = {key for case in found for key in (case.point.key, case.point.resource_key)}
    table: dict[str, Any] = {"seen": sorted(keys)}
    for what in OFFSET:
        table[what] = _bounds([error for case in found if (error := _error(case, what))], what)
    table["delay"] = _bounds([_delay_error(case) for case in found if case.is_pipeline], "delay")
    return table


def _error(case: Case, what: str) -> Error | None:
    """Of the estimate, or of the nearer end of what its rules leave open."""
    truth, point = getattr(case.design.truth, what), case.point
    if truth is None:
        return None
    low, high = (point.cycles, point.cycles) if what == "cycles" else point.span(what)
    value, key = min(max(truth, low), high), point.key if what == "cycles" else point.resource_key
    ratio = math.log((truth + OFFSET[what]) / (value + OFFSET[what]))
    return Error(key, case.design.group, case.design.owner, ratio, float(truth - value))


def _delay_error(case: Case) -> Error:
    """How much slower (faster, below 0) all logic must be, as a logarithm, for the schedule to take the true cycles."""
    return Error(case.point.key, case.design.group, case.design.owner, case.delay_error(), 0.0)


def _bounds(errors: Sequence[Error], what: str) -> dict[str, Any]:
    members: dict[str, list[Error]] = defaultdict(list)
    for error in errors:
        if what != "cycles" or "@" not in error.key or not error.key.startswith(PIPELINES):
            for name in fallbacks(error.key):
                members[name].append(error)
    table = {}
    for name, rows in sorted(members.items()):
        owners = len({error.owner for error in rows})
        rule = name.partition("/")[0]
        if rule in ("tree", "chain") and "*" not in name and len(rows) >= MANY and what != "delay":
            table[name] = _ranks(rows, what)
        elif owners >= FEWEST or name in ("*/*/*", *(f"{rule}/*/*" for rule in APART)):
            table[name] = _widest(rows, owners, _smallest(name, what))
    return table


def _smallest(name: str, what: str) -> float:
    pipelines, tasks = SMALLEST.get(what, SMALLEST_OTHERS)
    return pipelines if name.startswith(("pipeline", *PIPELINES)) else tasks


def _widest(rows: Sequence[Error], owners: int, smallest: float) -> dict[str, Any]:
    """The bounds that hold COVERAGE of the groups' errors, each group weighing the same, and a little more."""
    wider = 1.0 + 1.0 / owners
    low = wider * _group_quantile([(error.owner, -error.ratio) for error in rows])
    high = wider * _group_quantile([(error.owner, error.ratio) for error in rows])
    least = max(SIDE * low, SIDE * high, smallest)
    return _entry("ratio", -max(low, least), max(high, least), len(rows))


def _group_quantile(sizes: Sequence[tuple[str, float]]) -> float:
    """The quantile of (1 + COVERAGE) / 2 where every group weighs the same."""
    count: dict[str, int] = defaultdict(int)
    for group, _ in sizes:
        count[group] += 1
    total, found = 0.0, 0.0
    rank = (1.0 + COVERAGE) / 2.0 * (1.0 + 1.0 / len(count))  # one more group, unseen, beyond all others
    for group, size in sorted(sizes, key=lambda pair: (pair[1], pair[0])):
        total, found = total + 1.0 / (len(count) * count[group]), size
        if total >= rank:
            break
    return found


def _ranks(rows: Sequence[Error], what: str) -> dict[str, Any]:
    """Ranks of a large class's own errors: (1 - COVERAGE) / 2 of a new design lies outside on each side."""
    cycles = what == "cycles"
    ordered = sorted(error.difference if cycles else error.ratio for error in rows)
    rank = max(1, math.floor((len(ordered) + 1) * (1.0 - COVERAGE) / 2.0))
    low, high = ordered[rank - 1], ordered[-rank]
    if cycles:
        return _entry("cycles", min(low, -1.0), max(high, 1.0), len(rows))
    wider = 1.0 + 1.0 / len({error.group for error in rows})
    least = SMALLEST.get(what, SMALLEST_OTHERS)[0]
    return _entry("ratio", min(wider * low, -least), max(wider * high, least), len(rows))


def _entry(scale: str, low: float, high: float, designs: int) -> dict[str, Any]:
    return {"scale": scale, "low": round(low, 3), "high": round(high, 3), "designs": designs}
