"""Training arrays: inputs, labels and soft targets, real events and synthetic ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.train.answers import logits_of
from pquant_hls.train.figures import checked_weights
from pquant_hls.train.records import Array, TrainingData, as_list
from pquant_hls.train.targets import OutputTarget, meanings


@dataclass(frozen=True)
class Samples:
    """Training arrays. By output: labels, the teacher's logits (or values), weight of each label. ``alpha`` is
    the weight of each event's soft targets.
    """

    inputs: list[Array]
    labels: list[Array]
    soft: list[Array]
    weight: list[Array]
    alpha: Array


def samples(
    data: TrainingData, targets: Sequence[OutputTarget], config: TrainingConfig, teacher: keras.Model | None
) -> Samples:
    """The arrays of one training; where a teacher gives targets, ``config.synthetic`` events are added."""
    inputs = as_list(data.x_train)
    n = len(inputs[0])
    distilled = teacher is not None and config.distillation > 0
    extra = math.floor(config.synthetic * n) if distilled else 0
    if extra > 0:
        inputs = [np.concatenate(pair) for pair in zip(inputs, mixed(inputs, extra, config), strict=True)]
    soft = _soft(teacher, inputs, targets) if distilled else [np.zeros((n, 1), np.float32) for _ in targets]
    labels = [_padded(target, like, n) for target, like in zip(targets, soft, strict=True)]
    own = _event_weights(data, n, extra)
    weight = [
        _weights(target, found, n, config)
        * own.reshape(-1, *[1] * (found.ndim - 1 - (target.task != "classes")))
        for target, found in zip(targets, labels, strict=True)
    ]
    alpha = np.full(n + extra, 1.0, np.float32)
    alpha[:n] = config.distillation
    return Samples(inputs, labels, soft, weight, alpha)


def _soft(teacher: keras.Model | None, inputs: list[Array], targets: Sequence[OutputTarget]) -> list[Array]:
    found = meanings(teacher, inputs, targets)
    return [
        values.astype(np.float32)
        if target.task == "values"
        else logits_of(values, columns=target.task == "flags")
        for target, values in zip(targets, found, strict=True)
    ]


def _padded(target: OutputTarget, soft: Array, n: int) -> Array:
    """Labels, and zeros for events that have none."""
    shape = soft.shape[1:-1] if target.task == "classes" else soft.shape[1:]
    if target.labels is None:
        return np.zeros((len(soft), *shape), np.int64 if target.task == "classes" else np.float32)
    missing = (len(soft) - n, *target.labels.shape[1:])
    return np.concatenate([target.labels, np.zeros(missing, target.labels.dtype)])


def _event_weights(data: TrainingData, n: int, extra: int) -> Array:
    """Weights of the real events, mean 1, and 1 of the synthetic ones; float32 (n + extra,)."""
    given = getattr(data, "w_train", None)
    weights = np.ones(n + extra, np.float32)
    if given is not None:
        real = checked_weights(given, n)
        weights[:n] = real / real.mean()
    return weights


def _weights(target: OutputTarget, labels: Array, n: int, config: TrainingConfig) -> Array:
    """1 for each label, or the inverse frequency of its class."""
    weight = np.ones(labels.shape if target.task == "classes" else labels.shape[:-1], np.float32)
    if config.class_balance and target.task == "classes" and target.labels is not None:
        weight[:n] = class_weights(target.labels)
    return weight


def class_weights(labels: Array) -> Array:
    """Weight of each label so that every class that occurs has the same sum; float32, mean 1."""
    counts = np.bincount(labels.ravel()).astype(np.float64)
    share = np.where(counts > 0, labels.size / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
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
