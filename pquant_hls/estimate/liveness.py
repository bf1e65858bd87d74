"""Which values of a network are really built: unused ones and constants are removed by the tool, across
layers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pquant_hls.estimate.site import Mask
from pquant_hls.qor import FixedPointGraph, Node


def live_values(graph: FixedPointGraph) -> dict[str, Mask]:
    """For each node whose result is a vector: the values that vary and that something reads (shape, bool).

    Nodes with other shapes are left out; everything in them counts as built.
    """
    varies = _varying(graph)
    used = _used(graph)
    return {name: varies[name] & used[name] for name in varies}


def _varying(graph: FixedPointGraph) -> dict[str, Mask]:
    varies: dict[str, Mask] = {}
    for node in graph.nodes:
        if len(node.shape) != 1:
            continue
        before = varies.get(node.inputs[0]) if node.inputs else None
        codes = _codes(node)
        if before is not None and codes is not None and len(before) == len(codes):
            varies[node.name] = np.asarray((codes[before] != 0).any(axis=0))
        elif before is not None and node.kind.elementwise and before.shape == node.shape:
            varies[node.name] = before & _stored(node)
        else:
            varies[node.name] = _stored(node)
    return varies


def _used(graph: FixedPointGraph) -> dict[str, Mask]:
    used = {node.name: np.zeros(node.shape, bool) for node in graph.nodes if len(node.shape) == 1}
    for name in graph.outputs:
        if name in used:
            used[name][:] = True
    for node in reversed(graph.nodes):
        for name in node.inputs:
            if name in used:
                used[name] |= _reads(node, used.get(node.name), used[name].shape)
    return used


def _reads(node: Node, own: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Which of an input's values ``node`` needs for those of its own values that are used."""
    codes = _codes(node)
    if own is not None and codes is not None and (len(codes),) == shape:
        return np.asarray((codes[:, own] != 0).any(axis=1))
    if own is not None and node.kind.elementwise and own.shape == shape:
        return own & _stored(node)
    return np.ones(shape, bool)


def _stored(node: Node) -> Mask:
    """The values that have bits (shape of the node)."""
    return np.array(np.broadcast_to(node.grid is None or node.grid.width > 0, node.shape))


def _codes(node: Node) -> NDArray[np.int64] | None:
    array = node.arrays.get("weight") if node.kind.dense else None
    return None if array is None or array.codes.ndim != 2 else array.codes
