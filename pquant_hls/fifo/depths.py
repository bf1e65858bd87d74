"""The fewest places of each FIFO with which no task waits for ever, and the design takes no longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from pquant_hls.errors import NotMeasured, UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.fifo.simulate import Flow, Task, simulate
from pquant_hls.fifo.traffic import Traffic, record_traffic
from pquant_hls.hls import HlsProject
from pquant_hls.hls.streams import SHALLOWEST
from pquant_hls.qor import FixedPointGraph, Target

EVENTS = 3
"""Events one behind the other that a choice of depths must carry."""
PORT_PLACES = 2
"""Places of the design's own inputs and outputs, whose other end is not part of it."""


@dataclass(frozen=True)
class Fifo:
    """One FIFO: its variable, the layer that writes it, tokens of one event, places written, and places that do."""

    name: str
    writer: str | None
    tokens: int
    written: int
    depth: int


@dataclass(frozen=True)
class Sizing:
    """Depths found, and what stands behind them.

    ``cycles`` are the estimated clock cycles until each of ``EVENTS`` events, fed without a pause, has left the design: with
    the depths found, which is no later than with those written. ``rated`` is False where the layers' cycles are not known and
    every step counts one.
    """

    fifos: tuple[Fifo, ...]
    cycles: tuple[float, ...]
    rated: bool

    @property
    def depths(self) -> dict[str, int]:
        return {fifo.name: fifo.depth for fifo in self.fifos}


def size_fifos(project: HlsProject, x: ArrayLike | list[Any], *, timeout_s: float = 600.0) -> Sizing:
    """Depths of an io_stream design's FIFOs from the traffic of csim on ``x`` (n, *input shape) or a list of such arrays.

    What is certain: with these depths no task waits for ever on this traffic, whatever the tasks' speeds, and though pipelines
    put their writes off as long as they can hold them (``Task.late``). What is estimated: that the design is no slower than
    with the depths it was written with, as its layers' cycles are the estimator's.

    Raises
    ------
    As ``record_traffic``; UnsupportedModel too where the depths written get stuck themselves.
    """
    traffic = record_traffic(project, x, timeout_s=timeout_s)
    cycles = _cycles(project)
    return smallest(traffic, cycles or {}, rated=cycles is not None)


def _cycles(project: HlsProject) -> Mapping[str, float] | None:
    """Estimated cycles in which each layer does one event; None where graph or target are not known."""
    if project.graph is None or project.spec is None:
        return None
    return layer_cycles_of(project.graph, project.spec.target)


def layer_cycles_of(graph: FixedPointGraph, target: Target) -> Mapping[str, float] | None:
    """Cycles of each task for one event; None where the estimator has no rule."""
    try:
        return {layer.name: float(layer.ii_cycles or 1) for layer in estimate(graph, target).layers}
    except NotMeasured:
        return None


def smallest(traffic: Traffic, cycles: Mapping[str, float], *, rated: bool = True) -> Sizing:
    """The depths for traffic of tasks that take ``cycles`` for an event, by name; those not named one a step.

    From the depths written, each FIFO in turn, those with the most tokens first, gets the fewest places with which nothing
    gets stuck and no event leaves later.
    """
    names = (*traffic.tasks, "the input", "the output")
    tasks = [
        Task(name, steps, cycles.get(name, 0.0)) for name, steps in zip(names, traffic.steps, strict=True)
    ]
    late = [task.late() for task in tasks]
    places = [traffic.depths.get(name, PORT_PLACES) for name in traffic.streams]
    best = _unstuck(simulate(tasks, places, EVENTS), traffic)
    _unstuck(simulate(late, places, EVENTS), traffic)

    def holds(number: int, depth: int) -> bool:
        trial = [*places[:number], depth, *places[number + 1 :]]
        if simulate(late, trial, EVENTS).stuck:
            return False
        found = simulate(tasks, trial, EVENTS)
        return not found.stuck and all(a <= b for a, b in zip(found.ends, best.ends, strict=True))

    for number in sorted(range(len(places)), key=lambda number: -places[number]):
        if traffic.streams[number] in traffic.depths:
            places[number] = _fewest(lambda depth, number=number: holds(number, depth), places[number])
    flow = _unstuck(simulate(tasks, places, EVENTS), traffic)
    return Sizing(_fifos(traffic, places), flow.ends, rated)


def _fewest(holds: Any, written: int) -> int:
    """The fewest places that hold, no more than are written; more places never do worse."""
    low, high = min(SHALLOWEST, written), written
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _unstuck(flow: Flow, traffic: Traffic) -> Flow:
    if flow.stuck:
        task, stream = flow.stuck[0]
        raise UnsupportedModel(
            f"{task} waits for ever for {traffic.streams[stream]!r} with the depths written",
            where="fifo_depths",
            mend="deeper FIFOs: hls4ml writes one place for each of the tensor's",
        )
    return flow


def _fifos(traffic: Traffic, places: Sequence[int]) -> tuple[Fifo, ...]:
    tokens = traffic.tokens
    return tuple(
        Fifo(name, traffic.writer(name), tokens[name], traffic.depths[name], depth)
        for name, depth in zip(traffic.streams, places, strict=True)
        if name in traffic.depths
    )
