"""The best epoch: validation scores, and floors under the efficiency of rare classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from pquant_hls.errors import DataError, SpecError
from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.train.answers import is_compiled_well, traced
from pquant_hls.train.metrics import accuracy, cross_entropy, efficiency_at
from pquant_hls.train.records import Array, Parts, TrainingData, is_empty
from pquant_hls.train.targets import OutputTarget, meanings, targets_of

RARE = 0.8
"""A class is rare below this share of the average class."""
TRACED_FROM, COMPILED_FROM = 10, 100
"""Epochs from which on tracing the model, a fraction of a second, is won back, and compiling it, half a second more."""


class Judge:
    """Scores each epoch on the validation part and keeps the best weights."""

    def __init__(
        self, model: keras.Model, data: TrainingData, config: TrainingConfig, teacher: keras.Model | None
    ) -> None:
        self.model, self.config = model, config
        compiled = config.epochs >= COMPILED_FROM and is_compiled_well(model)
        self.run = traced(model, compiled=compiled) if config.epochs >= TRACED_FROM else None
        seen = validation(data)
        self.x, self.targets = seen.x_val, targets_of(model, seen, config, "val")
        self.labelled = self.targets[0].labels is not None
        self.weights_of_events = getattr(seen, "w_val", None)
        self.soft = (
            meanings(teacher, self.x, self.targets) if teacher is not None and not self.labelled else None
        )
        self.rare = rare_indices(self.targets, config, data)
        self.floors = self._floors(teacher)
        self.floors_met: bool | None = None
        self.best = self.standing = (-math.inf, -math.inf)
        self.best_epoch, self.weights = 0, model.get_weights()
        self.see(0)

    def _floors(self, teacher: keras.Model | None) -> dict[int, float]:
        if not self.rare:
            return {}
        before = self._efficiencies(
            meanings(self.model if teacher is None else teacher, self.x, self.targets)
        )
        return {index: value - self.config.max_efficiency_loss for index, value in before.items()}

    def _efficiencies(self, found: Sequence[Array]) -> dict[int, float]:
        rate, labels = self.config.background_rate, self.targets[0].labels
        return {
            index: efficiency_at(likeness(found[0], index), labels == index, rate).value
            for index in self.rare
        }

    def see(self, epoch: int) -> tuple[float | None, float | None]:
        """Validation loss and accuracy now; remembers the weights if they are the best so far.

        The best epoch breaks the floors least, then has the best score.
        """
        found = meanings(self.model, self.x, self.targets, self.run)
        figures, score = self._figures(found) if self.labelled else ((None, None), -self._distance(found))
        protected = self._efficiencies(found)
        missing = sum(max(0.0, self.floors[i] - now) for i, now in protected.items())
        self.standing = (-missing, score)
        if self.standing > self.best:
            self.best, self.best_epoch = self.standing, epoch
            self.weights = self.model.get_weights()
            self.floors_met = missing <= 0 if self.floors else None
        return figures

    def _figures(self, found: Sequence[Array]) -> tuple[tuple[float | None, float | None], float]:
        """(loss, accuracy), summed and averaged over outputs, and the score that the best epoch maximizes."""
        pairs = [
            _scored(target, values, self.weights_of_events)
            for target, values in zip(self.targets, found, strict=True)
        ]
        loss = sum(
            target.output.weight(self.config) * part
            for target, (part, _) in zip(self.targets, pairs, strict=True)
        )
        shares = [share for _, share in pairs if share is not None]
        mean = sum(shares) / len(shares) if shares else None
        by_share = self.config.monitor == "accuracy" and len(shares) == len(pairs)
        return (loss, mean), mean if by_share and mean is not None else -loss

    def _distance(self, found: Sequence[Array]) -> float:
        """Mean squared distance from the teacher's answers, summed over outputs."""
        if self.soft is None:
            return float("inf")
        return sum(float(((one - other) ** 2).mean()) for one, other in zip(found, self.soft, strict=True))

    def restore(self) -> None:
        self.model.set_weights(self.weights)


