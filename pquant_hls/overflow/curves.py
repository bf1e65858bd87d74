"""Stages that are not linear: rectifiers, stores in a type, the largest of several, tables, products of two values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.overflow.stages import Box, Floats, Index, LinearBound, Stage, rounding_error, scattered
from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import round_codes


@dataclass(frozen=True, eq=False)
class LeakyStage(Stage):
    """x where it is positive, else ``factor`` (0 to 1) of it: ReLU and leaky ReLU."""

    factor: float = 0.0

    def forward(self, x: Floats) -> Floats:
        return np.where(x > 0, x, self.factor * x)

    def interval(self, x: Box) -> Box:
        return Box(self.forward(x.low), self.forward(x.high))

    def bound(self, x: Box) -> LinearBound:
        """Above the chord; below one of the two branches, that of the longer side."""
        low, high, out = x.low, x.high, self.interval(x)
        width = np.where(high > low, high - low, 1.0)
        chord = np.where(high > low, (out.high - out.low) / width, 0.0)
        mixed = (low < 0) & (high > 0)
        one = np.where(low >= 0, 1.0, self.factor)
        below = np.where(mixed, np.where(high > -low, 1.0, self.factor), one)
        above = np.where(mixed, chord, one)
        return LinearBound(below, np.zeros_like(low), above, np.where(mixed, out.low - chord * low, 0.0))

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        return np.where(x > 0, wanted, self.factor * wanted)


@dataclass(frozen=True, eq=False)
class Store(Stage):
    """Each value in its type, one for all or one each: rounded, then clipped or wrapped (UG1399)."""

    kinds: tuple[FixedType, ...]
    fine: int | None
    """Fraction bits of what it reads; None where there is no grid."""
    held: NDArray[np.bool_]
    """(size,): elements that are known to fit, whatever comes in."""

    @property
    def kind(self) -> FixedType:
        return self.kinds[0]

    @property
    def wraps(self) -> bool:
        return self.kind.saturation == "WRAP"

    @property
    def ends(self) -> Box:
        low, high = (
            np.array([getattr(kind, end) for kind in self.kinds], np.float64) for end in ("low", "high")
        )
        if self.kind.saturation == "SAT_SYM":
            low = np.where(low < 0, -high, low)
        return Box(np.broadcast_to(low, (self.size,)), np.broadcast_to(high, (self.size,)))

    def forward(self, x: Floats) -> Floats:
        if len(self.kinds) == 1:
            return self.kind.quantize(x)
        columns = [kind.quantize(x[..., place]) for place, kind in enumerate(self.kinds)]
        return np.stack(columns, axis=-1)

    def rounded(self, x: Floats) -> Floats:
        """As the type rounds, before anything is done about its ends."""
        scale = np.array([2.0**kind.frac for kind in self.kinds])
        return np.asarray(round_codes(x * scale, self.kind.rounding) / scale, np.float64)

    def beyond(self, x: Box) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Elements whose least value lies below the type, and whose largest lies above it."""
        ends = self.ends
        return self.rounded(x.low) < ends.low, self.rounded(x.high) > ends.high

    def fits(self, x: Box) -> NDArray[np.bool_]:
        below, above = self.beyond(x)
        return self.held | ~(below | above)

    def interval(self, x: Box) -> Box:
        ends, fits = self.ends, self.fits(x)
        clipped = (np.clip(self.rounded(end), *ends) for end in x)
        low, high = clipped
        if self.wraps:
            return Box(np.where(fits, low, ends.low), np.where(fits, high, ends.high))
        return Box(np.minimum(low, 0.0), np.maximum(high, 0.0)) if self._zeroed(fits) else Box(low, high)

    def _zeroed(self, fits: NDArray[np.bool_]) -> bool:
        return self.kind.saturation == "SAT_ZERO" and not bool(fits.all())

    @property
    def lost(self) -> tuple[Floats, Floats]:
        """What rounding adds to each value, at least and at most."""
        found = [rounding_error(kind, self.fine) for kind in self.kinds]
        least, most = np.array(found, np.float64).T
        return np.broadcast_to(least, (self.size,)), np.broadcast_to(most, (self.size,))

    def bound(self, x: Box) -> LinearBound:
        """The identity where it fits; a chord and a branch where one end clips; the interval elsewhere."""
        out, fits = self.interval(x), self.fits(x)
        least, most = self.lost
        zero, one = np.zeros(self.size), np.ones(self.size)
        box = LinearBound.of(out)
        found = [np.where(fits, *pair) for pair in zip((one, least, one, most), box, strict=True)]
        below, above = self.beyond(x)
        if self.wraps or self.kind.saturation == "SAT_ZERO":
            return LinearBound(*found)
        ends, width = self.ends, np.where(x.high > x.low, x.high - x.low, 1.0)
        top = above & ~below & ~fits & (x.low < ends.high)
        bottom = below & ~above & ~fits & (x.high > ends.low)
        chord = np.where(
            top, (ends.high - x.low) / width, np.where(bottom, (x.high - ends.low) / width, zero)
        )
        found[0] = np.where(top, chord, found[0])
        found[1] = np.where(top, x.low - chord * x.low + least, found[1])
        found[2] = np.where(bottom, chord, found[2])
        found[3] = np.where(bottom, ends.low - chord * x.low + most, found[3])
        return LinearBound(*found)

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        if self.wraps:
            return wanted
        ends = self.ends
        return np.where((x < ends.low) | (x > ends.high), 0.0, wanted)


