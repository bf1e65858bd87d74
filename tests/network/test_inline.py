"""A model in layers alone computes what the model does: models inside, operations, attention, recurrent cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import QBidirectional

from pquant_hls.network import calls, keras_predict, model_digest
from pquant_hls.network.inline import inlined
from pquant_hls.network.layernorm import FixedPointLayerNorm

SEQUENCE = (5, 3)


def model_of(shape: tuple[int, ...], build: Callable[[Any], Any]) -> keras.Model:
    keras.utils.set_random_seed(1)
    x = keras.Input(shape)
    model = keras.Model(x, build(x))
    rng = np.random.default_rng(2)
    for variable in model.weights:
        if variable.dtype == "float32":
            variable.assign(rng.uniform(0.2, 0.9, variable.shape) * rng.choice([-1, 1], variable.shape))
    return model


def inner(shape: tuple[int, ...], *layers: Any) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers], name="inner")


def taken_apart_twice(x: Any) -> Any:
    norm, flat, look = FixedPointLayerNorm(2, 3), kl.Reshape((15,)), kl.MultiHeadAttention(1, 2)
    return kl.Add()([flat(look(norm(each), x)) for each in (x, 2.0 * x)])


def shared(x: Any) -> Any:
    one = inner((4,), kl.Dense(4, name="fc"), kl.ReLU(name="act"))
    return kl.Dense(2, name="fc")(one(one(x)))


CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "layers that are taken apart, used twice": (SEQUENCE, taken_apart_twice),
    "a model inside, twice, with a name of the outer one's": ((4,), shared),
    "models inside models": ((4,), inner((4,), inner((4,), kl.Dense(3)), kl.Dense(2))),
    "numbers": ((4,), lambda x: (2.0 * x + 1.0) / 4.0 - (1.0 - x) * 3.0),
    "squares": ((4,), lambda x: keras.ops.square(x) + x**2 + x * x),
    "sums": (SEQUENCE, lambda x: keras.ops.sum(x, axis=(1, 2), keepdims=True)),
    "means and maxima": (SEQUENCE, lambda x: keras.ops.mean(x, axis=1) - keras.ops.max(x, axis=1)),
    "dot of matrices": (SEQUENCE, lambda x: kl.Dot(axes=2)([kl.Dense(4)(x), kl.Dense(4)(x)])),
    "dot over rows": (SEQUENCE, lambda x: kl.Dot(axes=1)([kl.Dense(2)(x), kl.Dense(4)(x)])),
    "dot of vectors": ((4,), lambda x: kl.Dot(axes=1)([kl.Dense(3)(x), kl.Dense(3)(x)])),
    "einsum over features": (SEQUENCE, kl.EinsumDense("btf,fu->btu", (None, 4), bias_axes="u")),
    "einsum over rows": (SEQUENCE, kl.EinsumDense("btf,tu->buf", (4, 3), activation="relu")),
    "einsum of heads": (SEQUENCE, kl.EinsumDense("btf,fuv->btuv", (None, 2, 4), bias_axes="uv")),
    "layer normalization of tables": (SEQUENCE, lambda x: FixedPointLayerNorm(2, 3)(kl.Dense(6)(x))),
    "attention": (SEQUENCE, lambda x: kl.MultiHeadAttention(1, 4)(x, x)),
    "attention of three heads": (
        SEQUENCE,
        lambda x: kl.MultiHeadAttention(3, 2, value_dim=5)(x, kl.Dense(3)(x)),
    ),
    "attention without bias": (SEQUENCE, lambda x: kl.MultiHeadAttention(2, 2, use_bias=False)(x, x)),
    "attention of four heads on two keys": (SEQUENCE, lambda x: kl.GroupQueryAttention(2, 4, 2)(x, x)),
    "attention of six heads on one key, without bias": (
        SEQUENCE,
        lambda x: kl.GroupQueryAttention(2, 6, 1, use_bias=False)(
            x, kl.Dense(3)(x[:, :4]), kl.Dense(3)(x[:, 1:])
        ),
    ),
    "attention of rows": (SEQUENCE, lambda x: kl.Attention()([x, x])),
    "attention of rows, scaled, with keys": (
        SEQUENCE,
        lambda x: kl.Attention(use_scale=True, dropout=0.1)([x, kl.Dense(2)(x[:, :4]), x[:, 1:]]),
    ),
    "attention of rows by sums": (
        SEQUENCE,
        lambda x: kl.Attention(use_scale=True, score_mode="concat")([x, kl.Dense(3)(x[:, :4])]),
    ),
    "additive attention": (SEQUENCE, lambda x: kl.AdditiveAttention()([x, kl.Dense(3)(x[:, :4])])),
    "additive attention, not scaled": (SEQUENCE, lambda x: kl.AdditiveAttention(use_scale=False)([x, x])),
    "dot of unit vectors": ((4,), lambda x: kl.Dot(axes=1, normalize=True)([kl.Dense(3)(x), kl.Dense(3)(x)])),
    "dot over unit rows": (
        SEQUENCE,
        lambda x: kl.Dot(axes=(2, 1), normalize=True)([kl.Dense(5)(x), kl.Dense(4)(x)]),
    ),
    "GRU": (SEQUENCE, kl.GRU(4)),
    "GRU, reset before": (SEQUENCE, kl.GRU(4, reset_after=False, return_sequences=True)),
    "LSTM": (SEQUENCE, kl.LSTM(4, return_sequences=True)),
    "SimpleRNN without bias": (SEQUENCE, kl.SimpleRNN(4, use_bias=False)),
    "LSTM backwards": (SEQUENCE, kl.LSTM(3, go_backwards=True, return_sequences=True)),
    "both ways": (SEQUENCE, kl.Bidirectional(kl.LSTM(2))),
    "both ways, every step": (
        SEQUENCE,
        kl.Bidirectional(kl.GRU(2, return_sequences=True), merge_mode="sum"),
    ),
    "both ways in QKeras' wrapper": (SEQUENCE, QBidirectional(kl.SimpleRNN(2), merge_mode="mul")),
    "a dense layer of each step": (SEQUENCE, kl.TimeDistributed(kl.Dense(2, activation="relu"))),
    "causal convolution": (SEQUENCE, kl.Conv1D(2, 3, padding="causal", dilation_rate=2)),
    "transposed convolution": (SEQUENCE, kl.Conv1DTranspose(2, 3, strides=2, activation="relu")),
    "transposed convolution, same": (
        (3, 2, 2),
        kl.Conv2DTranspose(3, (3, 4), strides=(2, 3), padding="same"),
    ),
    "transposed convolution, short": (
        (3, 2, 2),
        kl.Conv2DTranspose(1, (2, 1), strides=(3, 2), use_bias=False),
    ),
    "transposed convolution without a stride": ((3, 4, 1), kl.Conv2DTranspose(2, 2)),
    "slices": (SEQUENCE, lambda x: keras.ops.concatenate([x[:, 1:4, 0], x[..., 2]], axis=-1)),
    "every second, backwards, some": (
        SEQUENCE,
        lambda x: kl.Concatenate(axis=1)(
            [x[:, ::2], x[:, ::-1], keras.ops.take(x, [3, 0, 1], axis=1), keras.ops.flip(x, axis=2)]
        ),
    ),
    "axes": (
        SEQUENCE,
        lambda x: (
            keras.ops.swapaxes(keras.ops.expand_dims(x, -1), 1, 2)
            + keras.ops.moveaxis(keras.ops.squeeze(x[:, :, None], 2), 2, 1)[..., None]
        ),
    ),
    "a new shape": (SEQUENCE, lambda x: keras.ops.transpose(keras.ops.reshape(x, (-1, 3, 5)), (0, 2, 1))),
    "a vector of rows": (SEQUENCE, lambda x: kl.Reshape((15,))(x) + keras.ops.reshape(x, (-1, 15))),
    "repeated": (
        SEQUENCE,
        lambda x: keras.ops.repeat(x, 2, axis=1) + keras.ops.repeat(x, 10, axis=1)[:, ::5],
    ),
    "tiled": (SEQUENCE, lambda x: keras.ops.tile(x, (1, 2, 3))),
    "stacked": (SEQUENCE, lambda x: keras.ops.stack([x, 2.0 * x, -x], axis=2)),
    "bounds": (
        SEQUENCE,
        lambda x: (
            keras.ops.clip(x, -0.5, 1.5)
            + keras.ops.clip(x, 0, 1)
            + keras.ops.maximum(0.25, x)
            - keras.ops.minimum(x, -0.25)
            + keras.ops.absolute(x)
        ),
    ),
    "product of matrices": (
        SEQUENCE,
        lambda x: keras.ops.matmul(x, keras.ops.transpose(kl.Dense(3)(x), (0, 2, 1))),
    ),
    "one step": ((1, 3), kl.GRU(4, return_sequences=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_computes_the_same_in_layers_alone(case: str) -> None:
    model = model_of(*CASES[case])
    flat = inlined(model)
    assert flat is not model
    assert not any(isinstance(call.layer, keras.Model) for call in calls(flat))
    assert len({layer.name for layer in flat.layers}) == len(flat.layers)
    x = np.random.default_rng(0).normal(size=(20, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(keras_predict(flat, x), keras_predict(model, x), rtol=1e-6, atol=1e-6)
    assert inlined(flat) is flat
    assert model_digest(model) == model_digest(flat)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: keras.ops.clip(x, keras.ops.zeros(3), 1.0),
        lambda x: keras.ops.sort(x, axis=1),
        kl.Reshape((-1, 5)),
        lambda x: kl.MultiHeadAttention(1, 4)(x, x, use_causal_mask=True),
        kl.EinsumDense("btf,tfu->btu", (5, 2)),
        lambda x: kl.Dot(axes=3)([kl.Reshape((1, 5, 3))(x), kl.Reshape((1, 5, 3))(x)]),
        lambda x: kl.Attention()([x, x], use_causal_mask=True),
    ],
)
def test_what_is_more_than_that_stays(build: Callable[[Any], Any]) -> None:
    model = model_of(SEQUENCE, build)
    assert inlined(model) is model


def test_places_that_the_data_tell_are_not_picked() -> None:
    model = model_of(SEQUENCE, lambda x: keras.ops.take(x, keras.ops.cast(x[:, 0, 0], "int32"), axis=1))
    assert "ops.Take" in {call.kind for call in calls(inlined(model))}


@pytest.mark.parametrize(("rows", "columns"), [(10, 3), (100, 1), (1, 2)])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_an_embedding_is_a_table_of_each_column(rows: int, columns: int, dtype: str) -> None:
    start = keras.Input((4,), dtype=dtype)
    model = keras.Model(start, kl.Embedding(rows, columns, name="places")(start))
    x = np.random.default_rng(0).integers(0, rows, (50, 4)).astype(dtype)
    found = inlined(model)
    assert "Embedding" not in {call.kind for call in calls(found)}
    assert found.layers[-1].name == "places"
    np.testing.assert_array_equal(found(x), model(x))


@pytest.mark.parametrize("options", [{"input_dim": 5000}, {"input_dim": 5, "mask_zero": True}])
def test_an_embedding_of_many_rows_or_with_a_mask_stays(options: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((4,)), kl.Embedding(output_dim=2, **options)])
    assert [call.kind for call in calls(inlined(model))][-1] == "Embedding"
