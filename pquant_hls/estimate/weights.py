"""What integer weights cost in hardware: signed digits, products that are free, chains the tool cannot balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def signed_digits(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Non-zero digits of the canonical signed-digit form of each code (same shape, int64).

    A product by a constant with d digits is d - 1 adders. Bits of ``c ^ 3c`` that differ are the digits
    (Reitwiesner's non-adjacent form).
    """
    size = np.abs(codes)
    return np.bitwise_count(size ^ (3 * size)).astype(np.int64)


def magnitude_bits(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits of the odd part of each magnitude (same shape): trailing zeros are shifts and cost nothing."""
    size = np.abs(codes)
    odd = np.where(size == 0, 0, size // np.maximum(size & -size, 1))
    return np.ceil(np.log2(odd + 1.0)).astype(np.int64)


def chain_lengths(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps of the add chain of each output (n_out,) for weights (n_in, n_out) whose signs become subtractions.

    The tool balances runs of additions, but not across a subtraction: every negative weight is one step,
    every run of positive weights is one more.
    """
    return np.array([_steps(column[column != 0]) for column in codes.T], dtype=np.int64)


def _steps(column: NDArray[np.int64]) -> int:
    positive = column > 0
    runs = np.count_nonzero(positive[1:] & ~positive[:-1]) + int(positive[:1].sum())
    return int(np.count_nonzero(~positive)) + int(runs)
