"""A design as it may look after a turn: the graph with fewer units, fewer bits, thinner factors or shared multipliers.

What is imagined only ranks moves; every point is measured after the move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node


def without_units(graph: FixedPointGraph, share: float) -> FixedPointGraph:
    """With the smallest ``share`` of each layer's units at zero, but those of inputs and of the last layer.

    Zeroed units stand for removed ones: neither costs a multiplication nor an add.
    """
    weighted = [node.name for node in graph.nodes if node.kind.weighted]
    last = weighted[-1:] if graph.outputs else []
    return _each(
        graph,
        lambda node: _thin(node, share, rows=not _reads_input(graph, node), columns=node.name not in last),
    )


def without_weights(graph: FixedPointGraph, share: float) -> FixedPointGraph:
    """With the smallest ``share`` of each layer's weights that are not zero at zero; one of each layer stays."""
    return _each(graph, lambda node: _sparser(node, share))


def coarser(graph: FixedPointGraph, bits: int) -> FixedPointGraph:
    """With ``bits`` low bits of weights and of quantized results dropped."""
    return _each(graph, lambda node: _narrow(node, bits))


def thinner_factors(graph: FixedPointGraph, share: float) -> FixedPointGraph:
    """With the smallest ``share`` of the rank at zero, between every two layers that have nothing but a
    quantizer between them."""
    pairs = {node.name: _factor_before(graph, node) for node in graph.nodes if node.kind.weighted}
    firsts = {first for first in pairs.values() if first is not None}
    return _each(
        graph,
        lambda node: _thin(node, share, rows=pairs.get(node.name) is not None, columns=node.name in firsts),
    )


def with_reuse(graph: FixedPointGraph, factor: int) -> FixedPointGraph:
    """With every layer's multipliers used ``factor`` times; above 1 by the strategy that can share them."""
    return _each(graph, lambda node: _shared(node, factor))


def of_adders(graph: FixedPointGraph) -> FixedPointGraph:
    """With every layer's sums by distributed arithmetic, where no multiplier is shared."""
    return _each(
        graph,
        lambda node: (
            replace(node, attrs={**node.attrs, "strategy": "distributed_arithmetic"})
            if node.kind.weighted and node.strategy == "latency" and node.reuse_factor == 1
            else node
        ),
    )


def _each(graph: FixedPointGraph, change: Callable[[Node], Node]) -> FixedPointGraph:
    return replace(graph, nodes=tuple(change(node) for node in graph.nodes))


def _reads_input(graph: FixedPointGraph, node: Node) -> bool:
    """Whether the node's fan-in comes from the graph's inputs, through nodes without weights."""
    pending = list(node.inputs)
    while pending:
        source = graph.node(pending.pop())
        if source.op == "input":
            return True
        if not source.kind.weighted:
            pending.extend(source.inputs)
    return False


def _factor_before(graph: FixedPointGraph, node: Node) -> str | None:
    """The layer whose sums this one reads, through quantizers alone; None where anything else stands between."""
    source = graph.node(node.inputs[0])
    while source.op == "quantize":
        source = graph.node(source.inputs[0])
    return source.name if source.kind.weighted else None


def _thin(node: Node, share: float, *, rows: bool, columns: bool) -> Node:
    if not node.kind.weighted or share <= 0 or "weight" not in node.arrays:
        return node
    weight = node.arrays["weight"]
    codes = weight.codes.copy()
    if columns:
        codes[..., _smallest(codes, -1, share)] = 0
    if rows:
        codes[..., _smallest(codes, -2, share), :] = 0
    return replace(node, arrays={**node.arrays, "weight": FixedArray(codes, weight.frac_bits)})


def _sparser(node: Node, share: float) -> Node:
    if not node.kind.weighted or share <= 0 or "weight" not in node.arrays:
        return node
    weight = node.arrays["weight"]
    codes = weight.codes.copy()
    there = np.flatnonzero(codes)
    order = there[np.argsort(np.abs(codes.ravel()[there]), kind="stable")]
    codes.ravel()[order[: max(0, min(round(share * len(there)), len(there) - 1))]] = 0
    return replace(node, arrays={**node.arrays, "weight": FixedArray(codes, weight.frac_bits)})


def _smallest(codes: NDArray[np.int64], axis: int, share: float) -> NDArray[np.int64]:
    """Indices along ``axis`` of the slices with the smallest sum of magnitudes; at least one slice stays."""
    size = codes.shape[axis]
    other = tuple(i for i in range(codes.ndim) if i != axis % codes.ndim)
    order = np.argsort(np.abs(codes).sum(axis=other), kind="stable")
    return order[: min(round(share * size), size - 1)].astype(np.int64)


def _narrow(node: Node, bits: int) -> Node:
    if bits == 0:
        return node
    arrays = dict(node.arrays)
    if "weight" in arrays:
        old = arrays["weight"]
        arrays["weight"] = FixedArray(np.rint(old.codes / 2.0**bits).astype(np.int64), old.frac_bits - bits)
    types = {key: _narrower(kind, bits) if key == "weight" else kind for key, kind in node.types.items()}
    result = _narrower(node.result, bits) if node.op in {"relu", "quantize"} else node.result
    return replace(node, arrays=arrays, types=types, result=result)


def _narrower(kind: FixedType, bits: int) -> FixedType:
    return replace(kind, width=max(kind.width - bits, 1 + int(kind.signed)))


def _shared(node: Node, factor: int) -> Node:
    if not node.kind.weighted:
        return node
    strategy = "resource" if factor > 1 and node.strategy == "latency" else node.strategy
    return replace(node, attrs={**node.attrs, "reuse_factor": factor, "strategy": strategy})
