"""What each weight is charged adds up to what the estimate says of its layer, and goes when the weight goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pquant_hls.estimate import estimate, mlp_graph, weight_groups, weight_shares
from pquant_hls.estimate.products import multipliers
from pquant_hls.qor import FixedArray, FixedPointGraph, Target
from tests.helpers import known, resources_of

TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35, tool="vitis")


def figure(graph: FixedPointGraph, name: str) -> float:
    return float(known(getattr(resources_of(estimate(graph, TARGET)), name)))


def of_layer(graph: FixedPointGraph, name: str) -> float:
    return float(known(next(layer.lut for layer in estimate(graph, TARGET).layers if layer.name == name)))


def known_weights(graph: FixedPointGraph) -> FixedPointGraph:
    """With weights of a fixed seed, a fifth of them zero, where the sketch has none."""
    rng, nodes = np.random.default_rng(1), []
    for node in graph.nodes:
        arrays = dict(node.arrays)
        if node.kind.weighted:
            kind = node.types["weight"]
            shape = (graph.node(node.inputs[0]).shape[0], node.shape[0])
            codes = rng.integers(kind.code_min, kind.code_max + 1, shape) * (rng.random(shape) > 0.2)
            arrays["weight"] = FixedArray(codes, kind.frac)
        nodes.append(replace(node, arrays=arrays))
    return replace(graph, nodes=tuple(nodes))


def sketch(bits: int, strategy: str = "latency", reuse: int = 1) -> FixedPointGraph:
    return known_weights(mlp_graph((16, 12, 8, 4), bits, strategy=strategy, reuse_factor=reuse))


def without(graph: FixedPointGraph, name: str, mask: np.ndarray) -> FixedPointGraph:
    node = graph.node(name)
    weight = FixedArray(node.arrays["weight"].codes * mask, node.arrays["weight"].frac_bits)
    changed = replace(node, arrays={**node.arrays, "weight": weight})
    return replace(graph, nodes=tuple(changed if n.name == name else n for n in graph.nodes))


@pytest.mark.parametrize("bits", [4, 6, 9])
def test_charges_add_up_to_the_layer(bits: int) -> None:
    graph = sketch(bits)
    layers = {layer.name: layer for layer in estimate(graph, TARGET).layers}
    for name, share in weight_shares(graph, TARGET, "lut").items():
        assert share.sum() == pytest.approx(layers[name].lut)
        assert ((share > 0) == (graph.node(name).arrays["weight"].codes != 0)).all()


def test_what_is_taken_away_falls_by_about_its_charge() -> None:
    graph = sketch(6)
    share = weight_shares(graph, TARGET, "lut")
    for name, charge in share.items():
        mask = np.random.default_rng(2).random(charge.shape) > 0.3
        saved = of_layer(graph, name) - of_layer(without(graph, name, mask), name)
        assert saved == pytest.approx(charge[~mask].sum(), rel=0.1)


def test_dsps_are_charged_to_wide_products_alone() -> None:
    graph = sketch(12)
    shares = weight_shares(graph, TARGET, "dsp")
    assert sum(share.sum() for share in shares.values()) == pytest.approx(figure(graph, "dsp"))
    assert figure(sketch(4), "dsp") == 0
    assert all((share == 0).all() for share in weight_shares(sketch(4), TARGET, "dsp").values())


def test_with_the_resource_strategy_zeros_save_nothing() -> None:
    graph = sketch(12, "resource", 4)
    shares = weight_shares(graph, TARGET, "dsp")
    assert figure(graph, "dsp") > 0
    assert all((share == 0).all() for share in shares.values())


def test_unrolled_a_multiplier_goes_with_the_last_of_its_weights() -> None:
    graph = sketch(12, "resource_unrolled", 4)
    node = next(node for node in graph.nodes if node.kind.weighted)
    group = weight_groups(node, "dsp")
    codes = node.arrays["weight"].codes
    first = group == group[0, 0]
    assert first.sum() == 4
    assert (multipliers(codes, 4)[0] == codes[first]).all()
    share = weight_shares(graph, TARGET, "dsp")[node.name]
    whole = figure(graph, "dsp")
    rest = first.copy()
    rest[np.nonzero(first & (codes != 0))[0][0], 0] = False
    assert whole - figure(without(graph, node.name, ~first), "dsp") == pytest.approx(share[first].sum())
    assert figure(without(graph, node.name, ~rest), "dsp") == whole


def test_groups_of_memory_are_ports_of_36_bits() -> None:
    node = next(node for node in sketch(12, "resource_unrolled", 4).nodes if node.kind.weighted)
    _, sizes = np.unique(weight_groups(node, "bram_18k"), return_counts=True)
    assert set(sizes.tolist()) == {4 * (36 // 12)}


def test_without_sharing_each_weight_is_alone() -> None:
    node = next(node for node in sketch(6).nodes if node.kind.weighted)
    assert len(np.unique(weight_groups(node, "lut"))) == 16 * 12


def test_unrolled_says_that_no_design_of_it_was_synthesised() -> None:
    assert any(
        "resource_unrolled" in note for note in estimate(sketch(12, "resource_unrolled", 4), TARGET).notes
    )
