"""The estimator's contract: intervals hold the point, unknown operations are refused, costs move rightly."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate, layer_cycles
from pquant_hls.qor import OPS, FixedArray, FixedPointGraph, FixedType, Node, QoR, Target
from tests.helpers import cycles_of, known, latency_of, resources_of

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
WIDE, NARROW = FixedType(24, 10), FixedType(8, 1)


def dense(name: str, source: str, codes: np.ndarray, **attrs: object) -> Node:
    """A dense node of 8-bit weights with an accumulator that loses nothing."""
    types = {"weight": NARROW, "accum": WIDE}
    return Node(
        name, "dense", (source,), (codes.shape[1],), WIDE, types, {"weight": FixedArray(codes, 7)}, attrs
    )


def network(codes: list[np.ndarray], op: str = "relu", **attrs: object) -> FixedPointGraph:
    """Dense layers with an activation after each one."""
    nodes = [Node("x", "input", (), (codes[0].shape[0],), FixedType(16, 6))]
    for index, matrix in enumerate(codes):
        nodes.append(dense(f"fc{index}", nodes[-1].name, matrix, **attrs))
        nodes.append(Node(f"act{index}", op, (f"fc{index}",), (matrix.shape[1],), NARROW))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def mlp(*sizes: int, seed: int = 0, op: str = "relu", **attrs: object) -> FixedPointGraph:
    """An MLP with random 8-bit weights."""
    rng = np.random.default_rng(seed)
    return network([rng.integers(-128, 128, pair) for pair in pairwise(sizes)], op, **attrs)


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Integer weights (n_in, n_out) of 8 bits with some zeros."""
    n_in, n_out = draw(st.integers(2, 24)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = rng.integers(-128, 128, (n_in, n_out))
    codes[rng.random(codes.shape) < draw(st.floats(0.0, 0.8))] = 0
    codes[0, 0] = 77
    return codes


def test_a_tagger_gets_cycles_resources_and_layers_with_their_intervals() -> None:
    graph = mlp(16, 64, 32, 32, 5)
    qor = estimate(graph, VU13P)
    assert (qor.source, qor.design, qor.digest) == ("estimate", "hls", graph.digest())
    assert 8 <= cycles_of(qor) <= 14
    assert spread(qor) <= 6
    assert latency_of(qor).ii_cycles == 1
    assert latency_of(qor).period_hi_ns == 5.0
    assert [layer.name for layer in qor.layers] == [node.name for node in graph.nodes]
    added = {layer.name: (layer.cycles_lo, layer.cycles, layer.cycles_hi) for layer in qor.layers}
    assert added == layer_cycles(graph, VU13P)
    assert sum(known(layer.cycles) for layer in qor.layers) == pytest.approx(cycles_of(qor), abs=1)


@pytest.mark.parametrize(
    "part", ["xcvu13p-flga2577-2-e", "xcku115-flvb2104-2-i", "xc7vx690t-ffg1761-2", "xcvc1902"]
)
@pytest.mark.parametrize("tool", ["vitis", "vivado"])
@pytest.mark.parametrize("clock_ns", [2.8, 5.0, 25.0])
def test_every_figure_lies_in_its_interval_on_every_family_tool_and_clock(
    part: str, tool: str, clock_ns: float
) -> None:
    target = Target(part=part, clock_ns=clock_ns, clock_uncertainty_ns=0.27 * clock_ns, tool=tool)
    qor = estimate(mlp(8, 6, 3, op="sigmoid"), target)
    found = latency_of(qor)
    assert known(found.cycles_max_lo) <= cycles_of(qor) <= known(found.cycles_max_hi)
    assert known(found.clock_estimated_ns) <= known(found.clock_estimated_hi_ns)
    for name in ("lut", "ff", "dsp", "bram_18k"):
        low, high = resources_of(qor).intervals[name]
        assert 0.0 <= low <= getattr(qor.resources, name) <= high
    for layer in qor.layers:
        assert known(layer.cycles_lo) <= known(layer.cycles) <= known(layer.cycles_hi)


def test_a_family_without_reports_says_so_and_its_interval_is_wider() -> None:
    graph = mlp(16, 32, 5)
    ours, foreign = estimate(graph, VU13P), estimate(graph, replace_part(VU13P, "xcvc1902-vsva2197-2MP-e-S"))
    assert not ours.notes
    assert any("versal" in note for note in foreign.notes)
    assert spread(foreign) > spread(ours)


def replace_part(target: Target, part: str) -> Target:
    return target.model_copy(update={"part": part})


def spread(qor: QoR) -> int:
    return known(latency_of(qor).cycles_max_hi) - known(latency_of(qor).cycles_max_lo)


def lut_of(qor: QoR) -> float:
    return known(resources_of(qor).lut)


def dsp_of(qor: QoR) -> float:
    return known(resources_of(qor).dsp)


def test_an_operation_without_a_rule_is_named_not_guessed() -> None:
    with pytest.raises(NotMeasured, match="act0"):
        estimate(mlp(4, 4, op="other"), VU13P)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize(
    "op", [op for op in OPS if op not in ("other", "input", "logic") and "conv" not in op]
)
def test_every_operation_of_the_graph_has_a_rule(op: str, io_type: str) -> None:
    shape = (4, 4, 2) if op.endswith("2d") else (8, 2) if op.endswith("1d") else (6,)
    first = Node("x", "input", (), shape, FixedType(16, 6))
    second = Node("y", "input", (), shape, FixedType(16, 6))
    out = (shape[-1],) if op.startswith("global") else shape
    arrays = {"weight": FixedArray(np.arange(36).reshape(6, 6), 5)} if op == "dense" else {}
    node = Node(
        "z", op, ("x", "y") if op in ("add", "concatenate") else ("x",), out, FixedType(16, 6), {}, arrays
    )
    qor = estimate(FixedPointGraph((first, second, node), ("z",), io_type), VU13P)
    assert cycles_of(qor) <= known(latency_of(qor).cycles_max_hi)


def test_convolutions_cost_a_visit_of_each_place_in_a_stream_and_hardware_for_each_in_parallel() -> None:
    codes = np.random.default_rng(1).integers(-32, 32, (3, 3, 2, 4))
    image = Node("x", "input", (), (8, 8, 2), FixedType(8, 3))
    types = {"weight": FixedType(6, 1), "accum": FixedType(20, 8)}
    conv = Node("c", "conv2d", ("x",), (6, 6, 4), FixedType(20, 8), types, {"weight": FixedArray(codes, 5)})
    stream = estimate(FixedPointGraph((image, conv), ("c",), "io_stream"), VU13P)
    wide = replace(conv, attrs={"parallelization_factor": 36})
    at_once = estimate(FixedPointGraph((image, wide), ("c",)), VU13P)
    in_turn = estimate(FixedPointGraph((image, conv), ("c",)), VU13P)
    assert cycles_of(stream) >= 64
    assert cycles_of(at_once) < 10 < cycles_of(in_turn)
    assert lut_of(at_once) > 10 * lut_of(in_turn)


@settings(max_examples=40, deadline=None)
@given(matrices(), st.integers(0, 2**32 - 1))
def test_more_zero_weights_never_cost_more(codes: np.ndarray, seed: int) -> None:
    sparser = np.where(np.random.default_rng(seed).random(codes.shape) < 0.4, 0, codes)
    sparser[0, 0] = 77
    before, after = estimate(network([codes]), VU13P), estimate(network([sparser]), VU13P)
    assert cycles_of(after) <= cycles_of(before)
    assert lut_of(after) <= lut_of(before)
    assert dsp_of(after) <= dsp_of(before)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([2.0, 2.8, 3.33, 5.0, 8.0]),
    st.sampled_from(["vitis", "vivado"]),
)
def test_half_the_clock_period_never_takes_fewer_cycles(
    seed: int, clock_ns: float, tool: Literal["vitis", "vivado"]
) -> None:
    graph = mlp(12, 8, 4, seed=seed)
    slow = Target(part=VU13P.part, clock_ns=2 * clock_ns, clock_uncertainty_ns=0.25 * clock_ns, tool=tool)
    fast = Target(part=VU13P.part, clock_ns=clock_ns, clock_uncertainty_ns=0.125 * clock_ns, tool=tool)
    assert cycles_of(estimate(graph, fast)) >= cycles_of(estimate(graph, slow))


