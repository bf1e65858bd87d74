"""What an interval must say: DSPs are counted, LUTs know no clock, a slow clock's cycles are what fits it."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.estimate import UNPROMISED, estimate, mlp_graph
from pquant_hls.estimate.operators import dsp_tiles
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, QoR, Target
from tests.helpers import cycles_of, known, latency_of, resources_of

TAGGER = (16, 64, 32, 32, 5)


def on(part: str = "xcvu13p-flga2577-2-e", clock_ns: float = 5.0, tool: str = "vitis") -> Target:
    share = 0.27 if tool == "vitis" else 0.125
    return Target.model_validate(
        {"part": part, "clock_ns": clock_ns, "clock_uncertainty_ns": share * clock_ns, "tool": tool}
    )


def ends(qor: QoR, name: str) -> tuple[float, float]:
    return resources_of(qor).intervals[name]


def product(data: FixedType, bits: int, code: int) -> FixedPointGraph:
    """One dense layer of one weight."""
    types = {"weight": FixedType(bits, 1), "accum": FixedType(60, 30)}
    arrays = {"weight": FixedArray(np.array([[code]]), bits - 1)}
    first = Node("x", "input", (), (1,), data)
    return FixedPointGraph((first, Node("fc", "dense", ("x",), (1,), types["accum"], types, arrays)), ("fc",))


@pytest.mark.parametrize("clock_ns", [2.78, 5.0, 25.0])
@pytest.mark.parametrize(
    ("part", "tool"), [("xcvu13p-flga2577-2-e", "vitis"), ("xc7vx690tffg1927-2", "vivado")]
)
def test_where_no_product_may_take_a_dsp_there_is_none_for_certain(
    part: str, tool: str, clock_ns: float
) -> None:
    assert ends(estimate(mlp_graph(TAGGER, 6), on(part, clock_ns, tool)), "dsp") == (0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [(16, 12, 1), (27, 18, 1), (28, 12, 2), (20, 20, 2), (35, 16, 2), (40, 40, 6)],
)
def test_a_factor_wider_than_a_dsp_takes_one_for_each_part(first: int, second: int, count: int) -> None:
    assert int(dsp_tiles(first, second)) == int(dsp_tiles(second, first)) == count


@pytest.mark.parametrize(
    ("width", "code", "expected", "may"),
    [(16, 0b1010101, 1, True), (10, 0b1010101, 1, True), (9, 0b1010101, 0, True), (8, 0b1010101, 0, False)],
)
def test_products_of_middling_width_are_left_open(width: int, code: int, expected: int, may: bool) -> None:
    qor = estimate(product(FixedType(width, 4), 8, code), on())
    assert resources_of(qor).dsp == expected
    assert (ends(qor, "dsp")[1] > 0) is may


@pytest.mark.parametrize("name", ["lut", "dsp", "bram_18k"])
def test_what_is_built_of_luts_does_not_depend_on_the_clock(name: str) -> None:
    found = [
        ends(estimate(mlp_graph(TAGGER, 8), on(clock_ns=clock)), name) for clock in (2.78, 5.0, 25.0, 40.0)
    ]
    assert found == [pytest.approx(found[0])] * 4
    low, high = found[0]
    assert high + 100 <= 3 * (low + 100)


def test_a_slow_clock_holds_what_fits_it() -> None:
    for clock_ns, most in ((10.0, 6), (25.0, 2), (40.0, 1)):
        latency = latency_of(estimate(mlp_graph(TAGGER, 8), on(clock_ns=clock_ns)))
        assert known(latency.cycles_max_hi) - known(latency.cycles_max_lo) <= most


def test_a_virtex_7_pipeline_is_not_bounded_by_the_clock_of_streams() -> None:
    qor = estimate(mlp_graph((7, 32, 16, 1), 6), on("xc7vx690tffg1927-2", 6.25, "vivado"))
    assert latency_of(qor).period_hi_ns == 6.25
    assert known(latency_of(qor).worst_ns_hi) <= 1.5 * known(latency_of(qor).worst_ns)


def test_a_family_that_nobody_synthesised_is_promised_nothing() -> None:
    qor = estimate(mlp_graph((16, 32, 5), 6), on("xcvc1902-vsva2197-2MP-e-S"))
    assert [note for note in qor.notes if note.startswith(UNPROMISED)] == [
        "no synthesised design of family versal: intervals are twice as wide, and no coverage is promised"
    ]
    assert not estimate(mlp_graph((16, 32, 5), 6), on()).notes


def test_shared_multipliers_of_narrow_factors_are_left_open_on_7_series_alone() -> None:
    graph = mlp_graph(TAGGER, 8, strategy="resource", reuse_factor=4)
    block = sum(a * b / 4 for a, b in ((16, 64), (64, 32), (32, 32), (32, 5)))
    assert ends(estimate(graph, on()), "dsp") == (0.0, 0.0)
    low, high = ends(estimate(graph, on("xc7z020clg400-1")), "dsp")
    assert low == 0
    assert block <= high <= 1.6 * block
    assert cycles_of(estimate(graph, on())) > 4 * 4
