"""Fine-tuning: labels, a teacher, or both; rare classes kept by a floor on their efficiency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from pquant_hls.compress.cost import DesignCost
from pquant_hls.compress.held import structure_held
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.decide import Lock, Verdict
from pquant_hls.errors import DataError
from pquant_hls.qor import FixedPointGraph
from pquant_hls.spec.steps import FineTuneConfig, TrainingConfig
from pquant_hls.train import TrainingHistory, check_training, fit, probabilities, targets_of, validation
from pquant_hls.train.metrics import class_metrics


class FineTuning(Step[FineTuneConfig]):
    """Train on from the present weights; zeros stay zero and the best validation epoch is restored."""

    Config = FineTuneConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Needs data; see ``models.fit`` for what it raises."""
        if data is None:
            raise DataError("fine-tuning needs data", mend="give at least a sample of inputs and a teacher")
        check_training(model, data, self.config, self.teacher)
        held = structure_held(model) if self.config.lock == "structure" else ()
        locked = Lock.of(self._graph(model)) if held else None
        before = class_figures(model if self.teacher is None else self.teacher, data, self.config, "before")
        history = fit(model, data, self.config, teacher=self.teacher, progress=self.progress, held=held)
        after = class_figures(model, data, self.config, "after")
        notes = (*training_notes(history), *(() if locked is None else self._broken(locked, model)))
        return Outcome(model, notes, {**training_figures(history), **before, **after})

    def _graph(self, model: keras.Model) -> FixedPointGraph:
        cost = self.estimator()
        return (cost if isinstance(cost, DesignCost) else DesignCost()).graph(model)

    def _broken(self, locked: Lock, model: keras.Model) -> Iterator[str]:
        """What training moved all the same: types that follow from weights, factors that are no kernel's."""
        for check in locked.checks(self._graph(model)):
            if check.verdict is not Verdict.MET:
                yield f"{check.name}: {check.why}"


def training_figures(history: TrainingHistory) -> dict[str, float | None]:
    """Figures of one training: epochs run, the one restored and its validation scores."""
    best = next((report for report in history.epochs if report.epoch == history.best_epoch), None)
    return {
        "epochs": float(len(history.epochs)),
        "best_epoch": float(history.best_epoch),
        "val_accuracy": None if best is None else best.val_accuracy,
        "val_loss": None if best is None else best.val_loss,
    }


def training_notes(history: TrainingHistory) -> tuple[str, ...]:
    """Remarks on one training: floors of rare classes that do not hold."""
    return ("no epoch met the floors of all rare classes",) if history.floors_met is False else ()


def class_figures(
    model: keras.Model, data: Any, config: TrainingConfig, when: str
) -> dict[str, float | None]:
    """AUC and efficiency at the background rate of each class on the validation part, as ``auc_before:top``.

    Empty without labels, ``rare_classes`` and ``preserve_rare_classes``; each figure has its error beside it.
    """
    seen = validation(data)
    if not (config.rare_classes or config.preserve_rare_classes) or seen.y_val is None:
        return {}
    rate, labels = config.background_rate, targets_of(model, seen, config, "val")[0].labels
    found: dict[str, float | None] = {}
    classes = [str(name) for name in getattr(data, "classes", ())]
    for row in class_metrics(probabilities(model, seen.x_val), np.asarray(labels).ravel(), classes, [rate]):
        shown = {"auc": row.auc, f"efficiency_at_{rate:g}": row.efficiency[rate]}
        for name, value in shown.items():
            found[f"{name}_{when}:{row.name}"] = value.value
            found[f"{name}_{when}_error:{row.name}"] = value.error
    return found
