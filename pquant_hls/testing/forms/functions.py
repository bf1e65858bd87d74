"""Forms of activations."""

from __future__ import annotations

from collections.abc import Mapping

import qkeras
from keras import layers as kl

from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.testing.forms.pieces import (
    SEQUENCE,
    VECTOR,
    Form,
    between_dense,
    fixed_bits,
    fixed_relu,
    q_conv,
    q_dense,
    rounded_by,
    rounded_first,
)
from pquant_hls.testing.layers import SMOOTH


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
        "quantized_relu, slope": fixed_relu(6, 2, negative_slope=0.25),
        "quantized_relu, bound": fixed_relu(6, 2, is_quantized_clip=False, relu_upper_bound=1.5),
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
            name: (VECTOR, rounded_first(q_dense(4), layer, rounded_by(fixed_bits(8, 3)), q_dense(3)))
            for name, layer in corners.items()
        },
        **{
            f"{name}, between quantizers": (
                VECTOR,
                between_dense(kl.Activation(name), rounded_by(fixed_bits(8, 2))),
            )
            for name in SMOOTH
        },
        **{
            f"{name}, alone": (VECTOR, rounded_first(q_dense(4), kl.Activation(name), q_dense(3)))
            for name in SMOOTH[:4]
        },
        "dense layer with a sigmoid inside": (
            VECTOR,
            rounded_first(q_dense(4, activation="sigmoid"), rounded_by(fixed_relu(6, 0)), q_dense(3)),
        ),
        **{
            f"{name}, after a quantizer": (VECTOR, between_dense(rounded_by(found)))
            for name, found in odd.items()
        },
        "FixedPointSoftmax": (VECTOR, between_dense(FixedPointSoftmax(3))),
        "FixedPointSoftmax over rows": (
            SEQUENCE,
            rounded_first(q_conv(1, 4, 1), FixedPointSoftmax(3), q_conv(1, 2, 3)),
        ),
        "softmax inside": (VECTOR, between_dense(kl.Softmax())),
        "sigmoid at the end": (VECTOR, rounded_first(q_dense(1), kl.Activation("sigmoid"))),
        "softmax at the end": (VECTOR, rounded_first(q_dense(4), kl.Softmax())),
    }


def function_forms() -> dict[str, Form]:
    """By name."""
    return {**_activations()}
