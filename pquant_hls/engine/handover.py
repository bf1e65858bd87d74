"""What a run leaves: the HLS project, the model, the QoR and golden vectors, in one place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pquant_hls.csim import build
from pquant_hls.datasets import several
from pquant_hls.decide import Verdict
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.events import Event
from pquant_hls.engine.jury import csim_witness, first_of
from pquant_hls.engine.pictured import pictured
from pquant_hls.engine.score import Score, errors_of, qualities
from pquant_hls.errors import NotMeasured
from pquant_hls.golden import record, write_testbench
from pquant_hls.hls import load_project
from pquant_hls.measure.by_verilog import FOLDER as RTL
from pquant_hls.network import model_digest, save_model
from pquant_hls.qor import QoR
from pquant_hls.reporting import Plots, frame, read_run, result_html
from pquant_hls.store import Entry, write_json

if TYPE_CHECKING:
    from pandas import DataFrame

    from pquant_hls.network.model import Model

GOLDEN_VECTORS = 256
FOLDER = "handover"
GOLDEN = "project.golden"
FIGURES = "figures.json"


@dataclass(frozen=True)
class CompressionResult:
    """The end of a run; it unpacks, indexes and counts as ``parts``, whose types are known to a type checker.

    ``model`` is the QKeras model handed over, ``qor`` its record with csim accuracy on the test split in
    ``metrics["test_accuracy"]``, ``history`` what the policy did, ``folder`` the run folder, ``reason`` why it stopped,
    ``basis`` what the verdict rests on.
    ``baseline_accuracy`` is the float Keras model's, a share of the validation split. ``ratio`` is the compression
    ratio, ``best_config`` a study's winner, ``results`` figures by class: None where a run has none.
    """

    model: Model
    qor: QoR
    verdict: Verdict
    history: tuple[Entry, ...]
    folder: Path
    reason: str = ""
    baseline_accuracy: float | None = None
    ratio: float | None = None
    best_config: dict[str, Any] | None = None
    results: dict[str, Any] | None = None
    basis: str = ""

    @property
    def plot(self) -> Plots:
        """The pictures of the run: ``plot.layers()``, ``.fronts()``, ``.ranges()``, ``.roc()`` and more, each a figure that a
        notebook shows and ``save`` writes."""
        return Plots.of(self.folder)

    @property
    def rounds(self) -> DataFrame:
        """A pandas frame with a row for each thing that the run did (``reporting.frame``)."""
        return frame(read_run(self.folder))

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict, the figures, where the nanoseconds go."""
        return result_html(read_run(self.folder))

    def parts(self) -> tuple[Any, ...]:
        """model, qor, verdict, history, folder; other pipelines' results have parts of their own."""
        return self.model, self.qor, self.verdict, self.history, self.folder

    def __iter__(self) -> Iterator[Any]:
        return iter(self.parts())

    def __len__(self) -> int:
        return len(self.parts())

    def __getitem__(self, index: int) -> Any:
        return self.parts()[index]


class StudyResult(CompressionResult):
    """Of a study: unpacks to (model, best_config)."""

    @property
    def trials(self) -> DataFrame:
        """A pandas frame with a row for each trial: its parameters, figures, standing and the limits that it broke."""
        return frame(read_run(self.folder), kinds=("trial",))

    def parts(self) -> tuple[Model, dict[str, Any] | None]:
        return self.model, self.best_config


class TriggerResult(CompressionResult):
    """Of ``compress_trigger_model``: unpacks to (model, qor, history)."""

    def parts(self) -> tuple[Model, QoR, tuple[Entry, ...]]:
        return self.model, self.qor, self.history


class TaggerResult(CompressionResult):
    """Of ``compress_jet_tagger``: unpacks to (model, results by class)."""

    def parts(self) -> tuple[Model, dict[str, Any] | None]:
        return self.model, self.results


class ValidationResult(CompressionResult):
    """Of a validation: unpacks to (model, history)."""

    def parts(self) -> tuple[Model, tuple[Entry, ...]]:
        return self.model, self.history


def hand_over(bench: Bench, best: Point, verdict: Verdict, searched: Mapping[str, Any] | None = None) -> QoR:
    """Write project, model, ``qor.json``, ``figures.json`` and golden vectors of ``best`` under ``handover/``; returns
    the final QoR.

    The test split is read here, once, through csim of the very project that is handed over.
    """
    if best.project is None or best.qor is None:
        raise NotMeasured("the point to hand over was never measured", where=best.digest[:12])
    bench.listen(Event("stage", "hand over"))
    with bench.run.work(FOLDER) as folder:
        shutil.copytree(best.project.path, folder / "project")
        if (verilog := best.project.path.parent / RTL).is_dir():
            shutil.copytree(verilog, folder / RTL)
        save_model(best.model, folder / "model.keras")
        project = load_project(folder / "project")
        library = build(project, cache=bench.run.path / "cache")
        firmware = csim_witness(library, best.model, project.spec or bench.hls)
        outputs = firmware.ask(bench.data.x_test)
        few = slice(GOLDEN_VECTORS)
        first = several.take_rows(bench.data.x_test, few)
        write_testbench(project, first, first_of(outputs, few))
        record(project, first, cache=bench.run.path / "cache").save(folder / GOLDEN)
        # A test split that is the validation split over again tells nothing new.
        own = bench.data.meta.get("test") != "validation"
        test = bench.jury.score(firmware, "test", outputs) if own else Score({})
        teacher = Point(bench.teacher, model_digest(bench.teacher))
        floating = bench.score(teacher, "test") if own else Score({})
        more = {
            "baseline_accuracy": bench.baseline_accuracy,
            "test_accuracy": test.value(),
            "test_accuracy_float": floating.value(),
            **errors_of(test, floating, "test_"),
        }
        seen = qualities(test, floating, bench.jury.kept(test)) if own else {}
        qor = best.qor.with_(metrics={**best.qor.metrics, **more}, quality_test=seen)
        write_json(folder / "qor.json", {**qor.model_dump(mode="json"), "verdict": str(verdict)})
        write_json(
            folder / FIGURES,
            {**pictured(bench, library, firmware, outputs), "design": best.digest, **(searched or {})},
        )
    return qor
