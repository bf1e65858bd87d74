"""Drift: what grew is MISSED, what vanished is UNKNOWN, and only like is compared with like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Verdict, drift
from pquant_hls.errors import SpecError
from pquant_hls.qor import Latency, QoR, Resources

counts = st.integers(0, 10**6)


def record(cycles: int = 7, lut: float = 1000, source: str = "csynth", **more: Any) -> QoR:
    latency = Latency(cycles_max=cycles, ii_cycles=1, clock_target_ns=5, clock_estimated_ns=4)
    return QoR(source=source, latency=latency, resources=Resources(lut=lut, dsp=0), **more)


@given(counts, counts, st.floats(0, 1))
def test_met_exactly_while_nothing_grew_beyond_the_tolerance(old: int, new: int, tolerance: float) -> None:
    found = drift(record(lut=old), record(lut=new), tolerance)
    assert (found.verdict is Verdict.MET) == (new <= old * (1 + tolerance))


@given(counts)
def test_a_record_does_not_drift_from_itself(lut: int) -> None:
    found = drift(record(lut=lut), record(lut=lut))
    assert found.verdict is Verdict.MET
    assert {check.name for check in found.checks} == {"latency", "worst latency", "II", "lut", "dsp"}


def test_a_figure_that_is_gone_is_not_known() -> None:
    assert drift(record(), QoR(source="csynth")).verdict is Verdict.UNKNOWN
    assert drift(QoR(source="csynth"), record()).verdict is Verdict.UNKNOWN, "nothing to compare is no pass"
    assert (
        drift(record(cycles=6), QoR(source="csynth", resources=record().resources)).verdict is Verdict.UNKNOWN
    )


def test_only_like_is_compared() -> None:
    with pytest.raises(SpecError, match=r"compares estimate \(hls design\) with csynth"):
        drift(record(), record(source="estimate"))
    with pytest.raises(SpecError, match="rtl"):
        drift(record(), record(design="rtl"))
    with pytest.raises(SpecError, match="at least 0"):
        drift(record(), record(), -0.1)


def test_without_a_tolerance_nothing_may_grow() -> None:
    old, new = (QoR(source="csynth", resources=Resources(lut=lut)) for lut in (1000, 1001))
    assert drift(old, new).verdict is Verdict.MISSED
    assert drift(old, old).verdict is Verdict.MET
