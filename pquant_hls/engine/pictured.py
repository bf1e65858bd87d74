"""What the page of a run draws and the record of its design does not hold: ``handover/figures.json``.

It says what was run, when and on what, and what csim gave beside the float model. No digest of a run counts it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.csim import Library, predict
from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.records import SPLITS
from pquant_hls.engine.bench import Bench
from pquant_hls.engine.curves import against_rest, binned, class_curves, confusion, value_curves
from pquant_hls.engine.jury import Witness
from pquant_hls.qor import FixedPointGraph
from pquant_hls.qor.ranges import ValueRange, value_range
from pquant_hls.train.figures import LHC_CROSSING_HZ, all_asked
from pquant_hls.train.purpose import Question
from pquant_hls.train.tasks import Anomaly, Autoencoder, Classes, Flags

TRACED_EVENTS = 1000
TRACED_VALUES = 20_000_000
"""The most values of all layers together that are looked at: 160 MB of doubles."""


def pictured(bench: Bench, library: Library, firmware: Witness, outputs: list[Any]) -> dict[str, Any]:
    """The figures of a design that is handed over; ``outputs`` are csim's on the test split."""
    data = bench.data
    found: dict[str, Any] = {
        "schema_version": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_given(sys.argv),
        "model": {"name": str(bench.teacher.name), "parameters": int(bench.teacher.count_params())},
        "data": _data(data),
        "split": "validation" if data.meta.get("test") == "validation" else "test",
        "ranges": [row.model_dump() for row in _ranges(bench, library)],
    }
    return {**found, "outputs": list(_outputs(bench, firmware, outputs))}


def command_given(words: list[str]) -> str | None:
    """The command line of this process as a shell reads it; None where it is not one of ours."""
    name = Path(words[0]).name if words else ""
    if name == "__main__.py" and Path(words[0]).parent.name == "pquant_hls":
        name = "pquant-hls"
    return shlex.join(["pquant-hls", *words[1:]]) if name == "pquant-hls" else None


def _data(data: Dataset) -> dict[str, Any]:
    events = {which: len(_each(data.split(which)[0])[0]) for which in SPLITS}
    return {"name": data.name, "classes": list(data.classes), "events": events}


def _ranges(bench: Bench, library: Library) -> Iterator[ValueRange]:
    """Inputs and results of all layers on events of the test split."""
    graph = library.project.graph
    if graph is None:
        return
    x = [part[: _events(graph)] for part in _each(bench.data.x_test)]
    _, traces = predict(library, x if len(x) > 1 else x[0], trace=True)
    for node, part in zip(graph.inputs, x, strict=False):
        yield value_range(node.name, "input", node.result, part)
    for node in graph.nodes:
        if node.name in traces and not node.is_input:
            yield value_range(node.name, "result", node.result, traces[node.name]).with_(beyond=None)


