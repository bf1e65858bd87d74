"""Chains computed as arrays: the same values as alkaid's trace, in every mode, and what is left to the trace."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.qor import FixedArray, FixedGrid, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import Emulator
from pquant_hls.rtl.arrays import ArrayProgram, NotPlain
from pquant_hls.rtl.bridge import bridge

ROUNDINGS, SATURATIONS = ("TRN", "TRN_ZERO", "RND", "RND_CONV"), ("WRAP", "SAT", "SAT_SYM")


def chain(rng: np.random.Generator, *, grids: bool = False, finest: int = 3) -> FixedPointGraph:
    """Two dense layers with a ReLU between them, types narrow enough to round, wrap and saturate."""
    sizes = rng.integers(1, 6, 3)
    nodes = [Node("x", "input", (), (int(sizes[0]),), FixedType(6, 3))]
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        modes = (str(rng.choice(ROUNDINGS)), str(rng.choice(SATURATIONS)))
        arrays = {
            "weight": FixedArray(rng.integers(-7, 8, (n_in, n_out)), int(rng.integers(0, finest))),
            "bias": FixedArray(rng.integers(-99, 100, n_out), int(rng.integers(0, 8))),
        }
        integer = int(rng.integers(3, 10))  # sums wrap in the narrow ones
        accum = FixedType(14 + integer, integer)
        kind = FixedType(int(rng.integers(2, 12)), int(rng.integers(-1, 8)), bool(rng.integers(2)), *modes)
        grid = None
        if grids:
            width = rng.integers(0, 7, n_out)
            grid = FixedGrid(width, rng.integers(0, 6, n_out), rng.integers(2, size=n_out) == 1, *modes)
            kind = FixedType(20, 12)
        nodes.append(
            Node(f"fc{number}", "dense", (nodes[-1].name,), (int(n_out),), accum, {"accum": accum}, arrays)
        )
        nodes.append(
            Node(
                f"act{number}",
                ("relu", "quantize")[number],
                (nodes[-1].name,),
                (int(n_out),),
                kind,
                grid=grid,
            )
        )
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def traced(graph: FixedPointGraph, x: np.ndarray) -> np.ndarray:
    """What alkaid's program gives."""
    stored = graph.inputs[0].result.quantize(x)
    return np.asarray(bridge(graph).logic.predict(stored)).reshape(len(x), -1)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_arrays_give_what_the_trace_gives(seed: int, grids: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = chain(rng, grids=grids)
    x = rng.uniform(-5, 5, (300, *graph.inputs[0].shape))
    program = ArrayProgram(graph)
    np.testing.assert_array_equal(program.run(graph.inputs[0].result.quantize(x)), traced(graph, x))


def test_wide_sums_take_float64() -> None:
    graph = chain(np.random.default_rng(1))
    wide = Node(
        "wide",
        "dense",
        (graph.outputs[0],),
        (1,),
        FixedType(40, 20),
        {"accum": FixedType(40, 20)},
        {"weight": FixedArray(np.full((graph.node(graph.outputs[0]).shape[0], 1), (1 << 20) + 1), 12)},
    )
    longer = FixedPointGraph((*graph.nodes, wide), ("wide",))
    x = np.random.default_rng(2).uniform(-4, 4, (50, *graph.inputs[0].shape))
    program = ArrayProgram(longer)
    assert (ArrayProgram(graph).dtype, program.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(program.run(graph.inputs[0].result.quantize(x)), traced(longer, x))


def test_what_is_left_to_the_trace() -> None:
    first = Node("x", "input", (), (2,), FixedType(8, 4))
    weight = {"weight": FixedArray(np.full((2, 2), 3), 3)}
    cases = {
        "another operation": Node("y", "hard_tanh", ("x",), (2,), FixedType(8, 4)),
        "each product is rounded": Node(
            "y", "dense", ("x",), (2,), FixedType(8, 4), {"accum": FixedType(8, 4)}, weight
        ),
        "a saturating accumulator": Node(
            "y",
            "dense",
            ("x",),
            (2,),
            FixedType(8, 4),
            {"accum": FixedType(30, 15, saturation="SAT")},
            weight,
        ),
        "a rounding of its own": Node("y", "quantize", ("x",), (2,), FixedType(5, 4, rounding="RND_ZERO")),
        "more than 53 bits": Node(
            "y",
            "dense",
            ("x",),
            (2,),
            FixedType(64, 32),
            {},
            {"weight": FixedArray(np.full((2, 2), (1 << 50) + 1), 3)},
        ),
    }
    for node in cases.values():
        with pytest.raises(NotPlain):
            ArrayProgram(FixedPointGraph((first, node), ("y",)))
    branch = (
        first,
        Node("y", "relu", ("x",), (2,), FixedType(8, 4)),
        Node("z", "relu", ("x",), (2,), FixedType(8, 4)),
    )
    with pytest.raises(NotPlain):
        ArrayProgram(FixedPointGraph(branch, ("y", "z")))


def test_an_emulator_takes_either_way() -> None:
    plain = chain(np.random.default_rng(5))
    last = plain.node(plain.outputs[0])
    other = Node(
        "tanh", "hard_tanh", (last.name,), last.shape, FixedType(8, 4), attrs={"slope": 0.5, "shift": 0.5}
    )
    assert Emulator(plain).arrays is not None
    assert Emulator(FixedPointGraph((*plain.nodes, other), ("tanh",))).arrays is None


def test_a_limit_may_be_finer_than_the_values_that_it_cuts() -> None:
    """255/256 comes of multiples of 1/8 that saturate; what rounds it next has bits to round."""
    nodes = (
        Node("x", "input", (), (1,), FixedType(6, 3)),
        Node("cut", "relu", ("x",), (1,), FixedType(8, 0, False, "TRN", "SAT")),
        Node("round", "quantize", ("cut",), (1,), FixedType(5, 1, True, "RND_CONV", "SAT")),
    )
    graph, x = FixedPointGraph(nodes, ("round",)), np.array([[2.0], [0.5], [-1.0]])
    np.testing.assert_array_equal(ArrayProgram(graph).run(x), traced(graph, x))
    np.testing.assert_array_equal(ArrayProgram(graph).run(x), [[0.9375], [0.5], [0.0]])
