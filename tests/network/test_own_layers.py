"""This package's own layers: what they compute, what they refuse, what a file keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.errors import SpecError
from pquant_hls.network import load_model, save_model
from pquant_hls.network.affine import FixedPointScale, rounded_constants, rounded_scale
from pquant_hls.network.layernorm import FixedPointLayerNorm
from pquant_hls.network.lookup import FixedPointTable, values_of
from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.network.sums import SumOver
from pquant_hls.qor import FixedType

RNG = np.random.default_rng(0)


def applied(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(layer(x.astype(np.float32)), np.float64)


def test_a_scale_multiplies_and_shifts_each_channel() -> None:
    x = RNG.integers(-8, 8, (5, 4, 3)) / 4
    found = applied(FixedPointScale([0.5, -2.0, 1.0], [1.0, 0.0, -0.25]), x)
    np.testing.assert_array_equal(found, x * [0.5, -2.0, 1.0] + [1.0, 0.0, -0.25])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (([1.0, 2.0], [0.0, 0.0, 0.0]), "shapes"),
        (([1.0, np.inf], 0.0), "finite"),
        (([1.0, 2.0], 0.0), "values of shape"),
    ],
)
def test_a_scale_that_does_not_fit_is_an_error(parts: tuple[Any, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FixedPointScale(*parts)(np.zeros((2, 3), np.float32))


def test_constants_are_rounded_to_the_bits_asked_for() -> None:
    values = np.array([0.3, -1.7, 0.001])
    found = rounded_constants(values, 16)
    assert np.abs(found - values).max() <= 2.0**-15
    np.testing.assert_array_equal(found * 2.0**14, np.round(found * 2.0**14))
    layer = rounded_scale(values, np.zeros(3), "s")
    np.testing.assert_array_equal(layer.scales, found)


@pytest.mark.parametrize("kind", [FixedType(5, 2), FixedType(4, 1, False), FixedType(3, 5)])
def test_a_table_gives_its_entry_for_every_value_and_saturates(kind: FixedType) -> None:
    entries = np.round(RNG.normal(size=1 << kind.width) * 16) / 16
    layer = FixedPointTable(kind.width, kind.integer, entries, kind.signed)
    np.testing.assert_array_equal(applied(layer, values_of(kind)[None])[0], entries)
    far = np.array([[-1e6, 1e6]])
    np.testing.assert_array_equal(applied(layer, far)[0], entries[[0, -1]])


def test_what_stands_before_a_table_trains() -> None:
    import tensorflow as tf

    layer = FixedPointTable.of(FixedType(10, 4), np.tanh)
    x = tf.Variable([[0.0, 0.5, -1.0]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    slopes = np.asarray(tape.gradient(total, x))
    np.testing.assert_allclose(slopes, 1 - np.tanh(np.asarray(x)) ** 2, atol=1e-3)


@pytest.mark.parametrize(
    ("width", "table", "said"),
    [(13, np.zeros(1 << 13), "12"), (3, np.zeros(7), "8 finite"), (2, [0, 1, np.nan, 2], "4 finite")],
)
def test_a_table_of_another_size_is_an_error(width: int, table: Any, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FixedPointTable(width, 2, table)


@pytest.mark.parametrize("count", [2, 5, 100])
def test_a_softmax_of_tables_lies_within_its_bound(count: int) -> None:
    x = RNG.normal(0, 3, (200, count))
    found = applied(FixedPointSoftmax(5), x)
    exact = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    share = 0.01 + count / 8192 + 2.0 ** (count.bit_length() - 13)
    assert (np.abs(found - exact) <= share * exact + 4e-4).all()


@pytest.mark.parametrize("count", [2, 6, 16, 100])
def test_a_layer_normalization_of_tables_lies_near_keras(count: int) -> None:
    """Values and means are 1/64 apart; roots are coarse where the variance is small."""
    x = RNG.normal(0, 1.5, (500, count))
    found, exact = applied(FixedPointLayerNorm(3), x), applied(keras.layers.LayerNormalization(), x)
    usual = x.var(axis=1) > 0.25
    assert np.abs(found - exact)[usual].max() < 0.08
    assert np.abs(found - exact)[usual].mean() < 0.02
    assert (np.abs(found) <= max(np.sqrt(count), 1) + 0.1).all()


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        (FixedPointLayerNorm(3, 4), keras.layers.LayerNormalization()),
        (FixedPointLayerNorm(3, 4, center=False), keras.layers.RMSNormalization()),
    ],
)
def test_what_stands_before_a_normalization_of_tables_trains(own: Any, kept: Any) -> None:
    import tensorflow as tf

    values = np.random.default_rng(4).normal(0, 1.5, (200, 4)).astype(np.float32)
    x = tf.Variable(values[values.var(axis=1) > 0.25])
    slopes = []
    for layer in (own, kept):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x) ** 3)
        slopes.append(np.asarray(tape.gradient(total, x)).ravel())
    assert np.corrcoef(np.array(slopes))[0, 1] > 0.95


@pytest.mark.parametrize(("count", "epsilon", "said"), [(2049, 1e-3, "2049 values"), (3, -1.0, "below 0")])
def test_a_layer_normalization_that_has_no_tables_is_an_error(count: int, epsilon: float, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        FixedPointLayerNorm(epsilon=epsilon)(np.zeros((1, count), np.float32))


def test_entries_are_rounded_to_16_bits_and_addresses_stay() -> None:
    table = FixedPointTable.of(FixedType(4, 4, False), np.sin)
    found = table.rounded("other")
    assert (found.name, found.kind) == ("other", table.kind)
    assert 0 < np.abs(found.table - table.table).max() <= 2.0**-15
    np.testing.assert_array_equal(found.table * 2.0**15, np.round(found.table * 2.0**15))


def test_sums_over_axes_are_keras_own() -> None:
    x = RNG.integers(-9, 9, (4, 3, 2)).astype(float)
    np.testing.assert_array_equal(applied(SumOver(1), x), x.sum(axis=1))
    np.testing.assert_array_equal(applied(SumOver([1, 2], True), x), x.sum(axis=(1, 2), keepdims=True))


def test_a_file_keeps_them(tmp_path: Path) -> None:
    layers = [
        FixedPointScale([0.5, 2.0, 1.0], 0.25),
        FixedPointTable.of(FixedType(6, 3), lambda x: np.round(16 * np.tanh(x)) / 16),
        FixedPointSoftmax(3),
        FixedPointLayerNorm(2, 1, 1e-2),
        FixedPointLayerNorm(2, 1, 0.0, False, [1]),
        SumOver(-1, True),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers])
    x = RNG.normal(0, 2, (20, 3)).astype(np.float32)
    for suffix in (".keras", ".h5"):
        back = load_model(save_model(model, tmp_path / f"model{suffix}"))
        np.testing.assert_array_equal(model(x), back(x))
