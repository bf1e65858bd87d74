"""Bits of single values, where a graph gives each a type of its own: readers count what a value has, not what the widest has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedGrid, FixedPointGraph, FixedType, Node

Bits = NDArray[np.int64]


class InputBits(NamedTuple):
    """Bits of the inputs of a sum of products, each array (terms, 1) or, of a depthwise one, (1, outputs).

    ``own`` are those of a value with its sign; ``reach`` those from the least significant bit of the tensor's type up to
    the value's own highest. Both are 0 for a value without bits.
    """

    own: Bits
    reach: Bits

    @classmethod
    def alike(cls, kind: FixedType) -> InputBits:
        """Of values that all have one type."""
        bits = np.full((1, 1), kind.width + (not kind.signed), np.int64)
        return cls(bits, bits)


def value_types(graph: FixedPointGraph, name: str) -> FixedGrid | None:
    """The types of the single values of a node's result, also of values that were only moved since; None where all have
    the node's."""
    node = graph.node(name)
    if node.grid is not None or not node.inputs:
        return node.grid
    before = value_types(graph, node.inputs[0]) if node.op in _MOVES else None
    if before is None:
        return None
    shape = graph.node(node.inputs[0]).shape
    perm = tuple(node.attrs["perm"]) if node.op == "transpose" else tuple(range(len(shape)))
    return before.moved(shape, lambda part: part.transpose(perm).reshape(node.shape))


_MOVES = ("reshape", "clone", "transpose")


def own_bits(graph: FixedPointGraph, name: str) -> Bits:
    """Bits that each value of a node's result is stored in (shape of the node); 0 for a value without bits."""
    node, grid = graph.node(name), value_types(graph, name)
    width = node.result.width if grid is None else np.minimum(grid.width, node.result.width)
    return np.broadcast_to(np.asarray(width, np.int64), node.shape)


def input_bits(graph: FixedPointGraph, node: Node) -> InputBits | None:
    """The inputs of a sum of products, the widest of each channel where it reads a channel at several places; None where
    all have one type."""
    source = graph.node(node.inputs[0])
    grid, weight = value_types(graph, source.name), node.arrays.get("weight")
    if grid is None or weight is None:
        return None
    used = grid.width > 0
    unsigned = np.where(used & ~grid.signed, 1, 0)
    whole = InputBits.alike(source.result).own.item()
    parts = (grid.width + unsigned, np.where(used, grid.integer + unsigned + source.result.frac, 0))
    own, reach = (
        np.broadcast_to(np.clip(part, 0, whole), source.shape).reshape(-1, source.shape[-1]).max(axis=0)
        for part in parts
    )
    shape = weight.codes.shape
    if node.kind.depthwise:
        return InputBits(np.repeat(own, shape[-1])[None], np.repeat(reach, shape[-1])[None])
    places = int(np.prod(shape[:-2]))
    return InputBits(np.tile(own, places)[:, None], np.tile(reach, places)[:, None])
