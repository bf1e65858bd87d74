"""What a policy's verdict demands of the point it hands over, judged on a bench that measures nothing itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pquant_hls.decide import Judgement, Verdict
from pquant_hls.engine import Ending, Gate, Goal, Point, Score, Workbench, conclude, figures, quantized
from pquant_hls.qor import Latency, QoR
from pquant_hls.spec import Budget
from pquant_hls.train.metrics import Proportion
from tests.helpers import PART, SMALL


def score(share: float) -> Score:
    right = np.arange(100) < round(100 * share)
    error = math.sqrt(share * (1 - share) / 100)
    return Score({"accuracy": Proportion(share, error, 100, influence=(right - share) / 100)})


@dataclass
class Bench:
    """The baseline is right on 80 of 100 events, every point on ``now``."""

    now: float = 0.8
    baseline: Score | None = field(default_factory=lambda: score(0.8))
    asked: list[tuple[bool, Any]] = field(default_factory=list)

    def score(self, point: Point) -> Score:
        return score(self.now)

    def swept(self, point: Point) -> Point:
        return point

    def measure(self, point: Point, *, exact: bool = True, hls: Any = None) -> Point:
        self.asked.append((exact, hls))
        return replace(point, qor=QoR(part=PART, resources=SMALL, csim_match=1.0 if exact else 0.5))


def point(cycles: int | None = 8, match: float | None = 1.0, ratio: float | None = 8.0, **more: Any) -> Point:
    latency = None if cycles is None else Latency(cycles_max=cycles, clock_target_ns=5, clock_estimated_ns=4)
    qor = QoR(part=PART, latency=latency, resources=SMALL, accuracy=0.8, csim_match=match)
    return Point(None, "digest", qor=qor, ratio=ratio, **more)


def whole(bench: Bench) -> Workbench:
    """Taken for a whole bench: a verdict asks for no more than these methods."""
    return cast("Workbench", bench)


def judged(goal: Goal, bench: Bench, of: Point) -> Judgement:
    return goal.judge(whole(bench), of)


BUDGET = Budget(latency_ns=50)


def test_without_a_goal_exactness_alone_decides() -> None:
    assert judged(Goal(), Bench(), point()).verdict is Verdict.MET
    assert judged(Goal(), Bench(), point(cycles=None)).verdict is Verdict.MET
    assert judged(Goal(), Bench(), point(match=0.99)).verdict is Verdict.MISSED
    assert judged(Goal(), Bench(), point(match=None)).verdict is Verdict.UNKNOWN
    found = judged(Goal(), Bench(), point())
    assert (
        found.basis == "rests on csim match, what the part has; no latency was judged; no quality was judged"
    )


@pytest.mark.parametrize(("cycles", "verdict"), [(10, "MET"), (11, "MISSED"), (None, "UNKNOWN")])
def test_a_budget_is_a_limit(cycles: int | None, verdict: str) -> None:
    assert str(judged(Goal(budget=BUDGET), Bench(), point(cycles)).verdict) == verdict


def test_a_loss_counts_from_the_baseline() -> None:
    budget = Budget(latency_ns=50, max_accuracy_loss=0.01)
    assert judged(Goal(budget=budget), Bench(), point()).verdict is Verdict.MET
    assert judged(Goal(budget=budget), Bench(baseline=score(0.9)), point()).verdict is Verdict.MISSED
    assert judged(Goal(budget=budget), Bench(baseline=None), point()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("ratio", "verdict"), [(8.0, "MET"), (7.9, "MISSED"), (None, "UNKNOWN")])
def test_a_compression_ratio_is_a_floor(ratio: float | None, verdict: str) -> None:
    assert str(judged(Goal(ratio=8.0), Bench(), point(ratio=ratio)).verdict) == verdict


def test_a_broken_promise_misses_in_its_own_words() -> None:
    found = judged(Goal(broken="score reproduced"), Bench(), point())
    assert found.verdict is Verdict.MISSED
    assert found.failing()[0].name == "score reproduced"


def test_gates_are_floors_on_the_point() -> None:
    goal = Goal(gates=(Gate("accuracy", max_loss=0.1), Gate("accuracy", minimum=0.5)))
    assert judged(goal, Bench(0.75), point()).verdict is Verdict.MET
    assert goal.lost(whole(Bench(0.75)), point()) is None
    assert judged(goal, Bench(0.6), point()).verdict is Verdict.MISSED
    assert goal.lost(whole(Bench(0.6)), point()) == "accuracy 0.6 ± 0.04 (limit >= 0.7): MISSED"
    said = goal.lost(whole(Bench(0.4)), point())
    assert said is not None
    assert said.count("MISSED") == 2


def test_a_floor_within_the_error_is_kept_by_searches_and_open_at_the_end() -> None:
    goal = Goal(gates=(Gate("accuracy", max_loss=0.1),))
    assert goal.lost(whole(Bench(0.72)), point()) is None
    found = judged(goal, Bench(0.72), point())
    assert found.verdict is Verdict.UNKNOWN
    assert "within the error: 85 events more than these 100 would decide" in str(found.failing()[0])
    assert str(goal.lost(whole(Bench(0.68)), point())).endswith("UNKNOWN"), "below by the figure itself"


def test_the_budgets_limits_on_the_design_alone() -> None:
    budget = Budget(latency_ns=50, min_accuracy=0.9, resources={"lut": 1000})
    found = Goal(budget=budget).budget_checks(point())
    asked = [check for check in found if not check.name.endswith("of the part")]
    assert [(check.name, str(check.verdict)) for check in asked] == [("latency", "MET"), ("lut", "MET")]
    assert Goal().budget_checks(point()) == ()


def test_only_a_model_with_ebops_is_all_fixed_point() -> None:
    assert not quantized(point())
    assert not quantized(point(account=SimpleNamespace(ebops=None)))
    assert quantized(point(account=SimpleNamespace(ebops=0.0)))


@pytest.mark.parametrize("ebops", [None, 5.0])
def test_what_was_chosen_is_measured_and_judged_on_that_alone(ebops: float | None) -> None:
    """Only a model that is all fixed point can equal Keras; the design is that of the sketch."""
    chosen = point(match=None, account=SimpleNamespace(ebops=ebops), project=SimpleNamespace(spec="its own"))
    bench = Bench()
    final, judgement = conclude(whole(bench), Ending(chosen, Goal(), "because"))
    assert bench.asked == [(ebops is not None, "its own")]
    assert final.qor is not None
    assert final.qor.csim_match == (0.5 if ebops is None else 1.0)
    assert judgement.verdict is (Verdict.MISSED if ebops is None else Verdict.MET)


def test_a_point_without_a_project_takes_the_benchs_design() -> None:
    bench = Bench()
    conclude(whole(bench), Ending(point(), Goal(), "because"))
    assert bench.asked == [(False, None)]


def test_figures_tell_what_is_known_of_a_point_and_none_of_the_rest() -> None:
    account = cast("Any", SimpleNamespace(units={"a": 4}, ebops=12.0))
    told = figures(whole(Bench(now=0.7)), point(account=account))
    assert (told["accuracy"], told["compression_ratio"], told["cycles"]) == (0.7, 8.0, 8)
    assert told["degradation"] == pytest.approx(0.1)
    assert told["degradation_error"] > 0
    assert told["accuracy_error"] == pytest.approx(math.sqrt(0.7 * 0.3 / 100))
    assert (told["units"], told["ebops"], told["worst_ns"]) == ({"a": 4}, 12.0, 40.0)
    bare = figures(whole(Bench(baseline=None)), Point(None, "digest"))
    assert (bare["degradation"], bare["degradation_error"], bare["units"], bare["ebops"]) == (None,) * 4
    assert (bare["cycles"], bare["worst_ns"], bare["compression_ratio"]) == (None,) * 3


def test_figures_without_accuracy() -> None:
    @dataclass
    class Unscored(Bench):
        def score(self, point: Point) -> Score:
            return Score({})

    told = figures(whole(Unscored(baseline=None)), point())
    assert (told["accuracy"], told["accuracy_error"]) == (None, None)
