"""The floor of an architecture bounds the estimate of every tightening of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.estimate import estimate, floor, mlp_graph
from pquant_hls.estimate.liveness import live_values
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target
from tests.estimate.test_monotone import graphs, narrower, targets, without
from tests.helpers import known, latency_of

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)


def smallest_bits(graph: FixedPointGraph) -> int:
    kinds = [node.types["weight"] for node in graph.nodes if node.kind.weighted]
    kinds += [node.result for node in graph.nodes if node.op in ("relu", "quantize")]
    return min(kind.width for kind in kinds)


def share_lost(after: FixedPointGraph) -> float:
    """The largest share of a layer's inputs that its longest sum is short of; one of no weight, or of an input that is
    always zero, adds nothing."""
    live = live_values(after)
    weighted = [node for node in after.nodes if node.kind.weighted]
    summed = [(node.arrays["weight"].codes[live[node.inputs[0]]] != 0).sum(axis=0) for node in weighted]
    ends = zip(summed, weighted, strict=True)
    return max(1 - int(terms.max()) / len(node.arrays["weight"].codes) for terms, node in ends)


@settings(max_examples=100, deadline=None)
@given(graphs(), targets(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.9]), st.integers(0, 6))
def test_no_tightened_design_is_estimated_below_the_floor(
    graph: FixedPointGraph, target: Target, seed: int, share: float, bits: int
) -> None:
    tight = narrower(without(graph, seed, share), bits)
    found = latency_of(estimate(tight, target))
    share_gone = min(1.0, share_lost(tight))
    for least in (
        floor(graph, target),
        floor(graph, target, bits=smallest_bits(tight), sparsity=share_gone),
    ):
        assert least.cycles <= known(found.cycles_max_lo)
        assert least.ns <= known(found.worst_ns_lo)


def test_a_floor_says_what_fewer_layers_would_give() -> None:
    whole = floor(mlp_graph((16, 64, 32, 32, 5), 6), VU13P, bits=4, sparsity=0.9)
    fewer = floor(mlp_graph((16, 32, 5), 6), VU13P, bits=4, sparsity=0.9)
    best = known(latency_of(estimate(mlp_graph((16, 64, 32, 32, 5), 6), VU13P)).worst_ns_lo)
    assert 0 <= fewer.ns < whole.ns < best
    assert set(whole.added) == {"x", "fc1", "relu1", "fc2", "relu2", "fc3", "relu3", "fc4"}


def test_reuse_stays_and_so_does_its_floor() -> None:
    shared = mlp_graph((16, 32, 5), 6, strategy="resource", reuse_factor=16)
    assert floor(shared, VU13P).cycles >= 2 * 16 / math.e  # two layers, and the interval of that class


def test_a_convolution_visits_its_places_however_tight_it_is() -> None:
    image = Node("x", "input", (), (8, 8, 2), FixedType(8, 3))
    types = {"weight": FixedType(6, 1), "accum": FixedType(20, 8)}
    weight = FixedArray(np.random.default_rng(1).integers(-32, 32, (3, 3, 2, 4)), 5)
    conv = Node("c", "conv2d", ("x",), (6, 6, 4), FixedType(20, 8), types, {"weight": weight})
    graph = FixedPointGraph((image, conv), ("c",), "io_stream")
    assert floor(graph, VU13P).cycles >= 32
    thin = replace(
        conv, arrays={"weight": FixedArray(weight.codes * (weight.codes == weight.codes.max()), 5)}
    )
    found = latency_of(estimate(replace(graph, nodes=(image, thin)), VU13P))
    assert floor(graph, VU13P).cycles <= known(found.cycles_max_lo)


@pytest.mark.parametrize(("bits", "sparsity"), [(0, 1.0), (1, 1.5), (1, -0.1)])
def test_ends_that_no_tightening_has_are_refused(bits: int, sparsity: float) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        floor(mlp_graph((4, 3), 4), VU13P, bits=bits, sparsity=sparsity)
