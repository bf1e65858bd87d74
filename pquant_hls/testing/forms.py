"""Layers and forms of networks, each a small model of its own: what a network may be made of, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import qkeras
from keras import layers as kl

from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.testing.layers import SMOOTH

Shape = tuple[int, ...]
Build = Callable[[Any], Any]
Form = tuple[Shape, Build]
VECTOR, SEQUENCE, IMAGE = (6,), (8, 3), (6, 6, 2)


def _bits(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_bits(width, integer, alpha=1, **options)


def _relu(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_relu(width, integer, **options)


def _act(quantizer: Any) -> Any:
    return qkeras.QActivation(quantizer)


def _dense(units: int, **options: Any) -> Any:
    return qkeras.QDense(units, **{"kernel_quantizer": _bits(6), "bias_quantizer": _bits(6), **options})


def _conv(rank: int, filters: int, width: int, **options: Any) -> Any:
    made = getattr(qkeras, f"QConv{rank}D")
    return made(filters, width, kernel_quantizer=_bits(4), bias_quantizer=_bits(4), **options)


def _bare(*steps: Build) -> Build:
    """``steps`` one after another."""

    def build(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return build


def _chain(*steps: Build) -> Build:
    """The input's quantizer, then ``steps``."""
    return _bare(_act(_bits(8, 3)), *steps)


def _narrow(*steps: Build) -> Build:
    """Behind a dense layer that is rounded to 8 bits, and before another one."""
    return _chain(_dense(4), _act(_bits(8, 3)), *steps, _dense(3))


def _objects(*steps: Build) -> Build:
    """Behind a dense layer for each object of a sequence."""
    return _chain(_conv(1, 4, 1), _act(_relu(6, 2)), *steps)


def _nested(shape: Shape, *steps: Build) -> Build:
    """A model of ``steps`` as one layer."""
    start = keras.Input(shape)
    return keras.Model(start, _bare(*steps)(start))  # type: ignore[no-any-return]  # Keras has no types


def _joined(join: Callable[[Any, Any], Any], one: Build, other: Build) -> Build:
    """Two branches of the same values joined."""
    return lambda x: join(one(x), other(x))


def _batch_norms() -> Mapping[str, Form]:
    norm = kl.BatchNormalization
    folded = {"kernel_quantizer": _bits(6), "bias_quantizer": _bits(8, 2)}
    return {
        "batch norm first, then a quantizer": (VECTOR, _bare(norm(), _act(_bits(8, 3)), _dense(3))),
        "batch norm first, then a dense layer": (
            VECTOR,
            _bare(norm(), _dense(4), _act(_relu(6, 2)), _dense(3)),
        ),
        "batch norm behind the input's quantizer": (VECTOR, _chain(norm(), _dense(4))),
        "batch norm after a dense layer": (VECTOR, _chain(_dense(4), norm(), _act(_relu(6, 2)), _dense(3))),
        "batch norm after a relu": (
            VECTOR,
            _chain(_dense(4), _act(_relu(6, 2)), norm(), _act(_bits(6, 2)), _dense(3)),
        ),
        "batch norm after a relu, then a dense layer": (
            VECTOR,
            _chain(_dense(4), _act(_relu(6, 2)), norm(), _dense(3)),
        ),
        "batch norm after a merge": (
            VECTOR,
            _chain(
                _joined(lambda a, b: kl.Add()([a, b]), _dense(4), _dense(4)),
                norm(),
                _act(_bits(8, 3)),
                _dense(3),
            ),
        ),
        "batch norm before a ternary": (VECTOR, _narrow(norm(), _act(qkeras.ternary(alpha=1)))),
        "batch norm before a binary": (VECTOR, _narrow(norm(), _act(qkeras.binary(alpha=1)))),
        "batch norm first, image": (
            IMAGE,
            _bare(norm(), _act(_bits(8, 3)), _conv(2, 2, 3), _act(_relu(5, 2))),
        ),
        "batch norm over rows": (IMAGE, _chain(norm(axis=1), _act(_bits(8, 3)), _conv(2, 2, 3))),
        "batch norm behind a Flatten": (
            IMAGE,
            _chain(_conv(2, 2, 3), kl.Flatten(), norm(), _act(_relu(6, 2)), _dense(3)),
        ),
        "QBatchNormalization": (
            VECTOR,
            _chain(_dense(4), qkeras.QBatchNormalization(), _act(_relu(6, 2)), _dense(3)),
        ),
        "QDenseBatchnorm": (
            VECTOR,
            _chain(qkeras.QDenseBatchnorm(4, **folded), _act(_relu(6, 2)), _dense(3)),
        ),
        "QConv2DBatchnorm": (IMAGE, _chain(qkeras.QConv2DBatchnorm(2, 3, **folded), _act(_relu(5, 2)))),
    }


