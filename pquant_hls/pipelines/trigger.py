"""The trigger pipeline: meet a latency in ns by pruning and 6 bits, tighten or relax by measurement, explain
a miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pquant_hls.decide import Judgement, Limit, Verdict
from pquant_hls.engine import Ending, Goal, LoopResult, Point, Workbench, closed_loop, dropped, quantized
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.measure import has_synthesis
from pquant_hls.pipelines.base import Pipeline
from pquant_hls.pipelines.setup import Setup, several
from pquant_hls.pipelines.walk import figures
from pquant_hls.spec import BitsLadder, HlsSpec, LoopSpec, Recipe, SparsityLadder, Spec, StepConfig
from pquant_hls.spec.steps import Bits, PruneConfig, QuantizeConfig, Sparsity
from pquant_hls.spec.units import ClockNs

GENTLER = ((1.0, 0), (0.67, 2), (0.33, 2))
"""Proposals one after the other: share of the first sparsity, bits more than the first."""

MOST_SPARSITY, CLOSE = 0.97, 0.06
LEAST_BITS, MOST_BITS = 2, 8

NARROWER = (
    "the estimate leaves the verdict open; with wider accumulators its interval is narrower: the loop again"
)


Reuse = Annotated[int, Field(ge=2)]


class TriggerPlan(Spec):
    """Settings of ``compress_trigger_model``.

    ``sparsity`` : share of the weights first taken away, by removing whole units. ``bits`` : first width.
    ``max_accuracy_loss`` : floor against the original (a share); None puts the latency first and gives back
    what accuracy it can. ``allow`` : what of the target may change when nothing else meets the budget;
    ``clocks_ns`` and ``reuse_factors`` are tried for ``clock`` and ``reuse``.
    """

    sparsity: Sparsity = 0.9
    bits: Bits = 6
    max_accuracy_loss: float | None = Field(None, ge=0, le=1)
    max_rounds: int = Field(12, ge=1, le=100)
    allow: Annotated[tuple[Literal["reuse", "strategy", "clock"], ...], BeforeValidator(several)] = ()
    clocks_ns: Annotated[tuple[ClockNs, ...], BeforeValidator(several)] = (3.125, 2.78)
    reuse_factors: Annotated[tuple[Reuse, ...], BeforeValidator(several)] = (2, 4)


class TriggerPipeline(Pipeline):
    """``HEPCompressionPipeline.compress_trigger_model`` as a policy: the closed loop, from gentler proposals
    if need be."""

    name: ClassVar[str] = "trigger"
    unpacks: ClassVar[tuple[str, ...]] = ("model", "qor", "history")

    def __init__(self, plan: TriggerPlan, **options: Any) -> None:
        super().__init__(**options)
        self.plan = plan

    def settings(self) -> dict[str, Any]:
        return {"plan": self.plan.model_dump(mode="json")}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        goal = Goal(gates=setup.gates, budget=setup.budget)
        history: list[dict[str, Any]] = []
        worked, result = self._tightened(bench, start, setup, history)
        best, reason = result.best, result.action.reason
        if result.verdict is Verdict.MET:
            best = self._relaxed(worked, start, result, setup, history)
            if worked.hls != bench.hls:
                reason = f"{reason}, with wider accumulators (hls.wide_accumulators)"
            if best is not result.best:
                reason = f"{reason}; accuracy given back where the budget left slack"
            return Ending(best, goal, reason, tuple(history))
        best = self._other_targets(bench, best, goal, history)
        met_by = (
            f"met by another target: {_target_text(best)}" if best is not result.best else layer_costs(best)
        )
        return Ending(best, goal, f"{reason}; {met_by}", tuple(history))

    def _tightened(
        self, bench: Workbench, start: Point, setup: Setup, history: list[dict[str, Any]]
    ) -> tuple[Any, LoopResult]:
        """The loop, and where its estimate leaves the verdict open, the loop with wider accumulators; the
        bench of the one that counts, and its end."""
        worked = in_loop(bench)
        result = self._loops(worked, start, setup, history)
        if result.verdict is not Verdict.UNKNOWN or (narrow := narrower(worked, result.best)) is None:
            return worked, result
        history.append({"kind": "note", "step": "wider accumulators", "reason": NARROWER})
        bench.record(history[-1], NARROWER)
        again = self._loops(narrow, start, setup, history)
        return (narrow, again) if again.verdict is Verdict.MET else (worked, result)

    def _relaxed(
        self, bench: Any, start: Point, result: LoopResult, setup: Setup, history: list[dict[str, Any]]
    ) -> Point:
        """The most accurate point still MET: less sparsity by bisection from the original's weights, then
        more bits."""
        back = Relaxation(bench, history, result.best)
        knobs = result.rounds[result.points.index(result.best)].knobs
        sparsity, bits = knobs["sparsity"], int(knobs["bits"])
        mild = 0.0  # not known to be met; ``sparsity`` is
        while sparsity - mild > CLOSE and back.lacks_accuracy():
            middle = (mild + sparsity) / 2
            if back.holds(
                start, self._steps(middle, bits, start, setup), f"sparsity {sparsity:.2f} -> {middle:.2f}"
            ):
                sparsity = middle
            else:
                mild = middle
        while bits < MOST_BITS and back.lacks_accuracy():
            bits += 1
            if not back.holds(start, self._steps(sparsity, bits, start, setup), f"bits {bits - 1} -> {bits}"):
                break
        return back.best

    def _steps(
        self, sparsity: float, bits: int, start: Point, setup: Setup
    ) -> tuple[PruneConfig, QuantizeConfig]:
        weights = None if start.account is None else start.account.kernel_weights
        prune = PruneConfig(
            sparsity=round(sparsity, 4),
            sparsity_of="weights",
            reference_weights=weights,
            ranking="layer",
            **setup.fit(epochs=max(1, setup.epochs // 2)),
        )
        return prune, QuantizeConfig(bits=bits, **setup.fit())

    def _loops(self, bench: Any, start: Point, setup: Setup, history: list[dict[str, Any]]) -> LoopResult:
        """The closed loop from each proposal in turn, until one is not lost on its very first round."""
        tried: list[LoopResult] = []
        for share, more_bits in GENTLER:
            recipe = self._recipe(
                self.plan.sparsity * share, min(16, self.plan.bits + more_bits), start, setup
            )
            result = closed_loop(bench, start.model, recipe)
            history.extend(_rounds(bench, result))
            tried.append(result)
            if result.action.limit is not Limit.ACCURACY or len(result.rounds) > 1:
                return result
        return tried[-1]

    def _recipe(self, sparsity: float, bits: int, start: Point, setup: Setup) -> Recipe:
        if setup.budget is None:
            raise SpecError("a trigger model needs a latency to meet", where="target_latency_ns")
        loop = LoopSpec(
            max_rounds=self.plan.max_rounds,
            bits=BitsLadder(min=min(LEAST_BITS, bits)),
            sparsity=SparsityLadder(step=0.3, max=max(MOST_SPARSITY, sparsity)),
        )
        steps = self._steps(sparsity, bits, start, setup)
        return Recipe.parse(
            {
                "name": self.name,
                "seed": setup.seed,
                "steps": steps,
                "hls": setup.hls,
                "budget": setup.budget,
                "loop": loop,
            }
        )

    def _other_targets(
        self, bench: Workbench, best: Point, goal: Goal, history: list[dict[str, Any]]
    ) -> Point:
        """The best point on the targets that may be used instead; the first that meets the budget."""
        for hls in _variants(bench.hls, self.plan):
            try:
                point = bench.measure(best, exact=quantized(best), hls=hls)
            except (SpecError, UnsupportedModel) as cause:
                history.append(
                    {
                        "kind": "target",
                        "target": hls.model_dump(mode="json"),
                        "reason": f"not possible: {cause}",
                    }
                )
                continue
            found = goal.judge(bench, point)
            entry = {
                "kind": "target",
                "target": hls.model_dump(mode="json"),
                **figures(bench, point),
                "verdict": str(found.verdict),
                "reason": "; ".join(str(check) for check in found.checks),
            }
            history.append(entry)
            bench.record(entry, f"{_target_text(point)}: {found.verdict}")
            if found.verdict is Verdict.MET:
                return point
        return best


class Relaxation:
    """Giving accuracy back: ``best`` is always MET, and only a more accurate point that is MET takes its
    place."""

    def __init__(self, bench: Any, history: list[dict[str, Any]], best: Point) -> None:
        self.bench, self.history, self.best = bench, history, best

    def lacks_accuracy(self) -> bool:
        """Whether the best point is less accurate than the original by more than the error of that."""
        return self.bench.baseline is not None and dropped(self.bench.baseline, self.bench.score(self.best))

    def holds(self, start: Point, steps: Sequence[StepConfig], move: str) -> bool:
        """Make the point, measure it, remember it if it is better; True while it is MET."""
        point = start
        for step in steps:
            point = self.bench.apply(point, step)
        point = self.bench.measure(point)
        verdict = self.bench.judge(point).verdict
        now, best = self.bench.score(point).value() or 0.0, self.bench.score(self.best).value() or 0.0
        better = verdict is Verdict.MET and now > best
        entry = {
            "kind": "relax",
            "step": "relax",
            "move": move,
            "parent": start.digest,
            **figures(self.bench, point),
            "verdict": str(verdict),
            "kept": better,
            "reason": "more accurate and still met" if better else "not better",
        }
        self.history.append(entry)
        self.bench.record(entry, f"relax, {move}: accuracy {100 * now:.2f} %, {verdict}")
        if better:
            self.best = point
        return verdict is Verdict.MET


class InLoop:
    """The bench with csim left to the end: rounds are sketched, and exactness enters no verdict before
    hand-over. ``hls`` is the target of every round."""

    def __init__(self, bench: Workbench, hls: HlsSpec) -> None:
        self._bench, self.hls = bench, hls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench, name)

    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        return self._bench.sketch(point, exact=exact, hls=hls or self.hls)

    def judge(self, point: Point, *, exact: bool = False) -> Judgement:  # noqa: ARG002 - csim comes at hand-over
        return self._bench.judge(point, exact=False)


def in_loop(bench: Workbench) -> Any:
    """What the closed loop works on: sketches where the latency is an estimate anyway, the bench itself
    elsewhere."""
    estimates = bench.budget.deliver == "hls" and bench.budget.measure in {"auto", "estimate"}
    return InLoop(bench, bench.hls) if estimates and not has_synthesis(bench.hls) else bench


def narrower(bench: Any, point: Point) -> InLoop | None:
    """The same bench with wider accumulators, where those make this point's interval narrower; None
    elsewhere, and where the latency is not an estimate."""
    if not isinstance(bench, InLoop) or bench.hls.wide_accumulators:
        return None
    other = InLoop(bench, bench.hls.with_(wide_accumulators=True))
    return other if _spread_ns(other.measure(point)) < _spread_ns(bench.measure(point)) else None


def _spread_ns(point: Point) -> float:
    latency = None if point.qor is None else point.qor.latency
    if latency is None or latency.worst_ns_hi is None or latency.worst_ns_lo is None:
        return float("inf")
    return latency.worst_ns_hi - latency.worst_ns_lo


def _variants(hls: HlsSpec, plan: TriggerPlan) -> Iterator[HlsSpec]:
    if "strategy" in plan.allow:
        yield from (hls.with_(strategy=s) for s in ("distributed_arithmetic", "latency") if s != hls.strategy)
    if "clock" in plan.allow:
        yield from (hls.with_(clock_ns=ns) for ns in plan.clocks_ns if ns != hls.clock_ns)
    if "reuse" in plan.allow:
        yield from (
            hls.with_(reuse_factor=n, strategy="resource")
            for n in plan.reuse_factors
            if n != hls.reuse_factor
        )


def _target_text(point: Point) -> str:
    spec = None if point.project is None else point.project.spec
    return (
        ""
        if spec is None
        else f"{spec.clock_ns:g} ns clock, {spec.strategy} strategy, reuse {spec.reuse_factor}"
    )


def layer_costs(point: Point) -> str:
    """What each layer costs in cycles, with the interval of an estimate."""
    if point.qor is None:
        return "cycles by layer are not known"
    known = [layer for layer in point.qor.layers if layer.cycles is not None]
    costs = [f"{layer.name} {layer.cycles}{_spread(layer.cycles_lo, layer.cycles_hi)}" for layer in known]
    return f"cycles by layer: {', '.join(costs)}" if costs else "cycles by layer are not known"


def _spread(low: int | None, high: int | None) -> str:
    return "" if low is None or high is None or low == high else f" [{low}..{high}]"


def _rounds(bench: Workbench, result: LoopResult) -> Iterator[dict[str, Any]]:
    """The loop's rounds as history: knobs, figures, verdict, the move that led there, cycles by layer."""
    for number, (done, point) in enumerate(zip(result.rounds, result.points, strict=True), start=1):
        yield {
            "kind": "round",
            "number": number,
            "step": done.phase,
            "knobs": dict(done.knobs),
            "parent": point.parent,
            **figures(bench, point),
            "verdict": str(done.judgement.verdict),
            "checks": [str(check) for check in done.judgement.checks],
            "move": None if done.move is None else str(done.move),
            "reason": layer_costs(point),
        }
    yield {"kind": "stop", "step": "stop", "verdict": str(result.verdict), "reason": result.action.reason}
