"""The operations of a FixedPointGraph that have an exact rule, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from operator import add, mul, sub
from types import MappingProxyType

from pquant_hls.errors import NotMeasured
from pquant_hls.rtl import _arith as arith
from pquant_hls.rtl import _pointwise as pointwise
from pquant_hls.rtl import _pooling as pooling
from pquant_hls.rtl import _products as products
from pquant_hls.rtl._arith import Symbols
from pquant_hls.rtl._call import Call

Layer = Callable[[Call], Symbols]

LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        "dense": products.dense,
        "batchnorm": products.batchnorm,
        **dict.fromkeys(("conv1d", "conv2d"), products.convolution),
        **dict.fromkeys(("depthwise_conv1d", "depthwise_conv2d"), products.depthwise),
        **{f"{whole}max_pooling{n}d": pooling.max_pooling for whole in ("", "global_") for n in (1, 2)},
        **{
            f"{whole}average_pooling{n}d": pooling.average_pooling
            for whole in ("", "global_")
            for n in (1, 2)
        },
        **dict.fromkeys(("quantize", "clone"), pointwise.same),
        "relu": pointwise.relu,
        "leaky_relu": pointwise.leaky_relu,
        "binary_tanh": pointwise.binary_tanh,
        "ternary_tanh": pointwise.ternary_tanh,
        "hard_sigmoid": pointwise.hard_sigmoid,
        "hard_tanh": pointwise.hard_tanh,
        "add": pointwise.merge(add),
        "subtract": pointwise.merge(sub),
        "multiply": pointwise.merge(mul),
        "average": pointwise.merge(pointwise.average),
        "maximum": pointwise.merge(arith.maximum),
        "minimum": pointwise.merge(arith.minimum),
        "concatenate": pointwise.concatenate,
        "reshape": pointwise.reshape,
        "transpose": pointwise.transpose,
        **dict.fromkeys(("zero_padding1d", "zero_padding2d"), pointwise.zero_padding),
    }
)


def apply_layer(call: Call) -> Symbols:
    """The node's output values, stored in its result type, in its shape.

    Raises
    ------
    NotMeasured : an operation, or a use of it, that is not modelled exactly.
    """
    layer = LAYERS.get(call.node.op)
    if layer is None:
        name = call.node.attrs.get("op_name", call.node.op)
        raise NotMeasured(
            f"layer type {name!r} has no exact RTL", where=call.node.name, mend="use csim, csynth"
        )
    out = layer(call)
    if out.size != prod(call.node.shape):
        raise call.refuse(f"computed shape {out.shape}, the graph says {call.node.shape}")
    return arith.cast(out, call.node.result).reshape(call.node.shape)
