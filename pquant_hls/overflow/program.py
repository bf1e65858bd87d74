"""A graph as stages, and which of them store in a type that may overflow."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from pquant_hls.overflow.curves import Store
from pquant_hls.overflow.stages import Box, Floats, Gather, Inlet, Linear, ScaleStage, Stage, Unknown, snapped
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits, round_codes

CHUNK = 256
"""Bounds made at a time: each holds a row of coefficients for every stage before."""
LARGEST = 40_000
"""Values of one stage beyond which only intervals are taken."""


@dataclass(frozen=True)
class StoredType:
    """One type of the graph: the stage that stores in it. ``role``: input, result, accum, grid or table."""

    node: str
    role: str
    stage: int


class StageProgram:
    """Stages in their order, the bounds of each (lazy), and the checks.

    ``places`` tell where the stored values of a node are. Bounds are sound for any inputs in the ports' boxes.
    """

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.boxes: list[Box] = []
        self.checks: list[StoredType] = []
        self.places: dict[str, int] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.end = math.inf
        """The moment (``time.process_time``) behind which no bounds are narrowed any more."""

    # making

    def add(self, stage: Stage, *, check: tuple[str, str] | None = None) -> int:
        self.stages.append(stage)
        self.boxes.append(snapped(stage.interval(self.read_box(stage)), stage.frac))
        if check is not None:
            self.checks.append(StoredType(*check, len(self.stages) - 1))
        return len(self.stages) - 1

    def size(self, place: int) -> int:
        return self.stages[place].size

    def frac(self, *places: int) -> int | None:
        """Of values of several stages beside each other."""
        found = [self.stages[place].frac for place in places]
        known = [frac for frac in found if frac is not None]
        return max(known) if len(known) == len(found) else None

    def gather(self, places: Sequence[int], index: NDArray[np.int64], fill: float = 0.0) -> int:
        frac = self.frac(*places)
        both = None if frac is None else max(frac, fraction_bits(np.array([fill])))
        return self.add(Gather(tuple(places), index.size, both, index.ravel(), fill))

    def linear(
        self, place: int, index: NDArray[np.int64], weight: Floats, bias: Floats, accum: FixedType | None
    ) -> int:
        """Sums with an accumulator's rounding of products and bias; ``index`` (rows, columns)."""
        fine = self.frac(place)
        product = None if fine is None else fine + fraction_bits(weight)
        cut = accum if accum is not None and (product is None or product > accum.frac) else None
        if accum is not None:
            bias = round_codes(bias * 2.0**accum.frac, accum.rounding) * accum.lsb
        frac = accum.frac if cut is not None and accum is not None else product
        whole = None if frac is None else max(frac, fraction_bits(bias))
        size = len(index) * weight.shape[1]
        return self.add(Linear((place,), size, whole, index, weight, bias, cut, product))

    def scale(self, place: int, factor: Floats, shift: Floats) -> int:
        size, fine = self.size(place), self.frac(place)
        factor, shift = (np.broadcast_to(part, (size,)).astype(np.float64) for part in (factor, shift))
        exact = fine is not None and all(fraction_bits(part) < 64 for part in (factor, shift))
        frac = max((fine or 0) + fraction_bits(factor), fraction_bits(shift)) if exact else None
        return self.add(ScaleStage((place,), size, frac, factor, shift))

    def store(self, place: int, kinds: Sequence[FixedType], check: tuple[str, str] | None = None) -> int:
        size, fine = self.size(place), self.frac(place)
        finest = max(kind.frac for kind in kinds)
        stage = Store((place,), size, finest, tuple(kinds), fine, np.zeros(size, np.bool_))
        if fine is not None and bool(stage.fits(self.boxes[place]).all()):
            stage = replace(stage, frac=min(fine, finest))  # an end of the type may lie off a coarser grid
        return self.add(stage, check=check)

    def unknown(
        self,
        node: Node,
        sources: tuple[int, ...],
        box: Box,
        why: str,
        check: tuple[str, str] | None = None,
    ) -> int:
        return self.add(Unknown(sources, prod(node.shape), None, box, f"{node.name}: {why}"), check=check)

    # bounds

    def read_box(self, stage: Stage) -> Box:
        """Of all values that a stage reads, side by side."""
        if not stage.sources:
            return Box(np.zeros(0), np.zeros(0))
        boxes = [self.boxes[place] for place in stage.sources]
        return (
            boxes[0] if len(boxes) == 1 else Box(*(np.concatenate(ends) for ends in zip(*boxes, strict=True)))
        )

    def refresh(self, place: int) -> None:
        """The interval of a stage, taken anew from what is known of its sources."""
        stage = self.stages[place]
        box = stage.interval(self.read_box(stage)).within(self.boxes[place])
        self.boxes[place] = snapped(box, stage.frac)

    def hold(self, place: int, fits: NDArray[np.bool_]) -> None:
        """Elements of a store that are known to fit from here on."""
        stage = self.stages[place]
        if isinstance(stage, Store):
            self.stages[place] = replace(stage, held=stage.held | fits)

    def narrow(self, place: int, elements: NDArray[np.int64]) -> None:
        """Bounds of some elements by substitution back to the ports."""
        low, high = (end.copy() for end in self.boxes[place])
        for start in range(0, len(elements), CHUNK):
            part = elements[start : start + CHUNK]
            if time.process_time() > self.end:
                break
            wanted = np.zeros((len(part), self.size(place)))
            wanted[np.arange(len(part)), part] = 1.0
            high[part] = np.minimum(high[part], self.upper(place, wanted))
            low[part] = np.maximum(low[part], -self.upper(place, -wanted))
        self.boxes[place] = snapped(Box(low, high), self.stages[place].frac)

    def upper(self, place: int, wanted: Floats) -> Floats:
        """The most that ``wanted`` (k, size) times the values of a stage can be, (k,)."""
        pending, total = {place: wanted}, np.zeros(len(wanted))
        for here in range(place, -1, -1):
            if here not in pending:
                continue
            stage, asked = self.stages[here], pending.pop(here)
            if not stage.sources or isinstance(stage, Unknown):
                box = self.boxes[here]
                total += np.maximum(asked, 0.0) @ box.high + np.minimum(asked, 0.0) @ box.low
                continue
            given, constant = stage.back(asked, self.read_box(stage))
            total += constant
            start = 0
            for source in stage.sources:
                part = given[:, start : start + self.size(source)]
                pending[source] = pending[source] + part if source in pending else part
                start += self.size(source)
        return total + 1e-11 * (1.0 + np.abs(total))

    # values

    def run(self, x: Floats, until: int | None = None) -> list[Floats | None]:
        """What each stage holds for inputs (rows, all ports' values); None behind what no rule tells."""
        found: list[Floats | None] = []
        last, start = len(self.stages) if until is None else until + 1, 0
        for stage in self.stages[:last]:
            if isinstance(stage, Inlet):
                found.append(x[:, start : start + stage.size])
                start += stage.size
                continue
            read = [found[place] for place in stage.sources]
            known = [values for values in read if values is not None]
            whole = len(known) == len(read) and not isinstance(stage, Unknown)
            found.append(stage.forward(np.concatenate(known, axis=1)) if whole else None)
        return found

    def gradient(self, values: list[Floats | None], place: int, wanted: Floats) -> Floats:
        """Of ``wanted`` (rows, size) times the values of a stage, by all ports' values (rows, n)."""
        pending = {place: wanted}
        ports = [here for here, stage in enumerate(self.stages) if isinstance(stage, Inlet)]
        for here in range(place, -1, -1):
            stage = self.stages[here]
            if here not in pending or isinstance(stage, Inlet):
                continue
            read = [values[source] for source in stage.sources]
            known = [array for array in read if array is not None]
            if len(known) != len(read) or not known:
                pending.pop(here)
                continue
            given = stage.slope(pending.pop(here), np.concatenate(known, axis=1))
            start = 0
            for source in stage.sources:
                part = given[:, start : start + self.size(source)]
                pending[source] = pending[source] + part if source in pending else part
                start += self.size(source)
        return np.concatenate(
            [pending.get(port, np.zeros((len(wanted), self.size(port)))) for port in ports], axis=1
        )

    @property
    def ports(self) -> Box:
        """All ports' boxes, side by side."""
        boxes = [stage.box for stage in self.stages if isinstance(stage, Inlet)]
        return Box(*(np.concatenate(ends) for ends in zip(*boxes, strict=True)))


