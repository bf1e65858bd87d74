"""Keras' normalizations over an event's own values: read in one form, made of tables, near what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from pquant_hls.lint import errors, fix, lint
from pquant_hls.network import keras_predict, load_model, save_model
from pquant_hls.network.layernorm import FixedPointLayerNorm
from pquant_hls.network.norms import norm_of, refused_norm, tabled_norm

VECTOR, ROWS, IMAGE = (6,), (4, 6), (4, 3, 6)
RNG = np.random.default_rng(3)

NORMS: dict[str, tuple[tuple[int, ...], Any, tuple[int, ...]]] = {
    "rows": (ROWS, kl.LayerNormalization(), (4, 6)),
    "columns": (ROWS, kl.LayerNormalization(axis=1), (4, 6)),
    "columns, without weights": (ROWS, kl.LayerNormalization(axis=1, center=False, scale=False), (4, 6)),
    "two axes": (IMAGE, kl.LayerNormalization(axis=(1, 2)), (12, 6)),
    "outer axes": (IMAGE, kl.LayerNormalization(axis=[1, 3]), (4, 3, 6)),
    "all axes": (IMAGE, kl.LayerNormalization(axis=[1, 2, -1]), (1, 72)),
    "root mean square": (VECTOR, kl.RMSNormalization(epsilon=1e-3), (6,)),
    "root mean square of two axes": (ROWS, kl.RMSNormalization(axis=[1, 2]), (1, 24)),
    "unit vectors": (VECTOR, kl.UnitNormalization(), (6,)),
    "unit columns": (IMAGE, kl.UnitNormalization(axis=1), (4, 18)),
    "unit images": (IMAGE, kl.UnitNormalization(axis=[2, 1]), (12, 6)),
    "groups of a vector": (VECTOR, kl.GroupNormalization(2), (2, 3)),
    "groups of rows": (ROWS, kl.GroupNormalization(3), (4, 3, 2)),
    "groups of an image": (IMAGE, kl.GroupNormalization(2, center=False), (12, 2, 3)),
    "one group": (IMAGE, kl.GroupNormalization(1), (1, 72)),
    "one channel each": (IMAGE, kl.GroupNormalization(-1), (12, 6)),
    "groups of the middle axis": ((2, 4, 3), kl.GroupNormalization(2, axis=2), (2, 2, 6)),
    "groups of the first axis": ((4, 3), kl.GroupNormalization(2, axis=-2), (2, 6)),
}
"""The layer's shape, the layer, and the shape that its mean is taken in."""


def built(shape: tuple[int, ...], layer: Any) -> keras.Model:
    """The layer on its own, with weights of both signs, as a model."""
    x = keras.Input(shape)
    model = keras.Model(x, type(layer).from_config(layer.get_config())(x))
    model.set_weights([RNG.uniform(0.5, 2, w.shape) * RNG.choice([-1, 1], w.shape) for w in model.weights])
    return model


@pytest.mark.parametrize("case", NORMS)
def test_one_of_tables_lies_near_keras(case: str) -> None:
    shape, layer, inner = NORMS[case]
    model = built(shape, layer)
    norm = norm_of(model.layers[-1])
    assert norm is not None
    assert norm.inner == inner
    x = RNG.normal(0.3, 1.5, (400, *shape)).astype(np.float32)
    spreads = norm.spreads(x)
    value: Any = x
    made = tabled_norm(norm, "norm", 3, int(np.ceil(np.log2(spreads.max()))))
    for part in made:
        value = part(value)
    assert (made[-1].name, tuple(value.shape)) == ("norm", x.shape)
    exact = np.asarray(model(x), np.float64)
    usual = (spreads.reshape(400, -1) > 0.5).all(axis=1)
    apart = np.abs(np.asarray(value, np.float64) - exact)[usual]
    assert apart.mean() < 0.012 * exact.std()
    assert apart.max() < 0.2 * exact.std()


