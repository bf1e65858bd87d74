"""Rules on the model as a whole: inputs, outputs, names, widths of sums."""

from __future__ import annotations

import math

from pquant_hls.lint.finding import Context, Finding, Findings, finding
from pquant_hls.network.frontend import reading_of
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.heads import is_final, is_pass_through, is_probability, is_softmax
from pquant_hls.network.kinds import acting, layer_kind
from pquant_hls.network.kinds.moves import first_type
from pquant_hls.network.names import safe_names
from pquant_hls.network.plan import is_linear, plan, wide_sums
from pquant_hls.network.room import SOFTMAX_BITS, own_type, pads_maximum, readers, roomy
from pquant_hls.qor import FixedType

MOST_COPIES = 7
"""Readers of a stream that hls4ml 1.3 copies it for."""
USEFUL_BOUND = 0.5
"""A probability that may be further off decides nothing."""


def model_findings(context: Context) -> Findings:
    """Findings on the graph of the user's own model."""
    calls = context.graph.calls
    for call, safe in zip(calls, safe_names(calls), strict=True):
        if (uses := len(context.graph.uses[call.name])) > 1:
            yield finding("shared-layer", call, f"used {uses} times")
        elif safe != call.name:
            yield finding("name", call, f"becomes {safe!r} in the firmware")
        if call.kind == "InputLayer":
            yield from _input(call, context)
        else:
            yield from _widened(call, context)
    yield from _outputs(context)


def _widened(call: Call, context: Context) -> Findings:
    """A quantizer whose values get more bits than it has, which hls4ml's next function needs."""
    reading = reading_of(layer_kind(call.layer).function(call.layer))
    after = [other for other in readers(context.graph, call) if not pads_maximum(other)]  # has its own note
    if reading is None or reading.type is None or not after:
        return
    needed = own_type(
        reading.shape, reading.type, roomy(reading.type, after, softmax=bool(context.spec.keep_softmax))
    )
    if needed != reading.type:
        names = ", ".join(dict.fromkeys(other.name for other in after))
        yield finding("type-widened", call, f"{reading.type.text} becomes {needed.text} for {names}")


def _input(call: Call, context: Context) -> Findings:
    if any(length is None for length in call.shape):
        yield finding("input-shape", call, f"shape {call.shape} has an open axis")
        return
    shapes = {found.shape for reader in readers(context.graph, call) if (found := acting(reader)) is not None}
    if "float" not in str(call.layer.dtype) and (signs := shapes & {"binary", "ternary"}):
        yield finding("input-type", call, f"a {' and a '.join(sorted(signs))} reads {call.layer.dtype}")
    if first_type(context.graph, call) is not None:
        yield finding("input-rounded-twice", call, "the input port gets the first quantizer's own type")
    else:
        yield finding("input-unquantized", call, f"the input is rounded to {context.spec.precision} first")


def _outputs(context: Context) -> Findings:
    for name in context.graph.outputs:
        call = _origin(context.graph.producer(name), context.graph)
        if call.kind == "InputLayer":
            yield finding("no-arithmetic", call, "this input is also an output")
        elif is_linear(call) and _origin(context.graph.sources(call)[0], context.graph).kind == "InputLayer":
            yield finding("no-arithmetic", call, "this output is an input, only rounded")
    yield from _heads(context)
    yield from _one_value(context)
    if len(set(context.graph.outputs)) != len(context.graph.outputs):
        yield finding(
            "no-arithmetic", context.graph.producer(context.graph.outputs[0]), "an output is listed twice"
        )


def _heads(context: Context) -> Findings:
    """A final sigmoid or softmax is left out; what reads it inside the model would read the logits."""
    graph = context.graph
    for call in graph.calls:
        if (
            is_probability(call)
            and is_final(call, graph)
            and not context.spec.keep_softmax
            and _read(call, graph)
        ):
            yield finding("inner-probability", call, "is an output, and other layers read it")


def _read(call: Call, graph: Topology) -> bool:
    """Whether a layer that computes something reads the value."""
    return any(not is_pass_through(after) or _read(after, graph) for after in graph.consumers(call.output))


def _one_value(context: Context) -> Findings:
    """Outputs that are one tensor in firmware, which hls4ml would declare twice."""
    seen: dict[str, str] = {}
    for name in dict.fromkeys(context.graph.outputs):
        call = context.graph.producer(name)
        port = _origin(call, context.graph, heads=not context.spec.keep_softmax).output
        if port in seen:
            yield finding("one-value", call, f"is the same value as output {seen[port]!r}")
        seen[port] = call.name


def _softmax(call: Call, logits: FixedType) -> Finding:
    bound = softmax_bound(logits)
    if bound <= USEFUL_BOUND:
        return finding("softmax-kept", call, f"probabilities within {bound:.2g} of Keras, from tables")
    text = f"a softmax of logits with {logits.integer} integer bits: its tables are too coarse for any answer"
    mend = "keep_softmax: false, or QActivation(quantized_bits(16, 5, alpha=1)) before it"
    return finding("unsupported-activation", call, text, mend=mend)


def softmax_bound(logits: FixedType) -> float:
    """How far a probability of a softmax that this package converts can lie from the exact one.

    Its exponential takes the upper 10 of the bits of (largest logit - logit), the sum is read in steps of 1/4.
    """
    return table_bound(2.0 ** (logits.integer - int(logits.signed)) / 2.0**SOFTMAX_BITS, 0.25, 2.0**-10)


def table_bound(step: float, inverse: float, lsb: float) -> float:
    """How far a probability of hls4ml's stable softmax can lie from that of the logits it reads, in 0..1.

    A power is too large by the factor exp(step) at most, ``step`` being what one entry of its table spans; 1 over
    the sum, which is 1 or more, is read in steps of ``inverse``, so it is too large by inverse / (1 + inverse) at
    most. Rounding of table entries and results takes 8 ``lsb``.
    """
    divided = inverse / (1.0 + inverse) if inverse <= 1 else 1.0
    return min(1.0, divided + (1.0 - math.exp(-step)) + 8.0 * lsb)


def _origin(call: Call, graph: Topology, *, heads: bool = False) -> Call:
    """The layer that computes what this one hands on unchanged, with ``heads`` behind softmax and sigmoid layers too."""
    kind = layer_kind(call.layer)
    head = heads and kind.operation == "activation" and is_probability(call)
    moves = is_pass_through(call) or kind.silent or head
    return _origin(graph.sources(call)[0], graph, heads=heads) if moves else call


def check_types(normal: Topology, context: Context) -> Findings:
    """Findings on the widths of sums and on softmax tables, from the types of the model in normal form."""
    planned = plan(normal, FixedType.parse(context.spec.precision))
    for call in normal.calls:
        if is_softmax(call):
            yield _softmax(call, planned.layers[normal.sources(call)[0].name].result)
    for call in normal.calls if context.streams else ():
        if (count := len(normal.consumers(call.output))) > MOST_COPIES:
            yield finding("stream-copies", call, f"is read by {count} layers")
    for call, bits in wide_sums(normal, planned):
        yield finding("wide-sum", call, f"its sums are {bits} bits wide")
