"""How two arrays of values compare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.grids import bits_below

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerDifference:
    """How one layer's (or output's) values compare.

    ``index`` counts (sample, axes...) of the largest difference; ``lsb`` is the value of one least
    significant bit of the firmware's type, ``max_lsb`` the largest difference in such bits. Values no more than
    ``bound`` apart count as equal: 0 but for a softmax or sigmoid from tables.
    """

    layer: str
    values: int
    differing: int
    lsb: float
    max_lsb: float
    index: tuple[int, ...] = ()
    expected: float = 0.0
    obtained: float = 0.0
    bound: float = 0.0

    @property
    def equal(self) -> bool:
        return self.differing == 0

    def __str__(self) -> str:
        apart = f"by up to {self.max_lsb:g} LSB of {self.lsb:g}"
        if self.equal and self.bound == 0:
            return f"{self.layer}: {self.values:,} values equal"
        if self.equal:
            return f"{self.layer}: {self.values:,} values within {self.bound:.2g}, differing {apart}"
        beyond = f" by more than {self.bound:.2g}" if self.bound > 0 else ""
        return (
            f"{self.layer}: {self.differing:,} of {self.values:,} values differ{beyond}, {apart}; "
            f"at {list(self.index)} expected {self.expected:g}, obtained {self.obtained:g}"
        )


def difference(
    layer: str, expected: Floats, obtained: Floats, lsb: float, bound: float = 0.0
) -> LayerDifference:
    """Compare two arrays of one size, equal where they are no more than ``bound`` apart; the example is the largest
    difference."""
    obtained = obtained.reshape(expected.shape)
    apart = np.abs(expected - obtained)
    differing = int(np.count_nonzero(~(apart <= bound)))
    plain = LayerDifference(layer, expected.size, differing, lsb, float(apart.max() / lsb), bound=bound)
    if differing == 0:
        return plain
    where = np.unravel_index(int(np.argmax(apart)), apart.shape)
    index = tuple(int(i) for i in where)
    return replace(plain, index=index, expected=float(expected[where]), obtained=float(obtained[where]))


def coarsest_lsb(values: Floats) -> float:
    """The coarsest power of two of which all values are multiples."""
    bits = bits_below(values)
    return 2.0**-64 if bits is None else 2.0**-bits
