"""``ap_fixed`` types as values: width, integer bits, sign, rounding and overflow."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    floor = np.floor(scaled)
    rest = scaled - floor
    half = rest == 0.5
    up = {
        "TRN": np.zeros_like(half),
        "TRN_ZERO": (scaled < 0) & (rest > 0),
        "RND": rest >= 0.5,
        "RND_ZERO": (rest > 0.5) | (half & (scaled < 0)),
        "RND_INF": (rest > 0.5) | (half & (scaled > 0)),
        "RND_MIN_INF": rest > 0.5,
        "RND_CONV": (rest > 0.5) | (half & (np.mod(floor, 2) == 1)),
    }[rounding]
    return np.asarray(floor + up, np.float64)


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
