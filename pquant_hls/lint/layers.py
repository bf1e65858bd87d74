"""Rules on layers and on how they are joined."""

from __future__ import annotations

from collections.abc import Callable

from pquant_hls.lint.finding import Context, Finding, Findings, finding
from pquant_hls.network.folding import by_channel, folds_back
from pquant_hls.network.freeze import KERNEL_LAYERS
from pquant_hls.network.graph import Call
from pquant_hls.network.normal import CHAINED, NO_OPS, is_elementwise, is_pass_through, is_softmax
from pquant_hls.network.plan import products_of, reuse_factors
from pquant_hls.network.types import averaged

KNOWN = (
    frozenset(
        {
            "InputLayer",
            "QDense",
            "QConv1D",
            "QConv2D",
            "QDepthwiseConv2D",
            "Dense",
            "Conv1D",
            "Conv2D",
            "DepthwiseConv1D",
            "DepthwiseConv2D",
            "QActivation",
            "Activation",
            "ReLU",
            "Softmax",
            "Flatten",
            "Reshape",
            "Permute",
            "ZeroPadding1D",
            "ZeroPadding2D",
            "UpSampling2D",
            "MaxPooling1D",
            "MaxPooling2D",
            "AveragePooling1D",
            "AveragePooling2D",
            "GlobalMaxPooling1D",
            "GlobalMaxPooling2D",
            "GlobalAveragePooling1D",
            "GlobalAveragePooling2D",
            "Add",
            "Subtract",
            "Multiply",
            "Average",
            "Maximum",
            "Minimum",
            "Concatenate",
            "ops.Add",
            "ops.Subtract",
            "ops.Multiply",
            "ops.Maximum",
            "ops.Minimum",
        }
    )
    | NO_OPS
)
BATCHNORMS = frozenset({"BatchNormalization", "QBatchNormalization"})
HALF_PRECISION = frozenset({"float16", "bfloat16"})
FOLDING = frozenset({"QDense", "QConv1D", "QConv2D"})
"""Layers into which a batch normalization can be folded."""


def check(call: Call, context: Context) -> Findings:
    """Findings on the layer itself."""
    if call.kind == "Lambda":
        yield finding("lambda", call, "Lambda is refused, not executed")
    elif call.kind in BATCHNORMS:
        yield _batchnorm(call, context)
    elif call.kind not in KNOWN:
        yield _unknown(call)
    elif is_pass_through(call):
        yield finding("dropout", call, f"{call.kind} is left out")
    else:
        if getattr(call.layer, "data_format", "channels_last") == "channels_first":
            yield finding("channels-first", call, "data_format is channels_first")
        if call.kind in KERNEL_LAYERS and (dtype := str(call.layer.compute_dtype)) in HALF_PRECISION:
            yield finding("half-precision", call, f"Keras computes it in {dtype}")
        for rule in _BY_KIND.get(call.kind, ()):
            yield from rule(call, context)


def _unknown(call: Call) -> Finding:
    if call.kind in ("Sequential", "Functional", "Model"):
        mend = "put its layers into the outer model itself"
        return finding("unsupported-layer", call, "a model inside the model", mend=mend)
    return finding("unsupported-layer", call, f"{call.kind} has no exact conversion")


def can_fold(call: Call, context: Context) -> bool:
    """Whether it normalizes channels behind a quantized layer with a kernel, no activation and no other reader."""
    return (
        context.graph.sources(call)[0].kind in FOLDING
        and by_channel(call)
        and folds_back(call, context.graph)
    )


def _batchnorm(call: Call, context: Context) -> Finding:
    text = f"{call.kind} is not exact in firmware"
    if can_fold(call, context):
        return finding("batchnorm", call, text)
    mend = "put it right after a QDense or QConv without activation, or scale the data instead"
    return finding("batchnorm", call, text, mend=mend, fixable=False)


def _kernel(call: Call, context: Context) -> Findings:
    layer = call.layer
    depthwise = "Depthwise" in call.kind
    if any(step != 1 for step in _tuple(getattr(layer, "dilation_rate", 1))):
        yield finding("dilation", call, f"dilation_rate is {layer.dilation_rate}")
    if not depthwise and getattr(layer, "groups", 1) not in (1, None):
        yield finding("dilation", call, f"groups is {layer.groups}")
    if depthwise and layer.depth_multiplier != 1:
        yield finding("depth-multiplier", call, f"depth_multiplier is {layer.depth_multiplier}")
    if depthwise and context.spec.strategy == "resource" and not context.streams:
        yield finding("depthwise-resource", call, "io_parallel with the resource strategy")
    if call.name in reuse_factors(context.graph, context.spec):
        text = f"reuse_factor {context.spec.reuse_factor} becomes {products_of(call)} or less"
        yield finding("reuse-factor", call, text)
    if getattr(layer, "padding", "") == "causal":
        mend = "ZeroPadding1D((kernel_size - 1, 0)) before it, and padding='valid'"
        yield finding("unsupported-layer", call, "QKeras itself cannot compute padding='causal'", mend=mend)


