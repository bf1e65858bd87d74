"""How much each unit matters: weights, BatchNorm scales, gradient times activation, or chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.compress.channels import Channels
from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.paths import Key, kernel_keys, kernels_of
from pquant_hls.network.table import operation
from pquant_hls.spec.steps import PruneConfig
from pquant_hls.train import OutputTarget, as_list, targets_of

Scores = dict[str, NDArray[np.float64]]
"""Importance of each unit by layer: float64 (units,), higher stays."""


def unit_scores(model: keras.Model, channels: Channels, data: Any, config: PruneConfig) -> Scores:
    """Scores of the units of every prunable layer that is not excluded.

    Raises UnsupportedModel where ``batchnorm`` finds no normalization behind a layer, DataError where
    ``taylor`` has no data.
    """
    if config.importance == "taylor":
        return _taylor(model, channels, data, config)
    if config.importance == "random":
        rng = np.random.default_rng(config.seed)
        return {name: rng.random(len(ids)) for name, ids in channels.prunable().items()}
    measure: Mapping[str, Callable[[Call], NDArray[np.float64]]] = {
        "l1": lambda call: np.abs(_kernel(call)).sum(axis=0),
        "l2": lambda call: np.sqrt((_kernel(call) ** 2).sum(axis=0)),
        "batchnorm": lambda call: _scale_behind(call, channels),
    }
    prunable = set(channels.prunable()) - set(config.exclude)
    return {
        call.name: measure[config.importance](call) for call in channels.graph.layers if call.name in prunable
    }


def _kernel(call: Call) -> NDArray[np.float64]:
    """Weights as (all others, units); a separable convolution is ranked by its pointwise kernel."""
    index = 1 if operation(call.layer) == "separable_conv" else 0
    kernel = np.asarray(call.weights[index], np.float64)
    return kernel.reshape(-1, kernel.shape[-1])


def _scale_behind(call: Call, channels: Channels) -> NDArray[np.float64]:
    """|gamma| of the BatchNormalization that reads this layer, through layers without
    weights of their own.
    """
    name = call.output
    while True:
        readers = channels.graph.consumers(name)
        if len(readers) != 1 or operation(readers[0].layer) not in ("batchnorm", "activation", "pass"):
            raise UnsupportedModel(
                "importance 'batchnorm' needs a BatchNormalization behind this layer", where=call.name
            )
        if operation(readers[0].layer) == "batchnorm":
            return _gamma(readers[0])
        name = readers[0].output


def _gamma(call: Call) -> NDArray[np.float64]:
    if not call.layer.scale:
        raise UnsupportedModel("importance 'batchnorm' needs scale=True", where=call.name)
    return np.abs(np.asarray(call.layer.gamma, np.float64))


def _taylor(model: keras.Model, channels: Channels, data: Any, config: PruneConfig) -> Scores:
    """Mean over events of |sum over positions of gradient x activation| (Molchanov et al.,
    arXiv:1611.06440).
    """
    if data is None:
        raise DataError("importance 'taylor' needs data", mend="give a data set, or use importance l1 or l2")
    names = list(channels.prunable())
    targets, inputs, labels = _sample(model, data, config)
    sums = {name: np.zeros(len(channels.made[name])) for name in names}
    for start in range(0, len(inputs[0]), 1024):
        batch = slice(start, start + 1024)
        wanted = [None if given is None else given[batch] for given in labels]
        parts = _gradient_times_activation(
            model, names, [part[batch] for part in inputs], list(zip(targets, wanted, strict=True))
        )
        for name, part in zip(names, parts, strict=True):
            sums[name] += part
    return {name: total / len(inputs[0]) for name, total in sums.items()}


SMALL_BATCH = 16
"""Events over which a weight's gradients are added before their size counts."""


def weight_losses(model: keras.Model, data: Any, config: PruneConfig) -> dict[Key, NDArray[np.float64]]:
    """What the loss is expected to rise by without each weight of every kernel: float64 in the kernels' shapes.

    ``taylor``: |gradient x weight| of the mean loss of small batches, the mean over batches (Molchanov et al.,
    arXiv:1906.10771, in first order). ``l1``, ``l2``: the size or the square of a weight, in shares of its kernel's mean;
    ``random``: chance. A weight of zero is worth nothing.

    Raises
    ------
    DataError : ``taylor`` without data.
    """
    graph = flat(model)
    stored = {key: np.asarray(kernel, np.float64) for key, kernel in kernels_of(graph).items()}
    if config.importance == "taylor":
        return _taylor_of_weights(model, graph, stored, data, config)
    if config.importance == "random":
        rng = np.random.default_rng(config.seed)
        return {key: (kernel != 0) * (1e-9 + rng.random(kernel.shape)) for key, kernel in stored.items()}
    sizes = {key: np.abs(kernel) ** (2 if config.importance == "l2" else 1) for key, kernel in stored.items()}
    return {key: size / max(float(size.mean()), 1e-30) for key, size in sizes.items()}