def _moved() -> Mapping[str, Form]:
    shared = _dense(4)
    inner = _nested(VECTOR, _dense(6), _act(_relu(6, 2)))
    return {
        "nested model": (VECTOR, _chain(_nested(VECTOR, _dense(4), _act(_relu(6, 2))), _dense(3))),
        "nested model twice": (VECTOR, _chain(inner, inner, _dense(3))),
        "model in a model in a model": (
            VECTOR,
            _chain(_nested(VECTOR, _nested(VECTOR, _dense(4))), _dense(3)),
        ),
        "shared layer": (
            VECTOR,
            _chain(
                _joined(
                    lambda a, b: kl.Concatenate()([shared(a), shared(b)]),
                    _act(_bits(6, 2)),
                    _act(_relu(6, 2)),
                ),
                _dense(3),
            ),
        ),
        "Identity": (VECTOR, _narrow(kl.Identity())),
        "operators a + b, a - b, a * b": (
            VECTOR,
            _chain(
                _joined(lambda a, b: (a + b) * (a - b), _dense(4), _dense(4)), _act(_bits(8, 4)), _dense(3)
            ),
        ),
        "operator 2 * x": (VECTOR, _narrow(lambda x: 2.0 * x)),
        "operator x + 0.5": (VECTOR, _narrow(lambda x: x + 0.5)),
        "operator 1 - x": (VECTOR, _narrow(lambda x: 1.0 - x)),
        "operator -x": (VECTOR, _narrow(lambda x: -x)),
        "operator x / 4": (VECTOR, _narrow(lambda x: x / 4)),
        "operator x ** 2": (VECTOR, _narrow(lambda x: x**2)),
        "Rescaling by 1/64": (VECTOR, _bare(kl.Rescaling(1 / 64, -0.5), _act(_bits(8, 3)), _dense(3))),
        "Rescaling by 1/255": (VECTOR, _bare(kl.Rescaling(1 / 255), _act(_bits(8, 3)), _dense(3))),
        "Normalization": (
            VECTOR,
            _bare(kl.Normalization(mean=[0.5] * 6, variance=[4.0] * 6), _act(_bits(8, 3)), _dense(3)),
        ),
        "RepeatVector": (VECTOR, _narrow(kl.RepeatVector(5), _conv(1, 2, 3))),
        "Cropping1D": (SEQUENCE, _chain(kl.Cropping1D((1, 2)), _conv(1, 2, 3))),
        "Cropping2D": (IMAGE, _chain(kl.Cropping2D(((1, 0), (2, 1))), _conv(2, 2, 2))),
        "UpSampling1D": (SEQUENCE, _chain(kl.UpSampling1D(2), _conv(1, 2, 3))),
        "UpSampling2D": (IMAGE, _chain(kl.UpSampling2D(2), _conv(2, 2, 3))),
        "GlobalMaxPooling1D, keepdims": (
            SEQUENCE,
            _chain(kl.GlobalMaxPooling1D(keepdims=True), _conv(1, 2, 1)),
        ),
        "GlobalAveragePooling2D, keepdims": (
            IMAGE,
            _chain(kl.GlobalAveragePooling2D(keepdims=True), _act(_bits(8, 3)), _conv(2, 2, 1)),
        ),
        **_picked(),
    }


