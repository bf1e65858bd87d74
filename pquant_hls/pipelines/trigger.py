"""The trigger pipeline: meet a latency in ns by pruning and 6 bits, tighten or relax by measurement, explain
a miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pquant_hls.decide import Bits, Knobs, Limit, Sparsity, Verdict
from pquant_hls.engine import (
    CompressionResult,
    Ending,
    Goal,
    LoopResult,
    Point,
    TriggerResult,
    View,
    Workbench,
    closed_loop,
    family_loop,
    figures,
    quantized,
)
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.measure import has_synthesis
from pquant_hls.pipelines.base import Pipeline
from pquant_hls.pipelines.learned import lacks_accuracy, learning, standing
from pquant_hls.pipelines.setup import Setup, several
from pquant_hls.spec import BitsLadder, HlsSpec, LoopSpec, Recipe, SparsityLadder, Spec, StepConfig
from pquant_hls.spec.steps import Bits as Width
from pquant_hls.spec.steps import PruneConfig, QuantizeConfig
from pquant_hls.spec.steps import Sparsity as Removed
from pquant_hls.spec.units import ClockNs
from pquant_hls.store import Entry

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
    what accuracy it can. ``learned_epochs`` : of the training that learns widths; None: ``learned.LEARNED_EPOCHS`` for each of
    ``epochs``, 0: none. ``allow`` : what of the target may change when nothing else meets the budget;
    ``clocks_ns`` and ``reuse_factors`` are tried for ``clock`` and ``reuse``.
    """

    sparsity: Removed = 0.9
    bits: Width = 6
    max_accuracy_loss: float | None = Field(None, ge=0, le=1)
    max_rounds: int = Field(12, ge=1, le=100)
    learned_epochs: int | None = Field(None, ge=0, le=10_000, exclude_if=lambda given: given is None)
    allow: Annotated[tuple[Literal["reuse", "strategy", "clock"], ...], BeforeValidator(several)] = ()
    clocks_ns: Annotated[tuple[ClockNs, ...], BeforeValidator(several)] = (3.125, 2.78)
    reuse_factors: Annotated[tuple[Reuse, ...], BeforeValidator(several)] = (2, 4)


