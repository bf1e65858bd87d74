"""Quantities with units, as recipes write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.spec.units import parse_clock_ns, parse_time_ns, parse_uncertainty


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (60, 60.0),
        (0.5, 0.5),
        ("60", 60.0),
        ("60 ns", 60.0),
        ("60ns", 60.0),
        (" 0.1 us ", 100.0),
        ("2 µs", 2000.0),
        ("1 ms", 1e6),
        ("500 ps", 0.5),
        ("2 BX", 50.0),
        ("2 bx", 50.0),
        (".5 us", 500.0),
        ("1e2 ns", 100.0),
        ("+4", 4.0),
        ("-4 ns", -4.0),
        ("5.", 5.0),
        ("1.5E1", 15.0),
    ],
)
def test_a_time(text: object, ns: float) -> None:
    assert parse_time_ns(text) == pytest.approx(ns)


@pytest.mark.parametrize(
    "text", ["", "fast", "60 parsec", "60 MHz", "6 0 ns", "ns", None, True, [60], "60 %"]
)
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(ValueError, match=r"time|unit"):
        parse_time_ns(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (5, 5.0),
        ("5 ns", 5.0),
        ("200 MHz", 5.0),
        ("360 mhz", 25 / 9),
        ("0.2 GHz", 5.0),
        ("200000 kHz", 5.0),
        ("1 BX", 25.0),
    ],
)
def test_a_clock_is_a_period_or_a_frequency(text: object, ns: float) -> None:
    assert parse_clock_ns(text) == pytest.approx(ns)


@pytest.mark.parametrize("text", ["0 MHz", "-200 MHz", "1e999 MHz"])
def test_a_frequency_is_positive_and_finite(text: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        parse_clock_ns(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, None),
        ("27%", "27%"),
        ("27 %", "27%"),
        ("12.5%", "12.5%"),
        ("0%", "0%"),
        (1.35, 1.35),
        ("1.35 ns", 1.35),
        (0, 0.0),
    ],
)
def test_an_uncertainty_is_a_share_or_a_time(text: object, found: object) -> None:
    assert parse_uncertainty(text) == found


@pytest.mark.parametrize("text", ["100%", "-1%", "150 %"])
def test_an_uncertainty_is_less_than_the_clock(text: str) -> None:
    with pytest.raises(ValueError, match=r"\[0, 100\)"):
        parse_uncertainty(text)


@pytest.mark.parametrize(
    ("backend", "given", "ns"),
    [
        ("Vitis", None, 1.35),
        ("Vivado", None, 0.625),
        ("Vitis", "10%", 0.5),
        ("Vitis", 0.2, 0.2),
        ("Vivado", 0, 0.0),
    ],
)
def test_the_uncertainty_in_ns(backend: str, given: object, ns: float) -> None:
    spec = HlsSpec.parse({"backend": backend, "clock_ns": 5, "clock_uncertainty": given})
    assert spec.clock_uncertainty_ns == pytest.approx(ns)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "0 ns"])
def test_a_budget_is_positive_and_finite(value: object) -> None:
    with pytest.raises(SpecError, match="latency_ns"):
        Budget.parse({"latency_ns": value})


@given(st.floats(1e-3, 1e6), st.sampled_from(["ns", "us", "ps", "BX"]))
def test_a_time_scales_with_its_number(number: float, unit: str) -> None:
    assert parse_time_ns(f"{number!r} {unit}") == pytest.approx(number * parse_time_ns(f"1 {unit}"))
