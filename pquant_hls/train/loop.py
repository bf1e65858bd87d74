"""Gradient steps: losses of every kind of target, zeros that stay zero, seeds."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pquant_hls.network.frontend import front_of
from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.train.answers import as_fed, is_compiled_well
from pquant_hls.train.records import Array, HeldVariable, Pressure
from pquant_hls.train.samples import Samples
from pquant_hls.train.targets import OutputTarget

SHARD_BYTES = 2**29
"""Of training arrays that TensorFlow holds at once: 4 million events of 16 features and a few columns beside them."""
FINAL_RATE = 0.01
"""The learning rate falls to this share of its start."""
ANNEALED, LATER_RATE = 0.03, 0.95
"""Schedule ``restarts``: the share that each cosine falls to, and that of the start before from which the next begins."""
COMPILED_FROM = {"quantized": 2500, "float": 8000}
"""Gradient steps from which on XLA's compile time, one to two seconds, is won back: at batches of 64 to 2,000 it saves 0.3 to
1.6 ms of a quantized step and 0.2 to 0.3 ms of a float one."""


class Loop:
    """Gradient steps, one epoch in one graph call, by XLA where that is quicker."""

    def __init__(
        self,
        model: keras.Model,
        targets: Sequence[OutputTarget],
        samples: Samples,
        config: TrainingConfig,
        pressure: Pressure | None = None,
        held: Sequence[HeldVariable] = (),
    ) -> None:
        self.model, self.targets, self.config, self.pressure = model, targets, config, pressure
        self.held = held
        self.parts = (samples.alpha, *samples.labels, *samples.soft, *samples.weight, *samples.inputs)
        self.shards = shards_of(self.parts)
        self.steps = sum(math.ceil((shard.stop - shard.start) / config.batch_size) for shard in self.shards)
        self.rng = np.random.default_rng([config.seed, 0])
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(model.trainable_variables)
        self.masks = zero_masks(model)
        seed_layers(model, config.seed)
        learned = pressure is not None
        quantized = learned or any(front_of(layer) is not None for layer in model._flatten_layers())
        least = COMPILED_FROM["quantized" if quantized else "float"]
        compiled = config.epochs * self.steps >= least and is_compiled_well(model)
        self.graph = tf.function(self._epoch, autograph=False, jit_compile=compiled)
        tf.get_logger().addFilter(_not_retracing)
        self.tensors = self._read(self.shards[0]) if len(self.shards) == 1 else None

    def epoch(self, number: int) -> float:
        """Train for one epoch; returns the mean loss. What does not fit into memory is read shard by shard."""
        first = (number - 1) * self.steps
        done = np.arange(first, first + self.steps) / max(1, self.config.epochs * self.steps)
        rates, at = learning_rates(self.config, done), 0
        total: float = 0.0
        for shard in self._in_order():
            count = shard.stop - shard.start
            steps = math.ceil(count / self.config.batch_size)
            tensors = self._read(shard) if self.tensors is None else self.tensors
            order = tf.constant(self.rng.permutation(count))
            now = tf.constant(rates[at : at + steps], tf.float32)
            total += steps * float(self.graph(order, now, *tensors))
            at += steps
        return float(total / self.steps)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside, the model has the held values, as it will have at the end."""
        free = [np.asarray(one.variable) for one in self.held]
        for one, value in zip(self.held, free, strict=True):
            one.variable.assign(one.project(tf.constant(value)))
        yield
        for one, value in zip(self.held, free, strict=True):
            one.variable.assign(value)

    def _in_order(self) -> list[slice]:
        if len(self.shards) == 1:
            return self.shards
        return [self.shards[index] for index in self.rng.permutation(len(self.shards))]

    def _read(self, shard: slice) -> list[Any]:
        return [tf.constant(np.asarray(part[shard])) for part in self.parts]

    def _epoch(self, order: Any, rates: Any, *tensors: Any) -> Any:
        """Written as a graph loop by hand: autograph does not read this source under Python 3.13. Every shape in it is
        known, as XLA takes fifteen times as long for batches that it learns the size of while it runs; so the last, smaller
        batch stands behind the loop."""
        size = self.config.batch_size
        count = int(order.shape[0])
        whole, rest = divmod(count, size)
        rows = tf.reshape(order[: whole * size], [whole, size])

        def taught(chosen: Any, rate: Any) -> Any:
            self.optimizer.learning_rate.assign(rate)
            return self._step(*[tf.gather(part, chosen) for part in tensors])

        def body(step: Any, total: Any) -> tuple[Any, Any]:
            return step + 1, total + taught(rows[step], rates[step])

        total = tf.constant(0.0)
        if whole:
            start = (tf.constant(0), total)
            _, total = tf.while_loop(lambda step, _: step < whole, body, start, parallel_iterations=1)
        if rest:
            total += taught(order[whole * size :], rates[whole])
        return total / float(math.ceil(count / size))

    def _step(self, alpha: Any, *tensors: Any) -> Any:
        count = len(self.targets)
        labels, soft, weight = (tensors[i * count : (i + 1) * count] for i in range(3))
        free = [tf.identity(one.variable) for one in self.held]
        for one, value in zip(self.held, free, strict=True):
            one.variable.assign(one.project(value))
        with tf.GradientTape() as tape:
            found = keras.tree.flatten(self.model(as_fed(self.model, tensors[3 * count :]), training=True))
            losses = [
                self._loss(target, values, (alpha, *learnt))
                for target, values, *learnt in zip(self.targets, found, labels, soft, weight, strict=True)
            ]
            loss = tf.add_n(losses) + tf.add_n([tf.constant(0.0), *self.model.losses])
            if self.pressure is not None:
                loss += self.pressure.penalty()
        variables = self.model.trainable_variables
        for one, value in zip(
            self.held, free, strict=True
        ):  # gradients are those at what is held, and move what is free
            one.variable.assign(value)
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for variable, mask in self.masks:
            variable.assign(variable * mask)
        return loss

    def _loss(self, target: OutputTarget, found: Any, learnt: tuple[Any, Any, Any, Any]) -> Any:
        """Mean loss of one output, times its weight."""
        alpha, labels, soft, weight = learnt
        if target.task != "values":
            found = logits(target, found)
        share = tf.reshape(alpha, [-1, *[1] * (len(found.shape) - 2)])
        each = hard_loss(target, labels, found) * (1 - share)
        if self.config.distillation > 0:
            each += soft_loss(target, soft, found, self.config.temperature) * share
        return target.output.weight(self.config) * tf.reduce_mean(each * weight)


