"""What to do after a round: stop, tighten or relax, and why. Pure functions of the history."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from pquant_hls.decide.check import Check, Judgement, Verdict
from pquant_hls.decide.knobs import Knobs
from pquant_hls.decide.moves import (
    Action,
    Limit,
    Move,
    Reach,
    Round,
    base_of,
    is_lost,
    spent_knobs,
)
from pquant_hls.qor import LayerQoR
from pquant_hls.qor.words import count, counted, exact, fixed, number
from pquant_hls.spec import LoopSpec
from pquant_hls.spec.model import short_names


def next_action(
    history: Sequence[Round],
    loop: LoopSpec,
    moves: Sequence[Move],
    *,
    swaps: Sequence[tuple[int, Move]] = (),
    reach: Reach | None = None,
    layers: Sequence[LayerQoR] = (),
) -> Action:
    """Decide after the last round of ``history``.

    Parameters
    ----------
    moves : the open moves (``tightenings`` or, after MET, ``relaxations``), with predictions where there are any.
    swaps : ``trades``, with predictions, where no move is open.
    reach : what is asked and what is known of what can be reached.
    layers : the last round's layers, to name in the reason those that cost the cycles.
    """
    last, goal = history[-1], reach or Reach()
    if last.judgement.verdict is Verdict.MET and not goal.smallest:
        return _after_met(history, loop, moves, goal.budget_ns)
    if not goal.smallest and lacks_events(last.judgement):
        return _give_back(history, loop, moves)
    if last.phase == "relax":
        return _after_relaxing(history)
    differing = [check for check in last.judgement.failing() if check.exactness]
    if differing and differing[0].verdict is Verdict.MISSED:
        reason = f"{differing[0]}; run `pquant-hls csim diff` for the first divergent layer"
        return _stop(history, Limit.MISMATCH, reason)
    if goal.smallest:
        return _smaller(history, loop, moves)
    return _out_of_reach(history, goal, layers) or _tighten(history, loop, moves, swaps, layers)


def _out_of_reach(history: Sequence[Round], goal: Reach, layers: Sequence[LayerQoR]) -> Action | None:
    """Stop where no tightening can meet the budget: its floor is above it, or no design has an interval within it."""
    if goal.floor_ns is not None and goal.budget_ns is not None and goal.floor_ns > goal.budget_ns:
        floor, budget = fixed(goal.floor_ns, 1), fixed(goal.budget_ns, 1)
        reason = f"no tightening of this architecture gets below {floor} ns, the budget is {budget} ns"
        return _stop(history, Limit.ARCHITECTURE, f"{reason}; {costliest(layers)}")
    ends = () if goal.at_end is None else goal.at_end.design
    beyond = [check for check in ends if check.verdict is Verdict.MISSED and not check.at_least]
    if beyond:
        reason = f"with every knob at its end {'; '.join(check.text for check in beyond)}"
        return _stop(history, Limit.ARCHITECTURE, f"{reason}; {costliest(layers)}")
    open_ones = history[-1].judgement.failing()
    # A floor says how much accuracy a narrower interval may cost; without one it is not paid for.
    bounded = any(check.quality for check in history[-1].judgement.checks)
    closing = [check for check in open_ones if bounded and _closes(check, ends)]
    if open_ones and all(check.open_for_good for check in open_ones) and not closing:
        return _stop(history, Limit.UNDECIDED, "; ".join(map(str, open_ones)))
    base = base_of(history)
    wide = () if base is None else _too_wide(history[base].judgement, goal.at_end)
    if not wide:
        return None
    return _stop(history, Limit.ESTIMATE, "; ".join(_expectation(check) for check in wide))


def _closes(check: Check, ends: Sequence[Check]) -> bool:
    """Whether an interval that is too wide for its value is not, by the estimate, with every knob at its end."""
    found = [end.verdict for end in ends if end.name == check.name]
    return check.says_little and found == [Verdict.MET]


def _too_wide(found: Judgement, at_end: Judgement | None) -> tuple[Check, ...]:
    """The open limits, where all are open by the width of their intervals alone, which no tightening would close."""
    failing = [
        check for check in found.design if check.verdict is not Verdict.MET and not check.open_for_good
    ]
    if any(check.centre is not Verdict.MET or check.verdict is Verdict.MISSED for check in failing):
        return ()
    ends = {} if at_end is None else {check.name: check for check in at_end.design}
    stays = [check for check in failing if check.name in ends and ends[check.name].verdict is not Verdict.MET]
    return tuple(failing) if stays else ()


def _expectation(check: Check) -> str:
    unit = f" {check.unit}" if check.unit else ""
    return (
        f"{check.name}: expected {number(check.value)}{unit}, best {number(check.low)}, worst {number(check.high)} "
        f"(limit {exact(check.limit)})"
    )


def _smaller(history: Sequence[Round], loop: LoopSpec, moves: Sequence[Move]) -> Action:
    """No limit on the design: go on to smaller ones while the quality holds."""
    if not any(done.judgement.verdict is Verdict.MET for done in history):
        return _stop(
            history,
            _floor(history[-1]),
            _accuracy(history[-1]) or "; ".join(map(str, history[-1].judgement.failing())),
        )
    if not moves or len(history) >= loop.max_rounds:
        end = (
            "no smaller design holds the quality"
            if not moves
            else f"{counted(loop.max_rounds, 'round')} spent"
        )
        return _stop_met(
            history,
            f"{end}; round {_number(history, best_round(history, smallest=True) or 0)} is the smallest that does",
            smallest=True,
        )
    base = base_of(history)
    turns = [done.move.knob for done in history if done.move is not None]
    move = min(moves, key=lambda m: turns.count(m.knob))
    return Action("tighten", f"the quality holds: {move} for a smaller design", move, start=base)


def _after_met(
    history: Sequence[Round], loop: LoopSpec, moves: Sequence[Move], budget_ns: float | None
) -> Action:
    fitting = [move for move in moves if _fits(move, budget_ns)]
    if not loop.relax or not fitting or len(history) >= loop.max_rounds:
        return _stop_met(history, "every limit of the budget holds")
    return _relax(history, fitting, "budget met with slack")


def _relax(history: Sequence[Round], fitting: Sequence[Move], why: str) -> Action:
    """The turn back that costs the design least."""
    restarts = {move.knob: Knobs.of(history[-1].knobs).knob(move.knob).restarts for move in fitting}
    move = min(fitting, key=lambda m: (restarts[m.knob], _or_inf(m.predicted_ns)))
    stays = "within it" if move.predicted_ns is None else f"at {fixed(move.predicted_ns, 1)} ns"
    reason = f"{why}: {move} is predicted to stay {stays}"
    return Action("relax", reason, move, start=None if restarts[move.knob] else len(history) - 1)


def lacks_events(found: Judgement) -> bool:
    """Whether a design fits and all that is open is quality that holds, but within its statistical error."""
    failing = found.failing()
    return bool(failing) and all(check.quality and check.expected is Verdict.MET for check in failing)


def _give_back(history: Sequence[Round], loop: LoopSpec, moves: Sequence[Move]) -> Action:
    """The design fits, and its quality too but for the error: more of it, where the design has room, decides."""
    open_ones = "; ".join(map(str, history[-1].judgement.failing()))
    fitting = [move for move in moves if _fits(move, None)]
    if not fitting or len(history) >= loop.max_rounds:
        return _stop(history, Limit.UNDECIDED, open_ones)
    return _relax(history, fitting, f"{open_ones}; the design has room")


def _after_relaxing(history: Sequence[Round]) -> Action:
    """The last relaxation went too far."""
    if any(done.judgement.verdict is Verdict.MET for done in history):
        return _stop_met(
            history, "the last relaxation did not stay within the budget; the round before it is kept"
        )
    before = [done.judgement for done in history if lacks_events(done.judgement)]
    return _stop(history, Limit.UNDECIDED, "; ".join(map(str, before[-1].failing())) if before else "")


def _fits(move: Move, budget_ns: float | None) -> bool:
    """Whether a move is predicted to stay within every limit on the design."""
    if move.outlook is not None:
        return move.outlook.verdict is Verdict.MET
    return move.predicted_ns is not None and budget_ns is not None and move.predicted_ns <= budget_ns


def _excess(move: Move, failing: Sequence[Check]) -> float:
    """How far the worst of the limits that fail now is predicted to be exceeded, as a share of it."""
    ahead = {} if move.outlook is None else {check.name: check for check in move.outlook.design}
    return max((_share(ahead.get(check.name)) for check in failing), default=0.0)


def _breaks(move: Move, holding: Container[str]) -> bool:
    """Whether a move is predicted to miss a limit that holds now, as a higher reuse factor does that of the latency."""
    ahead = () if move.outlook is None else move.outlook.design
    return any(check.name in holding and check.verdict is Verdict.MISSED for check in ahead)


def _share(check: Check | None) -> float:
    if check is None or check.high is None:
        return float("inf")
    return check.high / check.limit if check.limit > 0 else 1.0 + check.high


def _tighten(
    history: Sequence[Round],
    loop: LoopSpec,
    moves: Sequence[Move],
    swaps: Sequence[tuple[int, Move]],
    layers: Sequence[LayerQoR],
) -> Action:
    base = base_of(history)
    if base is None:
        return _stop(
            history,
            _floor(history[-1]),
            f"already the first proposal falls below it: {_accuracy(history[-1])}",
        )
    fitting = [trade for trade in swaps if _fits(trade[1], None)]
    if not moves and not fitting:
        return _exhausted(history, history[base].knobs)
    if len(history) >= loop.max_rounds:
        return _stop(
            history,
            Limit.ROUNDS,
            f"{counted(loop.max_rounds, 'round')} spent; raise loop.max_rounds to go on",
        )
    if not moves:
        return _traded(history, *fitting[0])
    turns = [done.move.knob for done in history if done.move is not None]
    kinds = {move.knob: Knobs.of(history[base].knobs).knob(move.knob) for move in moves}
    spared = any(_fits(move, None) and not kinds[move.knob].last_resort for move in moves)
    failing = [check for check in history[base].judgement.design if check.verdict is not Verdict.MET]
    holding = {check.name for check in history[base].judgement.design if check.verdict is Verdict.MET}
    move = min(
        moves,
        key=lambda m: (
            _breaks(m, holding),
            not kinds[m.knob].free,
            spared and kinds[m.knob].last_resort,
            _excess(m, failing),
            _or_inf(m.predicted_ns),
            turns.count(m.knob),
        ),
    )
    went_back = (
        ""
        if base == len(history) - 1
        else f"{_accuracy(history[-1])}, so back to round {_number(history, base)}; "
    )
    cause = "; ".join(str(check) for check in history[base].judgement.failing() if not check.quality)
    predicted = "" if move.predicted_ns is None else f" (predicted {count(move.predicted_ns)} ns)"
    return Action("tighten", f"{went_back}{cause}; {costliest(layers)}: {move}{predicted}", move, start=base)


def _traded(history: Sequence[Round], start: int, move: Move) -> Action:
    """The turn from the earliest round from which it is predicted to meet every limit."""
    reason = f"{_accuracy(history[-1])}; with the other knobs as in round {_number(history, start)}: {move}"
    return Action("tighten", reason, move, start=start)


def _exhausted(history: Sequence[Round], knobs: Mapping[str, float]) -> Action:
    """No move is left: which knob is at its end, and which one costs more than is allowed."""
    costly = {
        done.move.knob: done
        for done in history
        if done.move is not None and done.move.knob in spent_knobs(history) and is_lost(done)
    }
    parts = [f"{done.move} fell below it ({_accuracy(done)})" for done in costly.values()]
    parts += [
        f"{short_names(knobs)[path]} is at its end, {value:g}"
        for path, value in knobs.items()
        if path not in costly
    ]
    reason = "; ".join(parts) or "the recipe has no step the loop may turn"
    return _stop(history, _floor(*costly.values()) if costly else Limit.BITS, reason)


def _number(history: Sequence[Round], index: int) -> int:
    """What a round is called: counted from 1."""
    own = history[index].number
    return index + 1 if own is None else own


def _floor(*rounds: Round) -> Limit:
    """Which floor these rounds fell below: accuracies, or any other figure of merit."""
    names = [check.name for done in rounds for check in done.judgement.failing() if check.quality]
    return Limit.ACCURACY if all("accuracy" in name for name in names) else Limit.QUALITY


def _accuracy(done: Round) -> str:
    """The floors that failed, in words."""
    return "; ".join(str(check) for check in done.judgement.failing() if check.quality)


def _stop(history: Sequence[Round], limit: Limit, reason: str) -> Action:
    return Action("stop", f"{limit}: {reason}", limit=limit, best=best_round(history))


def _stop_met(history: Sequence[Round], reason: str, *, smallest: bool = False) -> Action:
    return Action("stop", reason, best=best_round(history, smallest=smallest))


def best_round(history: Sequence[Round], *, smallest: bool = False) -> int | None:
    """The round to hand over: the most accurate that is MET, or the smallest where that is the goal.

    Else, of those whose accuracy holds: the most accurate whose expected figures fit, or the one that is nearest.
    """
    met = [i for i, done in enumerate(history) if done.judgement.verdict is Verdict.MET]
    if met and smallest:
        return min(met, key=lambda i: (_or_inf(history[i].size), -(history[i].accuracy or 0.0)))
    if met:
        return max(met, key=lambda i: (history[i].accuracy or 0.0, -_or_inf(history[i].worst_ns)))
    held = [i for i, done in enumerate(history) if not is_lost(done)] or list(range(len(history)))
    known = {check.name for i in held for check in history[i].judgement.design if check.low is not None}
    limits = {i: [c for c in history[i].judgement.design if c.name in known] for i in held}
    fitting = [i for i in held if limits[i] and all(c.centre is Verdict.MET for c in limits[i])]
    if fitting:
        return max(fitting, key=lambda i: (history[i].accuracy or 0.0, -_or_inf(history[i].worst_ns)))
    return min(
        held,
        key=lambda i: (_beyond(limits[i]), _or_inf(history[i].worst_ns), -(history[i].accuracy or 0.0)),
        default=None,
    )


def _beyond(limits: Sequence[Check]) -> float:
    """How far the worst of the limits that are not met is exceeded."""
    return max((_share(check) for check in limits if check.verdict is not Verdict.MET), default=0.0)


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
