"""What the linter refuses: each construct, how hls4ml alone fares with it, and the model mended as it says."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import qkeras
from keras import layers as kl

from tests.hls.hls_zoo import (
    IMAGE,
    SEQUENCE,
    VECTOR,
    Build,
    Shape,
    act,
    bare,
    bits,
    chain,
    conv1d,
    conv2d,
    dense,
    joined,
    relu,
)

Alone = Literal["differs", "raises", "breaks", "keras", "same"]
"""hls4ml alone: other values in csim; no conversion; C++ that does not compile, aborts, or has other sizes.

``keras``: there is nothing to compare with, as Keras itself fails or is random. ``same``: hls4ml is right, and this
package leaves nothing of it: the port takes the quantizer's own type.
"""


class Case(NamedTuple):
    """``mended`` is what the message advises, None where ``fix`` does it."""

    rule: str
    shape: Shape
    build: Build
    alone: Alone
    mended: Build | None = None
    mended_shape: Shape | None = None


def after_dense(*layers: Any) -> Build:
    return chain(dense(4), *layers)


def activated(quantizer: Any) -> Build:
    return after_dense(act(quantizer))


def doubled(x: Any) -> Any:
    return 2.0 * x


DENSE, RELU, HARD = chain(dense(4)), activated(relu(4)), activated(qkeras.quantized_sigmoid(4))
BINARY, CONV = activated(qkeras.binary(alpha=1)), chain(conv2d(2, 2))

REFUSED: dict[str, Case] = {
    "alpha auto": Case("weights-off-grid", VECTOR, chain(dense(4, bits(4, alpha="auto"))), "differs"),
    "ulaw": Case("weights-off-grid", VECTOR, chain(dense(4, qkeras.quantized_ulaw(4, 0))), "differs"),
    "no kernel quantizer": Case("weights-off-grid", VECTOR, chain(qkeras.QDense(4)), "differs"),
    "plain Dense": Case("weights-off-grid", VECTOR, chain(kl.Dense(4)), "differs", DENSE),
    "bernoulli": Case(
        "random-rounding",
        VECTOR,
        chain(dense(4, qkeras.bernoulli(alpha=1))),
        "keras",
        chain(dense(4, qkeras.binary(alpha=1))),
    ),
    "activation alpha": Case("activation-alpha", VECTOR, activated(qkeras.binary(alpha="auto")), "differs"),
    "activation times 0.5": Case(
        "activation-alpha", VECTOR, activated(qkeras.binary(alpha=0.5)), "differs", BINARY
    ),
    "1-bit activation": Case("one-bit", VECTOR, activated(bits(1)), "differs", BINARY),
    "qnoise": Case("part-quantized", VECTOR, activated(relu(4, qnoise_factor=0.5)), "differs"),
    "leaky": Case("leaky-relu", VECTOR, activated(relu(4, negative_slope=0.25)), "differs", RELU),
    "bounded": Case(
        "relu-bound",
        VECTOR,
        activated(relu(4, 2, is_quantized_clip=False, relu_upper_bound=1.5)),
        "differs",
        activated(relu(4, 1)),
    ),
    "ternary tie": Case(
        "ternary-threshold",
        VECTOR,
        activated(qkeras.ternary(alpha=1, threshold=0.5)),
        "differs",
        activated(qkeras.ternary(alpha=1)),
    ),
    "use_sigmoid": Case("unsupported-activation", VECTOR, activated(relu(4, use_sigmoid=1)), "differs", RELU),
    "use_01": Case(
        "unsupported-activation", VECTOR, activated(qkeras.binary(use_01=True, alpha=1)), "differs", BINARY
    ),
    "binary_sigmoid": Case("unsupported-activation", VECTOR, activated("binary_sigmoid"), "differs", HARD),
    "hard_sigmoid": Case("unsupported-activation", VECTOR, activated("hard_sigmoid"), "raises", HARD),
    "hard_tanh": Case("unsupported-activation", VECTOR, activated("hard_tanh"), "raises", HARD),
    "smooth_sigmoid": Case("unsupported-activation", VECTOR, activated("smooth_sigmoid"), "raises", HARD),
    "relu_po2": Case(
        "unsupported-activation", VECTOR, activated(qkeras.quantized_relu_po2(4)), "raises", RELU
    ),
    "po2 activation": Case(
        "unsupported-activation", VECTOR, activated(qkeras.quantized_po2(4)), "raises", RELU
    ),
    "linear activation": Case(
        "unsupported-activation",
        VECTOR,
        activated(qkeras.quantized_linear(4, 1)),
        "raises",
        activated(bits(4, 1)),
    ),
    "ulaw activation": Case(
        "unsupported-activation", VECTOR, activated(qkeras.quantized_ulaw(4)), "raises", RELU
    ),
    "hswish": Case(
        "unsupported-activation", VECTOR, activated(qkeras.quantized_hswish(4, 1)), "raises", RELU
    ),
    "bernoulli activation": Case(
        "unsupported-activation", VECTOR, activated(qkeras.bernoulli(alpha=1)), "raises", BINARY
    ),
    "negative integer bits": Case("unsupported-activation", VECTOR, activated(relu(4, -1)), "keras", RELU),
    "inner sigmoid": Case(
        "unsupported-activation",
        VECTOR,
        after_dense(kl.Activation("sigmoid"), dense(2)),
        "differs",
        chain(dense(4, activation=qkeras.quantized_sigmoid(6)), dense(2)),
    ),
    "inner softmax": Case(
        "unsupported-activation",
        VECTOR,
        after_dense(kl.Softmax(), dense(2)),
        "differs",
        chain(dense(4, activation=relu(6, 2)), dense(2)),
    ),
    "elu": Case("unsupported-activation", VECTOR, after_dense(kl.Activation("elu")), "differs", RELU),
    "LSTM": Case("weights-off-grid", SEQUENCE, chain(kl.LSTM(3)), "breaks", chain(conv1d(2, 3))),
    "adaptive": Case(
        "unsupported-layer",
        VECTOR,
        after_dense(qkeras.QAdaptiveActivation("quantized_relu", 4)),
        "raises",
        RELU,
    ),
    "bilinear": Case(
        "unsupported-layer",
        IMAGE,
        chain(kl.UpSampling2D(2, interpolation="bilinear")),
        "differs",
        chain(kl.UpSampling2D(2), conv2d(1, 1)),
    ),
    "causal": Case(
        "unsupported-layer",
        SEQUENCE,
        chain(conv1d(2, 3, padding="causal")),
        "keras",
        chain(kl.ZeroPadding1D((2, 0)), conv1d(2, 3)),
    ),
    "Lambda": Case("lambda", VECTOR, after_dense(kl.Lambda(doubled)), "raises", DENSE),
    "batch norm": Case("batchnorm", VECTOR, after_dense(kl.BatchNormalization()), "differs"),
    "QBatchNormalization": Case("batchnorm", VECTOR, after_dense(qkeras.QBatchNormalization()), "differs"),
    "batch norm first": Case(
        "batchnorm",
        VECTOR,
        chain(kl.BatchNormalization(), dense(2)),
        "differs",
        after_dense(kl.BatchNormalization(), dense(2)),
    ),
    "average of three": Case("merge", VECTOR, joined(kl.Average(), 3), "raises", joined(kl.Average())),
    "flatten only": Case(
        "no-arithmetic", SEQUENCE, bare(kl.Flatten()), "breaks", bare(kl.Flatten(), act(relu(6, 3)))
    ),
    "rounded only": Case(
        "no-arithmetic", VECTOR, bare(act(bits(4, 1))), "same", bare(act(bits(8, 3)), act(relu(6, 3)))
    ),
    "open axis": Case(
        "input-shape",
        (None, 3),
        bare(act(bits(4)), kl.GlobalMaxPooling1D()),
        "raises",
        bare(act(bits(4)), kl.GlobalMaxPooling1D()),
        SEQUENCE,
    ),
    "channels first": Case(
        "channels-first", (2, 6, 6), chain(conv2d(2, 2, data_format="channels_first")), "raises", CONV, IMAGE
    ),
}
"""Refused with the default options."""


def merged_flat(*layers: Any) -> Build:
    """Two convolutions of one image added, each after ``layers``."""

    def build(x: Any) -> Any:
        x = act(bits(8, 3))(x)
        return kl.Add()([bare(conv2d(2, 3), act(relu(4, 1)), *layers)(x) for _ in range(2)])

    return build


STREAMED: dict[str, Case] = {
    "padded pool": Case(
        "stream-pooling",
        IMAGE,
        chain(kl.MaxPooling2D(4, padding="same")),
        "breaks",
        chain(kl.MaxPooling2D(2)),
    ),
    "overlapping pool": Case(
        "stream-pooling", IMAGE, chain(kl.MaxPooling2D(3, strides=1)), "breaks", chain(kl.MaxPooling2D(3))
    ),
    "added flat": Case("stream-merge", IMAGE, merged_flat(kl.Flatten()), "breaks", merged_flat()),
    "added in one axis": Case("stream-merge", IMAGE, merged_flat(kl.Reshape((-1,))), "breaks", merged_flat()),
    "ternary image": Case(
        "stream-ternary",
        IMAGE,
        chain(conv2d(2, 2), act(qkeras.ternary())),
        "breaks",
        chain(conv2d(2, 2), act(bits(2, 1, symmetric=1))),
    ),
}
"""Refused in io_stream only."""


def halves(x: np.ndarray) -> np.ndarray:
    """Inputs on the grid of hls4ml's default type and inside the first quantizer's range."""
    return np.clip(np.round(x * 16) / 16, -7.9375, 7.9375)


def keras_answers(model: keras.Model, x: list[np.ndarray]) -> list[np.ndarray]:
    """The model as Keras computes it, one array for each output."""
    found = model(x, training=False)
    return [np.asarray(y) for y in (found if isinstance(found, list) else [found])]
