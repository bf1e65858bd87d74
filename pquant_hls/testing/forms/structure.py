"""Forms of batch normalization, and of layers that move, repeat, pick or bound values."""

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
    as_model,
    between_dense,
    fixed_bits,
    fixed_relu,
    in_turn,
    per_object,
    q_conv,
    q_dense,
    rounded_by,
    rounded_first,
    two_branches,
)


def _batch_norms() -> Mapping[str, Form]:
    norm = kl.BatchNormalization
    folded = {"kernel_quantizer": fixed_bits(6), "bias_quantizer": fixed_bits(8, 2)}
    return {
        "batch norm first, then a quantizer": (
            VECTOR,
            in_turn(norm(), rounded_by(fixed_bits(8, 3)), q_dense(3)),
        ),
        "batch norm first, then a dense layer": (
            VECTOR,
            in_turn(norm(), q_dense(4), rounded_by(fixed_relu(6, 2)), q_dense(3)),
        ),
        "batch norm behind the input's quantizer": (VECTOR, rounded_first(norm(), q_dense(4))),
        "batch norm after a dense layer": (
            VECTOR,
            rounded_first(q_dense(4), norm(), rounded_by(fixed_relu(6, 2)), q_dense(3)),
        ),
        "batch norm after a relu": (
            VECTOR,
            rounded_first(
                q_dense(4), rounded_by(fixed_relu(6, 2)), norm(), rounded_by(fixed_bits(6, 2)), q_dense(3)
            ),
        ),
        "batch norm after a relu, then a dense layer": (
            VECTOR,
            rounded_first(q_dense(4), rounded_by(fixed_relu(6, 2)), norm(), q_dense(3)),
        ),
        "batch norm after a merge": (
            VECTOR,
            rounded_first(
                two_branches(lambda a, b: kl.Add()([a, b]), q_dense(4), q_dense(4)),
                norm(),
                rounded_by(fixed_bits(8, 3)),
                q_dense(3),
            ),
        ),
        "batch norm before a ternary": (VECTOR, between_dense(norm(), rounded_by(qkeras.ternary(alpha=1)))),
        "batch norm before a binary": (VECTOR, between_dense(norm(), rounded_by(qkeras.binary(alpha=1)))),
        "batch norm first, image": (
            IMAGE,
            in_turn(norm(), rounded_by(fixed_bits(8, 3)), q_conv(2, 2, 3), rounded_by(fixed_relu(5, 2))),
        ),
        "batch norm over rows": (
            IMAGE,
            rounded_first(norm(axis=1), rounded_by(fixed_bits(8, 3)), q_conv(2, 2, 3)),
        ),
        "batch norm behind a Flatten": (
            IMAGE,
            rounded_first(q_conv(2, 2, 3), kl.Flatten(), norm(), rounded_by(fixed_relu(6, 2)), q_dense(3)),
        ),
        "QBatchNormalization": (
            VECTOR,
            rounded_first(q_dense(4), qkeras.QBatchNormalization(), rounded_by(fixed_relu(6, 2)), q_dense(3)),
        ),
        "QDenseBatchnorm": (
            VECTOR,
            rounded_first(qkeras.QDenseBatchnorm(4, **folded), rounded_by(fixed_relu(6, 2)), q_dense(3)),
        ),
        "QConv2DBatchnorm": (
            IMAGE,
            rounded_first(qkeras.QConv2DBatchnorm(2, 3, **folded), rounded_by(fixed_relu(5, 2))),
        ),
    }


def _moved() -> Mapping[str, Form]:
    shared = q_dense(4)
    inner = as_model(VECTOR, q_dense(6), rounded_by(fixed_relu(6, 2)))
    return {
        "nested model": (
            VECTOR,
            rounded_first(as_model(VECTOR, q_dense(4), rounded_by(fixed_relu(6, 2))), q_dense(3)),
        ),
        "nested model twice": (VECTOR, rounded_first(inner, inner, q_dense(3))),
        "model in a model in a model": (
            VECTOR,
            rounded_first(as_model(VECTOR, as_model(VECTOR, q_dense(4))), q_dense(3)),
        ),
        "shared layer": (
            VECTOR,
            rounded_first(
                two_branches(
                    lambda a, b: kl.Concatenate()([shared(a), shared(b)]),
                    rounded_by(fixed_bits(6, 2)),
                    rounded_by(fixed_relu(6, 2)),
                ),
                q_dense(3),
            ),
        ),
        "Identity": (VECTOR, between_dense(kl.Identity())),
        "operators a + b, a - b, a * b": (
            VECTOR,
            rounded_first(
                two_branches(lambda a, b: (a + b) * (a - b), q_dense(4), q_dense(4)),
                rounded_by(fixed_bits(8, 4)),
                q_dense(3),
            ),
        ),
        "operator 2 * x": (VECTOR, between_dense(lambda x: 2.0 * x)),
        "operator x + 0.5": (VECTOR, between_dense(lambda x: x + 0.5)),
        "operator 1 - x": (VECTOR, between_dense(lambda x: 1.0 - x)),
        "operator -x": (VECTOR, between_dense(lambda x: -x)),
        "operator x / 4": (VECTOR, between_dense(lambda x: x / 4)),
        "operator x ** 2": (VECTOR, between_dense(lambda x: x**2)),
        "Rescaling by 1/64": (
            VECTOR,
            in_turn(kl.Rescaling(1 / 64, -0.5), rounded_by(fixed_bits(8, 3)), q_dense(3)),
        ),
        "Rescaling by 1/255": (
            VECTOR,
            in_turn(kl.Rescaling(1 / 255), rounded_by(fixed_bits(8, 3)), q_dense(3)),
        ),
        "Normalization": (
            VECTOR,
            in_turn(
                kl.Normalization(mean=[0.5] * 6, variance=[4.0] * 6), rounded_by(fixed_bits(8, 3)), q_dense(3)
            ),
        ),
    }


