"""The one training routine: labels or a teacher's soft targets, zeros that stay zero, the best epoch
restored.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.models.graph import calls
from pquant_hls.models.metrics import accuracy, cross_entropy, efficiency_at
from pquant_hls.models.table import head_of, input_shapes
from pquant_hls.spec.steps import TrainingConfig

EVALUATION_BATCH = 8192
FINAL_RATE = 0.01
"""The learning rate falls to this share of its start."""

Array = NDArray[Any]


class TrainingData(Protocol):
    """What training reads of a data set: x (events, ...) float32, y (events,) int or None. Lists for several
    inputs.
    """

    @property
    def x_train(self) -> Any: ...
    @property
    def y_train(self) -> Any: ...
    @property
    def x_val(self) -> Any: ...
    @property
    def y_val(self) -> Any: ...


@dataclass(frozen=True)
class EpochReport:
    """One epoch. ``loss`` is the training loss; validation figures are None without labels; seconds of wall
    time.
    """

    epoch: int
    epochs: int
    loss: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingHistory:
    """All epochs, the one restored (0: the weights it started from), and whether the rare classes' floors
    hold.
    """

    epochs: tuple[EpochReport, ...]
    best_epoch: int
    floors: dict[int, float]
    floors_met: bool | None


Progress = Callable[[EpochReport], None]


def as_list(x: Any) -> list[Array]:
    """Inputs as a list of arrays, one for each input of the model."""
    return [np.asarray(part, np.float32) for part in (x if isinstance(x, list | tuple) else [x])]


def as_fed(model: keras.Model, batch: Sequence[Any]) -> Any:
    """A batch in the structure the model was made with: one array, a list, or a dict by input name."""
    if isinstance(model, keras.Sequential):
        return batch[0]
    if isinstance(model.input, dict):
        return dict(zip(model.input, batch, strict=True))
    return list(batch) if isinstance(model.input, list | tuple) else batch[0]


def scores(model: keras.Model, x: Any) -> Array:
    """The model's (first) output for ``x``, float32 (events, ...), in inference mode."""
    return predict(model, x)[0]


