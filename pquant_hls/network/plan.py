"""Types for every tensor and weight of a model in normal form, wide enough that nothing is lost.

hls4ml infers types too, but loses narrowing quantizers, averages and powers of two on the way; so each type
is computed here from the quantizers and the weights themselves, and handed to hls4ml as explicit precisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pquant_hls.network.freeze import KERNEL_LAYERS, Weights, weights_of
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.grids import ends, finer, type_for_range, wider
from pquant_hls.network.normal import is_pass_through, is_softmax
from pquant_hls.network.quantizers import quantizer_name, quantizer_type, weight_type
from pquant_hls.network.types import averaged, output_type, sum_type
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
        layer = _widened(planner.graph, call, _RULES.get(call.kind, _by_value)(planner, call), default)
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
    return quantizer_type(call.layer.activation) if is_linear(call) else None


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
    return quantizer_type(call.layer.activation) if name in ("quantized_bits", "quantized_relu") else None


def _by_value(planner: _Planner, call: Call) -> LayerPlan:
    kind = output_type(call, planner.sources(call))
    return LayerPlan(planner.default if kind is None else kind)


def _kernel(planner: _Planner, call: Call) -> LayerPlan:
    source = planner.sources(call)[0]
    parts = weights_of(call.layer)
    kinds = {part.role: _weight_text(part, planner.default) for part in parts}
    precisions = {"weight": kinds[parts[0].role], "bias": kinds.get("bias", planner.default.text)}
    exact = sum_type(call.layer, source)
    accum = planner.default if exact is None else exact
    told = accum
    if planner.wide and exact is not None:
        told = wider(accum, source, weight_type(parts[0].quantizer))
    return LayerPlan(planner.quantizer_after(call) or accum, {**precisions, "accum": told.text})


def _weight_text(weights: Weights, default: FixedType) -> str:
    """What hls4ml is told of a weight's type; binary and ternary weights have types of their own there."""
    kind = weight_type(weights.quantizer)
    if kind is None:
        return default.text if weights.quantizer is None else "auto"
    return kind.text if quantizer_name(weights.quantizer) == "quantized_bits" else "auto"


def _average(planner: _Planner, call: Call) -> LayerPlan:
    """Sum, then divide: enough integer bits for the sum, enough fraction bits that a later rounding is right.

    A quotient k/N of grid values lies on a rounding tie or at least 1/N of a half-LSB away from it, so
    log2(N) + 2 bits below the finer of both grids decide every case.
    """
    source, size = planner.sources(call)[0], averaged(call)
    bits = math.ceil(math.log2(size))
    frac = source.frac + bits
    if size & (size - 1) or getattr(call.layer, "padding", "valid") == "same":  # cut windows divide by fewer
        after = [_any_type(consumer) for consumer in planner.graph.consumers(call.output)]
        finest = [kind.frac for kind in after if kind is not None]
        frac = max([source.frac, *(f + 1 for f in finest)]) + bits + 2
    low, high = ends(source) * size
    accum = type_for_range(float(low), float(high), frac)
    return LayerPlan(finer(source, frac), {"accum": accum.text})


def _any_type(call: Call) -> FixedType | None:
    return quantizer_type(call.layer.activation) if call.kind == "QActivation" else None


def _max_pool(planner: _Planner, call: Call) -> LayerPlan:
    source = planner.sources(call)[0]
    return LayerPlan(source, {"accum": source.text})


_RULES: dict[str, Callable[[_Planner, Call], LayerPlan]] = {
    **dict.fromkeys(KERNEL_LAYERS, _kernel),
    "InputLayer": _input,
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"), _max_pool),
    **dict.fromkeys(
        ("AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"), _average
    ),
}

FLOAT32_BITS = 24
"""Bits of an integer that float32 holds exactly (IEEE 754 binary32)."""
_WIDE = FixedType(16, 6)


def wide_sums(normal: Topology, default: FixedType = _WIDE) -> Iterator[tuple[Call, int]]:
    """(call, bits) for each layer of a model in normal form whose exact results need more than 24 bits."""
    types = plan(normal, default).layers
    for call in normal.calls:
        kind = types[call.name].result
        if call.kind in KERNEL_LAYERS:
            kernel, *_ = weights_of(call.layer)
            if kernel.quantizer is None or kernel.grid is None:
                continue
            kind = sum_type(call.layer, types[normal.sources(call)[0].name].result) or kind
        if call.kind != "InputLayer" and kind.width > FLOAT32_BITS:
            yield call, kind.width