def test_a_larger_uncertainty_leaves_less_of_the_clock_for_logic() -> None:
    graph = mlp(16, 64, 32, 32, 5)
    tight = VU13P.model_copy(update={"clock_uncertainty_ns": 2.2})
    assert cycles_of(estimate(graph, tight)) > cycles_of(estimate(graph, VU13P))


def test_dead_units_cost_nothing() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(-128, 128, (8, 10)), rng.integers(-128, 128, (10, 3))
    second[4:] = 0
    pruned = [first[:, :4], second[:4]]
    whole, cut = estimate(network([first, second]), VU13P), estimate(network(pruned), VU13P)
    assert cycles_of(whole) == cycles_of(cut)
    assert lut_of(whole) == pytest.approx(lut_of(cut))


def test_signs_alone_make_chains_where_the_sum_has_the_width_of_the_input() -> None:
    signs = np.where(np.random.default_rng(5).random((64, 8)) < 0.5, -1, 1)
    first = Node("x", "input", (), (64,), FixedType(16, 6))

    def cycles(accum: FixedType) -> int:
        types = {"weight": FixedType(1, 1, signed=False), "accum": accum}
        node = Node("fc", "dense", ("x",), (8,), accum, types, {"weight": FixedArray(signs, 0)})
        return cycles_of(estimate(FixedPointGraph((first, node), ("fc",)), VU13P))

    assert cycles(FixedType(16, 6)) >= cycles(FixedType(24, 14)) + 3


