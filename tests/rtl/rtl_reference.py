"""The firmware's C++ loops in numpy, in the order of nnet_utils: slow, plain, independent of alkaid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from pquant_hls.qor import FixedPointGraph, FixedType, Node

Kinds = Sequence[FixedType]
Sizes = Sequence[int]
Layer = Callable[..., np.ndarray]
"""(node, types of its inputs, their values...) -> values."""


def run(graph: FixedPointGraph, *inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs (n, *shape) of a graph; float64 holds every value exactly."""
    values: dict[str, np.ndarray] = {}
    fed = iter(inputs)
    for node in graph.nodes:
        if node.op == "input":
            values[node.name] = node.result.quantize(np.asarray(next(fed), np.float64))
            continue
        read = [values[name] for name in node.inputs]
        kinds = [graph.node(name).result for name in node.inputs]
        raw = OPS[node.op](node, kinds, *read)
        values[node.name] = node.result.quantize(raw).reshape(len(raw), *node.shape)
    return [values[name] for name in graph.outputs]


def _sum_products(node: Node, rows: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """rows (n, n_in): each product stored in the accumulator's type, then added in order."""
    accum = node.types["accum"]
    total = np.broadcast_to(accum.quantize(bias), (len(rows), weights.shape[1])).copy()
    for index in range(weights.shape[0]):
        total = accum.quantize(total + accum.quantize(rows[:, index, None] * weights[index]))
    return total


def _bias(node: Node, size: int) -> np.ndarray:
    return node.arrays["bias"].values.ravel() if "bias" in node.arrays else np.zeros(size)


def dense(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    weights = node.arrays["weight"].values
    return _sum_products(node, x.reshape(len(x), -1), weights, _bias(node, weights.shape[1]))


def _pad(x: np.ndarray, pads: Sequence[Sequence[int]], fill: float) -> np.ndarray:
    return np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)


def _places(size: Sizes, kernel: Sizes, strides: Sizes, dilation: Sizes) -> list[tuple[int, ...]]:
    counts = [
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(size, kernel, strides, dilation, strict=True)
    ]
    return list(product(*map(range, counts)))


def _window(x: np.ndarray, place: Sizes, kernel: Sizes, strides: Sizes, dilation: Sizes) -> np.ndarray:
    def one(cell: Sizes) -> np.ndarray:
        where: tuple[Any, ...] = tuple(
            p * s + c * d for p, s, c, d in zip(place, strides, cell, dilation, strict=True)
        )
        return x[(slice(None), *where)]

    return np.stack([one(cell) for cell in product(*map(range, kernel))], axis=1)


def _slide(node: Node, x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """weights (*kernel, channels, filters) over padded windows."""
    kernel, rank = weights.shape[:-2], weights.ndim - 2
    strides, dilation = node.attrs.get("strides", [1] * rank), node.attrs.get("dilation", [1] * rank)
    x = _pad(x, node.attrs.get("padding", [(0, 0)] * rank), 0.0)
    matrix = weights.reshape(-1, weights.shape[-1])
    places = _places(x.shape[1:-1], kernel, strides, dilation)
    seen = [_window(x, place, kernel, strides, dilation).reshape(len(x), -1) for place in places]
    return np.stack([_sum_products(node, rows, matrix, bias) for rows in seen], axis=1)


def conv(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    weights = node.arrays["weight"].values
    return _slide(node, x, weights, _bias(node, weights.shape[-1]))


def depthwise(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    weights, bias = node.arrays["weight"].values, _bias(node, x.shape[-1])
    one = [
        _slide(node, x[..., c : c + 1], weights[..., c : c + 1, :], bias[c : c + 1])
        for c in range(x.shape[-1])
    ]
    return np.concatenate(one, axis=-1)


def _pool(rule: Callable[[Node, FixedType, np.ndarray, int], np.ndarray]) -> Layer:
    def layer(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
        rank = x.ndim - 2
        if node.op.startswith("global"):
            return rule(node, kinds[0], x.reshape(len(x), -1, x.shape[-1]), math.prod(x.shape[1:-1]))[:, None]
        pads = node.attrs.get("padding", [(0, 0)] * rank)
        pool, strides = node.attrs["pool"], node.attrs["strides"]
        fill = (kinds[0].code_min if kinds[0].signed else 1 << (kinds[0].width - 1)) * kinds[0].lsb
        filled = _pad(x, pads, fill if "max" in node.op else 0.0)
        inside = _pad(np.ones_like(x), pads, 0.0)
        out = []
        for place in _places(filled.shape[1:-1], pool, strides, [1] * rank):
            cells = _window(filled, place, pool, strides, [1] * rank)
            count = _window(inside, place, pool, strides, [1] * rank)[0, :, 0].sum()
            out.append(rule(node, kinds[0], cells, math.prod(pool) if node.attrs.get("count_pad") else count))
        return np.stack(out, axis=1)

    return layer


def _max(node: Node, kind: FixedType, cells: np.ndarray, count: int) -> np.ndarray:
    best = cells[:, 0]
    for index in range(1, cells.shape[1]):
        best = np.where(cells[:, index] > best, cells[:, index], best)
    return node.types["accum"].quantize(best)


def _average(node: Node, kind: FixedType, cells: np.ndarray, count: int) -> np.ndarray:
    accum = node.types["accum"]
    total = np.zeros_like(cells[:, 0])
    for index in range(cells.shape[1]):
        total = accum.quantize(total + cells[:, index])
    codes = (total * 2.0**accum.frac).astype(np.int64)
    quotient = np.sign(codes) * (np.abs(codes) // int(count))  # C++ integer division drops towards zero
    return accum.quantize(quotient * accum.lsb)


def batchnorm(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    scale, bias = (np.resize(node.arrays[key].values, x.shape[1:]) for key in ("scale", "bias"))
    return x * scale + bias


def relu(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    return np.where(x > node.attrs.get("threshold", 0.0), x, 0.0)


def ternary(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    if "threshold_hi" in node.arrays:
        keys = ("threshold_hi", "threshold_lo")
        high, low = (np.resize(node.arrays[key].values, x.shape[1:]) for key in keys)
        return np.where(x > high, 1.0, np.where(x <= low, -1.0, 0.0))
    doubled = kinds[0].quantize(2 * x)
    return np.where(doubled > 1, 1.0, np.where(doubled > -1, 0.0, -1.0))


def hard_sigmoid(node: Node, kinds: Kinds, x: np.ndarray) -> np.ndarray:
    slope, shift = float(node.attrs["slope"]), float(node.attrs["shift"])
    return np.clip(slope * x + shift, 0.0, 1.0)


def _merge(rule: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Layer:
    def layer(node: Node, kinds: Kinds, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        shape = (len(first), *node.shape)
        size = math.prod(node.shape)
        index = np.arange(size)
        flat = [v.reshape(len(v), -1)[:, index % v[0].size] for v in (first, second)]
        merged: np.ndarray = rule(flat[0], flat[1]).reshape(shape)
        return merged

    return layer


OPS: dict[str, Layer] = {
    "dense": dense,
    "conv1d": conv,
    "conv2d": conv,
    "depthwise_conv1d": depthwise,
    "depthwise_conv2d": depthwise,
    **{f"{where}max_pooling{n}d": _pool(_max) for where in ("", "global_") for n in (1, 2)},
    **{f"{where}average_pooling{n}d": _pool(_average) for where in ("", "global_") for n in (1, 2)},
    "batchnorm": batchnorm,
    "quantize": lambda node, kinds, x: x,
    "clone": lambda node, kinds, x: x,
    "relu": relu,
    "leaky_relu": lambda node, kinds, x: np.where(x > 0, x, node.attrs["slope"] * x),
    "binary_tanh": lambda node, kinds, x: np.where(x >= 0, 1.0, -1.0 if node.result.width > 1 else 0.0),
    "ternary_tanh": ternary,
    "hard_sigmoid": hard_sigmoid,
    "hard_tanh": lambda node, kinds, x: 2 * hard_sigmoid(node, kinds, x) - 1,
    "add": _merge(np.add),
    "subtract": _merge(np.subtract),
    "multiply": _merge(np.multiply),
    "average": _merge(lambda a, b: (a + b) * 0.5),
    "maximum": _merge(np.maximum),
    "minimum": _merge(np.minimum),
    "concatenate": lambda node, kinds, *xs: np.concatenate(xs, axis=node.attrs["axis"] + 1),
    "reshape": lambda node, kinds, x: x,
    "transpose": lambda node, kinds, x: np.transpose(x, (0, *(p + 1 for p in node.attrs["perm"]))),
    "zero_padding1d": lambda node, kinds, x: _pad(x, node.attrs["padding"], 0.0),
    "zero_padding2d": lambda node, kinds, x: _pad(x, node.attrs["padding"], 0.0),
}
