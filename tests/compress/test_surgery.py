"""Removing units leaves a smaller model that computes the same where the units had no say."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pquant_hls.compress import PruningCompression, QuantizationCompression, units
from pquant_hls.compress.channels import FIXED, Channels, trace_channels
from pquant_hls.compress.surgery import remove
from pquant_hls.errors import NoGain, UnsupportedModel
from pquant_hls.network import calls, model_digest, operation
from pquant_hls.train import predict
from tests.compress.random_graphs import batch, random_model

L = keras.layers


def silence(model: keras.Model, channels: Channels, dropped: set[int]) -> None:
    """Set the weights that read the dropped channels to zero."""
    for call in calls(model):
        kind = operation(call.layer)
        if kind not in ("dense", "conv", "separable_conv"):
            continue
        rows = np.isin(channels.outputs[call.inputs[0]], sorted(dropped))
        arrays = call.layer.get_weights()
        arrays[0][..., rows, :] = 0
        call.layer.set_weights(arrays)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.integers(0, 10**6))
def test_silent_units_can_go(seed: int) -> None:
    model = random_model(seed)
    channels = trace_channels(model)
    loose = sorted({int(i) for ids in channels.made.values() for i in ids} - {FIXED})
    spared = {int(ids[ids != FIXED][0]) for ids in channels.prunable().values()}
    dropped = set(random.Random(seed).sample(loose, len(loose) // 2)) - spared  # noqa: S311
    silence(model, channels, dropped)
    smaller = remove(model, channels, dropped)
    for name, ids in channels.made.items():
        assert units(smaller)[name] == (~np.isin(ids, sorted(dropped))).sum()
    inputs = batch(model)
    for one, other in zip(predict(model, inputs), predict(smaller, inputs), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6 * max(1.0, np.abs(one).max()), rtol=0)


def test_added_layers_lose_the_same_units() -> None:
    entry = keras.Input((4,))
    a = L.Dense(6, activation="relu", name="a")(entry)
    b = L.Dense(6, name="b")(a)
    model = keras.Model(entry, L.Dense(2, name="out")(L.Add()([a, b])))
    made = trace_channels(model).made
    np.testing.assert_array_equal(made["a"], made["b"])
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(model).model
    assert units(smaller) == {"a": 3, "b": 3, "out": 2}


def test_flattened_filters_are_cut_at_every_position() -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), L.Conv2D(4, 3, name="c"), L.Flatten(), L.Dense(3, name="d")]
    )
    smaller = PruningCompression(keep={"c": 1}, importance="l2").compress(model).model
    assert smaller.get_layer("d").kernel.shape == (4, 3)
    best = int(np.argmax(np.linalg.norm(model.get_layer("c").kernel.numpy().reshape(-1, 4), axis=0)))
    np.testing.assert_array_equal(
        smaller.get_layer("d").kernel.numpy(), model.get_layer("d").kernel.numpy()[best::4]
    )


def test_qkeras_layers_keep_their_quantizers(quantized_tagger: keras.Model) -> None:
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(quantized_tagger).model
    for name in ("fc1", "fc2", "output"):
        old, new = quantized_tagger.get_layer(name), smaller.get_layer(name)
        assert str(new.kernel_quantizer_internal) == str(old.kernel_quantizer_internal)
        assert str(new.bias_quantizer_internal) == str(old.bias_quantizer_internal)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in quantized_tagger.layers]


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_silent_units_of_quantized_layers_can_go(seed: int) -> None:
    """QKeras convolutions, depthwise ones and dense layers: the outputs stay the same to the bit."""
    model = random_model(seed)
    inputs = batch(model, 50)
    made = QuantizationCompression(bits=6, mode="ptq").compress(model, inputs).model
    channels = trace_channels(made)
    loose = sorted({int(i) for ids in channels.made.values() for i in ids} - {FIXED})
    spared = {int(ids[ids != FIXED][0]) for ids in channels.prunable().values()}
    dropped = set(random.Random(seed).sample(loose, len(loose) // 2)) - spared  # noqa: S311
    assert dropped
    silence(made, channels, dropped)
    smaller = remove(made, channels, dropped)
    kinds = {call.name: str(getattr(call.layer, "kernel_quantizer_internal", None)) for call in calls(made)}
    assert kinds == {
        call.name: str(getattr(call.layer, "kernel_quantizer_internal", None)) for call in calls(smaller)
    }
    for one, other in zip(predict(made, inputs), predict(smaller, inputs), strict=True):
        np.testing.assert_array_equal(other, one)


def unknown() -> keras.Model:
    entry = keras.Input((40, 3))  # more steps than are written out
    return keras.Model(entry, L.Dense(2)(L.LSTM(5, name="memory")(entry)))


def test_units_of_a_model_inside_go_too() -> None:
    inner = keras.Sequential([keras.Input((4,)), L.Dense(8, name="fc")], name="inner")
    entry = keras.Input((4,))
    model = keras.Model(entry, L.Dense(2)(inner(entry)))
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(model).model
    assert smaller.get_layer("fc").units == 4


def test_what_cannot_be_pruned_is_named() -> None:
    model = unknown()
    weights = model.get_weights()
    with pytest.raises(UnsupportedModel) as caught:
        PruningCompression(importance="l1").compress(model)
    assert caught.value.where == "memory"
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_layer_that_carries_code_is_named() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), L.Lambda(lambda x: 2 * x, name="code"), L.Dense(4), L.Dense(2)]
    )
    with pytest.raises(UnsupportedModel, match="code: a Lambda cannot be made anew from its configuration"):
        PruningCompression(importance="l1").compress(model)


def test_a_model_of_outputs_only_has_nothing_to_prune() -> None:
    with pytest.raises(NoGain, match="no layer has units"):
        PruningCompression(importance="l1").compress(keras.Sequential([keras.Input((4,)), L.Dense(2)]))


def test_softmax_inside_the_network_fixes_its_units() -> None:
    entry = keras.Input((4,))
    x = L.Dense(5, activation="softmax", name="gate")(entry)
    model = keras.Model(entry, L.Dense(2)(L.Dense(6, name="free")(x)))
    assert list(trace_channels(model).prunable()) == ["free"]


def test_pruning_does_not_touch_the_callers_model(tagger: keras.Model, data: Any) -> None:
    before = model_digest(tagger)
    PruningCompression(sparsity=0.5).compress(tagger, data)
    assert model_digest(tagger) == before
