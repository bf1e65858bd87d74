"""What to do after a round: stop, tighten or relax, and why. Pure functions of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pquant_hls.decide.judge import Judgement, Verdict
from pquant_hls.decide.knobs import KINDS, Knobs
from pquant_hls.qor import LayerQoR
from pquant_hls.spec import LoopSpec
from pquant_hls.spec.model import short_names


class Limit(StrEnum):
    """Why a loop stopped without meeting its budget."""

    ACCURACY = "accuracy floor"
    BITS = "bits floor"
    ARCHITECTURE = "latency floor of the architecture"
    ROUNDS = "round limit"
    MISMATCH = "csim differs from Keras"
    UNDECIDED = "cannot be told"


@dataclass(frozen=True)
class Move:
    """One knob, by its path, to a new value, with what it is predicted to give (worst-case latency in ns, or
    None). ``label`` is its name for people."""

    knob: str
    old: float
    new: float
    predicted_ns: float | None = None
    label: str = ""

    def __str__(self) -> str:
        digits = 0 if float(self.old).is_integer() and float(self.new).is_integer() else 2
        return f"{self.label or self.knob} {self.old:.{digits}f} -> {self.new:.{digits}f}"


@dataclass(frozen=True)
class Round:
    """One finished round of the loop: the knobs it used (by path), the move that led to them, the judgement."""

    knobs: Mapping[str, float]
    judgement: Judgement
    move: Move | None = None
    phase: Literal["tighten", "relax"] = "tighten"
    worst_ns: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class Action:
    """The next thing to do. ``start`` is the index of the round whose model the next one continues from
    (None: from the original model). ``best`` is the index of the round to hand over when stopping."""

    kind: Literal["stop", "tighten", "relax"]
    reason: str
    move: Move | None = None
    start: int | None = None
    limit: Limit | None = None
    best: int | None = None


def tightenings(history: Sequence[Round], loop: LoopSpec) -> tuple[Move, ...]:
    """Moves that are open from the last round whose accuracy holds: one rung on each ladder not used up.

    A knob whose last turn cost too much accuracy stays where it last held; one that another of its kind overrules
    is not turned.
    """
    base = _base(history)
    if base is None:
        return ()
    knobs, spent = Knobs.of(history[base].knobs), _spent(history)
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


def next_action(
    history: Sequence[Round],
    loop: LoopSpec,
    moves: Sequence[Move],
    *,
    budget_ns: float | None = None,
    floor_ns: float | None = None,
    layers: Sequence[LayerQoR] = (),
) -> Action:
    """Decide after the last round of ``history``.

    Parameters
    ----------
    moves : the open moves (``tightenings`` or, after MET, ``relaxations``), with predictions where there are any.
    budget_ns : the latency budget, which a relaxation must be predicted to stay within.
    floor_ns : lower bound of the latency that any tightening can reach, None if unknown.
    layers : the last round's layers, to name in the reason those that cost the cycles.
    """
    last = history[-1]
    if last.judgement.verdict is Verdict.MET:
        return _after_met(history, loop, moves, budget_ns)
    if last.phase == "relax":
        return _stop_met(
            history, "the last relaxation did not stay within the budget; the round before it is kept"
        )
    differing = [check for check in last.judgement.failing() if check.exactness]
    if differing and differing[0].verdict is Verdict.MISSED:
        reason = f"{differing[0]}; run `pquant-hls csim diff` for the first divergent layer"
        return _stop(history, Limit.MISMATCH, reason)
    if floor_ns is not None and budget_ns is not None and floor_ns > budget_ns:
        reason = f"no tightening of this architecture gets below {floor_ns:.1f} ns, the budget is {budget_ns:.1f} ns"
        return _stop(history, Limit.ARCHITECTURE, f"{reason}; {costliest(layers)}")
    open_ones = last.judgement.failing()
    if open_ones and all(check.open_for_good for check in open_ones):
        reason = f"{Limit.UNDECIDED}: {'; '.join(map(str, open_ones))}"
        return Action("stop", reason, limit=Limit.UNDECIDED, best=len(history) - 1)
    return _tighten(history, loop, moves, layers)


def _after_met(
    history: Sequence[Round], loop: LoopSpec, moves: Sequence[Move], budget_ns: float | None
) -> Action:
    fitting = [
        m
        for m in moves
        if m.predicted_ns is not None and budget_ns is not None and m.predicted_ns <= budget_ns
    ]
    if not loop.relax or not fitting or len(history) >= loop.max_rounds:
        return _stop_met(history, "every limit of the budget holds")
    restarts = {move.knob: Knobs.of(history[-1].knobs).knob(move.knob).restarts for move in fitting}
    move = min(fitting, key=lambda m: (restarts[m.knob], m.predicted_ns))
    reason = f"budget met with slack: {move} is predicted to stay at {move.predicted_ns:.1f} ns"
    return Action("relax", reason, move, start=None if restarts[move.knob] else len(history) - 1)


def _tighten(
    history: Sequence[Round], loop: LoopSpec, moves: Sequence[Move], layers: Sequence[LayerQoR]
) -> Action:
    base = _base(history)
    if base is None:
        return _stop(
            history, Limit.ACCURACY, f"already the first proposal falls below it: {_accuracy(history[-1])}"
        )
    if not moves:
        return _exhausted(history, history[base].knobs)
    if len(history) >= loop.max_rounds:
        return _stop(
            history, Limit.ROUNDS, f"{loop.max_rounds} rounds are used up; raise loop.max_rounds to go on"
        )
    turns = [done.move.knob for done in history if done.move is not None]
    free = {move.knob for move in moves if Knobs.of(history[base].knobs).knob(move.knob).free}
    move = min(moves, key=lambda m: (m.knob not in free, _or_inf(m.predicted_ns), turns.count(m.knob)))
    went_back = "" if base == len(history) - 1 else f"{_accuracy(history[-1])}, so back to round {base + 1}; "
    cause = "; ".join(str(check) for check in history[base].judgement.failing() if not check.quality)
    predicted = "" if move.predicted_ns is None else f" (predicted {move.predicted_ns:.0f} ns)"
    return Action("tighten", f"{went_back}{cause}; {costliest(layers)}: {move}{predicted}", move, start=base)


def _exhausted(history: Sequence[Round], knobs: Mapping[str, float]) -> Action:
    """No move is left: which knob is at its end, and which one costs more than is allowed."""
    costly = {
        done.move.knob: done
        for done in history
        if done.move is not None and done.move.knob in _spent(history) and _lost(done)
    }
    parts = [f"{done.move} fell below it ({_accuracy(done)})" for done in costly.values()]
    parts += [
        f"{short_names(knobs)[path]} is at its end, {value:g}"
        for path, value in knobs.items()
        if path not in costly
    ]
    reason = "; ".join(parts) or "the recipe has no step the loop may turn"
    return _stop(history, Limit.ACCURACY if costly else Limit.BITS, reason)


def _base(history: Sequence[Round]) -> int | None:
    """Index of the last tightening round whose accuracy was not below the floor."""
    held = [i for i, done in enumerate(history) if done.phase == "tighten" and not _lost(done)]
    return held[-1] if held else None


def _lost(done: Round) -> bool:
    return done.judgement.accuracy_verdict is Verdict.MISSED


def _spent(history: Sequence[Round]) -> set[str]:
    return {
        done.move.knob
        for done in history
        if done.move is not None and done.phase == "tighten" and _lost(done)
    }


def _accuracy(done: Round) -> str:
    """The floors that failed, in words."""
    return "; ".join(str(check) for check in done.judgement.failing() if check.quality)


def _stop(history: Sequence[Round], limit: Limit, reason: str) -> Action:
    return Action("stop", f"{limit}: {reason}", limit=limit, best=best_round(history))


def _stop_met(history: Sequence[Round], reason: str) -> Action:
    return Action("stop", reason, best=best_round(history))


def best_round(history: Sequence[Round]) -> int | None:
    """The round to hand over: the most accurate that is MET; else, of those whose accuracy holds, the fastest."""
    met = [i for i, done in enumerate(history) if done.judgement.verdict is Verdict.MET]
    if met:
        return max(met, key=lambda i: (history[i].accuracy or 0.0, -_or_inf(history[i].worst_ns)))
    held = [i for i, done in enumerate(history) if not _lost(done)] or list(range(len(history)))
    return (
        min(held, key=lambda i: (_or_inf(history[i].worst_ns), -(history[i].accuracy or 0.0)))
        if held
        else None
    )


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value


def costliest(layers: Sequence[LayerQoR], most: int = 2) -> str:
    """The layers that cost the most cycles, in words."""
    known = sorted(
        (layer for layer in layers if layer.cycles is not None), key=lambda layer: -(layer.cycles or 0)
    )
    total = sum(layer.cycles or 0 for layer in known)
    named = [f"{layer.name} {layer.cycles} of {total}" for layer in known[:most] if layer.cycles]
    return f"most cycles in {', '.join(named)}" if named else "cycles per layer are not known"
