"""Digests that version 0.1.0 wrote: run folders are resumed by them."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from pquant_hls.network import build_mlp, clone, model_digest
from pquant_hls.testing.networks import random_model

L = keras.layers


def seeded(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(5)
    for variable in model.weights:
        variable.assign(rng.uniform(0.2, 0.9, variable.shape).astype(np.float32))
    return model


def forked() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x, y = L.Dense(5, activation="relu", name="x")(a), L.BatchNormalization(name="n")(L.Dense(5, name="y")(b))
    total = L.Add(name="sum")([x, y])
    both = L.Concatenate(name="both")([total, y])
    ends = {"two": L.Dense(3, name="two")(total), "one": L.Dense(2, name="one")(both)}
    return seeded(keras.Model({"b": b, "a": a}, ends))


def image() -> keras.Model:
    layers = [
        keras.Input((6, 6, 2), name="i"),
        L.SeparableConv2D(4, 3, name="s"),
        L.ReLU(name="r"),
        L.DepthwiseConv2D(2, name="d"),
        L.GlobalAveragePooling2D(name="g"),
        L.Dense(2, activation="softmax", name="o"),
    ]
    return seeded(keras.Sequential(layers))


WRITTEN: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "mlp": (lambda: build_mlp(4, (6, 5), 3, seed=1), "07c42090c0da39b4"),
    "forked": (forked, "068f725f3bce692c"),
    "image": (image, "74d89b0efad5a8dc"),
    "mlp 1": (lambda: random_model(1, "mlp"), "cd7bd6b2b12492fa"),
    "mlp 2": (lambda: random_model(2, "mlp"), "2c1c26cb84c1274f"),
    "sequence 3": (lambda: random_model(3, "sequence"), "309bc1efdbadad94"),
    "image 4": (lambda: random_model(4, "image"), "bd299349328ab0cd"),
    "sequence 7": (lambda: random_model(7, "sequence"), "beaa9918437ef60d"),
    "image 9": (lambda: random_model(9, "image"), "0ca02ae2b21335c0"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_model_has_the_digest_that_0_1_0_gave_it(name: str) -> None:
    make, digest = WRITTEN[name]
    model = make()
    assert model_digest(model)[:16] == digest
    assert model_digest(clone(model))[:16] == digest
