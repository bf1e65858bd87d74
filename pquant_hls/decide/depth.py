"""A design with fewer layers: which hidden ones can be left out of a graph, and the graph as it looks without them.

What is imagined only ranks moves and bounds what can be reached; ``compress.bridge`` does it to a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedArray, FixedPointGraph, Node

MOST_WAYS = 64
"""Choices of layers that ``shallower`` looks through one by one."""


@dataclass(frozen=True)
class Span:
    """A hidden layer that can go with the ``own`` nodes behind it; ``carriers`` stay, ``reader`` then reads what it read."""

    layer: Node
    own: tuple[Node, ...]
    carriers: tuple[Node, ...]
    reader: Node

    @property
    def saves(self) -> int:
        """Multiplications of one place that go with the layer, those that its reader gains taken off."""
        n_in, n_out = _matrix(self.layer).shape
        own, reader = (node.arrays["weight"].codes.size for node in (self.layer, self.reader))
        return int(own + reader - reader * n_in // n_out)


def spans(graph: FixedPointGraph) -> list[Span]:
    """The hidden layers that can be left out, in the graph's order."""
    return [span for node in graph.nodes if (span := _span(graph, node)) is not None]


def fewer_layers(graph: FixedPointGraph, count: int) -> FixedPointGraph:
    """The graph without ``count`` layers, or as many as can go: those first with which most multiplications go."""
    for _ in range(count):
        found = spans(graph)
        if not found:
            break
        graph = without_layer(graph, max(found, key=lambda span: span.saves))
    return graph


def shallower(graph: FixedPointGraph, count: int) -> list[FixedPointGraph]:
    """Every graph with ``count`` layers left out, or as many as can go.

    Where there are more than ``MOST_WAYS`` the one without any that can go stands for all: no floor is above its.
    """
    ways = {frozenset(node.name for node in graph.nodes): graph}
    for _ in range(count):
        found = {_names(each): each for way in ways.values() for each in _next(way)}
        if not found:
            break
        if len(found) > MOST_WAYS:
            return [fewer_layers(graph, len(graph.nodes))]
        ways = found
    return list(ways.values())


def _names(graph: FixedPointGraph) -> frozenset[str]:
    return frozenset(node.name for node in graph.nodes)


def _next(graph: FixedPointGraph) -> Iterator[FixedPointGraph]:
    return (without_layer(graph, span) for span in spans(graph))


def _span(graph: FixedPointGraph, node: Node) -> Span | None:
    if not _plain(node):
        return None
    own: list[Node] = []
    carriers: list[Node] = []
    reader = _only_reader(graph, node)
    while reader is not None and not reader.kind.weighted:
        (own if reader.kind.elementwise else carriers).append(reader)
        reader = _only_reader(graph, reader)
    if reader is None or not _plain(reader):
        return None
    same = node.shape[:-1] == graph.node(node.inputs[0]).shape[:-1]
    if not same and (carriers or not _merges(own, reader)):
        return None
    return Span(node, tuple(own), tuple(carriers), reader)


def _merges(own: list[Node], reader: Node) -> bool:
    """Whether a convolution may be merged with its reader, which then works in its places."""
    taps = reader.arrays["weight"].codes.shape[:-2]
    return reader.kind.convolution and set(taps) == {1} and all(node.op == "quantize" for node in own)


def _plain(node: Node) -> bool:
    """A dense layer or an ordinary convolution whose weights are known."""
    return node.kind.weighted and not node.kind.depthwise and "weight" in node.arrays


def _only_reader(graph: FixedPointGraph, node: Node) -> Node | None:
    readers = [each for each in graph.nodes if node.name in each.inputs]
    if len(readers) != 1 or node.name in graph.outputs or len(readers[0].inputs) != 1:
        return None
    kind = readers[0].kind
    takes = kind.weighted or kind.elementwise or kind.moves or kind.pool
    return readers[0] if takes and kind.name != "transpose" else None


def without_layer(graph: FixedPointGraph, span: Span) -> FixedPointGraph:
    """The graph without one layer; its reader gets the product of both kernels, on its own grid of weights."""
    gone = {span.layer.name, *(node.name for node in span.own)}
    feeds = dict.fromkeys(gone, span.layer.inputs[0])
    n_in, n_out = _matrix(span.layer).shape
    changed = {node.name: _resized(node, n_in, n_out) for node in span.carriers}
    for node in span.own:
        feeds[node.name] = feeds[node.inputs[0]] if node.inputs[0] in gone else node.inputs[0]
    changed[span.reader.name] = _reading(span.reader, span.layer)
    nodes = (changed.get(node.name, node) for node in graph.nodes if node.name not in gone)
    return replace(graph, nodes=tuple(_fed(node, feeds) for node in nodes))


def _fed(node: Node, feeds: Mapping[str, str]) -> Node:
    return replace(node, inputs=tuple(feeds.get(name, name) for name in node.inputs))


def _resized(node: Node, n_in: int, n_out: int) -> Node:
    """A carrier of ``n_in`` channels in place of ``n_out``."""
    return replace(node, shape=(*node.shape[:-1], node.shape[-1] * n_in // n_out))


def _matrix(node: Node) -> NDArray[np.int64]:
    """(channels in, channels out): the layer's codes, those of a convolution's taps added."""
    codes = node.arrays["weight"].codes
    return np.asarray(codes.reshape(-1, *codes.shape[-2:]).sum(axis=0), np.int64)


def _reading(reader: Node, layer: Node) -> Node:
    """The reader with a kernel for what ``layer`` reads: the product of both, scaled to the reader's largest code."""
    first, old = _matrix(layer).astype(np.float64), reader.arrays["weight"]
    second = old.codes.reshape(-1, first.shape[1], old.codes.shape[-1])
    made = np.einsum("ij,pjm->pim", first, second)
    top = np.abs(made).max(initial=0.0)
    codes = np.rint(made * (np.abs(old.codes).max(initial=0) / top if top > 0 else 0.0)).astype(np.int64)
    taps = old.codes.shape[:-2]
    shape = (*taps, first.shape[0], codes.shape[-1]) if taps else (-1, codes.shape[-1])
    arrays = {**reader.arrays, "weight": FixedArray(codes.reshape(shape), old.frac_bits)}
    known = {"n_in": arrays["weight"].codes.shape[0]} if "n_in" in reader.attrs else {}
    return replace(reader, arrays=arrays, attrs={**reader.attrs, **known})
