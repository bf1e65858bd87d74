"""Types for every tensor and weight of a model in normal form, wide enough that nothing is lost.

hls4ml infers types too, but loses narrowing quantizers, averages and powers of two on the way; so each type
is computed here from the quantizers and the weights themselves, and handed to hls4ml as explicit precisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.freeze import KERNEL_LAYERS, Weights, weights_of
from pquant_hls.network.normal import is_pass_through, is_softmax
from pquant_hls.network.quantizers import (
    activation_type,
    fraction_bits,
    quantizer_name,
    type_for_range,
    weight_type,
)
from pquant_hls.network.topology import Call, Topology
from pquant_hls.qor import FixedType
from pquant_hls.spec import HlsSpec


@dataclass(frozen=True)
class LayerPlan:
    """Precisions hls4ml is told for one layer (``auto`` leaves one to it), and the result's type."""

    result: FixedType
    precisions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """``layers`` by Keras layer name; every tensor's type is its layer's ``result``."""

    layers: Mapping[str, LayerPlan]

    def config(self) -> dict[str, dict[str, Any]]:
        """hls4ml's ``LayerName`` section."""
        return {
            name: {"Precision": {**layer.precisions, "result": layer.result.text}}
            for name, layer in self.layers.items()
        }


@dataclass
class _Planner:
    graph: Topology
    default: FixedType
    wide: bool = False
    types: dict[str, FixedType] = field(default_factory=dict)
    layers: dict[str, LayerPlan] = field(default_factory=dict)

    def sources(self, call: Call) -> list[FixedType]:
        return [self.types[name] for name in call.inputs]

    def quantizer_after(self, call: Call) -> FixedType | None:
        """The one type to which every consumer rounds this result at once, or None."""
        found = {_linear_type(consumer) for consumer in self.graph.consumers(call.output)}
        return found.pop() if len(found) == 1 and call.output not in self.graph.outputs else None


def plan(graph: Topology, default: FixedType, *, wide: bool = False) -> Plan:
    """Types for all layers of a model in normal form; ``default`` is for what carries no quantizer, ``wide``
    makes accumulators wider than any product (see ``wider``)."""
    planner = _Planner(graph, default, wide)
    for call in graph.calls:
        layer = _widened(planner.graph, call, _RULES.get(call.kind, _by_default)(planner, call), default)
        planner.layers[call.name] = layer
        planner.types[call.output] = layer.result
    return Plan(planner.layers)


def reuse_factors(graph: Topology, spec: HlsSpec) -> dict[str, int]:
    """Lower reuse factors for the convolutions that hls4ml computes wrongly with the spec's own.

    Its convolution for io_parallel with the resource strategy holds for factors of up to kernel x channels.
    """
    if spec.strategy != "resource" or spec.io_type == "io_stream":
        return {}
    fan_in = {call.name: products_of(call) for call in graph.calls if call.kind in KERNEL_LAYERS}
    return {name: count for name, count in fan_in.items() if count is not None and count < spec.reuse_factor}


def products_of(call: Call) -> int | None:
    """Products in one sum of a convolution, or of a dense layer over a sequence; None for other layers."""
    over_steps = call.kind in ("QDense", "Dense") and len(call.shape) > 1
    if "Depthwise" in call.kind or not (over_steps or "Conv" in call.kind):
        return None
    return int(math.prod(call.layer.weights[0].shape[:-1]))


SHAPES_ONLY = ("Flatten", "Reshape", "Permute", "ZeroPadding1D", "ZeroPadding2D", "UpSampling2D")
"""Layers that move or repeat values, or add zeros: what they give has their input's type."""


SOFTMAX_BITS = 10
"""Bits of an index into hls4ml's softmax tables."""


def _widened(graph: Topology, call: Call, layer: LayerPlan, default: FixedType) -> LayerPlan:
    """The same values in a type that hls4ml's next function handles.

    Its padded max pooling pads with the sign bit alone, which in an unsigned type is a large value; its
    ternary activation keeps its thresholds in the input's type, which must hold them; its softmax takes the
    difference of two logits in as many bits as one has, so these get one more, and makes its tables smaller for
    logits of few bits.
    """
    kind = layer.result
    if call.kind in SHAPES_ONLY:
        return layer
    if not kind.signed and _reaches(graph, call, _pads_maximum):
        kind = FixedType(kind.width + 1, kind.integer + 1, True, kind.rounding, kind.saturation)
    if _reaches(graph, call, _is_ternary) and kind.integer < int(kind.signed):
        kind = replace(kind, width=kind.frac + int(kind.signed), integer=int(kind.signed))
    if kind != default and _reaches(graph, call, is_softmax):
        kind = replace(kind, width=max(kind.width + 1, SOFTMAX_BITS), integer=kind.integer + 1)
    return replace(layer, result=kind)


