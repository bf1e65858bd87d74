"""What the page of a run draws and the record of its design does not hold: ``handover/figures.json``.

It says what was run, when and on what, and what csim gave beside the float model. No digest of a run counts it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.csim import Library, predict
from pquant_hls.datasets import Dataset
from pquant_hls.datasets.records import SPLITS
from pquant_hls.engine.bench import Bench
from pquant_hls.engine.curves import class_curves, confusion
from pquant_hls.engine.score import rates_of
from pquant_hls.network import heads_of, keras_predict
from pquant_hls.qor import FixedPointGraph
from pquant_hls.qor.ranges import ValueRange, value_range

TRACED_EVENTS = 1000
TRACED_VALUES = 20_000_000
"""The most values of all layers together that are looked at: 160 MB of doubles."""


def pictured(bench: Bench, library: Library, outputs: Any) -> dict[str, Any]:
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
    return {**found, **_decisions(bench, library, outputs)}


def command_given(words: list[str]) -> str | None:
    """The command line of this process as a shell reads it; None where it is not one of ours."""
    name = Path(words[0]).name if words else ""
    if name == "__main__.py" and Path(words[0]).parent.name == "pquant_hls":
        name = "pquant-hls"
    return shlex.join(["pquant-hls", *words[1:]]) if name == "pquant-hls" else None


def _data(data: Dataset) -> dict[str, Any]:
    events = {which: len(data.split(which)[0]) for which in SPLITS}
    return {"name": data.name, "classes": list(data.classes), "events": events}


def _ranges(bench: Bench, library: Library) -> Iterator[ValueRange]:
    """Inputs and results of all layers on events of the test split."""
    graph = library.project.graph
    if graph is None:
        return
    x = bench.data.x_test[: _events(graph)]
    _, traces = predict(library, x, trace=True)
    if len(graph.inputs) == 1:
        yield value_range(graph.inputs[0].name, "input", graph.inputs[0].result, x)
    for node in graph.nodes:
        if node.name in traces and not node.is_input:
            yield value_range(node.name, "result", node.result, traces[node.name]).with_(beyond=None)


def _events(graph: FixedPointGraph) -> int:
    each = sum(int(np.prod(node.shape)) for node in graph.nodes)
    return max(1, min(TRACED_EVENTS, TRACED_VALUES // max(1, each)))


def _decisions(bench: Bench, library: Library, outputs: Any) -> dict[str, Any]:
    """Curves of a classifier; nothing without class numbers or with several outputs."""
    labels = bench.data.y_test
    if labels is None or isinstance(outputs, list) or np.asarray(labels).dtype.kind not in "iu":
        return {}
    labels, csim = np.asarray(labels).reshape(-1), np.asarray(outputs).reshape(len(outputs), -1)
    classes, keep = bench.data.classes, bench.hls.keep_softmax
    floating = keras_predict(bench.teacher, bench.data.x_test, keep_softmax=keep)
    sides = {"float": np.asarray(floating, np.float64).reshape(len(csim), -1), "csim": csim}
    if sides["float"].shape != csim.shape or labels.max(initial=0) >= max(csim.shape[1], 2):
        return {}
    probable = {
        "float": keep and heads_of(bench.teacher)[0] != "linear",
        "csim": _is_probability(library.project.graph),
    }
    tables = {
        side: confusion(scores, labels, max(csim.shape[1], 2), threshold=0.5 if probable[side] else 0.0)
        for side, scores in sides.items()
    }
    return {"classes": class_curves(sides, labels, classes, rates_of(bench.gates)), "confusion": tables}


def _is_probability(graph: FixedPointGraph | None) -> bool:
    return graph is not None and graph.node(graph.outputs[0]).op in {"sigmoid", "hard_sigmoid"}
