"""Rules on the model as a whole: inputs, outputs, names, widths of sums."""

from __future__ import annotations

from collections import Counter

from pquant_hls.hls.lint.finding import Context, Findings, finding
from pquant_hls.hls.normal import is_pass_through, safe_names
from pquant_hls.hls.quantizers import quantizer_name
from pquant_hls.hls.sums import wide_sums
from pquant_hls.hls.topology import Call, Topology
from pquant_hls.qor import FixedType

_SHAPES_ONLY = ("Flatten", "Reshape", "Permute")


def check(context: Context) -> Findings:
    """Findings on the graph of the user's own model."""
    calls = context.graph.calls
    uses = Counter(call.name for call in calls)
    for call, safe in zip(calls, safe_names(calls), strict=True):
        if uses[call.name] > 1:
            yield finding("shared-layer", call, f"used {uses[call.name]} times")
        elif safe != call.name:
            yield finding("name", call, f"becomes {safe!r} in the firmware")
        if call.kind == "InputLayer":
            yield from _input(call, context)
    yield from _outputs(context)


def _input(call: Call, context: Context) -> Findings:
    if any(length is None for length in call.shape):
        yield finding("input-shape", call, f"shape {call.shape} has an open axis")
        return
    firsts = [_first(consumer, context) for consumer in context.graph.consumers(call.output)]
    names = {
        quantizer_name(first.layer.activation) if first.kind == "QActivation" else "" for first in firsts
    }
    if names and names <= {"quantized_bits", "quantized_relu", "binary", "ternary"}:
        yield finding("input-rounded-twice", call, "the input port gets the first quantizer's own type")
    else:
        yield finding("input-unquantized", call, f"the input is rounded to {context.spec.precision} first")


def _first(call: Call, context: Context) -> Call:
    """The first layer after the input that does anything to values."""
    after = context.graph.consumers(call.output)
    skip = is_pass_through(call) or call.kind in _SHAPES_ONLY
    return _first(after[0], context) if skip and len(after) == 1 else call


def _outputs(context: Context) -> Findings:
    for name in context.graph.outputs:
        call = context.graph.producer(name)
        while (is_pass_through(call) or call.kind in _SHAPES_ONLY) and call.kind != "InputLayer":
            call = context.graph.sources(call)[0]
        if call.kind == "InputLayer":
            yield finding("no-arithmetic", call, "this input is also an output")
    if len(set(context.graph.outputs)) != len(context.graph.outputs):
        yield finding(
            "no-arithmetic", context.graph.producer(context.graph.outputs[0]), "an output is listed twice"
        )


def check_sums(normal: Topology, context: Context) -> Findings:
    """Findings on the widths of sums, from the types of the model in normal form."""
    for call, bits in wide_sums(normal, FixedType.parse(context.spec.precision)):
        yield finding("wide-sum", call, f"its sums are {bits} bits wide")
