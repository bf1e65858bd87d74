"""Overflow of a project's types: decided on its graph, and every input that overflows one shown in its own csim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import Library, compiled, predict
from pquant_hls.errors import DataError, PquantError
from pquant_hls.hls import HlsProject
from pquant_hls.measure.proof import node_values, prove
from pquant_hls.overflow import SECONDS, StageProgram, TypeVerdict, decide, program_of
from pquant_hls.overflow.curves import Store
from pquant_hls.qor import FixedPointGraph

Floats = NDArray[np.float64]
Ranges = Sequence[tuple[Floats, Floats]]


@dataclass(frozen=True)
class Shown:
    """One type's verdict; ``stored`` is what csim keeps of the witness' ``value`` behind the layer, where there is one."""

    verdict: TypeVerdict
    stored: float | None = None

    @property
    def text(self) -> str:
        """One line: what, the verdict, and what it rests on."""
        one = self.verdict
        head = f"{one.status:<9} {one.node} {one.role} {one.type}".rstrip()
        if one.status == "proven":
            return f"{head}: {one.low:.6g} to {one.high:.6g} at most, by {one.how}"
        if one.status == "undecided":
            return f"{head}: {one.reason}"
        kept = "" if self.stored is None else f", csim gives {self.stored:.6g} behind it"
        return f"{head}: element {one.element} is {one.value:.6g}{kept}"


@dataclass(frozen=True)
class OverflowReport:
    """Verdicts of all types in the order in which values are computed; ``inputs`` of those that overflow, one array a port
    (n, *shape), in the same order.
    """

    types: tuple[Shown, ...]
    inputs: tuple[Floats, ...]
    notes: tuple[str, ...] = ()

    @property
    def wraps(self) -> tuple[Shown, ...]:
        return tuple(one for one in self.types if one.verdict.status == "wraps")

    @property
    def undecided(self) -> tuple[Shown, ...]:
        return tuple(one for one in self.types if one.verdict.status == "undecided")


def overflow(
    project: HlsProject,
    ranges: Ranges | None = None,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    cache: Path | None = None,
    timeout_s: float = 600.0,
) -> OverflowReport:
    """Decide every type that values of a project are stored in, for all inputs in ``ranges``.

    An input that overflows a type is run by the project's own csim: the layers' values that it gives before the type and
    behind it must be those of the verdict, else the type is undecided. A graph read from sources is used once csim has borne
    it out.

    Parameters
    ----------
    ranges : (least, largest) input of each port, float64 of its shape or one number; None: all that its type holds.
    seconds : for deciding, of processor time; compiling and running csim come on top.

    Raises
    ------
    DataError : ranges that do not fit the ports.
    UnsupportedModel, NotMeasured : no graph, or one that csim contradicts; see ``prove``.
    ToolNotFound, ToolFailed : csim cannot be built or run.
    """
    graph, notes = _graph(project, cache, timeout_s)
    asked = None if ranges is None else _checked(graph, ranges)
    verdicts = decide(graph, asked, seconds=seconds, seed=seed)
    found = [one for one in verdicts if one.inputs is not None]
    if not found:
        return OverflowReport(tuple(map(Shown, verdicts)), (), notes)
    program = program_of(graph, asked)
    with compiled(project, cache, timeout_s) as library:
        bench = _Bench(project, graph, program, library, timeout_s)
        shown = {id(one): kept for one, kept in zip(found, bench.shown(found), strict=True)}
    types = tuple(shown.get(id(one), Shown(one)) for one in verdicts)
    rows = [one.verdict.inputs for one in types if one.verdict.inputs is not None]
    flat = np.array(rows, np.float64).reshape(len(rows), program.ports.low.size)
    return OverflowReport(types, _ports(graph, flat), (*notes, *library.notes))


def _graph(
    project: HlsProject, cache: Path | None, timeout_s: float
) -> tuple[FixedPointGraph, tuple[str, ...]]:
    """The graph that was saved with the project, else that of its sources, proven."""
    if project.graph is not None and not project.edited():
        return project.graph, project.notes
    proof = prove(project, cache=cache, timeout_s=timeout_s)
    return proof.graph, proof.notes


def _checked(graph: FixedPointGraph, ranges: Ranges) -> list[tuple[Floats, Floats]]:
    ports = graph.inputs
    if len(ranges) not in (1, len(ports)):
        raise DataError(
            f"{len(ranges)} ranges for {len(ports)} inputs", where=graph.name, mend="one, or one each"
        )
    found = []
    for node, given in zip(ports, [*ranges] * (len(ports) if len(ranges) == 1 else 1), strict=True):
        ends = [np.asarray(end, np.float64) for end in given]
        try:
            low, high = (
                np.broadcast_to(end.reshape(node.shape) if end.size > 1 else end, node.shape) for end in ends
            )
        except ValueError as cause:
            raise DataError(
                f"a range of shape {ends[0].shape} for values {node.shape}", where=node.name
            ) from cause
        if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(low <= high)):
            raise DataError("a range whose ends are not finite, or the wrong way round", where=node.name)
        found.append((low, high))
    return found


def _ports(graph: FixedPointGraph, flat: Floats) -> tuple[Floats, ...]:
    """Flat rows of all ports as one array a port."""
    ends = np.cumsum([prod(node.shape) for node in graph.inputs])[:-1]
    parts = np.split(flat, ends, axis=1)
    return tuple(part.reshape(len(flat), *node.shape) for part, node in zip(parts, graph.inputs, strict=True))


@dataclass(frozen=True)
class _Bench:
    """csim beside the stages of its graph."""

    project: HlsProject
    graph: FixedPointGraph
    program: StageProgram
    library: Library
    timeout_s: float

    def shown(self, found: Sequence[TypeVerdict]) -> list[Shown]:
        inputs = np.array([one.inputs for one in found], np.float64)
        values = self._values(inputs)
        stored = self._values(self._as_stored(inputs))
        return [self._one(one, row, values, stored) for row, one in enumerate(found)]

    def _as_stored(self, flat: Floats) -> Floats:
        """Inputs as their ports' types keep them."""
        parts = [
            node.result.quantize(part).reshape(len(flat), -1)
            for node, part in zip(self.graph.inputs, _ports(self.graph, flat), strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def _values(self, flat: Floats) -> dict[str, Floats]:
        """What every node holds in csim for these inputs; outputs under ``output 0``, ``output 1``, ..."""
        x = _ports(self.graph, flat)
        outputs, layers = predict(
            self.library, x[0] if len(x) == 1 else list(x), trace=True, timeout_s=self.timeout_s
        )
        held = _ports(self.graph, self._as_stored(flat))
        known = node_values(self.graph, list(held), layers)
        for place, array in enumerate(outputs if isinstance(outputs, list) else [outputs]):
            known[f"output {place}"] = array
            known.setdefault(self.graph.outputs[place], array)
        return known

    def _one(
        self, one: TypeVerdict, row: int, values: Mapping[str, Floats], stored: Mapping[str, Floats]
    ) -> Shown:
        if one.role == "input":
            same = all(np.array_equal(values[name][row], stored[name][row]) for name in values)
            kept = self._as_stored(np.asarray(one.inputs)[None])[0]
            place = self._port_start(one.node) + (one.element or 0)
            return (
                Shown(one, float(kept[place]))
                if same
                else _undecided(one, "csim stores this input otherwise")
            )
        node = self.graph.node(one.node)
        lacking = [name for name in (*node.inputs, node.name) if name not in values]
        if lacking:
            return _undecided(one, f"an input overflows it by the graph, and csim does not show {lacking[0]}")
        read, made = self._local(one, {name: values[name][row] for name in node.inputs})
        seen = values[node.name][row].ravel()
        if not np.array_equal(made, seen):
            return _undecided(one, "an input overflows it by the graph, and csim gives other values there")
        if not self._beyond(one, read):
            return _undecided(one, "csim gives the layer other values, and it does not overflow")
        value = float(read[one.element or 0])
        return Shown(replace(one, value=value), float(seen[_nearest(one, seen)]))

    def _port_start(self, name: str) -> int:
        start = 0
        for node in self.graph.inputs:
            if node.name == name:
                break
            start += prod(node.shape)
        return start

    def _local(self, one: TypeVerdict, given: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """What the type is given and what the layer makes, from what csim gave the layer."""
        program = self.program
        values: dict[int, Floats] = {
            program.places[name]: array.reshape(1, -1) for name, array in given.items()
        }
        for place in range(*program.spans[one.node]):
            stage = program.stages[place]
            values[place] = stage.forward(np.concatenate([values[s] for s in stage.sources], axis=1))
        check = self._stage(one)
        return values[check.sources[0]][0], values[program.places[one.node]][0]

    def _stage(self, one: TypeVerdict) -> Store:
        for check in self.program.checks:
            stage = self.program.stages[check.stage]
            if (check.node, check.role) == (one.node, one.role) and isinstance(stage, Store):
                return stage
        raise PquantError("no such type in the graph", where=f"{one.node} {one.role}")

    def _beyond(self, one: TypeVerdict, read: Floats) -> bool:
        ends = self._stage(one).ends
        rounded = self._stage(one).rounded(read)
        place = one.element or 0
        return bool(rounded[place] > ends.high[place] or rounded[place] < ends.low[place])


def _nearest(one: TypeVerdict, seen: Floats) -> int:
    """The layer's value behind the type's element: the same place, or its share of a smaller result."""
    return (one.element or 0) % seen.size


def _undecided(one: TypeVerdict, why: str) -> Shown:
    return Shown(replace(one, status="undecided", reason=why, inputs=None, element=None, value=None))


def as_ranges(words: Sequence[Any]) -> list[tuple[Floats, Floats]]:
    """Ranges from arrays of inputs (n, *shape): the least and the largest of each value."""
    return [
        (np.asarray(array, np.float64).min(axis=0), np.asarray(array, np.float64).max(axis=0))
        for array in words
    ]
