"""Activations, merges and changes of shape, by the rules of nnet_activation.h and nnet_merge.h."""

from __future__ import annotations

from collections.abc import Callable
from operator import add, mul, sub

import numpy as np
from alkaid.trace import FVariable

from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LayerCall, computes
from pquant_hls.rtl._windows import padded, pads
from pquant_hls.rtl.arithmetic import Symbols


@computes("quantize", "clone")
def same(call: LayerCall) -> Symbols:
    return call.wires


@computes("relu")
def relu(call: LayerCall) -> Symbols:
    """x above the threshold (0 as a rule), else 0."""
    zero = arith.constant(0.0)
    threshold = _parameter(call, "threshold", "param") if call.node.attrs.get("threshold") else 0.0
    if threshold == 0.0:
        return arith.each(lambda x: arith.maximum(x, zero), call.wires)
    return arith.each(lambda x: arith.choose(arith.above(x, threshold), x, zero), call.wires)


@computes("leaky_relu")
def leaky_relu(call: LayerCall) -> Symbols:
    """x where positive, else slope * x in full precision."""
    slope = _parameter(call, "slope", "param")
    return arith.each(lambda x: arith.choose(x.is_negative(), x * slope, x), call.wires)


@computes("lookup")
def lookup(call: LayerCall) -> Symbols:
    """The entry at the raw bits of the value: those of values below zero come last."""
    kind = call.kinds[0]
    entries = np.roll(call.node.arrays["table"].values, -kind.code_min)
    if len(entries) != 1 << kind.width:
        raise call.refuse(f"{len(entries)} entries for an address of {kind.width} bits")
    span = (kind.low, kind.high, kind.lsb)
    return arith.each(lambda x: arith.looked_up(x, entries, span), call.wires)


@computes("binary_tanh")
def binary_tanh(call: LayerCall) -> Symbols:
    """1 where x >= 0, else -1; a one-bit unsigned result stores 1 and 0 instead."""
    if call.node.result.width == 1:
        return arith.each(lambda x: 1.0 + x.is_negative() * -1.0, call.wires)
    return arith.each(lambda x: 1.0 + x.is_negative() * -2.0, call.wires)


@computes("ternary_tanh")
def ternary_tanh(call: LayerCall) -> Symbols:
    """The sign of x where 2 x, stored in the type of x, lies outside (-1, 1], else 0.

    Fused with a scale, it compares x with two thresholds instead (normalize_ternary_tanh).
    """
    if "threshold_hi" in call.node.arrays:
        keys = ("threshold_hi", "threshold_lo")
        high, low = (np.resize(call.constants(key), call.wires.shape).astype(object) for key in keys)
        return arith.each(_between, call.wires, high, low)
    kind = call.kinds[0]
    return arith.each(lambda x: _ternary(arith.cast_wire(x * 2.0, kind)), call.wires)


def _between(x: FVariable, high: float, low: float) -> FVariable:
    below = arith.inverse(arith.above(x, low)) * -1.0
    return arith.choose(arith.above(x, high), arith.constant(1.0), below)


def _ternary(doubled: FVariable) -> FVariable:
    return arith.above(doubled, 1.0) - arith.inverse(arith.above(doubled, -1.0))


@computes("hard_sigmoid")
def hard_sigmoid(call: LayerCall) -> Symbols:
    """clip(slope * x + shift, 0, 1)."""
    slope, shift = _parameter(call, "slope", "slope"), _parameter(call, "shift", "shift")
    zero, one = arith.constant(0.0), arith.constant(1.0)
    return arith.each(lambda x: arith.minimum(arith.maximum(x * slope + shift, zero), one), call.wires)


@computes("hard_tanh")
def hard_tanh(call: LayerCall) -> Symbols:
    """2 * hard_sigmoid - 1."""
    return arith.each(lambda x: x * 2.0 + -1.0, hard_sigmoid(call))


def _parameter(call: LayerCall, name: str, kind: str) -> float:
    """An attribute as its own type stores it."""
    value = call.node.attrs.get(name)
    if value is None:
        raise call.refuse(f"the graph does not tell the {name}")
    stored = call.node.types.get(kind)
    return float(value) if stored is None else arith.stored(float(value), stored)


def _merge(call: LayerCall) -> Symbols:
    """Element by element in full precision; a shorter input repeats (index modulo its size)."""
    if len(call.values) != 2:
        raise call.refuse(f"merges {len(call.values)} inputs, hls4ml merges two")
    first, second = (np.resize(values.ravel(), call.node.shape) for values in call.values)
    return arith.each(_MERGES[call.node.op], first, second)


_MERGES: dict[str, Callable[[FVariable, FVariable], FVariable]] = {
    "add": add,
    "subtract": sub,
    "multiply": mul,
    "average": lambda first, second: (first + second) * 0.5,
    "maximum": arith.maximum,
    "minimum": arith.minimum,
}
computes(*_MERGES)(_merge)


@computes("concatenate")
def concatenate(call: LayerCall) -> Symbols:
    return np.concatenate(call.values, axis=int(call.node.attrs.get("axis", -1)))


@computes("reshape")
def reshape(call: LayerCall) -> Symbols:
    return call.wires.reshape(call.node.shape)


@computes("transpose")
def transpose(call: LayerCall) -> Symbols:
    return np.transpose(call.wires, tuple(int(axis) for axis in call.node.attrs["perm"]))


@computes("zero_padding1d", "zero_padding2d")
def zero_padding(call: LayerCall) -> Symbols:
    return padded(call.wires, pads(call.node, call.wires.ndim - 1), arith.constant(0.0))


@computes("cropping1d", "cropping2d")
def cropping(call: LayerCall) -> Symbols:
    sizes = call.wires.shape
    kept = [slice(a, size - b) for (a, b), size in zip(call.node.attrs["cropping"], sizes, strict=False)]
    return call.wires[tuple(kept)]


@computes("upsampling2d")
def upsampling(call: LayerCall) -> Symbols:
    """Each row and column as often as the factors say."""
    wires = call.wires
    for axis, count in enumerate(call.node.attrs["factors"]):
        wires = np.repeat(wires, int(count), axis=axis)
    return wires