def _picked() -> Mapping[str, Form]:
    """Operations that move, pick or bound values."""
    ops = keras.ops
    return {
        "slice x[:, 1:4, 1:]": (SEQUENCE, _chain(lambda x: x[:, 1:4, 1:], _conv(1, 2, 1))),
        "column x[:, :, 0]": (SEQUENCE, _chain(lambda x: x[:, :, 0], _dense(3))),
        "every second row, backwards": (SEQUENCE, _chain(lambda x: x[:, ::-2], _conv(1, 2, 1))),
        "take, flip": (
            SEQUENCE,
            _chain(lambda x: ops.flip(ops.take(x, [0, 2, 3], axis=1), axis=2), _conv(1, 2, 1)),
        ),
        "reshape, expand_dims, squeeze": (
            VECTOR,
            _chain(lambda x: ops.squeeze(ops.expand_dims(ops.reshape(x, (-1, 3, 2)), 1), 1), _conv(1, 2, 2)),
        ),
        "repeat": (SEQUENCE, _chain(lambda x: ops.repeat(x, 3, axis=2), _conv(1, 2, 2))),
        "tile": (SEQUENCE, _chain(lambda x: ops.tile(x, (1, 2, 2)), _conv(1, 2, 1))),
        "one axis, and several again": (
            SEQUENCE,
            _objects(kl.Reshape((32,)), _act(_bits(5, 2)), kl.Reshape((4, 8)), _conv(1, 2, 1)),
        ),
        "transpose, swapaxes": (
            IMAGE,
            _chain(lambda x: ops.swapaxes(ops.transpose(x, (0, 2, 1, 3)), 2, 3), _conv(2, 2, 1)),
        ),
        "concatenate, stack": (
            VECTOR,
            _chain(lambda x: ops.stack([ops.concatenate([x, x], axis=1)] * 2, axis=2), _conv(1, 2, 2)),
        ),
        "clip": (VECTOR, _narrow(lambda x: ops.clip(x, -0.5, 1.0))),
        "maximum and minimum with a number": (
            VECTOR,
            _narrow(lambda x: ops.minimum(ops.maximum(x, 0.25), 1.5)),
        ),
        "absolute": (VECTOR, _narrow(ops.absolute)),
        "matmul": (
            SEQUENCE,
            _chain(lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), _act(_bits(8, 5)), _conv(1, 2, 1)),
        ),
        "TimeDistributed dense": (SEQUENCE, _chain(kl.TimeDistributed(_dense(3)), _act(_bits(6, 2)))),
    }


