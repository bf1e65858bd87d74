"""Where values lie within the fixed-point type that holds them: what overflows, which bits never move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.qor.fixed import FixedType, fraction_bits
from pquant_hls.qor.graph import FixedPointGraph
from pquant_hls.qor.records import Record

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
"""Of the magnitudes of the values that are not 0."""


class ValueRange(Record):
    """The values of one tensor against its type, in the values' own unit.

    ``what`` is weight, bias, scale, input or result, ``type`` the type as HLS C++ writes it. ``low`` and ``high`` are the
    least and the largest of ``values`` numbers, ``zeros`` the share of them that is 0, ``magnitudes`` the percentiles
    (``PERCENTILES``) of |value| of the others, empty where there are none. ``at_ends`` is the share at the least or
    largest value of the type, ``beyond`` the share that lay outside before they were stored, None where that is not
    known. ``spare_high`` and ``spare_low`` count bits at the top and the bottom that no value moves.
    """

    layer: str
    what: str
    type: str
    values: int
    low: float
    high: float
    zeros: float
    magnitudes: tuple[float, ...] = ()
    at_ends: float
    beyond: float | None = None
    spare_high: int
    spare_low: int

    @property
    def saturates(self) -> bool:
        """Whether values were cut to the type: they lay outside, or stand at an end of a type that saturates."""
        clips = FixedType.parse(self.type).saturation != "WRAP"
        return bool(self.beyond) or (self.what == "result" and clips and self.at_ends > 0)

    @property
    def spare(self) -> int:
        """Bits that carry nothing on these values."""
        return self.spare_high + self.spare_low


def value_range(layer: str, what: str, kind: FixedType, values: ArrayLike) -> ValueRange:
    """The range of ``values`` (any shape, at least one), stored as ``kind`` would store them."""
    given = np.asarray(values, np.float64).reshape(-1)
    held = kind.quantize(given)
    sizes = np.abs(held[held != 0])
    high, low = _spare(kind, held)
    return ValueRange(
        layer=layer,
        what=what,
        type=kind.text,
        values=held.size,
        low=float(held.min()),
        high=float(held.max()),
        zeros=1 - sizes.size / held.size,
        magnitudes=tuple(np.percentile(sizes, PERCENTILES).tolist()) if sizes.size else (),
        at_ends=float(np.mean((held == kind.high) | (held == kind.low) & kind.signed)),
        beyond=float(np.mean((given > kind.high) | (given < kind.low))),
        spare_high=high,
        spare_low=low,
    )


def _spare(kind: FixedType, held: NDArray[np.float64]) -> tuple[int, int]:
    """Bits at the top and at the bottom beyond the narrowest type of these values."""
    if not held.any():
        return kind.width, 0
    needed = FixedType.covering(float(held.min()), float(held.max()), fraction_bits(held))
    return kind.integer - needed.integer, kind.frac - needed.frac


def weight_ranges(graph: FixedPointGraph) -> Iterator[ValueRange]:
    """The range of each array of weights that has a type; what they were before they were rounded is not known."""
    for node in graph.nodes:
        for what, array in node.arrays.items():
            if what in node.types and array.codes.size:
                yield value_range(node.name, what, node.types[what], array.values).with_(beyond=None)
