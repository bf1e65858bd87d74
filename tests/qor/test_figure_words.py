"""Figures as people read them; what was not measured is a dash."""

from __future__ import annotations

from typing import Any

import pytest

from pquant_hls.qor import Latency, QoR, Quality
from pquant_hls.qor.words import (
    count,
    counted,
    exact,
    figure_text,
    fixed,
    interval,
    latency_texts,
    limits,
    lost_of,
    lost_on_test,
    number,
    percent,
    points,
    source_text,
    stage_text,
)
from pquant_hls.spec import Budget


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((None, None, None), "-"),
        ((1, None, 3), "-"),
        ((None, 12, None), "12"),
        ((11, 12, None), "12"),
        ((None, 12, 13), "12"),
        ((12, 12, 12), "12"),
        ((11, 12, 13), "12 [11..13]"),
        ((0, 0, 1), "0 [0..1]"),
        ((900, 1190, 2201.4), "1,190 [900..2,201]"),
    ],
)
def test_intervals(figures: tuple[Any, Any, Any], text: str) -> None:
    assert interval(*figures) == text


def test_an_interval_with_decimals() -> None:
    assert interval(1.04, 2.06, 3.0, 1) == "2.1 [1.0..3.0]"


@pytest.mark.parametrize(
    ("function", "values", "text"),
    [
        (percent, (None,), "-"),
        (percent, (0.7446,), "74.46 %"),
        (percent, (0.0,), "0.00 %"),
        (percent, (0.7446, 0.0043), "74.46 ± 0.43 %"),
        (percent, (None, 0.1), "-"),
        (percent, (0.5, 0.25), "50.00 ± 25.00 %"),
        (points, (None,), "-"),
        (points, (0.0078,), "+0.78"),
        (points, (-0.0003,), "-0.03"),
        (points, (0.0,), "+0.00"),
        (points, (0.0078, 0.0021), "+0.78 ± 0.21"),
        (count, (None,), "-"),
        (count, (1092,), "1,092"),
        (count, (0,), "0"),
        (count, (12.6,), "13"),
        (fixed, (None, 1), "-"),
        (fixed, (1390.04, 1), "1,390.0"),
        (number, (None,), "-"),
        (number, (304.64,), "304.6"),
        (number, (999.96,), "1,000"),
        (number, (2201,), "2,201"),
        (number, (9999.6,), "10,000"),
        (number, (-5376.2,), "-5,376"),
        (number, (5376.25, 6), "5,376.25"),
        (number, (1e6, 6), "1,000,000"),
        (number, (0.000123456,), "0.0001235"),
        (number, (0,), "0"),
        (exact, (1234567.5,), "1,234,567.5"),
        (exact, (0.1,), "0.1"),
        (exact, (40,), "40"),
        (figure_text, (Quality(value=12345.6, error=210.0, events=9, unit="MeV"),), "12,346 ± 210 MeV"),
    ],
)
def test_a_figure(function: Any, values: tuple[Any, ...], text: str) -> None:
    assert function(*values) == text


def test_latency_in_cycles_and_ns() -> None:
    found = Latency(cycles_max=10, cycles_max_lo=9, cycles_max_hi=12, clock_target_ns=5, clock_estimated_ns=4)
    assert latency_texts({"latency": found.model_dump()}) == ("10 [9..12]", "50.0 [45.0..60.0]")
    assert latency_texts({"latency": Latency(cycles_max=0).model_dump()}) == ("0", "-")
    assert latency_texts({"latency": None}) == latency_texts({}) == latency_texts(None) == ("-", "-")


@pytest.mark.parametrize(
    ("qor", "text"),
    [
        (None, "-"),
        ({}, "-"),
        ({"source": None}, "-"),
        ({"source": "csynth"}, "csynth"),
        ({"source": "csynth", "metrics": None}, "csynth"),
        ({"source": "csynth", "metrics": {"estimate_error_cycles": 0.0}}, "csynth\n(estimate +0)"),
        ({"source": "csynth", "metrics": {"estimate_error_cycles": -2.0}}, "csynth\n(estimate -2)"),
    ],
)
def test_the_source_and_how_far_off_the_estimate_was(qor: Any, text: str) -> None:
    assert source_text(qor) == text


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        ({"latency_ns": 40}, "latency <= 40 ns"),
        ({"latency_cycles": 8}, "latency <= 8 cycles"),
        ({"ii_cycles": 1}, "II <= 1"),
        ({"resources": {"lut": 1234567}}, "lut <= 1,234,567"),
        ({"resources": {"lut": 1000, "dsp": 0}}, "lut <= 1,000, dsp <= 0"),
        ({"latency_ns": 40, "max_accuracy_loss": 0.02}, "latency <= 40 ns, accuracy loss <= 2 points"),
        ({"latency_ns": 40, "min_accuracy": 0.75}, "latency <= 40 ns, accuracy >= 75 %"),
        (
            {"latency_ns": 40, "max_accuracy_loss": 0, "ii_cycles": 2},
            "latency <= 40 ns, II <= 2, accuracy loss <= 0 points",
        ),
    ],
)
def test_a_budget_in_words(budget: dict[str, Any], text: str) -> None:
    assert limits(Budget.parse(budget).model_dump()) == text


def test_no_budget_has_no_words() -> None:
    assert limits({}) == ""


@pytest.mark.parametrize(
    ("source", "state", "text"),
    [
        ("estimate", None, "estimated"),
        ("rtl", None, "estimated, as after routing"),
        ("csynth", None, "after C synthesis"),
        ("vsynth", "Synthesized", "after logic synthesis"),
        ("vsynth", "Fully Placed", "after placing"),
        ("vsynth", "Routed", "after routing"),
        ("vsynth", "Odd", "by Vivado: Odd"),
        ("board", None, ""),
    ],
)
def test_figures_say_their_stage(source: str, state: str | None, text: str) -> None:
    assert stage_text(QoR(source=source, state=state)) == text


def test_losses_with_their_errors() -> None:
    metrics = {
        "loss_error": 0.01,
        "test_loss_error": 0.02,
        "test_accuracy": 0.7,
        "test_accuracy_float": 0.75,
    }
    found = QoR(accuracy=0.72, metrics=metrics)
    for (lost, error), wanted in ((lost_of(found, 0.75), (0.03, 0.01)), (lost_on_test(found), (0.05, 0.02))):
        assert (lost, error) == pytest.approx(wanted)
    assert lost_of(QoR(), 0.75) == (None, None)


def test_one_of_a_thing_has_no_plural() -> None:
    said = [counted(number, "round") for number in (0, 1, 2, 1200)]
    assert said == ["0 rounds", "1 round", "2 rounds", "1,200 rounds"]
