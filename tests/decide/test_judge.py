"""Each limit of a budget as a check: its interval, its verdict, its margin, its words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Check, Judgement, Verdict, combine, judge
from pquant_hls.qor import Latency, QoR, Resources
from pquant_hls.spec import Budget, ResourceLimits
from tests.helpers import known

MET, MISSED, UNKNOWN = Verdict.MET, Verdict.MISSED, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("low", "high", "at_least", "verdict", "margin"),
    [
        (9.0, 10.0, False, MET, 0.0),
        (10.0, 11.0, False, UNKNOWN, -1.0),
        (10.5, 11.0, False, MISSED, -1.0),
        (10.0, 11.0, True, MET, 0.0),
        (9.0, 10.0, True, UNKNOWN, -1.0),
        (8.0, 9.5, True, MISSED, -2.0),
        (None, None, False, UNKNOWN, None),
        (3.0, None, False, UNKNOWN, None),
        (None, 3.0, True, UNKNOWN, None),
        (None, 3.0, False, UNKNOWN, 7.0),
        (3.0, None, True, UNKNOWN, -7.0),
        (0.0, 0.0, False, MET, 10.0),
    ],
)
def test_a_check(
    low: float | None, high: float | None, at_least: bool, verdict: Verdict, margin: float | None
) -> None:
    check = Check("x", 10.0, low, high, at_least=at_least)
    assert (check.verdict, check.margin) == (verdict, margin)


def test_a_check_in_words() -> None:
    assert str(Check("latency", 50, 45.0, 60.0, "ns")) == "latency 45..60 ns (limit <= 50): UNKNOWN"
    assert str(Check("lut", 1000, 900.4, 900.4)) == "lut 900.4 (limit <= 1,000): MET"
    close = Check("accuracy", 0.74, 0.7399951, 0.7399951, at_least=True)
    assert str(close) == "accuracy 0.739995 (limit >= 0.74): MISSED"
    assert str(Check("lut", 1_728_000, 1_728_001, 1_728_001)) == "lut 1,728,001 (limit <= 1,728,000): MISSED"
    assert str(Check("ns", 10_000, 10_000.4, 10_000.4)) == "ns 10,000.4 (limit <= 10,000): MISSED"
    assert str(Check("auc", 0.9, 0.85, 0.85, at_least=True)) == "auc 0.85 (limit >= 0.9): MISSED"
    for low, high in ((None, 5.0), (5.0, None), (None, None)):
        assert str(Check("II", 1, low, high)) == "II not measured (limit <= 1): UNKNOWN"


@given(st.lists(st.sampled_from(list(Verdict)), max_size=5))
def test_the_worst_verdict_decides(verdicts: list[Verdict]) -> None:
    worst = next(
        (verdict for verdict in (MISSED, UNKNOWN) if verdict in verdicts), MET if verdicts else UNKNOWN
    )
    assert combine(verdicts) is worst


def test_failing_checks_come_missed_first() -> None:
    met, open_, missed = Check("a", 1, 0, 0), Check("b", 1, 0, 2), Check("c", 1, 2, 2)
    found = Judgement.of([met, open_, missed])
    assert found.verdict is MISSED
    assert found.failing() == (missed, open_)
    assert found.check("b") is open_
    assert found.check("d") is None


def test_the_verdict_on_quality_is_of_its_floors_alone() -> None:
    design = Check("latency", 1, 2, 2)
    assert Judgement.of([design]).accuracy_verdict is MET
    assert (
        Judgement.of([design, Check("auc", 0.5, 0.6, 0.6, at_least=True, quality=True)]).accuracy_verdict
        is MET
    )
    assert (
        Judgement.of([design, Check("auc", 0.5, 0.4, 0.4, at_least=True, quality=True)]).accuracy_verdict
        is MISSED
    )
    assert Judgement.of([design, Check("auc", 0.5, None, None, quality=True)]).accuracy_verdict is UNKNOWN


def checks(qor: QoR, baseline: float | None = None, **limits: Any) -> dict[str, Check]:
    """The checks of a budget by name, exactness left out unless asked for."""
    budget = Budget(**{"exact": False, **limits})
    found = judge(qor, budget, baseline_accuracy=baseline).checks
    return {check.name: check for check in found if not check.name.endswith("of the part")}


ESTIMATE = Latency(
    cycles_max=10,
    cycles_max_lo=9,
    cycles_max_hi=12,
    ii_cycles=2,
    clock_target_ns=5,
    clock_estimated_ns=4,
    clock_estimated_hi_ns=6,
)
REPORT = Latency(cycles_max=10, ii_cycles=1, clock_target_ns=5, clock_estimated_ns=4)


def test_latency_is_judged_by_its_whole_interval() -> None:
    check = checks(QoR(latency=ESTIMATE), latency_ns=50)["latency"]
    assert (check.limit, check.low, check.high, check.unit) == (50, 45, 72, "ns")
    check = checks(QoR(latency=REPORT), latency_ns=50)["latency"]
    assert (check.low, check.high, check.verdict) == (50, 50, MET)


def test_cycles_are_judged_by_their_interval_or_their_value() -> None:
    check = checks(QoR(latency=ESTIMATE), latency_cycles=11)["latency cycles"]
    assert (check.low, check.high, check.unit, check.verdict) == (9, 12, "cycles", UNKNOWN)
    check = checks(QoR(latency=REPORT), latency_cycles=10)["latency cycles"]
    assert (check.low, check.high, check.verdict) == (10, 10, MET)
    assert checks(QoR(), latency_cycles=0)["latency cycles"].verdict is UNKNOWN


def test_the_initiation_interval_is_a_limit() -> None:
    assert checks(QoR(latency=REPORT), ii_cycles=1)["II"].verdict is MET
    found = checks(QoR(latency=ESTIMATE), ii_cycles=1)["II"]
    assert (found.low, found.high, found.unit, found.verdict) == (2, 2, "cycles", MISSED)


@pytest.mark.parametrize(
    ("estimated", "uncertainty", "verdict"),
    [
        (4.0, 1.0, MET),
        (4.1, 1.0, MISSED),
        (4.0, None, UNKNOWN),
        (5.1, None, MISSED),
        (None, 1.0, UNKNOWN),
    ],
)
def test_timing_is_a_limit_where_it_is_asked_for(
    estimated: float | None, uncertainty: float | None, verdict: Verdict
) -> None:
    clock = {"clock_estimated_ns": estimated, "clock_uncertainty_ns": uncertainty}
    qor = QoR(latency=Latency.model_validate({"cycles_max": 1, "clock_target_ns": 5, **clock}))
    found = checks(qor, latency_ns=50, timing=True)["timing"]
    assert (found.limit, found.at_least, found.verdict) == (1.0, True, verdict)
    unasked = checks(qor, latency_ns=50).get("timing")
    assert (None if unasked is None else unasked.verdict) is (UNKNOWN if verdict is MISSED else None), (
        "a violation that the tool flags is no MET, asked about or not"
    )


def test_resources_are_limits_each_with_its_interval() -> None:
    qor = QoR(resources=Resources(lut=1000, dsp=0, intervals={"lut": (900.0, 1100.0), "ff": (1.0, 2.0)}))
    found = checks(qor, resources=ResourceLimits(lut=1000, dsp=0, ff=5, uram=0))
    assert (found["lut"].low, found["lut"].high, found["lut"].verdict) == (900, 1100, UNKNOWN)
    assert (found["dsp"].low, found["dsp"].high, found["dsp"].verdict) == (0, 0, MET)
    assert (found["ff"].low, found["ff"].high) == (None, None), "an interval of what was not measured is none"
    assert found["uram"].verdict is UNKNOWN
    assert "bram_18k" not in found


def test_figures_of_another_design_are_not_used() -> None:
    qor = QoR(design="rtl", latency=REPORT, resources=Resources(lut=1))
    found = checks(qor, latency_ns=50, resources=ResourceLimits(lut=10))
    assert {check.verdict for check in found.values()} == {UNKNOWN}
    found = checks(qor, latency_ns=50, resources=ResourceLimits(lut=10), deliver="rtl")
    assert {check.verdict for check in found.values()} == {MET}


@pytest.mark.parametrize(
    ("loss", "least", "baseline", "floor"),
    [
        (None, None, 0.8, None),
        (None, 0.7, None, 0.7),
        (0.1, None, 0.8, 0.7),
        (0.1, 0.75, 0.8, 0.75),
        (0.1, 0.5, 0.8, 0.7),
        (0.0, None, 0.8, 0.8),
        (0.1, 0.5, None, None),
    ],
)
def test_the_floor_of_the_accuracy(
    loss: float | None, least: float | None, baseline: float | None, floor: float | None
) -> None:
    found = checks(QoR(accuracy=0.75), baseline, latency_ns=50, max_accuracy_loss=loss, min_accuracy=least)
    check = found.get("accuracy")
    assert (check is None or check.low is None) == (floor is None)
    assert floor is None or known(check).limit == pytest.approx(floor)


def test_accuracy_is_a_floor_of_quality() -> None:
    found = checks(QoR(accuracy=0.75), 0.8, latency_ns=50, max_accuracy_loss=0.02)["accuracy"]
    assert found.limit == pytest.approx(0.78)
    assert (found.low, found.high, found.at_least, found.quality) == (0.75, 0.75, True, True)
    assert found.verdict is MISSED
    found = checks(QoR(accuracy=0.75), latency_ns=50, max_accuracy_loss=0.02)["accuracy"]
    assert (found.verdict, found.limit, found.at_least, found.quality) == (UNKNOWN, 0.0, True, True), (
        "no baseline"
    )
    assert "accuracy" not in checks(QoR(accuracy=0.75), 0.8, latency_ns=50)


@pytest.mark.parametrize(("match", "verdict"), [(1.0, MET), (0.999, MISSED), (None, UNKNOWN)])
def test_exactness_is_demanded_unless_it_is_not(match: float | None, verdict: Verdict) -> None:
    found = checks(QoR(csim_match=match), latency_ns=50, exact=True)["csim match"]
    assert (found.limit, found.at_least, found.quality, found.verdict) == (1.0, True, False, verdict)
    assert "csim match" not in checks(QoR(csim_match=match), latency_ns=50)
