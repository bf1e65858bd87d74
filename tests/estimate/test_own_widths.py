"""Single values in types of their own: each is counted by its own bits, and what has none costs nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.estimate import estimate
from pquant_hls.estimate.compose import point_estimate
from pquant_hls.estimate.elements import input_bits, own_bits, value_types
from pquant_hls.qor import FixedArray, FixedGrid, FixedPointGraph, FixedType, Node, Target
from tests.helpers import resources_of

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
DATA = FixedType(8, 4)
COUNTED = ("lut", "ff", "dsp", "bram_18k")


def grid(width: Any, integer: Any = 4, signed: Any = True, rounding: str = "TRN") -> FixedGrid:
    return FixedGrid(np.asarray(width), np.asarray(integer), np.asarray(signed), rounding, "WRAP")


def network(types: FixedGrid | None, seed: int = 0, *, moved: bool = False) -> FixedPointGraph:
    """Eight inputs, a type each, their sums of products with six outputs."""
    rng = np.random.default_rng(seed)
    weight = {"weight": FixedArray(rng.integers(-31, 32, (8, 6)), 5)}
    kinds = {"weight": FixedType(6, 1), "accum": FixedType(24, 12)}
    between = (Node("m", "reshape", ("q",), (8,), DATA),) if moved else ()
    return FixedPointGraph(
        (
            Node("x", "input", (), (8,), FixedType(12, 6)),
            Node("q", "quantize", ("x",), (8,), DATA, grid=types),
            *between,
            Node("d", "dense", ("m" if moved else "q",), (6,), FixedType(24, 12), kinds, weight),
        ),
        ("d",),
    )


def used(graph: FixedPointGraph) -> dict[str, float]:
    point = point_estimate(graph, VU13P)
    return {"cycles": point.cycles, **{name: point.total(name) for name in COUNTED}}


def test_types_that_are_all_alike_cost_what_one_type_does() -> None:
    assert used(network(grid(np.full(8, 8)))) == used(network(None))


def test_what_has_no_bits_costs_nothing() -> None:
    dead = np.array([8, 0, 8, 0, 8, 0, 8, 0])
    graph = network(grid(dead))
    weight = graph.node("d").arrays["weight"]
    codes = weight.codes * (dead > 0)[:, None]
    zeroed = replace(graph.node("d"), arrays={"weight": FixedArray(codes, weight.frac_bits)})
    alike = replace(network(None), nodes=(*network(None).nodes[:2], zeroed))
    assert used(graph) == used(alike)
    nothing = used(network(grid(np.zeros(8, int)), moved=True))
    assert {name: nothing[name] for name in COUNTED} == dict.fromkeys(COUNTED, 0.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["TRN", "RND"]), st.booleans())
def test_fewer_bits_of_any_value_make_nothing_larger(seed: int, rounding: str, moved: bool) -> None:
    rng = np.random.default_rng(seed)
    width, integer = rng.integers(1, 9, 8), rng.integers(0, 5, 8)
    less = np.where(rng.random(8) < 0.5, width, rng.integers(0, width + 1))
    top = rng.random(8) < 0.5  # bits are taken from above, or from below
    lower = np.where(top, integer - (width - less), integer)
    wide = network(grid(width, integer, rounding=rounding), seed, moved=moved)
    narrow = network(grid(less, lower, rounding=rounding), seed, moved=moved)
    before, after = used(wide), used(narrow)
    moves = before["dsp"] > 0  # a narrower product may move from a DSP into LUTs
    grown = {name for name in before if after[name] > before[name] + 1e-6}
    assert grown - ({"lut", "ff"} if moves else set()) == set()


def test_the_widest_value_is_not_what_all_are_counted_by() -> None:
    own = grid([8, 2, 2, 2, 2, 2, 2, 2], [4, -2, -2, -2, -2, -2, -2, -2])
    assert used(network(own))["lut"] < 0.8 * used(network(None))["lut"]


def test_rounding_is_paid_by_each_value_for_itself() -> None:
    costs = [used(network(grid([bits] * 8, rounding="RND")))["lut"] for bits in (0, 2, 8)]
    assert costs == sorted(costs)


def test_the_interval_is_that_of_designs_with_types_of_their_own() -> None:
    told, one = (resources_of(estimate(network(types), VU13P)) for types in (grid(np.full(8, 8)), None))
    assert told.lut == one.lut
    assert told.intervals["lut"] != one.intervals["lut"]


@pytest.mark.parametrize(
    ("node", "widths"),
    [
        (Node("m", "reshape", ("q",), (6,), DATA, attrs={"target_shape": [6]}), [0, 1, 2, 3, 4, 5]),
        (Node("m", "transpose", ("q",), (3, 2), DATA, attrs={"perm": [1, 0]}), [[0, 3], [1, 4], [2, 5]]),
        (Node("m", "relu", ("q",), (2, 3), DATA), [[8, 8, 8], [8, 8, 8]]),
    ],
)
def test_moved_values_keep_their_types(node: Node, widths: Any) -> None:
    first = Node("x", "input", (), (2, 3), DATA)
    types = grid(np.arange(6).reshape(2, 3))
    graph = FixedPointGraph((first, Node("q", "quantize", ("x",), (2, 3), DATA, grid=types), node), ("m",))
    assert own_bits(graph, "m").tolist() == widths
    assert (value_types(graph, "m") is None) == (node.op == "relu")


def test_a_kernel_reads_the_widest_of_a_channel() -> None:
    types = grid([[3, 1], [0, 5]], [[4, 2], [0, 3]], [[True, True], [True, False]])
    kernel = {"weight": FixedArray(np.ones((2, 2, 4), np.int64), 0)}
    nodes = (
        Node("x", "input", (), (2, 2), DATA),
        Node("q", "quantize", ("x",), (2, 2), DATA, grid=types),
        Node("c", "conv1d", ("q",), (1, 4), FixedType(16, 8), arrays=kernel),
        Node(
            "w",
            "depthwise_conv1d",
            ("q",),
            (1, 2),
            FixedType(16, 8),
            arrays={"weight": FixedArray(np.ones((2, 2, 1), np.int64), 0)},
        ),
    )
    graph = FixedPointGraph(nodes, ("c", "w"))
    full, deep = input_bits(graph, nodes[2]), input_bits(graph, nodes[3])
    assert full is not None
    assert deep is not None
    assert full.own.ravel().tolist() == [3, 6, 3, 6]  # an unsigned value gets a sign
    assert full.reach.ravel().tolist() == [8, 8, 8, 8]
    assert deep.own.tolist() == [[3, 6]]
