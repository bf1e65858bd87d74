"""What integer weights cost in hardware: signed digits, products that become adders or DSPs, signs that
make chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pquant_hls.estimate.elements import InputBits
from pquant_hls.qor import FixedType

Codes = NDArray[np.int64]
UNIT_BITS = 2
"""Bits of a binary or ternary weight. The type decides, not the values: zeroing weights changes no rule."""


@dataclass(frozen=True)
class Operands:
    """The integers of one sum of products: ``codes`` (terms, outputs), ``data`` type, ``accum`` type.

    ``frac_bits`` is the binary point of the codes, ``width`` the declared bits of a weight. ``bias``
    (outputs,) says which outputs start from a constant that is not zero. ``known`` is False where the
    weights are a stand-in. ``multiplier`` is auto, or dsp or fabric where the build script orders it
    (``config_op mul -impl``). ``elements`` are the bits of the single inputs where they have types of their own.
    """

    codes: Codes
    frac_bits: int
    width: int
    data: FixedType
    accum: FixedType
    bias: NDArray[np.bool_]
    known: bool = True
    multiplier: str = "auto"
    elements: InputBits | None = None

    @cached_property
    def inputs(self) -> InputBits:
        """Bits of each input, which broadcast with ``codes``."""
        return InputBits.alike(self.data) if self.elements is None else self.elements

    @property
    def data_bits(self) -> int:
        """Bits of the widest input with its sign."""
        return self.data.width + (0 if self.data.signed else 1)

    @property
    def dropped_bits(self) -> int:
        """Fraction bits of a product that the accumulator truncates."""
        return max(0, self.data.frac + self.frac_bits - self.accum.frac)

    @property
    def saturates(self) -> bool:
        """Whether every addition is rounded or clipped, so that their order may not be changed."""
        return (self.accum.rounding, self.accum.saturation) != ("TRN", "WRAP")

    @cached_property
    def _grown_bits(self) -> Codes:
        """Bits of a sum of products as large as each term's may be, without the dropped ones (same shape as an input's)."""
        top = int(bits(self.codes).max(initial=0))
        terms = int((self.codes != 0).sum(axis=0).max(initial=1))
        grown = self.inputs.reach + top - self.dropped_bits + int(np.ceil(np.log2(max(terms, 1))))
        return np.asarray(np.clip(grown, 1, self.accum.width))

    @property
    def sum_bits(self) -> int:
        """Bits that the widest sum really has: a product without the dropped bits, grown by the adders; at least 1."""
        return int(np.max(self._grown_bits * (self.codes != 0), initial=0)) or int(self._grown_bits.max())

    @property
    def add_bits(self) -> float:
        """Bits of all adders of the sums of all outputs: neighbours are added two by two, and an adder is as wide as a sum
        of products as large as the larger of its two sides. Terms keep their places, so that none gets wider where
        others are taken away."""
        sides, total = self._grown_bits * (self.codes != 0), 0
        while len(sides) > 1:
            first, second = sides[: len(sides) // 2 * 2 : 2], sides[1::2]
            larger = np.maximum(first, second)
            total += int(larger[(first > 0) & (second > 0)].sum())
            sides = np.concatenate([larger, sides[len(sides) // 2 * 2 :]])
        return float(total + (sides * self.bias).sum())

    @property
    def column_bits(self) -> NDArray[np.float64]:
        """Bits of each output's sum (outputs,), from the sizes of its own weights."""
        sizes = np.abs(self.codes) * np.exp2(self.inputs.reach - float(self.data_bits))
        size = np.ceil(np.log2(sizes.sum(axis=0) + 1.0))
        return np.asarray(np.minimum(self.accum.width, self.data_bits + size - self.dropped_bits))

    @property
    def unit(self) -> bool:
        """Whether the weights' type holds little but -1, 0 and 1."""
        return self.width <= UNIT_BITS

    @property
    def sign_room(self) -> int:
        """Bits that a negated product has beyond the accumulator, negative where it must be sign-extended."""
        shift = max(0, self.accum.frac - self.data.frac - self.frac_bits)
        width = self.data.width + (1 if self.unit else self.width)
        return width - self.dropped_bits + shift - self.accum.width


def bits(codes: Codes) -> Codes:
    """Bits of each magnitude (same shape, int64); 0 for 0."""
    return np.ceil(np.log2(np.abs(codes) + 1.0)).astype(np.int64)


def odd_part(codes: Codes) -> Codes:
    """Magnitudes without their trailing zero bits (same shape): a shift is wiring."""
    size = np.abs(codes)
    return np.asarray(size // np.maximum(size & -size, 1))


def trailing_zeros(codes: Codes) -> Codes:
    """Trailing zero bits of each magnitude (same shape); 63 for a zero."""
    lowest: Codes = np.bitwise_and(np.abs(codes), -np.abs(codes))
    return np.asarray(np.where(codes == 0, 63, bits(lowest) - 1), dtype=np.int64)


def chain_steps(codes: Codes) -> Codes:
    """Dependent steps of each output's sum (outputs,) where negative products turn into subtractions.

    The tool balances a run of additions but does not move terms across a subtraction: every negative term
    is one step, and every run of positive terms is one more.
    """
    return np.array([_steps(column[column != 0] > 0) for column in codes.T], dtype=np.int64)


def _steps(positive: NDArray[np.bool_]) -> int:
    runs = np.count_nonzero(positive[1:] & ~positive[:-1]) + int(positive[:1].sum())
    return int(np.count_nonzero(~positive)) + int(runs)


def folds_signs(operands: Operands) -> bool:
    """Whether a negated product goes straight into the sum as a subtraction, which stops balancing.

    It does where nothing is lost between product and sum: weights of -1, 0, 1 that need no sign extension,
    or products of exactly the accumulator's width and binary point.
    """
    if operands.dropped_bits:
        return False
    return operands.sign_room >= 0 if operands.unit else operands.sign_room == 0


def shared_sums(codes: Codes, bias: NDArray[np.bool_]) -> int:
    """Adders of the chains of all outputs when equal beginnings are built once; at most so many.

    A chain takes its terms in order, so before its term number d (from 0) there are no more than 3^d different
    beginnings of -1, 0 and 1; those which the first non-zero weights really have would not fall with every weight
    that is taken away.
    """
    place = np.cumsum(codes != 0, axis=0) - 1 + bias
    adds = (codes != 0) & (place > 0)
    by_row = adds.sum(axis=1)
    limit = 3.0 ** np.minimum(np.arange(1, len(codes) + 1), 40)
    return int(np.minimum(by_row, limit).sum())
