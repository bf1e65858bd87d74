"""The steps that values of a graph go through: each exactly, by intervals, and between two linear bounds.

A stage reads the values of those before it as one row and gives a row of its own. ``forward`` is what the firmware computes;
``interval`` (Moore 1966) and ``back`` hold for whatever comes in. ``back`` is the step of a backward substitution: given
coefficients of this stage's values it gives those of what it reads, so that the first bound the second from above (Singh et
al., POPL 2019; Zhang et al., NeurIPS 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import round_codes

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
SLACK = 1e-11
"""Relative allowance for the rounding of float64 sums in bounds."""


class Box(NamedTuple):
    """Least and largest value of each element, float64 (size,) both."""

    low: Floats
    high: Floats

    def within(self, other: Box) -> Box:
        return Box(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


class LinearBound(NamedTuple):
    """A stage element by element: ``below * x + low <= y <= above * x + high``, float64 (size,) each."""

    below: Floats
    low: Floats
    above: Floats
    high: Floats

    @classmethod
    def of(cls, box: Box) -> LinearBound:
        zero = np.zeros_like(box.low)
        return cls(zero, box.low, zero, box.high)


@dataclass(frozen=True, eq=False)
class Stage:
    """``sources`` are places of earlier stages; ``frac`` the fraction bits of its values, None where there is no grid."""

    sources: tuple[int, ...]
    size: int
    frac: int | None

    def forward(self, x: Floats) -> Floats:
        """(rows, values read) to (rows, size)."""
        raise NotImplementedError

    def interval(self, x: Box) -> Box:
        raise NotImplementedError

    def bound(self, x: Box) -> LinearBound:
        """Of a stage that works element by element."""
        return LinearBound.of(self.interval(x))

    def back(self, wanted: Floats, x: Box) -> tuple[Floats, Floats]:
        """Coefficients (k, size) to coefficients (k, values read) and constants (k,) that bound them from above."""
        bound = self.bound(x)
        up, down = np.maximum(wanted, 0.0), np.minimum(wanted, 0.0)
        return up * bound.above + down * bound.below, up @ bound.high + down @ bound.low

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        """The gradient (rows, values read) where the values read are ``x`` (rows, values read)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Inlet(Stage):
    """What comes in: any multiple of the grid in the box."""

    box: Box

    def interval(self, x: Box) -> Box:  # noqa: ARG002 - of every stage
        return self.box


@dataclass(frozen=True, eq=False)
class Unknown(Stage):
    """Values that no rule tells, anywhere in the box."""

    box: Box
    why: str

    def interval(self, x: Box) -> Box:  # noqa: ARG002 - of every stage
        return self.box


@dataclass(frozen=True, eq=False)
class Gather(Stage):
    """Values in another order, repeated or left out; ``index`` (size,) of -1 stands for ``fill``."""

    index: Index
    fill: float = 0.0

    def forward(self, x: Floats) -> Floats:
        return np.where(self.index < 0, self.fill, x[..., self.index])

    def interval(self, x: Box) -> Box:
        return Box(self.forward(x.low), self.forward(x.high))

    def back(self, wanted: Floats, x: Box) -> tuple[Floats, Floats]:
        return self.slope(wanted, x.low), wanted[:, self.index < 0].sum(axis=1) * self.fill

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        return scattered(wanted, self.index, x.shape[-1])


def scattered(wanted: Floats, index: Index, size: int) -> Floats:
    """Columns (k, n) added where ``index`` (n,) says, into (k, size); those of -1 are left out."""
    used, out = index >= 0, np.zeros((size, len(wanted)))
    np.add.at(out, index[used], wanted.T[used])
    return out.T


