"""A Keras model as a list of calls, and a model made anew from such a list with some layers exchanged.

The one reader of Keras' own records: no other file touches its private attributes.
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.files import custom_objects

Weights = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Call:
    """One application of one layer, or of an operation on tensors such as ``a + b``.

    ``output`` names the tensor it makes: the layer's name, with ``/2`` behind it at the layer's second use.
    ``inputs`` names the tensors it reads, in order; ``shape`` is the output's without the batch axis.
    """

    layer: Any
    inputs: tuple[str, ...]
    output: str
    shape: tuple[int | None, ...]
    node: Any = field(repr=False, compare=False)
    """Keras' record of this application."""

    @property
    def name(self) -> str:
        """The layer's name; calls of one layer share it."""
        return str(self.layer.name)

    @property
    def is_operation(self) -> bool:
        """Whether this is an operation outside any layer."""
        return not isinstance(self.layer, keras.Layer)

    @property
    def kind(self) -> str:
        """The layer's class name, ``ops.Name`` for an operation."""
        name = type(self.layer).__name__
        return f"ops.{name}" if self.is_operation else name

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        """The layer's weights; none for an operation."""
        return [] if self.is_operation else list(self.layer.get_weights())

    @property
    def tensor(self) -> Any:
        """The Keras tensor that this call makes in the model it was read from."""
        return self.node.output_tensors[0]

    @property
    def constants(self) -> list[Any]:
        """What an operation takes besides tensors, such as the 2 of ``2 * x``."""
        given = keras.tree.flatten((self.node.arguments.args, self.node.arguments.kwargs))
        return [part for part in given if not isinstance(part, keras.KerasTensor)]

    def on(self, feeds: Sequence[Any], layer: Any = None) -> Any:
        """``layer`` (without one the call's own) applied to other tensors in the way of this call."""
        tensors = {id(old): new for old, new in zip(self.node.input_tensors, feeds, strict=True)}
        args, options = self.node.arguments.fill_in(tensors)
        if layer is None:
            return self.layer(*args, **options)
        return layer(*args, **_taken(layer, options))