def _taylor_of_weights(
    model: keras.Model, graph: Topology, stored: Mapping[Key, NDArray[Any]], data: Any, config: PruneConfig
) -> dict[Key, NDArray[np.float64]]:
    if data is None:
        raise DataError("importance 'taylor' needs data", mend="give a data set, or use importance l1 or l2")
    targets, inputs, labels = _sample(model, data, config)
    kernels = {key: call.layer.weights[key[1]].value for call in graph.layers for key in kernel_keys(call)}

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow's
    def slopes(batch: list[Any], wanted: list[Any]) -> dict[Key, Any]:
        with tf.GradientTape() as tape:
            values = _run(graph, batch)
            pairs = zip(graph.outputs, targets, wanted, strict=True)
            loss = tf.add_n([_surprise(values[name], target, given) for name, target, given in pairs])
        found: dict[Key, Any] = tape.gradient(loss, kernels, unconnected_gradients="zero")
        return found

    totals = {key: np.zeros(kernel.shape) for key, kernel in stored.items()}
    starts = range(0, len(inputs[0]), SMALL_BATCH)
    for start in starts:
        batch = slice(start, start + SMALL_BATCH)
        wanted = [None if given is None else tf.constant(given[batch]) for given in labels]
        for key, slope in slopes([tf.constant(part[batch]) for part in inputs], wanted).items():
            totals[key] += np.abs(np.asarray(slope, np.float64) * stored[key])
    return {key: total / (SMALL_BATCH * len(starts)) for key, total in totals.items()}


def _sample(
    model: keras.Model, data: Any, config: PruneConfig
) -> tuple[tuple[OutputTarget, ...], list[NDArray[Any]], list[NDArray[Any] | None]]:
    """A seeded sample: targets, inputs, and the labels of each output."""
    inputs, targets = as_list(data.x_train), targets_of(model, data, config)
    chosen = np.random.default_rng(config.seed).permutation(len(inputs[0]))[: config.samples]
    labels = [None if target.labels is None else target.labels[chosen] for target in targets]
    return targets, [part[chosen] for part in inputs], labels


def _gradient_times_activation(
    model: keras.Model,
    names: list[str],
    batch: list[NDArray[Any]],
    wanted: Sequence[tuple[OutputTarget, Any]],
) -> list[NDArray[np.float64]]:
    """For each named layer: sum over events of |gradient x activation|, (units,)."""
    with tf.GradientTape() as tape:
        graph = flat(model)
        values = _run(graph, batch)
        ends = [values[name] for name in graph.outputs]
        losses = [_surprise(end, *pair) for end, pair in zip(ends, wanted, strict=True)]
        loss = tf.add_n(losses)
    used = {name: [values[call.output] for call in graph.uses[name]] for name in names}
    gradients = tape.gradient(loss, used, unconnected_gradients="zero")
    parts = []
    for name in names:
        pairs = zip(used[name], gradients[name], strict=True)
        each = [_by_unit(value * gradient) for value, gradient in pairs]
        parts.append(np.abs(sum(each[1:], each[0])).sum(axis=0))
    return parts


def _by_unit(values: Any) -> NDArray[np.float64]:
    """Summed over positions: (events, units)."""
    array = np.asarray(values, np.float64)
    return np.asarray(array.reshape(len(array), -1, array.shape[-1]).sum(axis=1), np.float64)


def _run(graph: Topology, batch: list[NDArray[Any]]) -> dict[str, Any]:
    """Every call's output, as the very tensors that the next ones read: gradients reach them."""
    values = {name: tf.convert_to_tensor(part) for name, part in zip(graph.inputs, batch, strict=True)}
    for call in graph.calls:
        if call.output not in values:
            values[call.output] = call.on([values[name] for name in call.inputs])
    return values


def _surprise(end: Any, target: OutputTarget, labels: NDArray[Any] | None) -> Any:
    """Sum of -ln p of the labels; without labels, of the model's own decision. For values half the squared
    distance from the labels, or without them the squared size.
    """
    if target.task == "values":
        return tf.reduce_sum((end if labels is None else end - labels) ** 2) / 2
    single = end.shape[-1] == 1 or target.task == "flags"
    probability = (
        (tf.sigmoid(end) if single else tf.nn.softmax(end)) if target.output.head == "linear" else end
    )
    if single:
        wanted = tf.round(tf.stop_gradient(probability)) if labels is None else _columns(labels, end)
        right = wanted * probability + (1 - wanted) * (1 - probability)
        return -tf.reduce_sum(tf.math.log(tf.maximum(right, 1e-7)))
    decided = tf.argmax(end, axis=-1) if labels is None else tf.convert_to_tensor(labels)
    return -tf.reduce_sum(
        tf.math.log(tf.maximum(tf.gather(probability, decided, batch_dims=len(end.shape) - 1), 1e-7))
    )


def _columns(labels: NDArray[Any], end: Any) -> Any:
    """Labels float32 in the shape of the output."""
    return tf.reshape(tf.cast(labels, tf.float32), tf.shape(end))
