"""Small constructs, one branch each; many branches share one model and so one compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import qkeras
from keras import layers as kl

from pquant_hls.network import FixedPointQuantizer

Build = Callable[[Any], Any]
Shape = tuple[int | None, ...]
"""Of one input; None where an axis is open."""
Branch = tuple[Shape, Build]
VECTOR, SEQUENCE, IMAGE = (6,), (8, 3), (6, 6, 2)


def bits(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_bits(width, integer, **{"alpha": 1, **options})


def relu(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_relu(width, integer, **options)


def act(quantizer: Any) -> Any:
    return qkeras.QActivation(quantizer)


def dense(units: int, kernel: Any = None, **options: Any) -> Any:
    return qkeras.QDense(units, kernel_quantizer=kernel or bits(6), bias_quantizer=bits(6), **options)


def conv1d(filters: int, width: int, **options: Any) -> Any:
    return qkeras.QConv1D(filters, width, kernel_quantizer=bits(4), bias_quantizer=bits(4), **options)


def conv2d(filters: int, width: int, **options: Any) -> Any:
    return qkeras.QConv2D(filters, width, kernel_quantizer=bits(4), bias_quantizer=bits(4), **options)


def depthwise(width: int, **options: Any) -> Any:
    return qkeras.QDepthwiseConv2D(width, depthwise_quantizer=bits(4), bias_quantizer=bits(4), **options)


def separable(filters: int, width: int, **options: Any) -> Any:
    quantizers = {f"{role}_quantizer": bits(4) for role in ("depthwise", "pointwise", "bias")}
    return qkeras.QSeparableConv2D(filters, width, **{**quantizers, **options})


def chain(*layers: Any) -> Build:
    """The input quantizer and then ``layers``."""

    def build(x: Any) -> Any:
        x = act(bits(8, 3))(x)
        for layer in layers:
            x = layer(x)
        return x

    return build


def bare(*layers: Any) -> Build:
    """``layers`` alone."""

    def build(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return build


def joined(merge: Any, count: int = 2) -> Build:
    """``count`` dense branches of one input, joined."""

    def build(x: Any) -> Any:
        x = act(bits(8, 3))(x)
        kinds = [bits(6, 1), relu(5, 2), bits(4, 2)]
        return merge([act(kinds[index])(dense(4)(x)) for index in range(count)])

    return build


def beside(axis: int) -> Build:
    """Two images of one input, concatenated along ``axis``."""

    def build(x: Any) -> Any:
        x = act(bits(8, 3))(x)
        return kl.Concatenate(axis=axis)([act(bits(4, 1))(conv2d(2, 1)(x)), act(relu(5, 2))(conv2d(2, 1)(x))])

    return build


def model_of(branches: Sequence[Branch], seed: int = 1) -> Any:
    """One functional model of independent branches, with biases that matter."""
    inputs = [keras.Input(shape) for shape, _ in branches]
    outputs = [build(x) for (_, build), x in zip(branches, inputs, strict=True)]
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        word = variable.path.rsplit("/", 1)[-1]
        if word in ("kernel", "depthwise_kernel", "bias", "moving_mean", "beta"):
            variable.assign(rng.uniform(-0.9, 0.9, variable.shape).astype(np.float32))
        elif word in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 2.0, variable.shape).astype(np.float32))
    return model


def inputs_of(model: Any, rows: int = 200, *, grid: float | None = None, seed: int = 0) -> list[Any]:
    """(rows, *shape) float32 for each input, off every grid unless ``grid`` (an LSB) is given."""
    rng = np.random.default_rng(seed)
    found = [rng.normal(0.0, 3.0, (rows, *tensor.shape[1:])) for tensor in model.inputs]
    if grid is not None:
        found = [np.round(values / grid) * grid for values in found]
    return [values.astype(np.float32) for values in found]


def twice(x: Any) -> Any:
    """One dense layer applied to its own result."""
    layer = dense(6)
    return layer(act(relu(4, 1))(layer(act(bits(8, 3))(x))))


EXACT: dict[str, Branch] = {
    "separable": (IMAGE, chain(separable(3, 2, strides=2, padding="same"), act(relu(5, 2)))),
    "separable, scaled, activation inside": (
        IMAGE,
        chain(separable(2, 3, pointwise_quantizer=qkeras.quantized_bits(4, 0), activation=relu(6, 2))),
    ),
    "quantized_bits weights": (VECTOR, chain(dense(4))),
    "activation inside": (VECTOR, chain(dense(4, activation=relu(5, 2)))),
    "stochastic rounding, which acts in training": (
        VECTOR,
        chain(dense(4, bits(4, use_stochastic_rounding=True)), act(relu(4, 1, use_stochastic_rounding=True))),
    ),
    "binary weights": (VECTOR, chain(dense(4, qkeras.binary(alpha=1)))),
    "ternary weights": (VECTOR, chain(dense(4, qkeras.ternary(alpha=1), use_bias=False))),
    "hard tanh and sigmoid": (
        VECTOR,
        chain(
            dense(4),
            act(qkeras.quantized_tanh(5, symmetric=True)),
            dense(3),
            act(qkeras.quantized_sigmoid(5)),
        ),
    ),
    "binary after binary": (
        VECTOR,
        chain(dense(4), act(qkeras.binary(alpha=1)), dense(3, qkeras.binary(alpha=1))),
    ),
    "ternary activation": (VECTOR, chain(dense(4), act(qkeras.ternary()), dense(3))),
    "plain relu": (VECTOR, chain(dense(4), kl.Activation("relu"), dense(3), kl.ReLU())),
    "relu on the input": (VECTOR, bare(act(relu(6, 3)), dense(4))),
    "subtract": (VECTOR, joined(kl.Subtract())),
    "multiply": (VECTOR, joined(kl.Multiply())),
    "maximum": (VECTOR, joined(kl.Maximum())),
    "conv1d, same, stride 2": (SEQUENCE, chain(conv1d(2, 3, padding="same", strides=2), act(relu(4, 2)))),
    "conv2d, same, stride 2": (IMAGE, chain(conv2d(2, 3, padding="same", strides=2), kl.Flatten(), dense(2))),
    "depthwise": (IMAGE, chain(depthwise(3, padding="same"), kl.MaxPooling2D(2))),
    "zero padding": (IMAGE, chain(kl.ZeroPadding2D(((1, 0), (0, 2))), conv2d(2, 2))),
    "images along rows": (IMAGE, beside(1)),
    "relu with a maximum": (VECTOR, chain(dense(4), kl.ReLU(max_value=6), dense(3))),
    "leaky relu": (VECTOR, chain(dense(4), kl.LeakyReLU(0.25), act(bits(6, 2)), dense(3))),
    "times a number": (VECTOR, chain(dense(4), lambda x: 2.0 * x, act(bits(6, 3)), dense(3))),
    "kept axes": (IMAGE, chain(kl.GlobalMaxPooling2D(keepdims=True), conv2d(2, 1))),
    "16-bit sums": (VECTOR, bare(act(bits(16, 5)), dense(3, bits(16, 0)))),
    "16-bit sums into a relu": (VECTOR, bare(act(bits(16, 5)), dense(3, bits(16, 0)), act(relu(12, 3)))),
}
"""What is right as it is."""


def elements(seed: int, shape: tuple[int, ...], rounding: str = "RND", saturation: str = "SAT") -> Any:
    """A type of its own for each element of ``shape``, some without bits."""
    rng = np.random.default_rng(seed)
    width, integer = rng.integers(0, 8, shape), rng.integers(-2, 5, shape)
    return FixedPointQuantizer(width, integer, rng.random(shape) < 0.6, rounding, saturation)


ELEMENTS: dict[str, Branch] = {
    "of an input, cut off": (VECTOR, bare(elements(1, VECTOR, "TRN", "WRAP"), dense(3))),
    "of an input, rounded": (VECTOR, bare(elements(2, VECTOR, "RND", "SAT_SYM"), dense(3))),
    "behind sums": (VECTOR, chain(dense(8), elements(3, (8,), "RND_CONV", "SAT_SYM"), dense(3))),
    "behind a relu, wrapped": (
        VECTOR,
        chain(dense(8), kl.ReLU(), elements(4, (8,), "RND", "WRAP"), dense(3)),
    ),
    "each channel its own": (SEQUENCE, chain(conv1d(3, 2), elements(5, (3,)), kl.Flatten(), dense(3))),
    "of an image, moved": (
        IMAGE,
        chain(elements(6, IMAGE), kl.Permute((2, 1, 3)), conv2d(2, 3), act(relu(6, 2))),
    ),
    "of an image, flat": (IMAGE, chain(conv2d(2, 3), elements(7, (4, 4, 2)), kl.Flatten(), dense(3))),
    "one upon another": (VECTOR, chain(dense(6), elements(8, (6,)), elements(9, (6,), "TRN", "WRAP"))),
    "before a ternary": (VECTOR, chain(dense(6), elements(10, (6,)), act(qkeras.ternary(alpha=1)))),
    "before a padded maximum": (IMAGE, chain(elements(11, (2,)), kl.MaxPooling2D(2, padding="same"))),
    "steps beyond all that comes": (
        VECTOR,
        chain(
            act(relu(3, 0)), FixedPointQuantizer([2, 3, 1, 2, 0, 5], [6, 5, 1, 9, 0, 2], True, "RND", "SAT")
        ),
    ),
    "a name of hls4ml's": (VECTOR, chain(dense(3), FixedPointQuantizer([3, 2, 4], 2, True, name="product"))),
}
"""Single values in types of their own, which are exact in io_parallel."""


MENDED: dict[str, tuple[str, Shape, Build]] = {
    "narrowing": ("linear-quantizer", VECTOR, chain(dense(4), act(bits(4, 1)), dense(3))),
    "unsigned weights": ("weights-scaled", VECTOR, chain(dense(4, bits(4, keep_negative=0)))),
    "1-bit weights": ("weights-scaled", VECTOR, chain(dense(4, bits(1)))),
    "average over 2 x 2": ("average-pool", IMAGE, chain(kl.AveragePooling2D(2))),
    "average over 3 x 3, rounded": ("average-pool", IMAGE, chain(kl.AveragePooling2D(3), act(bits(5, 2)))),
    "global average over 36": ("average-pool", IMAGE, chain(kl.GlobalAveragePooling2D(), act(bits(6, 2)))),
    "padded maximum": ("padded-max-pool", IMAGE, bare(act(relu(5, 2)), kl.MaxPooling2D(4, padding="same"))),
    "padded maximum of repeated values": (
        "padded-max-pool",
        IMAGE,
        bare(act(relu(5, 2)), kl.UpSampling2D(2), kl.MaxPooling2D(5, padding="same")),
    ),
    "a ternary of relus": (
        "type-widened",
        VECTOR,
        bare(act(relu(6, 2)), act(qkeras.ternary(alpha=1)), dense(3)),
    ),
    "dense over a sequence": ("dense-on-sequence", SEQUENCE, chain(dense(3))),
    "input port behind a Flatten": (
        "input-rounded-twice",
        SEQUENCE,
        bare(kl.Flatten(), act(bits(5, 1)), dense(3)),
    ),
    "input port": ("input-rounded-twice", VECTOR, bare(act(bits(10, 4)), dense(3))),
}
"""Rule, and a construct that hls4ml alone gets wrong without a word and the conversion gets right."""

ALIKE: dict[str, tuple[str, Shape, Build]] = {
    "dilation": ("written-out", IMAGE, chain(conv2d(2, 2, dilation_rate=2))),
    "groups": ("written-out", IMAGE, chain(conv2d(2, 2, groups=2))),
    "depth multiplier": ("written-out", IMAGE, chain(depthwise(3, depth_multiplier=2))),
    "one row added to all": (
        "broadcast",
        SEQUENCE,
        chain(lambda x: kl.Add()([x, kl.GlobalMaxPooling1D(keepdims=True)(x)]), conv1d(2, 1)),
    ),
    "a sigmoid between quantizers": (
        "table",
        VECTOR,
        chain(dense(4), act(bits(6, 2)), kl.Activation("sigmoid"), act(relu(5, 0)), dense(3)),
    ),
    "alpha None": ("weights-scaled", VECTOR, chain(dense(4, qkeras.quantized_bits(4, 0)))),
    "alpha auto_po2": ("weights-scaled", VECTOR, chain(dense(4, bits(4, alpha="auto_po2")))),
    "quantized_linear": ("weights-scaled", VECTOR, chain(dense(4, qkeras.quantized_linear(4, 0)))),
    "powers of two": ("weights-scaled", VECTOR, chain(dense(4, qkeras.quantized_po2(4, 1)))),
    "three added": ("many-inputs", VECTOR, joined(kl.Add(), 3)),
    "three concatenated": ("many-inputs", VECTOR, joined(kl.Concatenate(), 3)),
    "dropout": ("dropout", VECTOR, chain(dense(4), kl.Dropout(0.5), dense(3))),
    "noise": ("dropout", VECTOR, chain(dense(4), kl.GaussianNoise(0.5), dense(3))),
    "twice": ("shared-layer", VECTOR, twice),
    "softmax": ("softmax", VECTOR, chain(dense(4), kl.Softmax())),
    "a name": ("name", VECTOR, chain(dense(4, name="a.b"), act(relu(4)), dense(3, name="p"))),
    "the sum of tensors": ("linear-quantizer", VECTOR, joined(lambda parts: parts[0] + parts[1])),
}
"""Rule, and a construct on which hls4ml alone fails or needs help."""
