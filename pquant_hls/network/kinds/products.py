"""Kinds that sum products with weights, and batch normalization, which goes into them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import Weights, weights_of
from pquant_hls.network.frontend import Remark, Remarks, front_of, reading_of
from pquant_hls.network.graph import Call, NewLayer, Topology
from pquant_hls.network.grids import accumulator, holding, hull, roundable, wider
from pquant_hls.network.kinds.base import (
    Context,
    Kind,
    LayerPlan,
    Operation,
    Planning,
    Types,
    acting,
    activated,
    layer_kind,
    register_kind,
)
from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.spec import BACKENDS, HlsSpec

VIVADO_UNROLLS = 4096
"""Products of one layer above which Vivado HLS stops; hls4ml's documentation states it of its latency strategy."""


class Product(Kind):
    """One kernel, and a bias or none."""

    roles: ClassVar[tuple[str, ...]] = ("kernel", "bias")

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        return activated(call.layer, sum_type(call.layer, sources[0]))

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        source = planning.sources(call)[0]
        kernel, *bias = weights_of(call.layer)
        biases = truncating_bias(call, planning)
        told = [_told(part, planning.default) for part in (kernel, *bias)]
        precisions = dict(zip(("weight", "bias"), (*told, planning.default.text), strict=False))
        if biases is not None:
            precisions["bias"] = replace(hull(holding(biases)), rounding="TRN", saturation="WRAP").text
        exact = sum_type(call.layer, planning.grids.get(call.inputs[0]) or source, biases)
        accum = planning.default if exact is None else exact
        after = {_rounds_to(consumer) for consumer in planning.graph.consumers(call.output)}
        alone = len(after) == 1 and call.output not in planning.graph.outputs
        result = (after.pop() if alone else None) or accum
        if biases is not None:
            result = replace(result, rounding="TRN")
        room = accum = roundable(accum, result)  # sums far below its step are what strong pruning leaves
        if planning.wide and exact is not None:
            room = wider(accum, source, _weight_type(kernel))
        return LayerPlan(result, {**precisions, "accum": room.text}, biases)

    def terms(self, call: Call) -> int | None:  # noqa: ARG002
        """Products in one sum of a layer that is a convolution in firmware; None for others."""
        return None

    def remarks(self, call: Call, context: Context) -> Remarks:
        spec = context.spec
        limited = lowered_reuse(call, spec)
        if limited is not None:
            yield Remark("reuse-factor", f"reuse_factor {spec.reuse_factor} becomes {limited} or less")
        if (kernel := getattr(call.layer, "kernel", None)) is None:
            return
        yield from _mask_remarks(call.layer)
        inputs, outputs = math.prod(kernel.shape[:-1]), int(kernel.shape[-1])
        shared = spec.shares
        most = inputs * outputs - (spec.strategy == "resource_unrolled")
        built = nearest_reuse(inputs, outputs, spec.reuse_factor, most) if shared else 1
        if shared and limited is None and built != spec.reuse_factor:
            text = f"reuse_factor {spec.reuse_factor} is built as {built} ({inputs} x {outputs} products)"
            yield Remark("reuse-rounded", text)
        unrolled = -(-inputs * outputs // built)
        if BACKENDS.find(spec.backend).tool == "vivado" and unrolled > VIVADO_UNROLLS:
            yield Remark(
                "vivado-unroll", f"{unrolled} products are unrolled, Vivado HLS stops above {VIVADO_UNROLLS}"
            )


def _mask_remarks(layer: Any) -> Remarks:
    front = front_of(layer)
    mask = None if front is None else front.mask(layer)
    if mask is None:
        return
    size, kernel = mask.shape[:2], tuple(layer.kernel.shape[:2])
    if layer.padding != "same" and any(given > own for given, own in zip(size, kernel, strict=True)):
        yield Remark("weight-mask", f"a mask of {size} for a kernel of {kernel}")


def truncating_bias(call: Call, planning: Planning) -> NDArray[np.float64] | None:
    """Biases with which truncation gives what half-to-even rounding gives with the layer's own; None where none do.

    No sum lies half way between two steps of the quantizer behind where every bias has bits below those of the
    products and below half a step (``compress.odd_bias`` puts them there). Rounding is then truncation of the sum and
    half a step; the bias takes that, and leaves its own lowest bits, which no truncation sees any more.
    """
    kernel, *own = weights_of(call.layer)
    rounded = rounded_to(call, planning.graph)
    if not own or kernel.grid is None or rounded is None:
        return None
    step = rounded.frac
    frac = max(planning.sources(call)[0].frac + kernel.grid.frac, step + 1)
    scaled = np.ldexp(own[0].values, frac)
    whole: NDArray[np.float64] = np.floor(scaled)
    return None if np.any(whole == scaled) else np.ldexp(whole, -frac) + math.ldexp(1.0, -step - 1)


def rounded_to(call: Call, graph: Topology) -> FixedType | None:
    """The type to which the only reader of a layer's sums rounds them half to even; None where there is no such one."""
    readers = graph.consumers(call.output)
    found = acting(readers[0]) if len(readers) == 1 and call.output not in graph.outputs else None
    if found is None or found.type is None or found.shape not in ("linear", "relu"):
        return None
    return found.type if found.type.rounding == "RND_CONV" else None


def sum_type(
    layer: Any, source: FixedType | FixedGrid, biases: NDArray[np.float64] | None = None
) -> FixedType | None:
    """The narrowest type that holds every sum of a dense layer or convolution exactly; None for float weights.
    ``source``: the type of its input, or those of the input's single values. ``biases``: in place of the layer's own."""
    parts = weights_of(layer)
    if not 1 <= len(parts) <= 2 or any(part.quantizer is None and np.any(part.values) for part in parts):
        return None
    kernel, *bias = parts
    offset = biases if biases is not None else bias[0].values if bias else None
    return accumulator(source, kernel.values, offset, depthwise=kernel.role == "depthwise")


def nearest_reuse(inputs: int, outputs: int, asked: int, most: int | None = None) -> int:
    """The reuse factor that hls4ml builds with the resource strategies: the nearest that it can, of two the smaller.

    It can divide the inputs, or be a multiple of them that divides all products; and is ``most`` or less.
    """
    able = {n for n in range(1, inputs + 1) if inputs % n == 0}
    able |= {inputs * n for n in range(1, outputs + 1) if outputs % n == 0}
    able = {factor for factor in able if most is None or factor <= most}
    return min(able, key=lambda factor: (abs(factor - asked), factor))


def lowered_reuse(call: Call, spec: HlsSpec) -> int | None:
    """A lower reuse factor for a convolution that hls4ml computes wrongly with the spec's own.

    Its convolution for io_parallel with the resource strategy holds for factors of up to kernel x channels.
    """
    kind = layer_kind(call.layer)
    count = kind.terms(call) if isinstance(kind, Product) else None
    applies = spec.shares and spec.io_type != "io_stream"
    return count if applies and count is not None and count < spec.reuse_factor else None


def _told(weights: Weights, default: FixedType) -> str:
    """What hls4ml is told of a weight's type; binary and ternary weights have types of their own there."""
    found = reading_of(weights.quantizer)
    if found is None:
        return default.text
    kind = _weight_type(weights)
    return kind.text if found.shape == "linear" and kind is not None else "auto"


def _weight_type(weights: Weights) -> FixedType | None:
    """The grid of weights, which are rounded already."""
    found = reading_of(weights.quantizer)
    if found is None or found.type is None:
        return None
    return FixedType(found.type.width, found.type.integer, found.type.signed)


def _rounds_to(call: Call) -> FixedType | None:
    """The type of a linear quantizer, which hls4ml merges into the layer before."""
    found = acting(call)
    return None if found is None or found.shape != "linear" else found.type


@register_kind
class Dense(Product):
    handles = twins = ("Dense",)
    operation = "dense"
    folds = True

    def terms(self, call: Call) -> int | None:
        return int(call.layer.weights[0].shape[0]) if len(call.shape) > 1 else None

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """Over a sequence or an image a quantized one is a convolution of width 1."""
        front, axes = front_of(call.layer), len(call.shape)
        if front is None or axes < 2:
            return None
        if axes > 3:
            raise UnsupportedModel(
                f"{call.kind} over {axes} axes", where=call.name, mend="flatten or reshape before it"
            )
        options = {front.option(role): getattr(call.layer, front.option(role)) for role in self.roles}
        kept = {key: value for key, value in changes.items() if key != "activation"}
        made = front.layer(f"Conv{axes - 1}D")(
            call.layer.units, 1, use_bias=call.layer.use_bias, **{**options, **kept}
        )
        wide = [w.reshape((1,) * (axes - 1) + w.shape) if w.ndim == 2 else w for w in weights]
        return [NewLayer(made, wide)]

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        axes = len(call.shape)
        if axes > 3:
            text = f"{call.kind} over {axes} axes"
            yield Remark("unsupported-layer", text, "flatten or reshape first")
        elif axes > 1 and front_of(call.layer) is not None:
            yield Remark("dense-on-sequence", f"over {axes} axes it is taken as a convolution of width 1")


class _Convolution(Product):
    def remarks(self, call: Call, context: Context) -> Remarks:
        layer = call.layer
        dilation = layer.dilation_rate
        if any(step != 1 for step in ((dilation,) if isinstance(dilation, int) else dilation)):
            yield Remark("dilation", f"dilation_rate is {dilation}")
        yield from super().remarks(call, context)
        if getattr(layer, "padding", "") == "causal":
            mend = "ZeroPadding1D((kernel_size - 1, 0)) before it, and padding='valid'"
            yield Remark("unsupported-layer", "QKeras itself cannot compute padding='causal'", mend)


@register_kind
class Conv(_Convolution):
    handles = twins = ("Conv1D", "Conv2D")
    operation = "conv"
    folds = True

    def terms(self, call: Call) -> int | None:
        return int(math.prod(call.layer.weights[0].shape[:-1]))

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        if call.layer.groups not in (1, None):
            yield Remark("dilation", f"groups is {call.layer.groups}")


@register_kind
class DepthwiseConv(_Convolution):
    handles = ("DepthwiseConv1D", "DepthwiseConv2D")
    twins = ("DepthwiseConv2D",)
    operation: ClassVar[Operation] = "depthwise_conv"
    roles: ClassVar[tuple[str, ...]] = ("depthwise", "bias")

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        if call.layer.depth_multiplier != 1:
            yield Remark("depth-multiplier", f"depth_multiplier is {call.layer.depth_multiplier}")
        if context.spec.shares and not context.streams:
            yield Remark("depthwise-resource", "io_parallel with the resource strategy")


@register_kind
class SeparableConv(DepthwiseConv):
    """A depthwise convolution and a pointwise one behind it, and so the normal form has it."""

    handles = ("SeparableConv1D", "SeparableConv2D")
    twins = ("SeparableConv2D",)
    operation = "separable_conv"
    roles = ("depthwise", "pointwise", "bias")

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        depthwise, pointwise, *bias = weights_of(call.layer)
        if any(part.quantizer is None and np.any(part.values) for part in (depthwise, pointwise, *bias)):
            return activated(call.layer, None)
        middle = accumulator(sources[0], depthwise.values, None, depthwise=True)
        offset = bias[0].values if bias else None
        return activated(call.layer, middle and accumulator(middle, pointwise.values, offset))

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        layer, front, rank = call.layer, front_of(call.layer), len(call.shape) - 1
        given = dict.fromkeys(self.roles) if front is None else {r: front.option(r) for r in self.roles}
        grids = {r: changes.get(key, getattr(layer, key)) for r, key in given.items() if key is not None}
        window = {
            key: getattr(layer, key) for key in ("strides", "padding", "dilation_rate", "depth_multiplier")
        }
        first = _made(layer, f"DepthwiseConv{rank}D", {"depthwise": grids.get("depthwise")})(
            layer.kernel_size, use_bias=False, name=f"{changes['name']}_depthwise", **window
        )
        kernels = {"kernel": grids.get("pointwise"), "bias": grids.get("bias")}
        then = _made(layer, f"Conv{rank}D", kernels)(
            layer.filters, 1, use_bias=layer.use_bias, name=changes["name"]
        )
        return [NewLayer(first, weights[:1]), NewLayer(then, weights[1:])]


def _made(layer: Any, kind: str, grids: Mapping[str, Any]) -> Callable[..., Any]:
    """The class of this kind in the library of ``layer``, given its quantizers by role."""
    front = front_of(layer)
    if front is None:
        return partial(getattr(keras.layers, kind))
    return partial(front.layer(kind), **{front.option(role): grid for role, grid in grids.items()})


@register_kind
class BatchNormalization(Kind):
    handles = ("BatchNormalization",)
    operation = "batchnorm"
    exact = False
