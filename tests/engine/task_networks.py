"""A small network and its events for each kind of task, as triggers run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers

from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.assemble import assemble

EVENTS = 1000
CUTS = {"train": slice(0, 600), "val": slice(600, 800), "test": slice(800, 1000)}
Made = tuple[keras.Model, Dataset]


def split(x: Any, y: Any = None, **beside: Any) -> Dataset:
    """600, 200 and 200 events."""
    arrays = {f"x_{which}": several.take_rows(x, rows) for which, rows in CUTS.items()}
    if y is not None:
        arrays |= {f"y_{which}": several.take_rows(y, rows) for which, rows in CUTS.items()}
    return assemble(arrays | beside, name="toy", where="toy", seed=0)


def trained(model: keras.Model, loss: Any, x: Any, y: Any, epochs: int = 20) -> keras.Model:
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(x, y, epochs=epochs, batch_size=100, verbose=0)
    return model


def curve(rng: np.random.Generator, events: int, scale: float = 1.0) -> np.ndarray:
    """Points near a surface of three dimensions in eight; a larger scale leaves it."""
    mixing = np.random.default_rng(0).normal(size=(3, 8))
    return (
        scale * np.tanh(rng.normal(size=(events, 3)) @ mixing) + 0.1 * rng.normal(size=(events, 8))
    ).astype(np.float32)


def autoencoder() -> Made:
    rng = np.random.default_rng(1)
    x = curve(rng, EVENTS)
    parts = [layers.Dense(4, activation="relu"), layers.Dense(8)]
    model = trained(keras.Sequential([keras.Input((8,)), *parts]), "mse", x, x)
    return model, split(x, **{"x_signal.heavy": curve(rng, 200, 2.5)})


def nested() -> Made:
    """An autoencoder of two models, as they are trained and kept."""
    rng = np.random.default_rng(7)
    x = curve(rng, EVENTS)
    inside = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="relu")], name="coder")
    outside = keras.Sequential([keras.Input((4,)), layers.Dense(8)], name="decoder")
    start = keras.Input((8,))
    return trained(keras.Model(start, outside(inside(start))), "mse", x, x), split(x)


def encoder() -> Made:
    rng = np.random.default_rng(2)
    x = curve(rng, EVENTS)
    inside = keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="relu"), layers.Dense(3)])
    trained(keras.Sequential([keras.Input((8,)), inside, layers.Dense(8)]), "mse", x, x)
    beside = {"x_zero_bias": curve(rng, 2000), "zero_bias_hz": 40.08e6}
    return inside, split(x, **beside, **{"x_signal.heavy": curve(rng, 200, 2.5)})


def regression() -> Made:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(EVENTS, 6)).astype(np.float32)
    y = (2 + 0.8 * x[:, 0] + 0.3 * np.abs(x[:, 1]) + 0.1 * rng.normal(size=EVENTS)).astype(np.float32)
    parts = [layers.Dense(6, activation="relu"), layers.Dense(1)]
    model = trained(keras.Sequential([keras.Input((6,)), *parts]), "mse", x, y)
    zero_bias = rng.normal(size=(2000, 6)).astype(np.float32)
    return model, split(x, y, x_zero_bias=zero_bias, zero_bias_hz=40.08e6, unit="GeV")


def flags() -> Made:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(EVENTS, 6)).astype(np.float32)
    y = np.stack([x[:, 0] + x[:, 1] > 0.5, x[:, 2] - x[:, 3] > 0.8], 1).astype(np.float32)
    parts = [layers.Dense(6, activation="relu"), layers.Dense(2, activation="sigmoid")]
    model = trained(keras.Sequential([keras.Input((6,)), *parts]), "binary_crossentropy", x, y)
    return model, split(x, y, classes=["muon", "jet"])


def two_heads() -> Made:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(EVENTS, 6)).astype(np.float32)
    kind = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.7)
    momentum = (1 + 0.5 * x[:, 2] + 0.3 * x[:, 0]).astype(np.float32)
    given = keras.Input((6,))
    inside = layers.Dense(8, activation="relu")(given)
    outputs = {
        "id": layers.Activation("softmax", name="id")(layers.Dense(3, name="id_logits")(inside)),
        "pt": layers.Dense(1, name="pt")(inside),
    }
    y = {"id": kind, "pt": momentum}
    model = trained(keras.Model(given, outputs), {"id": "sparse_categorical_crossentropy", "pt": "mse"}, x, y)
    return model, split(x, y, classes=["qcd", "tau", "top"])


def two_inputs() -> Made:
    rng = np.random.default_rng(6)
    x = {
        "jets": rng.normal(size=(EVENTS, 4, 3)).astype(np.float32),
        "scalars": rng.normal(size=(EVENTS, 2)).astype(np.float32),
    }
    y = (x["jets"].sum((1, 2)) + 2 * x["scalars"][:, 0] > 0).astype(int)
    given = {name: keras.Input(part.shape[1:], name=name) for name, part in x.items()}
    jets = layers.Dense(6, activation="relu")(layers.Flatten()(given["jets"]))
    both = layers.Concatenate()([jets, layers.Dense(4, activation="relu")(given["scalars"])])
    outputs = layers.Dense(1, activation="sigmoid", name="out")(both)
    model = trained(keras.Model(list(given.values()), outputs), "binary_crossentropy", list(x.values()), y)
    weights = {f"w_{which}": rng.uniform(0.5, 1.5, part.stop - part.start) for which, part in CUTS.items()}
    return model, split(x, y, **weights)


def same_each_time(made: Callable[[], Made]) -> Callable[[], Made]:
    """The network that is trained from the same start, whatever tests ran before."""

    @cache
    def again() -> Made:
        keras.utils.set_random_seed(0)
        return made()

    return again


KINDS: dict[str, Callable[[], Made]] = {
    made.__name__: same_each_time(made)
    for made in (autoencoder, nested, encoder, regression, flags, two_heads, two_inputs)
}
"""Each is made once: no run changes its model."""
