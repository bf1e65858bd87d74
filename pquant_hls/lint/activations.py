"""Rules on activations, whether layers of their own or inside a layer with weights."""

from __future__ import annotations

from pquant_hls.lint.finding import Context, Findings, finding, remarked
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call
from pquant_hls.network.kinds import function_name, layer_kind
from pquant_hls.network.normal import is_final, is_softmax

EXACT_FUNCTIONS = ("linear", "relu")
TABLES = ("sigmoid", "tanh")


def activation_findings(call: Call, context: Context) -> Findings:
    """Findings on one layer's activation."""
    if is_softmax(call):
        yield from _softmax(call, context)
        return
    activation = layer_kind(call.layer).function(call.layer)
    front = front_of(activation)
    if front is not None:
        yield from remarked(call, front.remarks(activation, call, context))
    elif activation is not None:
        yield from _function(function_name(activation), call, context)


def _softmax(call: Call, context: Context) -> Findings:
    if not is_final(call, context.graph):
        yield finding("unsupported-activation", call, "a softmax inside the model is not exact in firmware")
    elif not context.spec.keep_softmax:  # model.check_types bounds a softmax that is kept
        yield finding("softmax", call, "left out: the firmware's outputs are logits")


def _function(name: str, call: Call, context: Context) -> Findings:
    if name in EXACT_FUNCTIONS:
        return
    if name == "sigmoid" and is_final(call, context.graph) and not context.spec.keep_softmax:
        yield finding("softmax", call, "left out: the firmware's outputs are logits")
    elif name in TABLES and is_final(call, context.graph):
        yield finding("table-activation", call, f"{name} comes from a table")
    elif name in TABLES:
        yield finding(
            "unsupported-activation", call, f"{name} inside the model is a table in firmware, not exact"
        )
    else:
        yield finding("unsupported-activation", call, f"{name} is not exact in firmware")
