"""Rules on layers and on how they are joined: what their kinds have to say, and what holds for all."""

from __future__ import annotations

from pquant_hls.lint.finding import Context, Finding, Findings, finding, remarked
from pquant_hls.lint.refused import refusal
from pquant_hls.network.folding import by_channel, folds_back, readers_of
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call
from pquant_hls.network.kinds import is_exact, layer_kind
from pquant_hls.network.norms import norm_of

HALF_PRECISION = frozenset({"float16", "bfloat16"})


def layer_findings(call: Call, context: Context) -> Findings:
    """Findings on the layer itself."""
    kind = layer_kind(call.layer)
    if call.kind == "Lambda":
        yield finding("lambda", call, "Lambda is refused, not executed")
    elif kind.operation == "batchnorm":
        yield _batchnorm(call, context)
    elif not is_exact(call.layer):
        yield _unknown(call)
    elif kind.passes(call.layer):
        yield _left_out(call)
    else:
        if getattr(call.layer, "data_format", "channels_last") == "channels_first":
            yield finding("channels-first", call, "data_format is channels_first")
        if kind.roles and (dtype := str(call.layer.compute_dtype)) in HALF_PRECISION:
            yield finding("half-precision", call, f"Keras computes it in {dtype}")
        yield from remarked(call, kind.remarks(call, context))


def _left_out(call: Call) -> Finding:
    if call.node.arguments.kwargs.get("training"):
        return finding("active-dropout", call, f"{call.kind} is called with training=True")
    return finding("dropout", call, f"{call.kind} is left out")


def _unknown(call: Call) -> Finding:
    if call.kind in ("Sequential", "Functional", "Model"):
        mend = "put its layers into the outer model itself"
        return finding("unsupported-layer", call, "a model inside the model", mend=mend)
    if not type(call.layer).__module__.startswith("keras") and front_of(call.layer) is None:
        mend = "build it from supported layers, or register a Kind that does (docs/architecture.md)"
        return finding(
            "unsupported-layer", call, f"{call.kind}, a class of its own, has no exact conversion", mend=mend
        )
    if norm_of(call.layer) is not None:
        text = "its means and inverse roots lie on no grid"
        mend = "--fix or the quantize step makes a FixedPointLayerNorm of it"
        return finding("unsupported-layer", call, text, mend=mend, fixable=True)
    if (refused := refusal(call.layer)) is not None:
        return finding("unsupported-layer", call, refused[0], mend=refused[1])
    return finding("unsupported-layer", call, f"{call.kind} has no exact conversion")


def can_fold(call: Call, context: Context) -> bool:
    """Whether it normalizes channels behind a quantized layer with a kernel, no activation and no other reader."""
    if layer_kind(call.layer).operation != "batchnorm" or not by_channel(call):
        return False
    source = context.graph.sources(call)[0].layer
    quantized = front_of(source) is not None and is_exact(source)
    return quantized and layer_kind(source).folds and folds_back(call, context.graph)


def folds_forward(call: Call, context: Context) -> list[Call]:
    """The quantized layers behind a batch normalization that take it into their kernels; none where one cannot."""
    if layer_kind(call.layer).operation != "batchnorm" or not by_channel(call) or can_fold(call, context):
        return []
    found = readers_of(call, context.graph)
    quantized = all(front_of(each.layer) is not None and is_exact(each.layer) for each in found)
    return found if quantized and len(context.graph.uses[call.name]) == 1 else []


def _batchnorm(call: Call, context: Context) -> Finding:
    if can_fold(call, context):
        return finding("batchnorm", call, f"{call.kind} goes into the layer before")
    ahead = ", ".join(each.name for each in folds_forward(call, context))
    return finding(
        "batchnorm", call, f"{call.kind} {f'goes into {ahead}' if ahead else 'becomes a scale and a shift'}"
    )
