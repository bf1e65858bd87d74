"""Types for every tensor and weight of a model in normal form, wide enough that nothing is lost.

hls4ml infers types too, but loses narrowing quantizers, averages and powers of two on the way; so each type
is computed by the layer's kind from the quantizers and the weights themselves, and handed to hls4ml as explicit
precisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pquant_hls.network.freeze import weights_of
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.kinds import LayerPlan, Planning, acting, layer_kind
from pquant_hls.network.kinds.products import lowered_reuse, sum_type
from pquant_hls.network.room import own_type, readers, roomy
from pquant_hls.network.types import element_types
from pquant_hls.qor import FixedType
from pquant_hls.spec import HlsSpec


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


def plan(graph: Topology, default: FixedType, *, wide: bool = False, baked: bool = False) -> Plan:
    """Types for all layers of a model in normal form; ``default`` is for what carries no quantizer, ``wide``
    makes accumulators wider than any product (see ``wider``), ``baked`` says that no bias can be replaced."""
    planning = Planning(graph, default, wide, grids=element_types(graph), baked=baked)
    layers: dict[str, LayerPlan] = {}
    for call in graph.calls:
        layer = _widened(graph, call, layer_kind(call.layer).plan(call, planning), default)
        if any(layers[source.name].bias is not None for source in graph.sources(call)):
            layer = replace(layer, result=replace(layer.result, rounding="TRN"))
        layers[call.name], planning.types[call.output] = layer, layer.result
    return Plan(layers)


def reuse_factors(graph: Topology, spec: HlsSpec) -> dict[str, int]:
    """Lower reuse factors for the convolutions that hls4ml computes wrongly with the spec's own."""
    lowered = {call.name: lowered_reuse(call, spec) for call in graph.calls}
    return {name: count for name, count in lowered.items() if count is not None}


def _widened(graph: Topology, call: Call, layer: LayerPlan, default: FixedType) -> LayerPlan:
    """The same values in a type that hls4ml's next function handles; behind a quantizer the normal form has made room."""
    if layer_kind(call.layer).moves:
        return layer
    found = acting(call)
    kind = roomy(layer.result, list(readers(graph, call)), softmax=layer.result != default)
    return replace(layer, result=kind if found is None else own_type(found.shape, layer.result, kind))


def is_linear(call: Call) -> bool:
    """Whether the call only rounds: hls4ml merges it into the layer before."""
    found = acting(call)
    return found is not None and found.shape == "linear"


FLOAT32_BITS = 24
"""Bits of an integer that float32 holds exactly (IEEE 754 binary32)."""


def wide_sums(normal: Topology, planned: Plan) -> Iterator[tuple[Call, int]]:
    """(call, bits) for each layer of a model in normal form whose exact results need more than 24 bits."""
    types = planned.layers
    for call in normal.calls:
        kind = types[call.name].result
        if layer_kind(call.layer).roles:
            kernel, *_ = weights_of(call.layer)
            if kernel.quantizer is None or kernel.grid is None:
                continue
            kind = sum_type(call.layer, types[normal.sources(call)[0].name].result) or kind
        if call.kind != "InputLayer" and kind.width > FLOAT32_BITS:
            yield call, kind.width
