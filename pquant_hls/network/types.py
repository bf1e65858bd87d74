"""Fixed-point types of a model's tensors, read off its quantizers and weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pquant_hls.network.freeze import weights_of
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.grids import accumulator, ends, finer, type_for_range, union, unsigned
from pquant_hls.network.quantizers import quantizer_bits, quantizer_type
from pquant_hls.network.table import activation_name, operation
from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import enclosed_bits

__all__ = [
    "enclosed_bits",
    "output_type",
    "quantizer_bits",
    "quantizer_type",
    "sum_type",
    "sum_types",
    "tensor_types",
]


def tensor_types(model: keras.Model) -> dict[str, FixedType | None]:
    """Type of each tensor of the model by its name (its layer's, see ``Call``); None where a float is among
    its operands."""
    return _types(flat(model))


def _types(graph: Topology) -> dict[str, FixedType | None]:
    found: dict[str, FixedType | None] = {}
    for call in graph.calls:
        found[call.output] = output_type(call, [found[name] for name in call.inputs])
    return found


def sum_types(model: keras.Model) -> dict[str, FixedType]:
    """For each call with quantized weights and inputs: the narrowest type that holds every sum, whatever the
    input."""
    graph = flat(model)
    kinds = _types(graph)
    sources = {call: kinds[call.inputs[0]] for call in graph.calls if operation(call.layer) in _WEIGHTED}
    sums = {call.output: sum_type(call.layer, kind) for call, kind in sources.items() if kind is not None}
    return {name: kind for name, kind in sums.items() if kind is not None}


def sum_type(layer: Any, source: FixedType) -> FixedType | None:
    """The narrowest type that holds every sum of a dense layer or convolution exactly; None for float weights."""
    parts = weights_of(layer)
    if not parts or any(part.quantizer is None and np.any(part.values) for part in parts):
        return None
    kernel, *bias = parts
    offset = bias[0].values if bias else None
    return accumulator(source, kernel.values, offset, depthwise=kernel.role == "depthwise")


def output_type(call: Call, sources: Sequence[FixedType | None]) -> FixedType | None:
    """Type that holds every output value of one call exactly, given its inputs' types; None where none does."""
    kind = operation(call.layer)
    known = [source for source in sources if source is not None]
    complete = bool(known) and len(known) == len(sources)
    if kind == "activation":
        return _activated(call.layer, known[0] if complete else None)
    if kind in _WEIGHTED:
        return _activated(call.layer, sum_type(call.layer, known[0]) if complete else None)
    if not complete or (call.is_operation and call.constants):
        return None
    if "AveragePooling" in call.kind:
        return finer(known[0], known[0].frac + math.ceil(math.log2(averaged(call))))
    if kind in ("flatten", "pass", "reshape", "pool", "global_pool"):
        return known[0]
    merge = "Concatenate" if kind == "concatenate" else call.kind.removeprefix("ops.")
    return _MERGES[merge](known) if merge in _MERGES else None


_WEIGHTED = ("dense", "conv", "depthwise_conv")


def averaged(call: Call) -> int:
    """How many values one result of an average pooling is the mean of."""
    if "Global" in call.kind:
        axes = call.node.input_tensors[0].shape[1:-1]
    else:
        size = call.layer.pool_size
        axes = (size,) if isinstance(size, int) else size
    return math.prod(length for length in axes if length is not None)


def _activated(layer: Any, source: FixedType | None) -> FixedType | None:
    found = quantizer_type(getattr(layer, "activation", None))
    if found is not None:
        return found
    name = activation_name(layer)
    if name is None:
        return source
    return unsigned(source) if name == "relu" and source is not None else None


def _chained(
    combine: Callable[[Any, Any], Any], frac: Callable[[int, int], int] = max
) -> Callable[[Sequence[FixedType]], FixedType]:
    """The range that a chain of one binary operation reaches from the corners of its inputs' ranges."""

    def merge(kinds: Sequence[FixedType]) -> FixedType:
        reach, bits = ends(kinds[0]), kinds[0].frac
        for kind in kinds[1:]:
            corners = combine(reach[:, None], ends(kind)[None, :])
            reach, bits = np.array([corners.min(), corners.max()]), frac(bits, kind.frac)
        return type_for_range(float(reach[0]), float(reach[1]), bits)

    return merge


def _average(kinds: Sequence[FixedType]) -> FixedType | None:
    """Exact for 2, 4, ... inputs alone."""
    count = len(kinds)
    sums = _SUM(kinds)
    exact = count & (count - 1) == 0
    low, high = ends(sums)
    return type_for_range(low / count, high / count, sums.frac + count.bit_length() - 1) if exact else None


_SUM = _chained(np.add)
_MERGES: Mapping[str, Callable[[Sequence[FixedType]], FixedType | None]] = {
    "Add": _SUM,
    "Subtract": _chained(np.subtract),
    "Multiply": _chained(np.multiply, lambda a, b: a + b),
    "Average": _average,
    "Maximum": union,
    "Minimum": union,
    "Concatenate": union,
}
