"""Kinds that sum products with weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.freeze import Weights, weights_of
from pquant_hls.network.frontend import FrontEnd, Remark, Remarks, front_of, reading_of, standard
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
    rounded_by_readers,
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
        result = rounded_by_readers(call, planning.graph) or accum
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
        if spec.strategy == "distributed_arithmetic":
            yield from self._distributed(call, context)
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

    def _distributed(self, call: Call, context: Context) -> Remarks:
        """What hls4ml's distributed arithmetic cannot take, or takes wrongly; depthwise layers stay multipliers."""
        read = acting(_maker(context.graph.sources(call)[0], context.graph))
        if read is not None and read.shape == "ternary" and self.operation in ("dense", "conv"):
            mend = "quantized_bits(2, 1, symmetric=1, alpha=1) before it"
            yield Remark("distributed-arithmetic", "it reads a ternary activation", mend)
        front, role = front_of(call.layer), {"separable_conv": "pointwise"}.get(self.operation, "kernel")
        kernel = None if front is None else reading_of(front.quantizer(call.layer, role))
        if kernel is not None and kernel.shape == "binary" and kernel.plain:
            mend = "quantized_bits(2, 1, alpha=1), which holds -1 and 1"
            yield Remark("distributed-arithmetic", "binary weights are taken as 0 and 1", mend)


def _maker(call: Call, graph: Topology) -> Call:
    """The call that makes the values, seen through layers that move them."""
    kind = layer_kind(call.layer)
    return _maker(graph.sources(call)[0], graph) if kind.moves or kind.passes(call.layer) else call


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
    if not own or kernel.grid is None or rounded is None or planning.baked:
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
            return self._over_rows(call, changes, weights)
        return [self._as_convolution(call, changes, weights, axes)]

    def _as_convolution(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]], axes: int
    ) -> NewLayer:
        """The layer over ``axes`` axes, the channels among them, as a convolution of width 1."""
        front = front_of(call.layer) or standard()
        options = {front.option(role): getattr(call.layer, front.option(role)) for role in self.roles}
        kept = {key: value for key, value in changes.items() if key != "activation"}
        made = front.layer(f"Conv{axes - 1}D")(
            call.layer.units, 1, use_bias=call.layer.use_bias, **{**options, **kept}
        )
        wide = [w.reshape((1,) * (axes - 1) + w.shape) if w.ndim == 2 else w for w in weights]
        return NewLayer(made, wide)

    def _over_rows(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer]:
        """All places in a row, as a sequence."""
        name, channels = changes["name"], call.node.input_tensors[0].shape[-1]
        rows = keras.layers.Reshape((-1, channels), name=f"{name}_rows")
        made = self._as_convolution(call, {**changes, "name": f"{name}_products"}, weights, 2)
        return [NewLayer(rows), made, NewLayer(keras.layers.Reshape(call.shape, name=name))]

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        axes = len(call.shape)
        if axes > 1 and front_of(call.layer) is not None:
            yield Remark("dense-on-sequence", f"over {axes} axes it is taken as a convolution of width 1")


class _Convolution(Product):
    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """Gaps between taps, groups and several kernels a channel are written out with zeros, which cost nothing."""
        front = front_of(call.layer)
        if front is None or not needs_zeros(call.layer):
            return None
        return [_with_zeros(call, front, changes, weights)]

    def remarks(self, call: Call, context: Context) -> Remarks:
        layer = call.layer
        yield from super().remarks(call, context)
        if needs_zeros(layer):
            yield Remark("written-out", f"{call.kind} becomes a convolution with zeros in its kernel")
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


@register_kind
class DepthwiseConv(_Convolution):
    handles = ("DepthwiseConv1D", "DepthwiseConv2D")
    twins: ClassVar[tuple[str, ...]] = ("DepthwiseConv2D",)
    operation: ClassVar[Operation] = "depthwise_conv"
    roles: ClassVar[tuple[str, ...]] = ("depthwise", "bias")

    def remarks(self, call: Call, context: Context) -> Remarks:
        yield from super().remarks(call, context)
        if not needs_zeros(call.layer) and context.spec.shares and not context.streams:
            yield Remark("depthwise-resource", "io_parallel with the resource strategy")


