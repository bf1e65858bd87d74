"""Cutting where cycles are paid: channels go where the estimator sees adder-tree levels fall."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import keras
import numpy as np

from pquant_hls.compress.channels import Channels
from pquant_hls.compress.cost import Cost, DesignCost
from pquant_hls.compress.cut import Cut
from pquant_hls.compress.surgery import remove
from pquant_hls.errors import NotMeasured
from pquant_hls.network.names import safe_names
from pquant_hls.qor import FixedArray, FixedPointGraph, Node, QoR

SHARE = 8
"""A move takes an eighth of a family's channels, or up to REACH such parts at once."""

REACH = 4

GAIN = 1.0
"""How much cheaper a saved cycle makes a move."""


@dataclass(frozen=True)
class CycleCounter:
    """Estimated worst-case cycles of a model with channels dropped; ``qor`` estimates it for a set of them."""

    qor: Callable[[Set[int]], QoR]

    @classmethod
    def of(cls, model: keras.Model, channels: Channels, cost: Cost) -> CycleCounter:
        """By the cost of each smaller model, or in a hundredth of the time in the graph of the whole one.

        The graph will do for the latency strategy, where a weight of zero costs as little as an absent one.
        """
        if isinstance(cost, DesignCost) and cost.hls.strategy == "latency":
            thinner = _Thinner(cost.graph(model), channels)
            return cls(lambda dropped: cost.of(thinner.without(dropped)))
        return cls(lambda dropped: cost(remove(model, channels, dropped)))

    def cycles(self, dropped: Set[int]) -> int:
        """Raises NotMeasured where the estimator cannot tell."""
        latency = self.qor(dropped).latency
        if latency is None or latency.cycles_max is None:
            raise NotMeasured("the estimator gives no cycles for this model", where="latency_aware")
        return latency.cycles_max


@dataclass(frozen=True)
class _Thinner:
    """The graph of a design with the weights of dropped channels set to zero."""

    graph: FixedPointGraph
    channels: Channels

    def without(self, dropped: Set[int]) -> FixedPointGraph:
        gone = {name: np.isin(ids, sorted(dropped)) for name, ids in self.channels.outputs.items()}
        table = self.channels.graph.calls
        by_node = dict(zip(safe_names(table), table, strict=True))
        return replace(
            self.graph,
            nodes=tuple(
                _thinned(node, gone[by_node[node.name].inputs[0]], gone[by_node[node.name].output])
                if "weight" in node.arrays and node.name in by_node
                else node
                for node in self.graph.nodes
            ),
        )


def _thinned(node: Node, rows: np.ndarray, columns: np.ndarray) -> Node:
    weight = node.arrays["weight"]
    codes = weight.codes.copy()
    codes[..., rows, :] = 0
    if codes.shape[-1] == len(columns):
        codes[..., columns] = 0
    arrays = {**node.arrays, "weight": FixedArray(codes, weight.frac_bits)}
    if "bias" in arrays:
        arrays["bias"] = FixedArray(np.where(columns, 0, arrays["bias"].codes), arrays["bias"].frac_bits)
    return replace(node, arrays=arrays)


def drop_by_cycles(
    cut: Cut,
    families: Sequence[Sequence[str]],
    worth: Mapping[int, float],
    counter: CycleCounter,
    done: Callable[[], bool],
) -> None:
    """Drop channels until ``done``, each time by the cheapest move.

    The price of a move is what it loses over the share of its family that it takes, divided by 1 + GAIN for
    each cycle it saves. Without cycles in view all families would shrink alike.
    """
    orders = [sorted(cut.items_of(family), key=worth.__getitem__) for family in families]
    now = counter.cycles(cut.dropped)
    while not done():
        moves = [(_price(cut, order, move, worth), move) for order in orders for move in _moves(cut, order)]
        if not moves:
            return
        saved = [now - counter.cycles(cut.dropped | set(move)) for _, move in moves]
        best = min(range(len(moves)), key=lambda i: moves[i][0] / (1 + GAIN * max(0, saved[i])))
        for item in moves[best][1]:
            if not done():
                cut.drop(item)
        now = counter.cycles(cut.dropped)


def _moves(cut: Cut, order: Sequence[int]) -> list[list[int]]:
    """The least 1/8, 2/8, ... of one family that may still go."""
    left = cut.affordable(order)
    size = max(1, len(order) // SHARE)
    return [left[: size * parts] for parts in range(1, REACH + 1) if size * (parts - 1) < len(left)]


def _price(cut: Cut, order: Sequence[int], move: Sequence[int], worth: Mapping[int, float]) -> float:
    """Loss over share taken; the loss is ln(before / after) of the family's importance and
    of its channels.
    """
    left = [item for item in order if item not in cut.dropped]
    before, count = sum(worth[item] for item in left), len(left) - len(move)
    after = before - sum(worth[item] for item in move)
    if after <= 0 or count <= 0:
        return math.inf
    return (math.log(before / after) + math.log(len(left) / count)) * len(order) / len(move)
