"""The normal form of a Keras model: the same function, in the few layer kinds that convert exactly.

Activations become layers of their own, weights get plain quantizers, a Dense over a sequence becomes a
convolution of width 1, sums of many become sums of two, layers that do nothing in inference go, a final
softmax or sigmoid goes (argmax and thresholds work on logits), names become such that nothing changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import keras

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import frozen
from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.network.graph import Call, NewLayer, Topology, copy_layer, made_by, remake, topology
from pquant_hls.network.heads import Keep, exact_heads, is_final, is_pass_through, is_probability
from pquant_hls.network.inline import inlined
from pquant_hls.network.kinds import acts_alone, function_name, layer_kind
from pquant_hls.network.kinds.merges import expanded
from pquant_hls.network.kinds.tables import addressing, at_addresses
from pquant_hls.network.names import safe_names, unused
from pquant_hls.network.quantizers import is_quantizer, keras_computes
from pquant_hls.network.room import own_type, readers, roomy, with_sign
from pquant_hls.network.tabled import Tabled
from pquant_hls.network.types import typed


def normal_form(model: Any, *, keep_softmax: Keep = False) -> Any:
    """A new functional Keras model in normal form with copies of the weights; ``model`` is left as it is.

    Raises
    ------
    UnsupportedModel : no fixed graph, or a layer that cannot be copied.
    """
    return traced_form(model, keep_softmax=keep_softmax)[0]


def traced_form(model: Any, *, keep_softmax: Keep = False) -> tuple[Any, dict[str, Counterpart]]:
    """``normal_form``, and by the name of a layer of it where its values stand in ``model``.

    A layer that has no counterpart there, such as the first of a chain of sums, is left out.
    """
    model = exact_heads(model) if keep_softmax == "exact" else inlined(model)
    graph = topology(model)
    builder = _Builder(graph, bool(keep_softmax), Names(graph), typed(graph)[1])
    return remake(model, builder.apply, builder.names.enter), builder.origins


class Counterpart(NamedTuple):
    """A symbolic tensor of the user's model; ``bare``: what the activation inside its layer is applied to."""

    tensor: Any
    bare: bool = False


class Names:
    """A name of its own for each call of a graph: a layer used twice is made twice."""

    def __init__(self, graph: Topology) -> None:
        self.of = dict(zip((call.output for call in graph.calls), safe_names(graph.calls), strict=True))
        self.used = set(self.of.values())

    def enter(self, call: Call) -> Any:
        """The new model's input for one of the old one's."""
        return keras.Input(call.shape, name=self.of[call.output], dtype=call.layer.dtype)

    def another(self, wanted: str) -> str:
        """A name like ``wanted`` that nothing has yet."""
        name = unused(wanted, self.used)
        self.used.add(name)
        return name


@dataclass(frozen=True)
class _Builder:
    graph: Topology
    keep_softmax: bool
    names: Names
    tables: Mapping[str, Tabled] = field(default_factory=dict)
    """By the name of a tensor: what stands for it where its function becomes a table."""
    unflat: dict[str, Any] = field(default_factory=dict)
    """By the name of a flat tensor: the same values before the Flatten."""
    origins: dict[str, Counterpart] = field(default_factory=dict)

    def apply(self, call: Call, inputs: list[Any]) -> Any:
        if call.kind == "InputLayer":
            return inputs[0]
        with keras_computes(call.name):
            return self.placed(call, self.names.of[call.output], inputs)

    def marked(self, call: Call, value: Any, *, bare: bool = False) -> Any:
        """``value``, with a note of what it is in the user's model; the first note of a layer counts."""
        self.origins.setdefault(made_by(value), Counterpart(call.tensor, bare))
        return value

    def placed(self, call: Call, name: str, inputs: list[Any]) -> Any:
        if layer_kind(call.layer).flattens:
            self.unflat[call.output] = inputs[0]
        before = self.unflat.get(call.inputs[0]) if acts_alone(call) else None
        if before is None:
            return self.marked(call, self.computed(call, name, inputs))
        # hls4ml's streams have no Flatten: what follows one must not mind, and activations do
        layer = layer_kind(call.layer).before_flatten(call.layer, tuple(before.shape[1:]))
        moved = self.computed(replace(call, layer=layer), name, [before])
        self.unflat[call.output] = self.marked(call, moved)
        return keras.layers.Flatten(name=self.names.another(f"{name}_flat"))(self.unflat[call.output])

    def computed(self, call: Call, name: str, inputs: list[Any]) -> Any:
        kind = layer_kind(call.layer)
        drop_head = is_probability(call) and is_final(call, self.graph) and not self.keep_softmax
        if is_pass_through(call) or (drop_head and kind.operation == "activation"):
            return inputs[0]
        if kind.operation == "merge" and len({tuple(x.shape) for x in inputs}) > 1:
            inputs = [self.broadcast(call, name, place, x) for place, x in enumerate(inputs)]
        if kind.chained and len(inputs) > 2:
            return self.chained(call, name, inputs)
        activation = kind.function(call.layer)
        if kind.operation == "activation":
            return self.acted(call, name, inputs, applied)
        if activation is None:
            return computed(call, name, inputs, {})
        result = self.marked(call, computed(call, name, inputs, {"activation": None}), bare=True)
        if drop_head:
            return result
        own = self.names.another(f"{name}_{function_name(activation)}")
        return self.acted(call, own, [result], lambda *_: _activation_layer(activation, own)(result))

    def acted(self, call: Call, name: str, inputs: list[Any], otherwise: Callable[..., Any]) -> Any:
        """The call's activation: a table, layers that it is written with, or as hls4ml has it."""
        kind, table = layer_kind(call.layer), self.tables.get(call.output)
        if table is not None:
            return inputs[0] if table.result is None else self.looked_up(table, name, inputs[0])
        form = kind.form(call.layer)
        if form is not None and form.exact:
            return form.apply(inputs[0], name)
        activation = kind.function(call.layer)
        return self.roomy(activation, name, call, otherwise(activation, name, call, inputs))

    def looked_up(self, table: Tabled, name: str, value: Any) -> Any:
        """``value``, which is of the table's type, looked up."""
        address, layer = table_layers(table, name, self.names.another(f"{name}_address"))
        return layer(address(value))

    def roomy(self, activation: Any, name: str, call: Call, result: Any) -> Any:
        """A quantizer's result, in more bits where what reads it needs them."""
        front, found = front_of(activation), reading_of(activation)
        if front is None or found is None or found.type is None:
            return result
        need = roomy(found.type, list(readers(self.graph, call)), softmax=self.keep_softmax)
        if need == own_type(found.shape, found.type, need):
            return result
        wide = with_sign(need)
        linear = front.make("linear", wide.width, wide.integer - 1)
        return front.activation(linear, self.names.another(f"{name}_wide"))(result)

    def broadcast(self, call: Call, name: str, place: int, value: Any) -> Any:
        """One of a merge's tensors in the shape of the result."""
        fits = tuple(value.shape[1:]) == call.shape
        return value if fits else expanded(value, call.shape, self.names.another(f"{name}_{place}"))

    def chained(self, call: Call, name: str, inputs: list[Any]) -> Any:
        result = inputs[0]
        for other in inputs[1:-1]:
            result = merged(call, self.names.another(f"{name}_part"), [result, other])
        return merged(call, name, [result, inputs[-1]])


