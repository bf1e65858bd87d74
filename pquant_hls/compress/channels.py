"""Which channels of which layers stand or fall together: followed through the whole graph.

Each position of a tensor's last axis carries the number of the channel it comes from. Channels that are
added together share a fate; those that reach an output, or an operation that mixes positions, are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.table import activation_text, operation

FIXED = 0
"""The channel that can never be removed."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Channels:
    """Channel of each last-axis position of each tensor, and of each unit of the layers that make some.

    Equal numbers stand or fall together; FIXED is 0. Arrays are int64 (positions,).
    """

    outputs: dict[str, Ids]
    made: dict[str, Ids]
    graph: Topology

    def prunable(self) -> dict[str, Ids]:
        """Layers with at least one unit that may go."""
        return {name: ids for name, ids in self.made.items() if (ids != FIXED).any()}


class _Forest:
    """Disjoint sets of channels, the smallest number being each set's name."""

    def __init__(self) -> None:
        self.parent = [FIXED]

    def new(self, count: int) -> Ids:
        first = len(self.parent)
        self.parent += range(first, first + count)
        return np.arange(first, first + count)

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def tie(self, one: Ids, other: Iterable[int]) -> None:
        for a, b in zip(one, other, strict=True):
            low, high = sorted((self.find(int(a)), self.find(int(b))))
            self.parent[high] = low

    def fix(self, ids: Ids) -> None:
        self.tie(ids, [FIXED] * len(ids))

    def names(self, ids: Ids) -> Ids:
        return np.array([self.find(int(item)) for item in ids], np.int64)


def trace_channels(model: keras.Model) -> Channels:
    """Follow every channel through the model.

    A layer used more than once has one set of units, and reads the same channels each time. Raises
    UnsupportedModel naming a layer this package does not know or a channels-first one.
    """
    graph, forest = flat(model), _Forest()
    outputs: dict[str, Ids] = {}
    made: dict[str, Ids] = {}
    for call in graph.calls:
        _refuse(call)
        feeds = [outputs[name] for name in call.inputs]
        first = graph.uses[call.name][0]
        if call is not first and call.weights:
            forest.tie(outputs[first.inputs[0]], feeds[0])
        outputs[call.output] = _follow(call, feeds, forest, made)
    for name in graph.outputs:
        forest.fix(outputs[name])
    return Channels(
        {name: forest.names(ids) for name, ids in outputs.items()},
        {name: forest.names(ids) for name, ids in made.items()},
        graph,
    )


def _refuse(call: Call) -> None:
    if operation(call.layer) == "other" or (call.is_operation and call.constants):
        raise UnsupportedModel(f"cannot prune through a {call.kind}", where=call.name)
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise UnsupportedModel("channels_first is not supported", where=call.name, mend="use channels_last")
    axis = getattr(call.layer, "axis", None)
    if operation(call.layer) == "batchnorm" and axis not in (-1, len(call.shape)):
        raise UnsupportedModel(f"normalizes axis {axis}, not the channels", where=call.name)


def _follow(call: Call, feeds: list[Ids], forest: _Forest, made: dict[str, Ids]) -> Ids:
    """Channels of one layer's output."""
    kind = operation(call.layer)
    if kind == "input":
        return np.zeros(call.shape[-1] or 1, np.int64)
    if kind in ("dense", "conv", "separable_conv"):
        return _produce(call, feeds[0], forest, made)
    if kind == "depthwise_conv":
        return np.repeat(feeds[0], call.layer.depth_multiplier)
    if kind == "flatten":
        return _flatten(call, feeds[0])
    if kind == "concatenate":
        return _concatenate(call, feeds, forest)
    if kind == "merge":
        return _merge(call, feeds, forest)
    if kind == "reshape" or activation_text(call.layer) == "softmax":
        forest.fix(feeds[0])
        return np.zeros(call.shape[-1] or 1, np.int64)
    return feeds[0]


def _produce(call: Call, feed: Ids, forest: _Forest, made: dict[str, Ids]) -> Ids:
    if call.name not in made:
        made[call.name] = forest.new(int(call.shape[-1] or 0))
    grouped = getattr(call.layer, "groups", 1) != 1
    if grouped:
        forest.fix(feed)
    if grouped or activation_text(call.layer) == "softmax":
        forest.fix(made[call.name])
    return made[call.name]


def _flatten(call: Call, feed: Ids) -> Ids:
    total = math.prod(size for size in call.shape if size is not None)
    if None in call.shape or total % len(feed) != 0:
        raise UnsupportedModel("flattens an axis of unknown length", where=call.name)
    return np.tile(feed, total // len(feed))


def _concatenate(call: Call, feeds: list[Ids], forest: _Forest) -> Ids:
    if call.layer.axis in (-1, len(call.shape)):
        return np.concatenate(feeds)
    return _merge(call, feeds, forest)


def _merge(call: Call, feeds: list[Ids], forest: _Forest) -> Ids:
    """Position by position; where lengths differ (broadcasting) everything is fixed."""
    if len({len(feed) for feed in feeds}) == 1:
        for feed in feeds[1:]:
            forest.tie(feeds[0], feed)
        return feeds[0]
    for feed in feeds:
        forest.fix(feed)
    return np.zeros(call.shape[-1] or 1, np.int64)