def _sums() -> Mapping[str, Form]:
    return {
        "sum over objects": (
            SEQUENCE,
            _objects(lambda x: keras.ops.sum(x, axis=1), _act(_bits(8, 5)), _dense(3)),
        ),
        "mean over objects": (
            SEQUENCE,
            _objects(lambda x: keras.ops.mean(x, axis=1), _act(_bits(8, 3)), _dense(3)),
        ),
        "maximum over objects": (SEQUENCE, _objects(lambda x: keras.ops.max(x, axis=1), _dense(3))),
        "sum of squares": (
            VECTOR,
            _chain(_dense(4), _act(_bits(8, 3)), lambda x: keras.ops.sum(x * x, axis=-1, keepdims=True)),
        ),
        "sum kept as one row": (
            SEQUENCE,
            _objects(lambda x: keras.ops.sum(x, axis=1, keepdims=True), _act(_bits(8, 5)), _conv(1, 2, 1)),
        ),
        "Dot of two vectors": (
            VECTOR,
            _chain(_joined(lambda a, b: kl.Dot(axes=1)([a, b]), _narrowed(4), _narrowed(4))),
        ),
        "Dot of two matrices": (
            SEQUENCE,
            _chain(_joined(lambda a, b: kl.Dot(axes=2)([a, b]), _rows(4), _rows(4)), _act(_bits(10, 6))),
        ),
        "merge that broadcasts one axis": (
            SEQUENCE,
            _objects(
                _joined(lambda a, b: kl.Add()([a, b]), lambda x: x, kl.GlobalMaxPooling1D(keepdims=True)),
                _conv(1, 2, 1),
            ),
        ),
        "product that broadcasts a channel": (
            SEQUENCE,
            _objects(
                _joined(
                    lambda a, b: kl.Multiply()([a, b]), lambda x: x, _bare(_conv(1, 1, 1), _act(_relu(4, 1)))
                )
            ),
        ),
        "Dense over a sequence": (SEQUENCE, _chain(_dense(4), _act(_relu(6, 2)))),
        "Dense over four axes": ((2, 3, 2, 4), _chain(_dense(3), _act(_relu(6, 2)))),
        "Dense over a vector of objects, kept": ((3, 2, 2, 3), _chain(_dense(2))),
        "QSeparableConv2D": (
            IMAGE,
            _chain(
                qkeras.QSeparableConv2D(
                    2, 3, depthwise_quantizer=_bits(4), pointwise_quantizer=_bits(4), bias_quantizer=_bits(4)
                )
            ),
        ),
        "QSeparableConv1D": (
            SEQUENCE,
            _chain(
                qkeras.QSeparableConv1D(
                    2, 3, depthwise_quantizer=_bits(4), pointwise_quantizer=_bits(4), bias_quantizer=_bits(4)
                )
            ),
        ),
        "QDepthwiseConv2D": (
            IMAGE,
            _chain(qkeras.QDepthwiseConv2D(3, depthwise_quantizer=_bits(4), bias_quantizer=_bits(4))),
        ),
        "causal convolution": (SEQUENCE, _chain(kl.ZeroPadding1D((2, 0)), _conv(1, 2, 3))),
    }


def _narrowed(units: int) -> Build:
    return _bare(_dense(units), _act(_bits(6, 2)))


def _rows(units: int) -> Build:
    return _bare(_conv(1, units, 1), _act(_bits(6, 2)))


def _activations() -> Mapping[str, Form]:
    corners = {
        "ReLU(max_value=6)": kl.ReLU(max_value=6),
        "relu6": kl.Activation("relu6"),
        "hard_tanh": kl.Activation("hard_tanh"),
        "LeakyReLU(0.25)": kl.LeakyReLU(0.25),
        "LeakyReLU(0.3)": kl.LeakyReLU(0.3),
        "ReLU, slope and maximum": kl.ReLU(max_value=4, negative_slope=0.125),
        "PReLU": kl.PReLU(),
    }
    odd = {
        "quantized_relu, slope": _relu(6, 2, negative_slope=0.25),
        "quantized_relu, bound": _relu(6, 2, is_quantized_clip=False, relu_upper_bound=1.5),
        "quantized_tanh, real": qkeras.quantized_tanh(6, use_real_tanh=True),
        "quantized_sigmoid, real": qkeras.quantized_sigmoid(6, use_real_sigmoid=True),
        "quantized_po2": qkeras.quantized_po2(4),
        "quantized_ulaw": qkeras.quantized_ulaw(4),
        "quantized_hswish": qkeras.quantized_hswish(6, 2),
        "binary_sigmoid": "binary_sigmoid",
        "binary of 0 and 1": qkeras.binary(use_01=True, alpha=1),
        "ternary at a tie": qkeras.ternary(alpha=1, threshold=0.5),
        "binary times 0.5": qkeras.binary(alpha=0.5),
    }
    return {
        **{
            name: (VECTOR, _chain(_dense(4), layer, _act(_bits(8, 3)), _dense(3)))
            for name, layer in corners.items()
        },
        **{
            f"{name}, between quantizers": (VECTOR, _narrow(kl.Activation(name), _act(_bits(8, 2))))
            for name in SMOOTH
        },
        **{
            f"{name}, alone": (VECTOR, _chain(_dense(4), kl.Activation(name), _dense(3)))
            for name in SMOOTH[:4]
        },
        "dense layer with a sigmoid inside": (
            VECTOR,
            _chain(_dense(4, activation="sigmoid"), _act(_relu(6, 0)), _dense(3)),
        ),
        **{f"{name}, after a quantizer": (VECTOR, _narrow(_act(found))) for name, found in odd.items()},
        "FixedPointSoftmax": (VECTOR, _narrow(FixedPointSoftmax(3))),
        "FixedPointSoftmax over rows": (
            SEQUENCE,
            _chain(_conv(1, 4, 1), FixedPointSoftmax(3), _conv(1, 2, 3)),
        ),
        "softmax inside": (VECTOR, _narrow(kl.Softmax())),
        "sigmoid at the end": (VECTOR, _chain(_dense(1), kl.Activation("sigmoid"))),
        "softmax at the end": (VECTOR, _chain(_dense(4), kl.Softmax())),
    }


