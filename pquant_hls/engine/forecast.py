"""What a tightening would give, before it is paid for: the graph as it may look then, through the estimator.

A forecast only ranks moves; every point is measured after the move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target


def forecast_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], then: Mapping[str, float]
) -> float | None:
    """Upper end of the estimated worst-case latency in ns when the knobs turn from ``now`` to ``then``."""
    return _latency(imagine(graph, now, then), target, upper=True)


def floor_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], limits: Mapping[str, float]
) -> float | None:
    """Lower end of the estimated latency in ns with every knob at its limit: no tightening gets below it."""
    return _latency(imagine(graph, now, limits), target, upper=False)


def _latency(graph: FixedPointGraph, target: Target, *, upper: bool) -> float | None:
    try:
        latency = estimate(graph, target).latency
    except NotMeasured:
        return None
    if latency is None:
        return None
    return latency.worst_ns_hi if upper else latency.worst_ns_lo


def imagine(graph: FixedPointGraph, now: Mapping[str, float], then: Mapping[str, float]) -> FixedPointGraph:
    """The graph with the smallest units' weights at zero and every number on the coarser grid.

    Zeroed units stand for removed ones: neither costs a multiplication nor an add.
    """
    share = _share_lost(now.get("sparsity", 0.0), then.get("sparsity", 0.0))
    bits = int(now.get("bits", 0) - then.get("bits", now.get("bits", 0)))
    first, outputs = {node.name for node in graph.inputs}, set(graph.outputs)
    weighted = [node.name for node in graph.nodes if node.kind.weighted]
    last = weighted[-1:] if outputs else []
    nodes = tuple(
        _narrow(
            _thin(node, share, rows=not _reads_input(graph, node, first), columns=node.name not in last), bits
        )
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _share_lost(now: float, then: float) -> float:
    """Share of the remaining units that goes when sparsity rises from ``now`` to ``then``."""
    return max(0.0, 1.0 - (1.0 - then) / (1.0 - now)) if now < 1 else 0.0


def _reads_input(graph: FixedPointGraph, node: Node, inputs: set[str]) -> bool:
    """Whether the node's fan-in comes from the graph's inputs, through nodes without weights."""
    pending = list(node.inputs)
    while pending:
        name = pending.pop()
        if name in inputs:
            return True
        source = graph.node(name)
        if not source.kind.weighted:
            pending.extend(source.inputs)
    return False


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


def _smallest(codes: NDArray[np.int64], axis: int, share: float) -> NDArray[np.int64]:
    """Indices along ``axis`` of the slices with the smallest sum of magnitudes; at least one slice stays."""
    size = codes.shape[axis]
    other = tuple(i for i in range(codes.ndim) if i != axis % codes.ndim)
    order = np.argsort(np.abs(codes).sum(axis=other), kind="stable")
    return order[: min(round(share * size), size - 1)].astype(np.int64)


def _narrow(node: Node, bits: int) -> Node:
    """Drop ``bits`` low bits of weights and of quantized results."""
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