def program_of(graph: FixedPointGraph, ranges: Sequence[tuple[Floats, Floats]] | None) -> StageProgram:
    """The stages of a graph; ``ranges`` are the least and the largest inputs of each port, of its shape or one number each,
    left out: all that its type holds.
    """
    from pquant_hls.overflow.rules import add_node

    program = StageProgram()
    for place, node in enumerate(graph.inputs):
        _port(program, node, None if ranges is None else ranges[place])
    for node in graph.nodes:
        start = len(program.stages)
        if not node.is_input:
            add_node(program, graph, node)
        program.spans[node.name] = (start, len(program.stages))
    return program


def _port(program: StageProgram, node: Node, given: tuple[Floats, Floats] | None) -> None:
    """What comes in and how its type stores it."""
    kind, size = node.result, prod(node.shape)
    if given is None:
        box, frac = Box(np.full(size, kind.low), np.full(size, kind.high)), kind.frac
        place = program.add(Inlet((), size, frac, box))
        program.places[node.name] = program.store(place, [kind], (node.name, "input"))
        return
    low, high = (np.broadcast_to(np.asarray(end, np.float64), node.shape).ravel() for end in given)
    place = program.add(Inlet((), size, None, Box(low, high)))
    program.places[node.name] = program.store(place, [kind], (node.name, "input"))
