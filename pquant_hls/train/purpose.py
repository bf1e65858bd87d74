"""What is asked of a model: the task of each of its outputs, found from model and data, and the data as those tasks need
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.check import check_inputs, check_labels
from pquant_hls.datasets.records import SPLITS, Split
from pquant_hls.errors import DataError, SpecError
from pquant_hls.network.table import input_names, input_shapes
from pquant_hls.spec.model import unknown_key
from pquant_hls.train.answers import predict
from pquant_hls.train.metrics import has_both_sides
from pquant_hls.train.records import labels_by_output
from pquant_hls.train.targets import Output, class_labels, outputs_of, value_labels
from pquant_hls.train.tasks import TASKS, OutputTask

Array = NDArray[Any]
LOOKED_AT = 100
"""Events by which labels are taken for the inputs over again."""


@dataclass(frozen=True)
class Question:
    """One output with what is asked of it, and ``why`` that was found, in words."""

    output: Output
    task: OutputTask
    why: str

    def input_of(self, x: Any) -> Array:
        """Of a model's inputs the one that this output gives back: the first of its shape; DataError where none is."""
        for part in several.arrays_of(x):
            if part.shape[1:] == self.output.shape:
                return part
        raise DataError(
            f"no input has the output's shape {self.output.shape}",
            where=self.output.name,
            mend="say another task",
        )

    def unit(self, data: Dataset) -> str:
        """The unit of its values, as the data tell it."""
        return _of_output(data.unit, self.output)


