"""ap_fixed arithmetic on alkaid's symbolic values: casts in every mode, sums, divisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from math import ceil, floor, log2
from typing import Any

import numpy as np
from alkaid.trace import FVariable, FVArray, HWConfig
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedType

HARDWARE = HWConfig(adder_size=1, carry_size=1, latency_cutoff=-1)
"""alkaid's cost model with carry chains: an add of w bits is 1.094 + 0.0254 (w - 1) of its delay units."""

MATRIX_BITS = 24
"""alkaid solves constant matrices in float32, and finds the lowest bit of a constant there: they may span this many bits."""

Symbols = NDArray[np.object_]
"""An array of alkaid ``FVariable`` (one per wire), any shape."""

Reach = tuple[float, float, float]
"""Least and largest value of a wire, and its step."""


def constant(value: float) -> FVariable:
    """A wire of one value.

    Raises
    ------
    NotMeasured : of more than MATRIX_BITS bits, of which alkaid 0.8 keeps the highest.
    """
    return FVariable.from_const(_held(value), HARDWARE)


def _held(value: float) -> float:
    if float(np.float32(value)) != value:
        raise NotMeasured(f"a constant of more than {MATRIX_BITS} bits, {value!r}")
    return float(value)


def constant_wires(values: NDArray[np.float64]) -> Symbols:
    return each(constant, np.asarray(values, np.float64).astype(object))


def stored(value: float, kind: FixedType) -> float:
    """One number as ``kind`` stores it."""
    return float(kind.quantize(np.array(value, np.float64)))


def is_constant(wire: FVariable) -> bool:
    return bool(wire.low == wire.high)


def reach(wire: FVariable) -> float:
    """The largest magnitude the wire can take."""
    return float(max(abs(wire.low), abs(wire.high)))


def each(function: Callable[..., Any], *arrays: Symbols) -> Symbols:
    """Apply ``function`` element by element to arrays of one shape."""
    out = np.empty(arrays[0].shape, dtype=object)
    flat = [array.ravel() for array in arrays]
    out.ravel()[:] = [function(*wires) for wires in zip(*flat, strict=True)]
    return out


def cast(wires: Symbols, kind: FixedType) -> Symbols:
    """Each wire as ``kind`` stores it: rounding first, then overflow, as UG1399 defines it."""
    return each(lambda wire: cast_wire(wire, kind), wires)


def cast_wire(wire: FVariable, kind: FixedType) -> FVariable:
    if is_constant(wire):
        return constant(stored(wire.low, kind))
    return _overflow(_round(wire, kind), kind)


def _round(wire: FVariable, kind: FixedType) -> FVariable:
    """Round to ``kind.frac`` fraction bits: add what the mode asks for, then drop the bits."""
    if wire.kif[2] <= kind.frac:
        return wire
    grown = _ROUNDING[kind.rounding](wire, kind.frac)
    keep, integer, _ = grown.kif
    if integer <= -kind.frac:  # all bits go but the sign, a case in which alkaid 0.8 returns 0
        return _sign(grown, -kind.lsb)
    return grown.quantize(keep, integer, kind.frac, "WRAP", "TRN")


def _half(frac: int) -> float:
    return 2.0 ** -(frac + 1)


def _below_half(wire: FVariable, frac: int) -> FVariable:
    return wire + (_half(frac) - wire.step)


def _sign(wire: FVariable, worth: float) -> FVariable:
    """``worth`` where the wire is negative, else 0."""
    return wire.is_negative() * worth


def _odd(wire: FVariable, frac: int) -> FVariable:
    """1 where the last bit that stays is set, else 0."""
    return wire.quantize(0, 1 - frac, frac, "WRAP", "TRN") * 2.0**frac


