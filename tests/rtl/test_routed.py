"""LUT and clock after routing: within stated errors on every routed design, wider where nothing was routed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.qor import Target
from pquant_hls.rtl import routed as fit
from pquant_hls.rtl.routed import routed

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=2.0, clock_uncertainty_ns=0.0)
UNIT_NS, CUT = 0.53, 2.6


@dataclass(frozen=True)
class Design:
    cost: float
    stages: int
    lut: float
    period_ns: float


@pytest.fixture(scope="module")
def designs(corpus: Path) -> list[Design]:
    with (corpus / "synthesis_corpus" / "post_route.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys = ("alkaid_cost", "stages", "lut", "actual_period_ns")
    return [Design(float(r[keys[0]]), int(r[keys[1]]), float(r[keys[2]]), float(r[keys[3]])) for r in rows]


def mean_period_error(designs: list[Design], left_out: bool) -> float:
    """Mean relative error of the form fitted here, each design by the others' least absolute deviations."""
    errors = []
    for index, design in enumerate(designs):
        others = [d for i, d in enumerate(designs) if i != index or not left_out]
        x = np.array([np.sqrt(d.cost / d.stages) for d in others])
        y = np.array([d.period_ns for d in others])
        # the least absolute line passes through two of its points
        lines = [((y[j] - y[i]) / (x[j] - x[i]), i) for i in range(len(x)) for j in range(i) if x[i] != x[j]]
        slope, at = min(
            lines, key=lambda line: float(np.abs((y - y[line[1]] - line[0] * (x - x[line[1]])) / y).sum())
        )
        guess = y[at] + slope * (np.sqrt(design.cost / design.stages) - x[at])
        errors.append(abs(guess / design.period_ns - 1))
    return float(np.mean(errors))


@pytest.mark.corpus
def test_lut_by_cost_is_within_eight_percent_of_every_routed_design(designs: list[Design]) -> None:
    for index, design in enumerate(designs):
        others = [d.lut / d.cost for i, d in enumerate(designs) if i != index]
        assert abs(float(np.exp(np.mean(np.log(others)))) * design.cost / design.lut - 1) < 0.08
        found = routed(design.cost, CUT, design.stages, VU13P, UNIT_NS)
        assert abs(found.lut / design.lut - 1) < 0.08
        assert found.lut_low <= design.lut <= found.lut_high
        assert found.lut_high / found.lut_low <= 1.25


@pytest.mark.corpus
def test_the_clock_grows_with_the_design_and_its_bound_holds(designs: list[Design]) -> None:
    assert mean_period_error(designs, left_out=True) < 0.054
    found = [routed(d.cost, CUT, d.stages, VU13P, UNIT_NS) for d in designs]
    errors = [abs(r.period_ns / d.period_ns - 1) for r, d in zip(found, designs, strict=True)]
    assert float(np.mean(errors)) < 0.054
    assert all(d.period_ns <= r.period_high_ns for r, d in zip(found, designs, strict=True))


def test_intervals_widen_where_nothing_was_routed_and_say_so() -> None:
    inside = routed(100_000, 2.6, 22, VU13P, UNIT_NS)
    small = routed(2_000, 2.6, 3, VU13P, UNIT_NS)
    large = routed(400_000, 2.6, 30, VU13P, UNIT_NS)
    other = routed(100_000, 2.6, 22, VU13P.model_copy(update={"part": "xcku115-flvb2104-2-e"}), UNIT_NS)

    def spread(found: fit.Routed) -> tuple[float, float]:
        return found.lut_high / found.lut_low, found.period_high_ns / found.period_ns

    for beyond in (small, large, other):
        assert spread(beyond)[0] > spread(inside)[0]
        assert spread(beyond)[1] > spread(inside)[1]
        assert "wider intervals" in beyond.note
    assert "wider" not in inside.note
    assert "smaller (2,120 LUT)" in small.note
    assert "xcku115" in other.note


def test_more_logic_in_a_stage_is_a_slower_clock() -> None:
    periods = [routed(cost, 2.6, 20, VU13P, UNIT_NS).period_ns for cost in (0, 1e3, 1e4, 1e5, 2e5)]
    assert periods == sorted(periods)
    assert periods[-1] > 2 * periods[0]
