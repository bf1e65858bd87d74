"""Parts of random networks that are layers of other kinds: scales, corners, tables, sums, repeats, recurrent cells."""

from __future__ import annotations

from typing import Any

from pquant_hls.testing.blocks import Part, conv, flattened, sides
from pquant_hls.testing.drawing import Drawer
from pquant_hls.testing.sketch import Quantizer

SMOOTH = (
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "exponential",
)
"""Functions of Keras' that become tables."""


def _narrow(drawer: Drawer, x: int) -> int:
    """A dense layer rounded to few bits."""
    return drawer.act(drawer.dense(x, drawer.bits(1, 4)), drawer.quantized_bits(3, 9, 3))


def _scale(drawer: Drawer, x: int) -> int:
    """Factors and shifts on a grid, of one value, of each channel or of all."""
    shape = drawer.any_of((), drawer.shape(x)[-1:], drawer.shape(x))
    grid = 2.0 ** -drawer.bits(0, 6)
    parts = {name: (drawer.rng.integers(-20, 21, shape) * grid).tolist() for name in ("scale", "shift")}
    x = drawer.add("FixedPointScale", x, **parts)
    return drawer.act(x) if drawer.chance(0.7) else x


def _corners(drawer: Drawer, x: int) -> int:
    """Bounded and leaky relus, hard tanh."""
    x = drawer.dense(x, drawer.bits(2, 4))
    kind = drawer.any_of("ReLU", "LeakyReLU", "PReLU", "Activation")
    slope = drawer.any_of(0.125, 0.25, 0.5, 0.3, 1.5)
    options: dict[str, dict[str, Any]] = {
        "ReLU": {"max_value": drawer.any_of(1.0, 2.5, 6.0), "negative_slope": drawer.any_of(0.0, slope)},
        "LeakyReLU": {"negative_slope": slope},
        "PReLU": {},
        "Activation": {"activation": drawer.any_of("relu6", "hard_tanh")},
    }
    x = drawer.add(kind, x, **options[kind])
    return drawer.act(x) if drawer.chance(0.7) else x


def _function(drawer: Drawer, x: int) -> int:
    """A smooth function between quantizers, or one that fix makes a table of."""
    chosen = drawer.any_of(*SMOOTH)
    if drawer.chance(0.25):
        return drawer.add("Activation", drawer.dense(x, drawer.bits(1, 3)), activation=chosen)
    x = drawer.add("Activation", _narrow(drawer, x), activation=chosen)
    return drawer.act(x, drawer.any_of(drawer.quantized_bits(3, 9, 3), drawer.relu(3, 9, 3)))


def _odd_quantizer(drawer: Drawer, x: int) -> int:
    """A quantizer that hls4ml computes otherwise or refuses, of few bits."""
    found = drawer.any_of(
        Quantizer("quantized_relu", {"bits": drawer.bits(3, 7), "integer": 2, "negative_slope": 0.25}),
        Quantizer("quantized_tanh", {"bits": drawer.bits(3, 8), "use_real_tanh": True}),
        Quantizer("quantized_sigmoid", {"bits": drawer.bits(3, 8), "use_real_sigmoid": True}),
        Quantizer("quantized_sigmoid", {"bits": drawer.bits(3, 8), "symmetric": 1}),
        Quantizer("quantized_po2", {"bits": drawer.bits(3, 4), "max_value": 2}),
        Quantizer("binary", {"alpha": 1, "use_01": True}),
        Quantizer("binary", {"alpha": 0.5}),
        Quantizer("ternary", {"alpha": 1, "threshold": 0.5}),
    )
    return drawer.act(_narrow(drawer, x), found)


def _softmax(drawer: Drawer, x: int) -> int:
    x = drawer.add("FixedPointSoftmax", drawer.dense(x, drawer.bits(2, 5)), integer=drawer.bits(1, 4))
    return drawer.act(x, drawer.relu(4, 10, 0)) if drawer.chance(0.7) else x


def _repeats(drawer: Drawer, x: int) -> int:
    """Values repeated, or left out at the edges."""
    shape = drawer.shape(x)
    if len(shape) == 1:
        return drawer.add("RepeatVector", x, n=drawer.bits(1, 4))
    if len(shape) == 2:
        if shape[0] > 2 and drawer.chance(0.5):
            return drawer.add("Cropping1D", x, cropping=drawer.any_of((1, 0), (0, 1), (1, 1)))
        return drawer.add("UpSampling1D", x, size=drawer.bits(2, 3))
    if min(shape[:2]) > 2:
        return drawer.add("Cropping2D", x, cropping=drawer.any_of(((1, 0), (0, 1)), ((1, 1), (0, 1))))
    return drawer.add("UpSampling2D", x, size=2)


