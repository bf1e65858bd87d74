"""ap_fixed in whole numbers: every value a Fraction, every rule as UG1399 words it. Slow, and independent of numpy."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from pquant_hls.qor import FixedType

HALF, ONE, ZERO = Fraction(1, 2), Fraction(1), Fraction(0)


def stored(value: Fraction | int, kind: FixedType) -> Fraction:
    """The value as a register of this type holds it: rounded first, then brought into range."""
    scale = Fraction(2) ** (kind.width - kind.integer)
    return Fraction(_in_range(_rounded(Fraction(value) * scale, kind.rounding), kind)) / scale


def _rounded(scaled: Fraction, mode: str) -> int:
    below = floor(scaled)
    rest = scaled - below
    nearest = below if rest < HALF else below + 1
    if mode == "TRN":  # towards minus infinity
        return below
    if mode == "TRN_ZERO":  # towards zero
        return below + 1 if rest and scaled < 0 else below
    if rest != HALF:
        return nearest
    ties = {
        "RND": below + 1,  # halves towards plus infinity
        "RND_MIN_INF": below,  # towards minus infinity
        "RND_ZERO": below if scaled > 0 else below + 1,  # towards zero
        "RND_INF": below + 1 if scaled > 0 else below,  # away from zero
        "RND_CONV": below + below % 2,  # to the even one
    }
    return ties[mode]


def _in_range(code: int, kind: FixedType) -> int:
    least = -(2 ** (kind.width - 1)) if kind.signed else 0
    most: int = 2 ** (kind.width - int(kind.signed)) - 1
    if kind.saturation == "WRAP":  # the low bits, read as two's complement where the type has a sign
        low: int = code % 2**kind.width
        return low - 2**kind.width if low > most else low
    if least <= code <= most:
        return -most if kind.saturation == "SAT_SYM" and code < -most and kind.signed else code
    if kind.saturation == "SAT_ZERO":
        return 0
    bottom = -most if kind.saturation == "SAT_SYM" and kind.signed else least
    return most if code > most else bottom


def every(kind: FixedType) -> list[Fraction]:
    """All values of a small type."""
    least = -(2 ** (kind.width - 1)) if kind.signed else 0
    step = Fraction(2) ** (kind.integer - kind.width)
    return [(least + code) * step for code in range(2**kind.width)]


def edges(kind: FixedType) -> list[Fraction]:
    """Both ends of a type with their neighbours, zero and its neighbours."""
    values = every(kind)
    zero = values.index(Fraction(0))
    wanted = {0, 1, len(values) - 2, len(values) - 1, *(zero + n for n in (-1, 0, 1))}
    return [values[index] for index in sorted(wanted) if 0 <= index < len(values)]
