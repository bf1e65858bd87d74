"""What values the layers of a graph can have: intervals from the types of its inputs on (Moore 1966)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedPointGraph, FixedType, Node

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Lowest and highest value of each element, float64 of one shape."""

    low: Floats
    high: Floats

    @classmethod
    def of_type(cls, kind: FixedType, shape: tuple[int, ...]) -> Interval:
        return cls(np.full(shape, kind.low), np.full(shape, kind.high))

    def reshaped(self, shape: tuple[int, ...]) -> Interval:
        return Interval(self.low.reshape(shape), self.high.reshape(shape))

    def channels(self) -> Interval:
        """Over all places, by the last axis."""
        flat = self.low.reshape(-1, self.low.shape[-1]), self.high.reshape(-1, self.high.shape[-1])
        return Interval(flat[0].min(axis=0), flat[1].max(axis=0))

    def beyond(self, kind: FixedType) -> bool:
        """Whether a value lies more than its rounding outside of what ``kind`` holds."""
        return bool(np.any(self.low < kind.low - kind.lsb) or np.any(self.high >= kind.high + kind.lsb))

    def stored(self, kind: FixedType) -> Interval:
        """As a type stores it: anywhere in its range where a value wraps."""
        if self.beyond(kind) and kind.saturation == "WRAP":
            return Interval.of_type(kind, self.low.shape)
        ends = (np.clip(end, kind.low, kind.high) for end in (self.low, self.high))
        low, high = ends
        return Interval(np.maximum(low - kind.lsb, kind.low), np.minimum(high + kind.lsb, kind.high))

    @property
    def text(self) -> str:
        return f"{self.low.min():.6g} to {self.high.max():.6g}"


@dataclass(frozen=True)
class Ranges:
    """By node: ``sums`` before an accumulator stores them, ``results`` before the result's type does, ``stored`` after."""

    sums: Mapping[str, Interval] = field(default_factory=dict)
    results: Mapping[str, Interval] = field(default_factory=dict)
    stored: Mapping[str, Interval] = field(default_factory=dict)


def ranges(graph: FixedPointGraph) -> Ranges:
    """Intervals of every node for any inputs of the ports' types; what no rule computes may be anything that its type holds."""
    sums, results, stored = dict[str, Interval](), dict[str, Interval](), dict[str, Interval]()
    for node in graph.nodes:
        inputs = [stored[name] for name in node.inputs]
        exact = None if node.is_input else _exact(node, inputs)
        if exact is None:
            stored[node.name] = Interval.of_type(node.result, node.shape)
            continue
        accum = node.types.get("accum")
        if node.kind.weighted and accum is not None:
            sums[node.name] = exact
            exact = exact.stored(accum)
        results[node.name] = exact
        stored[node.name] = exact.stored(node.result)
    return Ranges(sums, results, stored)


def _exact(node: Node, inputs: list[Interval]) -> Interval | None:
    if node.kind.weighted:
        return _product(node, inputs[0])
    if node.op == "batchnorm":
        return _scaled(node, inputs[0])
    if node.op == "concatenate":
        axis = int(node.attrs.get("axis", -1))
        return Interval(
            *(np.concatenate([getattr(one, end) for one in inputs], axis) for end in ("low", "high"))
        )
    rule = _RULES.get(node.op)
    found = None if rule is None else rule(*inputs)
    return None if found is None or found.low.size != np.prod(node.shape) else found.reshaped(node.shape)


def _product(node: Node, x: Interval) -> Interval | None:
    """Sums of products, each input anywhere in its interval by itself."""
    if "weight" not in node.arrays or node.kind.depthwise:
        return None
    weight = node.arrays["weight"].values
    bias = node.arrays["bias"].values if "bias" in node.arrays else np.zeros(node.shape[-1])
    if node.kind.dense and x.low.size == weight.shape[0]:
        x = x.reshaped((-1,))
    else:
        x = x.channels()
        if any(sum(pair) for pair in node.attrs.get("padding", ())):
            x = Interval(np.minimum(x.low, 0.0), np.maximum(x.high, 0.0))
    if weight.size % (x.low.size * weight.shape[-1]) != 0:
        return None
    kernel = weight.reshape(-1, x.low.size, weight.shape[-1])
    up, down = np.maximum(kernel, 0.0).sum(axis=0), np.minimum(kernel, 0.0).sum(axis=0)
    low, high = x.low @ up + x.high @ down + bias, x.high @ up + x.low @ down + bias
    return Interval(*(np.broadcast_to(end, node.shape) for end in (low, high)))


def _scaled(node: Node, x: Interval) -> Interval:
    scale, bias = node.arrays["scale"].values, node.arrays["bias"].values
    last = x.low.reshape(-1, scale.size), x.high.reshape(-1, scale.size)
    ends = [end * scale + bias for end in last]
    return Interval(np.minimum(*ends), np.maximum(*ends)).reshaped(node.shape)


def _times(a: Interval, b: Interval) -> Interval:
    corners = [one * two for one in (a.low, a.high) for two in (b.low, b.high)]
    return Interval(np.minimum.reduce(corners), np.maximum.reduce(corners))


def _over(x: Interval) -> Interval:
    """A window's largest or average value lies where its values do."""
    return x.channels()


_RULES: Mapping[str, Callable[..., Interval | None]] = {
    "reshape": lambda x: x,
    "clone": lambda x: x,
    "quantize": lambda x: x,
    "relu": lambda x: Interval(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0)),
    "add": lambda a, b: Interval(a.low + b.low, a.high + b.high),
    "subtract": lambda a, b: Interval(a.low - b.high, a.high - b.low),
    "multiply": _times,
    "maximum": lambda a, b: Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high)),
    "minimum": lambda a, b: Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
    "global_max_pooling1d": _over,
    "global_max_pooling2d": _over,
    "global_average_pooling1d": _over,
    "global_average_pooling2d": _over,
}
