"""The reference of the exactness checks: the model handed in, and nothing of what it judges."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from keras import layers as kl
from numpy.typing import NDArray

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.network import witness
from pquant_hls.network.witness import answers


def bits(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_bits(width, integer, **{"alpha": 1, **options})


def dense(units: int, **options: Any) -> Any:
    kernel = options.pop("kernel_quantizer", bits(4, 0))
    return qkeras.QDense(units, kernel_quantizer=kernel, bias_quantizer=bits(4, 0), **options)


def inputs(*shape: int, rows: int = 50) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, 2, (rows, *shape)).astype(np.float32)


def logit(p: Any) -> Any:
    return np.log(p / (1 - p))


def test_it_imports_nothing_of_what_it_judges() -> None:
    """A reference that shares code with the conversion cannot see its faults."""
    tree = ast.parse(Path(witness.__file__).read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {name for name in names if name and name.startswith("pquant_hls")}
    assert own == {
        "pquant_hls.errors",
        "pquant_hls.network.floats",
    }  # the second sets the width of floats alone


@pytest.fixture(scope="module")
def tangled() -> Any:
    """A nested model called twice, a shared layer, an operator, a dropout and three ends."""
    inner_in = keras.Input((3,))
    inner = keras.Model(inner_in, qkeras.QActivation(qkeras.quantized_relu(4, 1))(dense(3)(inner_in)))
    x = keras.Input((3,), name="x")
    first = qkeras.QActivation(bits(6, 2))(x)
    shared = dense(3)
    both = shared(inner(first)) + shared(inner(first + first))
    rounded = qkeras.QActivation("quantized_tanh(4)")(both)
    ends = [rounded, kl.Dropout(0.5)(kl.Softmax()(rounded)), dense(1, activation="sigmoid")(rounded)]
    model = keras.Model(x, ends)
    model.set_weights([np.random.default_rng(i).normal(0, 0.6, w.shape) for i, w in enumerate(model.weights)])
    return model


def test_it_answers_what_predict_answers(tangled: Any) -> None:
    x = inputs(3)
    expected = tangled.predict(x, verbose=0)
    for got, want in zip(answers(tangled, x, keep_softmax=True), expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_heads_are_given_before_their_softmax_or_sigmoid(tangled: Any) -> None:
    x = inputs(3)
    rounded, softmax, sigmoid = answers(tangled, x)
    kept = answers(tangled, x, keep_softmax=True)
    np.testing.assert_array_equal(softmax, rounded)
    np.testing.assert_array_equal(rounded, kept[0])
    np.testing.assert_allclose(logit(kept[2]), sigmoid, atol=1e-6)


def test_the_model_is_left_as_it_was(tangled: Any) -> None:
    x = inputs(3)
    before = tangled.predict(x, verbose=0)
    answers(tangled, x)
    for got, want in zip(tangled.predict(x, verbose=0), before, strict=True):
        np.testing.assert_array_equal(got, want)
    assert keras.config.floatx() == "float32"
    assert {layer.compute_dtype for layer in tangled.layers} == {"float32"}


def test_a_head_that_feeds_on_does_so_after_its_sigmoid() -> None:
    x = keras.Input((3,))
    head = dense(1, activation="sigmoid")(qkeras.QActivation(bits(6, 2))(x))
    model = keras.Model(x, [head, dense(1, use_bias=False)(qkeras.QActivation(bits(8, 0))(head))])
    port, rest = answers(model, inputs(3))
    plain = model.predict(inputs(3), verbose=0)
    np.testing.assert_allclose(port, logit(plain[0]), atol=1e-2)
    np.testing.assert_array_equal(rest, plain[1])


def test_sums_beyond_float32_are_exact() -> None:
    x = keras.Input((4,))
    middle = qkeras.QActivation(qkeras.quantized_relu(28, 8))(dense(2, kernel_quantizer=bits(16, 0))(x))
    model = keras.Model(x, middle)
    kernel = np.round(np.random.default_rng(0).normal(0, 0.3, (4, 2)) * 2**15) / 2**15
    model.set_weights([kernel, np.zeros(2)])
    codes = np.random.default_rng(1).integers(-(2**15), 2**15, (50, 4))
    sums = codes @ (kernel * 2**15).astype(np.int64)  # in units of 2**-25, more than 24 bits
    wanted = np.clip(np.round(sums / 2**5), 0, 2**28 - 1) / 2**20
    found = answers(model, codes / 2**10)[0]
    np.testing.assert_array_equal(found, wanted)
    assert np.any(model.predict(codes / 2**10, verbose=0) != wanted)


@pytest.mark.parametrize(
    "quantizer", [bits(3, 0), qkeras.binary(), qkeras.ternary(), qkeras.quantized_tanh(4)]
)
def test_no_residue_is_left(quantizer: Any) -> None:
    x = keras.Input((4,))
    found = answers(keras.Model(x, qkeras.QActivation(quantizer)(x)), inputs(4, rows=5000))[0]
    np.testing.assert_array_equal(found * 8, np.round(found * 8))


def test_weights_without_a_quantizer_are_taken_as_they_are() -> None:
    x = keras.Input((3,))
    model = keras.Model(x, qkeras.QDense(2, kernel_quantizer=bits(4, 0), bias_initializer="ones")(x))
    expected = model.predict(inputs(3), verbose=0)
    np.testing.assert_allclose(answers(model, inputs(3))[0], expected, atol=1e-6)
    assert model.layers[-1].bias_quantizer is None


def test_a_mask_is_applied() -> None:
    x = keras.Input((3, 3, 1))
    mask = np.array([[1, 0], [0, 1]], np.float32)
    layer = qkeras.QConv2D(1, 2, mask=mask, kernel_quantizer=bits(4, 0), bias_quantizer=bits(4, 0))
    model = keras.Model(x, layer(x))
    expected = model.predict(inputs(3, 3, 1), verbose=0)
    np.testing.assert_allclose(answers(model, inputs(3, 3, 1))[0], expected, atol=1e-6)


def test_what_has_no_graph_or_does_not_fit_is_said(tangled: Any) -> None:
    with pytest.raises(DataError, match="takes"):
        answers(tangled, inputs(4))
    with pytest.raises(UnsupportedModel, match="without a fixed graph"):
        answers(keras.Sequential([kl.Dense(1)]), inputs(3))
