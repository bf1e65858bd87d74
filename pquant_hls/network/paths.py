"""Which output values depend on an input, and by which weights: paths of non-zero weights through the graph.

A tensor's values are followed position by position, so that a tap that meets padding alone counts as nothing.
Activations and normalizations pass what they get, but for values without bits; what is not known here passes
everything to everything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.table import operation, stored_weights

Key = tuple[str, int]
"""A kernel: its layer's name and its place among the layer's weights."""
Kernels = Mapping[Key, NDArray[Any]]
Ends = list[NDArray[np.bool_]]
"""One truth for each value of each output, in the outputs' shapes."""

WEIGHTED = ("dense", "conv", "depthwise_conv", "separable_conv")
UNKNOWN_LENGTH = 16
"""Positions looked at along an axis that the model leaves open."""


def kernel_keys(call: Call) -> list[Key]:
    """The kernels of a layer: none, one, or a separable convolution's two."""
    kind = operation(call.layer)
    return [(call.name, place) for place in range((kind in WEIGHTED) + (kind == "separable_conv"))]


def kernels_of(graph: Topology) -> dict[Key, NDArray[np.float32]]:
    """Every kernel as the firmware stores it."""
    return {key: stored_weights(call.layer)[key[1]] for call in graph.layers for key in kernel_keys(call)}


def reached(graph: Topology, kernels: Kernels) -> dict[str, NDArray[np.bool_]]:
    """Whether each value of each tensor, (1, ...), depends on an input over non-zero weights."""
    values = _follow(graph, {key: _constant(kernel != 0) for key, kernel in kernels.items()})
    return {name: np.asarray(value > 0) for name, value in values.items()}


def live_outputs(graph: Topology, kernels: Kernels) -> Ends:
    """Whether each output value depends on an input over non-zero weights."""
    values = reached(graph, kernels)
    return [values[name][0] for name in graph.outputs]


def useful_weights(graph: Topology, kernels: Kernels) -> dict[Key, NDArray[np.bool_]]:
    """The non-zero weights that lie on a path from an input to an output."""
    given = {key: _constant(kernel != 0) for key, kernel in kernels.items()}
    return _touched(graph, given, lambda ends: ends)


def best_paths(graph: Topology, strengths: Kernels, ends: Ends) -> dict[Key, NDArray[np.bool_]]:
    """The weights on the strongest path to each output value that is true in ``ends``.

    ``strengths`` lie in [0, 1], 0 for a weight that is not there; a path's strength is their product. Equal ones are
    all taken.
    """
    given = {key: _constant(strength) for key, strength in strengths.items()}
    wanted = [_constant(end[None]) for end in ends]
    return _touched(graph, given, lambda found: [a * b for a, b in zip(found, wanted, strict=True)], _BEST)


def cut_off(before: keras.Model, after: keras.Model) -> tuple[str, ...]:
    """Words on each output of ``after`` that has values which depend on no input, while those of ``before`` did.

    Nothing is said where the outputs differ in shape.
    """
    old, new = (flat(model) for model in (before, after))
    found = zip(
        new.outputs, live_outputs(old, kernels_of(old)), live_outputs(new, kernels_of(new)), strict=False
    )
    return tuple(
        f"output {name!r} is cut off: {_named(was & ~now)} depends on no input any more"
        for name, was, now in found
        if was.shape == now.shape and (was & ~now).any()
    )


