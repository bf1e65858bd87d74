"""What the rule of an operation is given: the node, where its inputs lie, and windows over them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pquant_hls.overflow.program import StageProgram
from pquant_hls.overflow.stages import Box, Floats, Index, Unknown
from pquant_hls.qor import FixedPointGraph, FixedType, Node


class RuleSite:
    def __init__(
        self,
        program: StageProgram,
        graph: FixedPointGraph,
        node: Node,
        sources: tuple[int, ...],
        shapes: list[tuple[int, ...]],
    ) -> None:
        self.program, self.graph, self.node, self.sources, self.shapes = program, graph, node, sources, shapes

    @property
    def x(self) -> int:
        return self.sources[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.shapes[0]

    @property
    def places(self) -> Index:
        """Where each value of the first input lies, in its shape."""
        return np.arange(prod(self.shape)).reshape(self.shape)

    def numbers(self, key: str, rank: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        value: Any = self.node.attrs.get(key)
        if value is None:
            return (1,) * rank if default is None else default
        return (int(value),) * rank if isinstance(value, int) else tuple(map(int, value))

    def pads(self, rank: int) -> list[tuple[int, int]] | None:
        value: Any = self.node.attrs.get("padding") or ((0, 0),) * rank
        if isinstance(value, str):
            return None
        pairs = (value,) if isinstance(value[0], int) else value
        return [(int(before), int(after)) for before, after in pairs]

    def windows(
        self, kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]
    ) -> Index | None:
        """(*positions, *kernel, channels) of places, -1 where a window lies outside of the image."""
        rank, pads = len(kernel), self.pads(len(kernel))
        if pads is None or len(self.shape) != rank + 1:
            return None
        around = np.pad(self.places, [*pads, (0, 0)], constant_values=-1)
        spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        found = sliding_window_view(around, spans, axis=tuple(range(rank)))
        steps = tuple(slice(None, None, step) for step in strides)
        inside = tuple(slice(None, None, step) for step in dilation)
        return np.moveaxis(found[(*steps, slice(None), *inside)], rank, -1)

    def array(self, key: str) -> Floats | None:
        held = self.node.arrays.get(key)
        return None if held is None else held.values

    def accumulated(self, index: Index, weight: Floats, bias: Floats) -> int:
        accum = self.node.types.get("accum")
        place = self.program.linear(self.x, index, weight, bias, accum)
        return place if accum is None else self.summed(self.x, place, index, weight, bias, accum)

    def summed(
        self, source: int, place: int, index: Index, weight: Floats, bias: Floats, accum: FixedType
    ) -> int:
        """Sums at ``place`` as their accumulator keeps them; of one that may saturate midway nothing but its range is known.

        A sum that wraps is the same in any order; what saturates in between depends on the order, which the tool chooses.
        """
        check = (self.node.name, "accum")
        if accum.saturation == "WRAP":
            return self.program.store(place, [accum], check)
        box = self.program.boxes[source]
        most = np.maximum(np.abs(box.low), np.abs(box.high))
        taken = np.where(index < 0, 0.0, most[index])
        reach = taken @ np.abs(weight) + np.abs(bias) + accum.lsb * (len(weight) + 1)
        if accum.signed and np.all(reach <= accum.high):
            return self.program.store(place, [accum], check)
        size = self.program.size(place)
        ends = Box(np.full(size, accum.low), np.full(size, accum.high))
        why = f"{self.node.name}: the accumulator {accum} may saturate midway, in an order the tool chooses"
        return self.program.add(Unknown((place,), size, accum.frac, ends, why), check=check)