@dataclass(frozen=True, eq=False)
class Largest(Stage):
    """The largest of each row of ``index`` (size, values); -1 stands for ``fill``."""

    index: Index
    fill: float = 0.0

    def _taken(self, x: Floats) -> Floats:
        return np.where(self.index < 0, self.fill, x[..., self.index])

    def forward(self, x: Floats) -> Floats:
        return np.asarray(self._taken(x).max(axis=-1), np.float64)

    def interval(self, x: Box) -> Box:
        return Box(self.forward(x.low), self.forward(x.high))

    def back(self, wanted: Floats, x: Box) -> tuple[Floats, Floats]:
        """Below by the value whose least is largest; above by it too where no other can be larger, else by a number."""
        low, high = self._taken(x.low), self._taken(x.high)
        best = low.argmax(axis=-1)
        place = np.arange(self.size)
        others = high.copy()
        others[place, best] = -np.inf
        alone = low[place, best] >= others.max(axis=-1)
        chosen = self.index[place, best]
        up, down = np.maximum(wanted, 0.0), np.minimum(wanted, 0.0)
        linear = np.where(alone, wanted, down)
        constant = (linear[:, chosen < 0]).sum(axis=1) * self.fill
        constant = constant + np.where(alone, 0.0, up) @ high.max(axis=-1)
        return scattered(linear, chosen, len(x.low)), constant

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        best = self._taken(x).argmax(axis=-1)
        chosen = np.take_along_axis(self.index[None], best[..., None], axis=-1)[..., 0]
        out = np.zeros_like(x)
        rows = np.broadcast_to(np.arange(len(x))[:, None], chosen.shape)
        used = chosen >= 0
        np.add.at(out, (rows[used], chosen[used]), wanted[used])
        return out


@dataclass(frozen=True, eq=False)
class Rising(Stage):
    """A function of each value by itself that never falls."""

    function: Callable[[Floats], Floats]

    def forward(self, x: Floats) -> Floats:
        return self.function(x)

    def interval(self, x: Box) -> Box:
        return Box(self.function(x.low), self.function(x.high))

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        near = 0.125
        return wanted * (self.function(x + near) - self.function(x - near)) / (2 * near)


@dataclass(frozen=True, eq=False)
class Times(Stage):
    """The first half of the values read times the second."""

    def forward(self, x: Floats) -> Floats:
        return x[..., : self.size] * x[..., self.size :]

    def interval(self, x: Box) -> Box:
        one, two = ((end[: self.size], end[self.size :]) for end in x)
        corners = [a * b for a in (one[0], two[0]) for b in (one[1], two[1])]
        return Box(np.minimum.reduce(corners), np.maximum.reduce(corners))

    def back(self, wanted: Floats, x: Box) -> tuple[Floats, Floats]:
        out = self.interval(x)
        up, down = np.maximum(wanted, 0.0), np.minimum(wanted, 0.0)
        return np.zeros((len(wanted), 2 * self.size)), up @ out.high + down @ out.low

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        return np.concatenate([wanted * x[..., self.size :], wanted * x[..., : self.size]], axis=-1)