def shards_of(parts: Sequence[Array]) -> list[slice]:
    """Rows that are in memory together: all of them where they fit, else as many as ``SHARD_BYTES`` hold."""
    events = len(parts[0])
    row = sum(part.nbytes // max(1, len(part)) for part in parts)
    size = max(1, min(events, SHARD_BYTES // max(1, row)))
    return [slice(start, min(start + size, events)) for start in range(0, events, size)]


def learning_rates(config: TrainingConfig, done: Array) -> Array:
    """Learning rate at each share of the training done."""
    rate = config.learning_rate
    if config.schedule == "restarts":
        turn, within = np.divmod(done * config.restarts, 1)
        return rate * LATER_RATE**turn * (ANNEALED + (1 - ANNEALED) * 0.5 * (1 + np.cos(np.pi * within)))
    if config.schedule == "cosine":
        return rate * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + np.cos(np.pi * done)))
    return rate * FINAL_RATE**done if config.schedule == "exponential" else np.full(done.shape, rate)


def logits(target: OutputTarget, found: Any) -> Any:
    """Logits of an output that ends in a softmax, a sigmoid or in logits."""
    if target.output.head == "linear":
        return found
    clipped = tf.clip_by_value(found, 1e-7, 1 - 1e-7)
    return (
        tf.math.log(clipped) - tf.math.log(1 - clipped)
        if target.output.head == "sigmoid"
        else tf.math.log(clipped)
    )


def hard_loss(target: OutputTarget, labels: Any, found: Any) -> Any:
    """Loss of each label (events, ...): cross entropy, or squared distance of values."""
    if target.task == "values":
        return tf.reduce_mean((found - labels) ** 2, axis=-1)
    if target.task == "flags":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, found), axis=-1)
    if found.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), found[..., 0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, found)


def soft_loss(target: OutputTarget, soft: Any, found: Any, heat: float) -> Any:
    """T^2 times the cross entropy with the teacher's softened targets (Hinton et al. 2015); squared distance
    of values.
    """
    if target.task == "values":
        return tf.reduce_mean((found - soft) ** 2, axis=-1)
    if target.task == "flags" or found.shape[-1] == 1:
        each = tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(soft / heat), found / heat)
        return heat**2 * tf.reduce_mean(each, axis=-1)
    return heat**2 * tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(soft / heat), found / heat)


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
