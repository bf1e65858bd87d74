"""What the loop expects of a turn: the imagined graph, value by value, and the latency read off it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.engine.forecast import at_end, floor_ns, imagine, outlook
from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Latency, Node, QoR, Resources, Target

TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
KIND, SUM, ACTIVE = FixedType(8, 3), FixedType(20, 9), FixedType(6, 2, signed=False)
FC1 = [[1, -9, 2, 7], [1, 8, -2, 7], [0, 9, 3, -7]]  # columns sum to 2, 26, 7, 21
FC2 = [[5, 1, -5], [1, 1, -1], [6, 0, 9], [9, 2, -9]]  # rows sum to 11, 3, 15, 20; columns to 21, 4, 24
FC3 = [[3, -8], [1, 0], [9, 2]]  # rows sum to 11, 1, 11
Knobs = Mapping[str, float]


def forecast_ns(graph: FixedPointGraph, target: Target, now: Knobs, then: Knobs) -> float | None:
    """Upper end of the latency in ns that is predicted of a design of which there is an estimate only."""
    try:
        found = estimate(graph, target)
    except NotMeasured:
        found = QoR(latency=Latency(cycles_max=5), resources=Resources(lut=100.0))
    ahead = outlook(graph, target, now, then, found)
    return None if ahead is None or ahead.latency is None else ahead.latency.worst_ns_hi


def weights(codes: Any) -> FixedArray:
    return FixedArray(np.asarray(codes, np.int64), 5)


def layer(name: str, source: str, codes: Any, op: str = "dense", shape: Sequence[int] = ()) -> Node:
    kernel, types = np.asarray(codes, np.int64), {"weight": KIND, "accum": SUM}
    bias = weights(np.arange(kernel.shape[-1]))
    size = tuple(shape) or (kernel.shape[-1],)
    return Node(name, op, (source,), size, SUM, types, {"weight": weights(kernel), "bias": bias})


def active(name: str, source: str, size: int, op: str = "relu") -> Node:
    return Node(name, op, (source,), (size,), ACTIVE)


def tagger() -> FixedPointGraph:
    """input 3 - quantize - fc1 4 - relu - fc2 3 - relu - fc3 2."""
    nodes = (
        Node("x", "input", (), (3,), KIND),
        active("q", "x", 3, "quantize"),
        layer("fc1", "q", FC1),
        active("r1", "fc1", 4),
        layer("fc2", "r1", FC2),
        active("r2", "fc2", 3),
        layer("fc3", "r2", FC3),
    )
    return FixedPointGraph(nodes, ("fc3",))


def codes(graph: FixedPointGraph, name: str) -> list[Any]:
    found: list[Any] = graph.node(name).arrays["weight"].codes.tolist()
    return found


def same(left: FixedPointGraph, right: FixedPointGraph) -> bool:
    return left.digest() == right.digest()


def test_more_sparsity_takes_the_smallest_units_and_what_reads_them() -> None:
    found = imagine(tagger(), {"sparsity": 0.0}, {"sparsity": 0.5})
    assert codes(found, "fc1") == [[0, -9, 0, 7], [0, 8, 0, 7], [0, 9, 0, -7]], "outputs go, the inputs stay"
    assert codes(found, "fc2") == [[0, 0, 0], [0, 0, 0], [0, 0, 9], [0, 0, -9]], (
        "two outputs of three and two inputs of four"
    )
    assert codes(found, "fc3") == [[0, 0], [0, 0], [9, 2]], "inputs go, the outputs of the last layer stay"


@pytest.mark.parametrize(
    ("now", "then", "gone"),
    [
        (0.0, 0.25, 1),
        (0.0, 0.4, 2),
        (0.5, 0.75, 2),
        (0.5, 0.6, 1),
        (0.2, 0.8, 3),
        (0.9, 0.999, 3),
        (0.0, 0.1, 0),
    ],
)
def test_the_share_that_goes_counts_from_what_is_left(now: float, then: float, gone: int) -> None:
    found = np.asarray(codes(imagine(tagger(), {"sparsity": now}, {"sparsity": then}), "fc1"))
    assert int((found == 0).all(axis=0).sum()) == gone


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ({}, {}),
        ({"sparsity": 0.5}, {"sparsity": 0.5}),
        ({"sparsity": 0.5}, {"sparsity": 0.2}),
        ({"sparsity": 1.0}, {"sparsity": 1.0}),
        ({"bits": 6}, {"bits": 6}),
        ({"bits": 6}, {}),
    ],
)
def test_what_is_not_tightened_stays(now: Knobs, then: Knobs) -> None:
    assert same(imagine(tagger(), now, then), tagger())


def test_at_least_one_unit_of_each_layer_stays() -> None:
    found = imagine(tagger(), {"sparsity": 0.0}, {"sparsity": 0.999})
    for name in ("fc1", "fc2", "fc3"):
        assert np.any(codes(found, name)), name
    assert codes(found, "fc3") == [[0, 0], [0, 0], [9, 2]]


def test_of_equal_units_the_first_goes() -> None:
    graph = FixedPointGraph(
        (
            Node("x", "input", (), (1,), KIND),
            layer("a", "x", [[4, -4, 4]]),
            layer("b", "a", [[1], [1], [1]]),
        ),
        ("b",),
    )
    found = imagine(graph, {"sparsity": 0.0}, {"sparsity": 0.34})
    assert codes(found, "a") == [[0, -4, 4]]
    assert codes(found, "b") == [[0], [1], [1]]


def test_filters_and_channels_of_a_convolution_go_whole() -> None:
    # (width, channels, filters): filters sum to 4 and 20, channels to 14 and 10
    first = np.array(
        [[[1, 5], [2, 5]], [[-1, 5], [0, 5]]]
    )  # (width 2, channels 2, filters 2): filters 4 and 20
    second = np.array([[[1], [7]], [[2], [-7]]])  # channels 3 and 14
    graph = FixedPointGraph(
        (
            Node("x", "input", (), (6, 2), KIND),
            layer("c1", "x", first, "conv1d", (6, 2)),
            layer("c2", "c1", second, "conv1d", (6, 1)),
        ),
        ("c2",),
    )
    found = imagine(graph, {"sparsity": 0.0}, {"sparsity": 0.5})
    assert codes(found, "c1") == [[[0, 5], [0, 5]], [[0, 5], [0, 5]]]
    assert codes(found, "c2") == [[[0], [7]], [[0], [-7]]]


def test_inputs_stay_where_a_sum_reads_the_graphs_input_too() -> None:
    nodes = (
        Node("x", "input", (), (4,), KIND),
        layer("a", "x", np.diag([1, 2, 3, 4])),
        Node("sum", "add", ("a", "x"), (4,), SUM),
        layer("b", "sum", np.eye(4, dtype=int) * 3),
        layer("c", "b", np.eye(4, dtype=int) * 3),
    )
    found = imagine(FixedPointGraph(nodes, ("c",)), {"sparsity": 0.0}, {"sparsity": 0.5})
    assert codes(found, "b") == [[0] * 4, [0] * 4, [0, 0, 3, 0], [0, 0, 0, 3]], "columns only"
    assert codes(found, "c") == [[0] * 4, [0] * 4, [0, 0, 3, 0], [0, 0, 0, 3]], "rows only"
    assert found.node("sum") == nodes[2]


def test_fewer_bits_are_a_coarser_grid_of_weights_and_activations() -> None:
    found = imagine(tagger(), {"bits": 8}, {"bits": 6})
    fc1 = found.node("fc1")
    assert codes(found, "fc1") == [[0, -2, 0, 2], [0, 2, 0, 2], [0, 2, 1, -2]], (
        "quarters, halves to the even one"
    )
    assert fc1.arrays["weight"].frac_bits == 3
    assert fc1.types == {"weight": FixedType(6, 3), "accum": SUM}
    assert fc1.arrays["bias"].codes.tolist() == [0, 1, 2, 3]
    assert fc1.result == SUM, "a sum keeps its width"
    for name in ("q", "r1", "r2"):
        assert found.node(name).result == FixedType(4, 2, signed=False), name
    assert found.node("x").result == KIND


def test_a_type_keeps_a_bit_and_its_sign() -> None:
    found = imagine(tagger(), {"bits": 16}, {"bits": 2})
    assert found.node("fc1").types["weight"].width == 2
    assert found.node("r1").result.width == 1


def test_both_knobs_turn_together() -> None:
    both = imagine(tagger(), {"sparsity": 0.0, "bits": 8}, {"sparsity": 0.5, "bits": 7})
    one = imagine(tagger(), {"sparsity": 0.0}, {"sparsity": 0.5})
    assert same(both, imagine(one, {"bits": 8}, {"bits": 7}))


def test_the_graph_given_is_left_alone() -> None:
    graph = tagger()
    imagine(graph, {"sparsity": 0.0, "bits": 8}, {"sparsity": 0.9, "bits": 3})
    assert same(graph, tagger())


def wide(seed: int, *sizes: int) -> FixedPointGraph:
    """A tagger of trained size: 16-bit weights, a rounding after each sum."""
    rng, nodes, name = (
        np.random.default_rng(seed),
        [Node("x", "input", (), (sizes[0],), FixedType(16, 6))],
        "x",
    )
    for number, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        kernel = rng.integers(-(2**15), 2**15, (n_in, n_out))
        kernel[:, : n_out // 2] //= 64  # half of the units are small
        made = layer(f"fc{number}", name, kernel)
        nodes.append(replace(made, types={"weight": FixedType(16, 1), "accum": FixedType(38, 14)}))
        nodes.append(Node(f"r{number}", "relu", (made.name,), (n_out,), FixedType(16, 6, signed=False)))
        name = f"r{number}"
    return FixedPointGraph(tuple(nodes), (name,))


@pytest.mark.parametrize(
    "then", [{"sparsity": 0.0, "bits": 16}, {"sparsity": 0.7, "bits": 16}, {"sparsity": 0.0, "bits": 4}]
)
def test_a_forecast_is_the_upper_end_and_a_floor_is_below_every_design(then: Knobs) -> None:
    graph, now = wide(1, 16, 64, 32, 5), {"sparsity": 0.0, "bits": 16}
    latency = estimate(imagine(graph, now, then), TARGET).latency
    assert latency is not None
    high, low = forecast_ns(graph, TARGET, now, then), floor_ns(graph, TARGET, now, then)
    assert high is not None
    assert low is not None
    assert high == latency.worst_ns_hi
    assert latency.worst_ns_lo is not None
    assert low <= latency.worst_ns_lo
    later = floor_ns(imagine(graph, now, then), TARGET, then, then)
    assert later is not None
    assert low <= later, "a floor stated once holds for what is left later"


@pytest.mark.parametrize("then", [{"sparsity": 0.9, "bits": 16}, {"sparsity": 0.0, "bits": 3}])
def test_each_knob_brings_a_wide_tagger_nearer(then: Knobs) -> None:
    graph, now = wide(1, 16, 64, 32, 5), {"sparsity": 0.0, "bits": 16}
    before, after = (forecast_ns(graph, TARGET, now, knobs) for knobs in (now, then))
    assert before is not None
    assert after is not None
    assert after < before


def test_what_the_estimator_has_no_rule_for_is_not_forecast() -> None:
    nodes = (*tagger().nodes, Node("odd", "other", ("fc3",), (2,), SUM, attrs={"op_name": "Odd"}))
    graph = FixedPointGraph(nodes, ("odd",))
    assert forecast_ns(graph, TARGET, {"bits": 8}, {"bits": 6}) is None
    assert floor_ns(graph, TARGET, {"bits": 8}, {"bits": 6}) is None


shares = st.floats(0.0, 0.99)


@given(st.integers(0, 1000), st.lists(st.integers(1, 9), min_size=3, max_size=5), shares, shares)
def test_no_weight_grows_and_the_largest_units_stay(
    seed: int, sizes: list[int], now: float, then: float
) -> None:
    graph = wide(seed, *sizes)
    found = imagine(graph, {"sparsity": now}, {"sparsity": then})
    for node in (node for node in graph.nodes if "weight" in node.arrays):
        old, new = node.arrays["weight"].codes, found.node(node.name).arrays["weight"].codes
        assert np.all((new == old) | (new == 0))
        sums = np.abs(old).sum(axis=0)
        left, gone = sums[(new != 0).any(axis=0)], sums[~(new != 0).any(axis=0)]
        if node.name == "fc0" and len(left) and len(gone):
            assert gone.max() <= left.min()


@given(st.integers(0, 1000), st.integers(1, 16), st.integers(1, 16))
def test_values_on_the_coarser_grid_are_the_nearest(seed: int, now: int, drop: int) -> None:
    graph = wide(seed, 4, 3, 2)
    found = imagine(graph, {"bits": now + drop}, {"bits": now})
    for name in ("fc0", "fc1"):
        old, new = graph.node(name).arrays["weight"], found.node(name).arrays["weight"]
        step = 2.0**-new.frac_bits
        assert np.all(np.abs(old.values - new.values) <= step / 2)
        assert step == 2.0**drop * 2.0**-old.frac_bits


def test_an_estimates_outlook_is_the_estimate_of_the_imagined_design() -> None:
    graph, now, then = wide(1, 16, 64, 32, 5), {"sparsity": 0.0, "bits": 16}, {"sparsity": 0.5, "bits": 8}
    ahead, wanted = (
        outlook(graph, TARGET, now, then, estimate(graph, TARGET)),
        estimate(imagine(graph, now, then), TARGET),
    )
    assert ahead is not None
    assert ahead.latency is not None
    assert wanted.latency is not None
    assert (ahead.latency.worst_ns_lo, ahead.latency.worst_ns, ahead.latency.worst_ns_hi) == pytest.approx(
        (wanted.latency.worst_ns_lo, wanted.latency.worst_ns, wanted.latency.worst_ns_hi)
    )
    assert ahead.resources is not None
    assert wanted.resources is not None
    for name in ("lut", "ff", "dsp"):
        assert getattr(ahead.resources, name) == pytest.approx(getattr(wanted.resources, name))
        assert ahead.resources.intervals[name] == pytest.approx(wanted.resources.intervals[name])


def test_what_was_measured_moves_by_what_the_estimator_says_changes() -> None:
    graph, now, then = wide(1, 16, 64, 32, 5), {"sparsity": 0.0, "bits": 16}, {"sparsity": 0.7, "bits": 16}
    before, after = estimate(graph, TARGET), estimate(imagine(graph, now, then), TARGET)
    assert before.latency is not None
    assert after.latency is not None
    assert before.resources is not None
    assert after.resources is not None
    assert before.resources.lut is not None
    assert after.resources.lut is not None
    measured = QoR(
        latency=Latency(cycles_max=60, ii_cycles=1, clock_target_ns=5.0, clock_estimated_ns=3.6),
        resources=Resources(lut=1e6, dsp=0.0),
    )
    ahead = outlook(graph, TARGET, now, then, measured)
    assert ahead is not None
    assert ahead.latency is not None
    assert ahead.resources is not None
    assert before.latency.cycles_max is not None
    assert after.latency.cycles_max is not None
    assert ahead.latency.cycles_max == 60 + after.latency.cycles_max - before.latency.cycles_max
    assert not ahead.latency.is_interval, "what a tool measured has no interval"
    assert ahead.resources.lut == pytest.approx(1e6 + after.resources.lut - before.resources.lut)
    assert ahead.resources.dsp == 0.0, "less than none is none"
    assert ahead.resources.ff is None, "what was not measured is not predicted"


def test_where_multipliers_may_be_shared_the_ends_are_the_fastest_latency_and_the_fewest_resources() -> None:
    """A limit on DSPs was said to miss by the architecture, at the reuse factor that takes the most of them."""
    graph, now = wide(1, 16, 64, 32, 5), {"reuse_factor": 2}
    fast, small = {"reuse_factor": 1}, {"reuse_factor": 8}
    found = at_end(graph, TARGET, now, fast, small, QoR(part=TARGET.part))
    assert found is not None
    for name, knobs in (("latency", fast), ("resources", small)):
        assert getattr(found, name) == getattr(estimate(imagine(graph, now, knobs), TARGET), name)
    most = estimate(imagine(graph, now, fast), TARGET).resources
    assert most is not None
    assert most.dsp is not None
    assert found.resources is not None
    assert found.resources.dsp is not None
    assert found.resources.dsp < most.dsp / 2
