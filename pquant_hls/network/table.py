"""What a model is made of: operations, a table of its layers, its digest, its head."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, calls, flat, topology
from pquant_hls.network.kinds import Operation, layer_kind

Head = Literal["softmax", "sigmoid", "linear"]


def operation(layer: Any) -> Operation:
    """What a layer of Keras or a front-end does, or an operation such as ``a + b``; ``other`` for what this package
    does not know."""
    return layer_kind(layer).operation


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table.

    ``inputs`` name the tensors it reads (see ``Call``); ``shape`` is the output's without the batch axis;
    ``parameters`` counts all weights and biases, ``nonzero`` those that are not 0 (kernels quantized first);
    ``units`` is the number of units or filters; ``quantizer`` is the kernel's, and ``activation`` what follows
    inside the layer, as text.
    """

    name: str
    kind: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: tuple[int | None, ...]
    parameters: int
    nonzero: int
    units: int | None
    quantizer: str | None
    activation: str | None


def layer_table(model: keras.Model) -> list[LayerRow]:
    """One row for each use of a layer, in the order of computation; raises UnsupportedModel as ``calls`` does."""
    return [_row(call) for call in calls(model)]


def _row(call: Call) -> LayerRow:
    layer = call.layer
    front = front_of(layer)
    quantizer = None if front is None else front.quantizer(layer, "kernel")
    return LayerRow(
        name=call.name,
        kind=call.kind,
        operation=operation(layer),
        inputs=call.inputs,
        shape=call.shape,
        parameters=sum(array.size for array in call.weights),
        nonzero=sum(int(np.count_nonzero(array)) for array in stored_weights(layer)),
        units=n_units(layer),
        quantizer=None if quantizer is None else str(quantizer),
        activation=activation_text(layer),
    )


PLAIN = ("input", "dense", "activation", "batchnorm", "dropout", "flatten", "reshape", "identity")
"""Operations that a network of dense layers, one after another, is made of."""


def dense_sizes(model: keras.Model) -> tuple[int, ...]:
    """Inputs, hidden widths and outputs of a network of dense layers, one after another.

    Raises
    ------
    UnsupportedModel : it has a layer of another kind, branches, or an input that is no vector; ``where`` names it.
    """
    rows = layer_table(model)
    for row in rows:
        if (
            row.operation not in PLAIN
            or len(row.inputs) > 1
            or (row.operation == "dense" and len(row.shape) != 1)
        ):
            raise UnsupportedModel(
                f"is a {row.kind}: sizes are those of dense layers, one after another",
                where=row.name,
                mend="give the sizes of the dense network you mean, such as 16-64-32-5",
            )
    first = math.prod(size or 1 for size in rows[0].shape)
    return (first, *(row.units for row in rows if row.units is not None))


def n_units(layer: keras.Layer) -> int | None:
    """Units of a dense layer or filters of a convolution; None for others (a depthwise one
    has its input's).
    """
    value = getattr(layer, "units", getattr(layer, "filters", None))
    return None if value is None or operation(layer) == "depthwise_conv" else int(value)


def weight_quantizers(layer: Any) -> list[Any]:
    """One entry for each of the layer's weights: its quantizer or None."""
    front = front_of(layer)
    count = len(layer.weights) if isinstance(layer, keras.Layer) else 0
    return [None] * count if front is None else front.quantizers(layer)


def stored_weights(layer: Any) -> list[NDArray[np.float32]]:
    """The layer's weights as the firmware stores them: through the layer's own quantizers and mask where it has any."""
    arrays = layer.get_weights() if isinstance(layer, keras.Layer) else []
    stored = [
        array if quantizer is None else np.asarray(quantizer(keras.ops.convert_to_tensor(array)))
        for array, quantizer in zip(arrays, weight_quantizers(layer), strict=True)
    ]
    return masked(layer, stored)


def masked(layer: Any, arrays: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """A layer's weights with its mask, where it has one, taken into the kernel."""
    front = front_of(layer)
    mask = None if front is None else front.mask(layer)
    return arrays if mask is None else [arrays[0] * mask, *arrays[1:]]


def activation_text(layer: Any) -> str | None:
    """The activation inside a layer as text (``relu``, ``quantized_relu(6,2)``); None for none or linear."""
    return layer_kind(layer).text(layer)


def head_of(model: keras.Model) -> Head:
    """What the last layer makes of its scores: softmax, sigmoid, or nothing (linear, and for several
    outputs).
    """
    heads = heads_of(model)
    return heads[0] if len(heads) == 1 else "linear"


def heads_of(model: keras.Model) -> list[Head]:
    """What the last layer before each output makes of its scores."""
    graph = flat(model)
    names = [activation_text(graph.producer(tensor).layer) for tensor in graph.outputs]
    return [
        "softmax" if name == "softmax" else "sigmoid" if name == "sigmoid" else "linear" for name in names
    ]


def input_names(model: keras.Model) -> list[str]:
    """Names of the inputs in the model's own order: the keys it is fed by, or the layers' names."""
    return _names(topology(model).inputs, None if isinstance(model, keras.Sequential) else model.input)


def output_names(model: keras.Model) -> list[str]:
    """Names of the outputs in the model's own order: the keys it answers with, or the tensors' names."""
    return _names(topology(model).outputs, None if isinstance(model, keras.Sequential) else model.output)


def scored_names(model: keras.Model) -> list[str]:
    """Names of the layers that make the outputs' scores: the one before where an output is an activation."""
    graph = flat(model)
    ends = [graph.producer(tensor) for tensor in graph.outputs]
    return [graph.sources(end)[0].name if operation(end.layer) == "activation" else end.name for end in ends]


def _names(tensors: Sequence[str], structure: Any) -> list[str]:
    if isinstance(structure, dict):
        return [str(key) for key in keras.tree.flatten({key: key for key in structure})]
    return list(tensors)


def has_softmax_head(model: keras.Model) -> bool:
    """Whether the model's one output is a softmax."""
    return head_of(model) == "softmax"


def n_outputs(model: keras.Model) -> int:
    """Values in the last axis of the model's (first) output."""
    return int(model.outputs[0].shape[-1])


def input_shapes(model: keras.Model) -> tuple[tuple[int | None, ...], ...]:
    """Shapes of the inputs without the batch axis."""
    return tuple(tuple(tensor.shape[1:]) for tensor in model.inputs)


def model_digest(model: keras.Model) -> str:
    """sha256 (hex) of the layers, their configurations, connections and weights; the model's own name does
    not count.
    """
    state = hashlib.sha256()
    for call in calls(model):
        packed = keras.saving.serialize_keras_object(call.layer)
        record = [call.kind, _plain(packed["config"]), call.inputs]
        if call.is_operation:
            record.append([_plain(np.asarray(part).tolist()) for part in call.constants])
        state.update(json.dumps(record, sort_keys=True, default=str).encode())
        for array in call.weights if call.output == call.name else ():
            state.update(f"{array.dtype}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def _plain(value: Any) -> Any:
    """Configuration without what loading changes and the outputs do not depend on: dtype policies,
    initializers.
    """
    if isinstance(value, dict):
        skip = ("dtype", "module", "registered_name", "build_config")
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in skip and not key.endswith("initializer")
        }
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
