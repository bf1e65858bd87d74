"""What each output is trained towards: class numbers, flags, or values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from pquant_hls.errors import DataError
from pquant_hls.network.table import Head, heads_of, output_names, scored_names
from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.train.answers import Run, as_probabilities, predict
from pquant_hls.train.records import Array, TrainingData, fits, inputs_of, labels_by_output

Target = Literal["classes", "flags", "values"]
"""One class of several (or of two, by one column); a yes or no for each column; numbers to be met."""


@dataclass(frozen=True)
class Output:
    """One output of a model: its name, the name of the layer whose scores it shows, its head, its shape without
    the batch axis.
    """

    name: str
    alias: str
    head: Head
    shape: tuple[int | None, ...]

    @property
    def width(self) -> int:
        """Values in the last axis."""
        return int(self.shape[-1] or 1)

    def weight(self, config: TrainingConfig) -> float:
        """Weight of this output's loss."""
        return config.output_weights.get(self.name, config.output_weights.get(self.alias, 1.0))

    def kind(self, config: TrainingConfig) -> str:
        """What the configuration says of this output's labels."""
        given = config.targets
        return given if isinstance(given, str) else given.get(self.name, given.get(self.alias, "auto"))


@dataclass(frozen=True)
class OutputTarget:
    """What one output is trained towards.

    ``labels`` are None, or for classes int64 (events, ...), the output's shape less its last axis; for flags
    and values float32 (events, ..., width).
    """

    output: Output
    task: Target
    labels: Array | None = None

    def meant(self, found: Array, head: Head | None = None) -> Array:
        """Outputs as what they mean, float64: probabilities, or values as they are."""
        if self.task == "values":
            return found.astype(np.float64)
        return as_probabilities(found, self.output.head if head is None else head)


def outputs_of(model: keras.Model) -> tuple[Output, ...]:
    """The model's outputs in its own order."""
    names = output_names(model)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    for name, shape in zip(names, shapes, strict=True):
        if not shape:
            raise DataError("an output needs at least one axis beside that of events", where=name)
    return tuple(map(Output, names, scored_names(model), heads_of(model), shapes))


def targets_of(
    model: keras.Model, data: TrainingData, config: TrainingConfig, part: str = "train"
) -> tuple[OutputTarget, ...]:
    """One target for each output; what kind it is follows from the training labels, whatever the part
    (where there are none, from the validation labels).

    Raises DataError for labels that do not fit the outputs, naming the first that does not.
    """
    outputs = outputs_of(model)
    first, where = (data.y_val, "y_val") if data.y_train is None else (data.y_train, "y_train")
    told = labels_by_output(model, first, where)
    known = getattr(data, "targets", ()) or ("auto",) * len(outputs)
    tasks = [_task(output, y, config, kind) for output, y, kind in zip(outputs, told, known, strict=True)]
    x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
    if y is None:
        return tuple(map(OutputTarget, outputs, tasks))
    events, classes = len(inputs_of(model, x)[0]), [str(name) for name in getattr(data, "classes", ())]
    given = labels_by_output(model, y, f"y_{part}")
    found = []
    for output, task, labels in zip(outputs, tasks, given, strict=True):
        where = f"y_{part}" if len(outputs) == 1 else f"y_{part}.{output.name}"
        read = (
            class_labels(output, labels, classes, where)
            if task == "classes"
            else value_labels(output, labels, where)
        )
        if len(read) != events:
            raise DataError(f"{len(read)} labels for {events} events", where=where)
        if task == "flags" and not ((read == 0) | (read == 1)).all():
            raise DataError("a sigmoid's labels are 0 or 1", where=where)
        found.append(OutputTarget(output, task, read))
    return tuple(found)


def meanings(
    model: keras.Model, x: Any, targets: Sequence[OutputTarget], run: Run | None = None
) -> list[Array]:
    """All outputs of a model as what they mean (``Target.meant``); the model may have heads of its own. ``run`` as for
    ``predict``."""
    found = zip(targets, predict(model, x, run), heads_of(model), strict=True)
    return [target.meant(values, head) for target, values, head in found]


