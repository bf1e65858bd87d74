"""Rules on activations, whether layers of their own or inside a layer with weights."""

from __future__ import annotations

from typing import Any

from pquant_hls.lint.finding import Context, Finding, Findings, finding
from pquant_hls.network.freeze import unit_alpha
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.normal import activation_name, is_final, is_pass_through, is_softmax, own_activation
from pquant_hls.network.quantizers import is_quantizer, quantizer_name

EXACT_QUANTIZERS = (
    "quantized_bits",
    "quantized_relu",
    "quantized_tanh",
    "quantized_sigmoid",
    "binary",
    "ternary",
)
EXACT_FUNCTIONS = ("linear", "relu")
TABLES = ("sigmoid", "tanh")


def activation_of(call: Call) -> Any:
    """The activation that acts in this call: a quantizer, a function, or None."""
    if call.kind in ("QActivation", "Activation"):
        return call.layer.activation
    return own_activation(call.layer)


def check(call: Call, context: Context) -> Findings:
    """Findings on one layer's activation."""
    if is_softmax(call):
        yield from _softmax(call, context)
        return
    activation = activation_of(call)
    if activation is None:
        return
    if is_quantizer(activation):
        yield from _quantizer(activation, call, context)
    else:
        yield from _function(activation_name(activation), call, context)


def _softmax(call: Call, context: Context) -> Findings:
    if not is_final(call, context.graph):
        yield finding("unsupported-activation", call, "a softmax inside the model is not exact in firmware")
    elif not context.spec.keep_softmax:  # model.check_types bounds a softmax that is kept
        yield finding("softmax", call, "the firmware's outputs are logits")


def _function(name: str, call: Call, context: Context) -> Findings:
    if name in EXACT_FUNCTIONS:
        return
    if name == "sigmoid" and is_final(call, context.graph) and not context.spec.keep_softmax:
        yield finding("softmax", call, "the firmware's outputs are logits")
    elif name in TABLES and is_final(call, context.graph):
        yield finding("table-activation", call, f"{name} comes from a table")
    elif name in TABLES:
        yield finding(
            "unsupported-activation", call, f"{name} inside the model is a table in firmware, not exact"
        )
    else:
        yield finding("unsupported-activation", call, f"{name} is not exact in firmware")


def _quantizer(quantizer: Any, call: Call, context: Context) -> Findings:
    name = quantizer_name(quantizer)
    if name not in EXACT_QUANTIZERS:
        yield finding("unsupported-activation", call, f"{name} is not exact in firmware")
        return
    if getattr(quantizer, "qnoise_factor", 1) != 1:
        yield finding("part-quantized", call, f"qnoise_factor is {float(quantizer.qnoise_factor):g}")
    if getattr(quantizer, "alpha", None) is not None and not unit_alpha(quantizer):
        yield _scaled(quantizer, call)
    yield from _BY_NAME[name](quantizer, call, context)


def _scaled(quantizer: Any, call: Call) -> Finding:
    text = f"{quantizer_name(quantizer)} has alpha={quantizer.alpha!r}"
    if isinstance(quantizer.alpha, str):
        return finding("activation-alpha", call, text)
    mend = "set alpha=1 and take the factor into the weights that follow"
    return finding("activation-alpha", call, text, mend=mend, fixable=False)


def _bits(quantizer: Any, call: Call, context: Context) -> Findings:
    if quantizer.bits < 2:
        yield finding("one-bit", call, "quantized_bits(1) stands for two values of its own")
    elif call.kind != "QActivation" or any(
        source.kind != "InputLayer" for source in context.graph.sources(call)
    ):
        yield finding(
            "linear-quantizer", call, "the result type of the layer before is set to this quantizer's"
        )


def _relu(quantizer: Any, call: Call, context: Context) -> Findings:  # noqa: ARG001
    if quantizer.negative_slope:
        yield finding("leaky-relu", call, f"negative_slope is {float(quantizer.negative_slope):g}")
    if quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip:
        yield finding("relu-bound", call, f"relu_upper_bound is {float(quantizer.relu_upper_bound):g}")
    if quantizer.integer < 0:
        text = f"QKeras itself cannot compute integer={quantizer.integer}"
        yield finding("unsupported-activation", call, text, mend="integer=0 or more")
    if quantizer.use_sigmoid:
        text = "use_sigmoid=1 is taken as a plain relu"
        yield finding("unsupported-activation", call, text, mend="use_sigmoid=0")


def _smooth(quantizer: Any, call: Call, context: Context) -> Findings:  # noqa: ARG001
    for option in ("use_real_tanh", "use_real_sigmoid"):
        if getattr(quantizer, option, False):
            yield finding("smooth-quantizer", call, f"{option}=True comes from a table")


def _binary(quantizer: Any, call: Call, context: Context) -> Findings:  # noqa: ARG001
    if quantizer.use_01:
        yield finding(
            "unsupported-activation", call, "binary(use_01=True) is taken as -1 and 1", mend="use_01=False"
        )


def _axes(call: Call, graph: Topology) -> int:
    """Axes over which an activation acts, which moves before a Flatten."""
    moves = call.kind in ("QActivation", "Activation", "ReLU", "Flatten") or is_pass_through(call)
    before = [_axes(source, graph) for source in graph.sources(call)] if moves else []
    return max(len(call.shape), *before, 1)


def _ternary(quantizer: Any, call: Call, context: Context) -> Findings:
    axes = _axes(call, context.graph)
    if context.streams and axes > 1:
        yield finding("stream-ternary", call, f"over {axes} axes")
    threshold = quantizer.default_threshold if quantizer.threshold is None else quantizer.threshold
    if float(threshold) * 2.0**10 % 1 == 0:
        yield finding(
            "ternary-threshold", call, f"the threshold {float(threshold):g} can be a value of the input"
        )


_BY_NAME = {
    "quantized_bits": _bits,
    "quantized_relu": _relu,
    "quantized_tanh": _smooth,
    "quantized_sigmoid": _smooth,
    "binary": _binary,
    "ternary": _ternary,
}
