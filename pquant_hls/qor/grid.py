"""Types of single values, where learned bit widths give each channel or each element one of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import SpecError
from pquant_hls.qor.fixed import FixedType


@dataclass(frozen=True, eq=False)
class FixedGrid:
    """Fixed-point types that differ from value to value and share their modes.

    ``width``, ``integer`` (int64) and ``signed`` (bool) broadcast to the shape of the values, without the batch axis:
    shape (channels,) gives one type a channel, the values' own shape one an element. A width of 0 stores 0.

    Raises
    ------
    SpecError : a negative width, or arrays that do not broadcast together.
    """

    width: NDArray[np.int64]
    integer: NDArray[np.int64]
    signed: NDArray[np.bool_]
    rounding: str = "TRN"
    saturation: str = "WRAP"

    def __post_init__(self) -> None:
        try:
            parts = np.broadcast_arrays(self.width, self.integer, self.signed)
        except ValueError as cause:
            raise SpecError(f"widths, integer bits and signs of different shapes: {cause}") from cause
        for name, part, dtype in zip(("width", "integer", "signed"), parts, (int, int, bool), strict=True):
            object.__setattr__(self, name, np.array(part, dtype))
        if (self.width < 0).any():
            raise SpecError(f"a fixed-point type needs at least 0 bits, got width {self.width.min()}")
        FixedType(1, 1, True, self.rounding, self.saturation)  # knows the modes

    def kinds(self, shape: tuple[int, ...]) -> NDArray[np.object_]:
        """The FixedType of each value, of this shape; None where it has no bits."""
        parts = (np.broadcast_to(part, shape).ravel() for part in (self.width, self.integer, self.signed))
        found = np.empty(int(np.prod(shape)), object)
        found[:] = [
            FixedType(int(w), int(i), bool(s), self.rounding, self.saturation) if w else None
            for w, i, s in zip(*parts, strict=True)
        ]
        return found.reshape(shape)

    def quantize(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``values`` (n, *shape) as their types store them (float64, same shape)."""
        values = np.asarray(values, np.float64)
        kinds, out = self.kinds(values.shape[1:]), np.zeros_like(values)
        for kind in set(kinds.ravel()) - {None}:
            here = kinds == kind
            out[:, here] = kind.quantize(values[:, here])
        return out

    def moved(self, shape: tuple[int, ...], move: Callable[[NDArray[Any]], NDArray[Any]]) -> FixedGrid:
        """The types of values of this shape after ``move``, which changes nothing but their places."""
        parts = (np.broadcast_to(part, shape) for part in (self.width, self.integer, self.signed))
        width, integer, signed = map(move, parts)
        return FixedGrid(width, integer, signed, self.rounding, self.saturation)

    def to_array(self) -> NDArray[np.int64]:
        """(3, *shape): widths, integer bits, signs."""
        return np.stack([self.width, self.integer, self.signed.astype(np.int64)])

    @classmethod
    def from_array(cls, parts: NDArray[np.int64], modes: Mapping[str, Any]) -> FixedGrid:
        """What ``to_array`` gave, with ``rounding`` and ``saturation``."""
        width, integer, signed = parts
        return cls(width, integer, signed.astype(bool), modes["rounding"], modes["saturation"])
