"""A model in layers alone: models inside it are taken apart, operations with numbers and over axes become layers.

Every room but the witness reads a model in this form, so that none needs to know of nesting or of ``2 * x``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras

from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, NewLayer, Topology, copy_layer, remake, topology
from pquant_hls.network.lowered import as_layers
from pquant_hls.network.names import unused


def inlined(model: Any) -> Any:
    """``model`` itself, or a new one of the same function and weights without models inside and with layers for operations."""
    graph = topology(model)
    if not any(map(_changes, graph.calls)):
        return model
    walk = _Walk({call.name for call in graph.calls if not isinstance(call.layer, keras.Model)})
    found = remake(model, walk.apply)
    for layer, weights in walk.made:
        layer.set_weights(weights)
    return found


def _changes(call: Call) -> bool:
    if isinstance(call.layer, keras.Model):
        return True
    return _unfolded(call) is not None or as_layers(call) is not None


def _unfolded(call: Call) -> NewLayer | None:
    front = front_of(call.layer)
    return None if front is None else front.unfolded(call.layer)


@dataclass
class _Walk:
    """New layers by the identity of the old ones, and their weights."""

    taken: set[str]
    copies: dict[int, Any] = field(default_factory=dict)
    made: list[tuple[Any, Any]] = field(default_factory=list)
    parted: set[str] = field(default_factory=set)
    """Names of what was taken apart."""

    def apply(self, call: Call, feeds: list[Any], around: str = "") -> Any:
        if isinstance(call.layer, keras.layers.InputLayer):
            return feeds[0]
        if isinstance(call.layer, keras.Model):
            return self.inner(call, feeds)
        name = self.named(call, around)
        lowered = as_layers(call)
        if lowered is not None:
            return lowered(feeds, self.apart(name))
        if id(call.layer) in self.copies:
            return call.on(feeds, self.copies[id(call.layer)])
        new = _unfolded(call) or NewLayer(call.layer, call.weights)
        layer = self.copies[id(call.layer)] = copy_layer(new.layer, name=name)
        result = call.on(feeds, layer)
        if not call.is_operation:
            self.made.append((layer, new.weights))
        return result

    def named(self, call: Call, around: str) -> str:
        """The layer's own name; inside a model one that is not taken."""
        if not around:
            return call.name
        if id(call.layer) in self.copies:
            return str(self.copies[id(call.layer)].name)
        name = unused(call.name if call.name not in self.taken else f"{around}_{call.name}", self.taken)
        self.taken.add(name)
        return name

    def apart(self, name: str) -> str:
        """The name for the layers of one use of a layer, another at its next use."""
        found = unused(name, self.taken) if name in self.parted else name
        self.parted.add(name)
        self.taken.add(found)
        return found

    def inner(self, call: Call, feeds: list[Any]) -> Any:
        graph: Topology = topology(call.layer)
        tensors: dict[str, Any] = dict(zip(graph.inputs, feeds, strict=True))
        for each in graph.calls:
            read = [tensors[name] for name in each.inputs] or [tensors.get(each.output)]
            tensors[each.output] = self.apply(each, read, call.name)
        return tensors[graph.outputs[0]]
