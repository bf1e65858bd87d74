"""What a run folder holds beside ledger and record: the design's graph, its curves, the epochs of its trainings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedPointGraph
from pquant_hls.qor.ranges import ValueRange, weight_ranges
from pquant_hls.reporting.run import QOR, RunReport
from pquant_hls.store import Entry, read_json

FIGURES = QOR.with_name("figures.json")
GRAPH = QOR.parent / "project" / "pquant_graph.zip"
EPOCHS = "epochs.json"


def missing(what: str) -> NotMeasured:
    """The words for a part that a run does not hold."""
    return NotMeasured(f"{what}: not recorded by this run")


def figures_of(run: RunReport) -> dict[str, Any]:
    """What was written for pictures at hand-over; empty for a run that did not end, or of a version that wrote none."""
    path = run.folder / FIGURES
    return read_json(path) if path.is_file() else {}


def curves_of(run: RunReport) -> list[dict[str, Any]]:
    """The curves of each output, as ``engine.pictured`` wrote them."""
    return list(figures_of(run).get("outputs") or ())


def graph_of(run: RunReport) -> FixedPointGraph:
    """The design that was handed over; NotMeasured where there is none."""
    path = run.folder / GRAPH
    if not path.is_file():
        raise missing("the design's graph")
    return FixedPointGraph.load(path)


def ranges_of(run: RunReport) -> list[ValueRange]:
    """Ranges of inputs and results on events, as recorded; of the weights as the design has them."""
    seen = [ValueRange.model_validate(found) for found in figures_of(run).get("ranges", ())]
    try:
        return [*weight_ranges(graph_of(run)), *seen]
    except NotMeasured:
        return seen


def steps_taken(run: RunReport) -> list[Entry]:
    """The steps from the original to the design that was handed over, or to the last one made, in their order."""
    made = {entry.digest: entry for entry in run.records if entry.kind == "step"}
    final = run.final
    end = figures_of(run).get("design") or (None if final is None else final.digest)
    if end not in made:
        end = next(reversed(made), None)
    found: list[Entry] = []
    while end in made:
        found.insert(0, made.pop(end))
        end = found[0].parent
    return found


def epochs_of(run: RunReport) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(step, epochs) of each training on the way to the design; figures as in ``train.EpochReport``."""
    for entry in steps_taken(run):
        folder = run.folder / str(entry.settings.get("folder"))
        places = (
            folder / EPOCHS,
            folder.parent / EPOCHS,
        )  # a training of many designs keeps one for all of them
        path = next((path for path in places if path.is_file()), None)
        if path is not None:
            yield entry.name, list(read_json(path)["epochs"])
