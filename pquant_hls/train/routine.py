"""The training routine that fine-tuning, QAT and pruning rounds share."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import keras

from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network.graph import calls
from pquant_hls.network.table import input_shapes
from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.train.judge import Judge, rare_indices, validation, with_floors
from pquant_hls.train.loop import Loop
from pquant_hls.train.records import (
    EpochReport,
    HeldVariable,
    Pressure,
    Progress,
    TrainingData,
    TrainingHistory,
    as_data,
)
from pquant_hls.train.samples import samples
from pquant_hls.train.targets import OutputTarget, outputs_of, targets_of


def fit(
    model: keras.Model,
    data: TrainingData,
    config: TrainingConfig,
    *,
    teacher: keras.Model | None = None,
    progress: Progress | None = None,
    pressure: Pressure | None = None,
    held: Sequence[HeldVariable] = (),
) -> TrainingHistory:
    """Train ``model`` in place and leave it at its best epoch; exact zeros of its kernels stay zero.

    ``teacher`` supplies soft targets where ``config.distillation`` > 0; with 1 no labels are needed. The
    score of an epoch is taken on the validation part; the state before training counts as epoch 0. The losses
    of several outputs are added, each times its ``config.output_weights``. ``pressure`` is paid beside them. Variables that are
    ``held`` are trained through what they are held to, and end there.

    Raises
    ------
    SpecError : distillation without a teacher, an unknown rare class or output.
    DataError : labels are needed and missing, or inputs or labels do not fit the model.
    UnsupportedModel : nothing to train, or a layer's name that TensorFlow does not take.
    """
    data = as_data(data, model)
    targets = check_training(model, data, config, teacher)
    config = with_floors(config, targets)
    judge = Judge(model, data, config, teacher)
    loop = Loop(model, targets, samples(data, targets, config, teacher), config, pressure, held)
    reports: list[EpochReport] = []
    for epoch in range(1, config.epochs + 1):
        start = time.monotonic()
        if pressure is not None:
            pressure.before(epoch)
        loss = loop.epoch(epoch)
        with loop.shown():
            val_loss, val_accuracy = judge.see(epoch)
        if pressure is not None:
            pressure.after(epoch, judge.standing)
        reports.append(
            EpochReport(epoch, config.epochs, loss, val_loss, val_accuracy, time.monotonic() - start)
        )
        if progress is not None:
            progress(reports[-1])
        if config.patience is not None and epoch - judge.best_epoch >= config.patience:
            break
    judge.restore()
    return TrainingHistory(tuple(reports), judge.best_epoch, judge.floors, judge.floors_met)


def check_training(
    model: keras.Model, data: TrainingData, config: TrainingConfig, teacher: keras.Model | None
) -> tuple[OutputTarget, ...]:
    """Raise what ``fit`` would raise, before any work; returns what the outputs are trained towards."""
    _check_layers(model)
    data = as_data(data, model)
    if config.distillation > 0:
        _check_teacher(model, teacher)
    if config.distillation < 1 and data.y_train is None:
        raise DataError(
            "no labels", where="y_train", mend="set distillation: 1 to learn from a teacher alone"
        )
    targets = targets_of(model, data, config)
    _check_names(targets, config)
    rare_indices(targets_of(model, validation(data), config, "val"), with_floors(config, targets), data)
    return targets


def _check_names(targets: Sequence[OutputTarget], config: TrainingConfig) -> None:
    """Names of outputs in the configuration are names of the model's outputs."""
    known = [name for target in targets for name in (target.output.name, target.output.alias)]
    by_name = {} if isinstance(config.targets, str) else config.targets
    for key, given in (("output_weights", config.output_weights), ("targets", by_name)):
        for name in given:
            if name not in known:
                outputs = ", ".join(target.output.name for target in targets)
                raise SpecError(f"no output {name!r}", where=key, mend=f"outputs: {outputs}")


def _check_layers(model: keras.Model) -> None:
    for call in calls(model):
        if re.fullmatch(r"[\w.][\w.\\/>-]*", call.name, re.ASCII) is None:
            raise UnsupportedModel(
                "is a name that TensorFlow does not train", where=call.name, mend="use letters, digits, _ . -"
            )
    if not model.trainable_variables:
        raise UnsupportedModel("has no weights that may be trained", where=model.name)


def _check_teacher(model: keras.Model, teacher: keras.Model | None) -> None:
    if teacher is None:
        raise SpecError(
            "distillation needs a teacher model", where="distillation", mend="give one, or set it to 0"
        )
    wanted, found = _shapes(model), _shapes(teacher)
    alike = len(wanted) == len(found) and all(
        len(one) == len(other) and all(n == m or None in (n, m) for n, m in zip(one, other, strict=True))
        for one, other in zip(wanted, found, strict=False)
    )
    if not alike:
        raise SpecError(
            f"the teacher's inputs and outputs are {found}, the model's {wanted}", where="teacher"
        )


def _shapes(model: keras.Model) -> list[tuple[int | None, ...]]:
    """Shapes of all inputs, then of all outputs, without the batch axis."""
    calls(model)
    return [*input_shapes(model), *[output.shape for output in outputs_of(model)]]
