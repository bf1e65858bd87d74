"""The estimator's contract: intervals hold the point, unknown operations are refused, costs move the right way."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate, layer_cycles
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)


def mlp(*sizes: int, seed: int = 0, op: str = "relu") -> FixedPointGraph:
    """An MLP with random 8-bit weights."""
    rng = np.random.default_rng(seed)
    nodes = [Node("x", "input", (), (sizes[0],), FixedType(16, 6))]
    for index, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weight = FixedArray(rng.integers(-128, 128, (n_in, n_out)), 7)
        types = {"weight": FixedType(8, 1), "accum": FixedType(24, 10)}
        nodes.append(Node(f"fc{index}", "dense", (nodes[-1].name,), (n_out,), FixedType(24, 10), types, {"weight": weight}))
        nodes.append(Node(f"act{index}", op, (nodes[-1].name,), (n_out,), FixedType(8, 1)))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def test_a_tagger_gets_cycles_resources_and_layers_with_their_intervals():
    graph = mlp(16, 64, 32, 32, 5)
    qor = estimate(graph, VU13P)
    assert (qor.source, qor.design, qor.digest) == ("estimate", "hls", graph.digest())
    latency = qor.latency
    assert 4 <= latency.cycles_max <= 20
    assert latency.cycles_max_lo <= latency.cycles_max <= latency.cycles_max_hi
    assert latency.clock_estimated_hi_ns >= latency.clock_estimated_ns
    for name in ("lut", "ff", "dsp", "bram_18k"):
        low, high = qor.resources.intervals[name]
        assert low <= getattr(qor.resources, name) <= high
    assert [layer.name for layer in qor.layers] == [node.name for node in graph.nodes]
    assert {layer.name: (layer.cycles_lo, layer.cycles, layer.cycles_hi) for layer in qor.layers} == layer_cycles(graph, VU13P)


def test_an_operation_without_a_rule_is_named_not_guessed():
    with pytest.raises(NotMeasured, match="act0"):
        estimate(mlp(4, 4, op="other"), VU13P)
