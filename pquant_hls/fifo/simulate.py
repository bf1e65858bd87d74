"""Tasks that pass tokens through FIFOs of bounded depth: when each is done, or where they wait for each other for ever."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pquant_hls.fifo.traffic import Steps

FREED = 1.0
"""Cycles after a read until its place can be written: a full FIFO says so for one cycle more."""


@dataclass(frozen=True)
class Task:
    """One layer: what it does in each event, and in how many clock cycles it does all of that.

    A step reads as soon as all its tokens are there and the step before is done, and writes ``pace`` cycles later.
    """

    name: str
    steps: Steps
    cycles: float

    @property
    def pace(self) -> float:
        """Cycles of one step."""
        return max(1.0, self.cycles / max(1, len(self.steps)))

    @property
    def in_flight(self) -> int:
        """Steps that may be begun before the first of them has written: all cycles that are not a step's pace, and one step's."""
        rest = self.cycles - math.floor(self.pace) * len(self.steps)
        return max(1, math.ceil(self.pace) + max(0, math.ceil(rest)))

    def late(self) -> Task:
        """The same reads with every write put off as long as a pipeline can hold it: until ``in_flight`` more steps have read,
        or the event ends."""
        writes = [step[1] for step in self.steps]
        moved: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        for index, (reads, _) in enumerate(self.steps):
            due = writes[index - self.in_flight] if index >= self.in_flight else ()
            moved.append((reads, due))
        moved += [((), due) for due in writes[max(0, len(writes) - self.in_flight) :]]
        return Task(self.name, tuple(step for step in moved if step[0] or step[1]), self.cycles)


@dataclass(frozen=True)
class Flow:
    """How the tasks got on: the cycle at which each event left, the most tokens in each stream, which tasks are stuck.

    ``stuck`` is empty where every event came through; else it names, task by task, the stream that it waits for.
    """

    ends: tuple[float, ...]
    most: tuple[int, ...]
    stuck: tuple[tuple[str, int], ...] = ()


class _Running:
    """One task under way: events left, its step, whether that has read; when it is free, and when it writes."""

    def __init__(self, task: Task, events: int) -> None:
        self.task, self.left = task, events
        self.step, self.has_read = 0, False
        self.free = self.due = 0.0
        self.ends: list[float] = []
        self.waits = -1


class _Streams:
    """When each token of each stream was written and read."""

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = depths
        self.written: list[list[float]] = [[] for _ in depths]
        self.read: list[list[float]] = [[] for _ in depths]

    def most(self) -> tuple[int, ...]:
        """The most tokens in each stream at once; one that is read in the cycle of a write still takes its place."""
        found = []
        for written, read in zip(self.written, self.read, strict=True):
            gone = np.searchsorted(np.asarray(read), np.asarray(written) - FREED, side="right")
            found.append(int((np.arange(1, len(written) + 1) - gone).max(initial=0)))
        return tuple(found)


def run_tasks(tasks: Sequence[Task], depths: Sequence[int], events: int) -> Flow:
    """Let ``events`` events run through the tasks, of which the last one takes the design's outputs.

    A step waits until all its tokens are there, then until all that it writes have a free place; ``depths`` are the places of
    each stream. Which tasks get stuck does not depend on their speeds: each takes tokens and places in an order of its own,
    which makes it a Kahn network (Kahn, IFIP 1974; with bounded FIFOs Parks, UCB/ERL-95-105, 1995).
    """
    streams = _Streams(depths)
    running = [_Running(task, events) for task in tasks]
    moved = True
    while moved:
        moved = False
        for one in running:
            moved |= _advance(one, streams)
    stuck = tuple((one.task.name, one.waits) for one in running if one.left)
    return Flow(tuple(running[-1].ends), streams.most(), stuck)


def _advance(one: _Running, streams: _Streams) -> bool:
    """Take steps until a token or a place is missing; whether anything moved."""
    moved = False
    steps, pace = one.task.steps, one.task.pace
    while one.left:
        reads, writes = steps[one.step]
        if not one.has_read:
            if not _read(one, reads, streams, pace):
                return moved
            moved = True
        if not _write(one, writes, streams):
            return moved
        moved, one.has_read, one.free = True, False, one.due
        one.step += 1
        if one.step == len(steps):
            one.step, one.left = 0, one.left - 1
            one.ends.append(one.free)
    return moved


def _read(one: _Running, reads: tuple[int, ...], streams: _Streams, pace: float) -> bool:
    """Take the tokens of a step, all at once; False where one is missing."""
    start = one.free
    for stream in reads:
        count = len(streams.read[stream])
        if count >= len(streams.written[stream]):
            one.waits = stream
            return False
        start = max(start, streams.written[stream][count])
    for stream in reads:
        streams.read[stream].append(start)
    one.due, one.has_read = start + pace, True
    return True


def _write(one: _Running, writes: tuple[int, ...], streams: _Streams) -> bool:
    """Put the tokens of a step, all at once, as one state of the hardware does; False where a FIFO stays full."""
    due = one.due
    for stream in writes:
        place = len(streams.written[stream]) - streams.depths[stream]
        if place < 0:
            continue
        if place >= len(streams.read[stream]):
            one.waits = stream
            return False
        due = max(due, streams.read[stream][place] + FREED)
    for stream in writes:
        streams.written[stream].append(due)
    one.due = due
    return True
