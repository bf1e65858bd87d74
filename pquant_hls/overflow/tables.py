"""Tables: those of hls4ml's formulas, softmax, and those of this package, which raw bits index."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from pquant_hls.overflow.call import RuleSite
from pquant_hls.overflow.curves import Rising
from pquant_hls.overflow.stages import Box, Floats, Stage
from pquant_hls.qor import FixedType

TABLE_REACH = {"sigmoid": 8.0, "tanh": 4.0}
"""Half the span of hls4ml's tables (nnet_activation.h)."""


@dataclass(frozen=True, eq=False)
class Entries(Stage):
    """An entry for each value of a type, the lowest value's first."""

    kind: FixedType
    entries: Floats

    def forward(self, x: Floats) -> Floats:
        return np.asarray(self.entries[self._places(x)], np.float64)

    def interval(self, x: Box) -> Box:
        spans = [slice(a, b + 1) for a, b in zip(self._places(x.low), self._places(x.high), strict=True)]
        return Box(*(np.array([end(self.entries[span]) for span in spans]) for end in (np.min, np.max)))

    def slope(self, wanted: Floats, x: Floats) -> Floats:
        return (
            wanted * (self.forward(x + self.kind.lsb) - self.forward(x - self.kind.lsb)) / (2 * self.kind.lsb)
        )

    def _places(self, x: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        place = np.floor(x / self.kind.lsb).astype(np.int64) - self.kind.code_min
        return np.clip(place, 0, len(self.entries) - 1)


def of_raw_bits(call: RuleSite) -> int | None:
    """A table indexed by the raw bits of a value: entries of values below zero come last."""
    node = call.graph.node(call.node.inputs[0])
    table, kind = call.array("table"), node.result
    if table is None or node.grid is not None or table.size != 1 << kind.width:
        return None
    entries = np.roll(table.ravel(), -kind.code_min)
    held = call.node.arrays["table"].frac_bits
    return call.program.add(Entries((call.x,), call.program.size(call.x), held, kind, entries))


def of_formula(call: RuleSite) -> int | None:
    """Sigmoid and tanh by hls4ml's table: its codes where the graph has them, else those of its formula."""
    node = call.node
    kind, reach = node.types.get("table"), TABLE_REACH[node.op]
    if kind is None:
        return None
    size = int(node.attrs.get("table_size") or 1024)
    codes = node.attrs.get("table")
    points = (np.arange(size) - size // 2) * 2 * reach / size
    exact = 1 / (1 + np.exp(-points)) if node.op == "sigmoid" else np.tanh(points)
    table = kind.quantize(exact) if codes is None else np.asarray(codes, np.float64) * kind.lsb
    if np.any(np.diff(table) < 0):
        return None

    def entry(x: Floats) -> Floats:
        place = np.trunc(x * len(table) / (2 * reach)) + len(table) // 2
        return np.asarray(table[np.clip(place, 0, len(table) - 1).astype(np.int64)], np.float64)

    return call.program.add(Rising((call.x,), call.program.size(call.x), None, entry))


def stable_softmax(call: RuleSite) -> int | None:
    """The stable form alone: exponentials of 0 and less, a sum of 1 to n, whose inverse is 1 at most (nnet_activation.h)."""
    node, size = call.node, call.shape[-1]
    exp, inverse, total = (node.types.get(name) for name in ("exp_table", "inv_table", "inv_inp"))
    if str(node.attrs.get("implementation")) != "stable" or exp is None or inverse is None:
        return None
    accum = node.types.get("accum", exp)
    room = min(kind.high for kind in (accum, total) if kind is not None)
    places = int(node.attrs.get("table_size") or 1024)
    coarse = total is not None and 2.0**total.integer / places > 1.0
    if min(exp.high, inverse.high) < 1.0 or room < size or coarse:
        return None
    ends = (np.full(prod(node.shape), end) for end in (0.0, 1.0))
    return call.program.unknown(node, call.sources, Box(*ends), "softmax has no exact rule")
