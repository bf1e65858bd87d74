"""What a verdict says beside the budget: whether anything was built, and whether the part is known."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Check, Judgement, Verdict, judge
from pquant_hls.qor import RESOURCE_NAMES, Latency, QoR, Resources
from pquant_hls.spec import Budget
from tests.helpers import known

BUDGET = Budget(latency_ns=1000, exact=False)
UNKNOWN_PART = "xcvu99p-flga2577-2-e"


def design(cycles: int | None, used: Mapping[str, float | None], part: str | None = None) -> QoR:
    latency = None if cycles is None else Latency(cycles_max=cycles, clock_target_ns=5, clock_estimated_ns=3)
    return QoR(part=part, latency=latency, resources=Resources.model_validate(used))


def built(qor: QoR) -> Check | None:
    return judge(qor, BUDGET).check("logic that was built")


@pytest.mark.parametrize(
    ("cycles", "used", "gone"),  # None: not known
    [
        (0, {"lut": 0}, True),
        (0, {"lut": 0, "ff": 0, "dsp": 0, "bram_18k": 0, "uram": 0}, True),
        (0, {"lut": 0, "ff": 1}, False),
        (0, {"lut": 5}, False),
        (0, {"uram": 0.5}, False),
        (0, {}, False),
        (1, {"lut": 0}, False),
        (None, {"lut": 0}, None),
    ],
)
def test_nothing_was_built_where_all_that_is_known_is_zero(
    cycles: int | None, used: dict[str, float], gone: bool | None
) -> None:
    """A figure that nobody counted is no zero, and wires alone still take a cycle."""
    check = built(design(cycles, used))
    assert (check is None) == (gone is False)
    if gone is None:
        assert known(check).verdict is Verdict.UNKNOWN
    elif check is not None:
        assert (check.verdict, check.margin) == (Verdict.MISSED, -1.0)
        assert str(check) == "logic that was built 0 (limit >= 1): MISSED"
        assert (check.resource, check.quality, check.exactness) == (False, False, False)


@given(st.dictionaries(st.sampled_from(RESOURCE_NAMES), st.none() | st.integers(0, 3)), st.integers(0, 2))
def test_a_design_of_some_logic_or_some_cycles_exists(used: dict[str, int | None], cycles: int) -> None:
    counts = [count for count in used.values() if count is not None]
    gone = bool(counts) and sum(counts) == 0 and cycles == 0
    assert (built(design(cycles, used)) is not None) == gone


def test_without_resources_nothing_is_said_of_what_was_built() -> None:
    assert judge(QoR(latency=Latency(cycles_max=0)), BUDGET).check("logic that was built") is None


def test_a_part_that_nobody_knows_is_a_limit_on_resources_that_is_open() -> None:
    check = known(judge(design(8, {"lut": 10}, UNKNOWN_PART), BUDGET).failing()[0])
    assert (check.resource, check.verdict, check.margin) == (True, Verdict.UNKNOWN, None)
    assert str(check) == f"room of the part: the resources of {UNKNOWN_PART} are not known here: UNKNOWN"


def test_the_part_is_judged_whoever_asks() -> None:
    assert known(judge(design(8, {"lut": 10}), BUDGET).check("room of the part")).verdict is Verdict.UNKNOWN
    with_part = judge(design(8, {"lut": 10}, "xcvu13p-flga2577-2-e"), BUDGET)
    assert with_part.basis.startswith("rests on latency, what the part has;")
    assert known(with_part.check("lut of the part")).resource
    assert known(with_part.check("dsp of the part")).verdict is Verdict.UNKNOWN, "nobody counted them"


def test_a_verdict_of_nothing_is_none() -> None:
    assert (
        Judgement.of(()).sentence
        == "UNKNOWN: rests on nothing; no latency was judged; no quality was judged; exactness was not judged"
    )
