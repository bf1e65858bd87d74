"""Signed digits of integers: what a product by a constant costs, an adder for each digit beyond the first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def signed_digits(codes: Codes) -> Codes:
    """Non-zero digits of each code's canonical signed-digit form (same shape, int64).

    d digits are d - 1 adders. The digits are the bits in which c and 3c differ (Reitwiesner's non-adjacent
    form).
    """
    size = np.abs(codes)
    return np.asarray(np.bitwise_count(size ^ (3 * size)), dtype=np.int64)


def digit_pattern(codes: Codes) -> Codes:
    """Digits of each code, negative where the code is: 1 and -1 are powers of two, 0 is no product."""
    return np.sign(codes) * signed_digits(codes)


def within(new: Codes, old: Codes) -> NDArray[np.bool_]:
    """Where a pattern has no more digits than another, and its sign: cycles and adders cannot grow."""
    return np.asarray((new == 0) | ((np.sign(new) == np.sign(old)) & (np.abs(new) <= np.abs(old))))
