"""Forms of sums, products and layers with kernels, with quantizers and without."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import qkeras
from keras import layers as kl

from pquant_hls.testing.forms.pieces import (
    IMAGE,
    SEQUENCE,
    VECTOR,
    Form,
    dense_rounded,
    fixed_bits,
    fixed_relu,
    in_turn,
    per_object,
    q_conv,
    q_dense,
    rounded_by,
    rounded_first,
    rows_rounded,
    two_branches,
)


def _sums() -> Mapping[str, Form]:
    return {
        "sum over objects": (
            SEQUENCE,
            per_object(lambda x: keras.ops.sum(x, axis=1), rounded_by(fixed_bits(8, 5)), q_dense(3)),
        ),
        "mean over objects": (
            SEQUENCE,
            per_object(lambda x: keras.ops.mean(x, axis=1), rounded_by(fixed_bits(8, 3)), q_dense(3)),
        ),
        "maximum over objects": (SEQUENCE, per_object(lambda x: keras.ops.max(x, axis=1), q_dense(3))),
        "sum of squares": (
            VECTOR,
            rounded_first(
                q_dense(4),
                rounded_by(fixed_bits(8, 3)),
                lambda x: keras.ops.sum(x * x, axis=-1, keepdims=True),
            ),
        ),
        "sum kept as one row": (
            SEQUENCE,
            per_object(
                lambda x: keras.ops.sum(x, axis=1, keepdims=True),
                rounded_by(fixed_bits(8, 5)),
                q_conv(1, 2, 1),
            ),
        ),
        "Dot of two vectors": (
            VECTOR,
            rounded_first(
                two_branches(lambda a, b: kl.Dot(axes=1)([a, b]), dense_rounded(4), dense_rounded(4))
            ),
        ),
        "Dot of two matrices": (
            SEQUENCE,
            rounded_first(
                two_branches(lambda a, b: kl.Dot(axes=2)([a, b]), rows_rounded(4), rows_rounded(4)),
                rounded_by(fixed_bits(10, 6)),
            ),
        ),
        "merge that broadcasts one axis": (
            SEQUENCE,
            per_object(
                two_branches(
                    lambda a, b: kl.Add()([a, b]), lambda x: x, kl.GlobalMaxPooling1D(keepdims=True)
                ),
                q_conv(1, 2, 1),
            ),
        ),
        "product that broadcasts a channel": (
            SEQUENCE,
            per_object(
                two_branches(
                    lambda a, b: kl.Multiply()([a, b]),
                    lambda x: x,
                    in_turn(q_conv(1, 1, 1), rounded_by(fixed_relu(4, 1))),
                )
            ),
        ),
    }


def _quantized_kernels() -> Mapping[str, Form]:
    return {
        "Dense over a sequence": (SEQUENCE, rounded_first(q_dense(4), rounded_by(fixed_relu(6, 2)))),
        "Dense over four axes": ((2, 3, 2, 4), rounded_first(q_dense(3), rounded_by(fixed_relu(6, 2)))),
        "Dense over a vector of objects, kept": ((3, 2, 2, 3), rounded_first(q_dense(2))),
        "QSeparableConv2D": (
            IMAGE,
            rounded_first(
                qkeras.QSeparableConv2D(
                    2,
                    3,
                    depthwise_quantizer=fixed_bits(4),
                    pointwise_quantizer=fixed_bits(4),
                    bias_quantizer=fixed_bits(4),
                )
            ),
        ),
        "QSeparableConv1D": (
            SEQUENCE,
            rounded_first(
                qkeras.QSeparableConv1D(
                    2,
                    3,
                    depthwise_quantizer=fixed_bits(4),
                    pointwise_quantizer=fixed_bits(4),
                    bias_quantizer=fixed_bits(4),
                )
            ),
        ),
        "QDepthwiseConv2D": (
            IMAGE,
            rounded_first(
                qkeras.QDepthwiseConv2D(3, depthwise_quantizer=fixed_bits(4), bias_quantizer=fixed_bits(4))
            ),
        ),
        "causal convolution": (SEQUENCE, rounded_first(kl.ZeroPadding1D((2, 0)), q_conv(1, 2, 3))),
    }


def _plain() -> Mapping[str, Form]:
    return {
        "plain Dense": (VECTOR, in_turn(kl.Dense(4, activation="relu"), kl.Dense(3))),
        "Conv1DTranspose": (
            SEQUENCE,
            rounded_first(kl.Conv1DTranspose(3, 3, strides=2, activation="relu"), q_conv(1, 2, 2)),
        ),
        "Conv2DTranspose": (
            IMAGE,
            in_turn(kl.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu"), kl.Conv2D(1, 3)),
        ),
        "QConv2DTranspose": (
            IMAGE,
            rounded_first(
                qkeras.QConv2DTranspose(
                    2, (3, 2), strides=(2, 2), kernel_quantizer=fixed_bits(4), bias_quantizer=fixed_bits(4)
                ),
                rounded_by(fixed_relu(6, 2)),
                q_conv(2, 1, 2),
            ),
        ),
        "plain Conv2D": (IMAGE, in_turn(kl.Conv2D(2, 3), kl.ReLU(), kl.Flatten(), kl.Dense(3))),
        "EinsumDense": (
            SEQUENCE,
            rounded_first(kl.EinsumDense("btf,fu->btu", (8, 4), bias_axes="u"), rounded_by(fixed_relu(6, 2))),
        ),
        "EinsumDense over objects": (
            SEQUENCE,
            rounded_first(kl.EinsumDense("btf,tu->buf", (4, 3)), rounded_by(fixed_relu(6, 2))),
        ),
        "SeparableConv2D": (IMAGE, rounded_first(kl.SeparableConv2D(2, 3), rounded_by(fixed_relu(6, 2)))),
        "SeparableConv1D": (SEQUENCE, rounded_first(kl.SeparableConv1D(2, 3), rounded_by(fixed_relu(6, 2)))),
        "DepthwiseConv1D": (SEQUENCE, rounded_first(kl.DepthwiseConv1D(3), rounded_by(fixed_relu(6, 2)))),
        "DepthwiseConv2D, two a channel": (
            IMAGE,
            rounded_first(kl.DepthwiseConv2D(3, depth_multiplier=2), rounded_by(fixed_relu(6, 2))),
        ),
        "Conv2D, dilated": (
            IMAGE,
            rounded_first(q_conv(2, 2, 2, dilation_rate=2), rounded_by(fixed_relu(6, 2))),
        ),
        "Conv2D, groups": (IMAGE, rounded_first(q_conv(2, 2, 2, groups=2), rounded_by(fixed_relu(6, 2)))),
    }


def kernel_forms() -> dict[str, Form]:
    """By name."""
    return {**_sums(), **_quantized_kernels(), **_plain()}