class TriggerPipeline(Pipeline):
    """``HEPCompressionPipeline.compress_trigger_model`` as a policy: designs of learned widths, and where none of them
    meets the budget at the original's accuracy, the closed loop over units and bits, from gentler proposals if need be.
    """

    name: ClassVar[str] = "trigger"
    result: ClassVar[type[CompressionResult]] = TriggerResult

    def __init__(self, plan: TriggerPlan, **options: Any) -> None:
        super().__init__(**options)
        self.plan = plan

    def settings(self) -> dict[str, Any]:
        return {"plan": self.plan.model_dump(mode="json")}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        goal = Goal(gates=setup.gates, budget=setup.budget)
        history: list[Entry] = []
        learned = self._learned(bench, start, setup)
        if learned is None:
            return self._by_units(bench, start, setup, goal, history)[0]
        history.extend(learned.entries[1:])
        found = Ending(learned.best, goal, learned.action.reason, tuple(history))
        met = learned.verdict is Verdict.MET
        # Where every look takes csim and more, what is met is not weighed against a loop of such looks.
        weighed = in_loop(bench).fidelity == "sketch" and lacks_accuracy(bench, learned.best)
        if met and not weighed:
            return found
        ending, other = self._by_units(bench, start, setup, goal, history)
        better = standing(bench, learned.best) > standing(bench, ending.best)
        faster = _worst_ns(learned.best) <= _worst_ns(ending.best)
        if (met and (better or not other)) or (better and faster and not other):
            why = found.reason if met else f"{found.reason}; {layer_costs(found.best)}"
            return replace(found, history=tuple(history), reason=why)
        return ending

    def _learned(self, bench: Workbench, start: Point, setup: Setup) -> LoopResult | None:
        """The designs that one training of widths passes through, looked at as the loop would; None without epochs."""
        step = learning(self.plan.learned_epochs, bench, setup)
        if step is None:
            return None
        recipe = self._asked(setup, [step], LoopSpec())
        view = in_loop(bench)
        return family_loop(bench, start, recipe, fidelity=view.fidelity, hls=view.hls)

    def _by_units(
        self, bench: Workbench, start: Point, setup: Setup, goal: Goal, history: list[Entry]
    ) -> tuple[Ending, bool]:
        """Where the loop ended, and whether its design is known to be MET."""
        view, result = self._tightened(bench, start, setup, history)
        best, reason = result.best, result.action.reason
        if result.verdict is Verdict.MET:
            best = self._relaxed(Relaxation(bench, view, history, best), start, result, setup)
            if view.hls != bench.hls:
                reason = f"{reason}, with wider accumulators (hls.wide_accumulators)"
            if best is not result.best:
                reason = f"{reason}; accuracy given back where the budget left slack"
            return Ending(best, goal, reason, tuple(history)), True
        best = self._other_targets(bench, best, goal, history)
        met = best is not result.best
        met_by = f"met by another target: {_target_text(best)}" if met else layer_costs(best)
        return Ending(best, goal, f"{reason}; {met_by}", tuple(history)), met

    def _tightened(
        self, bench: Workbench, start: Point, setup: Setup, history: list[Entry]
    ) -> tuple[View, LoopResult]:
        """The loop, and where its estimate leaves the verdict open, or a smaller design had to close an interval, the
        loop with wider accumulators; the view of the one that counts, and its end."""
        view = in_loop(bench)
        result = self._loops(bench, view, start, setup, history)
        wide = _too_wide(result)
        if wide is None or (narrow := narrower(bench, view, wide)) is None:
            return view, result
        _write(bench, history, Entry(kind="note", name="wider accumulators", reason=NARROWER), NARROWER)
        again = self._loops(bench, narrow, start, setup, history)
        if again.verdict is not Verdict.MET:
            return view, result
        scores = [standing(bench, found.best) for found in (result, again)]
        better = result.verdict is not Verdict.MET or scores[1] > scores[0]
        return (narrow, again) if better else (view, result)

    def _relaxed(self, back: Relaxation, start: Point, result: LoopResult, setup: Setup) -> Point:
        """The most accurate point still MET: less sparsity by bisection from the original's weights, then
        more bits."""
        knobs = Knobs.of(result.rounds[result.points.index(result.best)].knobs)
        sparsity, bits = (kind.ruling(knobs.of_kind(kind)) for kind in (Sparsity, Bits))
        bits = int(bits)
        mild = 0.0  # not known to be met; ``sparsity`` is
        while sparsity - mild > CLOSE and lacks_accuracy(back.bench, back.best):
            middle = (mild + sparsity) / 2
            if back.holds(
                start, self._steps(middle, bits, start, setup), f"sparsity {sparsity:.2f} -> {middle:.2f}"
            ):
                sparsity = middle
            else:
                mild = middle
        while bits < MOST_BITS and lacks_accuracy(back.bench, back.best):
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

    def _loops(
        self, bench: Workbench, view: View, start: Point, setup: Setup, history: list[Entry]
    ) -> LoopResult:
        """The closed loop from each proposal in turn, until one is not lost on its very first round."""
        for share, more_bits in GENTLER:
            sparsity, bits = self.plan.sparsity * share, min(16, self.plan.bits + more_bits)
            recipe = self._recipe(sparsity, bits, start, setup)
            result = closed_loop(bench, start, recipe, fidelity=view.fidelity, hls=view.hls)
            history.extend(result.entries[1:])
            _write(bench, history, _stop(result), f"stop: {result.action.reason}")
            if result.action.limit not in (Limit.ACCURACY, Limit.QUALITY) or len(result.rounds) > 1:
                break
        return result

    def _recipe(self, sparsity: float, bits: int, start: Point, setup: Setup) -> Recipe:
        loop = LoopSpec(
            max_rounds=self.plan.max_rounds,
            bits=BitsLadder(min=min(LEAST_BITS, bits)),
            sparsity=SparsityLadder(step=0.3, max=max(MOST_SPARSITY, sparsity)),
        )
        return self._asked(setup, self._steps(sparsity, bits, start, setup), loop)

    def _asked(self, setup: Setup, steps: Sequence[StepConfig], loop: LoopSpec) -> Recipe:
        if setup.budget is None:
            raise SpecError("a trigger model needs a latency to meet", where="target_latency_ns")
        told = {
            "name": self.name,
            "seed": setup.seed,
            "hls": setup.hls,
            "budget": setup.budget,
            "task": setup.task,
        }
        return Recipe.parse({**told, "steps": steps, "loop": loop})

    def _other_targets(self, bench: Workbench, best: Point, goal: Goal, history: list[Entry]) -> Point:
        """The best point on the targets that may be used instead; the first that meets the budget."""
        for hls in _variants(bench.hls, self.plan):
            entry = Entry(
                kind="target",
                name="target",
                parent=best.digest,
                settings={"target": hls.model_dump(mode="json")},
            )
            try:
                point = bench.measure(best, exact=quantized(best), hls=hls)
            except (SpecError, UnsupportedModel) as cause:
                failed = entry.with_(status="failed", reason=str(cause))
                _write(bench, history, failed, f"{_text_of(hls)}: {failed.why}")
                continue
            found = goal.judge(bench, point)
            met = found.verdict is Verdict.MET
            entry = entry.with_(
                digest=point.digest,
                figures=figures(bench, point),
                status="kept" if met else "rolled_back",
                verdict=str(found.verdict),
                reason="; ".join(str(check) for check in found.checks),
            )
            _write(bench, history, entry, f"{_target_text(point)}: {found.verdict}")
            if met:
                return point
        return best


