"""The closed loop: propose, compress, write firmware, measure, decide, tighten or relax, until it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pquant_hls.decide import Action, Judgement, Move, Round, Verdict, next_action, relaxations, tightenings
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.events import Event
from pquant_hls.engine.forecast import floor_ns, forecast_ns
from pquant_hls.errors import SpecError
from pquant_hls.measure import target_of
from pquant_hls.spec import Recipe, StepConfig
from pquant_hls.spec.steps import PruneConfig, QuantizeConfig


@dataclass(frozen=True)
class LoopResult:
    """Where the loop ended: every round with its point, the last action (a stop), the point to hand over."""

    verdict: Verdict
    action: Action
    rounds: tuple[Round, ...]
    points: tuple[Point, ...]
    baseline: Point

    @property
    def best(self) -> Point:
        """The point that is handed over: MET if any round is, else the best feasible one."""
        return self.points[-1 if self.action.best is None else self.action.best]

    @property
    def judgement(self) -> Judgement:
        return self.rounds[-1 if self.action.best is None else self.action.best].judgement


def initial_knobs(steps: Sequence[StepConfig]) -> dict[str, float]:
    """What the loop may turn in these steps: ``sparsity`` of the prune step, ``bits`` of the quantize step."""
    knobs: dict[str, float] = {}
    for step in steps:
        if isinstance(step, PruneConfig) and step.method != "n_m" and not step.layers and not step.keep:
            knobs.setdefault("sparsity", step.sparsity)
        if isinstance(step, QuantizeConfig):
            knobs.setdefault("bits", step.bits)
    return knobs


def with_knobs(
    steps: Sequence[StepConfig], knobs: Mapping[str, float], reference: Mapping[str, int]
) -> tuple[StepConfig, ...]:
    """The steps with the knobs' values; sparsity counts from the original's units, whatever is left of them."""
    turned: list[StepConfig] = []
    for step in steps:
        if isinstance(step, PruneConfig) and "sparsity" in knobs and not step.layers and not step.keep:
            turned.append(step.with_(sparsity=knobs["sparsity"], reference=dict(reference)))
        elif isinstance(step, QuantizeConfig) and "bits" in knobs:
            turned.append(step.with_(bits=int(knobs["bits"])))
        else:
            turned.append(step)
    return tuple(turned)


def closed_loop(bench: Bench, model: Any, recipe: Recipe) -> LoopResult:
    """Run the recipe's rounds on ``bench`` until the budget is met or a limit stops it.

    The float model as hls4ml converts it by itself, at ``hls.precision`` and with its softmax, is measured first:
    the row to compare with.
    Rounds after the first start from the weights of the round the decision names.
    """
    original = bench.start(model)
    baseline = bench.measure(
        original, exact=False, hls=bench.hls.with_(keep_softmax=bench.budget.deliver == "hls")
    )
    plain = Round(
        {},
        bench.judge(baseline, exact=False),
        accuracy=baseline.qor.accuracy if baseline.qor is not None else None,
    )
    _tell(bench, 0, "float", baseline, plain, {})
    reference = {} if original.account is None else original.account.units
    history: list[Round] = []
    points: list[Point] = []
    action = Action("tighten", "the recipe's first proposal")
    knobs = initial_knobs(recipe.steps)
    while action.kind != "stop":
        start = original if action.start is None else points[action.start]
        if action.move is not None:
            base = history[-1 if action.start is None else action.start].knobs
            knobs = {**base, action.move.knob: action.move.new}
        point = _round(bench, start, with_knobs(recipe.steps, knobs, reference))
        history.append(_judged(bench, point, knobs, action))
        points.append(point)
        action = _decide(bench, recipe, history, points)
        _tell(bench, len(history), "round", point, history[-1], {"action": action, "seen": history})
    return LoopResult(_final_verdict(history, action), action, tuple(history), tuple(points), baseline)


def _round(bench: Bench, start: Point, steps: Sequence[StepConfig]) -> Point:
    point = start
    for step in steps:
        point = bench.apply(point, step)
    return bench.measure(point)


def _judged(bench: Bench, point: Point, knobs: Mapping[str, float], action: Action) -> Round:
    if point.qor is None:
        raise SpecError("a round ended without a measurement")
    latency = point.qor.latency
    return Round(
        knobs=dict(knobs),
        judgement=bench.judge(point),
        move=action.move,
        accuracy=point.qor.accuracy,
        phase="relax" if action.kind == "relax" else "tighten",
        worst_ns=None if latency is None else latency.worst_ns_hi,
    )


def _decide(bench: Bench, recipe: Recipe, history: Sequence[Round], points: Sequence[Point]) -> Action:
    met = history[-1].judgement.verdict is Verdict.MET
    base = points[-1] if met else _base_point(history, points)
    moves = relaxations(history, recipe.loop) if met else tightenings(history, recipe.loop)
    return next_action(
        history,
        recipe.loop,
        [_with_forecast(bench, base, move) for move in moves],
        budget_ns=recipe.budget.latency_ns,
        floor_ns=_floor(bench, base, history[points.index(base)].knobs, recipe),
        layers=() if points[-1].qor is None else points[-1].qor.layers,
    )


def _base_point(history: Sequence[Round], points: Sequence[Point]) -> Point:
    """The point the open tightenings start from: the last whose accuracy holds, else the last."""
    held = [i for i, done in enumerate(history) if done.judgement.accuracy_verdict is not Verdict.MISSED]
    return points[held[-1] if held else -1]


def _with_forecast(bench: Bench, base: Point, move: Move) -> Move:
    """The move with what it would give: what was measured, less what the estimator says it saves."""
    if base.project is None or base.project.graph is None or base.qor is None or base.qor.latency is None:
        return move
    graph, target, measured = base.project.graph, target_of(bench.hls), base.qor.latency.worst_ns_hi
    now = {move.knob: move.old}
    before, after = (
        forecast_ns(graph, target, now, now),
        forecast_ns(graph, target, now, {move.knob: move.new}),
    )
    if before is None or after is None or measured is None:
        return move
    return replace(move, predicted_ns=measured + after - before)


def _floor(bench: Bench, base: Point, knobs: Mapping[str, float], recipe: Recipe) -> float | None:
    if base.project is None or base.project.graph is None or recipe.budget.deliver != "hls":
        return None
    limits = dict(knobs)
    if recipe.loop.sparsity is not None and "sparsity" in knobs:
        limits["sparsity"] = max(recipe.loop.sparsity.max, knobs["sparsity"])
    if recipe.loop.bits is not None and "bits" in knobs:
        limits["bits"] = min(recipe.loop.bits.min, knobs["bits"])
    return floor_ns(base.project.graph, target_of(bench.hls), knobs, limits)


def _final_verdict(history: Sequence[Round], action: Action) -> Verdict:
    """MET if any round met the budget; UNKNOWN if the point handed over is not known to miss it; else MISSED."""
    verdicts = [done.judgement.verdict for done in history]
    if Verdict.MET in verdicts:
        return Verdict.MET
    return verdicts[-1 if action.best is None else action.best]


def _tell(
    bench: Bench, number: int, kind: str, point: Point, done: Round | None, more: Mapping[str, Any]
) -> None:
    record = round_record(number, kind, point, done, more.get("action"))
    bench.run.append(record)
    bench.listen(Event("round", f"round {number}", record))


def round_record(
    number: int, kind: str, point: Point, done: Round | None, action: Action | None
) -> dict[str, Any]:
    """One round as the ledger keeps it."""
    qor = point.qor
    return {
        "kind": kind,
        "round": number,
        "digest": point.digest,
        "parent": point.parent,
        "knobs": {} if done is None else dict(done.knobs),
        "account": None if point.account is None else point.account.model_dump(mode="json"),
        "compression_ratio": point.ratio,
        "qor": None if qor is None else qor.model_dump(mode="json", exclude={"layers"}),
        "verdict": None if done is None else str(done.judgement.verdict),
        "checks": [] if done is None else [str(check) for check in done.judgement.checks],
        "action": None if action is None else action.kind,
        "reason": None if action is None else action.reason,
    }