def _kept_axes(drawer: Drawer, x: int) -> int:
    """A pooled image whose axes stay, added to or multiplied with the image itself or alone."""
    axes = len(drawer.shape(x)) - 1
    if axes == 0:
        return _scale(drawer, x)
    pooled = drawer.add(f"GlobalMaxPooling{axes}D", x, keepdims=True)
    if drawer.chance(0.3):
        return pooled
    return drawer.add(drawer.any_of("Add", "Multiply", "Maximum", "Subtract"), x, pooled)


def _summed(drawer: Drawer, x: int) -> int:
    """A sum, maximum or mean over axes, as of a deep set."""
    axes = len(drawer.shape(x))
    if axes == 1:
        return drawer.add("Operator", x, sign="sum", axis=-1, keepdims=True)
    if drawer.chance(0.3):
        whole = tuple(range(1, axes))
        return drawer.add("Operator", x, sign="max", axis=whole if len(whole) > 1 else 1, keepdims=False)
    axis = drawer.any_of(1, -1, *([2] if axes == 3 else []))
    x = drawer.add("Operator", x, sign="sum", axis=axis, keepdims=drawer.chance(0.3))
    return drawer.act(x) if drawer.chance(0.5) else x


def _dotted(drawer: Drawer, x: int) -> int:
    """Products of two tensors, summed."""
    a, b = sides(drawer, x, 2)
    if len(drawer.shape(a)) > 2:
        return drawer.add("Multiply", a, b)
    return drawer.add("Dot", a, b, axes=drawer.any_of(1, len(drawer.shape(a))))


def _written_out(drawer: Drawer, x: int) -> int:
    """Convolutions with gaps, groups or several kernels a channel, and separable ones."""
    axes = len(drawer.shape(x)) - 1
    if axes == 0:
        return _narrow(drawer, x)
    size = min(2, *drawer.shape(x)[:-1])
    if drawer.chance(0.6):
        roles: dict[str, Any] = {
            f"{role}_quantizer": drawer.weight_quantizer() for role in ("depthwise", "pointwise")
        }
        options: dict[str, Any] = {"kernel_size": size, "padding": drawer.any_of("same", "valid")}
        if drawer.chance(0.3):
            options |= {"depth_multiplier": 2, "use_bias": drawer.chance(0.5)}
        return drawer.add(
            f"QSeparableConv{axes}D", x, filters=2, **options, **roles, bias_quantizer=drawer.bias_quantizer()
        )
    if axes == 2 and drawer.chance(0.4):
        options = {"kernel_size": size, "depth_multiplier": 2, "use_bias": drawer.chance(0.5)}
        return drawer.add("QDepthwiseConv2D", x, **options, **drawer.quantizers("depthwise"))
    if drawer.chance(0.5) and drawer.shape(x)[-1] > 1:
        return conv(drawer, x, strides=1, groups=drawer.shape(x)[-1], filters_times=drawer.shape(x)[-1])
    return conv(drawer, x, strides=1, kernel_size=size, dilation_rate=2, padding="same")


def _folded_norm(drawer: Drawer, x: int) -> int:
    """A layer of QKeras' that holds its batch normalization."""
    settings: dict[str, Any] = {
        "kernel_quantizer": drawer.quantized_bits(4, 8, 1),
        "bias_quantizer": drawer.quantized_bits(6, 10, 3),
    }
    if len(drawer.shape(x)) == 3:
        return drawer.activated(drawer.add("QConv2DBatchnorm", x, filters=2, kernel_size=1, **settings))
    return drawer.activated(drawer.add("QDenseBatchnorm", flattened(drawer, x), units=3, **settings))


def _steps(drawer: Drawer, x: int, most: int) -> int:
    """A sequence of at most ``most`` steps, which are no fewer than 4."""
    shape = drawer.shape(x)
    if len(shape) == 1 and shape[0] <= most:
        return drawer.add("Reshape", x, target_shape=(shape[0], 1))
    return x if len(shape) == 2 and shape[0] <= most else _in_rows(drawer, x)


