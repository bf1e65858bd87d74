"""Rounds of a loop, and the turns that are open after them. Pure functions of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from pquant_hls.decide.check import Judgement, Verdict
from pquant_hls.decide.knobs import KINDS, Knobs
from pquant_hls.spec import LoopSpec
from pquant_hls.spec.model import short_names


class Limit(StrEnum):
    """Why a loop stopped without meeting its budget."""

    ACCURACY = "accuracy floor"
    QUALITY = "quality floor"
    ESTIMATE = "the estimate cannot tell on this part"
    BITS = "bits floor"
    ARCHITECTURE = "latency floor of the architecture"
    ROUNDS = "round limit"
    MISMATCH = "csim differs from Keras"
    UNDECIDED = "cannot be told"


@dataclass(frozen=True)
class Move:
    """One knob, by its path, to a new value, with what it is predicted to give (worst-case latency in ns, or
    None). ``label`` is its name for people, ``outlook`` the predicted judgement of the design alone. ``afresh``: on the
    original's weights, not those of the round it goes on from."""

    knob: str
    old: float
    new: float
    predicted_ns: float | None = None
    label: str = ""
    outlook: Judgement | None = None
    afresh: bool = False

    def __str__(self) -> str:
        digits = 0 if float(self.old).is_integer() and float(self.new).is_integer() else 2
        turn = f"{self.label or self.knob} {self.old:.{digits}f} -> {self.new:.{digits}f}"
        return f"{turn} afresh" if self.afresh else turn


@dataclass(frozen=True)
class Round:
    """One finished round of the loop: the knobs it used (by path), the move that led to them, the judgement.

    ``size`` orders designs where the budget limits none: the smaller one is wanted (LUT, or EBOPs). ``number`` is what it
    is called where it is not the place in its history.
    """

    knobs: Mapping[str, float]
    judgement: Judgement
    move: Move | None = None
    phase: Literal["tighten", "relax"] = "tighten"
    worst_ns: float | None = None
    accuracy: float | None = None
    size: float | None = None
    number: int | None = None


@dataclass(frozen=True)
class Action:
    """The next thing to do. ``start`` is the index of the round whose knobs and model the next one continues from (None: from
    the original model, as every turn of a knob does that starts ``afresh``). ``best`` is the index of the round to hand over
    when stopping."""

    kind: Literal["stop", "tighten", "relax"]
    reason: str
    move: Move | None = None
    start: int | None = None
    limit: Limit | None = None
    best: int | None = None


@dataclass(frozen=True)
class Reach:
    """What a loop is asked, and what can be reached at all.

    ``budget_ns`` is the latency budget; ``floor_ns`` a lower bound of what any tightening can reach; ``at_end`` the
    predicted judgement of the design with every knob at its end; all None where unknown. ``smallest`` : the budget
    limits no design, so that the smallest one is wanted whose quality holds.
    """

    budget_ns: float | None = None
    floor_ns: float | None = None
    at_end: Judgement | None = None
    smallest: bool = False


def tightenings(history: Sequence[Round], loop: LoopSpec) -> tuple[Move, ...]:
    """Moves that are open from the last round whose accuracy holds: one rung on each ladder not used up.

    A knob whose last turn cost too much accuracy stays where it last held; one that another of its kind overrules
    is not turned.
    """
    base = base_of(history)
    if base is None:
        return ()
    knobs, spent = Knobs.of(history[base].knobs), spent_knobs(history)
    rungs = {
        path: knobs.knob(path).tighter(loop, history[base].judgement) for path in knobs if path not in spent
    }
    return _moves(history, knobs, rungs)


def relaxations(history: Sequence[Round], loop: LoopSpec) -> tuple[Move, ...]:
    """Moves that give accuracy back from the last round (which is MET): half a rung of sparsity, one of bits."""
    knobs = Knobs.of(history[-1].knobs)
    return _moves(history, knobs, {path: knobs.knob(path).looser(loop) for path in knobs})


def _moves(history: Sequence[Round], knobs: Knobs, rungs: Mapping[str, float | None]) -> tuple[Move, ...]:
    """The turns that change something and were never tried, in the order of the kinds."""
    tried, names = [dict(done.knobs) for done in history], short_names(knobs)
    found = [
        Move(path, knobs[path], new, label=names[path])
        for kind in KINDS.values()
        for path, new in rungs.items()
        if new is not None and isinstance(knobs.knob(path), kind) and knobs.counts(path, new)
    ]
    return tuple(move for move in found if {**knobs, move.knob: move.new} not in tried)


def base_of(history: Sequence[Round]) -> int | None:
    """Index of the last tightening round whose accuracy was not below the floor."""
    held = [i for i, done in enumerate(history) if done.phase == "tighten" and not is_lost(done)]
    return held[-1] if held else None


def trades(history: Sequence[Round]) -> tuple[tuple[int, Move], ...]:
    """Turns that cost too much accuracy, each to be made from an earlier round that holds, where the other knobs took less:
    (the round's index, the turn). On the original's weights, so that what was taken later is there again.

    None once one of them was made since the last round that holds: a loop ends.
    """
    base = base_of(history)
    if base is None or any(done.move is not None and done.move.afresh for done in history[base + 1 :]):
        return ()
    tried = [dict(done.knobs) for done in history]
    held = [i for i, done in enumerate(history) if done.phase == "tighten" and not is_lost(done)]
    lost = {done.move.knob: done.move for done in history if done.move is not None and is_lost(done)}
    found = [
        (i, replace(move, old=history[i].knobs[knob], afresh=True))
        for knob, move in lost.items()
        for i in held
        if knob in spent_knobs(history) and move.new != history[i].knobs[knob]
    ]
    return tuple((i, move) for i, move in found if {**history[i].knobs, move.knob: move.new} not in tried)


def is_lost(done: Round) -> bool:
    return done.judgement.accuracy_verdict is Verdict.MISSED


def spent_knobs(history: Sequence[Round]) -> set[str]:
    return {
        done.move.knob
        for done in history
        if done.move is not None and done.phase == "tighten" and is_lost(done)
    }
