"""A Keras model as a list of layer calls, and a model rebuilt from such a list with some layers exchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.files import custom_objects

Weights = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Call:
    """One application of one layer.

    ``inputs`` names the layers that feed it, in order; ``shape`` is its output's without the batch axis.
    """

    layer: keras.Layer
    inputs: tuple[str, ...]
    shape: tuple[int | None, ...]

    @property
    def name(self) -> str:
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class name."""
        return type(self.layer).__name__


@dataclass(frozen=True)
class NewLayer:
    """A layer not yet built and the weights it shall have (None: as initialised)."""

    layer: keras.Layer
    weights: Weights | None = None


Change = Callable[[Call], Sequence[NewLayer] | None]
"""What to put in place of a layer: a chain of new ones, an empty one to drop it, None to keep it."""


def calls(model: keras.Model) -> tuple[Call, ...]:
    """The layer calls of a Sequential or functional model, each after the ones that feed it.

    Raises UnsupportedModel naming the layer for subclassed or unbuilt models, nested models, shared layers,
    operations that are not layers, and layers with several outputs.
    """
    graph = isinstance(model, keras.Sequential | keras.src.models.Functional)
    if not graph or not model.built or not getattr(model, "outputs", None):
        raise UnsupportedModel(
            f"a {type(model).__name__} without a layer graph",
            where=getattr(model, "name", None),
            mend="use a built Sequential or functional model",
        )
    found: dict[str, Any] = {}
    for tensor in [*model.inputs, *model.outputs]:
        _collect(tensor, found)
    return tuple(_call(layer, node) for layer, node in found.values())


def _collect(tensor: Any, found: dict[str, Any]) -> None:
    """Depth first from one tensor, without recursion: deep models exceed Python's stack."""
    pending = [tensor]
    while pending:
        layer, node = _origin(pending[-1])
        missing = [feed for feed in node.input_tensors if _origin(feed)[0].name not in found]
        if missing:
            pending += missing
            continue
        if found.setdefault(layer.name, (layer, node))[1] is not node:
            raise UnsupportedModel("is used more than once (a shared layer)", where=layer.name)
        pending.pop()


def _origin(tensor: Any) -> tuple[Any, Any]:
    layer, index, _ = tensor._keras_history
    if not isinstance(layer, keras.Layer):
        raise UnsupportedModel(
            "is an operation outside any layer", where=layer.name, mend="use a Keras layer for it"
        )
    if isinstance(layer, keras.Model):
        raise UnsupportedModel(
            "is a model inside the model", where=layer.name, mend="flatten it into one model"
        )
    return layer, layer._inbound_nodes[index]


def _call(layer: Any, node: Any) -> Call:
    if len(node.output_tensors) != 1:
        raise UnsupportedModel(f"has {len(node.output_tensors)} outputs", where=layer.name)
    feeds = tuple(feed._keras_history.operation.name for feed in node.input_tensors)
    return Call(layer, feeds, tuple(node.output_tensors[0].shape[1:]))


def copy_layer(layer: keras.Layer, **changes: Any) -> keras.Layer:
    """A fresh, unbuilt layer of the same configuration, with some of its entries replaced.

    Raises UnsupportedModel for a layer that cannot be made from its configuration, as one that carries code.
    """
    try:
        packed = keras.saving.serialize_keras_object(layer)
        packed.pop("build_config", None)
        packed["config"] = {**packed["config"], **changes}
        return keras.saving.deserialize_keras_object(packed, custom_objects=custom_objects())
    except (ValueError, TypeError, NotImplementedError) as cause:
        reason = " ".join(str(cause).split())[:200]
        raise UnsupportedModel(
            f"a {type(layer).__name__} cannot be made anew from its configuration: {reason}", where=layer.name
        ) from cause


def rebuild(model: keras.Model, change: Change) -> keras.Model:
    """A new model in which ``change`` may have replaced layers; weights are copied, nothing is shared.

    Input layers are kept; what ``change`` returns for one is put behind it.
    """
    table = calls(model)
    tensors: dict[str, Any] = {}
    made: list[tuple[keras.Layer, Weights]] = []
    for call in table:
        tensors[call.name] = _apply(call, change(call), tensors, made)
    inputs = [tensors[f"{_origin(tensor)[0].name}:in"] for tensor in model.inputs]
    outputs = [tensors[_origin(tensor)[0].name] for tensor in model.outputs]
    for layer, weights in made:
        layer.set_weights(list(weights))
    if isinstance(model, keras.Sequential):
        return _sequential(model.name, inputs[0], [layer for layer, _ in made])
    pack = keras.tree.pack_sequence_as
    return keras.Model(pack(model.input, inputs), pack(model.output, outputs), name=model.name)


def _apply(call: Call, new: Sequence[NewLayer] | None, tensors: dict[str, Any], made: list[Any]) -> Any:
    if isinstance(call.layer, keras.layers.InputLayer):
        shape, dtype = call.layer.batch_shape, call.layer.dtype
        value = tensors[f"{call.name}:in"] = keras.Input(batch_shape=shape, dtype=dtype, name=call.name)
        chain = new or ()
    else:
        feeds = [tensors[name] for name in call.inputs]
        value = feeds if wants_list(call) else feeds[0]
        chain = (NewLayer(copy_layer(call.layer), call.layer.get_weights()),) if new is None else new
    for entry in chain:
        value = entry.layer(value)
        made.append((entry.layer, entry.layer.get_weights() if entry.weights is None else entry.weights))
    return value


def wants_list(call: Call) -> bool:
    """Whether the layer is called with a list of tensors: merges are, even of one."""
    return len(call.inputs) > 1 or isinstance(
        call.layer, keras.layers.Concatenate | keras.src.layers.merging.base_merge.Merge
    )


def _sequential(name: str, entry: Any, layers: list[keras.Layer]) -> keras.Model:
    """Keras rebuilds on ``add``; an InputLayer first keeps the layers' weights."""
    model = keras.Sequential(name=name)
    model.add(entry._keras_history.operation)
    for layer in layers:
        model.add(layer)
    return model


def clone(model: keras.Model) -> keras.Model:
    """A deep copy with its own weights."""
    return rebuild(model, lambda _: None)
