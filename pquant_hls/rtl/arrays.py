"""Whole batches as numpy arrays: chains of dense layers, ReLU and stores, every value exact.

The rules of ``_products`` and ``_pointwise`` for a batch at once, without a trace. Each value is an integer times a power of
two; while all sums stay below 53 bits (24 in float32), floating point holds them exactly and in any order. Bounds that
follow from types and weights show whether they do, and which stores change nothing. Any other graph is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits, round_codes

Floats = NDArray[np.float64]
Values = NDArray[Any]
Step = Callable[[Values], Values]
DOUBLE_BITS, SINGLE_BITS = 53, 24
ROWS = 256
"""Events at a time: they stay in the cache, and numpy starts no threads for products that take less than their start."""
ROUND: dict[str, Callable[..., Values]] = {
    "TRN": np.floor,
    "TRN_ZERO": np.trunc,
    "RND": lambda codes, out: np.floor(np.add(codes, 0.5, out=out), out=out),
    "RND_CONV": np.rint,
}


class NotPlain(Exception):
    """The graph holds what is not computed here."""


@dataclass(frozen=True)
class Reaching:
    """What the values (n,) of a node can be: multiples of 2**-frac from ``low`` to ``high``."""

    low: Floats
    high: Floats
    frac: int

    @property
    def bits(self) -> int:
        """Bits of the largest code."""
        most = np.max(np.maximum(np.abs(self.low), np.abs(self.high)), initial=0.0)
        return int(np.ceil(np.log2(most * 2.0**self.frac + 1)))


class ArrayProgram:
    """The steps of a graph; raises NotPlain where it is no chain of plain layers, or has wider values."""

    def __init__(self, graph: FixedPointGraph) -> None:
        first, *others = graph.nodes
        names = [node.name for node in graph.nodes]
        linked = all(node.inputs == (before,) for node, before in zip(others, names, strict=False))
        if not first.is_input or not linked or graph.outputs != (names[-1],) or len(first.shape) != 1:
            raise NotPlain
        self.steps: list[Step] = []
        self.bits = 0
        kind, n = first.result, first.shape[0]
        self._now(Reaching(np.full(n, kind.low), np.full(n, kind.high), kind.frac))
        for node in others:
            self._add(node)
        if self.bits > DOUBLE_BITS:
            raise NotPlain
        self.dtype = np.float32 if self.bits <= SINGLE_BITS else np.float64

    def run(self, stored: Floats) -> Floats:
        """Stored inputs (events, n_in) to outputs (events, n_out), float64 both."""
        parts = [stored[:0, :0].reshape(0, len(self.span.low))]
        for start in range(0, len(stored), ROWS):
            values: Values = stored[start : start + ROWS].astype(self.dtype)
            for step in self.steps:
                values = step(values)
            parts.append(values.astype(np.float64))
        return np.concatenate(parts)

    def _now(self, span: Reaching) -> None:
        self.span, self.bits = span, max(self.bits, span.bits)

    def _add(self, node: Node) -> None:
        if node.op == "dense":
            self._dense(node)
        elif node.op == "relu" and not node.attrs.get("threshold"):
            low, high = (np.maximum(bound, 0) for bound in (self.span.low, self.span.high))
            self._now(Reaching(low, high, self.span.frac))
            self.steps.append(lambda values: np.maximum(values, 0))
        elif node.op not in ("quantize", "clone"):
            raise NotPlain
        if node.shape != self.span.low.shape:
            raise NotPlain
        if node.grid is not None:
            self._store(list(node.grid.kinds(node.shape)))
        self._store([node.result] * len(self.span.low))

    def _dense(self, node: Node) -> None:
        weight, accum = node.arrays["weight"].values, node.types.get("accum")
        n_in, n_out = weight.shape
        bias = node.arrays["bias"].values.ravel() if "bias" in node.arrays else np.zeros(n_out)
        if n_in != len(self.span.low):
            raise NotPlain
        frac = self.span.frac + fraction_bits(weight)
        if accum is not None:
            if frac > accum.frac or accum.saturation != "WRAP":
                raise NotPlain
            bias = accum.quantize(bias)
        frac = max(frac, fraction_bits(bias))
        low, high, up, down = self.span.low, self.span.high, np.maximum(weight, 0), np.minimum(weight, 0)
        reach = np.maximum(np.abs(low), np.abs(high)) @ np.abs(weight) + np.abs(bias)
        self._now(Reaching(-reach, reach, frac))  # no partial sum is larger
        self._now(Reaching(low @ up + high @ down + bias, high @ up + low @ down + bias, frac))
        self.steps.append(_product(weight, bias))
        if accum is not None:
            self._store([accum] * n_out)

    def _store(self, kinds: Sequence[FixedType | None]) -> None:
        """Each column in its type, where that can change a value; None stores 0. Types of one store share their modes."""
        span, known = self.span, [kind for kind in kinds if kind is not None]
        if not known:
            self.steps.append(np.zeros_like)
            self._now(Reaching(0 * span.low, 0 * span.high, 0))
        elif not _holds(kinds, span):
            modes = known[0]
            if modes.rounding not in ROUND or modes.saturation == "SAT_ZERO":
                raise NotPlain
            store = _Store.of([kind or modes for kind in kinds], [kind is None for kind in kinds], span)
            self.bits = max(self.bits, store.bits(span))
            self.steps.append(store)
            ends = [_ends(*column) for column in zip(span.low, span.high, kinds, strict=True)]
            low, high = np.array(ends).T
            self._now(Reaching(low, high, max(kind.frac for kind in known)))


def _holds(kinds: Sequence[FixedType | None], span: Reaching) -> bool:
    """Whether a store leaves all values as they are."""
    columns = zip(kinds, span.low, span.high, strict=True)
    return all(k is not None and span.frac <= k.frac and k.low <= a and b <= k.high for k, a, b in columns)


def _ends(low: float, high: float, kind: FixedType | None) -> tuple[float, float]:
    """The least and the largest value that a type keeps of those between two."""
    if kind is None:
        return 0.0, 0.0
    if kind.saturation == "WRAP":
        least, most = (round_codes(np.array([low, high]) * 2.0**kind.frac, kind.rounding) * kind.lsb).tolist()
        return (least, most) if kind.low <= least and most <= kind.high else (kind.low, kind.high)
    least, most = kind.quantize(np.array([low, high])).tolist()
    return least, most


@dataclass(frozen=True)
class _Store:
    """One type a column: codes = values * scale, rounded, brought between ``least`` and ``most``, times ``step``."""

    scale: Floats
    step: Floats
    least: Floats
    most: Floats
    rounding: str | None
    wraps: bool

    @classmethod
    def of(cls, kinds: Sequence[FixedType], empty: Sequence[bool], span: Reaching) -> _Store:
        least, most = (
            np.array([getattr(kind, f"code_{end}") for kind in kinds], float) for end in ("min", "max")
        )
        modes = kinds[0]
        if modes.saturation == "SAT_SYM":
            least = np.where(least < 0, -most, least)
        return cls(
            scale=np.array([2.0**kind.frac for kind in kinds]),
            step=np.where(empty, 0.0, [kind.lsb for kind in kinds]),
            least=least,
            most=most,
            rounding=modes.rounding if any(kind.frac < span.frac for kind in kinds) else None,
            wraps=modes.saturation == "WRAP",
        )

    def bits(self, span: Reaching) -> int:
        """Bits that codes, half a step and the room of a wrapped one need on the way."""
        most = np.maximum(np.abs(span.low), np.abs(span.high)) * self.scale + self.most + 1
        finer = max(span.frac - int(np.log2(self.scale.min())), 1)
        return int(np.ceil(np.log2(most.max()))) + 1 + finer

    def __call__(self, values: Values) -> Values:
        scale, step, least, most = (
            part.astype(values.dtype) for part in (self.scale, self.step, self.least, self.most)
        )
        codes: Values = values * scale
        if self.rounding is not None:
            ROUND[self.rounding](codes, out=codes)
        if self.wraps:
            codes -= least
            np.mod(codes, most - least + 1, out=codes)
            codes += least
        else:
            np.clip(codes, least, most, out=codes)
        codes *= step
        return codes


def _product(weight: Floats, bias: Floats) -> Step:
    """Dense sums; the weights once in each precision."""
    known = {np.dtype(kind): (weight.astype(kind), bias.astype(kind)) for kind in (np.float32, np.float64)}

    def product(values: Values) -> Values:
        matrix, offset = known[values.dtype]
        sums: Values = values @ matrix
        sums += offset
        return sums

    return product
