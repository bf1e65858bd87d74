"""Pruning by what it saves in the design: the least loss for the LUTs, DSPs, flip-flops, memories or cycles given back.

Value is the loss expected from data, cost what the estimator charges; what stays is a knapsack (Ramhorst, Loncar,
Constantinides, "FPGA resource-aware structured pruning for real-time neural networks", arXiv:2308.05170).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.cost import Cost, DesignCost
from pquant_hls.compress.importance import weight_losses
from pquant_hls.compress.knapsack import fill, pick
from pquant_hls.compress.zeros import check_names, connected, set_zeros
from pquant_hls.errors import NotMeasured, SpecError, UnsupportedModel
from pquant_hls.estimate import weight_groups, weight_shares
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.names import safe_names
from pquant_hls.network.paths import Key, kernel_keys
from pquant_hls.qor import FixedArray, FixedPointGraph, Node, QoR
from pquant_hls.spec.steps import PruneConfig

Masks = dict[Key, NDArray[np.bool_]]
Values = dict[Key, NDArray[np.float64]]
HALVINGS = 14
"""Steps of the search for the capacity at which the design takes what was asked."""
TURNS = 5
"""How often less is asked for, at most."""
TOLERANCE = 0.01
"""How much more than was asked goes without a remark: paths and sizes of steps."""


def pack_weights(
    model: keras.Model,
    data: object,
    config: PruneConfig,
    cost: Cost,
    *,
    share: float = 1.0,
    whole: float | None = None,
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Set weights of ``model`` to zero in place until its design takes ``share`` of the configuration's saving less.

    The saving counts from ``whole``, in units of the resource, or from the design with no weight at zero.
    Every output value keeps its strongest path, whatever is asked. Returns remarks, and figures by name: what the design
    takes with no weight at zero and what was asked, in units of the resource, and ``knapsack_gap``, the share of the
    best possible value that the choice may miss.

    Raises
    ------
    SpecError : an unknown layer name, a ``cost`` without a graph.
    UnsupportedModel : the design takes nothing of the resource, or no weight saves any.
    DataError : importance ``taylor`` without data.
    """
    table = flat(model)
    check_names(table, config)
    hardware = Hardware.of(model, cost, config.resource)
    aim = Aim.of(hardware, config.sparsity * share, whole)
    losses = weight_losses(model, data, config)
    values = {key: value for key, value in losses.items() if key[0] not in config.exclude}
    masks, gap = _connected(table, hardware, values, config, aim)
    set_zeros(model, masks)
    reached, name = hardware.figure(hardware.thinned(masks)), config.resource
    missed = f"{name} {reached:,.0f} instead of {aim.target:,.0f}: the rest is not the weights', or outputs would be cut off"
    figures = {f"{name}_whole": aim.whole, f"{name}_asked": aim.target, "knapsack_gap": gap}
    return ((missed,) if reached > aim.target * (1 + TOLERANCE) else ()), figures


def _connected(
    table: Topology, hardware: Hardware, values: Values, config: PruneConfig, aim: Aim
) -> tuple[Masks, float]:
    """(masks by which every output keeps a path, the knapsack's gap).

    Weights that led nowhere, which the tool does not build, are exchanged for others, which it does: so less is asked for
    until the design fits.
    """
    asked, least = aim, math.inf
    best: tuple[Masks, float] = ({}, 0.0)
    for _ in range(TURNS):
        choose, gap = chooser(hardware, values, config, asked)
        masks = connected(table, values, choose)
        reached = hardware.figure(hardware.thinned(masks))
        if reached >= least:
            break
        best, least = (masks, gap), reached
        if reached <= aim.target * (1 + TOLERANCE):
            break
        asked = replace(asked, target=asked.target * aim.target / reached)
    return best


