"""A figure of merit with its statistical error, and what all of them are made of. Pure numpy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError, SpecError

Floats = NDArray[np.float64]

HERTZ = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6}
LHC_CROSSING_HZ = 40.08e6
"""LHC bunch crossings a second, all slots counted (LHC design report, CERN-2004-003)."""
_ASKED = re.compile(
    r"(?:[^@]+\.)?(?P<kind>[a-z_]+)@(?P<number>-?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)) ?(?P<unit>Hz|kHz|MHz)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, its statistical error (one standard deviation), and the events behind it.

    ``influence`` is how far each event moves the figure, float64 (events of the split,): the error of the difference of
    two figures of the same events is the root of the sum of squares of the difference of theirs, so that what both have in
    common drops out. ``above`` is the number of background events above an efficiency's threshold. ``relative`` : a loss
    counts as a share of the original's figure, else as a difference.
    """

    value: float
    error: float
    events: int
    above: int | None = None
    influence: Floats | None = field(default=None, repr=False, compare=False)
    unit: str = ""
    lower_is_better: bool = False
    relative: bool = False


@dataclass(frozen=True)
class AskedFigure:
    """A figure with a number in its name: ``efficiency@30kHz:signal`` is (efficiency, 30, kHz, signal). An output's name and
    a dot before it are no part of its kind."""

    name: str
    kind: str
    number: float
    unit: str = ""
    of: str = ""

    @property
    def hz(self) -> float | None:
        """The rate in Hz; None for a number without a unit of rate."""
        return self.number * HERTZ[self.unit] if self.unit else None


def asked(name: str) -> AskedFigure | None:
    """What a figure's name asks for; None for a name without ``@``. Raises SpecError for a number that is none."""
    head, _, of = name.partition(":")
    if "@" not in head:
        return None
    found = _ASKED.fullmatch(head)
    if found is None:
        raise SpecError(
            f"is not a figure such as 'efficiency@0.01:top' or 'efficiency@30kHz:top', got rate {head.partition('@')[2]!r}",
            where=name,
        )
    return AskedFigure(name, found["kind"], float(found["number"]), found["unit"] or "", of)


def all_asked(names: Iterable[str]) -> tuple[AskedFigure, ...]:
    """Those of the names that ask for a number."""
    return tuple(found for name in names if (found := asked(name)) is not None)


def checked_weights(weights: ArrayLike | None, events: int) -> Floats:
    """Event weights float64 (events,), ones where there are none; DataError for what cannot weigh."""
    if weights is None:
        return np.ones(events)
    found = np.asarray(weights, np.float64).reshape(-1)
    if len(found) != events:
        raise DataError(f"{len(found)} weights for {events} events", where="w")
    if not (np.isfinite(found) & (found >= 0)).all() or not found.sum() > 0:
        raise DataError("event weights are finite, at least 0, and not all 0", where="w")
    return found


def mean_of(values: ArrayLike, weights: ArrayLike | None = None, **told: Any) -> Figure:
    """Weighted mean of values (events,), with the error of the mean; ``told`` are further fields of the Figure."""
    each = np.asarray(values, np.float64).reshape(-1)
    if len(each) == 0:
        raise DataError("a figure of no events is not defined")
    w = checked_weights(weights, len(each))
    found = float(np.average(each, weights=w))
    return with_influence(found, w * (each - found) / w.sum(), **told)


def with_influence(value: float, influence: Floats, **told: Any) -> Figure:
    """A figure whose error is that of the events' influences."""
    error = math.sqrt(float((influence**2).sum()))
    return Figure(value, error, told.pop("events", len(influence)), influence=influence, **told)


def worst_of(found: Iterable[Figure]) -> Figure:
    """The worst of figures of one kind."""
    return min(found, key=lambda one: -one.value if one.lower_is_better else one.value)
