"""The sweep of dead units: what goes, what stays, and that no value changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.compress import DeadUnitRemoval, QuantizationCompression, account, has_dead_units
from pquant_hls.csim import build, predict
from pquant_hls.errors import NoGain
from pquant_hls.hls import convert
from pquant_hls.network import keras_predict
from pquant_hls.spec import HlsSpec
from tests.compress.random_graphs import batch, random_model

L = keras.layers


def swept(model: keras.Model) -> keras.Model:
    return DeadUnitRemoval().compress(model).model


def tagger(**dense: Any) -> keras.Model:
    """5 -> 6 -> 4 -> 2: of the first layer unit 1 is read by nobody, 2 and 3 are constants, 3 is always 0."""
    layers = [
        L.Dense(6, "relu", name="a", **dense),
        L.Dense(4, "relu", name="b", **dense),
        L.Dense(2, name="c"),
    ]
    model = keras.Sequential([keras.Input((5,)), *layers])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, array.shape) for array in model.get_weights()])
    kernel, bias = model.get_layer("a").get_weights()
    kernel[:, 2:4], bias[2], bias[3] = 0, 0.75, -1
    model.get_layer("a").set_weights([kernel, bias])
    kernel, bias = model.get_layer("b").get_weights()
    kernel[1] = 0
    model.get_layer("b").set_weights([kernel, bias])
    return model


def quantized(model: keras.Model, **settings: Any) -> keras.Model:
    return (
        QuantizationCompression(mode="ptq", bits=6, **settings).compress(model, batch(model, 64, 1)[0]).model
    )


def test_what_nothing_reads_and_constants_go() -> None:
    model, x = tagger(), np.random.default_rng(1).normal(0, 2, (200, 5)).astype(np.float32)
    result = DeadUnitRemoval().compress(model)
    assert account(result.model).units == {"a": 3, "b": 4, "c": 2}
    assert result.record.notes == ("a: 3 of 6 units are dead and removed",)
    np.testing.assert_allclose(result.model(x), model(x), atol=1e-6)
    assert result.record.after.nonzero_weights == result.record.before.nonzero_weights, (
        "they were not counted"
    )
    with pytest.raises(NoGain, match="every unit is needed"):
        DeadUnitRemoval().compress(result.model)


@pytest.mark.parametrize("rounding", ["half_even", "odd_bias"])
def test_a_quantized_network_keeps_every_bit(rounding: str) -> None:
    model = quantized(tagger(), rounding=rounding)
    x = np.random.default_rng(1).normal(0, 2, (2000, 5))
    small = swept(model)
    assert account(small).units == {"a": 3, "b": 4, "c": 2}
    np.testing.assert_array_equal(keras_predict(small, x), keras_predict(model, x))


def test_what_feeds_only_dead_units_is_dead_too() -> None:
    """4 -> 3 -> 2: of the second layer only the last unit is read, of the first only the last feeds it."""
    model = keras.Sequential(
        [keras.Input((3,)), *(L.Dense(n, name=name) for n, name in ((4, "a"), (3, "b"), (2, "c")))]
    )
    for name, rows, column in (("b", slice(3), 2), ("c", slice(2), slice(None))):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[rows, column] = 0
        model.get_layer(name).set_weights([kernel, bias])
    x = np.random.default_rng(0).normal(0, 1, (10, 3)).astype(np.float32)
    small = swept(model)
    assert account(small).units == {"a": 1, "b": 1, "c": 2}
    np.testing.assert_allclose(small(x), model(x), atol=1e-6)


def test_a_layer_keeps_a_unit_where_all_are_dead() -> None:
    source = keras.Input((3,))
    both = L.Concatenate()([L.Dense(4, "relu", name="dead")(source), L.Dense(2, name="side")(source)])
    model = keras.Model(source, L.Dense(2, name="out")(both))
    kernel, bias = model.get_layer("out").get_weights()
    kernel[:4] = 0
    model.get_layer("out").set_weights([kernel, bias])
    assert account(swept(model)).units == {"dead": 1, "side": 2, "out": 2}


@pytest.mark.parametrize(("padding", "left"), [("valid", 1), ("same", 2)])
def test_a_constant_stays_in_front_of_a_padding_convolution(padding: str, left: int) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 1)),
            L.Conv1D(2, 2, activation="relu", name="a"),
            L.Conv1D(2, 3, padding=padding, name="b"),
        ]
    )
    kernel, bias = model.get_layer("a").get_weights()
    kernel[..., 1], bias[1] = 0, 0.5
    model.get_layer("a").set_weights([kernel, bias])
    x = np.random.default_rng(0).normal(0, 1, (10, 6, 1)).astype(np.float32)
    assert has_dead_units(model) is (padding == "valid")
    small = swept(model) if padding == "valid" else model
    assert account(small).units["a"] == left
    np.testing.assert_allclose(small(x), model(x), atol=1e-6)


def test_what_two_branches_add_goes_where_it_is_dead_in_both() -> None:
    source = keras.Input((3,))
    both = L.Add()([L.Dense(4, name="a")(source), L.Dense(4, name="b")(source)])
    model = keras.Model(source, L.Dense(2, name="out")(both))
    for name, column in (("a", 1), ("b", 1), ("b", 2)):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[:, column], bias[column] = 0, 0.5
        model.get_layer(name).set_weights([kernel, bias])
    x = np.random.default_rng(0).normal(0, 1, (10, 3)).astype(np.float32)
    small = swept(model)
    assert account(small).units == {"a": 3, "b": 3, "out": 2}
    np.testing.assert_allclose(small(x), model(x), atol=1e-6)


def test_a_model_that_cannot_be_followed_has_none() -> None:
    model = keras.Sequential([keras.Input((4, 2)), L.LSTM(3), L.Dense(1)])
    assert not has_dead_units(model)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.3, 0.97))
def test_no_value_of_any_network_changes(seed: int, share: float) -> None:
    model, rng = random_model(seed), np.random.default_rng(seed)
    for layer in model.layers:
        if not isinstance(layer, L.BatchNormalization):
            layer.set_weights([a * (rng.random(a.shape) > share) for a in layer.get_weights()])
    if has_dead_units(model):
        x = batch(model, 50, seed)
        for found, wanted in zip(*(keras.tree.flatten(m(x)) for m in (swept(model), model)), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.gxx
def test_firmware_of_what_is_left_gives_the_same_bits(tmp_path: Path) -> None:
    model = quantized(tagger())
    small = swept(model)
    x = np.random.default_rng(1).normal(0, 2, (500, 5)).astype(np.float32)
    project = convert(small, HlsSpec(), tmp_path / "project")
    outputs = predict(build(project, cache=tmp_path / "cache"), x)
    np.testing.assert_array_equal(outputs, keras_predict(model, x))