def test_reuse_and_the_resource_strategy_trade_cycles_for_multipliers() -> None:
    sizes = (16, 32, 5)
    full = estimate(mlp(*sizes), VU13P)
    shared = estimate(mlp(*sizes, reuse_factor=8), VU13P)
    resource = estimate(mlp(*sizes, strategy="resource", reuse_factor=16), VU13P)
    assert known(latency_of(shared).ii_cycles) > known(latency_of(full).ii_cycles) == 1
    assert latency_of(resource).ii_cycles == 16
    assert cycles_of(full) < cycles_of(shared)
    assert cycles_of(full) < cycles_of(resource)
    assert dsp_of(resource) < dsp_of(full)


def test_a_layer_of_unknown_weights_is_estimated_with_a_note() -> None:
    first = Node("x", "input", (), (16,), FixedType(16, 6))
    types = {"weight": FixedType(16, 6), "accum": FixedType(16, 6)}
    attrs = {"n_in": 16, "n_out": 8, "n_zeros": 64}
    node = Node("fc", "dense", ("x",), (8,), FixedType(16, 6), types, {}, attrs)
    qor = estimate(FixedPointGraph((first, node), ("fc",)), VU13P)
    assert "weights unknown: typical ones assumed" in qor.notes
    assert dsp_of(qor) > 0


def test_an_estimate_survives_json() -> None:
    qor = estimate(mlp(8, 4, 2), VU13P)
    assert type(qor).model_validate_json(json.dumps(qor.model_dump(mode="json"))) == qor


def sequence(name: str, *, reuse: int = 1, strategy: str = "latency", steps: int = 10) -> FixedPointGraph:
    """A recurrent layer of 8 units on 4 features at each of ``steps`` times."""
    first = Node("x", "input", (), (steps, 4), FixedType(16, 6))
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[name]
    rng = np.random.default_rng(2)
    arrays = {
        "weight": FixedArray(rng.integers(-300, 300, (4, gates * 8)), 10),
        "recurrent_weight": FixedArray(rng.integers(-300, 300, (8, gates * 8)), 10),
    }
    types = {"weight": FixedType(16, 6), "accum": FixedType(16, 6)}
    attrs = {"op_name": name, "n_state": 8, "n_sequence": steps, "reuse_factor": reuse, "strategy": strategy}
    node = Node("r", "other", ("x",), (8,), FixedType(16, 6), types, arrays, attrs)
    return FixedPointGraph((first, node), ("r",))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_layers_take_their_steps_one_after_another(name: str) -> None:
    short, long = estimate(sequence(name), VU13P), estimate(sequence(name, steps=20), VU13P)
    assert cycles_of(long) - 1 == 2 * (cycles_of(short) - 1)
    assert latency_of(short).ii_cycles == cycles_of(short)
    shared = estimate(sequence(name, reuse=16, strategy="resource"), VU13P)
    assert cycles_of(shared) >= cycles_of(short) + 10 * 16
    assert dsp_of(shared) < dsp_of(short)