@dataclass(frozen=True, eq=False)
class Linear(Stage):
    """Sums of products: row r, filter f is ``sum_c x[index[r, c]] * weight[c, f] + bias[f]``; index -1 is 0.

    With ``cut`` each product is rounded to that type's grid before it is added.
    """

    index: Index
    weight: Floats
    bias: Floats
    cut: FixedType | None = None
    fine: int | None = None
    """Fraction bits of a product."""

    def forward(self, x: Floats) -> Floats:
        taken = self._taken(x)
        if self.cut is None:
            sums = taken @ self.weight
        else:
            sums = np.stack([self._rounded(taken * column).sum(axis=-1) for column in self.weight.T], axis=-1)
        return (sums + self.bias).reshape(len(x), self.size)

    def _taken(self, x: Floats) -> Floats:
        return np.where(self.index < 0, 0.0, x[..., self.index])

    def _rounded(self, products: Floats) -> Floats:
        kind = self.cut
        return products if kind is None else round_codes(products * 2.0**kind.frac, kind.rounding) * kind.lsb

    def interval(self, x: Box) -> Box:
        up, down = np.maximum(self.weight, 0.0), np.minimum(self.weight, 0.0)
        low, high = self._taken(x.low), self._taken(x.high)
        least, most = self.lost
        ends = low @ up + high @ down + self.bias + least, high @ up + low @ down + self.bias + most
        return outward(Box(*(end.reshape(self.size) for end in ends)))

    @property
    def lost(self) -> tuple[Floats, Floats]:
        """What rounding adds to the sum of each filter, at least and at most."""
        if self.cut is None:
            return np.zeros(self.weight.shape[1]), np.zeros(self.weight.shape[1])
        terms = (self.weight != 0).sum(axis=0)
        least, most = rounding_error(self.cut, self.fine)
        return terms * least, terms * most

    def back(self, wanted: Floats, x: Box) -> tuple[Floats, Floats]:
        filters = self.weight.shape[1]
        each = wanted.reshape(len(wanted), -1, filters)
        least, most = self.lost
        up, down = np.maximum(each, 0.0).sum(axis=1), np.minimum(each, 0.0).sum(axis=1)
        return self.slope(wanted, x.low), (up + down) @ self.bias + up @ most + down @ least

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        each = wanted.reshape(len(wanted), -1, self.weight.shape[1]) @ self.weight.T
        return scattered(each.reshape(len(wanted), -1), self.index.ravel(), x.shape[-1])


@dataclass(frozen=True, eq=False)
class ScaleStage(Stage):
    """``factor * x + shift``, each value by itself."""

    factor: Floats
    shift: Floats

    def forward(self, x: Floats) -> Floats:
        return x * self.factor + self.shift

    def interval(self, x: Box) -> Box:
        ends = self.forward(x.low), self.forward(x.high)
        return outward(Box(np.minimum(*ends), np.maximum(*ends)))

    def bound(self, x: Box) -> LinearBound:  # noqa: ARG002 - of every stage
        return LinearBound(self.factor, self.shift, self.factor, self.shift)

    def slope(self, wanted: Floats, x: Floats) -> Floats:  # noqa: ARG002 - of every stage
        return wanted * self.factor


def rounding_error(kind: FixedType, frac: int | None) -> tuple[float, float]:
    """What rounding to a type adds to a value of ``frac`` fraction bits (None: any), at least and at most."""
    if frac is not None and frac <= kind.frac:
        return 0.0, 0.0
    step = 0.0 if frac is None else 2.0**-frac
    if kind.rounding == "TRN":
        return step - kind.lsb, 0.0
    if kind.rounding == "TRN_ZERO":
        return step - kind.lsb, kind.lsb - step
    return -kind.lsb / 2, kind.lsb / 2


def outward(box: Box) -> Box:
    """Wider by what float64 sums may have lost."""
    room = SLACK * (1e-3 + np.maximum(np.abs(box.low), np.abs(box.high)))
    return Box(box.low - room, box.high + room)


def snapped(box: Box, frac: int | None) -> Box:
    """Narrower, to the outermost values of the grid in it."""
    if frac is None:
        return box
    scale = 2.0**frac
    inside = Box(np.ceil(box.low * scale) / scale, np.floor(box.high * scale) / scale)
    return Box(np.minimum(inside.low, inside.high), inside.high)
