"""``ap_fixed`` types as values: width, integer bits, sign, rounding and overflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import SpecError

_PATTERN = re.compile(
    r"^\s*(?:ap_|ac_)?(?P<u>u?)fixed\s*<\s*(?P<w>\d+)\s*,\s*(?P<i>-?\d+)"
    r"(?:\s*,\s*(?:AP_|AC_)?(?P<r>[A-Za-z_]+))?(?:\s*,\s*(?:AP_|AC_)?(?P<s>[A-Za-z_]+))?(?:\s*,\s*\d+)?\s*>\s*$"
)
_INTEGER = re.compile(r"^\s*(?:ap_|ac_)?(?P<u>u?)int\s*<\s*(?P<w>\d+)\s*>\s*$")
ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
SATURATIONS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")


@dataclass(frozen=True, slots=True)
class FixedType:
    """One fixed-point type, as Vivado/Vitis HLS defines ``ap_fixed`` (AMD UG1399).

    ``integer`` counts the sign bit of a signed type, as ap_fixed does. Values are
    ``code * 2**-frac`` with ``code`` an integer of ``width`` bits.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: str = "TRN"
    saturation: str = "WRAP"

    def __post_init__(self) -> None:
        if self.width < 1:
            raise SpecError(f"a fixed-point type needs at least one bit, got width {self.width}")
        if self.rounding not in ROUNDINGS:
            raise SpecError(f"unknown rounding {self.rounding!r}", mend=f"one of {', '.join(ROUNDINGS)}")
        if self.saturation not in SATURATIONS:
            raise SpecError(
                f"unknown overflow mode {self.saturation!r}", mend=f"one of {', '.join(SATURATIONS)}"
            )

    @property
    def frac(self) -> int:
        """Fraction bits; negative when the least significant bit is worth more than 1."""
        return self.width - self.integer

    @property
    def lsb(self) -> float:
        """Value of one least significant bit."""
        return 2.0**-self.frac

    @property
    def code_min(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def code_max(self) -> int:
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @property
    def low(self) -> float:
        """The least value of the type."""
        return self.code_min * self.lsb

    @property
    def high(self) -> float:
        """The largest value of the type."""
        return self.code_max * self.lsb

    @property
    def kif(self) -> tuple[bool, int, int]:
        """(keep_negative, integer bits without the sign, fraction bits)."""
        return self.signed, self.integer - int(self.signed), self.frac

    @property
    def text(self) -> str:
        """The type as HLS C++ writes it."""
        head = "ap_fixed" if self.signed else "ap_ufixed"
        modes = (
            ""
            if (self.rounding, self.saturation) == ("TRN", "WRAP")
            else f",AP_{self.rounding},AP_{self.saturation}"
        )
        return f"{head}<{self.width},{self.integer}{modes}>"

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read ``ap_fixed<16,6,AP_RND,AP_SAT>``, ``fixed<8,3>``, ``ufixed<4,0,RND_CONV,SAT,0>`` or ``ap_int<8>``.

        Raises
        ------
        SpecError : the text is not a fixed-point type.
        """
        whole = _INTEGER.match(text)
        if whole:
            return cls(int(whole["w"]), int(whole["w"]), signed=not whole["u"])
        found = _PATTERN.match(text)
        if found is None:
            raise SpecError(f"{text!r} is not a fixed-point type", mend="for example ap_fixed<16,6>")
        return cls(
            int(found["w"]),
            int(found["i"]),
            signed=not found["u"],
            rounding=found["r"] or "TRN",
            saturation=found["s"] or "WRAP",
        )

    @classmethod
    def covering(cls, low: float, high: float, frac: int) -> FixedType:
        """The narrowest type with ``frac`` fraction bits whose range holds [low, high].

        ``frac`` may be negative; a range without negative values gives an unsigned type. Modes are TRN, WRAP.
        """
        bottom, top = floor(low * 2.0**frac), ceil(high * 2.0**frac)
        signed = bottom < 0
        magnitude = max(top.bit_length() if top > 0 else 0, (-bottom - 1).bit_length() if signed else 0)
        width = max(magnitude + int(signed), 1)
        return cls(width, width - frac, signed)

    @classmethod
    def union(cls, kinds: Iterable[FixedType]) -> FixedType:
        """The narrowest type that stores every value of all ``kinds`` (at least one) exactly."""
        known = tuple(kinds)
        if not known:
            raise SpecError("the union of no fixed-point types")
        return cls.covering(
            min(kind.low for kind in known),
            max(kind.high for kind in known),
            max(kind.frac for kind in known),
        )

    def to_codes(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Integer codes of ``values`` (any shape) after this type's rounding and overflow.

        Exact for types up to 52 bits, since the scaling by a power of two is exact in float64.
        """
        return wrap_or_saturate(
            round_codes(np.asarray(values, np.float64) * 2.0**self.frac, self.rounding), self
        )

    def quantize(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (float64, same shape) as this type stores them."""
        return self.to_codes(values).astype(np.float64) * self.lsb


def round_codes(scaled: NDArray[np.float64], rounding: str) -> NDArray[np.float64]:
    """Round values already scaled to LSBs, by the ap_fixed mode's own rule (UG1399, quantization modes)."""
    return np.asarray(_ROUND[rounding](scaled), np.float64)


def _half_down(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = np.floor(scaled)
    return floor + (scaled - floor > 0.5)


_ROUND: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "TRN": np.floor,
    "TRN_ZERO": np.trunc,
    "RND": lambda scaled: (
        np.floor(scaled) + (scaled - np.floor(scaled) >= 0.5)
    ),  # scaled + 0.5 may not be a float64
    "RND_ZERO": lambda scaled: np.sign(scaled) * _half_down(np.abs(scaled)),
    "RND_INF": lambda scaled: np.sign(scaled) * _ROUND["RND"](np.abs(scaled)),
    "RND_MIN_INF": _half_down,
    "RND_CONV": np.rint,
}


def wrap_or_saturate(codes: NDArray[np.float64], kind: FixedType) -> NDArray[np.int64]:
    """Bring integer codes into the range of ``kind`` by its overflow mode."""
    if kind.saturation == "WRAP":
        span = 2.0**kind.width
        return (np.mod(codes - kind.code_min, span) + kind.code_min).astype(np.int64)
    low = -kind.code_max if kind.saturation == "SAT_SYM" and kind.signed else kind.code_min
    clipped = np.clip(codes, low, kind.code_max)
    if kind.saturation == "SAT_ZERO":
        clipped = np.where(clipped == codes, clipped, 0.0)
    return clipped.astype(np.int64)


def fraction_bits(values: NDArray[np.float64]) -> int:
    """Fewest fraction bits that hold every value exactly (any shape, finite); 0 where all are 0.

    Negative for multiples of larger powers of two; up to 1074 for the smallest float64.
    """
    lowest = _lowest_bit(np.asarray(values, np.float64))
    return 0 if lowest.size == 0 else -int(lowest.min())


def enclosed_bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bits from the highest to the lowest set bit of each magnitude (same shape, int64); 0 for 0.

    This is the width of a constant in HGQ's EBOPs (Sun et al., arXiv:2405.00645, section III).
    """
    values = np.asarray(values, np.float64)
    found = np.zeros(values.shape, np.int64)
    used = values != 0
    found[used] = np.frexp(values[used])[1] - _lowest_bit(values)
    return found


def _lowest_bit(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Exponent of the lowest set bit of each value that is not 0 (n,)."""
    mantissa, exponent = np.frexp(np.abs(values[values != 0]))
    whole = (mantissa * 2.0**53).astype(np.int64)
    return np.asarray(exponent - 54 + np.frexp((whole & -whole).astype(np.float64))[1], np.int64)
