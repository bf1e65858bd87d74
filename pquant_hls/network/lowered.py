"""Operations, and layers that are made of several, as layers that convert exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.attention import attention, attention_of_rows, einsum_axes, einsum_dense
from pquant_hls.network.embedding import embedding_in_layers, has_tables
from pquant_hls.network.graph import Call, copy_layer
from pquant_hls.network.layernorm import normalized_in_layers
from pquant_hls.network.picked import PICKED, Apply, is_flat
from pquant_hls.network.products import contracted_rows
from pquant_hls.network.recurrent import GATES, MOST_STEPS, cell_kind, unrolled
from pquant_hls.network.softmax import FixedPointSoftmax, softmax_in_layers
from pquant_hls.network.sums import SumOver
from pquant_hls.network.transposed import is_interleaved, transposed_in_layers


def as_layers(call: Call) -> Apply | None:
    """What applies an operation, or a layer of several, as layers, to its tensors and by a name; None where it stays one."""
    make = (_OPERATIONS if call.is_operation else _LAYERS).get(type(call.layer).__name__)
    return None if make is None else make(call)


def _constant(call: Call) -> Any:
    """The one number, or array without a batch axis, that a binary operation takes beside a tensor; None for none."""
    given = call.node.arguments.args
    others = [part for part in given if not isinstance(part, keras.KerasTensor)]
    if len(given) != 2 or len(others) != 1:
        return None
    array = np.asarray(others[0], np.float64)
    return array[0] if array.ndim and array.ndim > len(call.shape) else array


def _first(call: Call) -> bool:
    """Whether the tensor stands before the number."""
    return isinstance(call.node.arguments.args[0], keras.KerasTensor)


def _scaled(scale: Any, shift: Any = 0.0) -> Apply:
    return lambda feeds, name: FixedPointScale(scale, shift, name=name)(feeds[0])


def _multiply(call: Call) -> Apply | None:
    number = _constant(call)
    if number is None:
        return _squared if _same(call) else None
    return _scaled(number)


def _same(call: Call) -> bool:
    return len(call.inputs) == 1 and len(call.node.arguments.args) == 2 and not call.constants


def _squared(feeds: list[Any], name: str) -> Any:
    return keras.layers.Multiply(name=name)([feeds[0], feeds[0]])


def _add(call: Call) -> Apply | None:
    number = _constant(call)
    return None if number is None else _scaled(1.0, number)


def _subtract(call: Call) -> Apply | None:
    number = _constant(call)
    if number is None:
        return None
    return _scaled(1.0, -number) if _first(call) else _scaled(-1.0, number)


def _divide(call: Call) -> Apply | None:
    number = _constant(call)
    return None if number is None or not _first(call) or not np.all(number) else _scaled(1.0 / number)


def _power(call: Call) -> Apply | None:
    number = _constant(call)
    return (
        _squared if number is not None and _first(call) and number.ndim == 0 and float(number) == 2 else None
    )


def _reduced(call: Call) -> tuple[list[int], bool] | None:
    """(axes, keepdims) of a reduction; None over the batch axis."""
    axis = call.layer.axis
    rank = len(call.node.input_tensors[0].shape)
    given = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    axes = sorted(each % rank for each in given)
    return None if 0 in axes else (axes, bool(call.layer.keepdims))


def _sum(call: Call) -> Apply | None:
    found = _reduced(call)
    if found is None:
        return None
    axes, keep = found
    return lambda feeds, name: SumOver(axes, keep, name=name)(feeds[0])


def _pooled(word: str) -> Callable[[Call], Apply | None]:
    def make(call: Call) -> Apply | None:
        found, shape = _reduced(call), call.node.input_tensors[0].shape
        if found is None or len(shape) not in (3, 4) or found[0] != list(range(1, len(shape) - 1)):
            return None
        layer = getattr(keras.layers, f"Global{word}Pooling{len(shape) - 2}D")
        return lambda feeds, name: layer(keepdims=found[1], name=name)(feeds[0])

    return make


def _function(name: str) -> Callable[[Call], Apply | None]:
    return lambda _: lambda feeds, own: keras.layers.Activation(name, name=own)(feeds[0])


def _dot(call: Call) -> Apply | None:
    """Products of all pairs of rows, summed over the axis that both share: of two vectors, or of two matrices."""
    shapes = [tuple(tensor.shape[1:]) for tensor in call.node.input_tensors]
    axes = [call.layer.axes] * 2 if isinstance(call.layer.axes, int) else list(call.layer.axes)
    last = [axis % (len(shape) + 1) == len(shape) for axis, shape in zip(axes, shapes, strict=True)]
    if len({len(shape) for shape in shapes}) > 1 or len(shapes[0]) > 2:
        return None

    def made(feeds: list[Any], name: str) -> Any:
        if call.layer.normalize:
            feeds = [
                keras.layers.UnitNormalization(axis, name=f"{name}_unit{place}")(feed)
                for place, (feed, axis) in enumerate(zip(feeds, axes, strict=True))
            ]
        return contracted_rows(feeds, shapes, last, name)

    return made


def _softmax(call: Call) -> Apply | None:
    if not isinstance(call.layer, FixedPointSoftmax):
        return None
    return lambda feeds, name: softmax_in_layers(call.layer, feeds[0], name)


def _layer_norm(call: Call) -> Apply:
    return lambda feeds, name: normalized_in_layers(call.layer, feeds[0], name)


def _attention(call: Call) -> Apply | None:
    """Without masks, windows and gates, over one axis of rows."""
    layer, args, given = call.layer, call.node.arguments.args, call.node.arguments.kwargs
    by_word = sorted(key for key, value in given.items() if isinstance(value, keras.KerasTensor))
    words = [*("query", "value", "key")[: len(args)], *by_word]  # as Keras lists them
    known = {"query", "value"} <= set(words) <= {"query", "value", "key"} and len(words) == len(call.inputs)
    odd = getattr(layer, "use_gate", False) or getattr(layer, "sliding_window", None) is not None
    if odd or not known or not _rows_alone(call):
        return None
    return lambda feeds, name: attention(layer, dict(zip(words, feeds, strict=True)), name)


def _attention_of_rows(call: Call) -> Apply | None:
    if len(call.inputs) not in (2, 3) or not _rows_alone(call):
        return None
    return lambda feeds, name: attention_of_rows(call.layer, feeds, name)


def _rows_alone(call: Call) -> bool:
    """Whether a call reads rows of values, and is given no mask, causal or other."""
    given = call.node.arguments.kwargs.values()
    options = [each for each in given if not isinstance(each, keras.KerasTensor)]
    shapes = [tensor.shape for tensor in call.node.input_tensors]
    plain = all(each is None or each is False for each in options)
    return plain and not any(len(shape) != 3 or None in shape[1:] for shape in shapes)


def _einsum(call: Call) -> Apply | None:
    shape = call.node.input_tensors[0].shape
    if None in shape[1:] or einsum_axes(call.layer.equation, len(shape)) is None:
        return None
    return lambda feeds, name: einsum_dense(call.layer, feeds[0], name)


def _embedding(call: Call) -> Apply | None:
    if None in call.shape or not has_tables(call.layer):
        return None
    return lambda feeds, name: embedding_in_layers(call.layer, feeds[0], name)


def _each_step(call: Call) -> Apply | None:
    """A layer of the last axis alone, in Keras' wrapper that applies it to each step."""
    inner = call.layer.layer
    if type(inner).__name__.removeprefix("Q") not in ("Dense", "Activation", "ReLU", "BatchNormalization"):
        return None
    return lambda feeds, name: _copied(inner, feeds[0], name=name)


