"""Pruning by what it saves: the design takes what was asked, by the estimate, and outputs keep their paths."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import DesignCost, PruningCompression, StepRecord
from pquant_hls.compress.hardware import Hardware, taken
from pquant_hls.compress.importance import weight_losses
from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network.graph import flat
from pquant_hls.network.paths import cut_off, kernels_of
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.steps import PruneConfig

LATENCY = DesignCost(HlsSpec())
UNROLLED = DesignCost(HlsSpec(strategy="resource_unrolled", reuse_factor=4))


def packed(
    model: keras.Model, data: Any, cost: DesignCost = LATENCY, **settings: Any
) -> tuple[Any, StepRecord]:
    made = PruningCompression(method="knapsack", cost=cost, **settings).compress(model, data)
    return made.model, made.record


@pytest.mark.parametrize("resource", ["lut", "ff"])
@pytest.mark.parametrize("sparsity", [0.3, 0.7])
def test_the_design_takes_what_was_asked(
    quantized_tagger: Any, data: Any, resource: str, sparsity: float
) -> None:
    small, record = packed(quantized_tagger, data, resource=resource, sparsity=sparsity)
    asked = record.figures[f"{resource}_asked"] or 0
    assert asked == pytest.approx((1 - sparsity) * (record.figures[f"{resource}_whole"] or 0))
    assert taken(LATENCY(small), resource) == record.figures[f"{resource}_after"]
    reached = taken(LATENCY(small), resource)
    assert 0.85 * asked <= reached <= (1.02 * asked if not record.notes else 1.2 * asked)
    assert not cut_off(quantized_tagger, small)


def test_a_float_model_is_charged_at_the_precision_it_will_have(tagger: Any, data: Any) -> None:
    small, record = packed(tagger, data, sparsity=0.5)
    assert taken(LATENCY(small), "lut") == pytest.approx(record.figures["lut_asked"], rel=0.05)


@pytest.mark.parametrize(
    ("resource", "granularity"), [("dsp", "weight"), ("dsp", "group"), ("bram", "group")]
)
def test_unrolled_multipliers_go_with_their_weights(
    tagger: Any, data: Any, resource: str, granularity: str
) -> None:
    small, record = packed(tagger, data, UNROLLED, resource=resource, granularity=granularity, sparsity=0.6)
    assert taken(UNROLLED(small), resource) <= 1.02 * (record.figures[f"{resource}_asked"] or 0) + 1
    if resource == "dsp":
        counts = [
            (kernel.T.reshape(-1, 4) != 0).sum(axis=1)
            for key, kernel in kernels_of(flat(small)).items()
            if key[0] != "output"
        ]
        part = np.mean(np.concatenate(counts) == 4)
        assert granularity == "weight" or part + np.mean(np.concatenate(counts) == 0) > 0.9


def test_of_cycles_whole_levels_go(quantized_tagger: Any, data: Any) -> None:
    before = taken(LATENCY(quantized_tagger), "cycles")
    small, record = packed(quantized_tagger, data, resource="cycles", sparsity=0.3)
    after = taken(LATENCY(small), "cycles")
    assert after < before
    assert after <= (record.figures["cycles_asked"] or 0) or record.notes
    assert not cut_off(quantized_tagger, small)


@pytest.mark.parametrize("cost", [LATENCY, DesignCost(HlsSpec(strategy="resource", reuse_factor=4))])
def test_units_are_removed(tagger: Any, data: Any, cost: DesignCost) -> None:
    small, record = packed(tagger, data, cost, granularity="unit", sparsity=0.5, reconstruct=False)
    assert taken(cost(small), "lut") <= (record.figures["lut_asked"] or 0)
    assert sum(record.after.units.values()) < sum(record.before.units.values())


def test_units_count_from_the_original(tagger: Any, data: Any) -> None:
    """Asked for the same share once more, nothing goes."""
    small, record = packed(tagger, data, granularity="unit", sparsity=0.5)
    again, second = packed(small, data, granularity="unit", sparsity=0.5, reference=record.before.units)
    assert sum(second.after.units.values()) >= 0.8 * sum(record.after.units.values())
    assert again is not small


def test_zeros_that_are_there_count_as_saved(quantized_tagger: Any, data: Any) -> None:
    small, first = packed(quantized_tagger, data, sparsity=0.5)
    _, second = packed(small, data, sparsity=0.5)
    assert second.after.nonzero_weights >= 0.8 * first.after.nonzero_weights


def test_what_is_worth_least_for_what_it_costs_goes(tagger: Any, data: Any) -> None:
    """What stays is worth more than what a choice by chance leaves at the same cost."""
    losses = weight_losses(tagger, data, PruneConfig(method="knapsack"))
    kept = {}
    for importance in ("taylor", "random"):
        small, _ = packed(tagger, data, sparsity=0.6, importance=importance)
        kept[importance] = sum(
            float((losses[key] * (kernel != 0)).sum()) for key, kernel in kernels_of(flat(small)).items()
        )
    assert kept["taylor"] > 1.2 * kept["random"]


def test_losses_are_those_of_a_weight_set_to_zero(tagger: Any, data: Any) -> None:
    """To first order: the loss of one event moves by gradient x weight."""
    losses = weight_losses(tagger, data, PruneConfig(method="knapsack", samples=256))
    kernels = kernels_of(flat(tagger))
    assert {key: loss.shape for key, loss in losses.items()} == {k: v.shape for k, v in kernels.items()}
    assert all((loss >= 0).all() for loss in losses.values())
    again = weight_losses(tagger, data, PruneConfig(method="knapsack", samples=256))
    assert all((losses[key] == again[key]).all() for key in losses)


def test_excluded_layers_stay(tagger: Any, data: Any) -> None:
    name = next(layer.name for layer in tagger.layers if layer.weights)
    small, _ = packed(tagger, data, sparsity=0.5, exclude=(name,))
    assert (small.get_layer(name).get_weights()[0] == tagger.get_layer(name).get_weights()[0]).all()


def test_rounds_reach_the_same_aim(quantized_tagger: Any, data: Any) -> None:
    _, record = packed(quantized_tagger, data, sparsity=0.7, rounds=2, epochs=1, batch_size=256)
    assert record.figures["lut_asked"] == pytest.approx(0.3 * (record.figures["lut_whole"] or 0))
    assert (record.figures["lut_after"] or 0) <= 1.3 * (record.figures["lut_asked"] or 0)


def test_layers_used_twice_pay_twice(data: Any) -> None:
    shared = keras.layers.Dense(8, name="shared")
    entry = keras.Input((8,))
    model = keras.Model(entry, keras.layers.Dense(3, name="end")(shared(shared(entry))))
    hardware = Hardware.of(model, LATENCY, "lut")
    assert len(hardware.nodes["shared", 0]) == 2
    packed(model, data, sparsity=0.4)


def test_what_cannot_be_is_said(quantized_tagger: Any, tagger: Any, data: Any) -> None:
    with pytest.raises(UnsupportedModel, match="takes no dsp"):
        packed(quantized_tagger, data, resource="dsp")
    with pytest.raises(UnsupportedModel, match=r"no weight of zero saves any dsp.*resource strategy"):
        packed(tagger, data, DesignCost(HlsSpec(strategy="resource", reuse_factor=4)), resource="dsp")
    with pytest.raises(DataError, match="taylor"):
        packed(tagger, None)
    with pytest.raises(SpecError, match="graph"):
        PruningCompression(method="knapsack", cost=LATENCY.__call__).compress(tagger, data)
    with pytest.raises(SpecError, match="unknown layer"):
        packed(tagger, data, exclude=("nowhere",))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sparsity_of": "weights"}, "weighs loss"),
        ({"layers": {"fc1": 0.5}}, "all layers together"),
        ({"resource": "cycles", "granularity": "group"}, "levels"),
        ({"importance": "batchnorm"}, "ranks units"),
        ({"resource": "uram"}, "resource"),
    ],
)
def test_settings_that_disagree_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        PruneConfig.parse({"method": "knapsack", **settings})
    with pytest.raises(SpecError, match="knapsack"):
        PruneConfig.parse({"method": "magnitude", "sparsity_of": "resource"})