def _taken(layer: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call that another layer takes too, such as none of a softmax' mask."""
    if not isinstance(layer, keras.Layer):
        return dict(options)
    known = inspect.signature(layer.call).parameters
    every = any(part.kind is inspect.Parameter.VAR_KEYWORD for part in known.values())
    return {key: value for key, value in options.items() if every or key in known}


@dataclass(frozen=True)
class Topology:
    """All calls of a model, each after the ones that feed it; ``inputs`` and ``outputs`` name tensors."""

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @cached_property
    def _makers(self) -> Mapping[str, Call]:
        return {call.output: call for call in self.calls}

    @cached_property
    def _readers(self) -> Mapping[str, tuple[Call, ...]]:
        found: dict[str, list[Call]] = {call.output: [] for call in self.calls}
        for call in self.calls:
            for name in dict.fromkeys(call.inputs):
                found[name].append(call)
        return {name: tuple(readers) for name, readers in found.items()}

    @cached_property
    def uses(self) -> Mapping[str, tuple[Call, ...]]:
        """The calls of each layer, by the layer's name."""
        names = dict.fromkeys(call.name for call in self.calls)
        return {name: tuple(call for call in self.calls if call.name == name) for name in names}

    @property
    def layers(self) -> tuple[Call, ...]:
        """The first call of each layer."""
        return tuple(uses[0] for uses in self.uses.values())

    def producer(self, tensor: str) -> Call:
        return self._makers[tensor]

    def consumers(self, tensor: str) -> tuple[Call, ...]:
        return self._readers[tensor]

    def sources(self, call: Call) -> tuple[Call, ...]:
        """The calls that make its inputs."""
        return tuple(self.producer(tensor) for tensor in call.inputs)


def topology(model: keras.Model) -> Topology:
    """Read the calls of a Sequential or functional model, a model inside it as one call.

    Raises
    ------
    UnsupportedModel : no fixed graph, or a layer with several outputs.
    """
    inner = getattr(model, "_functional", None) or model
    if not getattr(inner, "_nodes_by_depth", None):
        raise UnsupportedModel(
            f"a {type(model).__name__} without a fixed graph",
            where=getattr(model, "name", None),
            mend="build it as keras.Sequential with an Input, or as a functional model",
        )
    ends = [*model.inputs, *model.outputs]
    nodes = _nodes(ends)
    names, uses = {}, Counter[str]()
    for node in nodes:
        layer = node.operation
        if len(node.output_tensors) != 1:
            raise UnsupportedModel(
                f"a {type(layer).__name__} has {len(node.output_tensors)} outputs", where=layer.name
            )
        uses[layer.name] += 1
        count = uses[layer.name]  # Keras takes no name with a slash
        names[id(node.output_tensors[0])] = layer.name if count == 1 else f"{layer.name}/{count}"
    outside = [names[id(tensor)] for tensor in ends]
    count = len(model.inputs)
    return Topology(
        tuple(_call(node, names) for node in nodes), tuple(outside[:count]), tuple(outside[count:])
    )


def _nodes(ends: Sequence[Any]) -> list[Any]:
    """Depth first from each of ``ends``, without recursion: deep models exceed Python's stack."""
    found: dict[int, Any] = {}
    pending = list(reversed(ends))
    while pending:
        node = _node(pending[-1])
        missing = [feed for feed in node.input_tensors if id(_node(feed)) not in found]
        if missing:
            pending += missing
        else:
            found.setdefault(id(node), node)
            pending.pop()
    return list(found.values())


def _node(tensor: Any) -> Any:
    layer, index, _ = tensor._keras_history
    return layer._inbound_nodes[index]


def maker(tensor: Any) -> Any:
    """The layer or operation that makes a symbolic tensor."""
    return _node(tensor).operation


def made_by(tensor: Any) -> str:
    """The name of the layer that makes a symbolic tensor."""
    return str(maker(tensor).name)


def _call(node: Any, names: Mapping[int, str]) -> Call:
    out = node.output_tensors[0]
    inputs = tuple(names[id(tensor)] for tensor in node.input_tensors)
    return Call(node.operation, inputs, names[id(out)], tuple(out.shape[1:]), node)


def flat(model: keras.Model) -> Topology:
    """The topology of a model in layers alone (``inline``); raises UnsupportedModel as ``topology`` does."""
    return topology(_in_layers(model))


def _in_layers(model: keras.Model) -> keras.Model:
    from pquant_hls.network.inline import inlined  # builds on this module

    return inlined(model)


def calls(model: keras.Model) -> tuple[Call, ...]:
    """The calls of a model, each after the ones that feed it; raises UnsupportedModel as ``flat`` does."""
    return flat(model).calls


def copy_layer(layer: Any, **changes: Any) -> Any:
    """A fresh, unbuilt layer of the same configuration, with some of its entries replaced.

    Raises UnsupportedModel for a layer that cannot be made from its configuration, as one that carries code.
    """
    if not isinstance(layer, keras.Layer):
        return _copied_operation(layer, **changes)
    known = custom_objects()  # first: front-ends mend what their libraries forget to write down
    try:
        packed = keras.saving.serialize_keras_object(layer)
        packed.pop("build_config", None)
        packed["config"] = {**packed["config"], **changes}
        return keras.saving.deserialize_keras_object(packed, custom_objects=known)
    except (ValueError, TypeError, NotImplementedError) as cause:
        reason = " ".join(str(cause).split())[:200]
        raise UnsupportedModel(
            f"a {type(layer).__name__} cannot be made anew from its configuration: {reason}", where=layer.name
        ) from cause


def _copied_operation(operation: Any, **changes: Any) -> Any:
    """An operation holds no weights; what it was applied to is left behind."""
    made = copy.copy(operation)
    made.name = changes.get("name", made.name)
    made._inbound_nodes, made._outbound_nodes = [], []
    return made


Apply = Callable[[Call, list[Any]], Any]
"""Makes a call's Keras tensor from those it reads; an input layer reads the new model's own input."""


def remake(model: keras.Model, apply: Apply, enter: Callable[[Call], Any] | None = None) -> keras.Model:
    """A new functional model in which ``apply`` makes every call's result and ``enter`` the inputs.

    The structure of inputs and outputs (tensor, list, dict) stays; only a dict of inputs that ``enter`` gives
    other names becomes a list, as Keras feeds a dict by the inputs' names.
    """
    graph = topology(model)
    tensors: dict[str, Any] = {}
    entries: dict[str, Any] = {}
    for call in graph.calls:
        feeds = [tensors[name] for name in call.inputs]
        if isinstance(call.layer, keras.layers.InputLayer):
            entries[call.output] = _same_input(call) if enter is None else enter(call)
            feeds = [entries[call.output]]
        tensors[call.output] = apply(call, feeds)
    inner = getattr(model, "_functional", None) or model
    inputs = [entries[name] for name in graph.inputs]
    if not isinstance(inner.input, dict) or all(entry.name == name for name, entry in entries.items()):
        inputs = keras.tree.pack_sequence_as(inner.input, inputs)
    outputs = keras.tree.pack_sequence_as(inner.output, [tensors[name] for name in graph.outputs])
    return keras.Model(inputs, outputs, name=model.name)


def _same_input(call: Call) -> Any:
    return keras.Input(batch_shape=call.layer.batch_shape, dtype=call.layer.dtype, name=call.name)


@dataclass(frozen=True)
class NewLayer:
    """A layer not yet built and the weights it shall have (None: as initialised)."""

    layer: Any
    weights: Weights | None = None


Change = Callable[[Call], Sequence[NewLayer] | None]
"""What to put in place of a layer: a chain of new ones, an empty one to drop it, None to keep it.

It is asked once for each layer, with the layer's first call: a layer that is used twice stays one layer.
"""


@dataclass
class _Rebuilder:
    """Chains by the layer they replace, and every new layer with its weights, in order."""

    change: Change
    chains: dict[int, Sequence[NewLayer]] = field(default_factory=dict)
    made: list[tuple[Any, Weights]] = field(default_factory=list)

    def apply(self, call: Call, feeds: list[Any]) -> Any:
        new = id(call.layer) not in self.chains
        chain = self._chain(call) if new else self.chains[id(call.layer)]
        is_input = isinstance(call.layer, keras.layers.InputLayer)
        value = feeds[0]
        for place, entry in enumerate(chain):
            value = call.on(feeds, entry.layer) if place == 0 and not is_input else entry.layer(value)
            if new and isinstance(entry.layer, keras.Layer):
                wanted = entry.layer.get_weights() if entry.weights is None else entry.weights
                self.made.append((entry.layer, wanted))
        return value

    def _chain(self, call: Call) -> Sequence[NewLayer]:
        chain = self.change(call)
        if chain is None:
            is_input = isinstance(call.layer, keras.layers.InputLayer)
            chain = () if is_input else (NewLayer(copy_layer(call.layer), call.weights),)
        self.chains[id(call.layer)] = chain
        return chain


def rebuild(model: keras.Model, change: Change) -> keras.Model:
    """A new model in which ``change`` may have replaced layers; weights are copied, nothing is shared with
    the old one.

    Names, order and structure of inputs and outputs stay, and so does a Sequential. Input layers are kept;
    what ``change`` returns for one is put behind it.
    """
    model = _in_layers(model)
    rebuilder = _Rebuilder(change)
    found = remake(model, rebuilder.apply)
    for layer, weights in rebuilder.made:
        layer.set_weights(list(weights))
    if not isinstance(model, keras.Sequential):
        return found
    sequential = keras.Sequential(name=model.name)
    for layer in (found.inputs[0]._keras_history.operation, *(layer for layer, _ in rebuilder.made)):
        sequential.add(layer)  # an InputLayer first: so Keras keeps the layers' weights
    return sequential


def clone(model: keras.Model) -> keras.Model:
    """A deep copy with its own weights."""
    return rebuild(model, lambda _: None)