def _tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _dense(call: Call, context: Context) -> Findings:  # noqa: ARG001
    if len(call.shape) > 3:
        yield finding(
            "unsupported-layer",
            call,
            f"{call.kind} over {len(call.shape)} axes",
            mend="flatten or reshape first",
        )
    elif len(call.shape) > 1 and call.kind == "QDense":
        yield finding(
            "dense-on-sequence", call, f"over {len(call.shape)} axes it is taken as a convolution of width 1"
        )


def _relu(call: Call, context: Context) -> Findings:  # noqa: ARG001
    layer = call.layer
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        yield finding(
            "unsupported-activation", call, "ReLU with max_value, slope or threshold is not exact in firmware"
        )


def _merge(call: Call, context: Context) -> Findings:
    shapes = {source.shape for source in context.graph.sources(call)}
    if len(call.inputs) > 2:
        chained = call.kind.removeprefix("ops.") in CHAINED
        text = f"{call.kind} of {len(call.inputs)} tensors"
        yield (
            finding("many-inputs", call, f"{text} becomes a chain")
            if chained
            else finding("merge", call, text)
        )
    if (
        context.streams
        and call.kind != "Concatenate"
        and any(_is_flat(s, context) for s in context.graph.sources(call))
    ):
        yield finding("stream-merge", call, f"{call.kind} after a Flatten")
    if len(call.inputs) == 1 or (call.kind != "Concatenate" and len(shapes) > 1):
        yield finding("merge", call, f"{call.kind} of shapes {sorted(shapes)}")


def _is_flat(call: Call, context: Context) -> bool:
    """Whether the result comes out of a Flatten, possibly through activations, which move before it."""
    sources = context.graph.sources(call) if is_elementwise(call) else ()
    return call.kind == "Flatten" or any(_is_flat(source, context) for source in sources)


def _average_pool(call: Call, context: Context) -> Findings:
    yield finding("average-pool", call, "the result gets bits for the fraction of the average")
    rounded = all(c.kind == "QActivation" for c in context.graph.consumers(call.output))
    if not rounded or call.output in context.graph.outputs:
        size = averaged(call)
        if size & (size - 1) or getattr(call.layer, "padding", "valid") == "same":
            yield finding("average-unrounded", call, f"averages over {size} values leave the grid")


def _softmax(call: Call, context: Context) -> Findings:
    kept = is_softmax(call) and context.spec.keep_softmax
    if context.streams and kept and _is_flat(context.graph.sources(call)[0], context):
        yield finding("stream-merge", call, "a softmax after a Flatten")


def _flatten(call: Call, context: Context) -> Findings:
    after = context.graph.consumers(call.output) if context.streams else ()
    if any(is_elementwise(other) for other in after):
        yield finding("stream-flatten", call, "it moves behind the activation that follows")


def _keepdims(call: Call, context: Context) -> Findings:  # noqa: ARG001
    if call.layer.keepdims:
        mend = "keepdims=False, and a Reshape after it"
        yield finding("unsupported-layer", call, f"{call.kind} with keepdims=True", mend=mend)


def _upsampling(call: Call, context: Context) -> Findings:  # noqa: ARG001
    if call.layer.interpolation != "nearest":
        text = f"interpolation is {call.layer.interpolation}"
        yield finding("unsupported-layer", call, text, mend="interpolation='nearest'")


def _pool_padding(call: Call, context: Context) -> Findings:
    if call.layer.padding == "same" and context.streams:
        yield finding("stream-pooling", call, "padding is 'same'")
    elif context.streams and call.kind.endswith("2D") and call.layer.strides != call.layer.pool_size:
        yield finding(
            "stream-pooling", call, f"strides {call.layer.strides}, pool_size {call.layer.pool_size}"
        )
    elif call.layer.padding == "same" and call.kind.startswith("Max"):
        yield finding("padded-max-pool", call, "its input gets a sign bit")


Rule = Callable[[Call, Context], Findings]
_KERNELS = (
    "QDense",
    "QConv1D",
    "QConv2D",
    "QDepthwiseConv2D",
    "Dense",
    "Conv1D",
    "Conv2D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
)
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_BY_KIND: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(_KERNELS, (_kernel,)),
    **dict.fromkeys(("QDense", "Dense"), (_dense,)),
    **dict.fromkeys((name for name in KNOWN if name.removeprefix("ops.") in _MERGES), (_merge,)),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), (_average_pool, _keepdims)),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), (_keepdims,)),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), (_average_pool, _pool_padding)),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), (_pool_padding,)),
    "Concatenate": (_merge,),
    "UpSampling2D": (_upsampling,),
    "Flatten": (_flatten,),
    "Softmax": (_softmax,),
    "Activation": (_softmax,),
    "ReLU": (_relu,),
}
