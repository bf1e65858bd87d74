"""Bits that hls4ml's next function needs beside those that the values take.

Its padded max pooling pads with the sign bit alone, which in an unsigned type is a large value; its ternary keeps its
thresholds, one below zero, in the type it reads; its softmax takes the difference of two logits in as many bits as
one has, so these get one more, and makes its tables smaller for logits of few bits; ap_fixed rounds nothing off that
has no bits down to the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pquant_hls.network.frontend import Shape
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.grids import raised, roundable
from pquant_hls.network.kinds import acting, layer_kind
from pquant_hls.qor import FixedType

SOFTMAX_BITS = 10
"""Bits of an index into hls4ml's softmax tables."""


def readers(graph: Topology, call: Call) -> Iterator[Call]:
    """The calls that read the values of this one, those behind layers that hand them on too."""
    for reader in graph.consumers(call.output):
        yield reader
        if layer_kind(reader.layer).moves or layer_kind(reader.layer).passes(reader.layer):
            yield from readers(graph, reader)


def roomy(kind: FixedType, calls: Sequence[Call], *, softmax: bool) -> FixedType:
    """A type for the values of ``kind`` that ``calls`` can read, a softmax among them too if asked for."""
    found = [reading for call in calls if (reading := acting(call)) is not None]
    thresholds = [reading.threshold for reading in found if reading.threshold is not None]
    if thresholds or any(map(pads_maximum, calls)):
        kind = with_sign(kind)
    for threshold in thresholds:
        kind = raised(kind, 1 + math.ceil(math.log2(max(threshold, 1.0))))
    targets = [reading.type for reading in found] + [layer_kind(c.layer).coarsest(c.layer) for c in calls]
    for target in targets:
        kind = kind if target is None else roundable(kind, target)
    if softmax and any(map(_is_softmax, calls)):
        kind = replace(kind, width=max(kind.width + 1, SOFTMAX_BITS), integer=kind.integer + 1)
    return kind


def own_type(shape: Shape, kind: FixedType, needed: FixedType) -> FixedType:
    """The type of a quantizer's values, with a sign if that is needed and none is negative; with any other bits it would
    clip elsewhere.
    """
    return with_sign(kind) if shape in ("relu", "sigmoid") and needed.signed else kind


def with_sign(kind: FixedType) -> FixedType:
    """The type with a sign."""
    return kind if kind.signed else replace(kind, width=kind.width + 1, integer=kind.integer + 1, signed=True)


def pads_maximum(call: Call) -> bool:
    """Whether the call is a maximum over windows that reach beyond the edge."""
    kind = layer_kind(call.layer)
    return kind.operation == "pool" and not kind.averages and call.layer.padding == "same"


def _is_softmax(call: Call) -> bool:
    kind = layer_kind(call.layer)
    return kind.operation == "activation" and kind.acts_as(call.layer) == "softmax"