def _reaches(graph: Topology, call: Call, wanted: Callable[[Call], bool]) -> bool:
    after = graph.consumers(call.output)
    return any(wanted(c) or (c.kind in SHAPES_ONLY and _reaches(graph, c, wanted)) for c in after)


def _pads_maximum(call: Call) -> bool:
    return call.kind in ("MaxPooling1D", "MaxPooling2D") and call.layer.padding == "same"


def _is_ternary(call: Call) -> bool:
    return call.kind == "QActivation" and quantizer_name(call.layer.activation) == "ternary"


def is_linear(call: Call) -> bool:
    """Whether the call only rounds: hls4ml merges it into the layer before."""
    return call.kind == "QActivation" and quantizer_name(call.layer.activation) == "quantized_bits"


def _linear_type(call: Call) -> FixedType | None:
    return activation_type(call.layer.activation) if is_linear(call) else None


def _by_default(planner: _Planner, call: Call) -> LayerPlan:  # noqa: ARG001
    return LayerPlan(planner.default)


def _input(planner: _Planner, call: Call) -> LayerPlan:
    """The first quantizer's own type: any wider one would round twice."""
    only = first_type(planner.graph, call)
    if only is not None:
        return LayerPlan(only)
    kind = planner.default
    plain = (kind.rounding, kind.saturation) == ("TRN", "WRAP")
    return LayerPlan(replace(kind, rounding="RND_CONV", saturation="SAT") if plain else kind)


def first_type(graph: Topology, call: Call) -> FixedType | None:
    """The one type to which every use of this result rounds it first, through layers that move values."""
    found = {_rounded_to(graph, consumer) for consumer in graph.consumers(call.output)}
    return found.pop() if len(found) == 1 and call.output not in graph.outputs else None


def _rounded_to(graph: Topology, call: Call) -> FixedType | None:
    if call.kind in SHAPES_ONLY or is_pass_through(call):
        return first_type(graph, call)
    name = quantizer_name(call.layer.activation) if call.kind == "QActivation" else ""
    return activation_type(call.layer.activation) if name in ("quantized_bits", "quantized_relu") else None


def _activation(planner: _Planner, call: Call) -> LayerPlan:
    kind = activation_type(call.layer.activation)
    return LayerPlan(planner.default if kind is None else kind)


def _plain_activation(planner: _Planner, call: Call) -> LayerPlan:
    source = planner.sources(call)[0]
    name = getattr(call.layer, "activation", None)
    if call.kind == "ReLU" or getattr(name, "__name__", "") == "relu":
        return LayerPlan(
            source if not source.signed else FixedType(max(source.width - 1, 1), source.integer - 1, False)
        )
    return LayerPlan(planner.default)


def _kernel(planner: _Planner, call: Call) -> LayerPlan:
    weights, *bias = weights_of(call.layer)
    source = planner.sources(call)[0]
    kinds = {
        part.role.replace("depthwise", "kernel"): _weight_text(part, planner.default)
        for part in (weights, *bias)
    }
    precisions = {"weight": kinds["kernel"], "bias": kinds.get("bias", planner.default.text)}
    exact = all(part.quantizer is not None or not np.any(part.values) for part in (weights, *bias))
    offset = bias[0].values if bias else None
    depthwise = weights.role == "depthwise"
    accum = accumulator(source, weights.values, offset, depthwise=depthwise) if exact else None
    accum = planner.default if accum is None else accum
    told = wider(accum, source, weight_type(weights.quantizer)) if planner.wide and exact else accum
    return LayerPlan(planner.quantizer_after(call) or accum, {**precisions, "accum": told.text})


def _weight_text(weights: Weights, default: FixedType) -> str:
    """What hls4ml is told of a weight's type; binary and ternary weights have types of their own there."""
    kind = weight_type(weights.quantizer)
    if kind is None:
        return default.text if weights.quantizer is None else "auto"
    return kind.text if quantizer_name(weights.quantizer) == "quantized_bits" else "auto"


def accumulator(
    source: FixedType,
    weights: NDArray[np.float64],
    bias: NDArray[np.float64] | None,
    *,
    depthwise: bool = False,
) -> FixedType | None:
    """The narrowest type that holds every sum of products of these weights exactly, whatever the inputs.

    ``weights`` (..., n_in, n_out), for depthwise kernels (..., channels, multiplier); ``bias`` (n_out,).
    None where the values lie on no grid of 64 fraction bits.
    """
    bias = np.zeros(weights.shape[-1]) if bias is None else bias
    weight_frac, bias_frac = fraction_bits(weights), fraction_bits(bias)
    if weight_frac is None or bias_frac is None:
        return None
    low, high = source.code_min * source.lsb, source.code_max * source.lsb
    outputs = int(np.prod(weights.shape[-2:])) if depthwise else weights.shape[-1]
    flat = weights.reshape(-1, outputs)
    offset = bias.reshape(-1)
    bottom = np.minimum(flat * low, flat * high).clip(max=0).sum(axis=0) + np.minimum(offset, 0)
    top = np.maximum(flat * low, flat * high).clip(min=0).sum(axis=0) + np.maximum(offset, 0)
    frac = max(source.frac + weight_frac, bias_frac)
    kind = type_for_range(float(bottom.min()), float(top.max()), frac)
    return kind if kind.signed else FixedType(kind.width + 1, kind.integer + 1)


