"""A type for each channel or element: the emulator, the Verilog's program and the estimate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedGrid, FixedPointGraph, FixedType, Node, Target
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS
from pquant_hls.rtl import emulate
from tests.rtl.rtl_graphs import INPUT, WRAPPING, fixed_types, integers

TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)


@st.composite
def gridded(draw: st.DrawFn) -> FixedPointGraph:
    """Quantized inputs, their sums of products and a relu, the first and the last with grids."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns, units = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def grid(shape: tuple[int, ...]) -> FixedGrid:
        width, integer = rng.integers(0, 7, shape), rng.integers(-1, 5, shape)
        modes = draw(st.sampled_from(ROUNDINGS)), draw(st.sampled_from(SATURATIONS))
        return FixedGrid(width, integer, rng.random(shape) < 0.5, *modes)

    first = draw(st.sampled_from([(rows, columns), (columns,), (rows, 1)]))
    weight = {"weight": integers(rng, (columns, units), 4, 2)}
    types = {"accum": draw(WRAPPING)}
    return FixedPointGraph(
        (
            Node("x", "input", (), (rows, columns), draw(INPUT)),
            Node("q", "quantize", ("x",), (rows, columns), draw(fixed_types()), grid=grid(first)),
            Node("d", "dense", ("q",), (rows, units), draw(fixed_types()), types, weight),
            Node("r", "relu", ("d",), (rows, units), draw(fixed_types()), grid=grid((units,))),
        ),
        ("q", "r"),
    )


@given(gridded())
def test_the_emulator_stores_each_value_in_its_own_type(graph: FixedPointGraph) -> None:
    x, q, d, r = graph.nodes
    assert q.grid is not None
    assert r.grid is not None
    values = x.result.quantize(np.random.default_rng(0).uniform(-20, 20, (40, *x.shape)))
    quantized = q.result.quantize(q.grid.quantize(values))
    plain = Node("q", "input", (), q.shape, q.result)  # the product alone, from what q should give
    alone = FixedPointGraph((plain, d), ("d",))
    sums = np.asarray(emulate(alone, quantized))
    expected = r.result.quantize(r.grid.quantize(np.maximum(sums, 0.0)))
    found = emulate(graph, values)
    assert np.array_equal(found[0], quantized)
    assert np.array_equal(found[1], expected)


def quantizer(widths: np.ndarray | None) -> FixedPointGraph:
    kind = FixedType(8, 3, True, "RND", "SAT")
    grid = None if widths is None else FixedGrid(widths, np.array(3), np.array(True), "RND", "SAT")
    first = Node("x", "input", (), (4,), FixedType(16, 6))
    return FixedPointGraph((first, Node("q", "quantize", ("x",), (4,), kind, grid=grid)), ("q",))


def luts(widths: np.ndarray | None) -> float:
    resources = estimate(quantizer(widths), TARGET).resources
    assert resources is not None
    assert resources.lut is not None
    return resources.lut


def test_an_estimate_counts_the_bits_of_each_value() -> None:
    assert luts(np.full(4, 8)) == luts(None)
    assert luts(np.array([4, 4, 3, 0])) < luts(np.array([8, 8, 3, 0])) < luts(None)


@pytest.mark.parametrize("wider", [9, 20])
def test_no_value_has_more_bits_than_the_result(wider: int) -> None:
    assert luts(np.full(4, wider)) == luts(None)
