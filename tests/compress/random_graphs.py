"""Random Keras graphs with every way in which channels can meet."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

L = keras.layers


def random_model(seed: int) -> keras.Model:
    """A dense or a convolutional graph with random weights, one or two inputs, one or two outputs."""
    rng = random.Random(seed)  # noqa: S311
    model = rng.choice([dense_graph, image_graph, sequence_graph])(rng)
    randomise(model, seed)
    return model


def dense_graph(rng: random.Random) -> keras.Model:
    inputs = [keras.Input((rng.randint(2, 5),), name=f"in{i}") for i in range(rng.randint(1, 2))]
    tensors = [dense(rng, tensor) for tensor in inputs]
    for _ in range(rng.randint(1, 3)):
        tensors.append(grow(rng, tensors, dense))
    return finish(rng, inputs, tensors)


def image_graph(rng: random.Random) -> keras.Model:
    entry = keras.Input((6, 6, 2), name="image")
    tensors = [conv(rng, entry)]
    for _ in range(rng.randint(1, 2)):
        tensors.append(grow(rng, tensors, conv))
    x = tensors[-1]
    if rng.random() < 0.5:
        x = L.MaxPooling2D(2)(x)
    x = L.Flatten()(x) if rng.random() < 0.5 else L.GlobalAveragePooling2D()(x)
    return finish(rng, [entry], [x, dense(rng, x)])


def sequence_graph(rng: random.Random) -> keras.Model:
    entry = keras.Input((7, 3), name="sequence")
    tensors = [sequence(rng, entry)]
    for _ in range(rng.randint(1, 2)):
        tensors.append(grow(rng, tensors, sequence))
    x = L.DepthwiseConv1D(2, depth_multiplier=2)(tensors[-1]) if len(tensors) == 3 else tensors[-1]
    x = L.Flatten()(x) if rng.random() < 0.5 else L.GlobalMaxPooling1D()(x)
    return finish(rng, [entry], [x, dense(rng, x)])


def sequence(rng: random.Random, source: Any, filters: int | None = None) -> Any:
    make = rng.choice([L.Conv1D, L.SeparableConv1D])
    return behind(rng, make(filters or rng.randint(3, 5), rng.randint(1, 3), padding="same")(source))


def grow(rng: random.Random, tensors: list[Any], layer: Callable[..., Any]) -> Any:
    """A layer, a sum of two alike, or a concatenation, from tensors so far."""
    source = rng.choice(tensors)
    kind = rng.choice(["layer", "add", "concatenate"])
    if kind == "layer":
        return layer(rng, source)
    other = layer(rng, source, source.shape[-1] if kind == "add" else None)
    return L.Add()([source, other]) if kind == "add" else L.Concatenate()([source, other])


def dense(rng: random.Random, source: Any, units: int | None = None) -> Any:
    x = L.Dense(units or rng.randint(3, 6))(source)
    return behind(rng, x)


def conv(rng: random.Random, source: Any, filters: int | None = None) -> Any:
    filters = filters or rng.randint(3, 5)
    if rng.random() < 0.5:
        source = L.DepthwiseConv2D(3, padding="same", depth_multiplier=rng.randint(1, 2))(source)
    make = rng.choice([L.Conv2D, L.SeparableConv2D])
    return behind(rng, make(filters, 3, padding="same")(source))


def behind(rng: random.Random, x: Any) -> Any:
    if rng.random() < 0.5:
        x = L.BatchNormalization()(x)
    return L.Activation(rng.choice(["relu", "tanh", "sigmoid"]))(x)


def finish(rng: random.Random, inputs: list[Any], tensors: list[Any]) -> keras.Model:
    count = rng.randint(1, min(2, len(tensors)))
    ends = [L.Dense(2, name=f"out{i}")(tensors[-1 - i]) for i in range(count)]
    return keras.Model(inputs, ends)


def randomise(model: keras.Model, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights([_values(rng, array, layer) for array in layer.get_weights()])


def _values(rng: np.random.Generator, array: np.ndarray, layer: keras.Layer) -> np.ndarray:
    if isinstance(layer, L.BatchNormalization):
        return rng.uniform(0.5, 1.5, array.shape)
    return rng.normal(0, 0.4, array.shape)


def batch(model: keras.Model, events: int = 16, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, (events, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
