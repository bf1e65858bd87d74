"""The stages of a graph: exactly what the emulator computes, and no value outside of any bound."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.errors import NotMeasured
from pquant_hls.overflow import program_of
from pquant_hls.overflow.curves import Store
from pquant_hls.overflow.stages import Box
from pquant_hls.qor import FixedPointGraph
from tests.rtl.rtl_graphs import (
    conv_graph,
    dense_graph,
    merge_graph,
    pointwise_graph,
    pool_graph,
)

GRAPHS = st.one_of(dense_graph(), conv_graph(), pool_graph(), pointwise_graph(), merge_graph())
Row = np.ndarray


def inputs(graph: FixedPointGraph, rows: int, seed: int) -> Row:
    """Inputs on the ports' grids, all ports side by side, their ends among them."""
    rng = np.random.default_rng(seed)
    parts = []
    for node in graph.inputs:
        size, kind = prod(node.shape), node.result
        codes = rng.integers(kind.code_min, kind.code_max + 1, (rows, size))
        ends = np.where(rng.random((rows, size)) < 0.5, kind.code_min, kind.code_max)
        parts.append(np.where(rng.random((rows, 1)) < 0.3, ends, codes) * kind.lsb)
    return np.concatenate(parts, axis=1)


def emulated(graph: FixedPointGraph, x: Row) -> list[Row]:
    from pquant_hls.rtl import emulate

    ends = np.cumsum([prod(node.shape) for node in graph.inputs])[:-1]
    arrays = [
        part.reshape(len(x), *node.shape)
        for part, node in zip(np.split(x, ends, axis=1), graph.inputs, strict=True)
    ]
    found = emulate(graph, arrays[0] if len(arrays) == 1 else arrays)
    return found if isinstance(found, list) else [found]


@settings(max_examples=120)
@given(graph=GRAPHS, seed=st.integers(0, 1000))
def test_the_stages_compute_what_the_emulator_does(graph: FixedPointGraph, seed: int) -> None:
    x = inputs(graph, 40, seed)
    try:
        expected = emulated(graph, x)
    except NotMeasured:
        return
    program = program_of(graph, None)
    values = program.run(x)
    for name, wanted in zip(graph.outputs, expected, strict=True):
        found = values[program.places[name]]
        if found is not None:
            assert np.array_equal(found, wanted.reshape(len(x), -1)), name


def test_every_operation_of_the_emulator_has_stages() -> None:
    """But for ternary_tanh on a doubled value and programs of single values, which are left to csim."""
    from pquant_hls.overflow.rules import RULES
    from pquant_hls.rtl import _layers  # noqa: F401 - registers the rules
    from pquant_hls.rtl._call import LAYERS

    built_in = {name for name in LAYERS if not name.startswith("test")}
    assert {name for name in built_in - set(RULES) if name in _operations()} == {"logic"}


def _operations() -> set[str]:
    from pquant_hls.qor.ops import _BUILT_IN

    return {one.name for one in _BUILT_IN}


@settings(max_examples=80)
@given(graph=GRAPHS, seed=st.integers(0, 1000), share=st.floats(0.05, 1.0))
def test_no_value_lies_outside_of_a_bound(graph: FixedPointGraph, seed: int, share: float) -> None:
    """Intervals, and bounds by substitution, of every stage; for a part of the inputs' range."""
    ranges = [
        (np.array(node.result.low * share), np.array(node.result.high * share)) for node in graph.inputs
    ]
    program = program_of(graph, ranges)
    for place, stage in enumerate(program.stages):
        program.refresh(place)
        if stage.sources:
            program.narrow(place, np.arange(stage.size))
    box = program.ports
    rng = np.random.default_rng(seed)
    shape = (60, len(box.low))
    x = np.where(rng.random(shape) < 0.5, rng.uniform(*box, shape), np.where(rng.random(shape) < 0.5, *box))
    for place, found in enumerate(program.run(x)):
        if found is not None:
            low, high = program.boxes[place]
            assert np.all(found >= low - 1e-9), (place, program.stages[place])
            assert np.all(found <= high + 1e-9), (place, program.stages[place])


@settings(max_examples=60)
@given(graph=GRAPHS, seed=st.integers(0, 1000))
def test_a_store_that_fits_changes_a_value_by_its_rounding_alone(graph: FixedPointGraph, seed: int) -> None:
    program = program_of(graph, None)
    values = program.run(inputs(graph, 30, seed))
    for stage, stored in zip(program.stages, values, strict=True):
        if not isinstance(stage, Store) or stored is None:
            continue
        read = values[stage.sources[0]]
        assert read is not None
        fits = stage.fits(program.read_box(stage))
        assert np.array_equal(stored[:, fits], stage.rounded(read)[:, fits])


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), integer=st.integers(1, 5), signed=st.booleans())
def test_a_sum_that_saturates_midway_is_bounded_by_its_type_alone(
    seed: int, integer: int, signed: bool
) -> None:
    """Term by term, in two orders, as a C++ loop adds: both lie within the bounds."""
    from pquant_hls.qor import FixedArray, FixedType, Node

    rng = np.random.default_rng(seed)
    kind, accum = FixedType(4, 2), FixedType(integer + 4, integer, signed, "TRN", "SAT")
    codes, bias = rng.integers(-8, 8, (4, 2)), rng.integers(-8, 8, 2)
    arrays = {"weight": FixedArray(codes, 2), "bias": FixedArray(bias, 2)}
    types = {"weight": FixedType(4, 2), "bias": FixedType(4, 2), "accum": accum}
    nodes = (
        Node("x", "input", (), (4,), kind),
        Node("fc", "dense", ("x",), (2,), FixedType(20, 10), types, arrays),
    )
    graph = FixedPointGraph(nodes, ("fc",))
    program, x = program_of(graph, None), inputs(graph, 60, seed)
    low, high = program.boxes[program.places["fc"]]
    for order in (range(4), range(3, -1, -1)):
        total = np.broadcast_to(accum.quantize(bias / 4), (len(x), 2))
        for place in order:
            total = accum.quantize(total + accum.quantize(x[:, [place]] * codes[place] / 4))
        assert np.all(total >= low)
        assert np.all(total <= high)


@pytest.mark.parametrize("width", [4, 7])
def test_the_interval_of_a_first_layer_is_reached(width: int) -> None:
    from pquant_hls.qor import FixedArray, FixedType, Node

    rng = np.random.default_rng(width)
    codes, kind = rng.integers(-8, 8, (3, 4)), FixedType(width, 2)
    arrays = {"weight": FixedArray(codes, 2)}
    nodes = (
        Node("x", "input", (), (3,), kind),
        Node("fc", "dense", ("x",), (4,), FixedType(30, 15), {}, arrays),
    )
    program = program_of(FixedPointGraph(nodes, ("fc",)), None)
    corners = np.array(np.meshgrid(*[(kind.low, kind.high)] * 3)).reshape(3, -1).T @ (codes / 4)
    reached = Box(corners.min(axis=0), corners.max(axis=0))
    assert np.array_equal(program.boxes[program.places["fc"]], np.array(reached))