def table_layers(table: Tabled, name: str, address: str) -> tuple[Any, Any]:
    """(the quantizer that makes addresses, the layer that holds the entries) of a table."""
    held = at_addresses(table.kind, table.values, name)
    return addressing(held.kind, address), held


def merged(call: Call, name: str, inputs: list[Any]) -> Any:
    """A merge layer applied; an operation such as ``a + b`` becomes the layer of its name, one that joins nothing stays what
    it is."""
    if call.is_operation and layer_kind(call.layer).operation in ("activation", "other"):
        return call.on(inputs, copy_layer(call.layer, name=name))
    if call.is_operation:
        return getattr(keras.layers, type(call.layer).__name__)(name=name)(inputs)
    return copied(call.layer, {"name": name})(inputs)


def applied(activation: Any, name: str, call: Call, inputs: list[Any]) -> Any:
    """A layer that is an activation: its quantizer as hls4ml reads it, any other as it is."""
    if is_quantizer(activation):
        return _activation_layer(activation, name)(inputs[0])
    return computed(call, name, inputs, {})


def computed(call: Call, name: str, inputs: list[Any], changes: Mapping[str, Any]) -> Any:
    """The call's layer, or the chain that its kind makes of it, with ``changes`` and plain quantizers, applied."""
    if call.is_operation:
        return merged(call, name, inputs)
    requantized, weights = frozen(call.layer)
    changes = {"name": name, **changes, **requantized}
    front = front_of(call.layer)
    chain = layer_kind(call.layer).parts(call, changes, weights)
    if chain is None and front is not None:
        chain = front.lowered(call, changes, weights)
    if chain is None:
        empty = {name: "zeros" for name in call.layer.get_config() if name.endswith("_initializer")}
        chain = [NewLayer(copied(call.layer, {**empty, **changes}), weights)]  # random ones take longer
    result = call.on(inputs, chain[0].layer)
    for entry in chain[1:]:
        result = entry.layer(result)
    for entry in chain:
        if entry.weights:
            entry.layer.set_weights(list(entry.weights))
    return result


def copied(layer: Any, changes: Mapping[str, Any]) -> Any:
    """A new layer from ``layer``'s configuration with some entries replaced; weights are not copied.

    Raises
    ------
    UnsupportedModel : Keras cannot rebuild the layer from its configuration.
    """
    try:
        return type(layer).from_config({**layer.get_config(), **changes})
    except (TypeError, ValueError, AttributeError, NotImplementedError) as cause:
        raise UnsupportedModel(
            f"{type(layer).__name__} cannot be rebuilt: {cause}", where=layer.name
        ) from cause


def _activation_layer(activation: Any, name: str) -> Any:
    front = front_of(activation)
    if front is None:
        return keras.layers.Activation(activation, name=name)
    return front.activation(front.convertible(activation), name)
