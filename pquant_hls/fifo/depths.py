"""The fewest places of each FIFO with which no task waits for ever, and the design takes no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pquant_hls.errors import NotMeasured, UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.fifo.simulate import Flow, Task, run_tasks
from pquant_hls.fifo.traffic import Traffic, record_traffic
from pquant_hls.hls import HlsProject
from pquant_hls.hls.streams import SHALLOWEST

EVENTS = 3
"""Events one behind the other that a choice of depths must carry."""
DRAWS = 4
"""How many sets of layers' cycles are drawn within the estimate's interval; the depths hold for each of them too."""
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
    the depths found no later than with those written. ``rated`` is False where the layers' cycles are not known and every
    step counts one.
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
    with the depths it was written with, for the estimator's cycles of its layers and for others within their interval.

    Raises
    ------
    As ``record_traffic``; UnsupportedModel too where the depths written get stuck themselves.
    """
    return smallest(record_traffic(project, x, timeout_s=timeout_s), estimated_rates(project))


class Rates(NamedTuple):
    """Cycles in which each layer does one event, by name, and the factors between which they may lie."""

    cycles: Mapping[str, float]
    low: float = 1.0
    high: float = 1.0

    def drawn(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Other cycles for each layer, within the factors."""
        factors = rng.uniform(self.low, self.high, len(self.cycles))
        return {
            name: value * by for (name, value), by in zip(self.cycles.items(), factors.tolist(), strict=True)
        }


def estimated_rates(project: HlsProject) -> Rates | None:
    """The estimator's, where graph and target are known and it has rules for them."""
    if project.graph is None or project.spec is None:
        return None
    try:
        qor = estimate(project.graph, project.spec.target)
    except NotMeasured:
        return None
    cycles = {layer.name: float(layer.ii_cycles or 1) for layer in qor.layers}
    whole = qor.latency
    if whole is None or not whole.cycles_max or whole.cycles_max_lo is None or whole.cycles_max_hi is None:
        return Rates(cycles)
    return Rates(cycles, whole.cycles_max_lo / whole.cycles_max, whole.cycles_max_hi / whole.cycles_max)


def smallest(traffic: Traffic, rates: Rates | None) -> Sizing:
    """The depths for traffic of tasks with these rates; without any, and for tasks not named there, one cycle a step.

    From the depths written, each FIFO in turn, those with the most places first, gets the fewest with which nothing gets stuck
    and no event leaves later; then more where that is so for the expected cycles alone.
    """
    known = Rates({}) if rates is None else rates
    usual = _Search(traffic, known.cycles, known.cycles)
    places = usual.places([SHALLOWEST] * len(traffic.streams))
    rng = np.random.default_rng(0)
    for _ in range(DRAWS if known.high > known.low else 0):
        places = _Search(traffic, known.drawn(rng), known.cycles).places(places)
    return Sizing(_fifos(traffic, places), usual.flow(places).ends, rates is not None)


class _Search:
    """For one set of cycles: the tasks, and when events leave with the depths written; the tasks with late writes, as long
    as pipelines of the ``expected`` cycles hold them."""

    def __init__(self, traffic: Traffic, cycles: Mapping[str, float], expected: Mapping[str, float]) -> None:
        names = (*traffic.tasks, "the input", "the output")
        pairs = list(zip(names, traffic.steps, strict=True))
        self.traffic = traffic
        self.tasks = [Task(name, steps, cycles.get(name, 0.0)) for name, steps in pairs]
        self.late = [Task(name, steps, expected.get(name, 0.0)).late() for name, steps in pairs]
        self.written = [traffic.depths.get(name, PORT_PLACES) for name in traffic.streams]
        _unstuck(run_tasks(self.late, self.written, EVENTS), traffic)
        self.best = self.flow(self.written).ends

    def flow(self, places: Sequence[int]) -> Flow:
        """How events get through; UnsupportedModel where they do not."""
        return _unstuck(run_tasks(self.tasks, places, EVENTS), self.traffic)

    def holds(self, places: Sequence[int]) -> bool:
        """Whether nothing gets stuck and no event leaves later than with the depths written."""
        if run_tasks(self.late, places, EVENTS).stuck:
            return False
        found = run_tasks(self.tasks, places, EVENTS)
        return not found.stuck and all(a <= b + ROUNDING for a, b in zip(found.ends, self.best, strict=True))

    def places(self, least: Sequence[int]) -> list[int]:
        """The fewest places of each stream, none below ``least``; ports keep theirs."""
        free = [name in self.traffic.depths for name in self.traffic.streams]
        first = [low if may else port for low, may, port in zip(least, free, self.written, strict=True)]
        if self.holds(first):
            return first
        places = list(self.written)
        for number in sorted(range(len(places)), key=lambda number: -places[number]):
            if free[number]:
                places[number] = _fewest(self._with(places, number), least[number], places[number])
        return places

    def _with(self, places: Sequence[int], number: int) -> Callable[[int], bool]:
        """Whether a depth of one stream holds beside those of the others."""
        return lambda depth: self.holds([*places[:number], depth, *places[number + 1 :]])


ROUNDING = 1e-6
"""Cycles by which sums of floating-point numbers may differ."""


def _fewest(holds: Callable[[int], bool], least: int, written: int) -> int:
    """The fewest places from ``least`` to ``written`` that hold; more places never do worse."""
    low, high = min(least, written), written
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
