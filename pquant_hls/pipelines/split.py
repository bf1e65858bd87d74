"""A compression ratio shared between fewer bits and fewer weights."""

from __future__ import annotations

import math

from pquant_hls.compress import Accounting
from pquant_hls.spec import HlsSpec

FLOAT_BITS = 32

WIDTHS = ((5.0, 8), (10.0, 6), (30.0, 5), (math.inf, 4))
"""Up to which ratio which width, of weights and biases: the more has to go, the more of it by bits."""

MARGIN = 1.03
"""Aimed beyond the target: weights that rounded to zero may leave it again while training."""

LEAST_KEPT = 0.01


def zeros_save(hls: HlsSpec) -> bool:
    """Whether a zero weight costs no hardware: where each weight has a multiplier of its own."""
    return hls.strategy != "resource" and hls.reuse_factor == 1 and hls.io_type == "io_parallel"


def width_for(target: float) -> int:
    """Bits of weights and biases at a ratio.

    >>> [width_for(ratio) for ratio in (4, 8, 20, 50)]
    [8, 6, 5, 4]
    """
    return next(bits for most, bits in WIDTHS if target <= most)


def kept_at(original: Accounting, target: float, bits: int) -> float:
    """Share of the original's kernel weights that there is room for beside all biases, both ``bits`` wide."""
    biases = bits * (original.parameters - original.kernel_weights)
    return _share((_allowed(original, target) - biases) / (bits * original.kernel_weights))


def kept_from(now: Accounting, original: Accounting, target: float, bits: int) -> float:
    """Share of the original's kernel weights that may stay non-zero at the widths that ``now`` has; ``bits`` of biases."""
    biases = bits * (now.nonzero - now.nonzero_weights)
    spent = now.weight_bits - biases
    left = now.nonzero_weights / original.kernel_weights
    return _share(left * (_allowed(original, target) - biases) / spent) if spent > 0 else LEAST_KEPT


def _allowed(original: Accounting, target: float) -> float:
    """Bits of weights and biases at the ratio."""
    return FLOAT_BITS * original.parameters / (MARGIN * target)


def _share(value: float) -> float:
    return min(1.0, max(LEAST_KEPT, value))