def _named(dead: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(dead)
    listed = ", ".join(map(str, places[:10].tolist())) + (", ..." if len(places) > 10 else "")
    return (
        f"value {listed} of {dead.size}"
        if len(places) == 1
        else f"each of the values {listed} of {dead.size}"
    )


def _constant(array: NDArray[Any]) -> tf.Tensor:
    return tf.constant(array, tf.float32)


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow's
def _counted(value: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """1 where anything arrives; backwards too, so that no product of many layers leaves float32."""
    return tf.sign(value), lambda up: tf.sign(up) * tf.sign(value)


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow's
def _scaled(value: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """In shares of the largest."""
    return tf.math.divide_no_nan(value, tf.reduce_max(value)), tf.sign


def _any(value: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.tensordot(value, kernel, 1)


def _best(value: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(value[..., None] * kernel, axis=-2)


@dataclass(frozen=True)
class _Rule:
    """What counts of many paths: how values (..., in) meet a kernel (in, out), how two ways join, how far numbers go."""

    meet: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    join: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    keep: Callable[[tf.Tensor], tf.Tensor]


_ANY, _BEST = _Rule(_any, tf.add, _counted), _Rule(_best, tf.maximum, _scaled)


def _touched(
    graph: Topology,
    kernels: Mapping[Key, tf.Tensor],
    choose: Callable[[list[tf.Tensor]], list[tf.Tensor]],
    rule: _Rule = _ANY,
) -> dict[Key, NDArray[np.bool_]]:
    """Weights that the chosen output values come from."""
    with tf.GradientTape() as tape:
        tape.watch(list(kernels.values()))
        values = _follow(graph, kernels, rule)
        total = tf.add_n([tf.reduce_sum(end) for end in choose([values[name] for name in graph.outputs])])
    found = tape.gradient(total, dict(kernels), unconnected_gradients="zero")
    return {key: np.asarray((found[key] > 0) & (kernels[key] > 0)) for key in kernels}


def _follow(graph: Topology, kernels: Mapping[Key, tf.Tensor], rule: _Rule = _ANY) -> dict[str, tf.Tensor]:
    """What arrives in each tensor, (1, ...): by any path, or the product along the best one."""
    values: dict[str, tf.Tensor] = {}
    for call in graph.calls:
        feeds = [values[name] for name in call.inputs]
        shape = [UNKNOWN_LENGTH if size is None else size for size in call.shape]
        if operation(call.layer) == "input":
            values[call.output] = tf.ones([1, *shape])
            continue
        mine = [kernels[key] for key in kernel_keys(call)]
        made = _passed(call, feeds, mine, rule)
        fits = made is not None and all(
            a in (b, None) for a, b in zip(call.shape, made.shape[1:], strict=True)
        )
        values[call.output] = rule.keep(made if fits else _mixed(feeds, shape))
    return values


def _mixed(feeds: Sequence[tf.Tensor], shape: Sequence[int]) -> tf.Tensor:
    """Everything depends on everything."""
    return tf.fill([1, *shape], tf.reduce_max(tf.stack([tf.reduce_max(feed) for feed in feeds])))


def _passed(call: Call, feeds: list[tf.Tensor], kernels: list[tf.Tensor], rule: _Rule) -> tf.Tensor | None:
    """What a layer makes of what arrives; None where that is not known."""
    kind = operation(call.layer)
    if kind == "other" or getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return None
    if isinstance(call.layer, FixedPointQuantizer):
        return feeds[0] * tf.constant(call.layer.grid.width > 0, tf.float32)
    if kind in ("batchnorm", "activation", "scale"):
        return feeds[0]
    if kind == "merge":
        return functools.reduce(rule.join, feeds)
    if kind == "dense":
        return rule.meet(feeds[0], kernels[0])
    if kind in WEIGHTED:
        return _convolved(call.layer, feeds[0], kernels, kind, rule)
    return tf.cast(call.on(feeds), tf.float32)


def _convolved(layer: Any, value: tf.Tensor, kernels: list[tf.Tensor], kind: str, rule: _Rule) -> tf.Tensor:
    if kind == "conv":
        groups = zip(tf.split(value, layer.groups, -1), tf.split(kernels[0], layer.groups, -1), strict=True)
        return tf.concat([_over_taps(layer, part, kernel, rule) for part, kernel in groups], -1)
    deep = _over_taps(layer, value, kernels[0], replace(rule, meet=_each_alone))
    return (
        deep if kind == "depthwise_conv" else rule.meet(deep, tf.reshape(kernels[1], kernels[1].shape[-2:]))
    )


def _each_alone(value: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A depthwise kernel (in, multiplier) keeps channels apart."""
    made = value[..., None] * kernel
    return tf.reshape(made, [*value.shape[:-1], -1])


def _over_taps(layer: Any, value: tf.Tensor, kernel: tf.Tensor, rule: _Rule) -> tf.Tensor:
    """What the taps of the window bring to each position."""
    sizes = kernel.shape[:-2]
    axes = [_Axis(layer, axis, int(value.shape[axis + 1]), size).taps() for axis, size in enumerate(sizes)]
    padded = tf.pad(value, [[0, 0], *(pad for pad, _ in axes), [0, 0]])
    brought = (
        rule.meet(padded[(slice(None), *(axes[axis][1][at] for axis, at in enumerate(tap)))], kernel[tap])
        for tap in np.ndindex(*sizes)
    )
    return functools.reduce(rule.join, brought)


class _Axis:
    """Where the taps of a window lie along one axis, as Keras pads it."""

    def __init__(self, layer: Any, axis: int, length: int, size: int) -> None:
        self.stride, self.gap = (_along(given, axis) for given in (layer.strides, layer.dilation_rate))
        self.length, self.size, self.padding = length, size, layer.padding

    def taps(self) -> tuple[tuple[int, int], list[slice]]:
        """(zeros before, zeros behind), and what each tap reads of the padded axis."""
        span = (self.size - 1) * self.gap + 1
        if self.padding == "valid":
            count, before, behind = (self.length - span) // self.stride + 1, 0, 0
        else:
            count = -(-self.length // self.stride)
            missing = max((count - 1) * self.stride + span - self.length, 0)
            before = span - 1 if self.padding == "causal" else missing // 2
            behind = max(missing - before, 0)
        reach = (count - 1) * self.stride + 1
        return (before, behind), [slice(at, at + reach, self.stride) for at in self._offsets()]

    def _offsets(self) -> Iterator[int]:
        return (tap * self.gap for tap in range(self.size))


def _along(given: Any, axis: int) -> int:
    return int(given if isinstance(given, int) else given[axis])
