"""For every type of a graph: no input overflows it, or one that does, or why neither is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.overflow.curves import Store
from pquant_hls.overflow.milp import exceeds, has_solver, tightened
from pquant_hls.overflow.program import LARGEST, StageProgram, StoredType, program_of
from pquant_hls.overflow.search import OverflowInput, behind, search, tried
from pquant_hls.overflow.stages import Box, Floats, Linear, Unknown
from pquant_hls.qor import FixedPointGraph

Status = Literal["proven", "wraps", "saturates", "undecided"]
SECONDS = 40.0
RANDOM_ROWS = 256
SEARCHED = 400
"""Elements of one type, the widest first, for which an input is looked for."""
TIGHTENED = 512
"""Sums of one layer for which linear programmes are solved at most."""


@dataclass(frozen=True)
class TypeVerdict:
    """One type: ``proven`` that no input overflows it, by ``how`` (intervals, affine forms, MILP); ``wraps`` or ``saturates``
    by an input; ``undecided`` with ``reason``.

    ``low`` and ``high`` bound what it is given, over all elements. ``element`` (in C order), ``value`` and ``inputs``
    (all ports' values, flat and joined) are the witness.
    """

    node: str
    role: str
    type: str
    status: Status
    how: str = ""
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    element: int | None = None
    value: float | None = None
    inputs: Floats | None = None

    @property
    def decided(self) -> bool:
        return self.status != "undecided"


def decide(
    graph: FixedPointGraph,
    ranges: Sequence[tuple[Floats, Floats]] | None = None,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
) -> tuple[TypeVerdict, ...]:
    """Look at every type that values of ``graph`` are stored in, in the order in which they are computed.

    Bounds by intervals, then by substitution back to the inputs (affine forms), then by a small mixed-integer programme where
    scipy is there; an input by ascent along gradients. What the graph's emulation says of an input is to be shown by csim
    (``measure.shown``). A proof holds for all real inputs between the ends of ``ranges``.

    Parameters
    ----------
    ranges : of each port the least and largest inputs, of its shape (float64) or one number; None: all that its type holds.
    seconds : of processor time; what is not decided by then is undecided.
    """
    program = program_of(graph, ranges)
    rough = list(program.boxes)
    program.end = time.process_time() + seconds
    course = _Course(program, rough, program.end, np.random.default_rng(seed))
    return tuple(course.verdict(check) for check in program.checks)


class _Course:
    def __init__(self, program: StageProgram, rough: list[Box], end: float, rng: np.random.Generator) -> None:
        self.program, self.rough, self.end, self.rng = program, rough, end, rng
        self.done = 0
        self.tight: set[int] = set()
        box = program.ports
        corners = np.where(rng.random((RANDOM_ROWS, len(box.low))) < 0.5, box.low, box.high)
        self.sample = np.concatenate([rng.uniform(box.low, box.high, corners.shape), corners])

    @property
    def late(self) -> bool:
        return time.process_time() > self.end

    def verdict(self, check: StoredType) -> TypeVerdict:
        program, stage = self.program, self.program.stages[check.stage]
        self._advance(check.stage)
        if isinstance(stage, Unknown):
            return TypeVerdict(check.node, check.role, "", "undecided", reason=stage.why)
        if not isinstance(stage, Store):
            raise TypeError(check)
        given = program.boxes[stage.sources[0]]
        low, high = float(given.low.min()), float(given.high.max())
        kind = stage.kind if len(stage.kinds) == 1 else f"{len(set(stage.kinds))} types of single values"
        named = (check.node, check.role, str(kind))
        open_ = np.flatnonzero(~stage.fits(given))
        if len(open_) == 0:
            plain = bool(stage.fits(self.rough[stage.sources[0]]).all())
            return TypeVerdict(*named, "proven", "intervals" if plain else "affine forms", low=low, high=high)
        word: Status = "wraps" if stage.wraps else "saturates"
        witness = self._witness(check.stage, stage, open_)
        if witness is not None:
            return _shown(named, word, "search", (low, high), witness)
        self._tighten(check.stage)
        open_ = np.flatnonzero(~stage.fits(program.boxes[stage.sources[0]]))
        found, why = self._exact(check.stage, stage, open_)
        if found is not None:
            return _shown(named, word, "MILP", (low, high), found)
        if why is not None:
            why = self._unseen(check.stage) or why
            return TypeVerdict(*named, "undecided", reason=why, low=low, high=high)
        self._advance(check.stage, again=True)
        return TypeVerdict(*named, "proven", "MILP", low=low, high=high)

    def _unseen(self, place: int) -> str | None:
        """Why no input can be tried: a stage before that no rule tells."""
        found = [stage.why for stage in behind(self.program, place) if isinstance(stage, Unknown)]
        return f"behind what no rule tells ({found[0]})" if found else None

    def _advance(self, until: int, *, again: bool = False) -> None:
        """Bounds of all stages up to one, the intervals of sums narrowed by substitution."""
        for place in range(until if again else self.done, until + 1):
            stage = self.program.stages[place]
            self.program.refresh(place)
            deep = isinstance(stage, Linear) and not _first(self.program, place)
            if deep and stage.size <= LARGEST and not self.late:
                self.program.narrow(place, np.arange(stage.size))
        self.done = max(self.done, until + 1)

    def _tighten(self, until: int) -> None:
        """Sums before a store by linear programmes, once each; layer after layer, as each rests on those before."""
        for place in range(until + 1):
            stage = self.program.stages[place]
            self.program.refresh(place)
            if not isinstance(stage, Linear) or _first(self.program, place) or not has_solver():
                continue
            if place in self.tight or stage.size > TIGHTENED:
                continue
            self.tight.add(place)
            self.program.narrow(place, np.arange(stage.size))
            tightened(self.program, place, np.arange(stage.size), self.end)

    def _witness(self, place: int, stage: Store, open_: NDArray[np.int64]) -> OverflowInput | None:
        found = tried(self.program, place, self.sample)
        if found is not None:
            return found
        box, ends = self.program.boxes[stage.sources[0]], stage.ends
        over = np.concatenate([(box.high - ends.high)[open_], (ends.low - box.low)[open_]])
        targets, signs = np.tile(open_, 2), np.repeat([1.0, -1.0], len(open_))
        worst = np.argsort(-over)[: min(int((over > 0).sum()), SEARCHED)]
        return search(self.program, place, targets[worst], signs[worst], self.rng)

    def _exact(
        self, place: int, stage: Store, open_: NDArray[np.int64]
    ) -> tuple[OverflowInput | None, str | None]:
        """Element by element; the reason of the first that stays open."""
        given = self.program.boxes[stage.sources[0]]
        below, above = stage.beyond(given)
        end = (
            time.process_time() + self.end
        ) / 2  # half of what is left, so that later types have their share
        for element in open_:
            for sign, side in ((1.0, above), (-1.0, below)):
                if not side[element]:
                    continue
                left = end - time.process_time()
                if left <= 0:
                    reach = f"{given.low[element]:.6g} to {given.high[element]:.6g}"
                    return None, f"out of time, element {element} lies within {reach}"
                answer = exceeds(self.program, place, int(element), sign, left)
                if answer.inputs is not None:
                    found = tried(self.program, place, answer.inputs[None])
                    if found is None:
                        pair = np.array([element]), np.array([sign])
                        found = search(self.program, place, *pair, self.rng, answer.inputs)
                    if found is not None:
                        return found, None
                if not answer.never:
                    return None, answer.reason
            fits = np.zeros(stage.size, np.bool_)
            fits[element] = True
            self.program.hold(place, fits)
        return None, None


def _first(program: StageProgram, place: int) -> bool:
    """Whether a stage reads what comes in, each value once: its interval is exact."""
    stage = program.stages[place]
    before = [program.stages[source] for source in stage.sources]
    return all(isinstance(one, Store) and not program.stages[one.sources[0]].sources for one in before)


def _shown(
    named: tuple[str, str, str], word: Status, how: str, ends: tuple[float, float], found: OverflowInput
) -> TypeVerdict:
    return TypeVerdict(*named, word, how, *ends, None, found.element, found.value, found.inputs)
