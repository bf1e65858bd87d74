"""Whether a value can lie beyond its type at all, by a mixed-integer programme (Tjeng, Xiao and Tedrake, ICLR 2019)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.overflow.curves import Largest, LeakyStage, Store
from pquant_hls.overflow.program import StageProgram
from pquant_hls.overflow.stages import Box, Floats, Gather, Inlet, Linear, LinearBound, Unknown, snapped

VARIABLES = 20_000
"""Beyond which no programme is made."""
MARGIN = 1e-5
"""Relative room for the solver's tolerances: what it finds within it of an end is not taken for a proof."""
INFEASIBLE = 2
"""scipy's status of a programme without a solution."""


@dataclass(frozen=True)
class Exact:
    """``never``: no input takes the value beyond. ``inputs`` (all ports' values,): one that may. Else ``reason``."""

    never: bool = False
    inputs: Floats | None = None
    reason: str = ""


def exceeds(program: StageProgram, place: int, element: int, sign: float, seconds: float) -> Exact:
    """Whether element ``element`` of what a store reads can lie beyond its end, above where ``sign`` is 1, below where -1.

    Rounding before it may be anything within its bounds, so that a proof holds and an input is one to be tried.
    """
    if not has_solver():
        return Exact(
            reason="affine forms are too wide; the programme that goes on needs scipy: pip install scipy"
        )
    stage = program.stages[place]
    if not isinstance(stage, Store):
        raise TypeError(stage)
    model = Model.of(program, stage.sources[0], [element])
    if model.count > VARIABLES:
        return Exact(reason=f"affine forms are too wide, and the programme has {model.count:,} variables")
    target = model.column(stage.sources[0], element)
    kind = stage.kinds[element if len(stage.kinds) > 1 else 0]
    end = kind.high + (kind.lsb if kind.rounding == "TRN" else kind.lsb / 2) if sign > 0 else kind.low
    margin = MARGIN * (1.0 + abs(end))
    low, high = np.array(model.low), np.array(model.high)
    if sign > 0:
        low[target] = max(low[target], end - margin)
    else:
        high[target] = min(high[target], end + margin)
    if low[target] > high[target]:
        return Exact(never=True)
    answer = _solved(model, np.zeros(model.count), low, high, np.array(model.integral), seconds)
    if answer.status == INFEASIBLE:
        return Exact(never=True)
    if answer.x is None:
        return Exact(reason="affine forms are too wide, and the programme came to no end in its time")
    return Exact(
        inputs=model.inputs(answer.x),
        reason="no input was found; the programme takes a value beyond by rounding that may not come about",
    )


def has_solver() -> bool:
    return find_spec("scipy") is not None


def tightened(program: StageProgram, place: int, elements: NDArray[np.int64], end: float) -> None:
    """Bounds of some elements of a stage by its linear programme, until the moment ``end`` (``time.process_time``)."""
    model = Model.of(program, place, elements.tolist())
    if model.count > VARIABLES:
        return
    low, high = np.array(model.low), np.array(model.high)
    relaxed = np.zeros(model.count)
    box_low, box_high = (side.copy() for side in program.boxes[place])
    for element in elements.tolist():
        column = model.column(place, element)
        for sign in (1.0, -1.0):
            left = end - time.process_time()
            if left <= 0:
                break
            cost = np.zeros(model.count)
            cost[column] = -sign
            answer = _solved(model, cost, low, high, relaxed, left)
            if answer.status != 0:
                continue
            most = -sign * float(answer.fun)
            room = MARGIN * (1.0 + abs(most))
            if sign > 0:
                box_high[element] = min(box_high[element], most + room)
            else:
                box_low[element] = max(box_low[element], most - room)
    program.boxes[place] = snapped(Box(box_low, box_high), program.stages[place].frac)