@dataclass(frozen=True)
class Hardware:
    """A model's design: which node each kernel is, what each weight costs, which weights go together."""

    cost: DesignCost
    graph: FixedPointGraph
    nodes: Mapping[Key, tuple[str, ...]]
    resource: str

    @classmethod
    def of(cls, model: keras.Model, cost: Cost, resource: str) -> Hardware:
        """Raises SpecError for a cost that has no graph, and as ``DesignCost.graph``."""
        if not isinstance(cost, DesignCost):
            raise SpecError(
                "method 'knapsack' reads its costs off the design's graph",
                where="cost",
                mend="DesignCost(hls)",
            )
        graph = cost.graph(model)
        return cls(cost, graph, _nodes_of(flat(model), graph), resource)

    def figure(self, graph: FixedPointGraph) -> float:
        """What the estimate says ``graph`` takes of the resource, in its units; NotMeasured where it cannot tell."""
        return taken(self.cost.of(graph), self.resource)

    def whole(self) -> float:
        """The same for the design before any weight was zero: those that are count as others of their kernel do."""
        return self.figure(_each_weight(self.graph, _filled))

    def thinned(self, masks: Masks) -> FixedPointGraph:
        """The design with weights of zero where a mask is False."""
        by_node = {name: masks[key] for key, names in self.nodes.items() if key in masks for name in names}

        def zeroed(node: Node, codes: NDArray[np.int64]) -> NDArray[np.int64]:
            mask = by_node.get(node.name)
            return codes if mask is None else codes * mask.reshape(codes.shape)

        return _each_weight(self.graph, zeroed)

    def of_layer(self, name: str) -> float:
        """What one node takes of the resource."""
        layers = self.cost.of(self.graph).layers
        found = next(getattr(layer, _estimated(self.resource)) for layer in layers if layer.name == name)
        return 0.0 if found is None else float(found)

    def depthwise(self, name: str) -> bool:
        """Whether each channel has sums of its own in a node."""
        return self.graph.node(name).kind.depthwise

    def shares(self) -> dict[Key, NDArray[np.float64]]:
        """What of the resource each weight is charged, over all uses of its kernel."""
        by_node = weight_shares(self.graph, self.cost.hls.target, _estimated(self.resource))
        return {key: np.sum([by_node[name] for name in names], axis=0) for key, names in self.nodes.items()}

    def groups(self, key: Key, *, together: bool) -> NDArray[np.int64]:
        """The number of the group of each weight, (weights,); alone, or as the hardware has them."""
        node = self.graph.node(self.nodes[key][0])
        found = weight_groups(node, _estimated(self.resource)) if together else None
        return np.arange(node.arrays["weight"].codes.size) if found is None else found.ravel()


def taken(qor: QoR, resource: str) -> float:
    """The expected figure of a resource, or the worst cycles; NotMeasured where the record has none."""
    latency, resources = qor.latency, qor.resources
    found = None if latency is None else latency.cycles_max
    if resource != "cycles":
        found = None if resources is None else getattr(resources, _estimated(resource))
    if found is None:
        raise NotMeasured(f"the estimator gives no {resource} for this design", where="resource")
    return float(found)


def _estimated(resource: str) -> str:
    return "bram_18k" if resource == "bram" else resource


def _nodes_of(table: Topology, graph: FixedPointGraph) -> dict[Key, tuple[str, ...]]:
    """The nodes that hold each kernel, of as many weights; kernels that no node holds are left out."""
    known = {node.name: node for node in graph.nodes if node.kind.weighted and "weight" in node.arrays}
    found: dict[Key, tuple[str, ...]] = {}
    for call, name in zip(table.calls, safe_names(table.calls), strict=True):
        for key in kernel_keys(call):
            node = f"{name}_depthwise" if key[1] == 0 and len(kernel_keys(call)) > 1 else name
            if node in known and known[node].arrays["weight"].codes.size == _size(call, key):
                found[key] = (*found.get(key, ()), node)
    return found


def _size(call: Call, key: Key) -> int:
    return int(np.prod(call.layer.weights[key[1]].shape))


def _each_weight(
    graph: FixedPointGraph, change: Callable[[Node, NDArray[np.int64]], NDArray[np.int64]]
) -> FixedPointGraph:
    return replace(graph, nodes=tuple(_with_weight(node, change) for node in graph.nodes))