def _resized() -> Mapping[str, Form]:
    return {
        "RepeatVector": (VECTOR, between_dense(kl.RepeatVector(5), q_conv(1, 2, 3))),
        "Cropping1D": (SEQUENCE, rounded_first(kl.Cropping1D((1, 2)), q_conv(1, 2, 3))),
        "Cropping2D": (IMAGE, rounded_first(kl.Cropping2D(((1, 0), (2, 1))), q_conv(2, 2, 2))),
        "UpSampling1D": (SEQUENCE, rounded_first(kl.UpSampling1D(2), q_conv(1, 2, 3))),
        "UpSampling2D": (IMAGE, rounded_first(kl.UpSampling2D(2), q_conv(2, 2, 3))),
        "GlobalMaxPooling1D, keepdims": (
            SEQUENCE,
            rounded_first(kl.GlobalMaxPooling1D(keepdims=True), q_conv(1, 2, 1)),
        ),
        "GlobalAveragePooling2D, keepdims": (
            IMAGE,
            rounded_first(
                kl.GlobalAveragePooling2D(keepdims=True), rounded_by(fixed_bits(8, 3)), q_conv(2, 2, 1)
            ),
        ),
    }


def _picked() -> Mapping[str, Form]:
    """Operations that move, pick or bound values."""
    ops = keras.ops
    return {
        "slice x[:, 1:4, 1:]": (SEQUENCE, rounded_first(lambda x: x[:, 1:4, 1:], q_conv(1, 2, 1))),
        "column x[:, :, 0]": (SEQUENCE, rounded_first(lambda x: x[:, :, 0], q_dense(3))),
        "every second row, backwards": (SEQUENCE, rounded_first(lambda x: x[:, ::-2], q_conv(1, 2, 1))),
        "take, flip": (
            SEQUENCE,
            rounded_first(lambda x: ops.flip(ops.take(x, [0, 2, 3], axis=1), axis=2), q_conv(1, 2, 1)),
        ),
        "reshape, expand_dims, squeeze": (
            VECTOR,
            rounded_first(
                lambda x: ops.squeeze(ops.expand_dims(ops.reshape(x, (-1, 3, 2)), 1), 1), q_conv(1, 2, 2)
            ),
        ),
        "repeat": (SEQUENCE, rounded_first(lambda x: ops.repeat(x, 3, axis=2), q_conv(1, 2, 2))),
        "tile": (SEQUENCE, rounded_first(lambda x: ops.tile(x, (1, 2, 2)), q_conv(1, 2, 1))),
        "one axis, and several again": (
            SEQUENCE,
            per_object(kl.Reshape((32,)), rounded_by(fixed_bits(5, 2)), kl.Reshape((4, 8)), q_conv(1, 2, 1)),
        ),
        "transpose, swapaxes": (
            IMAGE,
            rounded_first(lambda x: ops.swapaxes(ops.transpose(x, (0, 2, 1, 3)), 2, 3), q_conv(2, 2, 1)),
        ),
        "concatenate, stack": (
            VECTOR,
            rounded_first(
                lambda x: ops.stack([ops.concatenate([x, x], axis=1)] * 2, axis=2), q_conv(1, 2, 2)
            ),
        ),
        "clip": (VECTOR, between_dense(lambda x: ops.clip(x, -0.5, 1.0))),
        "maximum and minimum with a number": (
            VECTOR,
            between_dense(lambda x: ops.minimum(ops.maximum(x, 0.25), 1.5)),
        ),
        "absolute": (VECTOR, between_dense(ops.absolute)),
        "matmul": (
            SEQUENCE,
            rounded_first(
                lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
                rounded_by(fixed_bits(8, 5)),
                q_conv(1, 2, 1),
            ),
        ),
        "TimeDistributed dense": (
            SEQUENCE,
            rounded_first(kl.TimeDistributed(q_dense(3)), rounded_by(fixed_bits(6, 2))),
        ),
    }


def structure_forms() -> dict[str, Form]:
    """By name."""
    return {**_batch_norms(), **_moved(), **_resized(), **_picked()}
