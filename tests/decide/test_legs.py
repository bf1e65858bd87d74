"""What a verdict rests on: a missing leg is never MET, whatever the budget asks for."""

from __future__ import annotations

import pytest

from pquant_hls.decide import Check, Verdict, judge, on_test
from pquant_hls.errors import SpecError
from pquant_hls.qor import Latency, QoR, Resources
from pquant_hls.qor.parts import available, capacity
from pquant_hls.spec import Budget, HlsSpec
from tests.helpers import resources_of

LATENCY = Latency(
    cycles_min=8, cycles_max=8, clock_target_ns=5.0, clock_estimated_ns=3.0, clock_uncertainty_ns=1.0
)
SMALL, LARGE = "xc7z020clg400-1", "xcvu13p-flga2577-2-e"
BUDGET = Budget(latency_ns=1000, exact=False)


def record(part: str | None = LARGE, latency: Latency = LATENCY, **used: float) -> QoR:
    counts = {"lut": 10.0, "ff": 10.0, "dsp": 0.0, "bram_18k": 0.0, **used}
    return QoR(source="estimate", part=part, latency=latency, resources=Resources(**counts))


def with_interval(part: str, lut: float, low: float, high: float) -> QoR:
    used = resources_of(record(part, lut=lut))
    return record(part).with_(resources=used.model_copy(update={"intervals": {"lut": (low, high)}}))


@pytest.mark.parametrize(
    ("lut", "low", "high", "verdict"),
    [
        (145_217, 91_507, 214_149, Verdict.MISSED),  # 273 % of the 53,200 LUT of a Zynq 7020
        (50_000, 40_000, 60_000, Verdict.UNKNOWN),
        (40_000, 30_000, 53_200, Verdict.MET),
    ],
)
def test_what_the_part_has_is_a_limit_whoever_asks(
    lut: float, low: float, high: float, verdict: Verdict
) -> None:
    found = judge(with_interval(SMALL, lut, low, high), BUDGET)
    assert found.verdict is verdict
    assert found.check("lut of the part") is not None


def test_the_share_of_the_part_can_be_set() -> None:
    design = record(SMALL, lut=30_000.0)
    assert judge(design, BUDGET).verdict is Verdict.MET
    assert judge(design, BUDGET.with_(part_share=0.5)).verdict is Verdict.MISSED


@pytest.mark.parametrize("name", ["lut", "ff", "dsp", "bram_18k", "uram"])
def test_every_resource_of_the_part_counts(name: str) -> None:
    there = capacity(SMALL)
    assert there is not None
    assert judge(record(SMALL, **{name: getattr(there, name) + 1.0}), BUDGET).verdict is Verdict.MISSED


def test_a_part_whose_resources_nobody_knows_leaves_the_verdict_open() -> None:
    found = judge(record("xcvu99p-flga2577-2-e", lut=10.0), BUDGET)
    assert found.verdict is Verdict.UNKNOWN
    assert "xcvu99p" in str(found.failing()[0])


def test_a_report_says_itself_what_its_part_has() -> None:
    there = capacity(SMALL)
    design = record("xcvu99p-flga2577-2-e").with_(resources=Resources(lut=60_000, available=there))
    assert judge(design, BUDGET).verdict is Verdict.MISSED


def test_a_function_that_was_removed_meets_nothing() -> None:
    empty = record(
        latency=LATENCY.model_copy(update={"cycles_min": 0, "cycles_max": 0}), lut=0.0, ff=0.0, dsp=0.0
    )
    assert judge(empty, BUDGET).verdict is Verdict.MISSED
    assert (
        judge(record(latency=LATENCY, lut=0.0, ff=0.0), BUDGET).verdict is Verdict.MET
    )  # wires alone take cycles


def test_timing_is_the_tools_own_verdict() -> None:
    flagged = Latency(cycles_max=8, clock_target_ns=2.0, clock_estimated_ns=1.659, clock_uncertainty_ns=0.54)
    budget = Budget(latency_ns=1000, timing=True, exact=False)
    assert judge(record(latency=flagged, lut=1.0), budget).verdict is Verdict.MISSED
    open_one = flagged.model_copy(update={"clock_uncertainty_ns": None})
    assert judge(record(latency=open_one, lut=1.0), budget).verdict is Verdict.UNKNOWN


def test_the_sentence_says_what_was_not_judged() -> None:
    said = judge(record(lut=1.0), BUDGET).sentence
    assert said.startswith("MET: rests on latency, what the part has")
    assert "no quality was judged" in said
    assert "exactness was not judged" in said
    whole = Budget(latency_ns=1000, min_accuracy=0.7)
    design = record(lut=1.0).with_(accuracy=0.8, csim_match=1.0)
    assert judge(design, whole).sentence == "MET: rests on latency, accuracy, csim match, what the part has"


def estimated(low: int, value: int, high: int, clock: float = 25.0) -> QoR:
    latency = Latency(
        cycles_max=value,
        cycles_max_lo=low,
        cycles_max_hi=high,
        clock_target_ns=clock,
        clock_estimated_ns=clock * 0.7,
        clock_uncertainty_ns=clock * 0.3,
        clock_estimated_hi_ns=clock,
    )
    return record(latency=latency)


