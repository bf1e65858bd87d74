"""Fixed-point grids: the narrowest that hold given values, a range, other types, or every sum of products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import enclosed_bits, fraction_bits
from pquant_hls.qor.grid import FixedGrid

Floats = NDArray[np.float64]
Per = Literal["tensor", "channel", "element"]


def holding(values: NDArray[Any], per: Per = "tensor") -> FixedGrid:
    """The narrowest types that hold ``values`` exactly: one in all, one for each place of the last axis, or one for
    each value. What is 0 gets a width of 0.
    """
    values = np.asarray(values, np.float64)
    axes = {"tensor": tuple(range(values.ndim)), "channel": tuple(range(values.ndim - 1)), "element": ()}[per]
    mantissa, exponent = np.frexp(values)
    signed, used = bool((values < 0).any()), values != 0
    above = exponent - (mantissa == -0.5)  # -2**k needs k bits and a sign
    below = exponent - enclosed_bits(values)
    top = np.where(used, above, -_FAR).max(axis=axes, keepdims=True) + int(signed)
    low = np.where(used, below, _FAR).min(axis=axes, keepdims=True)
    some = low < _FAR
    width, integer = np.where(some, top - low, 0), np.where(some, top, 0)
    return FixedGrid(width, integer, np.asarray(signed), "RND_CONV", "SAT")


_FAR = 1 << 20
"""Beyond any exponent of a float64."""


def hull(grid: FixedGrid) -> FixedType:
    """The narrowest single type that holds every value of the grid."""
    used = grid.width > 0
    if not used.any():
        return FixedType(1, 1, bool(grid.signed.any()), grid.rounding, grid.saturation)
    signed = grid.signed & used
    above = (grid.integer - grid.signed)[used].max()
    integer = int(above) + int(signed.any())
    frac = int((grid.width - grid.integer)[used].max())
    return FixedType(integer + frac, integer, bool(signed.any()), grid.rounding, grid.saturation)


def bits_below(values: NDArray[Any], limit: int = 64) -> int | None:
    """Fewest fraction bits (may be negative) that hold every value exactly; None if more than ``limit``."""
    bits = fraction_bits(values)
    return bits if bits <= limit else None


def type_for_range(low: float, high: float, frac: int) -> FixedType:
    """The narrowest type with ``frac`` fraction bits that holds every value of [low, high]."""
    scale = 2.0**frac
    bottom, top = int(np.floor(low * scale)), int(np.ceil(high * scale))
    if bottom >= 0:
        width = max(top.bit_length(), 1)
        return FixedType(width, width - frac, signed=False)
    width = max(max(top, 0).bit_length(), (-bottom - 1).bit_length()) + 1
    return FixedType(width, width - frac)


def ends(kind: FixedType) -> Floats:
    """Least and largest value of a type."""
    return np.array([kind.code_min * kind.lsb, kind.code_max * kind.lsb])


def union(kinds: Sequence[FixedType]) -> FixedType:
    """The narrowest type that holds every value of ``kinds``."""
    reach = np.array([ends(kind) for kind in kinds])
    return type_for_range(float(reach.min()), float(reach.max()), max(kind.frac for kind in kinds))


def unsigned(kind: FixedType) -> FixedType:
    """The type of what is left of ``kind`` above zero."""
    return FixedType(max(kind.width - 1, 1), kind.integer - 1, False) if kind.signed else kind


def finer(kind: FixedType, frac: int) -> FixedType:
    """The type of the same range with ``frac`` fraction bits."""
    low, high = ends(kind)
    return type_for_range(float(low), float(high), frac)


def raised(kind: FixedType, integer: int) -> FixedType:
    """The type with at least ``integer`` integer bits, sign included; the same fraction bits."""
    more = max(0, integer - kind.integer)
    return replace(kind, width=kind.width + more, integer=kind.integer + more)


def roundable(kind: FixedType, target: FixedType) -> FixedType:
    """The type with bits down to the step of ``target``: ap_fixed rounds nothing that has no bit there."""
    return raised(kind, 1 - target.frac)


def accumulator(
    source: FixedType | FixedGrid, weights: Floats, bias: Floats | None, *, depthwise: bool = False
) -> FixedType | None:
    """The narrowest type that holds every sum of products of these weights exactly, whatever the inputs.

    ``weights`` (..., n_in, n_out), for depthwise kernels (..., channels, multiplier); ``bias`` (outputs,).
    Partial sums in any order fit too. None where the values lie on no grid of 64 fraction bits.
    """
    outputs = int(np.prod(weights.shape[-2:])) if depthwise else weights.shape[-1]
    bias = np.zeros(outputs) if bias is None else bias
    weight_frac, bias_frac = bits_below(weights), bits_below(bias)
    if weight_frac is None or bias_frac is None:
        return None
    low, high, step = (part[:, None] for part in _channels(source))  # one a row of the last two axes
    least, most = ((weights * end).reshape(-1, outputs) for end in (low, high))
    offset = bias.reshape(-1)
    bottom = np.minimum(least, most).clip(max=0).sum(axis=0) + np.minimum(offset, 0)
    top = np.maximum(least, most).clip(min=0).sum(axis=0) + np.maximum(offset, 0)
    frac = max(fraction_bits(weights * step if weights.any() else step), bias_frac)
    kind = type_for_range(float(bottom.min()), float(top.max()), frac)
    return kind if kind.signed else FixedType(kind.width + 1, kind.integer + 1)


def _channels(source: FixedType | FixedGrid) -> tuple[Floats, Floats, Floats]:
    """Least and largest value and step of each channel (channels,), of all if they have one type; 0 without bits."""
    if isinstance(source, FixedType):
        low, high = ends(source)
        return np.array([low]), np.array([high]), np.array([source.lsb])
    used, step = source.width > 0, np.ldexp(1.0, source.integer - source.width)
    half = np.where(source.signed, np.exp2(source.width - 1.0), 0.0)
    parts = (-half * step, (np.exp2(source.width.astype(float)) - half - 1) * step, step)
    low, high, step = (np.where(used, part, 0.0).reshape(-1, source.width.shape[-1]) for part in parts)
    finest = np.where(step > 0, step, np.inf).min(axis=0)
    return low.min(axis=0), high.max(axis=0), np.where(np.isinf(finest), 0.0, finest)


def wider(accum: FixedType, source: FixedType, weight: FixedType | None) -> FixedType:
    """The accumulator, at least a bit wider than a product; no sum changes its value.

    Where it is exactly as wide, Vitis HLS turns ``acc + (-a)`` into ``acc - a`` and no longer balances the
    sum (docs/estimator.md, Sums).
    """
    if weight is None:
        return accum
    shift = max(0, accum.frac - source.frac - weight.frac)
    more = max(0, source.width + weight.width + shift + 1 - accum.width)
    return replace(accum, width=accum.width + more, integer=accum.integer + more)