def _plain() -> Mapping[str, Form]:
    return {
        "plain Dense": (VECTOR, _bare(kl.Dense(4, activation="relu"), kl.Dense(3))),
        "Conv1DTranspose": (
            SEQUENCE,
            _chain(kl.Conv1DTranspose(3, 3, strides=2, activation="relu"), _conv(1, 2, 2)),
        ),
        "Conv2DTranspose": (
            IMAGE,
            _bare(kl.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu"), kl.Conv2D(1, 3)),
        ),
        "QConv2DTranspose": (
            IMAGE,
            _chain(
                qkeras.QConv2DTranspose(
                    2, (3, 2), strides=(2, 2), kernel_quantizer=_bits(4), bias_quantizer=_bits(4)
                ),
                _act(_relu(6, 2)),
                _conv(2, 1, 2),
            ),
        ),
        "plain Conv2D": (IMAGE, _bare(kl.Conv2D(2, 3), kl.ReLU(), kl.Flatten(), kl.Dense(3))),
        "EinsumDense": (
            SEQUENCE,
            _chain(kl.EinsumDense("btf,fu->btu", (8, 4), bias_axes="u"), _act(_relu(6, 2))),
        ),
        "EinsumDense over objects": (
            SEQUENCE,
            _chain(kl.EinsumDense("btf,tu->buf", (4, 3)), _act(_relu(6, 2))),
        ),
        "SeparableConv2D": (IMAGE, _chain(kl.SeparableConv2D(2, 3), _act(_relu(6, 2)))),
        "SeparableConv1D": (SEQUENCE, _chain(kl.SeparableConv1D(2, 3), _act(_relu(6, 2)))),
        "DepthwiseConv1D": (SEQUENCE, _chain(kl.DepthwiseConv1D(3), _act(_relu(6, 2)))),
        "DepthwiseConv2D, two a channel": (
            IMAGE,
            _chain(kl.DepthwiseConv2D(3, depth_multiplier=2), _act(_relu(6, 2))),
        ),
        "Conv2D, dilated": (IMAGE, _chain(_conv(2, 2, 2, dilation_rate=2), _act(_relu(6, 2)))),
        "Conv2D, groups": (IMAGE, _chain(_conv(2, 2, 2, groups=2), _act(_relu(6, 2)))),
        "Embedding": ((4,), _bare(kl.Embedding(10, 3), _act(_bits(6, 1)), _conv(1, 2, 2))),
        "Embedding of 100 rows": (
            (3,),
            _bare(kl.Embedding(100, 2), kl.Flatten(), _act(_bits(6, 1)), _dense(3)),
        ),
        "LayerNormalization": (VECTOR, _narrow(kl.LayerNormalization(), _act(_bits(8, 3)))),
        "LayerNormalization over rows": (
            SEQUENCE,
            _objects(kl.LayerNormalization(), _act(_bits(8, 3)), _conv(1, 2, 1)),
        ),
        "LayerNormalization, not centred or scaled": (
            VECTOR,
            _narrow(kl.LayerNormalization(center=False, scale=False), _act(_bits(8, 3))),
        ),
        **_norms(),
        "plain causal Conv1D": (
            SEQUENCE,
            _bare(kl.Conv1D(3, 2, padding="causal"), kl.Flatten(), kl.Dense(2)),
        ),
        "plain LayerNormalization": (VECTOR, _bare(kl.Dense(5), kl.LayerNormalization(), kl.Dense(3))),
    }


def _norms() -> Mapping[str, Form]:
    """Normalizations over an event's own values, without a mean, over other axes and over groups."""

    def unit(a: Any, b: Any) -> Any:
        return kl.Dot(axes=-1, normalize=True)([a, b])

    rows = {
        "RMSNormalization": kl.RMSNormalization(),
        "RMSNormalization over rows and columns": kl.RMSNormalization(axis=[1, 2]),
        "UnitNormalization": kl.UnitNormalization(),
        "LayerNormalization over columns": kl.LayerNormalization(axis=1),
        "LayerNormalization over rows and columns": kl.LayerNormalization(axis=[1, 2]),
        "GroupNormalization, two groups": kl.GroupNormalization(2),
    }
    images = {
        "UnitNormalization over channels": kl.UnitNormalization(),
        "LayerNormalization over the rows of an image": kl.LayerNormalization(axis=2),
        "GroupNormalization of an image": kl.GroupNormalization(2),
        "GroupNormalization, one group": kl.GroupNormalization(1, center=False, scale=False),
        "GroupNormalization, one channel each": kl.GroupNormalization(-1),
        "GroupNormalization over another axis": kl.GroupNormalization(3, axis=1),
    }
    return {
        **{
            name: (SEQUENCE, _objects(layer, _act(_bits(8, 3)), _conv(1, 2, 1)))
            for name, layer in rows.items()
        },
        **{
            name: (IMAGE, _chain(_conv(2, 4, 1), layer, _act(_bits(8, 3)), _conv(2, 2, 2)))
            for name, layer in images.items()
        },
        "Dot of two unit vectors": (VECTOR, _chain(_joined(unit, _narrowed(4), _narrowed(4)))),
        "Dot of rows of length 1": (SEQUENCE, _chain(_joined(unit, _rows(4), _rows(4)), _act(_bits(10, 2)))),
        "plain RMSNormalization": (VECTOR, _bare(kl.Dense(5), kl.RMSNormalization(), kl.Dense(3))),
        "plain GroupNormalization": (
            IMAGE,
            _bare(kl.Conv2D(4, 3), kl.GroupNormalization(2), kl.ReLU(), kl.Flatten(), kl.Dense(3)),
        ),
    }


def _recurrent() -> Mapping[str, Form]:
    cell = {"kernel_quantizer": _bits(6), "recurrent_quantizer": _bits(6), "bias_quantizer": _bits(6)}
    gates = {"activation": qkeras.quantized_tanh(6), "recurrent_activation": qkeras.quantized_sigmoid(6)}
    state = {"state_quantizer": _bits(8)}
    return {
        "GRU": (SEQUENCE, _chain(kl.GRU(3), _act(_bits(8, 0)), _dense(2))),
        "LSTM": (SEQUENCE, _chain(kl.LSTM(3), _act(_bits(8, 0)), _dense(2))),
        "SimpleRNN": (SEQUENCE, _chain(kl.SimpleRNN(3), _act(_bits(8, 0)), _dense(2))),
        "QGRU": (SEQUENCE, _chain(qkeras.QGRU(3, **cell, **gates, **state), _act(_bits(8, 0)), _dense(2))),
        "QLSTM": (SEQUENCE, _chain(qkeras.QLSTM(3, **cell, **gates, **state), _act(_bits(8, 0)), _dense(2))),
        "QSimpleRNN": (
            SEQUENCE,
            _chain(qkeras.QSimpleRNN(3, **cell, **state, activation=qkeras.quantized_tanh(6)), _dense(2)),
        ),
        "QGRU, backwards": (
            SEQUENCE,
            _chain(qkeras.QGRU(2, **cell, **gates, **state, go_backwards=True), _act(_bits(8, 0)), _dense(2)),
        ),
        "QLSTM, both ways": (
            SEQUENCE,
            _chain(kl.Bidirectional(qkeras.QLSTM(2, **cell, **gates, **state)), _act(_bits(8, 0)), _dense(2)),
        ),
    }


def _attention() -> Mapping[str, Form]:
    return {
        "attention, one head": (
            SEQUENCE,
            _chain(lambda x: kl.MultiHeadAttention(1, 4)(x, x), _act(_bits(8, 3))),
        ),
        "attention, three heads": (
            SEQUENCE,
            _chain(lambda x: kl.MultiHeadAttention(3, 2)(x, x), _act(_bits(8, 3))),
        ),
        "attention, Linformer-like, two heads": (
            SEQUENCE,
            _chain(
                lambda x: kl.MultiHeadAttention(2, 2)(x, _fewer_rows(kl.Dense)(x), _fewer_rows(kl.Dense)(x)),
                _act(_bits(8, 3)),
            ),
        ),
        "attention, four heads on two keys": (
            SEQUENCE,
            _chain(lambda x: kl.GroupQueryAttention(2, 4, 2)(x, x), _act(_bits(8, 3))),
        ),
        "Attention": (SEQUENCE, _chain(lambda x: kl.Attention()([x, x]), _act(_bits(8, 3)))),
        "Attention, scaled, of three": (
            SEQUENCE,
            _chain(
                lambda x: kl.Attention(use_scale=True)([x, _rows(2)(x), _rows(3)(x)]),
                _act(_bits(8, 3)),
            ),
        ),
        "Attention of sums": (
            SEQUENCE,
            _chain(
                lambda x: kl.Attention(use_scale=True, score_mode="concat")([x, x]),
                _act(_bits(8, 3)),
            ),
        ),
        "AdditiveAttention": (SEQUENCE, _chain(lambda x: kl.AdditiveAttention()([x, x]), _act(_bits(8, 3)))),
        "attention block with LayerNormalization": (
            SEQUENCE,
            _chain(
                lambda x: kl.Add()([x, kl.MultiHeadAttention(2, 2)(x, x)]),
                kl.LayerNormalization(),
                kl.Dense(4, activation="relu"),
            ),
        ),
        "attention of quantized layers": (SEQUENCE, _chain(lambda x: _attended(x, _rows(3)(x), _rows(3)(x)))),
        "attention of quantized layers, Linformer-like": (
            SEQUENCE,
            _chain(
                lambda x: _attended(
                    x, *(_bare(_fewer_rows(_dense), _act(_bits(6, 2)), _rows(3))(x) for _ in range(2))
                )
            ),
        ),
    }


def _fewer_rows(dense: Callable[[int], Any]) -> Build:
    """A dense layer along the sequence, as Linformer's projections (arXiv:2006.04768, equation 7)."""
    return _bare(kl.Permute((2, 1)), dense(2), kl.Permute((2, 1)))


def _attended(x: Any, keys: Any, values: Any) -> Any:
    scores = kl.Dot(axes=2)([_rows(3)(x), keys])
    return kl.Dot(axes=(2, 1))([_act(_relu(6, 0))(FixedPointSoftmax(3)(scores)), values])


def forms() -> dict[str, Form]:
    """Shape of the input, and what builds the model on it, by name; new layers at each call."""
    return {
        **_batch_norms(),
        **_moved(),
        **_sums(),
        **_activations(),
        **_plain(),
        **_recurrent(),
        **_attention(),
    }


def form_model(form: Form, name: str, seed: int = 1) -> Any:
    """The model of one form, with weights and averages that matter; layers' names begin with ``name``."""
    shape, build = form
    start = keras.Input(shape, name=f"{name}_in")
    model = keras.Model(start, build(start), name=name)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        word = variable.path.rsplit("/", 1)[-1]
        if word in ("gamma", "moving_variance", "variance"):
            variable.assign(rng.uniform(0.5, 2.0, variable.shape).astype(np.float32))
        elif variable.dtype == "float32":
            variable.assign(rng.uniform(-0.9, 0.9, variable.shape).astype(np.float32))
    return model


__all__ = ["Form", "form_model", "forms"]
