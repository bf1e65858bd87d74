"""What a policy is given and what it hands back: the bench it may use, the goal of its verdict, where it
stopped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pquant_hls.compress import Accounting, Step
from pquant_hls.datasets import Dataset
from pquant_hls.decide import Check, Judgement, judge
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.handover import CompressionResult, hand_over
from pquant_hls.engine.score import Gate, Score
from pquant_hls.qor import QoR
from pquant_hls.spec import Budget, HlsSpec, StepConfig

NO_LIMIT = Budget(latency_ns=1e9)
"""A budget for the bench of a pipeline that has none; its limit of a second enters no verdict."""


class Workbench(Protocol):
    """What a policy may do; ``engine.Bench`` is the real one, tests have an instant one."""

    baseline: Score | None
    original: Accounting | None

    @property
    def hls(self) -> HlsSpec: ...
    @property
    def budget(self) -> Budget: ...
    def apply(self, point: Point, step: StepConfig | Step[Any]) -> Point: ...
    def score(self, point: Point) -> Score: ...
    def judge(self, point: Point, *, exact: bool = True) -> Judgement: ...
    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point: ...
    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point: ...
    def record(self, record: Mapping[str, Any], text: str) -> None: ...


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
        """Which floors this point is not known to keep, in words; None when all hold."""
        return "; ".join(str(check) for check in Judgement.of(self.floors(bench, point)).failing()) or None

    def budget_checks(self, point: Point) -> tuple[Check, ...]:
        """The budget's limits on the design alone, exactness and accuracy left out; none without a budget."""
        if self.budget is None:
            return ()
        found = judge(point.qor or QoR(), self.budget).checks
        return tuple(check for check in found if not check.at_least)

    def judge(self, bench: Workbench, point: Point) -> Judgement:
        """The verdict on a measured point."""
        budget = NO_LIMIT if self.budget is None else self.budget
        baseline = None if bench.baseline is None else bench.baseline.value()
        checks = [*judge(point.qor or QoR(), budget, baseline_accuracy=baseline).checks]
        if self.budget is None:
            checks = [check for check in checks if check.name == "csim match"]
        if self.ratio is not None:
            checks.append(Check("compression ratio", self.ratio, point.ratio, point.ratio, at_least=True))
        if self.broken:
            checks.append(Check(self.broken, 1.0, 0.0, 0.0, at_least=True))
        return Judgement.of([*checks, *self.floors(bench, point)])


@dataclass(frozen=True)
class Ending:
    """Where a policy stopped: the point to hand over, what it must fulfil, why it stopped, what happened."""

    best: Point
    goal: Goal
    reason: str
    history: tuple[dict[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def conclude(bench: Workbench, ending: Ending) -> tuple[Point, Judgement]:
    """The chosen point measured (csim of the real firmware) and judged on that measurement alone."""
    hls = None if ending.best.project is None else ending.best.project.spec
    final = bench.measure(ending.best, exact=quantized(ending.best), hls=hls)
    return final, ending.goal.judge(bench, final)


def quantized(point: Point) -> bool:
    """Whether every multiplication of the model is fixed point, so that firmware can equal Keras."""
    return point.account is not None and point.account.ebops is not None


def finish(bench: Bench, ending: Ending, *, pipeline: str, unpacks: tuple[str, ...]) -> CompressionResult:
    """Measure, judge and hand over what a policy chose, and close its run folder."""
    final, judgement = conclude(bench, ending)
    if final.qor is not None:
        final = replace(final, qor=final.qor.with_(notes=(*final.qor.notes, *_remarks(bench.data))))
    qor = hand_over(bench, final, judgement.verdict)
    failing = "; ".join(str(check) for check in judgement.failing())
    reason = f"{ending.reason}; {failing}" if failing and failing not in ending.reason else ending.reason
    bench.run.set_status(
        "finished",
        verdict=str(judgement.verdict),
        reason=reason,
        pipeline=pipeline,
        baseline_accuracy=bench.baseline_accuracy,
        checks=[str(check) for check in judgement.checks],
    )
    return CompressionResult(
        final.model,
        qor,
        judgement.verdict,
        ending.history,
        bench.run.path,
        reason,
        bench.baseline_accuracy,
        final.ratio,
        unpacks=unpacks,
        **ending.extra,
    )


def _remarks(data: Dataset) -> Iterable[str]:
    if "labels" in data.meta:
        yield f"accuracy is agreement with {data.meta['labels']}"
    if data.meta.get("test") == "validation":
        yield "no test split was given: golden vectors are validation events, test accuracy is not measured"
    if "inputs" in data.meta:
        yield str(data.meta["inputs"])
