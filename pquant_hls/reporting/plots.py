"""The pictures of a run by name, for a page and for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pquant_hls.qor import QoR
from pquant_hls.reporting import of_classes, of_layers, of_search, of_training, of_values
from pquant_hls.reporting.figure import Picture
from pquant_hls.reporting.recorded import curves_of, figures_of, graph_of, missing, ranges_of
from pquant_hls.reporting.run import RunReport, read_run
from pquant_hls.reporting.verdict import read_qor


@dataclass(frozen=True)
class Plots:
    """The pictures of one run folder, each made when it is asked for.

    Every method returns a ``Picture``, which a notebook shows and ``save`` writes; it raises NotMeasured, with a word, for what
    the run did not record.
    """

    run: RunReport

    @classmethod
    def of(cls, folder: str | Path) -> Plots:
        """Those of a run folder; raises OutputError where there is no run in it."""
        return cls(read_run(Path(folder)))

    @property
    def _qor(self) -> QoR:
        if self.run.qor is None:
            raise missing("a design")
        return read_qor(self.run.qor)

    def layers(self) -> Picture:
        """Where the nanoseconds go, layer by layer."""
        return of_layers.time_figure(self._qor)

    def logic(self) -> Picture:
        """Where the LUT go, layer by layer."""
        return of_layers.logic_figure(self._qor)

    def part(self) -> Picture:
        """The share of the part that the design takes."""
        return of_layers.part_figure(self._qor)

    def bits(self) -> Picture:
        """Bits of the weights, and the share of them that is 0, layer by layer."""
        return of_layers.bits_figure(graph_of(self.run))

    def ranges(self, of: str = "") -> Picture:
        """Values against their types: of ``weights``, of ``activations``, or both."""
        found = ranges_of(self.run)
        chosen = {
            "weights": [row for row in found if row.what not in ("input", "result")],
            "activations": [row for row in found if row.what in ("input", "result")],
        }.get(of, found)
        return of_layers.ranges_figure(chosen, f"Ranges of {of or 'values'}")

    def roc(self, output: str | None = None) -> Picture:
        """ROC curves by class, csim and float; of the first output of classes where none is named."""
        return of_classes.roc_figure(self._classes(output))

    def scores(self, output: str | None = None) -> list[Picture]:
        """The distribution of each class's score."""
        return of_classes.score_figures(self._classes(output))

    def confusion(self, output: str | None = None) -> Picture:
        """Which class is taken for which."""
        names = (figures_of(self.run).get("data") or {}).get("classes") or ()
        return of_classes.confusion_figure(self._classes(output), names)

    def _classes(self, output: str | None) -> dict[str, Any]:
        """The record of an output of classes."""
        found = [row for row in curves_of(self.run) if "classes" in row and output in (None, row["name"])]
        if not found:
            raise missing("curves of classes" if output is None else f"curves of classes of {output}")
        return found[0]

    def physics(self) -> list[Picture]:
        """What is asked of the outputs, output by output: curves of classes, residuals of values, scores without labels."""
        rows = curves_of(self.run)
        found = [(row["name"], figure) for row in rows for figure in self._of_output(row)]
        if not found:
            raise missing("curves of the outputs")
        return [
            replace(figure, title=f"{name}: {figure.title}") if len(rows) > 1 else figure
            for name, figure in found
        ]

    def _of_output(self, row: dict[str, Any]) -> Iterator[Picture]:
        if "classes" in row:
            yield self.roc(row["name"])
            yield from [self.confusion(row["name"])] if "confusion" in row else []
            yield from self.scores(row["name"])
        yield from of_values.residual_figures(row)
        yield from of_values.score_figure(row)

    def rounds(self) -> Picture:
        """The latency of each round or trial."""
        return of_search.latency_figure(self.run)

    def accuracies(self) -> Picture:
        """The accuracy of each round or trial."""
        return of_search.accuracy_figure(self.run)

    def fronts(self) -> Picture:
        """Accuracy over latency of all designs, and their Pareto front."""
        return of_search.front_figure(self.run)

    def importance(self) -> Picture:
        """What the parameters of a study were worth."""
        return of_search.importance_figure(self.run)

    def loss(self) -> Picture:
        """The loss, epoch by epoch."""
        return of_training.learning_figure(self.run, "loss")

    def learning(self) -> Picture:
        """The accuracy on the validation split, epoch by epoch."""
        return of_training.learning_figure(self.run, "val_accuracy")
