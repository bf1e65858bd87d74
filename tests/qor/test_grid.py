"""Types of single values: stored value by value as the plain rules say, and kept in the graph's file."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.qor import FixedArray, FixedGrid, FixedPointGraph, FixedType, Node

WIDE = FixedType(16, 6)


def stored(value: float, width: int, integer: int, *, signed: bool, half_up: bool, clip: bool) -> float:
    """One value in its type, by exact fractions: RND adds half and drops, SAT clips, WRAP keeps the low bits."""
    if width == 0:
        return 0.0
    lsb = Fraction(2) ** (integer - width)
    code = floor(Fraction(value) / lsb + (Fraction(1, 2) if half_up else 0))
    least, most = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    code = min(max(code, least), most) if clip else (code - least) % 2**width + least
    return float(code * lsb)


@given(
    st.lists(
        st.tuples(st.integers(0, 10), st.integers(-3, 6), st.booleans(), st.floats(-70, 70)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.booleans(),
)
def test_each_value_is_stored_in_its_own_type(
    cells: list[tuple[int, int, bool, float]], half_up: bool, clip: bool
) -> None:
    width, integer, signed, values = (np.array(part) for part in zip(*cells, strict=True))
    grid = FixedGrid(width, integer, signed, "RND" if half_up else "TRN", "SAT" if clip else "WRAP")
    expected = [stored(value, w, i, signed=s, half_up=half_up, clip=clip) for w, i, s, value in cells]
    assert grid.quantize(values[np.newaxis]).tolist() == [expected]


def test_a_type_of_a_channel_holds_for_all_places() -> None:
    grid = FixedGrid(np.array([4, 0]), np.array([2, 0]), np.array([True, True]))
    values = np.full((2, 3, 2), 1.3)
    assert np.array_equal(grid.quantize(values), np.broadcast_to([1.25, 0.0], values.shape))


def node(grid: FixedGrid | None) -> Node:
    return Node("q", "quantize", ("x",), (2, 3), WIDE, grid=grid)


def graph(grid: FixedGrid | None) -> FixedPointGraph:
    return FixedPointGraph((Node("x", "input", (), (2, 3), WIDE), node(grid)), ("q",))


def test_a_graph_keeps_its_grids() -> None:
    grid = FixedGrid(np.array([[4], [0]]), np.array([[1], [2]]), np.array(True), "RND", "SAT")
    read = FixedPointGraph.from_bytes(graph(grid).to_bytes())
    kept = read.node("q").grid
    assert kept is not None
    assert np.array_equal(kept.kinds((2, 3)), grid.kinds((2, 3)))
    assert (kept.rounding, kept.saturation) == ("RND", "SAT")
    other = FixedGrid(np.array([[4], [1]]), grid.integer, grid.signed, "RND", "SAT")
    digests = {read.digest(), graph(grid).digest(), graph(other).digest(), graph(None).digest()}
    assert len(digests) == 3


def test_only_a_graph_with_a_grid_has_the_newer_schema() -> None:
    plain, newer = (
        graph(None).to_bytes(),
        graph(FixedGrid(np.array(4), np.array(1), np.array(True))).to_bytes(),
    )
    assert b'"schema_version": 1' in header(plain)
    assert b'"schema_version": 2' in header(newer)


def header(blob: bytes) -> bytes:
    import io
    import zipfile

    return zipfile.ZipFile(io.BytesIO(blob)).read("graph.json")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((np.array([-1]), np.array([1]), np.array([True])), "at least 0 bits"),
        ((np.array([1, 2]), np.array([1, 2, 3]), np.array(True)), "different shapes"),
        ((np.array([1]), np.array([1]), np.array([True]), "UP"), "unknown rounding"),
    ],
)
def test_no_grid_without_widths_shapes_and_modes_that_fit(parts: tuple[Any, ...], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        FixedGrid(*parts)


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 3), (4,)])
def test_a_grid_fits_the_values(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedModel, match=r"q: a grid .* does not fit"):
        node(FixedGrid(np.full(shape, 4), np.array(1), np.array(True)))


def test_a_port_has_one_type() -> None:
    grid = FixedGrid(np.array(4), np.array(1), np.array(True))
    with pytest.raises(UnsupportedModel, match="x: neither an input"):
        Node("x", "input", (), (3,), WIDE, grid=grid)
    with pytest.raises(UnsupportedModel, match="q: neither an input"):
        Node(
            "q", "quantize", ("x",), (3,), WIDE, {}, {"grid": FixedArray(np.zeros(1, np.int64), 0)}, grid=grid
        )
