"""Layers that multiply by constants: dense, convolutions, depthwise convolutions, scale and shift."""

from __future__ import annotations

from math import prod

import numpy as np
from alkaid.trace import FVariable
from numpy.typing import NDArray

from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import fraction_bits
from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LayerCall, computes
from pquant_hls.rtl._windows import padded, pads, sizes, windows
from pquant_hls.rtl.arithmetic import Symbols

Matrix = NDArray[np.float64]


@computes("dense")
def dense(call: LayerCall) -> Symbols:
    """weights (n_in, n_out); acts on the last axis."""
    weights = call.constants("weight")
    return accumulate(call, call.wires.reshape(-1, weights.shape[0]), weights, call.bias(weights.shape[1]))


@computes("conv1d", "conv2d")
def convolution(call: LayerCall) -> Symbols:
    """weights (*kernel, channels, filters)."""
    weights = call.constants("weight")
    found = _patches(call, weights.shape[:-2])
    if found.shape[-1] != weights.shape[-2]:
        raise call.refuse(f"{found.shape[-1]} channels come in, the weights want {weights.shape[-2]}")
    columns = prod(weights.shape[:-1])
    matrix = weights.reshape(columns, -1)
    return accumulate(call, found.reshape(-1, columns), matrix, call.bias(matrix.shape[1]))


@computes("depthwise_conv1d", "depthwise_conv2d")
def depthwise(call: LayerCall) -> Symbols:
    """weights (*kernel, channels, 1): one filter for each channel."""
    weights = call.constants("weight")
    *kernel, channels, multiplier = weights.shape
    if multiplier != 1:
        raise call.refuse(f"depth multiplier {multiplier}, only 1 is modelled")
    found = _patches(call, tuple(kernel)).reshape(-1, prod(kernel), channels)
    bias = call.bias(channels)
    filters = weights.reshape(prod(kernel), channels)
    each = [accumulate(call, found[..., c], filters[:, [c]], bias[[c]]) for c in range(channels)]
    return np.concatenate(each, axis=-1)


@computes("batchnorm")
def batchnorm(call: LayerCall) -> Symbols:
    """x * scale + bias in full precision, stored once (nnet_batchnorm.h)."""
    scale, bias = (
        np.resize(call.constants(key), call.wires.shape).astype(object) for key in ("scale", "bias")
    )
    return arith.each(lambda x, s, b: x * s + b, call.wires, scale, bias)


def accumulate(call: LayerCall, rows: Symbols, weights: Matrix, bias: Matrix) -> Symbols:
    """rows (n, n_in) x weights (n_in, n_out) + bias (n_out,), summed in the accumulator's type."""
    accum = call.node.types.get("accum")
    if accum is None:
        return _add(arith.matrix_product(rows, weights), bias)
    _check_saturation(call, rows, weights, bias)
    if _finest(rows) + fraction_bits(weights) <= accum.frac:
        sums = arith.matrix_product(rows, weights)
    else:  # each product loses bits before it is added
        sums = _rounded_products(rows, weights, accum)
    return arith.cast(_add(sums, accum.quantize(bias)), accum)


def _add(sums: Symbols, bias: Matrix) -> Symbols:
    return arith.each(lambda wire, add: wire + add, sums, np.broadcast_to(bias, sums.shape).astype(object))


def _rounded_products(rows: Symbols, weights: Matrix, accum: FixedType) -> Symbols:
    out = np.empty((len(rows), weights.shape[1]), dtype=object)
    for index, wires in enumerate(rows):
        for column, factors in enumerate(weights.T):
            terms = (wire * float(w) for wire, w in zip(wires, factors, strict=True))
            out[index, column] = arith.total([arith.cast_wire(term, accum) for term in terms])
    return out


def _patches(call: LayerCall, kernel: tuple[int, ...]) -> Symbols:
    """(*positions, *kernel, channels)."""
    rank = len(kernel)
    around = padded(call.wires, pads(call.node, rank), arith.constant(0.0))
    return windows(around, kernel, sizes(call.node, "strides", rank), sizes(call.node, "dilation", rank))


def _finest(rows: Symbols) -> int:
    return max((_fraction(wire) for wire in rows.ravel()), default=0)


def _fraction(wire: FVariable) -> int:
    return fraction_bits(np.array([wire.low])) if arith.is_constant(wire) else int(wire.kif[2])


def _check_saturation(call: LayerCall, rows: Symbols, weights: Matrix, bias: Matrix) -> None:
    """A wrapping sum is the same in any order; a saturating one only where it can never reach its limits."""
    accum = call.node.types["accum"]
    if accum.saturation == "WRAP":
        return
    reach = arith.each(arith.reach, rows).astype(np.float64) @ np.abs(weights)
    rounding = accum.lsb * (len(weights) + 1)  # a rounded term may be up to one LSB larger
    if not accum.signed or np.max(reach + np.abs(bias)) + rounding > accum.high:
        raise call.refuse(f"the accumulator {accum} may saturate midway, in an order the tool chooses")
