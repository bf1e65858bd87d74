"""Running a model: its raw outputs, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pquant_hls.network.table import Head, heads_of
from pquant_hls.train.metrics import accuracy, cross_entropy
from pquant_hls.train.records import Array, inputs_of

EVALUATION_BATCH = 8192
Run = Callable[[Any], Any]


def as_fed(model: keras.Model, batch: Sequence[Any]) -> Any:
    """A batch in the structure the model was made with: one array, a list, or a dict by input name."""
    if isinstance(model, keras.Sequential):
        return batch[0]
    return keras.tree.pack_sequence_as(model.input, list(batch))


def scores(model: keras.Model, x: Any) -> Array:
    """The model's (first) output for ``x``, float32 (events, ...), in inference mode."""
    return predict(model, x)[0]


def traced(model: keras.Model, *, compiled: bool = False) -> Run:
    """The model in inference mode as one graph: for a model that is asked after every epoch; a QKeras network takes a
    fifth of the time of layer after layer. ``compiled``: by XLA, half a second once and a quarter of the graph's time then."""
    run: Run = tf.function(
        lambda fed: model(fed, training=False),
        autograph=False,
        reduce_retracing=not compiled,  # XLA takes known sizes, of which there are two
        jit_compile=compiled,
    )
    return run


def is_compiled_well(model: keras.Model) -> bool:
    """Whether XLA makes a model quicker. On a CPU a gradient step of dense and recurrent layers takes a quarter to nine
    tenths of the graph's time, one of convolutions 1.4 to 40 times as long, of layers that draw random numbers ten times.
    """
    draws = any(_draws(layer) for layer in model._flatten_layers())
    return not draws and all(len(variable.shape) <= 2 for variable in model.trainable_variables)


def _draws(layer: keras.Layer) -> bool:
    """Whether a layer draws random numbers in training; recurrent cells only do with a dropout."""
    if getattr(layer, "seed_generator", None) is None:
        return False
    shares = [getattr(layer, name, None) for name in ("dropout", "recurrent_dropout")]
    return shares != [0, 0]


def predict(model: keras.Model, x: Any, run: Run | None = None) -> list[Array]:
    """All outputs of the model for ``x``, float32 (events, ...), in inference mode; ``run``: of ``traced``."""
    run = run or (lambda fed: model(fed, training=False))
    inputs = inputs_of(model, x)
    parts = []
    count = max(1, math.ceil(len(inputs[0]) / EVALUATION_BATCH))
    for batch in zip(*(np.array_split(part, count) for part in inputs), strict=True):
        found = run(as_fed(model, [tf.constant(part) for part in batch]))
        parts.append([np.asarray(value) for value in keras.tree.flatten(found)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def probabilities(model: keras.Model, x: Any) -> Array:
    """Scores of the (first) output as probabilities: softmax or sigmoid applied where it ends in logits."""
    return as_probabilities(scores(model, x), heads_of(model)[0])


def as_probabilities(found: Array, head: Head) -> Array:
    """Outputs of a head as probabilities, float64: softmax over several columns, sigmoid of one."""
    found = found.astype(np.float64)
    if head != "linear":
        return found
    if found.shape[-1] == 1:
        return 1 / (1 + np.exp(-found))
    shifted = np.exp(found - found.max(axis=-1, keepdims=True))
    shares: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def logits_of(found: Array, *, columns: bool = False) -> Array:
    """Logits that give these probabilities back: ln p, or ln p / (1 - p) for one column or for ``columns``
    that stand for themselves.
    """
    clipped = np.clip(found, 1e-7, 1 - 1e-7)
    alone = columns or found.shape[-1] == 1
    return np.asarray(np.log(clipped) - np.log(1 - clipped) if alone else np.log(clipped), np.float32)


def evaluate(model: keras.Model, x: Any, y: Any) -> dict[str, float]:
    """``accuracy`` (share), its binomial ``accuracy_error``, and ``loss`` (cross entropy, nats)."""
    found = probabilities(model, x)
    share = accuracy(found, y)
    return {"accuracy": share.value, "accuracy_error": share.error, "loss": cross_entropy(found, y)}
