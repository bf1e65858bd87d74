"""Digests that version 0.1.0 wrote: run folders are resumed by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.network import build_mlp, clone, model_digest

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


def bits(width: int, integer: int = 0, **o: Any) -> Any:
    return qkeras.quantized_bits(width, integer, **{"alpha": 1, **o})


def quantized() -> keras.Model:
    w = {"kernel_quantizer": bits(6, 1), "bias_quantizer": bits(8, 2)}
    return seeded(
        keras.Sequential(
            [
                keras.Input((5,), name="i"),
                qkeras.QActivation(bits(8, 3), name="a"),
                qkeras.QDense(4, name="d", **w),
                qkeras.QActivation("quantized_relu(6,2)", name="r"),
                qkeras.QDense(
                    3, name="e", kernel_quantizer=qkeras.ternary(alpha=1), bias_quantizer=bits(4, 1)
                ),
            ]
        )
    )


def convolved() -> keras.Model:
    w = {"kernel_quantizer": bits(4, 0, alpha="auto_po2"), "bias_quantizer": bits(8, 2)}
    return seeded(
        keras.Sequential(
            [
                keras.Input((6, 6, 1), name="i"),
                qkeras.QActivation(bits(8, 3), name="a"),
                qkeras.QConv2D(2, 3, name="c", padding="same", activation=qkeras.quantized_relu(5, 1), **w),
                L.MaxPooling2D(2, name="m"),
                L.Flatten(name="f"),
                qkeras.QDense(
                    2,
                    name="d",
                    kernel_quantizer=qkeras.binary(alpha=1),
                    bias_quantizer=bits(4, 1),
                    activation="quantized_tanh(5)",
                ),
            ]
        )
    )


def sequence() -> keras.Model:
    x = keras.Input((6, 2), name="i")
    a = qkeras.QActivation(bits(8, 3), name="a")(x)
    c = qkeras.QConv1D(2, 3, name="c", padding="same", kernel_quantizer=bits(5), bias_quantizer=bits(5))(a)
    s = L.Add(name="s")([a, c])

    return seeded(keras.Model(x, L.GlobalAveragePooling1D(name="g")(s)))


WRITTEN: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "mlp": (lambda: build_mlp(4, (6, 5), 3, seed=1), "07c42090c0da39b4"),
    "forked": (forked, "068f725f3bce692c"),
    "image": (image, "74d89b0efad5a8dc"),
    "quantized": (quantized, "633a446b99bab437"),
    "convolved": (convolved, "78f73fadfe2e7422"),
    "sequence": (sequence, "8b0cec7e19ebb182"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_model_has_the_digest_that_0_1_0_gave_it(name: str) -> None:
    make, digest = WRITTEN[name]
    model = make()
    assert model_digest(model)[:16] == digest
    assert model_digest(clone(model))[:16] == digest
