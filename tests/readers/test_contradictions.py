"""A report states most figures more than once: each check by itself, on the figures alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import ReportError
from pquant_hls.qor import Latency, Resources
from pquant_hls.readers import (
    ApsReport,
    CosimReport,
    CsimReport,
    CsynthReport,
    ExportReport,
    TimingReport,
    UtilizationReport,
    checks,
    read_text,
)
from pquant_hls.readers.checks import Clock, Cycles
from pquant_hls.readers.records import CosimRun
from pquant_hls.readers.values import Printed, Spot
from tests.helpers import known

SPOT = Spot("a.rpt")


def ns(value: float, step: float = 0.001) -> Printed:
    return Printed(value, step)


def clock(
    target: float | None = 5.0, estimated: float | None = 3.612, uncertainty: float | None = 1.35
) -> Clock:
    figures = (None if value is None else ns(value, 0.01) for value in (target, None, uncertainty))
    found_target, _, found_uncertainty = figures
    return Clock(found_target, None if estimated is None else ns(estimated), found_uncertainty)


@pytest.mark.parametrize(
    ("given_clock", "message"),
    [
        (clock(target=0.4), "target clock: 0.4 ns is no clock period"),
        (clock(target=1001), "target clock: 1001 ns is no clock period"),
        (clock(uncertainty=5.0), "clock uncertainty: 5 ns is not below the period 5 ns"),
        (clock(estimated=501.0), "estimated clock: 501 ns is far beyond the period 5 ns"),
        (Clock(ns(5.0), ns(3.6, 0.1)), "clock: 5 and 3.6 ns stand in each other's place"),
        (
            Clock(ns(5.0, 0.1), ns(3.6, 0.1), ns(1.35, 0.01)),
            "clock: 1.35 and 3.6 ns stand in each other's place",
        ),
    ],
)
def test_a_clock_that_cannot_be(given_clock: Clock, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        checks.check_clock(given_clock, SPOT)


@pytest.mark.parametrize(
    "given_clock",
    [
        clock(),
        clock(target=0.5, uncertainty=0.49),
        clock(target=1000),
        clock(target=None),
        clock(estimated=None),
        clock(estimated=500.0),
        clock(uncertainty=None),
        Clock(ns(5.0), ns(0.0, 1.0)),
        Clock(ns(5.0), ns(3.612), ns(0.0, 1e-6)),
    ],
)
def test_a_clock_that_can_be(given_clock: Clock) -> None:
    checks.check_clock(given_clock, SPOT)


def test_the_period_is_the_larger_of_both() -> None:
    assert known(clock().period).ns == 5.0
    assert known(clock(estimated=6.0).period).ns == 6.0
    assert clock(target=None).period is clock(estimated=None).period is None


@pytest.mark.parametrize("version", [None, "2016.4", "2023.1", "2022.1.1", "2024.12"])
def test_a_version_of_the_tools(version: str | None) -> None:
    assert checks.check_version(version, SPOT) == version


@pytest.mark.parametrize("version", ["", "v2023.1", "2023", "1999.1", "2023.1 (Build 2)", "2023.100"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ReportError, match=r"tool version: .* is not a version such as 2023\.1"):
        checks.check_version(version, SPOT)


@pytest.mark.parametrize(
    ("cycles", "message"),
    [
        (Cycles(best=9, worst=8), "latency: 9 exceeds 8"),
        (Cycles(interval_min=3, interval_max=2), "interval: 3 exceeds 2"),
        (Cycles(worst=8, interval_max=10), "10 cycles between inputs, more than the latency of 8"),
        (Cycles(best=8, interval_min=10), "10 cycles between inputs, more than the latency of 8"),
        (Cycles(worst=8, interval_max=7, pipeline_type="no"), "7 cycles contradicts a latency of 8 without"),
        (Cycles(best=7, worst=8, pipeline_type="yes"), "latency of a pipeline: 8 exceeds 7"),
        (
            Cycles(interval_min=1, interval_max=2, pipeline_type="function"),
            "interval of a pipeline: 2 exceeds 1",
        ),
    ],
)
def test_cycles_that_contradict_each_other(cycles: Cycles, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        checks.check_range(cycles, SPOT)


@pytest.mark.parametrize(
    "cycles",
    [
        Cycles(),
        Cycles(8, 8, 1, 1, pipeline_type="yes"),
        Cycles(7, 8, 7, 8, pipeline_type="no"),
        Cycles(7, 8, 8, 9, pipeline_type="none"),
        Cycles(7, 8, 1, 9, pipeline_type="dataflow"),
        Cycles(best=8, interval_max=3, pipeline_type="no"),
    ],
)
def test_cycles_that_agree(cycles: Cycles) -> None:
    checks.check_range(cycles, SPOT)


@pytest.mark.parametrize(
    ("cycles", "printed", "given_clock", "message"),
    [
        (0, ns(5.0), Clock(), "0 cycles cannot take 5 ns"),
        (3, ns(0.0), Clock(), "3 cycles cannot take 0 ns"),
        (10, ns(51.0), clock(), "10 cycles of 5 ns are not the printed 51 ns"),
        (10, ns(50.0), clock(estimated=6.0), "10 cycles of 6 ns are not the printed 50 ns"),
        (10, ns(49.0), clock(estimated=None), "49 ns is less than 10 cycles of 5 ns"),
    ],
)
def test_a_time_that_is_not_cycles_times_the_period(
    cycles: int, printed: Printed, given_clock: Clock, message: str
) -> None:
    with pytest.raises(ReportError, match=message):
        checks.check_real_time(cycles, printed, given_clock, SPOT)


@given(st.integers(1, 10**6), st.integers(500, 10_000))
def test_a_time_printed_by_the_rule_is_taken_and_the_next_cycles_is_not(
    cycles: int, thousandths: int
) -> None:
    period = Clock(ns(thousandths / 1000), ns(0.5))
    printed = ns(round(cycles * thousandths / 1000, 3))
    checks.check_real_time(cycles, printed, period, SPOT)
    if 0.51 * (cycles + 1) < thousandths - 1.01:
        with pytest.raises(ReportError, match="are not the printed"):
            checks.check_real_time(cycles + 1, printed, period, SPOT)


def test_a_module_takes_between_the_target_and_the_designs_estimate() -> None:
    whole = clock(estimated=6.0)
    for total in (50.0, 55.0, 60.0):
        checks.check_module_time(10, ns(total), whole, SPOT)
    checks.check_module_time(None, ns(5.0), whole, SPOT)
    checks.check_module_time(10, ns(1000.0), clock(estimated=None), SPOT)
    with pytest.raises(ReportError, match="61 ns is more than 10 cycles of 6 ns"):
        checks.check_module_time(10, ns(61.0), whole, SPOT)
    with pytest.raises(ReportError, match="49 ns is less than 10 cycles of 5 ns"):
        checks.check_module_time(10, ns(49.0), whole, SPOT)


@pytest.mark.parametrize(
    ("cycles", "used"),
    [(Cycles(worst=1), Resources()), (Cycles(worst=0), Resources(lut=1)), (Cycles(), Resources(ff=1, lut=0))],
)
def test_no_clock_of_zero_for_a_design_of_some_logic(cycles: Cycles, used: Resources) -> None:
    zero = Clock(estimated=ns(0.0))
    with pytest.raises(ReportError, match="estimated clock: 0 ns for a design that has logic"):
        checks.check_built(zero, cycles, used, SPOT)
    checks.check_built(clock(), cycles, used, SPOT)
    checks.check_built(zero, Cycles(worst=0), Resources(lut=0), SPOT)


def test_the_clocks_port_is_of_the_top() -> None:
    checks.check_top("top", "top", SPOT)
    checks.check_top("top", "f<a, b>", SPOT)
    checks.check_top(None, "other", SPOT)
    checks.check_top("top", None, SPOT)
    with pytest.raises(ReportError, match="interface: the clock is of other, the report of top"):
        checks.check_top("top", "other", SPOT)


def test_what_is_available_is_what_the_part_has() -> None:
    part = "xcvu13p-flga2577-2-e"
    checks.check_part(part, {"lut": 1_728_000, "ff": 3_456_000, "dsp": None, "uram": 1280}, SPOT)
    checks.check_part(None, {"lut": 5, "ff": 10}, SPOT)
    with pytest.raises(ReportError, match="available: 10 LUT and 21 FF are the counts of no part"):
        checks.check_part(part, {"lut": 10, "ff": 21}, SPOT)
    with pytest.raises(ReportError, match="available: 5 dsp on xcvu13p-flga2577-2-e, which has 12288"):
        checks.check_part(part, {"dsp": 5}, SPOT)


@pytest.mark.parametrize(
    ("used", "total", "message"),
    [
        ({"lut": 1001.0}, {"lut": 10.0}, "lut: 1001 used of 10 available cannot be"),
        ({"uram": 1.0}, {"uram": 0.0}, "uram: 1 used of a part that has none"),
    ],
)
def test_resources_that_no_part_has(used: Any, total: Any, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        checks.make_resources(used, total, SPOT)


def test_resources_may_exceed_the_part_and_be_unknown() -> None:
    found = checks.make_resources({"lut": 1000.0, "ff": None, "uram": 0.0}, {"lut": 10.0, "uram": 0.0}, SPOT)
    assert (found.lut, found.ff, found.uram) == (1000.0, None, 0.0)
    assert known(found.available).lut == 10.0
    assert checks.make_resources({"lut": 1.0}, {}, SPOT).available is None


def test_columns_keep_their_order() -> None:
    checks.check_sequence(("Name", "LUT", "odd", "FF"), ("LUT", "FF", "URAM"), SPOT)
    with pytest.raises(ReportError, match="columns in an order that no tool prints: Name, FF, LUT"):
        checks.check_sequence(("Name", "FF", "LUT"), ("LUT", "FF"), SPOT)


def test_a_checked_latency_has_what_was_printed() -> None:
    cycles = Cycles(8, 8, 1, 1, ns(40.0), ns(40.0), "yes")
    assert checks.make_latency(cycles, clock(), SPOT) == Latency(
        cycles_min=8,
        cycles_max=8,
        ii_cycles=1,
        clock_target_ns=5.0,
        clock_estimated_ns=3.612,
        clock_uncertainty_ns=1.35,
    )
    with pytest.raises(ReportError, match="worst-case latency: 9 cycles of 5 ns are not the printed 40 ns"):
        checks.make_latency(Cycles(worst=9, worst_time=ns(40.0)), clock(), SPOT)


# Reports as quality of results


def test_a_cosimulation_tells_cycles_only_where_it_passed() -> None:
    run = CosimRun(status="Pass", latency_min=8, latency_max=9, ii_max=1)
    qor = CosimReport(kind="cosim", file="c", verilog=run, vhdl=CosimRun(status="NA")).to_qor()
    assert (qor.source, qor.latency) == ("cosim", Latency(cycles_min=8, cycles_max=9, ii_cycles=1))
    assert qor.metrics == {"cosim_passed": 1.0}
    failed = CosimReport(kind="cosim", file="c", vhdl=CosimRun(status="Fail", latency_max=9)).to_qor()
    assert (failed.latency, failed.metrics, failed.notes) == (
        None,
        {"cosim_passed": 0.0},
        ("c: co-simulation says Fail",),
    )
    silent = CosimReport(kind="cosim", file="c", verilog=CosimRun(status="Pass")).to_qor()
    assert (silent.latency, silent.notes) == (None, ("c: co-simulation passed, but counted no cycles",))
    none = CosimReport(kind="cosim", file="c", verilog=CosimRun(status="NA")).to_qor()
    assert (none.latency, none.metrics, none.notes) == (None, {}, ("c: no language was simulated",))


@pytest.mark.parametrize(
    ("errors", "finished", "first", "passed", "said"),
    [
        (0, True, None, True, "C simulation passed"),
        (2, True, None, False, "C simulation did not pass: 2 errors"),
        (0, None, None, None, "C simulation did not pass: it did not come to its end"),
        (None, None, "ERROR: no such file", False, "C simulation did not pass: ERROR: no such file"),
        (None, True, None, None, "C simulation did not pass: it did not come to its end"),
    ],
)
def test_a_c_simulation_in_words(
    errors: int | None, finished: bool | None, first: str | None, passed: bool | None, said: str
) -> None:
    report = CsimReport(kind="csim", file="c", errors=errors, is_finished=finished, first_error=first)
    assert report.passed is passed
    assert report.to_qor().notes == (said,)


def test_slack_and_periods_are_metrics_and_no_latency() -> None:
    timing = TimingReport(
        kind="timing", file="t", wns_ns=-0.25, tns_ns=-1.0, whs_ns=0.02, clock_period_ns=5.0, clocks=1
    )
    assert timing.to_qor().metrics == {"wns_ns": -0.25, "tns_ns": -1.0, "whs_ns": 0.02}
    assert (timing.to_qor().latency, timing.achieved_ns) == (None, 5.25)
    assert timing.model_copy(update={"clocks": 2}).achieved_ns is None
    export = ExportReport(kind="export", file="e", lut=5, bram=2, clock_post_synthesis_ns=3.1)
    assert export.to_qor().metrics == {"clock_post_synthesis_ns": 3.1, "clock_post_implementation_ns": None}
    assert export.to_qor().resources == Resources(lut=5), "how the tool counts block RAM is not known"


def test_an_empty_design_is_one_of_known_zeros() -> None:
    assert CsynthReport(kind="csynth_xml", file="c", resources=Resources(lut=0)).is_empty
    assert not CsynthReport(kind="csynth_xml", file="c").is_empty
    assert not CsynthReport(
        kind="csynth_xml", file="c", resources=Resources(lut=0), latency=Latency(cycles_max=1)
    ).is_empty


def test_a_utilization_has_the_resources_of_its_table() -> None:
    report = UtilizationReport(kind="utilization", file="u", resources=Resources(lut=4, ff=0))
    assert known(report.to_qor().resources) == Resources(lut=4, ff=0)


# Project files


def aps(period: str, target: str = "xcvu13p:-flga2577:-2-e") -> ApsReport:
    found = read_text(
        f'<solution><targetInfo><TargetInfo value="{target}"/></targetInfo>'
        f'<clockList><clock period="{period}" uncertainty="27%"/></clockList></solution>',
        "s.aps",
    )
    assert isinstance(found, ApsReport)
    return found


@pytest.mark.parametrize(
    ("text", "period"), [("5", 5.0), ("5ns", 5.0), ("2.5 ns", 2.5), ("200MHz", 5.0), ("", None), ("NA", None)]
)
def test_a_clock_as_it_was_created(text: str, period: float | None) -> None:
    assert aps(text).clock_period_ns == period


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "'0' is not a clock period"),
        ("5 us", "'5 us' is not a clock period"),
        ("-5", "'-5' is not a clock period"),
        ("0.2", "0.2 ns is no clock period of an FPGA"),
        ("5000MHz", "0.2 ns is no clock period of an FPGA"),
        ("2000", "2000 ns is no clock period of an FPGA"),
    ],
)
def test_what_is_no_clock(text: str, message: str) -> None:
    with pytest.raises(ReportError, match=rf"s\.aps: clock period: {message}"):
        aps(text)


def test_a_solution_without_a_clock_or_a_name_has_none() -> None:
    found = read_text("<solution><targetInfo/></solution>", "s.aps")
    assert isinstance(found, ApsReport)
    assert (found.solution, found.project, found.flow, found.part, found.clock_period_ns) == (None,) * 5
    with pytest.raises(ReportError, match=r"XML of a kind that is not known \(solution\)"):
        read_text("<solution/>", "s.aps")
