"""What the page of a run draws and the record of its design does not hold: ``handover/figures.json``.

It says what was run, when and on what, and what csim gave beside the float model. No digest of a run counts it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.csim import Library, predict
from pquant_hls.datasets import Dataset
from pquant_hls.datasets.records import SPLITS
from pquant_hls.engine.bench import Bench
from pquant_hls.engine.curves import binned, class_curves, confusion, value_curves
from pquant_hls.engine.gates import rates_of
from pquant_hls.network import heads_of
from pquant_hls.network.reference import reference
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
    return {**found, "outputs": list(_outputs(bench, library, outputs))}


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


def _outputs(bench: Bench, library: Library, outputs: Any) -> Iterator[dict[str, Any]]:
    """The curves of each output: of classes, of values to be met, of a score without labels; no more than its name
    where it is none of these."""
    x, keep = bench.data.x_test, bench.hls.keep_softmax
    floats = reference(bench.teacher, x, keep_softmax=keep).outputs
    labels = _each(bench.data.y_test) or [None] * len(floats)
    given = outputs if isinstance(outputs, list) else [outputs]
    graph = library.project.graph
    for place, (csim, floating, truth) in enumerate(zip(given, floats, labels, strict=False)):
        sides = {"float": _table(floating), "csim": _table(csim)}
        name = f"output {place}" if graph is None else graph.outputs[place]
        head = heads_of(bench.teacher)[place]
        probable = {"float": keep and head != "linear", "csim": _is_probability(graph, place)}
        yield {
            "name": name,
            **_curves(sides, truth, bench, {side: 0.5 if it else 0.0 for side, it in probable.items()}),
        }


def _curves(sides: dict[str, Any], truth: Any, bench: Bench, thresholds: dict[str, float]) -> dict[str, Any]:
    width, events = sides["csim"].shape[1], len(sides["csim"])
    if sides["float"].shape != sides["csim"].shape:
        return {}
    if truth is None:
        return {"score": binned({side: scores[:, 0] for side, scores in sides.items()})} if width == 1 else {}
    labels = np.asarray(truth)
    if labels.dtype.kind in "iub" and labels.size == events and labels.max(initial=0) < max(width, 2):
        numbers, classes = labels.reshape(-1).astype(np.int64), bench.data.classes
        cells = {
            side: confusion(scores, numbers, max(width, 2), threshold=thresholds[side])
            for side, scores in sides.items()
        }
        return {"classes": class_curves(sides, numbers, classes, rates_of(bench.gates)), "confusion": cells}
    wanted = _table(labels.astype(np.float64)) if labels.dtype.kind == "f" else None
    return (
        {"values": value_curves(sides, wanted)}
        if wanted is not None and wanted.shape == sides["csim"].shape
        else {}
    )


def _table(values: Any) -> Any:
    """float64 (events, columns)."""
    found = np.asarray(values, np.float64)
    return found.reshape(len(found), -1)


def _each(given: Any) -> list[Any]:
    """The arrays of a split in their order: one, a list, or a mapping by name; none of nothing."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return list(given.values())
    return list(given) if isinstance(given, list | tuple) else [given]


def _is_probability(graph: FixedPointGraph | None, place: int) -> bool:
    return graph is not None and graph.node(graph.outputs[place]).op in {"sigmoid", "hard_sigmoid"}
