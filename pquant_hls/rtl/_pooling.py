"""Pooling by the rules of nnet_pooling.h."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from alkaid.trace import FVariable

from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LayerCall, computes
from pquant_hls.rtl._windows import padded, pads, sizes, windows
from pquant_hls.rtl.arithmetic import Symbols

SHIFT_INVARIANT = ("TRN", "RND", "RND_MIN_INF")
"""Roundings for which round(y + x) = y + round(x) when y is on the grid, so sums may be reordered."""


@computes("max_pooling1d", "max_pooling2d", "global_max_pooling1d", "global_max_pooling2d")
def max_pooling(call: LayerCall) -> Symbols:
    """Padding is the type's top bit: a signed type's least value, but half of an unsigned one's range."""
    kind = call.kinds[0]
    empty = kind.code_min if kind.signed else 1 << (kind.width - 1)
    cells = _cells(call, call.wires, arith.constant(empty * kind.lsb))
    return _reduce(call, cells, lambda group, _: _largest(call, group))


@computes("average_pooling1d", "average_pooling2d", "global_average_pooling1d", "global_average_pooling2d")
def average_pooling(call: LayerCall) -> Symbols:
    """Divides by the cells inside the image, or by all of them where ``count_pad`` is set."""
    cells = _cells(call, call.wires, arith.constant(0.0))
    return _reduce(call, cells, lambda group, count: _average(call, group, count))


def _reduce(call: LayerCall, cells: Symbols, rule: Callable[[Symbols, int], FVariable]) -> Symbols:
    """(positions, cells, channels) -> (positions, channels)."""
    counts = _counts(call, cells.shape[1])
    out = np.empty((len(cells), cells.shape[2]), dtype=object)
    for position, group in enumerate(cells):
        out[position] = [rule(group[:, channel], int(counts[position])) for channel in range(cells.shape[2])]
    return out


def _cells(call: LayerCall, wires: Symbols, fill: object) -> Symbols:
    """(positions, cells of a window, channels); a global pooling has one position."""
    rank = wires.ndim - 1
    if call.node.kind.whole:
        return wires.reshape(1, -1, wires.shape[-1])
    pool = sizes(call.node, "pool", rank)
    strides = sizes(call.node, "strides", rank, pool)
    found = windows(padded(wires, pads(call.node, rank), fill), pool, strides, (1,) * rank)
    return found.reshape(-1, prod(pool), wires.shape[-1])


def _counts(call: LayerCall, cells: int) -> np.ndarray:
    """How many cells of each window lie inside the image (all of them where ``count_pad`` is set)."""
    inside = np.ones((*call.wires.shape[:-1], 1), dtype=object)
    found = _cells(call, inside, 0).sum(axis=(1, 2))
    return np.full_like(found, cells) if call.node.attrs.get("count_pad") else found


def _largest(call: LayerCall, cells: Symbols) -> FVariable:
    accum = call.node.types.get("accum")
    if accum is None:
        return arith.largest(cells)
    if call.stream:  # the stream version casts before it compares, which matters where the accumulator wraps
        return arith.largest(arith.cast(cells, accum))
    return arith.cast_wire(arith.largest(cells), accum)


def _average(call: LayerCall, cells: Symbols, count: int) -> FVariable:
    accum = call.node.types.get("accum")
    if accum is None:
        raise call.refuse("the graph does not tell the accumulator's type")
    exact = all(int(wire.kif[2]) <= accum.frac for wire in cells if not arith.is_constant(wire))
    if not exact and accum.rounding not in SHIFT_INVARIANT:
        raise call.refuse(f"the order of sums in the accumulator {accum} is not modelled")
    rises = (
        exact and accum.saturation != "SAT_ZERO" and all(wire.low >= 0 for wire in cells)
    )  # clipped once for all
    if accum.saturation != "WRAP" and not rises and len(cells) * max(map(arith.reach, cells)) > accum.high:
        raise call.refuse(f"the accumulator {accum} may saturate midway")
    summed = arith.cast_wire(arith.total(arith.cast(cells, accum)), accum)
    if count & (count - 1) and count > arith.LARGEST_DIVISOR:
        raise call.refuse(f"averages over {count} values, no power of two and above {arith.LARGEST_DIVISOR}")
    return arith.cast_wire(arith.divide(summed, count, accum.frac), accum)
