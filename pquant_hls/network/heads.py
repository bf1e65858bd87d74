"""The ends of a model: what only turns logits into probabilities, and such ends made of tables of this package's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pquant_hls.network.graph import Call, NewLayer, Topology, copy_layer, rebuild, topology
from pquant_hls.network.inline import inlined
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.lookup import FixedPointTable
from pquant_hls.network.names import unused
from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.network.types import bare_types

Keep = bool | Literal["exact"]
"""Whether a final softmax or sigmoid is in the firmware; ``exact``: made of this package's own tables."""
LOGIT_BITS = 5
"""Most integer bits of logits that a softmax takes; a probability of logits 32 apart is 0 in any firmware."""
SIGMOID_ADDRESS = (12, 4)
"""Width and integer bits: steps of 1/256 from -8 to 8."""


def is_softmax(call: Call) -> bool:
    return layer_kind(call.layer).acts_as(call.layer) == "softmax"


def is_probability(call: Call) -> bool:
    """Whether the layer only turns logits into probabilities: argmax and thresholds work on either."""
    return layer_kind(call.layer).acts_as(call.layer) in ("softmax", "sigmoid")


def is_pass_through(call: Call) -> bool:
    """Whether the layer changes nothing in inference."""
    return layer_kind(call.layer).passes(call.layer)


def is_final(call: Call, graph: Topology) -> bool:
    """Whether the result leaves the model, possibly through layers that change nothing."""
    after = graph.consumers(call.output)
    return call.output in graph.outputs or (
        len(after) == 1 and is_pass_through(after[0]) and is_final(after[0], graph)
    )


def exact_heads(model: Any) -> Any:
    """``model`` with every final softmax and sigmoid made of tables that firmware holds exactly; itself without one."""
    model = inlined(model)
    graph = topology(model)
    ends = {call.name for call in graph.layers if is_probability(call) and is_final(call, graph)}
    if not ends:
        return model
    types = bare_types(graph)
    taken = {call.name for call in graph.calls}

    def change(call: Call) -> Sequence[NewLayer] | None:
        if call.name not in ends:
            return None
        alone = layer_kind(call.layer).operation == "activation"
        name = call.name if alone else unused(f"{call.name}_head", taken)
        kind = types.get(call.inputs[0] if alone else call.output)
        integer = LOGIT_BITS if kind is None else max(0, min(kind.integer - int(kind.signed), LOGIT_BITS))
        if is_softmax(call):
            head: Any = FixedPointSoftmax(integer, name=name)
        else:
            head = sigmoid_table(name)
        before = [] if alone else [NewLayer(copy_layer(call.layer, activation="linear"), call.weights)]
        return [*before, NewLayer(head)]

    return inlined(rebuild(model, change))


def sigmoid_table(name: str) -> FixedPointTable:
    """A sigmoid in steps of 1/256, its values in steps of 1/4096."""
    width, integer = SIGMOID_ADDRESS
    values = (np.arange(1 << width) - (1 << (width - 1))) * 2.0 ** (integer - width)
    return FixedPointTable(width, integer, np.round(4096 / (1 + np.exp(-values))) / 4096, name=name)