def _events(graph: FixedPointGraph) -> int:
    each = sum(int(np.prod(node.shape)) for node in graph.nodes)
    return max(1, min(TRACED_EVENTS, TRACED_VALUES // max(1, each)))


def _outputs(bench: Bench, firmware: Witness, outputs: list[Any]) -> Iterator[dict[str, Any]]:
    """The curves of each output by its task; its name alone where nothing can be told without labels."""
    jury, data = bench.jury, bench.data
    sides = {"float": jury.original, "csim": firmware}
    said = {"float": jury.original.ask(data.x_test), "csim": outputs}
    labels = _each(data.y_test)
    for place, question in enumerate(jury.purpose.questions):
        ask = _Asked(bench, sides, place, question)
        found = {side: np.asarray(answers[place], np.float64) for side, answers in said.items()}
        truth = None if place >= len(labels) else np.asarray(labels[place])
        yield {"name": question.output.name, "task": question.task.name, **ask.curves(found, truth)}


@dataclass(frozen=True)
class _Asked:
    """One output: who answers, and what is asked of it."""

    bench: Bench
    sides: Mapping[str, Witness]
    place: int
    question: Question

    def curves(self, found: Mapping[str, Any], truth: Any) -> dict[str, Any]:
        """The curves of its task on the test split."""
        task = self.question.task
        if isinstance(task, Anomaly):
            return self._strange(task, found)
        tables = {side: values.reshape(len(values), -1) for side, values in found.items()}
        if truth is None:
            return {}
        if isinstance(task, Classes):
            return self._classes(tables, truth.reshape(-1).astype(np.int64))
        if isinstance(task, Flags):
            return {"classes": self._flags(tables, truth.reshape(len(truth), -1) == 1)}
        wanted = truth.reshape(len(truth), -1).astype(np.float64)
        return {"values": value_curves(tables, wanted, self._thresholds(wanted))}

    def _thresholds(self, truth: Any) -> tuple[float, ...]:
        """Thresholds that limits on this output name; of one column without any, the median of the truth."""
        if truth.shape[1] > 1:
            return ()
        prefix = self.bench.jury.purpose.prefix(self.place)
        names = [name.removeprefix(prefix) for name in self.bench.jury.wanted if name.startswith(prefix)]
        told = {found.number for found in all_asked(names) if found.kind in ("turn_on", "rate")}
        return tuple(sorted(told)) or (float(np.median(truth)),)

    def _classes(self, tables: Mapping[str, Any], numbers: Any) -> dict[str, Any]:
        count = max(next(iter(tables.values())).shape[1], 2)
        cells = {
            side: confusion(scores, numbers, count, threshold=self.sides[side].thresholds[self.place])
            for side, scores in tables.items()
        }
        return {"classes": class_curves(tables, numbers, self._names(), self._rates()), "confusion": cells}

    def _flags(self, tables: Mapping[str, Any], is_set: Any) -> list[dict[str, Any]]:
        names = self._names()
        return [
            against_rest(
                names[column] if column < len(names) else str(column),
                {side: scores[:, column] for side, scores in tables.items()},
                chosen,
                self._rates(),
            )
            for column, chosen in enumerate(is_set.T)
            if 0 < chosen.sum() < len(chosen)
        ]

    def _strange(self, task: Anomaly, found: Mapping[str, Any]) -> dict[str, Any]:
        """The score's distribution over the background, and each signal against it."""
        data, bias = self.bench.data, self.bench.data.zero_bias
        events = self._scores(task, found, data.x_test)
        background = events if bias is None else self._scores(task, self._ask(bias.x), bias.x)
        hz = LHC_CROSSING_HZ if bias is None else bias.hz
        rows = []
        for name, x in data.signals.items():
            signal = self._scores(task, self._ask(x), x)
            both = {side: np.concatenate([signal[side], background[side]]) for side in signal}
            chosen = np.arange(len(both["csim"])) < len(signal["csim"])
            rows.append(against_rest(name, both, chosen, self._rates(hz)))
        return {"score": binned(background), **({"classes": rows} if rows else {})}

    def _ask(self, x: Any) -> dict[str, Any]:
        return {side: np.asarray(who.ask(x)[self.place], np.float64) for side, who in self.sides.items()}

    def _scores(self, task: Anomaly, found: Mapping[str, Any], x: Any) -> dict[str, Any]:
        truth = self.question.input_of(x) if isinstance(task, Autoencoder) else None
        return {side: task.score(values, truth) for side, values in found.items()}

    def _names(self) -> tuple[str, ...]:
        """Names of classes or columns; those of the data, where they are of this output."""
        classes, alone = self.bench.data.classes, len(self.sides["csim"].thresholds) == 1
        return classes if alone or len(classes) == self.question.output.width else ()

    def _rates(self, hz: float | None = None) -> tuple[float, ...]:
        """Shares of the background that limits ask for; those told as a rate are one of ``hz``, all events together."""
        prefix = self.bench.jury.purpose.prefix(self.place)
        names = [name.removeprefix(prefix) for name in self.bench.jury.wanted if name.startswith(prefix)]
        asked = [found for found in all_asked(names) if found.kind == "efficiency"]
        shares = [
            found.number if found.hz is None else 0.0 if hz is None else found.hz / hz for found in asked
        ]
        return tuple(sorted({share for share in shares if 0 < share < 1}))


def _each(given: Any) -> list[Any]:
    """The arrays of a split in their order; none of nothing."""
    return [] if given is None else list(several.arrays_of(given))