@pytest.mark.parametrize(
    ("low", "value", "high", "limit", "verdict"),
    [
        (0, 1, 4, 100, Verdict.UNKNOWN),  # 25 [0..100] ns on a 25 ns clock
        (0, 1, 4, 200, Verdict.UNKNOWN),
        (0, 1, 4, 201, Verdict.MET),  # further from the limit than it is wide
        (2, 3, 4, 100, Verdict.MET),
        (5, 6, 9, 100, Verdict.MISSED),
    ],
)
def test_an_interval_wider_than_its_value_holds_no_limit_it_merely_touches(
    low: int, value: int, high: int, limit: float, verdict: Verdict
) -> None:
    budget, design = Budget(latency_ns=limit, exact=False), estimated(low, value, high)
    assert judge(design, budget).verdict is verdict
    accepted = judge(design, budget.with_(accept_wide=True)).verdict
    assert accepted is (Verdict.MET if verdict is Verdict.UNKNOWN else verdict)
    cycles = Budget(latency_cycles=int(limit // 25), exact=False)
    assert judge(design, cycles).verdict is verdict or limit == 201


def test_a_resource_whose_interval_says_nothing_is_open_and_says_so() -> None:
    found = judge(with_interval(LARGE, 206_726, 6_579, 12_238_510), BUDGET)
    assert found.verdict is Verdict.UNKNOWN
    said = str(found.failing()[0])
    assert said.startswith("lut of the part 6,579..12,238,510 (limit <= 1,728,000; the interval says little")
    assert "206,726" in said
    assert judge(with_interval(LARGE, 206_726, 6_579, 1_200_000), BUDGET).verdict is Verdict.UNKNOWN
    assert judge(with_interval(LARGE, 900, 0, 2_000), BUDGET).verdict is Verdict.MET


def test_the_question_of_width_leaves_a_recipes_identity_alone() -> None:
    assert "accept_wide" not in Budget(latency_ns=9).model_dump(mode="json")
    assert Budget(latency_ns=9, accept_wide=True).model_dump(mode="json")["accept_wide"] is True


def test_a_violation_that_a_tool_flags_is_no_met_whether_asked_about_or_not() -> None:
    flagged = Latency(cycles_max=8, clock_target_ns=2.0, clock_estimated_ns=1.659, clock_uncertainty_ns=0.54)
    found = judge(record(latency=flagged), BUDGET)
    assert found.verdict is Verdict.UNKNOWN
    assert "the tool flags it as missed (slack -0.199 ns), routing decides" in str(found.failing()[0])
    bounded = flagged.model_copy(update={"clock_estimated_hi_ns": 2.5})
    assert judge(record(latency=bounded), BUDGET).verdict is Verdict.MET, "an estimate's clock is in its ns"


@pytest.mark.parametrize(
    ("loss", "error", "verdict", "more"),
    [
        (0.015, 0.012, Verdict.UNKNOWN, "2,856 events more than these 600"),
        (0.015, 0.004, Verdict.MET, ""),
        (0.04, 0.012, Verdict.MISSED, ""),
        (0.025, 0.012, Verdict.UNKNOWN, "2,856 events more than these 600"),
    ],
)
def test_a_loss_limit_within_the_error_says_how_many_events_would_decide(
    loss: float, error: float, verdict: Verdict, more: str
) -> None:
    errors = {"accuracy_error": 0.018, "loss_error": error, "events": 600.0}
    test = {f"test_{name}": value for name, value in errors.items()}
    metrics = {**errors, **test, "test_accuracy": 0.75 - loss, "test_accuracy_float": 0.75}
    design, budget = (
        record().with_(accuracy=0.75 - loss, metrics=metrics),
        BUDGET.with_(max_accuracy_loss=0.02),
    )
    found = judge(design, budget, baseline_accuracy=0.75)
    assert found.verdict is verdict
    check = found.check("accuracy")
    assert check is not None
    assert more in check.text
    assert str(on_test(design, budget)) == str(check), "the test split says the same of itself"
    assert on_test(design.with_(metrics=errors), budget) is None
    assert found.accuracy_verdict is (Verdict.MET if loss < 0.02 else Verdict.MISSED), (
        "searches go by the figure"
    )
    absolute = judge(design, BUDGET.with_(min_accuracy=0.9), baseline_accuracy=None)
    assert absolute.verdict is Verdict.MISSED


def test_a_check_is_kept_and_read_back() -> None:
    budget = Budget(latency_ns=100, max_accuracy_loss=0.02)
    for check in judge(estimated(0, 1, 4), budget, baseline_accuracy=0.7).checks:
        assert Check.of_record(check.record()) == check
    damaged = Check.of_record({"name": "latency", "limit": float("nan"), "low": 1.0, "high": 2.0})
    assert damaged.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("part", ["pynq-z2", "[exec touch X]", "xcvu13p; exit", "zcu102", "", "alveo-u50"])
def test_what_is_no_part_is_refused_in_the_recipe(part: str) -> None:
    with pytest.raises(SpecError, match=r"part"):
        HlsSpec.parse({"part": part})


@pytest.mark.parametrize(
    "part",
    [
        "xcvu13p-flga2577-2-e",
        "xc7z020clg400-1",
        "xcu50-fsvh2104-2-e",
        "xcku115-flvb2104-2-e",
        "xczu9eg-ffvb1156-2-e",
        "xcvu99p",
    ],
)
def test_part_numbers_are_taken(part: str) -> None:
    assert HlsSpec.parse({"part": part}).part == part


def test_data_sheets_widen_what_is_known_but_hold_no_report_to_it() -> None:
    assert capacity("xcvu19p-fsva3824-2-e") is not None
    assert available("xcvu19p-fsva3824-2-e") is None
    both = capacity(LARGE)
    assert both == available(LARGE)


@pytest.mark.parametrize(
    "limits", [{"timing": True}, {"exact": True}, {"min_accuracy": 0.7}, {"max_accuracy_loss": 0.1}]
)
def test_a_budget_may_ask_for_one_leg_alone(limits: dict[str, object]) -> None:
    assert Budget.parse(limits) is not None


def test_a_budget_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match="no limit is set"):
        Budget.parse({})
