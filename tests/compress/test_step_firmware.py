"""What the steps emit passes the linter, and its C++ computes what Keras computes, bit for bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import FineTuning, LowRankCompression, PruningCompression, QuantizationCompression
from pquant_hls.csim import build
from pquant_hls.csim import predict as csim
from pquant_hls.hls import convert
from pquant_hls.lint import lint
from pquant_hls.network.normal import normal_form
from pquant_hls.spec import HlsSpec
from pquant_hls.train import predict
from tests.compress.random_graphs import randomise

L = keras.layers
pytestmark = [pytest.mark.gxx, pytest.mark.slow]


def check(model: keras.Model, inputs: list[np.ndarray], folder: Path, cache: Path) -> None:
    """No lint finding above a note, and every output value equal."""
    assert [found for found in lint(model) if found.severity != "note"] == []
    found = csim(
        build(convert(model, HlsSpec(), folder / "project"), cache=cache),
        inputs if len(inputs) > 1 else inputs[0],
    )
    expected = predict(normal_form(model, keep_softmax=False), inputs)
    for one, other in zip(found if isinstance(found, list) else [found], expected, strict=True):
        np.testing.assert_array_equal(one, other.reshape(one.shape))


def test_a_tagger_after_every_step(tagger: keras.Model, data: Any, tmp_path: Path, csim_cache: Path) -> None:
    """Pruned, factorized, quantized with uneven bits and trained."""
    model = PruningCompression(sparsity=0.4).compress(tagger, data).model
    model = LowRankCompression(layers={"fc2": 3}, exclude=("fc1", "output")).compress(model).model
    step = QuantizationCompression(bits=4, allocation="sensitivity", epochs=1, batch_size=64)
    check(step.compress(model, data).model, [data.x_val], tmp_path, csim_cache)


def test_several_inputs_and_outputs(tmp_path: Path, csim_cache: Path) -> None:
    """Sum, concatenation, normalization and no biases; a class and a value; zeros in blocks."""
    one, other = keras.Input((5,), name="one"), keras.Input((3,), name="other")
    x = L.ReLU(name="r1")(L.BatchNormalization(name="n1")(L.Dense(8, use_bias=False, name="d1")(one)))
    x = L.Add(name="sum")([x, L.Dense(8, activation="relu", name="d2")(x)])
    x = L.Concatenate(name="both")([x, L.Dense(4, activation="tanh", name="d3")(other)])
    ends = [L.Dense(3, activation="softmax", name="kind")(x), L.Dense(1, name="mass")(x)]
    model = keras.Model([one, other], ends)
    randomise(model, 3)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((200, size)).astype(np.float32) for size in (5, 3)]
    labels = {"kind": rng.integers(3, size=200), "mass": inputs[0][:, 0] * inputs[1][:, 1]}
    data = SimpleNamespace(x_train=inputs, y_train=labels)
    training: dict[str, Any] = {"epochs": 1, "batch_size": 50}
    model = PruningCompression(sparsity=0.3, **training).compress(model, data).model
    model = PruningCompression(method="n_m", n=2, m=4, **training).compress(model, data).model
    model = QuantizationCompression(bits=5, allocation="sensitivity", **training).compress(model, data).model
    model = FineTuning(**training).compress(model, data).model
    check(model, inputs, tmp_path, csim_cache)


def test_an_image_network(tmp_path: Path, csim_cache: Path) -> None:
    """Convolutions of three kinds, normalized and pruned, mean pooling; ternary weights."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            L.Conv2D(6, 3, use_bias=False, name="c"),
            L.BatchNormalization(name="n"),
            L.ReLU(name="r"),
            L.DepthwiseConv2D(2, activation="relu", name="d"),
            L.SeparableConv2D(4, 2, activation="relu", name="s"),
            L.AveragePooling2D(2, name="p"),
            L.Flatten(name="f"),
            L.Dense(2, activation="softmax", name="o"),
        ]
    )
    randomise(model, 4)
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=200)
    x = np.clip(rng.normal(100 + 40 * y.reshape(-1, 1, 1, 1), 30, (200, 6, 6, 1)), 0, 255).astype(np.uint8)
    model = PruningCompression(sparsity=0.5).compress(model, (x, y)).model
    step = QuantizationCompression(kernel="ternary", activation_bits=6, epochs=1, batch_size=50)
    check(step.compress(model, (x, y)).model, [x.astype(np.float32)], tmp_path, csim_cache)
