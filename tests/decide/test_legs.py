"""What a verdict rests on: a missing leg is never MET, whatever the budget asks for."""

from __future__ import annotations

import pytest

from pquant_hls.decide import Verdict, judge
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