@pytest.mark.parametrize("layer", [kl.UnitNormalization(), kl.RMSNormalization(), kl.GroupNormalization(2)])
def test_an_event_of_zeros_stays_one_of_zeros(layer: Any) -> None:
    model = built(VECTOR, layer)
    model.set_weights([np.ones_like(w) if "beta" not in w.path else np.zeros_like(w) for w in model.weights])
    value: Any = np.zeros((2, 6), np.float32)
    for part in tabled_norm(norm_of(model.layers[-1]), "norm", 3):  # type: ignore[arg-type]  # is one
        value = part(value)
    np.testing.assert_array_equal(value, np.zeros((2, 6)))
    np.testing.assert_array_equal(model(np.zeros((2, 6))), np.zeros((2, 6)))


def test_one_value_alone_keeps_its_sign_where_no_mean_is_taken() -> None:
    x = np.array([[-3.0], [0.0], [0.5]], np.float32)
    found = np.asarray(FixedPointLayerNorm(2, 4, 0.0, center=False)(x))
    np.testing.assert_allclose(found, np.sign(x), atol=2.0**-6)
    np.testing.assert_array_equal(FixedPointLayerNorm(2, 4)(x), np.zeros((3, 1)))


def test_a_unit_vector_has_length_1_whatever_its_size() -> None:
    x = RNG.normal(size=(300, 6)) * 2.0 ** RNG.integers(-2, 2, (300, 1))
    value: Any = x.astype(np.float32)
    for part in tabled_norm(norm_of(built(VECTOR, kl.UnitNormalization()).layers[-1]), "norm", 3, 3):  # type: ignore[arg-type]  # is one
        value = part(value)
    lengths = np.sqrt((np.asarray(value, np.float64) ** 2).sum(axis=1))
    assert np.abs(lengths - 1)[(x**2).mean(axis=1) > 0.1].max() < 0.05


@pytest.mark.parametrize(
    ("shape", "layer", "said"),
    [
        (VECTOR, kl.UnitNormalization(axis=0), "events"),
        ((3000,), kl.RMSNormalization(), "more than 2048"),
        ((50, 50), kl.GroupNormalization(1), "more than 2048"),
    ],
)
def test_what_has_no_tables_is_refused_with_the_reason(shape: tuple[int, ...], layer: Any, said: str) -> None:
    model = built(shape, layer)
    assert norm_of(model.layers[-1]) is None
    (found,) = [each for each in errors(lint(model)) if each.rule == "unsupported-layer"]
    assert said in found.message
    assert not found.fixable


def test_rms_scaling_of_a_layer_normalization_is_refused_for_what_keras_makes_of_it() -> None:
    with pytest.warns(UserWarning, match="deprecated"):
        layer = kl.LayerNormalization(rms_scaling=True)
    with pytest.warns(UserWarning, match="incorrectly scales the input by the variance"):
        found = np.asarray(layer(np.full((1, 6), 2.0)))
    assert found.max() > 50  # of a mean of squares it would be 1
    said = refused_norm(layer)
    assert said is not None
    assert "variance" in said[0]
    assert said[1].endswith("RMSNormalization")
    assert refused_norm(kl.Dense(2)) is None


def test_a_class_of_the_same_name_is_none_of_these() -> None:
    class RMSNormalization(kl.Layer):  # type: ignore[misc]  # Keras has no types
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    x = keras.Input(VECTOR)
    assert norm_of(keras.Model(x, RMSNormalization()(x)).layers[-1]) is None


def test_a_mended_model_is_saved_and_loaded(tmp_path: Path) -> None:
    x = keras.Input(IMAGE)
    model = keras.Model(x, kl.GroupNormalization(2)(kl.RMSNormalization()(x)))
    fixed, left = fix(model)
    assert errors(left) == []
    back = load_model(save_model(fixed, tmp_path / "model.keras"))
    values = RNG.normal(0, 2, (20, *IMAGE)).astype(np.float32)
    np.testing.assert_array_equal(keras_predict(back, values), keras_predict(fixed, values))