_ROUNDING: dict[str, Callable[[FVariable, int], FVariable]] = {
    "TRN": lambda x, _: x,
    # added one by one: alkaid keeps no sum of two factors that are more than 24 bits apart
    "TRN_ZERO": lambda x, frac: (x - _sign(x, x.step)) + _sign(x, 2.0**-frac),
    "RND": lambda x, frac: x + _half(frac),
    "RND_MIN_INF": _below_half,
    "RND_INF": lambda x, frac: x + _half(frac) - _sign(x, x.step),
    "RND_ZERO": lambda x, frac: _below_half(x, frac) + _sign(x, x.step),
    "RND_CONV": lambda x, frac: _below_half(x, frac) + _odd(x, frac) * x.step,
}


def _overflow(wire: FVariable, kind: FixedType) -> FVariable:
    if is_constant(wire):
        return constant(stored(wire.low, kind))
    if kind.saturation == "WRAP":
        return wire.quantize(*kind.kif, "WRAP", "TRN")
    least, most = kind.low, kind.high
    if kind.saturation != "SAT_ZERO":
        bottom = -most if kind.saturation == "SAT_SYM" and kind.signed else least
        clipped = wire if wire.low >= bottom else maximum(wire, constant(bottom))
        clipped = clipped if clipped.high <= most else minimum(clipped, constant(most))
        return clipped.quantize(*kind.kif, "WRAP", "TRN")
    inside = choose(above(wire, most), constant(0.0), wire.quantize(*kind.kif, "WRAP", "TRN"))
    return choose((wire - least).is_negative(), constant(0.0), inside)


def matrix_product(rows: Symbols, weights: NDArray[np.float64]) -> Symbols:
    """Exact rows (n, n_in) @ weights (n_in, n_out) of at most MATRIX_BITS bits -> (n, n_out)."""
    return np.stack([_row_product(row, weights) for row in rows])


def _row_product(row: Symbols, weights: NDArray[np.float64]) -> Symbols:
    """One row. Constant wires (padding, dead units) become an offset, so that the solver sees wires only."""
    fixed = np.array([is_constant(wire) for wire in row])
    offset = np.array([wire.low for wire in row[fixed]], dtype=np.float64) @ weights[fixed]
    live = weights[~fixed]
    if not np.any(live):
        return constant_wires(offset)
    # alkaid 0.8 sums single bits by look-up tables, but takes a lone sign bit's range the wrong way round
    lone_sign = any(wire.low < 0 and sum(wire.kif) == 1 for wire in row[~fixed])
    options = {"binary_lut": False} if lone_sign else {}
    product = np.asarray(FVArray(row[~fixed], options, HARDWARE) @ live)
    return each(lambda wire, add: wire + _held(add), as_wires(product), offset.astype(object))


def as_wires(values: Symbols) -> Symbols:
    """Plain numbers among the symbols (all-zero columns) as constant wires."""
    return each(lambda value: value if isinstance(value, FVariable) else constant(value), values)