def _task(output: Output, y: Any, config: TrainingConfig, known: str = "auto") -> Target:
    """What labels are: as the configuration says, else as the data set does, else by their looks."""
    kind = output.kind(config)
    if kind == "values":
        return "values"
    if kind == "auto" and known in ("classes", "flags", "values"):
        return known  # type: ignore[return-value]  # one of these
    if y is None:
        return "flags" if output.head == "sigmoid" and output.width > 1 else "classes"
    labels = np.asarray(y)
    wide = output.width > 1 and labels.ndim == len(output.shape) + 1 and labels.shape[-1] == output.width
    if output.head == "sigmoid" and wide:
        return "flags"
    if kind == "auto" and output.head == "linear" and labels.dtype.kind == "f":
        return "classes" if _whole(labels) and not (wide and _not_one_hot(labels).any()) else "values"
    return "classes"


def _whole(labels: Array) -> bool:
    return bool(np.isfinite(labels).all() and (labels == np.floor(labels)).all())


def _not_one_hot(rows: Array) -> Array:
    """Which rows hold anything but one 1 and zeros."""
    one_hot: Array = ((rows == 0) | (rows == 1)).all(axis=-1) & (rows.sum(axis=-1) == 1)
    return ~one_hot


def class_labels(output: Output, y: Any, classes: Sequence[str], where: str) -> Array:
    """Class numbers int64 (events, ...) from numbers, one-hot rows or names."""
    labels = _named(np.asarray(y), classes, where)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"labels are {labels.dtype}, not class numbers", where=where)
    if labels.ndim == len(output.shape) + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.ndim == len(output.shape) + 1 and labels.shape[-1] == output.width:
        wrong = _not_one_hot(labels)
        if wrong.any():
            row = labels[tuple(np.argwhere(wrong)[0])]
            raise DataError(
                f"{row.tolist()} is not one-hot, nor are {int(wrong.sum()) - 1} others",
                where=where,
                mend="give one 1 for each event, class numbers, or set targets: values",
            )
        labels = labels.argmax(axis=-1)
    if labels.ndim == 0 or not fits(labels.shape[1:], output.shape[:-1]):
        raise DataError(f"labels of shape {labels.shape} for an output of shape {output.shape}", where=where)
    count = max(2, output.width)
    wrong = ~((labels >= 0) & (labels < count) & (labels == np.floor(labels)))
    if wrong.any():
        raise DataError(
            f"label {labels[wrong][0]} is none of the classes 0 to {count - 1}, nor are "
            f"{int(wrong.sum()) - 1} others",
            where=where,
            mend="give class numbers from 0, or set targets: values for numbers to be met",
        )
    return labels.astype(np.int64)


def _named(labels: Array, classes: Sequence[str], where: str) -> Array:
    """Names of classes as their numbers."""
    if labels.dtype.kind not in "USO":
        return labels
    strange = sorted({str(name) for name in labels.ravel()} - set(classes))
    if strange:
        known = f"the classes {', '.join(classes)}" if classes else "class numbers"
        raise DataError(
            f"label {strange[0]!r} is not among {known}",
            where=where,
            mend="give class numbers, or name the classes in the data set's classes",
        )
    return np.array([classes.index(str(name)) for name in labels.ravel()]).reshape(labels.shape)


def value_labels(output: Output, y: Any, where: str) -> Array:
    """Labels float32 (events, ..., width)."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"labels are {labels.dtype}, not numbers", where=where)
    if output.width == 1 and labels.ndim == len(output.shape):
        labels = labels[..., None]
    if labels.ndim == 0 or not fits(labels.shape[1:], output.shape):
        raise DataError(f"labels of shape {labels.shape} for an output of shape {output.shape}", where=where)
    if not np.isfinite(labels).all():
        raise DataError("labels hold NaN or infinity", where=where)
    return labels.astype(np.float32)
