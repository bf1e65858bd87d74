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

from pquant_hls.estimate.intervals import OFFSET, PIPELINES, fallbacks

if TYPE_CHECKING:
    from fit_estimator import Case

COVERAGE = 0.95
FEWEST = 5
"""Groups that a class needs for bounds of its own."""
MANY = 30
"""Designs with which a class of one-pipeline taggers has ranks of its own."""
SMALLEST, SMALLEST_TASKS = 0.1, 0.25
"""Least half-width, as a logarithm: of one-pipeline tops, and of tasks, which differ more from each other."""
SIDE = 0.5
"""Least share of the wider side that the other side gets: few groups may all err one way."""


@dataclass(frozen=True)
class Error:
    """The logarithm of truth over estimate of one design, and their difference."""

    key: str
    group: str
    ratio: float
    difference: float


def intervals(found: Sequence[Case]) -> dict[str, Any]:
    """The bounds of cycles and resources for each class with enough groups; ``seen`` lists all classes."""
    table: dict[str, Any] = {"seen": sorted({case.point.key for case in found})}
    for what in OFFSET:
        table[what] = _bounds([error for case in found if (error := _error(case, what))], what)
    return table


def _error(case: Case, what: str) -> Error | None:
    truth = getattr(case.design.truth, what)
    if truth is None:
        return None
    value = case.point.cycles if what == "cycles" else case.point.total(what)
    ratio = math.log((truth + OFFSET[what]) / (value + OFFSET[what]))
    return Error(case.point.key, case.design.group, ratio, float(truth - value))


def _bounds(errors: Sequence[Error], what: str) -> dict[str, Any]:
    members: dict[str, list[Error]] = defaultdict(list)
    for error in errors:
        for name in fallbacks(error.key):
            members[name].append(error)
    table = {}
    for name, rows in sorted(members.items()):
        owners = len({_owner(error.group) for error in rows})
        if name.partition("/")[0] in ("tree", "chain") and "*" not in name and len(rows) >= MANY:
            table[name] = _ranks(rows, what)
        elif owners >= FEWEST or name in ("*/*/*", "foreign/*/*"):
            table[name] = _widest(rows, owners, SMALLEST if name.startswith(PIPELINES) else SMALLEST_TASKS)
    return table


def _widest(rows: Sequence[Error], owners: int, smallest: float) -> dict[str, Any]:
    """The bounds that hold COVERAGE of the groups' errors, each group weighing the same, and a little more."""
    wider = 1.0 + 1.0 / owners
    low = wider * _group_quantile([(_owner(error.group), -error.ratio) for error in rows])
    high = wider * _group_quantile([(_owner(error.group), error.ratio) for error in rows])
    least = max(SIDE * low, SIDE * high, smallest)
    return _entry("ratio", -max(low, least), max(high, least), len(rows))


def _owner(group: str) -> str:
    """The networks and tasks of one author are groups of the fit, but not witnesses of each other."""
    return group.partition("/")[0]


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
    return _entry("ratio", min(wider * low, -SMALLEST), max(wider * high, SMALLEST), len(rows))


def _entry(scale: str, low: float, high: float, designs: int) -> dict[str, Any]:
    return {"scale": scale, "low": round(low, 3), "high": round(high, 3), "designs": designs}
