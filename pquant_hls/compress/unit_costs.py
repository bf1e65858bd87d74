"""Units removed by what they save in the design: a knapsack over channels, wherever they appear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.channels import Channels
from pquant_hls.compress.cost import Cost
from pquant_hls.compress.cut import Cut
from pquant_hls.compress.hardware import Aim, Hardware, largest_that_fits, taken
from pquant_hls.compress.importance import Scores
from pquant_hls.compress.knapsack import fill
from pquant_hls.compress.latency import CycleCounter
from pquant_hls.compress.selection import channel_scores
from pquant_hls.network.graph import Call
from pquant_hls.network.paths import Key, kernel_keys
from pquant_hls.spec.steps import PruneConfig

Shares = Mapping[Key, NDArray[np.float64]]


def units_to_pack(
    model: keras.Model, channels: Channels, scores: Scores, config: PruneConfig, cost: Cost
) -> tuple[Cut, dict[str, float]]:
    """The channels to drop so that the design takes the configuration's share of the resource less, at the least loss, and what
    that came to by name.

    A channel costs what the weights that make it and that read it are charged; with the resource strategy, whose
    multipliers fall with the size of a layer alone, its share of the layer. ``sparsity`` counts from the design of
    ``reference``, the original's units, by the sizes of its layers. Raises as ``pack_weights``.
    """
    hardware = Hardware.of(model, cost, config.resource)
    shares = _shares(hardware)
    aim = Aim.of(hardware, config.sparsity, _whole(hardware, channels, shares, config))
    counter = CycleCounter.of(model, channels, hardware.cost)
    worth = channel_scores(Cut.of(channels, config), scores, normalised=config.importance != "taylor")
    prices = _prices(channels, shares, worth)

    def cut_at(capacity: float) -> Cut:
        return _cut(channels, config, worth, prices, capacity)

    def fits(capacity: float) -> bool:
        return taken(counter.qor(cut_at(capacity).dropped), config.resource) <= aim.target

    figures = {f"{config.resource}_whole": aim.whole, f"{config.resource}_asked": aim.target}
    return cut_at(largest_that_fits(fits, sum(prices.values()))), figures


def _shares(hardware: Hardware) -> Shares:
    """What each weight is charged; of a layer in which zeros save nothing, its part of the layer's figure."""
    found = hardware.shares()
    return {key: share if share.any() else _even(hardware, key, share) for key, share in found.items()}


def _even(hardware: Hardware, key: Key, share: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = sum(hardware.of_layer(name) for name in hardware.nodes[key])
    return np.full(share.shape, whole / max(share.size, 1))


def _kernels(channels: Channels, shares: Shares) -> Iterator[tuple[Call, NDArray[np.float64]]]:
    """Each call with a kernel of (window, inputs, outputs) charges."""
    for call in channels.graph.layers:
        for key in kernel_keys(call):
            rows, columns = len(channels.outputs[call.inputs[0]]), len(channels.outputs[call.output])
            if key in shares and shares[key].shape[-2:] == (rows, columns):
                yield call, shares[key].reshape(-1, rows, columns)


def _prices(channels: Channels, shares: Shares, worth: Mapping[int, float]) -> dict[int, float]:
    """What goes with each channel: the charges of its kernel's columns where it is made, of rows where it is read."""
    prices = dict.fromkeys(worth, 0.0)
    for call, share in _kernels(channels, shares):
        for tensor, axes in ((call.inputs[0], (0, 2)), (call.output, (0, 1))):
            for item, charge in zip(channels.outputs[tensor].tolist(), share.sum(axis=axes), strict=True):
                if item in prices:
                    prices[item] += float(charge)
    return prices


def _cut(
    channels: Channels,
    config: PruneConfig,
    worth: Mapping[int, float],
    prices: Mapping[int, float],
    capacity: float,
) -> Cut:
    """The channels outside the knapsack dropped, the cheapest loss first, as far as every layer keeps its least."""
    cut, items = Cut.of(channels, config), list(worth)
    kept = fill([worth[item] for item in items], [prices[item] for item in items], capacity).kept
    gone = [item for item, stays in zip(items, kept, strict=True) if not stays]
    for item in sorted(gone, key=lambda item: worth[item] / max(prices[item], 1e-30)):
        cut.drop(item)
    return cut


def _whole(hardware: Hardware, channels: Channels, shares: Shares, config: PruneConfig) -> float:
    """What the design would take with the original's units: each kernel's charges grown as its sides have shrunk."""
    now = hardware.figure(hardware.graph)
    grown = {
        name: config.reference.get(name, len(ids)) / max(len(ids), 1) for name, ids in channels.made.items()
    }
    by_item = {int(item): grown[name] for name, ids in channels.made.items() for item in ids if name in grown}
    more = 0.0
    for call, share in _kernels(channels, shares):
        sides = [
            np.mean([by_item.get(item, 1.0) for item in channels.outputs[tensor].tolist()])
            for tensor in (call.inputs[0], call.output)
        ]
        more += float(share.sum()) * (float(np.prod(sides)) - 1.0)
    return now + max(0.0, more)