@register_kind
class SeparableConv(DepthwiseConv):
    """A depthwise convolution and a pointwise one behind it, and so the normal form has it."""

    handles = ("SeparableConv1D", "SeparableConv2D")
    twins: ClassVar[tuple[str, ...]] = handles
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
        first = self._depthwise(
            layer, rank, grids.get("depthwise"), f"{changes['name']}_depthwise", weights[0]
        )
        kernels = {"kernel": grids.get("pointwise"), "bias": grids.get("bias")}
        then = _made(layer, f"Conv{rank}D", kernels)(
            layer.filters, 1, use_bias=layer.use_bias, name=changes["name"]
        )
        return [first, NewLayer(then, weights[1:])]

    @staticmethod
    def _depthwise(layer: Any, rank: int, grid: Any, name: str, kernel: NDArray[Any]) -> NewLayer:
        """Its first half; QKeras has none in one dimension, nor hls4ml one with gaps or several kernels a channel."""
        if rank == 2 and not needs_zeros(layer):
            made = _made(layer, "DepthwiseConv2D", {"depthwise": grid})
            return NewLayer(
                made(
                    layer.kernel_size, strides=layer.strides, padding=layer.padding, use_bias=False, name=name
                ),
                [kernel],
            )
        rates = (layer.dilation_rate,) * rank if isinstance(layer.dilation_rate, int) else layer.dilation_rate
        full = _spread(_apart(np.asarray(kernel)), rates)
        made = _made(layer, f"Conv{rank}D", {"kernel": _with_zero(layer, "depthwise", grid)})
        options = {"strides": layer.strides, "padding": layer.padding, "use_bias": False, "name": name}
        return NewLayer(made(full.shape[-1], full.shape[:rank], **options), [full])


def needs_zeros(layer: Any) -> bool:
    """Whether a convolution has gaps between its taps, groups, or several kernels for a channel."""
    rate = getattr(layer, "dilation_rate", 1)
    gaps = any(step != 1 for step in ((rate,) if isinstance(rate, int) else rate))
    return gaps or getattr(layer, "groups", 1) not in (1, None) or getattr(layer, "depth_multiplier", 1) != 1


def _with_zeros(
    call: Call, front: FrontEnd, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
) -> NewLayer:
    """The plain convolution of the same values; a quantizer without a zero gives way to a linear one."""
    layer, kernel, rank = call.layer, np.asarray(weights[0]), len(call.shape) - 1
    depthwise = layer_kind(layer).operation == "depthwise_conv"
    full = _apart(kernel) if depthwise else _grouped(kernel, layer.groups or 1)
    rates = (layer.dilation_rate,) * rank if isinstance(layer.dilation_rate, int) else layer.dilation_rate
    full = _spread(full, rates)
    role = layer_kind(layer).roles[0]
    own = changes.get(front.option(role), getattr(layer, front.option(role)))
    quantizer = _with_zero(layer, role, own)
    options = {
        front.option("kernel"): quantizer,
        front.option("bias"): changes.get(front.option("bias"), getattr(layer, front.option("bias"))),
    }
    made = front.layer(f"Conv{rank}D")(
        full.shape[-1],
        full.shape[:rank],
        strides=layer.strides,
        padding=layer.padding,
        use_bias=layer.use_bias,
        name=changes["name"],
        **options,
    )
    return NewLayer(made, [full, *weights[1:]])


def _with_zero(layer: Any, role: str, quantizer: Any) -> Any:
    """``quantizer``, or a linear one where it has no zero."""
    front = front_of(layer)
    found = None if front is None else reading_of(front.quantizer(layer, role))
    return standard().make("linear", 2, 1) if found is not None and found.shape == "binary" else quantizer


def _apart(kernel: NDArray[Any]) -> NDArray[Any]:
    """A depthwise kernel (..., channels, multiplier) as (..., channels, channels * multiplier)."""
    channels, each = kernel.shape[-2:]
    wide = np.einsum("...cm,cd->...cdm", kernel, np.eye(channels, dtype=kernel.dtype))
    return np.asarray(wide.reshape(*kernel.shape[:-1], channels * each))


def _grouped(kernel: NDArray[Any], groups: int) -> NDArray[Any]:
    """A kernel (..., channels / groups, filters) as (..., channels, filters)."""
    own, filters = kernel.shape[-2], kernel.shape[-1] // groups
    full = np.zeros((*kernel.shape[:-2], own * groups, kernel.shape[-1]), kernel.dtype)
    for group in range(groups):
        here = slice(group * filters, (group + 1) * filters)
        full[..., group * own : (group + 1) * own, here] = kernel[..., here]
    return full


def _spread(kernel: NDArray[Any], rates: Sequence[int]) -> NDArray[Any]:
    """A kernel (*taps, channels, filters) with rate - 1 zeros between taps along each axis."""
    sizes = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape, rates, strict=False)]
    full = np.zeros((*sizes, *kernel.shape[-2:]), kernel.dtype)
    full[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return full


def _made(layer: Any, kind: str, grids: Mapping[str, Any]) -> Callable[..., Any]:
    """The class of this kind in the library of ``layer``, given its quantizers by role."""
    front = front_of(layer)
    if front is None:
        return partial(getattr(keras.layers, kind))
    return partial(front.layer(kind), **{front.option(role): grid for role, grid in grids.items()})
