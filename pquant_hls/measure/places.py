"""A convolution at one place: its kernel does the same everywhere, so that one place, told of every window, proves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pquant_hls.qor import FixedPointGraph, Node

Floats = NDArray[np.float64]


def at_one_place(graph: FixedPointGraph, node: Node) -> FixedPointGraph:
    """A graph of this convolution alone, whose input is one window (*kernel, channels) and whose output its filters."""
    source, rank = graph.node(node.inputs[0]), node.kind.rank
    port = Node(source.name, "input", (), (*_kernel(node), source.shape[-1]), source.result)
    plain = {"padding": [[0, 0]] * rank, "strides": [1] * rank, "dilation": [1] * rank}
    alone = replace(node, shape=(*(1,) * rank, node.shape[-1]), attrs={**node.attrs, **plain})
    return FixedPointGraph((port, alone), (node.name,), graph.io_type, graph.backend, graph.name)


def window_values(node: Node, x: Floats) -> Floats:
    """Every window that the convolution sees of ``x`` (n, *places, channels): (n * output places, *kernel, channels)."""
    rank, kernel = node.kind.rank, _kernel(node)
    axes = tuple(range(1, rank + 1))
    pads = [tuple(pair) for pair in node.attrs.get("padding", [[0, 0]] * rank)]
    strides, dilation = (list(node.attrs.get(name, [1] * rank)) for name in ("strides", "dilation"))
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    spans = [(length - 1) * step + 1 for length, step in zip(kernel, dilation, strict=True)]
    found = sliding_window_view(padded, spans, axis=axes)
    places = (slice(None, None, stride) for stride in strides)
    inside = (slice(None, None, step) for step in dilation)
    taken = found[(slice(None), *places, slice(None), *inside)]
    return np.moveaxis(taken, rank + 1, -1).reshape(-1, *kernel, x.shape[-1])


def _kernel(node: Node) -> tuple[int, ...]:
    return node.arrays["weight"].codes.shape[: node.kind.rank]