def wider(accum: FixedType, source: FixedType, weight: FixedType | None) -> FixedType:
    """The accumulator, at least a bit wider than a product; no sum changes its value.

    Where it is exactly as wide, Vitis HLS turns ``acc + (-a)`` into ``acc - a`` and no longer balances the
    sum (docs/estimator.md, Sums).
    """
    if weight is None:
        return accum
    shift = max(0, accum.frac - source.frac - weight.frac)
    more = max(0, source.width + weight.width + shift + 1 - accum.width)
    return replace(accum, width=accum.width + more, integer=accum.integer + more)


def _same(planner: _Planner, call: Call) -> LayerPlan:
    return LayerPlan(planner.sources(call)[0])


def union(kinds: list[FixedType], extra_bits: int = 0) -> FixedType:
    """The narrowest type holding every value of ``kinds``, with ``extra_bits`` more integer bits."""
    frac = max(kind.frac for kind in kinds)
    low = min(kind.code_min * kind.lsb for kind in kinds) * 2.0**extra_bits
    high = max(kind.code_max * kind.lsb for kind in kinds) * 2.0**extra_bits
    return type_for_range(low, high, frac)


def _concatenate(planner: _Planner, call: Call) -> LayerPlan:
    return LayerPlan(union(planner.sources(call)))


def _ends(kind: FixedType) -> NDArray[np.float64]:
    return np.array([kind.code_min * kind.lsb, kind.code_max * kind.lsb])


def _merge(
    combine: Callable[[Any, Any], Any], *, frac: Callable[[int, int], int] = max
) -> Callable[[_Planner, Call], LayerPlan]:
    def rule(planner: _Planner, call: Call) -> LayerPlan:
        first, *others = planner.sources(call)
        if len(others) != 1:
            return LayerPlan(planner.default)
        corners = combine(_ends(first)[:, None], _ends(others[0])[None, :])
        return LayerPlan(type_for_range(corners.min(), corners.max(), frac(first.frac, others[0].frac)))

    return rule


def _pool_size(call: Call, source_shape: tuple[int, ...]) -> int:
    if call.kind.startswith("Global"):
        return math.prod(source_shape[:-1])
    return math.prod(call.layer.pool_size)


def _average(planner: _Planner, call: Call) -> LayerPlan:
    """Sum, then divide: enough integer bits for the sum, enough fraction bits that a later rounding is right.

    A quotient k/N of grid values lies on a rounding tie or at least 1/N of a half-LSB away from it, so
    log2(N) + 2 bits below the finer of both grids decide every case.
    """
    source = planner.sources(call)[0]
    size = _pool_size(call, planner.graph.sources(call)[0].shape)
    bits = math.ceil(math.log2(size))
    frac = source.frac + bits
    if size & (size - 1) or getattr(call.layer, "padding", "valid") == "same":  # cut windows divide by fewer
        finest = [
            kind.frac
            for kind in (_any_type(c) for c in planner.graph.consumers(call.output))
            if kind is not None
        ]
        frac = max([source.frac, *(f + 1 for f in finest)]) + bits + 2
    low, high = _ends(source) * size
    accum = type_for_range(float(low), float(high), frac)
    mean = type_for_range(float(low) / size, float(high) / size, frac)
    return LayerPlan(mean, {"accum": accum.text})


def _any_type(call: Call) -> FixedType | None:
    return activation_type(call.layer.activation) if call.kind == "QActivation" else None


def _max_pool(planner: _Planner, call: Call) -> LayerPlan:
    source = planner.sources(call)[0]
    return LayerPlan(source, {"accum": source.text})


_RULES: dict[str, Callable[[_Planner, Call], LayerPlan]] = {
    **dict.fromkeys(KERNEL_LAYERS, _kernel),
    "InputLayer": _input,
    "QActivation": _activation,
    "Activation": _plain_activation,
    "ReLU": _plain_activation,
    **dict.fromkeys(SHAPES_ONLY, _same),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"), _max_pool),
    **dict.fromkeys(
        ("AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"), _average
    ),
    "Concatenate": _concatenate,
    "Maximum": _concatenate,
    "Minimum": _concatenate,
    "Add": _merge(np.add),
    "Subtract": _merge(np.subtract),
    "Multiply": _merge(np.multiply, frac=lambda a, b: a + b),
    "Average": _merge(lambda a, b: (a + b) / 2, frac=lambda a, b: max(a, b) + 1),
}
