"""What a policy is given and what it hands back: the bench it may use, the goal of its verdict, where it
stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pquant_hls.compress import Accounting, Step
from pquant_hls.decide import Check, Judgement, Verdict, judge, quality_check
from pquant_hls.engine.bench import Point
from pquant_hls.engine.gates import Gate
from pquant_hls.engine.score import PLAIN, Score, loss, merit, qualities
from pquant_hls.qor import QoR
from pquant_hls.spec import Budget, HlsSpec, StepConfig
from pquant_hls.spec.quantize import QuantizeConfig
from pquant_hls.store import Checked, Entry


class Workbench(Protocol):
    """What a policy may do; ``engine.Bench`` is the real one, tests have an instant one."""

    baseline: Score | None
    original: Accounting | None

    @property
    def hls(self) -> HlsSpec: ...
    @property
    def budget(self) -> Budget | None: ...
    @property
    def events(self) -> int:
        """Events to train on."""
        ...

    def apply(self, point: Point, step: StepConfig | Step[Any], *, hls: HlsSpec | None = None) -> Point: ...
    def family(
        self, point: Point, step: QuantizeConfig, *, hls: HlsSpec | None = None, most: int = ...
    ) -> Sequence[Point]: ...
    def swept(self, point: Point) -> Point: ...
    def score(self, point: Point) -> Score: ...
    def judge(self, point: Point, *, exact: bool = True) -> Judgement: ...
    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point: ...
    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point: ...
    def record(self, entry: Entry, text: str) -> None: ...
    def most(self, point: Point, step: StepConfig) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Goal:
    """What the verdict demands of the point handed over, beside exactness: all of it is read off the point
    itself.

    ``ratio`` is the least compression ratio; ``broken`` a floor or promise that a policy could not keep, in
    words.
    """

    ratio: float | None = None
    gates: tuple[Gate, ...] = ()
    budget: Budget | None = None
    broken: str = ""

    def floors(self, bench: Workbench, point: Point) -> tuple[Check, ...]:
        """The gates on the validation split."""
        return tuple(gate.check(bench.baseline, bench.score(point)) for gate in self.gates)

    def lost(self, bench: Workbench, point: Point) -> str | None:
        """Which floors this point is seen to break, in words; None where it breaks none."""
        named = () if self.budget is None else quality_checks(self.budget, bench, point)
        lost = [check for check in (*self.floors(bench, point), *named) if check.expected is not Verdict.MET]
        return "; ".join(str(check) for check in lost) or None

    def budget_checks(self, point: Point) -> tuple[Check, ...]:
        """The budget's limits on the design alone, exactness and accuracy left out; none without a budget."""
        if self.budget is None:
            return ()
        found = judge(point.qor or QoR(), self.budget).checks
        return tuple(check for check in found if not (check.at_least or check.quality))

    def judge(self, bench: Workbench, point: Point) -> Judgement:
        """The verdict on a measured point."""
        baseline = None if bench.baseline is None else bench.baseline.value()
        found = judge(point.qor or QoR(), self.budget, baseline_accuracy=baseline)
        checks = [*found.checks]
        if self.ratio is not None:
            checks.append(Check("compression ratio", self.ratio, point.ratio, point.ratio, at_least=True))
        if self.broken:
            checks.append(Check(self.broken, 1.0, 0.0, 0.0, at_least=True))
        return Judgement.of([*checks, *self.floors(bench, point)], found.measured)


def quality_checks(budget: Budget, bench: Workbench, point: Point) -> tuple[Check, ...]:
    """The figures that a budget names, by the Keras model's answers on the validation split."""
    if not budget.quality:
        return ()
    found = qualities(bench.score(point), bench.baseline, budget.quality)
    return tuple(
        quality_check(name, found.get(name), allowance) for name, allowance in budget.allowances.items()
    )


@dataclass(frozen=True)
class Ending:
    """Where a policy stopped: the point to hand over, what it must fulfil, why it stopped, what happened.

    ``extra`` are further fields of the result, ``drawn`` what the page draws of the search. ``handed_over`` is the number
    of the round that ``best`` is of; its reason needs no failing limits added.
    """

    best: Point
    goal: Goal
    reason: str
    history: tuple[Entry, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    handed_over: int | None = None
    drawn: Mapping[str, Any] = field(default_factory=dict)


def conclude(bench: Workbench, ending: Ending) -> tuple[Point, Judgement]:
    """The chosen point, dead units swept, measured (csim of the real firmware) and judged on that measurement alone."""
    final = bench.swept(ending.best)
    if final.fidelity != "measure":
        hls = None if ending.best.project is None else ending.best.project.spec
        final = bench.measure(final, exact=quantized(final), hls=hls)
    return final, ending.goal.judge(bench, final)


def quantized(point: Point) -> bool:
    """Whether every multiplication of the model is fixed point, so that firmware can equal Keras."""
    return point.account is not None and point.account.ebops is not None


def figures(bench: Workbench, point: Point) -> dict[str, Any]:
    """A point in figures: accuracy with its error, degradation against the baseline (shares), sizes, latency."""
    score = bench.score(point)
    accuracy = score.figures.get("accuracy")
    fallen = None if bench.baseline is None else loss(bench.baseline, score)
    latency = None if point.qor is None else point.qor.latency
    plain = score.headlines == PLAIN
    shown = qualities(score, bench.baseline, score.headlines)
    more = (
        {}
        if plain
        else {
            "merit": merit(bench.baseline, score),
            "quality": {name: found.model_dump(mode="json") for name, found in shown.items()},
        }
    )
    return {
        **more,
        "accuracy": None if accuracy is None else accuracy.value,
        "accuracy_error": None if accuracy is None else accuracy.error,
        "degradation": None if fallen is None else fallen[0],
        "degradation_error": None if fallen is None else fallen[1],
        "compression_ratio": point.ratio,
        "units": None if point.account is None else dict(point.account.units),
        "ebops": None if point.account is None else point.account.ebops,
        "cycles": None if latency is None else latency.cycles_max,
        "worst_ns": None if latency is None else latency.worst_ns_hi,
    }


def checked(judgement: Judgement) -> tuple[Checked, ...]:
    """The checks as the ledger keeps them."""
    return tuple(
        Checked(text=check.text, verdict=str(check.verdict), figures=check.record())
        for check in judgement.checks
    )
