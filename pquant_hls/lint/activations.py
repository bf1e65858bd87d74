"""Rules on activations, whether layers of their own or inside a layer with weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pquant_hls.lint.finding import Context, Findings, finding, remarked
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call
from pquant_hls.network.heads import is_final, is_softmax
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.tabled import Tabled, is_function

EXACT_FUNCTIONS = ("linear", "relu")
ROUNDED = "--fix rounds it to 16 bits"
TABLES = ("sigmoid", "tanh")


def activation_findings(call: Call, context: Context, tables: Mapping[str, Tabled]) -> Findings:
    """Findings on one layer's activation; ``tables`` stand for those that become one."""
    if is_softmax(call):
        yield from _softmax(call, context)
    elif call.output in tables:
        entries = len(tables[call.output].values)
        yield finding("table", call, f"a table of the {entries} values that it can read, exactly")
    else:
        mendable = is_function(call)
        for found in _acting(call, context):
            yield replace(found, fixable=True) if mendable and found.severity == "error" else found


def _acting(call: Call, context: Context) -> Findings:
    kind = layer_kind(call.layer)
    activation = kind.function(call.layer)
    front = front_of(activation)
    if front is not None:
        yield from remarked(call, front.remarks(activation, call, context))
    elif (form := kind.form(call.layer)) is not None:
        if not form.exact:
            yield finding("weights-off-grid", call, "its slope lies on no grid of 18 bits", mend=ROUNDED)
    elif (name := kind.text(call.layer)) is not None:
        yield from _function(name, call, context)


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