LAYERS_BY_ANALOGY = (
    "LayerNormalization",
    "Embedding",
    "PReLU",
    "Resize",
    "Cropping1D",
    "EinsumDense",
    "Dot",
    "selu",
)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("name", LAYERS_BY_ANALOGY)
def test_layers_that_nobody_synthesised_have_the_widest_interval_and_say_so(name: str, io_type: str) -> None:
    first = Node("x", "input", (), (8, 4), FixedType(16, 6))
    node = Node("y", "other", ("x",), (8, 4), FixedType(16, 6), attrs={"op_name": name})
    flat = Node("f", "reshape", ("y",), (32,), FixedType(16, 6))
    fc = dense("fc", "f", np.arange(96).reshape(32, 3) - 40)
    guessed = estimate(FixedPointGraph((first, node, flat, fc), ("fc",), io_type), VU13P)
    low, high = known(latency_of(guessed).cycles_max_lo), known(latency_of(guessed).cycles_max_hi)
    assert (high + 1) / (low + 1) > 1.5
    assert any("class analogy" in note for note in guessed.notes)


def test_a_saturating_accumulator_makes_each_addition_wait_for_the_last() -> None:
    rng = np.random.default_rng(8)
    first = Node("x", "input", (), (40,), FixedType(16, 6))

    def cycles(accum: FixedType) -> int:
        weight = FixedArray(rng.integers(-100, 100, (40, 2)), 7)
        node = Node(
            "fc", "dense", ("x",), (2,), accum, {"weight": NARROW, "accum": accum}, {"weight": weight}
        )
        return cycles_of(estimate(FixedPointGraph((first, node), ("fc",)), VU13P))

    wraps = cycles(FixedType(24, 10))
    assert cycles(FixedType(24, 10, saturation="SAT")) > 3 * wraps


def test_the_largest_of_many_is_found_one_after_another_and_an_average_as_a_tree() -> None:
    first = Node("x", "input", (), (64, 2), FixedType(16, 6))

    def cycles(op: str) -> int:
        node = Node("p", op, ("x",), (2,), FixedType(16, 6))
        return cycles_of(estimate(FixedPointGraph((first, node), ("p",)), VU13P))

    assert cycles("global_max_pooling1d") >= 15 > cycles("global_average_pooling1d") + 10


def test_what_is_stated_of_unknown_weights_is_used() -> None:
    def cost(**attrs: object) -> float:
        first = Node("x", "input", (), (16,), FixedType(16, 6))
        types = {"weight": FixedType(16, 6), "accum": FixedType(16, 6)}
        sizes = {"n_in": 16, "n_out": 8, **attrs}
        node = Node("fc", "dense", ("x",), (8,), FixedType(16, 6), types, {}, sizes)
        return lut_of(estimate(FixedPointGraph((first, node), ("fc",)), VU13P))

    assert cost(max_abs=2) < cost(max_abs=200)
    assert cost(max_abs=200, n_zeros=100) < cost(max_abs=200)


def test_deep_channels_of_a_stream_are_block_memory() -> None:
    image = Node("x", "input", (), (32, 32, 4), FixedType(16, 6))
    act = Node("a", "relu", ("x",), (32, 32, 4), FixedType(16, 6))
    last = Node("b", "relu", ("a",), (32, 32, 4), FixedType(16, 6))
    vivado = VU13P.model_copy(update={"tool": "vivado"})
    deep = estimate(FixedPointGraph((image, act, last), ("b",), "io_stream"), vivado)
    assert resources_of(deep).bram_18k == 4  # 1024 places of 16 bits for each of four channels


def test_an_accumulator_that_drops_every_product_costs_no_negative_bits() -> None:
    first = Node("x", "input", (), (6,), FixedType(10, 0))
    coarse = dense("fc", "x", np.full((6, 5), 3))
    coarse = replace(coarse, types={**coarse.types, "accum": FixedType(2, 8)})
    qor = estimate(FixedPointGraph((first, coarse), ("fc",)), VU13P)
    assert all(known(layer.ff) >= 0 and known(layer.lut) >= 0 for layer in qor.layers)