def _flattened(call: Call) -> Apply | None:
    if not is_flat(call.node.input_tensors[0], call.shape):
        return None
    return lambda feeds, name: keras.layers.Flatten(name=name)(feeds[0])


def _causal(call: Call) -> Apply | None:
    """Of Keras' own convolution, which sees no later step: zeros before the first one."""
    layer = call.layer
    if layer.padding != "causal":
        return None
    before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)

    def made(feeds: list[Any], name: str) -> Any:
        padded = keras.layers.ZeroPadding1D((before, 0), name=f"{name}_before")(feeds[0])
        return _copied(layer, padded, name=name, padding="valid")

    return made


def _transposed(call: Call) -> Apply | None:
    if None in call.shape or not is_interleaved(call.layer):
        return None
    return lambda feeds, name: transposed_in_layers(call.layer, feeds[0], name)


def _copied(layer: Any, x: Any, **changes: Any) -> Any:
    """A copy of the layer, with its weights, applied."""
    made = copy_layer(layer, **changes)
    result = made(x)
    made.set_weights(layer.get_weights())
    return result


def _recurrent(call: Call) -> Apply | None:
    if not _few_steps(call) or cell_kind(call.layer) is None:
        return None
    return lambda feeds, name: unrolled(call.layer, feeds[0], name)


def _few_steps(call: Call) -> bool:
    steps = call.node.input_tensors[0].shape[1]
    return steps is not None and steps <= MOST_STEPS and len(call.inputs) == 1


MERGES = {"concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average"}


def _both_ways(call: Call) -> Apply | None:
    """A recurrent layer forwards and one backwards, whose states are returned in the order of the steps."""
    ways, merge = (call.layer.forward_layer, call.layer.backward_layer), MERGES.get(call.layer.merge_mode)
    if not _few_steps(call) or merge is None or any(cell_kind(layer) is None for layer in ways):
        return None

    def made(feeds: list[Any], name: str) -> Any:
        forward = unrolled(ways[0], feeds[0], f"{name}_forward")
        backward = unrolled(ways[1], feeds[0], f"{name}_backward", turned=True)
        return getattr(keras.layers, merge)(name=name)([forward, backward])

    return made


_LAYERS: Mapping[str, Callable[[Call], Apply | None]] = {
    "Conv1D": _causal,
    **{f"{mark}Conv{rank}DTranspose": _transposed for rank in (1, 2) for mark in ("", "Q")},
    "Dot": _dot,
    "FixedPointLayerNorm": _layer_norm,
    "FixedPointSoftmax": _softmax,
    **dict.fromkeys(("MultiHeadAttention", "GroupedQueryAttention"), _attention),
    **dict.fromkeys(("Attention", "AdditiveAttention"), _attention_of_rows),
    "EinsumDense": _einsum,
    "Reshape": _flattened,
    "Embedding": _embedding,
    "TimeDistributed": _each_step,
    **{f"{mark}{name}": _recurrent for name in GATES for mark in ("", "Q")},
    **{f"{mark}Bidirectional": _both_ways for mark in ("", "Q")},
}


_OPERATIONS: Mapping[str, Callable[[Call], Apply | None]] = {
    **PICKED,
    "Multiply": _multiply,
    "Add": _add,
    "Subtract": _subtract,
    "TrueDivide": _divide,
    "Divide": _divide,
    "Power": _power,
    "Square": lambda _: _squared,
    "Negative": lambda _: _scaled(-1.0),
    "Sum": _sum,
    "Mean": _pooled("Average"),
    "Max": _pooled("Max"),
    **{
        name.capitalize(): _function(name)
        for name in ("relu", "sigmoid", "tanh", "softplus", "elu", "silu", "relu6")
    },
}
