"""What flows through each stream of a design: csim of a private copy whose streams note every read and write."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.csim import build, predict
from pquant_hls.errors import UnsupportedModel
from pquant_hls.files import scratch
from pquant_hls.hls import HlsProject, load_project
from pquant_hls.hls.streams import stream_depths
from pquant_hls.programs.quoting import cpp_string

HEADER = Path("firmware") / "ap_types" / "hls_stream.h"
OUTSIDE = -1
"""The task of what the test bench does: it writes the design's inputs and reads its outputs."""
_CALL = re.compile(
    r"^[ \t]*nnet::(?!load_weights|save_layer)(\w+)\s*<[^;]*;[ \t]*(?://[ \t]*(\S+))?", re.MULTILINE
)

Steps = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
"""What a task does in one event, in order: (streams read, streams written) of each step."""


@dataclass(frozen=True)
class Traffic:
    """The traffic of one event of a design.

    ``tasks`` are the layers in the order of their calls, ``streams`` the names of the FIFOs and ports, by which ``steps``
    number them: one entry a task, then what the test bench writes and what it reads. ``depths`` are those of the written
    project, by FIFO; ports have none.
    """

    tasks: tuple[str, ...]
    streams: tuple[str, ...]
    steps: tuple[Steps, ...]
    depths: dict[str, int]

    @property
    def tokens(self) -> dict[str, int]:
        """How often each stream is written in one event."""
        counts = dict.fromkeys(self.streams, 0)
        for steps in self.steps:
            for _, writes in steps:
                for stream in writes:
                    counts[self.streams[stream]] += 1
        return counts

    def writer(self, stream: str) -> str | None:
        """The task that writes a stream; None for an input of the design."""
        number = self.streams.index(stream)
        for name, steps in zip(self.tasks, self.steps, strict=False):
            if any(number in writes for _, writes in steps):
                return name
        return None


def record_traffic(project: HlsProject, x: ArrayLike | list[Any], *, timeout_s: float = 600.0) -> Traffic:
    """Run csim of ``x`` (n, *input shape), or a list of such arrays, and note what every task reads and writes.

    The project is copied; nothing in it changes. hls4ml's layers read and write as their shapes say, whatever the values:
    that all n events have the same traffic is checked.

    Raises
    ------
    UnsupportedModel : the design has no streams, its sources cannot be told apart into tasks, events differ in traffic, or a
        stream has not one writer and one reader.
    ToolNotFound, ToolFailed, DataError : as ``csim.build`` and ``csim.predict``.
    """
    depths = stream_depths(project)
    if not depths:
        raise UnsupportedModel(
            "the design has no FIFOs", where=project.path, mend="io_type: io_stream makes a design of streams"
        )
    count = len(x[0] if isinstance(x, list) else np.asarray(x))
    with scratch() as folder:
        copy, tasks = _instrumented(project, folder)
        predict(build(copy, cache=folder / "cache", timeout_s=timeout_s), x, timeout_s=timeout_s)
        events, streams = _read(folder)
    return Traffic(tasks, streams, _steps(events, tasks, streams, count, project.path), depths)


def _instrumented(project: HlsProject, folder: Path) -> tuple[HlsProject, tuple[str, ...]]:
    """A copy of the project that writes its traffic to ``folder``, and the names of its tasks."""
    path = folder / "project"
    shutil.copytree(project.path, path, ignore=shutil.ignore_patterns("*_prj", "*.so"))
    header = resources.files("pquant_hls.fifo").joinpath("traffic.h").read_text(encoding="utf-8")
    define = f"#define PQUANT_TRAFFIC {cpp_string(str(folder / 'traffic'))}\n"
    (path / HEADER).write_text(define + header, encoding="utf-8")
    source = path / "firmware" / f"{project.name}.cpp"
    tasks: list[str] = []

    def marked(found: re.Match[str]) -> str:
        tasks.append(found[2] or found[1])
        return f"hls::traffic().task = {len(tasks) - 1};\n{found[0]}\nhls::traffic().task = {OUTSIDE};"

    source.write_text(_CALL.sub(marked, source.read_text(encoding="utf-8")), encoding="utf-8")
    return load_project(path), tuple(tasks)


def _read(folder: Path) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """(events, 3) of task, stream, 0 or 1; the streams' names by number."""
    lines = (folder / "traffic.names").read_text(encoding="utf-8").splitlines()
    names = dict(line.split(" ", 1) for line in lines)
    ordered = tuple(names[str(number)] for number in range(len(names)))
    return np.fromfile(folder / "traffic", np.int32).reshape(-1, 3), ordered


def _steps(
    events: NDArray[np.int32], tasks: tuple[str, ...], streams: tuple[str, ...], count: int, where: Path
) -> tuple[Steps, ...]:
    """Of each task, then of the test bench's writing and reading."""
    found = [_of_one(events[events[:, 0] == task, 1:], count, name) for task, name in enumerate(tasks)]
    outside = events[events[:, 0] == OUTSIDE, 1:]
    found += [_of_one(outside[outside[:, 1] == writes], count, "the test bench") for writes in (1, 0)]
    for number, name in enumerate(streams):
        ends = [sum(any(number in step[side] for step in steps) for steps in found) for side in (0, 1)]
        if ends != [1, 1]:
            raise UnsupportedModel(
                f"stream {name!r} has {ends[1]} writers and {ends[0]} readers; one of each makes a FIFO",
                where=where,
            )
    return tuple(found)


def _of_one(moves: NDArray[np.int32], count: int, task: str) -> Steps:
    """The steps of one event: a step touches no stream twice, and reads nothing after it has written."""
    parts = np.split(moves, count) if len(moves) % count == 0 else []
    if not parts or any(not np.array_equal(part, parts[0]) for part in parts):
        raise UnsupportedModel("what it reads and writes depends on the values of an event", where=task)
    steps: list[tuple[list[int], list[int]]] = [([], [])]
    for stream, writes in parts[0].tolist():
        reads, written = steps[-1]
        if stream in reads or stream in written or (not writes and written):
            steps.append(([], []))
        steps[-1][writes].append(stream)
    return tuple((tuple(reads), tuple(written)) for reads, written in steps if reads or written)