def _solved(
    model: Model, cost: Floats, low: Floats, high: Floats, integral: NDArray[Any], seconds: float
) -> Any:
    """scipy's answer (HiGHS, one thread)."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    rules = LinearConstraint(model.matrix, np.array(model.least), np.array(model.most))
    options = {"time_limit": max(seconds, 0.1) * _crowding()}
    return milp(cost, integrality=integral, bounds=Bounds(low, high), constraints=rules, options=options)


def _crowding() -> float:
    """Seconds that pass for one of processor time, 1 to 8: the solver counts the former, and others may run beside it."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), 8.0)


@dataclass
class Model:
    """Variables for the elements that a value depends on, and what binds them."""

    program: StageProgram
    used: dict[int, NDArray[np.int64]]
    """By stage: the elements that have variables, in rising order."""
    start: dict[int, int] = field(default_factory=dict)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    integral: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, program: StageProgram, place: int, elements: Sequence[int]) -> Model:
        model = cls(program, _needed(program, place, elements))
        for here in sorted(model.used):
            box = program.boxes[here]
            model.start[here] = len(model.low)
            model.low += box.low[model.used[here]].tolist()
            model.high += box.high[model.used[here]].tolist()
            model.integral += [0] * len(model.used[here])
        for here in sorted(model.used):
            model._bind(here)
        return model

    @cached_property
    def matrix(self) -> Any:
        from scipy.sparse import csr_array

        return csr_array((self.value, (self.row, self.line)), shape=(len(self.least), self.count))

    @property
    def count(self) -> int:
        return len(self.low)

    def column(self, place: int, element: int) -> int:
        return self.start[place] + int(np.searchsorted(self.used[place], element))

    def inputs(self, x: Floats) -> Floats:
        """All ports' values; the middle of the box where a value does not depend on one."""
        parts = []
        for place, stage in enumerate(self.program.stages):
            if isinstance(stage, Inlet):
                found = (stage.box.low + stage.box.high) / 2
                if place in self.used:
                    begin = self.start[place]
                    found[self.used[place]] = x[begin : begin + len(self.used[place])]
                parts.append(np.clip(found, *stage.box))
        return np.concatenate(parts)

    def _rule(self, terms: dict[int, float], least: float, most: float) -> None:
        for column, value in terms.items():
            self.row.append(len(self.least))
            self.line.append(column)
            self.value.append(value)
        self.least.append(least)
        self.most.append(most)

    def _read(self, place: int, position: int) -> int:
        """The variable behind a position in the row of values that a stage reads."""
        for source in self.program.stages[place].sources:
            if position < self.program.size(source):
                return self.column(source, position)
            position -= self.program.size(source)
        raise IndexError(position)

    def _bind(self, place: int) -> None:
        stage = self.program.stages[place]
        if isinstance(stage, Inlet | Unknown):
            return
        for element in self.used[place].tolist():
            here = self.column(place, element)
            if isinstance(stage, Gather):
                if stage.index[element] >= 0:
                    self._rule({here: 1.0, self._read(place, int(stage.index[element])): -1.0}, 0.0, 0.0)
            elif isinstance(stage, Linear):
                self._linear(stage, place, element, here)
            elif isinstance(stage, LeakyStage):
                self._leaky(stage, place, element, here)
            elif isinstance(stage, Largest):
                for position in stage.index[element]:
                    if position >= 0:
                        self._rule({here: 1.0, self._read(place, int(position)): -1.0}, 0.0, np.inf)
        if not isinstance(stage, Gather | Linear | LeakyStage | Largest) and len(stage.sources) == 1:
            self._between(place)

    def _linear(self, stage: Linear, place: int, element: int, here: int) -> None:
        row, column = divmod(element, stage.weight.shape[1])
        least, most = stage.lost
        terms: dict[int, float] = {here: 1.0}
        for position, factor in zip(stage.index[row].tolist(), stage.weight[:, column].tolist(), strict=True):
            if position >= 0 and factor != 0:
                source = self._read(place, position)
                terms[source] = terms.get(source, 0.0) - factor
        shift = float(stage.bias[column])
        self._rule(terms, shift + float(least[column]), shift + float(most[column]))

    def _leaky(self, stage: LeakyStage, place: int, element: int, here: int) -> None:
        """y is the larger of x and ``factor * x``; a binary variable says which where both may be."""
        source, factor = self._read(place, element), stage.factor
        low, high = self.low[source], self.high[source]
        if low >= 0 or high <= 0:
            self._rule({here: 1.0, source: -1.0 if low >= 0 else -factor}, 0.0, 0.0)
            return
        self.low.append(0.0)
        self.high.append(1.0)
        self.integral.append(1)
        positive = len(self.low) - 1
        span = 1.0 - factor
        self._rule({here: 1.0, source: -1.0}, 0.0, np.inf)
        self._rule({here: 1.0, source: -factor}, 0.0, np.inf)
        self._rule({here: 1.0, source: -1.0, positive: -span * low}, -np.inf, -span * low)
        self._rule({here: 1.0, source: -factor, positive: -span * high}, -np.inf, 0.0)

    def _between(self, place: int) -> None:
        """A stage that works element by element lies between its two lines."""
        stage, used = self.program.stages[place], self.used[place]
        if stage.size != self.program.size(stage.sources[0]):
            return
        bound: LinearBound = stage.bound(self.program.read_box(stage))
        if isinstance(stage, Store) and stage.wraps:
            used = self._wrapped(stage, place)
        for element in used.tolist():
            here, source = self.column(place, element), self._read(place, element)
            below, low, above, high = (float(part[element]) for part in bound)
            self._rule({here: 1.0, source: -below}, low, np.inf)
            self._rule({here: 1.0, source: -above}, -np.inf, high)

    def _wrapped(self, stage: Store, place: int) -> NDArray[np.int64]:
        """Elements that may wrap: a whole number of turns away from what is read. Gives those that do not."""
        given, used = self.program.read_box(stage), self.used[place]
        fits, least, most = stage.fits(given), *stage.lost
        for element in used[~fits[used]].tolist():
            kind = stage.kinds[element if len(stage.kinds) > 1 else 0]
            turn, middle = 2.0**kind.integer, (kind.low + kind.high + kind.lsb) / 2
            self.low.append(float(np.floor((given.low[element] - middle) / turn)) - 1)
            self.high.append(float(np.ceil((given.high[element] - middle) / turn)) + 1)
            self.integral.append(1)
            terms = {
                self.column(place, element): 1.0,
                self._read(place, element): -1.0,
                len(self.low) - 1: turn,
            }
            self._rule(terms, float(least[element]), float(most[element]))
        return used[fits[used]]


def _needed(program: StageProgram, place: int, elements: Sequence[int]) -> dict[int, NDArray[np.int64]]:
    """The elements of each stage that some of one stage's depend on."""
    wanted = {place: set(elements)}
    for here in range(place, -1, -1):
        stage = program.stages[here]
        if here not in wanted or isinstance(stage, Unknown):
            continue
        positions: set[int] = set()
        for one in wanted[here]:
            positions |= _reads(stage, one)
        start = 0
        for source in stage.sources:
            inside = {p - start for p in positions if start <= p < start + program.size(source)}
            if inside:
                wanted.setdefault(source, set()).update(inside)
            start += program.size(source)
    return {here: np.array(sorted(found), np.int64) for here, found in wanted.items()}


def _reads(stage: Any, element: int) -> set[int]:
    if isinstance(stage, Linear):
        row, column = divmod(element, stage.weight.shape[1])
        used = stage.index[row][stage.weight[:, column] != 0]
        return set(used[used >= 0].tolist())
    if isinstance(stage, Gather | Largest):
        found = np.atleast_1d(stage.index[element])
        return set(found[found >= 0].tolist())
    if isinstance(stage, Inlet):
        return set()
    return {element}