def _cell(drawer: Drawer) -> tuple[str, dict[str, Any]]:
    """(kind, options) of a recurrent layer whose states are rounded."""
    kind = drawer.any_of("QGRU", "QLSTM", "QSimpleRNN")
    roles = {f"{role}_quantizer": drawer.quantized_bits(3, 6, 1) for role in ("kernel", "recurrent", "bias")}
    gates = {"recurrent_activation": Quantizer("quantized_sigmoid", {"bits": drawer.bits(3, 6)})}
    return kind, {
        "units": drawer.bits(1, 3),
        "activation": Quantizer("quantized_tanh", {"bits": drawer.bits(3, 6)}),
        "state_quantizer": drawer.quantized_bits(4, 8, 1),
        "return_sequences": drawer.chance(0.4),
        **roles,
        **({} if kind == "QSimpleRNN" else gates),
    }


def _recurrent(drawer: Drawer, x: int) -> int:
    """A cell over a short sequence, from its first step on or from its last."""
    x, (kind, options) = _steps(drawer, x, 6), _cell(drawer)
    x = drawer.add(kind, x, go_backwards=drawer.chance(0.4), **options)
    return drawer.act(x) if drawer.chance(0.6) else x


def _both_ways(drawer: Drawer, x: int) -> int:
    """A cell over a short sequence from both ends, in Keras' wrapper or QKeras'."""
    x, (wraps, options) = _steps(drawer, x, 4), _cell(drawer)
    merge = drawer.any_of("concat", "concat", "sum", "mul", "ave")
    x = drawer.add(
        drawer.any_of("Bidirectional", "QBidirectional"), x, wraps=wraps, merge_mode=merge, **options
    )
    return drawer.act(x) if merge == "ave" or drawer.chance(0.6) else x


def _each_step(drawer: Drawer, x: int) -> int:
    """A layer of the last axis alone, in Keras' wrapper."""
    x = x if len(drawer.shape(x)) > 1 else _steps(drawer, x, 8)
    wraps = drawer.any_of("QDense", "QDense", "QActivation", "ReLU", "BatchNormalization")
    options: dict[str, dict[str, Any]] = {
        "QDense": {"units": drawer.bits(1, 4), "use_bias": drawer.chance(0.85), **drawer.quantizers()},
        "QActivation": {"activation": drawer.activation()},
    }
    if wraps == "QDense" and drawer.chance(0.3):
        options[wraps]["activation"] = drawer.activation()
    x = drawer.add("TimeDistributed", x, wraps=wraps, **options.get(wraps, {}))
    return drawer.activated(x) if drawer.chance(0.6) else x


def _causal(drawer: Drawer, x: int) -> int:
    """A convolution that sees no later step: behind zeros, or Keras' own of float weights, which are calibrated."""
    x, size, gap = _steps(drawer, x, 8), drawer.bits(2, 3), drawer.any_of(1, 1, 2)
    options: dict[str, Any] = {"filters": drawer.bits(1, 3), "kernel_size": size}
    options["use_bias"] = drawer.chance(0.85)
    options |= {"dilation_rate": gap} if gap > 1 else {"strides": drawer.bits(1, 2)}
    if drawer.chance(0.5):
        return drawer.activated(drawer.add("Conv1D", x, padding="causal", **options))
    x = drawer.add("ZeroPadding1D", x, padding=(gap * (size - 1), 0))
    return drawer.activated(drawer.add("QConv1D", x, **options, **drawer.quantizers()))