@dataclass(frozen=True)
class Purpose:
    """The task of each output, in the model's order."""

    questions: tuple[Question, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is one output that tells classes apart."""
        return len(self.questions) == 1 and self.questions[0].task.name == "classes"

    def prefix(self, place: int) -> str:
        """What stands before the names of an output's figures: its own name and a dot where there are several."""
        return "" if len(self.questions) == 1 else f"{self.questions[place].output.name}."

    @property
    def headlines(self) -> tuple[str, ...]:
        """The figures that searches go by, one for each output."""
        return tuple(
            f"{self.prefix(place)}{question.task.headline}" for place, question in enumerate(self.questions)
        )

    @property
    def words(self) -> str:
        """The tasks and why they were taken for them."""
        told = (
            f"{f'output {question.output.name}: ' if len(self.questions) > 1 else ''}{question.task.name}"
            f" ({question.why})"
            for question in self.questions
        )
        return f"task: {'; '.join(told)}"

    def columns(self, place: int, data: Dataset) -> tuple[str, ...]:
        """Names of an output's classes or columns; those of the data, where they are of this output."""
        alone = len(self.questions) == 1
        return data.classes if alone or len(data.classes) == self.questions[place].output.width else ()

    def unread(self, data: Dataset) -> tuple[str, ...]:
        """In words, of which classes or columns the validation events of fitted data tell nothing: all of them are, or none."""
        y, said = data.split("val")[1], []
        for place, question in enumerate(self.questions if y is not None else ()):
            table = question.task.kinds(several.arrays_of(y)[place], question.output.width)
            names = dict(enumerate(self.columns(place, data)))
            one_sided = [str(names.get(i, i)) for i, kind in enumerate(table.T) if not has_both_sides(kind)]
            if one_sided:
                said.append(
                    f"{self.prefix(place)}{', '.join(one_sided)}: of the validation events none or all are: areas and "
                    "efficiencies, and the worst of them, leave that out"
                )
        return tuple(said)

    def fitted(self, model: keras.Model, data: Dataset) -> Dataset:
        """The data as the model's tasks need them: inputs and labels in the model's order, an autoencoder's inputs as its
        labels, the original's own answers as those of an anomaly score. The digest stays that of the data given.

        Raises DataError for inputs or labels that do not fit the model.
        """
        found = _ordered(model, data)
        check_inputs(found, input_shapes(model), input_names(model))
        if not self.is_plain:
            targets = tuple(question.task.towards for question in self.questions)
            return replace(self._relabelled(model, found), targets=targets)
        output = self.questions[0].output
        if found.y_train is not None and np.asarray(found.y_train).dtype.kind not in "iu":
            found = self._relabelled(model, found)
        if len(output.shape) == 1:
            check_labels(found, output.width)
        return found

    def _relabelled(self, model: keras.Model, data: Dataset) -> Dataset:
        labels = {which: self._labels(model, data, which) for which in SPLITS}
        return replace(data, **{f"y_{which}": found for which, found in labels.items()}, given=data.digest)

    def _labels(self, model: keras.Model, data: Dataset, which: Split) -> Any:
        x, y = data.split(which)
        answers = predict(model, x) if any(each.task.truth == "original" for each in self.questions) else []
        given = labels_by_output(model, y, f"y_{which}")
        found = [self._read(place, labels, data, which, (x, answers)) for place, labels in enumerate(given)]
        if any(labels is None for labels in found):
            return None
        return found[0] if len(found) == 1 else found

    def _read(
        self, place: int, labels: Any, data: Dataset, which: Split, seen: tuple[Any, Sequence[Array]]
    ) -> Array | None:
        question = self.questions[place]
        where = (
            f"{data.name or 'data'}: y_{which}{f'.{question.output.name}' if len(self.questions) > 1 else ''}"
        )
        if question.task.truth == "inputs":
            return question.input_of(seen[0])
        if question.task.truth == "original":
            return seen[1][place].astype(np.float32)
        if labels is None:
            return None
        if question.task.towards == "classes":
            found = class_labels(question.output, labels, data.classes, where)
        else:
            found = value_labels(question.output, labels, where)
        if len(found) != data.events(which):
            raise DataError(f"{len(found)} labels for {data.events(which)} events", where=where)
        if question.task.towards == "flags" and not ((found == 0) | (found == 1)).all():
            raise DataError("a flag's labels are 0 or 1", where=where, mend="say task: regression for values")
        return found


def purpose_of(model: keras.Model, data: Dataset, told: str | Mapping[str, str] = "") -> Purpose:
    """The task of each output of a model; ``told`` (of a recipe) goes before what the data tell, and both before what
    labels and outputs look like.

    Raises
    ------
    SpecError : an unknown task, or one told of an output that is not there.
    DataError : labels of outputs that the model does not have.
    """
    outputs = outputs_of(model)
    for where, given in (("task", told), ("data.task", data.task)):
        _check_told(given, outputs, where)
    labels = labels_by_output(model, data.y_train, "y_train")
    found = []
    for output, y in zip(outputs, labels, strict=True):
        name, said = _of_output(told, output), _of_output(data.task, output)
        if name or said:
            found.append(Question(output, TASKS[name or said], "as told" if name else "as the data tell"))
        else:
            name, why = _guessed(model, output, y, data)
            found.append(Question(output, TASKS[name], why))
    return Purpose(tuple(found))


def _check_told(told: str | Mapping[str, str], outputs: Sequence[Output], where: str) -> None:
    names = list(dict.fromkeys(name for output in outputs for name in (output.name, output.alias)))
    if isinstance(told, Mapping) and (strange := [name for name in told if name not in names]):
        raise SpecError(unknown_key(strange[0], names, "output"), where=where)
    for task in told.values() if isinstance(told, Mapping) else [told] if told else []:
        if task not in TASKS:
            raise SpecError(unknown_key(task, TASKS, "task"), where=where)


def _of_output(told: str | Mapping[str, str], output: Output) -> str:
    return told if isinstance(told, str) else told.get(output.name, told.get(output.alias, ""))


def _guessed(model: keras.Model, output: Output, y: Any, data: Dataset) -> tuple[str, str]:
    """(task, why) by the looks of labels and output."""
    shapes = input_shapes(model)
    mirrors = len(shapes) == 1 and output.shape == shapes[0] and output.head != "softmax"
    if y is None:
        return _unlabelled(output, data, mirrors=mirrors)
    labels = np.asarray(y)
    if mirrors and _is_input(labels, several.arrays_of(data.x_train)[0]):
        return "autoencoder", "the labels are the inputs"
    wide = output.width > 1 and labels.ndim == len(output.shape) + 1 and labels.shape[-1] == output.width
    if output.head == "sigmoid" and wide:
        return "flags", f"0/1 labels of {output.width} columns behind a sigmoid"
    if output.head == "linear" and labels.dtype.kind == "f":
        return "regression", "labels that are no whole numbers"
    if (
        output.head == "linear"
        and output.width == 1
        and labels.dtype.kind in "iu"
        and labels.max(initial=0) > 1
    ):
        return "regression", "whole numbers above 1 for one linear column"
    return "classes", "class numbers"


def _unlabelled(output: Output, data: Dataset, *, mirrors: bool) -> tuple[str, str]:
    if mirrors:
        return "autoencoder", "no labels, and the output has the input's shape"
    if (data.signals or data.zero_bias is not None) and output.head == "linear":
        beside = "a signal or zero-bias sample and no labels"
        wide = output.width > 1
        return ("encoder", f"{beside}, several columns") if wide else ("score", f"{beside}, one column")
    return "classes", "no labels"


def _is_input(labels: Array, x: Array) -> bool:
    few = slice(LOOKED_AT)
    return labels.shape == x.shape and bool(np.array_equal(labels[few], x[few]))


def _ordered(model: keras.Model, data: Dataset) -> Dataset:
    """Inputs in the model's order: an array for one input, else a list. What is in order already comes back as it is."""
    names = input_names(model)
    changed = {}
    for which in SPLITS:
        changed[f"x_{which}"] = _in_order(data.split(which)[0], names, f"x_{which}")
    zero_bias = data.zero_bias
    if zero_bias is not None:
        zero_bias = zero_bias._replace(x=_in_order(zero_bias.x, names, "x_zero_bias"))
    signals = {name: _in_order(x, names, f"x_signal.{name}") for name, x in data.signals.items()}
    if all(changed[f"x_{which}"] is data.split(which)[0] for which in SPLITS):
        return data
    return replace(data, **changed, zero_bias=zero_bias, signals=signals, given=data.digest)


def _in_order(x: Any, names: Sequence[str], where: str) -> Any:
    if not several.is_several(x):
        return x
    if isinstance(x, Mapping):
        if set(x) != set(names):
            raise DataError(
                f"inputs {', '.join(map(str, x))} for a model that reads {', '.join(names)}", where=where
            )
        x = [x[name] for name in names]
    return x[0] if len(x) == 1 else x