def total(wires: Iterable[FVariable]) -> FVariable:
    """Exact sum as a balanced tree."""
    level = list(wires)
    while len(level) > 1:
        paired = [level[i] + level[i + 1] for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def largest(wires: Iterable[FVariable]) -> FVariable:
    return reduce(maximum, wires)


def choose(bit: FVariable, yes: FVariable, no: FVariable, reach: Reach | None = None) -> FVariable:
    """``yes`` where a wire of 0 and 1 is 1, else ``no``; ``reach`` bounds the result more tightly than their union.

    alkaid 0.8's ``msb_mux`` looks through a bit to the wire it was taken from, and takes the wrong one of that wire's
    bits where it was wrapped and then negated; an inverted bit has nothing to look through.
    """
    if is_constant(bit):
        return yes if bit.low == 1.0 else no
    if bit.opr == "wrap":
        return (~bit).msb_mux(no, yes, qint=reach)
    return bit.msb_mux(yes, no, qint=reach)


def inverse(bit: FVariable) -> FVariable:
    """1 - bit; alkaid's own ``~`` is not that for constants."""
    return constant(1.0 - bit.low) if is_constant(bit) else ~bit


def above(wire: FVariable, limit: float) -> FVariable:
    """1 where the wire exceeds ``limit``, else 0."""
    if is_constant(wire):
        return constant(float(wire.low > limit))
    least = (floor(limit / wire.step) + 1) * wire.step  # of the values the wire can take, above the limit
    return inverse((wire - least).is_negative())


def looked_up(wire: FVariable, entries: NDArray[np.float64], span: Reach) -> FVariable:
    """The entry of a wire's value among ``entries`` for the values of ``span`` (least, largest, step)."""
    if is_constant(wire):
        return constant(float(entries[round((wire.low - span[0]) / span[2])]))
    if (entries == entries[0]).all():
        return constant(float(entries[0]))
    return wire.lookup(entries, original_qint=span)


def maximum(first: FVariable, second: FVariable) -> FVariable:
    if first.low >= second.high:
        return first
    if first.high <= second.low:
        return second
    if is_constant(second) and second.low == 0.0:
        return first.relu()
    reach = (max(first.low, second.low), max(first.high, second.high), min(first.step, second.step))
    return choose((first - second).is_negative(), second, first, reach)


def minimum(first: FVariable, second: FVariable) -> FVariable:
    if first.high <= second.low:
        return first
    if first.low >= second.high:
        return second
    reach = (min(first.low, second.low), min(first.high, second.high), min(first.step, second.step))
    return choose((first - second).is_negative(), first, second, reach)


SOLVABLE_BITS = 20
"""Longest reciprocal that is multiplied by in one, where digits of a bit allow it: alkaid's search for the cheapest
product takes 1 s or less at this length, about 1.5 times as long with each further bit.
"""
LARGEST_DIVISOR = 1 << 11
"""Whose reciprocals, for one bit of the quotient at a time, have 24 bits."""


def _digit_bits(divisor: int) -> int:
    """Bits of a quotient that one step of a long division gives."""
    return max(SOLVABLE_BITS - 2 * ceil(log2(divisor)) - 1, 1)


def divide(wire: FVariable, divisor: int, frac: int) -> FVariable:
    """The code ``wire * 2**frac`` divided by an integer, towards zero, as ap_fixed divides.

    The magnitude by long division, ``_digit_bits`` at a time, each digit by ``_quotient``.
    """
    if is_constant(wire):
        return constant(np.trunc(wire.low * 2.0**frac / divisor) * 2.0**-frac)
    if log2(divisor).is_integer():
        return _round(wire * (1.0 / divisor), FixedType(1, 1 - frac, rounding="TRN_ZERO"))
    code, negative = wire * 2.0**frac, wire.is_negative()
    found = _long_quotient(choose(negative, -code, code, (0.0, reach(code), code.step)), divisor)
    return choose(negative, -found, found, (-found.high, found.high, 1.0)) * 2.0**-frac


def _long_quotient(code: FVariable, divisor: int) -> FVariable:
    """A wire of whole numbers from 0 on, divided; digits after the first are divided behind the remainder before."""
    rest, digit = ceil(log2(divisor)), _digit_bits(divisor)
    if int(code.kif[1]) <= rest + digit:
        return _quotient(code, divisor)
    high = _whole(code * 2.0**-digit)
    first = _long_quotient(high, divisor)
    remainder = _bits(high - first * float(divisor), rest)
    behind = _bits(remainder * 2.0**digit + _bits(code, digit), rest + digit)
    return first * 2.0**digit + _quotient(behind, divisor)


def _quotient(code: FVariable, divisor: int) -> FVariable:
    """By the reciprocal rounded up at a precision at which every quotient of this width is exact (Granlund and
    Montgomery 1994, theorem 4.2).
    """
    bits = _reciprocal_bits(code, divisor)
    return _whole(code * (ceil(2**bits / divisor) * 2.0**-bits))


def _reciprocal_bits(code: FVariable, divisor: int) -> int:
    return max(int(code.kif[1]), 1) + ceil(log2(divisor)) + 1


def _whole(wire: FVariable) -> FVariable:
    """The whole part of a wire that is never negative."""
    return _bits(wire, max(int(wire.kif[1]), 0))


def _bits(wire: FVariable, count: int) -> FVariable:
    """The lowest ``count`` bits of a whole number, or all of a wire's whole part."""
    return wire if is_constant(wire) else wire.quantize(0, count, 0, "WRAP", "TRN")