def _with_weight(node: Node, change: Callable[[Node, NDArray[np.int64]], NDArray[np.int64]]) -> Node:
    if not node.kind.weighted or "weight" not in node.arrays:
        return node
    weight = node.arrays["weight"]
    changed = FixedArray(change(node, weight.codes), weight.frac_bits)
    return replace(node, arrays={**node.arrays, "weight": changed})


def _filled(_node: Node, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """With each zero replaced by one of the other weights, drawn by chance of a fixed seed."""
    there = codes[codes != 0]
    if len(there) == 0 or len(there) == codes.size:
        return codes
    drawn = np.random.default_rng(0).choice(there, codes.shape)
    return np.where(codes == 0, drawn, codes)


@dataclass(frozen=True)
class Aim:
    """What the design shall take: ``target`` of ``whole``, and ``now`` before this cut, in units of the resource."""

    whole: float
    now: float
    target: float

    @classmethod
    def of(cls, hardware: Hardware, sparsity: float, whole: float | None = None) -> Aim:
        """Raises UnsupportedModel where the design takes nothing of the resource."""
        now, most = hardware.figure(hardware.graph), hardware.whole() if whole is None else whole
        if most <= 0:
            hls = hardware.cost.hls
            raise UnsupportedModel(
                f"the design takes no {hardware.resource} ({hls.strategy} strategy, reuse {hls.reuse_factor})",
                where="resource",
                mend="another resource, or the strategy, reuse factor and widths with which it does",
            )
        return cls(most, now, (1 - sparsity) * most)


Chooser = Callable[[Values], dict[Key, NDArray[np.bool_]]]


def chooser(hardware: Hardware, values: Values, config: PruneConfig, aim: Aim) -> tuple[Chooser, float]:
    """(what makes masks of values so that the design takes ``aim.target``, the gap of its knapsack as a share).

    Raises
    ------
    UnsupportedModel : no weight saves anything of the resource.
    """
    if config.resource == "cycles":
        return _by_levels(hardware, values, aim), 0.0
    return _by_share(hardware, values, config, aim)


def _by_share(hardware: Hardware, values: Values, config: PruneConfig, aim: Aim) -> tuple[Chooser, float]:
    """One knapsack over the weights or groups of all kernels, its capacity by halving until the estimate fits."""
    shares = {key: share for key, share in hardware.shares().items() if key in values}
    if config.epochs > 0:
        shares = {key: _typical(share) for key, share in shares.items()}
    total = sum(float(share.sum()) for share in shares.values())
    if total <= 0:
        hls = hardware.cost.hls
        raise UnsupportedModel(
            f"no weight of zero saves any {hardware.resource} with the {hls.strategy} strategy",
            where="resource",
            mend="hls.strategy: resource_unrolled or latency, or granularity: unit, which removes units",
        )
    items = _Items.of(hardware, shares, together=config.granularity == "group")

    def fits(capacity: float) -> bool:
        chosen = items.chosen(values, capacity)
        return hardware.figure(hardware.thinned(chosen)) <= aim.target

    capacity = largest_that_fits(fits, total)
    return (lambda asked: items.chosen(asked, capacity)), items.gap(values, capacity)


def _typical(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each weight charged as those of its kernel on average: recovery will move their bits."""
    return np.where(share > 0, share.sum() / max(1, np.count_nonzero(share)), 0.0)


def largest_that_fits(fits: Callable[[float], bool], total: float) -> float:
    """The largest capacity up to ``total`` that fits, to 2^-14 of it; 0 where none does."""
    if fits(total):
        return total
    low, high = 0.0, total
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class _Items:
    """Groups of weights over all kernels, numbered from 0: ``place`` is the item of each weight, ``costs`` by item."""

    place: Mapping[Key, NDArray[np.int64]]
    costs: NDArray[np.float64]

    @classmethod
    def of(cls, hardware: Hardware, shares: Values, *, together: bool) -> _Items:
        place, count = {}, 0
        for key in shares:
            found = hardware.groups(key, together=together)
            place[key] = found + count
            count += int(found.max()) + 1
        costs = np.zeros(count)
        for key, share in shares.items():
            np.add.at(costs, place[key], share.ravel())
        return cls(place, costs)

    def _worth(self, values: Values) -> NDArray[np.float64]:
        worth = np.zeros(len(self.costs))
        for key, place in self.place.items():
            np.add.at(worth, place, values[key].ravel())
        return worth

    def chosen(self, values: Values, capacity: float) -> dict[Key, NDArray[np.bool_]]:
        """Masks of what stays; kernels without a cost stay whole."""
        kept = fill(self._worth(values), self.costs, capacity).kept
        return {
            key: kept[self.place[key]].reshape(value.shape)
            if key in self.place
            else np.ones(value.shape, bool)
            for key, value in values.items()
        }

    def gap(self, values: Values, capacity: float) -> float:
        return fill(self._worth(values), self.costs, capacity).gap


def _by_levels(hardware: Hardware, values: Values, aim: Aim) -> Chooser:
    """As many terms in the sums of each layer as the cycles allow: a level of its adder tree falls for all sums at once."""
    keys = [
        key for key, names in hardware.nodes.items() if key in values and not hardware.depthwise(names[0])
    ]
    options = {key: list(_terms(values[key].shape)) for key in keys}
    saved, lost = {}, {}
    for key in keys:
        masks = [{key: most_valuable(values[key], terms)} for terms in options[key]]
        figures = [hardware.figure(hardware.thinned(mask)) for mask in masks]
        saved[key] = [round(aim.now - figure) for figure in figures]
        lost[key] = [float((values[key] * ~mask[key]).sum()) for mask in masks]
    terms = _fewest(hardware, values, aim, (options, saved, lost))
    return lambda asked: {
        key: most_valuable(value, terms[key]) if key in terms else np.ones(value.shape, bool)
        for key, value in asked.items()
    }


def _fewest(
    hardware: Hardware,
    values: Values,
    aim: Aim,
    table: tuple[dict[Key, list[int]], dict[Key, list[int]], dict[Key, list[float]]],
) -> dict[Key, int]:
    """Terms by kernel for ``aim.target`` cycles, or for the fewest there can be where these are more.

    Layers share clock cycles, so that the sum of their savings may not be what the whole saves: more is asked for until
    the estimate of the whole fits.
    """
    options, saved, lost = table

    def figure(terms: Mapping[Key, int]) -> float:
        masks = {key: most_valuable(values[key], count) for key, count in terms.items()}
        return hardware.figure(hardware.thinned(masks))

    least = {key: option[-1] for key, option in options.items()}
    goal = max(aim.target, figure(least))
    for wanted in range(max(0, int(np.ceil(aim.now - goal))), int(aim.now) + 1):
        found = pick(list(lost.values()), list(saved.values()), wanted)
        if found is None:
            break
        terms = {key: options[key][option] for key, option in zip(options, found, strict=True)}
        if figure(terms) <= goal:
            return terms
    return least


def _terms(shape: tuple[int, ...]) -> Iterator[int]:
    """All terms of a sum, then fewer: each power of two, and half of it more."""
    whole = int(np.prod(shape[:-1]))
    yield whole
    ladder = sorted({2**k for k in range(16)} | {3 * 2**k for k in range(15)}, reverse=True)
    yield from (count for count in ladder if count < whole)


def most_valuable(value: NDArray[np.float64], terms: int) -> NDArray[np.bool_]:
    """Mask of the ``terms`` most valuable weights of each sum, along all axes but the last."""
    flat_value = value.reshape(-1, value.shape[-1])
    order = np.argsort(-flat_value, axis=0, kind="stable")
    mask = np.zeros(flat_value.shape, bool)
    np.put_along_axis(mask, order[:terms], values=True, axis=0)
    return mask.reshape(value.shape)