def predict(model: keras.Model, x: Any) -> list[Array]:
    """All outputs of the model for ``x``, float32 (events, ...), in inference mode."""
    inputs = as_list(x)
    parts = []
    for start in range(0, len(inputs[0]), EVALUATION_BATCH):
        batch = [part[start : start + EVALUATION_BATCH] for part in inputs]
        found = model(as_fed(model, batch), training=False)
        parts.append([np.asarray(value) for value in keras.tree.flatten(found)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def probabilities(model: keras.Model, x: Any) -> Array:
    """Scores as probabilities: softmax or sigmoid applied where the model itself ends in logits."""
    found = scores(model, x).astype(np.float64)
    if head_of(model) != "linear":
        return found
    if found.shape[-1] == 1:
        return 1 / (1 + np.exp(-found))
    shifted = np.exp(found - found.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def evaluate(model: keras.Model, x: Any, y: Any) -> dict[str, float]:
    """``accuracy`` (share), its binomial ``accuracy_error``, and ``loss`` (cross entropy, nats)."""
    found = probabilities(model, x)
    share = accuracy(found, y)
    return {"accuracy": share.value, "accuracy_error": share.error, "loss": cross_entropy(found, y)}


def fit(
    model: keras.Model, data: TrainingData, config: TrainingConfig, *,
    teacher: keras.Model | None = None, progress: Progress | None = None,
) -> TrainingHistory:  # fmt: skip
    """Train ``model`` in place and leave it at its best epoch; exact zeros of its kernels stay zero.

    ``teacher`` supplies soft targets where ``config.distillation`` > 0; with 1 no labels are needed. The
    score of
    an epoch is taken on the validation part; the state before training counts as epoch 0.

    Raises
    ------
    SpecError : distillation without a teacher, or an unknown rare class.
    DataError : labels are needed and missing, or the shapes do not fit.
    UnsupportedModel : more than one output.
    """
    check(model, data, config, teacher)
    samples = _samples(data, config, teacher)
    judge = _Judge(model, data, config, teacher)
    loop = _Loop(model, samples, config)
    reports: list[EpochReport] = []
    for epoch in range(1, config.epochs + 1):
        start = time.monotonic()
        loss = loop.epoch(epoch)
        val_loss, val_accuracy = judge.see(epoch)
        reports.append(
            EpochReport(epoch, config.epochs, loss, val_loss, val_accuracy, time.monotonic() - start)
        )
        if progress is not None:
            progress(reports[-1])
        if config.patience is not None and epoch - judge.best_epoch >= config.patience:
            break
    judge.restore()
    return TrainingHistory(tuple(reports), judge.best_epoch, judge.floors, judge.floors_met)


def check(
    model: keras.Model, data: TrainingData, config: TrainingConfig, teacher: keras.Model | None
) -> None:
    """Raise what ``fit`` would raise, before any work."""
    calls(model)
    if len(model.outputs) != 1:
        raise UnsupportedModel(
            f"has {len(model.outputs)} outputs", where=model.name, mend="train models of one output"
        )
    if config.distillation > 0 and teacher is None:
        raise SpecError(
            "distillation needs a teacher model", where="distillation", mend="give one, or set it to 0"
        )
    if config.distillation < 1 and data.y_train is None:
        raise DataError(
            "no labels", where="y_train", mend="set distillation: 1 to learn from a teacher alone"
        )
    shapes, given = input_shapes(model), as_list(data.x_train)
    if len(shapes) != len(given):
        raise DataError(f"{len(given)} arrays for a model of {len(shapes)} inputs", where="x_train")
    for shape, part in zip(shapes, given, strict=True):
        if len(shape) != part.ndim - 1 or any(
            n not in (None, m) for n, m in zip(shape, part.shape[1:], strict=True)
        ):
            raise DataError(
                f"events of shape {part.shape[1:]} for an input of shape {shape}", where="x_train"
            )
    if len(given[0]) == 0:
        raise DataError("no events", where="x_train")


@dataclass(frozen=True)
class _Samples:
    """Training arrays: inputs, labels, teacher's logits, weight of each event, weight of its soft target."""

    inputs: list[Array]
    labels: Array
    soft: Array
    weight: Array
    alpha: Array


def _samples(data: TrainingData, config: TrainingConfig, teacher: keras.Model | None) -> _Samples:
    inputs = as_list(data.x_train)
    n = len(inputs[0])
    labels = np.zeros(n, np.int64) if data.y_train is None else np.asarray(data.y_train, np.int64).reshape(-1)
    alpha = np.full(n, config.distillation, np.float32)
    weight = (
        _class_weights(labels)
        if config.class_balance and data.y_train is not None
        else np.ones(n, np.float32)
    )
    extra = math.floor(config.synthetic * n) if teacher is not None and config.distillation > 0 else 0
    if extra > 0:
        inputs = [np.concatenate(pair) for pair in zip(inputs, mixed(inputs, extra, config), strict=True)]
        labels = np.concatenate([labels, np.zeros(extra, np.int64)])
        alpha = np.concatenate([alpha, np.ones(extra, np.float32)])
        weight = np.concatenate([weight, np.ones(extra, np.float32)])
    soft = np.zeros((len(labels), 1), np.float32)
    if teacher is not None and config.distillation > 0:
        soft = logits_of(probabilities(teacher, inputs if len(inputs) > 1 else inputs[0]))
    return _Samples(inputs, labels, soft, weight, alpha)


def _class_weights(labels: Array) -> Array:
    counts = np.bincount(labels).astype(np.float64)
    share = np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
    return share[labels].astype(np.float32)


def mixed(inputs: Sequence[Array], count: int, config: TrainingConfig) -> list[Array]:
    """``count`` events between pairs of given ones, jittered, kept inside each feature's range (mixup, Zhang
    2018).
    """
    rng = np.random.default_rng([config.seed, 1])
    first, second = rng.integers(len(inputs[0]), size=(2, count))
    share = rng.beta(0.5, 0.5, size=count).astype(np.float32)
    made = []
    for part in inputs:
        along = share.reshape(-1, *[1] * (part.ndim - 1))
        noise = rng.standard_normal((count, *part.shape[1:]), np.float32) * part.std(axis=0) * config.jitter
        value = along * part[first] + (1 - along) * part[second] + noise
        made.append(np.clip(value, part.min(axis=0), part.max(axis=0)).astype(np.float32))
    return made


def logits_of(found: Array) -> Array:
    """Logits that give these probabilities back: ln p, or ln p / (1 - p) for one column."""
    clipped = np.clip(found, 1e-7, 1 - 1e-7)
    value = np.log(clipped) - np.log(1 - clipped) if found.shape[-1] == 1 else np.log(clipped)
    return np.asarray(value, np.float32)


class _Judge:
    """Scores each epoch on the validation part and keeps the best weights."""

    def __init__(
        self, model: keras.Model, data: TrainingData, config: TrainingConfig, teacher: keras.Model | None
    ) -> None:
        self.model, self.config = model, config
        self.x, self.y = _validation(data)
        self.soft = probabilities(teacher, self.x) if teacher is not None and self.y is None else None
        self.rare = _rare_indices(config, data) if self.y is not None else []
        self.floors = self._floors(teacher)
        self.floors_met: bool | None = None
        self.best: tuple[float, float] = (-math.inf, -math.inf)
        self.best_epoch, self.weights = 0, model.get_weights()
        self.see(0)

    def _floors(self, teacher: keras.Model | None) -> dict[int, float]:
        if not self.rare:
            return {}
        before = self._efficiencies(probabilities(self.model if teacher is None else teacher, self.x))
        return {index: value - self.config.max_efficiency_loss for index, value in before.items()}

    def _efficiencies(self, found: Array) -> dict[int, float]:
        columns = {index: found[:, 0 if found.shape[1] == 1 else index] for index in self.rare}
        rate = self.config.background_rate
        return {
            index: efficiency_at(column, self.y == index, rate).value for index, column in columns.items()
        }

    def see(self, epoch: int) -> tuple[float | None, float | None]:
        """Validation loss and accuracy now; remembers the weights if they are the best so far."""
        found = probabilities(self.model, self.x)
        if self.y is None:
            figures: tuple[float | None, float | None] = (None, None)
            score = -self._distance(found)
        else:
            loss, share = cross_entropy(found, self.y), accuracy(found, self.y).value
            score, figures = (share if self.config.monitor == "accuracy" else -loss), (loss, share)
        missing = sum(max(0.0, self.floors[i] - now) for i, now in self._efficiencies(found).items())
        if (-missing, score) > self.best:
            self.best, self.best_epoch = (-missing, score), epoch
            self.weights = self.model.get_weights()
            self.floors_met = missing <= 0 if self.floors else None
        return figures

    def _distance(self, found: Array) -> float:
        """Mean squared distance from the teacher's probabilities."""
        return float("inf") if self.soft is None else float(((found - self.soft) ** 2).mean())

    def restore(self) -> None:
        self.model.set_weights(self.weights)


def _validation(data: TrainingData) -> tuple[Any, Array | None]:
    """The validation part; without one, the training part."""
    empty = data.x_val is None or len(as_list(data.x_val)[0]) == 0
    x, y = (data.x_train, data.y_train) if empty else (data.x_val, data.y_val)
    return x, None if y is None else np.asarray(y).reshape(-1)


def _rare_indices(config: TrainingConfig, data: Any) -> list[int]:
    names = [str(name) for name in getattr(data, "classes", ())]
    found = []
    for wanted in config.rare_classes:
        index = names.index(wanted) if wanted in names else wanted
        if not isinstance(index, int):
            raise SpecError(
                f"unknown class {wanted!r}", where="rare_classes", mend=f"classes: {', '.join(names)}"
            )
        found.append(index)
    return found


class _Loop:
    """Gradient steps, one epoch in one graph call."""

    def __init__(self, model: keras.Model, samples: _Samples, config: TrainingConfig) -> None:
        self.model, self.config, self.head = model, config, head_of(model)
        self.n = len(samples.labels)
        self.steps = math.ceil(self.n / config.batch_size)
        self.rng = np.random.default_rng([config.seed, 0])
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(model.trainable_variables)
        self.masks = zero_masks(model)
        self.samples = samples
        seed_layers(model, config.seed)
        self.graph = tf.function(self._epoch, autograph=False)
        tf.get_logger().addFilter(_not_retracing)
        self.tensors = [tf.constant(part) for part in
                        (samples.labels, samples.soft, samples.weight, samples.alpha,
                         *samples.inputs)]  # fmt: skip

    def epoch(self, number: int) -> float:
        """Train for one epoch; returns the mean loss."""
        first = (number - 1) * self.steps
        done = np.arange(first, first + self.steps) / max(1, self.config.epochs * self.steps)
        order = self.rng.permutation(self.n)
        return float(
            self.graph(tf.constant(order), tf.constant(self._rates(done), tf.float32), *self.tensors)
        )

    def _rates(self, done: Array) -> Array:
        """Learning rate at each share of the training done."""
        rate = self.config.learning_rate
        if self.config.schedule == "cosine":
            return rate * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + np.cos(np.pi * done)))
        return rate * FINAL_RATE**done if self.config.schedule == "exponential" else np.full(done.shape, rate)

    def _epoch(self, order: Any, rates: Any, *tensors: Any) -> Any:
        """Written as a graph loop by hand: autograph does not read this source under Python 3.13."""

        def body(step: Any, total: Any) -> tuple[Any, Any]:
            chosen = order[step * self.config.batch_size : (step + 1) * self.config.batch_size]
            self.optimizer.learning_rate.assign(rates[step])
            return step + 1, total + self._step(*[tf.gather(part, chosen) for part in tensors])

        start = (tf.constant(0), tf.constant(0.0))
        _, total = tf.while_loop(lambda step, _: step < self.steps, body, start, parallel_iterations=1)
        return total / float(self.steps)

    def _step(self, labels: Any, soft: Any, weight: Any, alpha: Any, *inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            found = self.model(as_fed(self.model, inputs), training=True)
            logits = self._logits(found)
            each = self._hard(labels, logits) * (1 - alpha) + self._soft(soft, logits) * alpha
            loss = tf.reduce_mean(each * weight) + tf.add_n([tf.constant(0.0), *self.model.losses])
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for variable, mask in self.masks:
            variable.assign(variable * mask)
        return loss

    def _logits(self, found: Any) -> Any:
        if self.head == "linear":
            return found
        clipped = tf.clip_by_value(found, 1e-7, 1 - 1e-7)
        return (
            tf.math.log(clipped) - tf.math.log(1 - clipped)
            if self.head == "sigmoid"
            else tf.math.log(clipped)
        )

    def _hard(self, labels: Any, logits: Any) -> Any:
        if logits.shape[-1] == 1:
            wanted = tf.cast(labels, tf.float32)
            return tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits[:, 0])
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def _soft(self, soft: Any, logits: Any) -> Any:
        """T^2 times the cross entropy with the teacher's softened targets (Hinton et al. 2015)."""
        if self.config.distillation <= 0:
            return tf.zeros_like(logits[:, 0])
        heat = self.config.temperature
        if logits.shape[-1] == 1:
            return (
                heat**2
                * tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(soft / heat), logits / heat)[:, 0]
            )
        return heat**2 * tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(soft / heat), logits / heat)


def _not_retracing(entry: logging.LogRecord) -> bool:
    """Each model has a graph of its own, so TensorFlow's advice on retracing does not apply."""
    return "triggered tf.function retracing" not in entry.getMessage()


def zero_masks(model: keras.Model) -> list[tuple[Any, Any]]:
    """(kernel variable, 0/1 mask) of each kernel that holds exact zeros; a kernel of zeros only is not
    masked.
    """
    found = []
    for variable in model.trainable_variables:
        value = np.asarray(variable)
        if "kernel" in variable.name and 0 < np.count_nonzero(value) < value.size:
            found.append((variable, tf.constant((value != 0).astype(np.float32))))
    return found


def seed_layers(model: keras.Model, seed: int) -> None:
    """Put the random states inside layers (dropout, noise) to what ``seed`` says."""
    for index, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed, index], dtype=np.uint32))