def _scored(target: OutputTarget, found: Array, weights: Any = None) -> tuple[float, float | None]:
    """Loss of one output, and its accuracy (None for values); ``weights`` are those of the events."""
    labels = np.asarray(target.labels)
    if target.task == "classes":
        spread = None if weights is None else np.repeat(weights, labels.size // len(labels))
        share = accuracy(found, labels.ravel(), weights=spread).value
        return cross_entropy(found, labels.ravel(), weights=spread), share
    each = (found - labels) ** 2
    if target.task == "values":
        return _mean(each, weights), None
    sure = np.clip(np.where(labels == 1, found, 1 - found), 1e-7, 1.0)
    return _mean(-np.log(sure), weights), _mean((found > 0.5) == (labels == 1), weights)


def _mean(each: Array, weights: Any) -> float:
    """Mean over all values of (events, ...), events by their weights."""
    return float(np.average(each.reshape(len(each), -1).mean(axis=1), weights=weights))


def likeness(found: Array, index: int) -> Array:
    """How alike events are to one class: its column, or of one column p for class 1 and 1 - p for class 0."""
    if found.shape[-1] > 1:
        return found[..., index].ravel()
    return found.ravel() if index == 1 else 1 - found.ravel()


def validation(data: TrainingData) -> TrainingData:
    """The data with a validation part: the training part where there is none, or none with the labels that
    training has.
    """
    if not is_empty(data.x_val) and (data.y_val is not None or data.y_train is None):
        return data
    classes, weights = tuple(getattr(data, "classes", ())), getattr(data, "w_train", None)
    targets = tuple(getattr(data, "targets", ()))
    return Parts(data.x_train, data.y_train, data.x_train, data.y_train, classes, weights, weights, targets)


def with_floors(config: TrainingConfig, targets: Sequence[OutputTarget]) -> TrainingConfig:
    """The configuration with ``preserve_rare_classes`` spelt out, by the training labels in ``targets``.

    Floors, and the best epoch by loss: accuracy hardly sees a rare class, and an efficiency of few events is noise.
    """
    if not config.preserve_rare_classes:
        return config
    labels, count = targets[0].labels, max(2, targets[0].output.width)
    if config.rare_classes or labels is None or len(targets) > 1 or targets[0].task != "classes":
        # Without labels or classes any will do: rare_indices refuses the model or the data for all of them.
        return config.with_(monitor="loss", rare_classes=config.rare_classes or (0,))
    counts = np.bincount(labels.ravel(), minlength=count)
    signals = [1] if count == 2 else list(range(count))
    rare = [index for index in signals if counts[index] < RARE * counts.mean()]
    return config.with_(monitor="loss", rare_classes=tuple(rare or signals))


def rare_indices(targets: Sequence[OutputTarget], config: TrainingConfig, data: Any) -> list[int]:
    """Numbers of the rare classes.

    Raises SpecError for an unknown one or a model without one output of classes, DataError for one that has no
    events to be judged by, or without labels.
    """
    if not config.rare_classes:
        return []
    if targets[0].labels is None:
        raise DataError("floors need labels", where="rare_classes")
    if len(targets) != 1 or targets[0].task != "classes":
        raise SpecError("floors are for models of one output that tells classes apart", where="rare_classes")
    names = [str(name) for name in getattr(data, "classes", ())]
    count, labels, found = max(2, targets[0].output.width), targets[0].labels, []
    for wanted in config.rare_classes:
        index = names.index(wanted) if wanted in names else wanted
        if not isinstance(index, int) or not 0 <= index < count:
            known = ", ".join(names) if names else f"numbers 0 to {count - 1}"
            raise SpecError(f"unknown class {wanted!r}", where="rare_classes", mend=f"classes: {known}")
        if not 0 < int((labels == index).sum()) < labels.size:
            raise DataError(
                f"the validation part needs events of class {wanted!r} and of others", where="rare_classes"
            )
        found.append(index)
    return found
