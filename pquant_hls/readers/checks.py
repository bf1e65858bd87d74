"""Cross-checks: a report states most figures more than once, and a damaged one contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pquant_hls.qor import Available, Latency, Resources
from pquant_hls.qor.parts import available as available_on
from pquant_hls.readers import values
from pquant_hls.readers.values import CLOCK_NS, MAX_CLOCK_RATIO, MAX_USED_RATIO, Printed, Spot

NOT_PIPELINED = ("no", "none")
PIPELINED = ("yes", "function")
_VERSION = re.compile(r"20\d\d\.\d{1,2}(\.\d{1,2})?\Z", re.ASCII)
RESOURCE_NAMES = {
    "LUT": "lut",
    "FF": "ff",
    "DSP": "dsp",
    "DSP48E": "dsp",
    "BRAM_18K": "bram_18k",
    "URAM": "uram",
}


@dataclass(frozen=True)
class Clock:
    """Clock figures as printed; None where the file does not tell."""

    target: Printed | None = None
    estimated: Printed | None = None
    uncertainty: Printed | None = None

    @property
    def period(self) -> Printed | None:
        """What the tools multiply cycles by: the larger of target and estimate."""
        if self.target is None or self.estimated is None:
            return None
        return max(self.target, self.estimated, key=lambda printed: printed.ns)


@dataclass(frozen=True)
class Cycles:
    """Latency and interval in cycles with the tool's own real-time latencies."""

    best: int | None = None
    worst: int | None = None
    interval_min: int | None = None
    interval_max: int | None = None
    best_time: Printed | None = None
    worst_time: Printed | None = None
    pipeline_type: str | None = None


def check_version(version: str | None, spot: Spot) -> str | None:
    if version is not None and not _VERSION.match(version):
        raise spot.at("tool version").error(f"{version[:40]!r} is not a version such as 2023.1")
    return version


def check_clock(clock: Clock, spot: Spot) -> None:
    """Target within the range of real clocks, uncertainty below it, estimate within a factor of 100 of it."""
    target = clock.target
    if target is None:
        return
    if not CLOCK_NS[0] <= target.ns <= CLOCK_NS[1]:
        raise spot.at("target clock").error(f"{target.ns:g} ns is no clock period of an FPGA")
    _check_digits(clock, spot)
    period = f"the period {target.ns:g} ns"
    if clock.uncertainty is not None and clock.uncertainty.ns >= target.ns:
        raise spot.at("clock uncertainty").error(f"{clock.uncertainty.ns:g} ns is not below {period}")
    if clock.estimated is not None and clock.estimated.ns > MAX_CLOCK_RATIO * target.ns:
        raise spot.at("estimated clock").error(f"{clock.estimated.ns:g} ns is far beyond {period}")


def _check_digits(clock: Clock, spot: Spot) -> None:
    """The tools print an estimate with as many digits as what they were told, or more: swapped ones show."""
    for told in (clock.target, clock.uncertainty):
        if clock.estimated is None or told is None or 0 in (clock.estimated.ns, told.ns):
            continue
        if clock.estimated.step_ns > 1.5 * told.step_ns:
            raise spot.at("clock").error(
                f"{told.ns:g} and {clock.estimated.ns:g} ns stand in each other's place"
            )


def check_built(clock: Clock, cycles: Cycles, used: Resources, spot: Spot) -> None:
    """The tools estimate a clock of 0 only where they removed the whole function."""
    is_zero = clock.estimated is not None and clock.estimated.ns == 0
    if is_zero and (cycles.worst or used.lut or used.ff or used.dsp):
        raise spot.at("estimated clock").error("0 ns for a design that has logic in it")


def check_cycles(cycles: Cycles, clock: Clock, spot: Spot) -> None:
    """Order of the ranges, interval against latency, and cycles x period against the printed time."""
    check_range(cycles, spot)
    check_real_time(cycles.best, cycles.best_time, clock, spot.at("best-case latency"))
    check_real_time(cycles.worst, cycles.worst_time, clock, spot.at("worst-case latency"))


def check_range(cycles: Cycles, spot: Spot) -> None:
    """Latency and interval of one function; where it is pipelined each is one number, not a range."""
    check_order(cycles.best, cycles.worst, spot.at("latency"))
    check_order(cycles.interval_min, cycles.interval_max, spot.at("interval"))
    check_interval(cycles, spot.at("interval"))
    if cycles.pipeline_type in PIPELINED:
        check_order(cycles.worst, cycles.best, spot.at("latency of a pipeline"))
        check_order(cycles.interval_max, cycles.interval_min, spot.at("interval of a pipeline"))


def check_top(top: str | None, source: str | None, spot: Spot) -> None:
    """The clock's port belongs to the top; a template's name there (``f<a, b>``) is not compared."""
    if top is not None and source is not None and source.isidentifier() and source != top:
        raise spot.at("interface").error(f"the clock is of {source}, the report of {top}")