def _sliced(drawer: Drawer, x: int) -> int:
    """Values picked along one axis, or bounded, by operations outside any layer."""
    shape = drawer.shape(x)
    kind = drawer.any_of("GetItem", "GetItem", "flip", "clip", "absolute")
    if kind == "GetItem":
        axis = drawer.bits(0, len(shape) - 1)
        start, step = drawer.bits(0, shape[axis] // 2), drawer.any_of(1, 1, 2, -1)
        picked = slice(start, None, step) if step > 0 else slice(None, None, step)
        return drawer.add("Operator", x, sign="GetItem", key=[slice(None)] * (axis + 1) + [picked])
    if kind == "clip":
        low = drawer.any_of(-1.0, 0.0, 0.25)
        return drawer.add("Operator", x, sign="clip", x_min=low, x_max=low + drawer.any_of(0.5, 2.0))
    if kind == "absolute":
        return drawer.add("Operator", x, sign="absolute")
    return drawer.add("Operator", x, sign="flip", axis=drawer.bits(1, len(shape)))


def _many_axes(drawer: Drawer, x: int) -> int:
    """A dense layer over four axes."""
    shape = drawer.shape(x)
    x = drawer.add("Reshape", x, target_shape=(*shape, *[1] * (4 - len(shape))))
    x = drawer.dense(x, drawer.bits(1, 3))
    return flattened(drawer, drawer.activated(x))


def _in_rows(drawer: Drawer, x: int) -> int:
    """Few rows of few values."""
    shape = drawer.shape(x)
    if len(shape) == 2 and shape[0] <= 8 and 1 < shape[1] <= 4:
        return x
    rows, columns = drawer.bits(2, 4), drawer.bits(2, 3)
    x = drawer.dense(flattened(drawer, x), rows * columns)
    return drawer.add("Reshape", drawer.activated(x), target_shape=(rows, columns))


def _normalized_rows(drawer: Drawer, x: int) -> int:
    """A normalization of rows or columns, with a mean or without: of ours with ranges that fit, that saturate and that are far
    below one, or Keras' own."""
    x = drawer.act(_in_rows(drawer, x), drawer.quantized_bits(4, 9, 3))
    if drawer.chance(0.3):
        x = _of_keras(drawer, x)
    else:
        integer = drawer.bits(-3, 3)
        spread = drawer.any_of(None, 2 * integer, drawer.bits(-4, 4))
        epsilon = drawer.any_of(1e-3, 0.05, 1.0)
        over = {"center": drawer.chance(0.7), "axis": drawer.any_of(-1, -1, 1)}
        x = drawer.add("FixedPointLayerNorm", x, integer=integer, spread=spread, epsilon=epsilon, **over)
    return drawer.act(x) if drawer.chance(0.7) else x


def _of_keras(drawer: Drawer, x: int) -> int:
    """One of Keras' normalizations of an event's own values."""
    kind = drawer.any_of("LayerNormalization", "RMSNormalization", "UnitNormalization", "GroupNormalization")
    options: dict[str, dict[str, Any]] = {
        "LayerNormalization": {"center": drawer.chance(0.5), "scale": drawer.chance(0.5), "epsilon": 1e-2},
        "RMSNormalization": {"epsilon": 1e-2},
        "UnitNormalization": {"axis": drawer.any_of(-1, 1)},
        "GroupNormalization": {"groups": drawer.any_of(1, -1), "epsilon": 1e-2},
    }
    return drawer.add(kind, x, **options[kind])


def _attention(drawer: Drawer, x: int) -> int:
    """A head of attention of quantized layers: scores of rows by rows, shares by tables, rows weighted by them."""
    x = drawer.act(_in_rows(drawer, x), drawer.quantized_bits(4, 8, 2))
    size, narrow = drawer.bits(1, 3), drawer.quantized_bits(3, 6, 2)
    query, key, value = (drawer.act(drawer.dense(x, size), narrow) for _ in range(3))
    scores = drawer.act(drawer.add("Dot", query, key, axes=2), drawer.quantized_bits(4, 9, 3))
    shares = drawer.add("FixedPointSoftmax", scores, integer=drawer.bits(1, 4))
    if drawer.chance(0.5):
        shares = drawer.act(shares, drawer.relu(4, 8, 0))
    return drawer.act(drawer.add("Dot", shares, value, axes=(2, 1)), drawer.quantized_bits(4, 8, 3))


def _embedded(drawer: Drawer, x: int) -> int:
    """Whole numbers of an input of their own, each exchanged for its row, beside the rest."""
    numbers = drawer.add("Input", shape=(drawer.bits(1, 3),), dtype=drawer.any_of("int32", "float32"))
    rows = drawer.any_of(2, 5, 16, 40)
    looked_up = drawer.add("Embedding", numbers, input_dim=rows, output_dim=drawer.bits(1, 3))
    looked_up = drawer.act(flattened(drawer, looked_up), drawer.quantized_bits(3, 8, 1))
    return drawer.add("Concatenate", flattened(drawer, x), looked_up)


MORE_PARTS: dict[str, Part] = {
    "scale": _scale,
    "bounded and leaky relus": _corners,
    "function as a table": _function,
    "quantizer as a table": _odd_quantizer,
    "softmax of tables": _softmax,
    "repeated or cropped values": _repeats,
    "kept axes": _kept_axes,
    "sum over axes": _summed,
    "dot": _dotted,
    "convolution written out": _written_out,
    "folded batch normalization": _folded_norm,
    "recurrent": _recurrent,
    "both ways": _both_ways,
    "layer of each step": _each_step,
    "causal convolution": _causal,
    "dense over four axes": _many_axes,
    "picked or bounded values": _sliced,
    "layer normalization": _normalized_rows,
    "attention": _attention,
    "embedding": _embedded,
}