def _too_wide(result: LoopResult) -> Point | None:
    """The first design that an interval without content left open, though the loop went past it; else the end's, where
    that is open."""
    for point, done in zip(result.points, result.rounds, strict=True):
        if any(check.says_little for check in done.judgement.failing()):
            return point
    return result.best if result.verdict is Verdict.UNKNOWN else None


def _worst_ns(point: Point) -> float:
    latency = None if point.qor is None else point.qor.latency
    return float("inf") if latency is None or latency.worst_ns_hi is None else latency.worst_ns_hi


class Relaxation:
    """Giving accuracy back: ``best`` is always MET, and only a more accurate point that is MET takes its
    place."""

    def __init__(self, bench: Workbench, view: View, history: list[Entry], best: Point) -> None:
        self.bench, self.view, self.history, self.best = bench, view, history, best

    def holds(self, start: Point, steps: Sequence[StepConfig], move: str) -> bool:
        """Make the point, look at it, remember it if it is better; True while it is MET."""
        point = start
        for step in steps:
            point = self.bench.apply(point, step)
        point = self.view.at(self.bench, point)
        verdict = self.view.judge(self.bench, point).verdict
        now, best = standing(self.bench, point), standing(self.bench, self.best)
        better = verdict is Verdict.MET and now > best
        entry = Entry(
            kind="relax",
            name="relax",
            parent=start.digest,
            digest=point.digest,
            settings={"move": move},
            figures=figures(self.bench, point),
            status="kept" if better else "rolled_back",
            verdict=str(verdict),
            reason="more accurate and still met" if better else "not better",
        )
        _write(self.bench, self.history, entry, f"relax, {move}: accuracy {100 * now:.2f} %, {verdict}")
        if better:
            self.best = point
        return verdict is Verdict.MET


def in_loop(bench: Workbench) -> View:
    """How the closed loop looks: sketches where the latency is an estimate anyway, else measurements."""
    budget = bench.budget
    estimates = budget is None or (budget.deliver == "hls" and budget.measure in {"auto", "estimate"})
    return View(bench.hls, "sketch" if estimates and not has_synthesis(bench.hls) else "measure")


def narrower(bench: Workbench, view: View, point: Point) -> View | None:
    """The same view with wider accumulators, where those make this point's interval narrower; None
    elsewhere, and where the latency is not an estimate."""
    if view.fidelity != "sketch" or view.hls.wide_accumulators:
        return None
    other = View(view.hls.with_(wide_accumulators=True), view.fidelity)
    return other if _spread_ns(other.at(bench, point)) < _spread_ns(view.at(bench, point)) else None


def _spread_ns(point: Point) -> float:
    latency = None if point.qor is None else point.qor.latency
    if latency is None or latency.worst_ns_hi is None or latency.worst_ns_lo is None:
        return float("inf")
    return latency.worst_ns_hi - latency.worst_ns_lo


def _write(bench: Workbench, history: list[Entry], entry: Entry, text: str) -> None:
    history.append(entry)
    bench.record(entry, text)


def _stop(result: LoopResult) -> Entry:
    reason = result.action.reason
    return Entry(
        kind="stop", name="stop", digest=result.best.digest, verdict=str(result.verdict), reason=reason
    )


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
    return "" if point.project is None or point.project.spec is None else _text_of(point.project.spec)


def _text_of(hls: HlsSpec) -> str:
    return f"{hls.clock_ns:g} ns clock, {hls.strategy} strategy, reuse {hls.reuse_factor}"


def layer_costs(point: Point) -> str:
    """What each layer costs in cycles, with the interval of an estimate."""
    if point.qor is None:
        return "cycles by layer are not known"
    known = [layer for layer in point.qor.layers if layer.cycles is not None]
    costs = [f"{layer.name} {layer.cycles}{_spread(layer.cycles_lo, layer.cycles_hi)}" for layer in known]
    return f"cycles by layer: {', '.join(costs)}" if costs else "cycles by layer are not known"


def _spread(low: int | None, high: int | None) -> str:
    return "" if low is None or high is None or low == high else f" [{low}..{high}]"