def check_order(low: float | None, high: float | None, spot: Spot) -> None:
    if low is not None and high is not None and low > high:
        raise spot.error(f"{low:g} exceeds {high:g}")


def check_interval(cycles: Cycles, spot: Spot) -> None:
    """An interval is at most latency + 1; without pipelining it is the latency or one more."""
    for interval, latency in ((cycles.interval_min, cycles.best), (cycles.interval_max, cycles.worst)):
        if interval is None or latency is None:
            continue
        if interval > latency + 1:
            raise spot.error(f"{interval} cycles between inputs, more than the latency of {latency}")
        if cycles.pipeline_type in NOT_PIPELINED and interval not in (latency, latency + 1):
            raise spot.error(f"{interval} cycles contradicts a latency of {latency} without pipelining")


def check_real_time(cycles: int | None, printed: Printed | None, clock: Clock, spot: Spot) -> None:
    """cycles x max(target, estimated) equals the printed time within the rounding of both figures."""
    if cycles is None or printed is None:
        return
    if (cycles == 0) != (printed.ns == 0):
        raise spot.error(f"{cycles} cycles cannot take {printed.ns:g} ns")
    if clock.period is not None:
        _check_product(cycles, printed, clock.period, spot)
        return
    target = clock.target
    if target is not None and printed.ns < cycles * (target.ns - target.step_ns) - 2 * printed.step_ns:
        raise spot.error(f"{printed.ns:g} ns is less than {cycles} cycles of {target.ns:g} ns")


def _check_product(cycles: int, printed: Printed, period: Printed, spot: Spot) -> None:
    tolerance = 0.51 * cycles * period.step_ns + 1.01 * printed.step_ns
    if abs(cycles * period.ns - printed.ns) > tolerance:
        raise spot.error(f"{cycles} cycles of {period.ns:g} ns are not the printed {printed.ns:g} ns")


def check_module_time(cycles: int | None, printed: Printed | None, clock: Clock, spot: Spot) -> None:
    """A module has its own estimate: its period lies between the target and that of the whole design."""
    check_real_time(cycles, printed, Clock(target=clock.target), spot)
    if cycles is None or printed is None or clock.period is None:
        return
    if printed.ns > cycles * (clock.period.ns + clock.period.step_ns) + 2 * printed.step_ns:
        raise spot.error(f"{printed.ns:g} ns is more than {cycles} cycles of {clock.period.ns:g} ns")


def make_latency(cycles: Cycles, clock: Clock, spot: Spot) -> Latency:
    """The checked record."""
    check_clock(clock, spot)
    check_cycles(cycles, clock, spot)
    try:
        return Latency(
            cycles_min=cycles.best,
            cycles_max=cycles.worst,
            ii_cycles=cycles.interval_max,
            clock_target_ns=values.ns(clock.target),
            clock_estimated_ns=values.ns(clock.estimated),
            clock_uncertainty_ns=values.ns(clock.uncertainty),
        )
    except ValidationError as cause:
        raise spot.error(f"impossible latency: {cause.errors()[0]['msg']}") from cause


def check_part(part: str | None, total: Mapping[str, float | None], spot: Spot) -> None:
    """What is available is what the part has; flip-flops are two for each LUT (UG474, UG574, AM005)."""
    lut, ff = total.get("lut"), total.get("ff")
    if lut is not None and ff is not None and ff != 2 * lut:
        raise spot.at("available").error(f"{lut:.0f} LUT and {ff:.0f} FF are the counts of no part")
    device = available_on(part)
    for name, count in total.items():
        there = None if device is None else getattr(device, name)
        if count is not None and there is not None and count != there:
            raise spot.at("available").error(f"{count:.0f} {name} on {part}, which has {there:.0f}")


def check_sequence(titles: Sequence[str], known: Sequence[str], spot: Spot) -> None:
    """Columns stand in the order in which all versions of the tools print them."""
    places = [titles.index(title) for title in known if title in titles]
    if places != sorted(places):
        raise spot.error(f"columns in an order that no tool prints: {', '.join(titles)[:120]}")


def make_resources(used: dict[str, float | None], total: dict[str, float | None], spot: Spot) -> Resources:
    """Used and available under the record's own names; refuses more than 100 times what the part has."""
    for name, value in used.items():
        there = total.get(name)
        if value is None or there is None:
            continue
        if value > MAX_USED_RATIO * there and (value > 0 and there > 0):
            raise spot.at(name).error(f"{value:g} used of {there:g} available cannot be")
        if value > 0 and there == 0:
            raise spot.at(name).error(f"{value:g} used of a part that has none")
    available = Available(**total) if total else None
    return Resources(available=available, **used)
