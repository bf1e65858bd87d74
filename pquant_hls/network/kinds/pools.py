"""Pooling: maxima and means over windows or whole images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from pquant_hls.network.frontend import Remark, Remarks
from pquant_hls.network.graph import Call, NewLayer, Topology
from pquant_hls.network.grids import ends, finer, type_for_range
from pquant_hls.network.kinds.base import (
    Context,
    Kind,
    LayerPlan,
    Planning,
    Types,
    acting,
    layer_kind,
    register_kind,
)
from pquant_hls.qor import FixedType


class _Max(Kind):
    def output_type(self, call: Call, sources: Types) -> FixedType | None:  # noqa: ARG002
        return sources[0]

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        source = planning.sources(call)[0]
        return LayerPlan(source, {"accum": source.text})


class _Average(Kind):
    averages = True

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        return finer(sources[0], sources[0].frac + math.ceil(math.log2(averaged(call))))

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        """Sum, then divide: enough integer bits for the sum, enough fraction bits that a later rounding is right.

        A quotient k/N of grid values lies on a rounding tie or at least 1/N of a half-LSB away from it, so
        log2(N) + 2 bits below the finer of both grids decide every case.
        """
        source, size = planning.sources(call)[0], averaged(call)
        bits = math.ceil(math.log2(size))
        frac = source.frac + bits
        if _uneven(call):
            after = [acting(consumer) for consumer in planning.graph.consumers(call.output)]
            finest = [found.type.frac for found in after if found is not None and found.type is not None]
            frac = max([source.frac, *(f + 1 for f in finest)]) + bits + 2
        low, high = ends(source) * size
        accum = type_for_range(float(low), float(high), frac)
        return LayerPlan(finer(source, frac), {"accum": accum.text})

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield Remark("average-pool", "the result gets bits for the fraction of the average")
        if _uneven(call) and not _rounded(call, context.graph):
            text = f"averages over {averaged(call)} values leave the grid"
            yield Remark("average-unrounded", text)


def averaged(call: Call) -> int:
    """How many values one result of an average pooling is the mean of."""
    if layer_kind(call.layer).operation == "global_pool":
        axes = call.node.input_tensors[0].shape[1:-1]
    else:
        size = call.layer.pool_size
        axes = (size,) if isinstance(size, int) else size
    return math.prod(length for length in axes if length is not None)


def _uneven(call: Call) -> bool:
    """Whether means are over numbers that are no power of two, as cut windows divide by fewer."""
    size = averaged(call)
    return size & (size - 1) != 0 or getattr(call.layer, "padding", "valid") == "same"


def _rounded(call: Call, graph: Topology) -> bool:
    """Whether every reader is a quantizer that rounds; a ternary only compares."""
    after = map(acting, graph.consumers(call.output))
    quantized = all(reading is not None and reading.shape != "ternary" for reading in after)
    return quantized and call.output not in graph.outputs


class _Window(Kind):
    operation = "pool"

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        layer = call.layer
        if layer.padding == "same" and context.streams:
            yield Remark("stream-pooling", "padding is 'same'")
        elif context.streams and len(call.shape) == 3 and layer.strides != layer.pool_size:
            yield Remark("stream-pooling", f"strides {layer.strides}, pool_size {layer.pool_size}")
        elif layer.padding == "same" and not self.averages:
            yield Remark("padded-max-pool", "its input gets a sign bit")


class _Whole(Kind):
    operation = "global_pool"

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """Axes of length 1 that stay come from a reshape."""
        del weights
        if not call.layer.keepdims:
            return None
        name = changes["name"]
        config = {**call.layer.get_config(), "name": f"{name}_whole", "keepdims": False}
        shaped = keras.layers.Reshape(call.shape, name=name)
        return [NewLayer(type(call.layer).from_config(config)), NewLayer(shaped)]


@register_kind
class MaxPooling(_Window, _Max):
    handles = ("MaxPooling1D", "MaxPooling2D")


@register_kind
class AveragePooling(_Window, _Average):
    handles = ("AveragePooling1D", "AveragePooling2D")


@register_kind
class GlobalMaxPooling(_Whole, _Max):
    handles = ("GlobalMaxPooling1D", "GlobalMaxPooling2D")


@register_kind
class GlobalAveragePooling(_Whole, _Average):
    handles = ("GlobalAveragePooling1D", "GlobalAveragePooling2D")
