"""A hidden layer that can be left out: what goes with it, and the layer that then reads what it read."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.calibration import Values, layer_values
from pquant_hls.compress.reconstruction import ridge
from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.folding import by_channel, scale_and_shift
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, NewLayer, Topology, copy_layer, flat, rebuild
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.table import activation_text, operation

Matrix = NDArray[np.float64]

PRODUCTS = ("dense", "conv")
OWN = ("activation", "batchnorm")
"""What stands behind a layer and goes with it."""
CARRIERS = ("pool", "global_pool", "flatten", "pass")
"""What may stand between a layer and its reader and stays: it takes any number of channels."""
MOST_TERMS = 20_000_000
"""Numbers that a refit holds at once; of more it takes fewer events."""


@dataclass(frozen=True)
class Bridge:
    """A hidden layer that can go: ``own`` goes with it, ``carriers`` stay, ``reader`` then reads what it read."""

    layer: Call
    own: tuple[Call, ...]
    carriers: tuple[Call, ...]
    reader: Call

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def exact(self) -> bool:
        """Whether both layers are one linear map, so that their kernels multiply and nothing is lost."""
        if activation_text(self.layer.layer) is not None or not all(map(_is_affine, self.own)):
            return False
        if not all(layer_kind(call.layer).passes(call.layer) for call in self.carriers):
            return False
        first, second = self.layer.layer, self.reader.layer
        if _mixes(first):  # what padding adds is no shift of the first
            return _mixes(second) or second.padding == "valid"
        return _mixes(second) and operation(second) == "conv"


def _is_affine(call: Call) -> bool:
    if operation(call.layer) == "batchnorm":
        return by_channel(call)
    return activation_text(call.layer) is None


def _mixes(layer: Any) -> bool:
    """Whether a product mixes channels place by place: a dense layer or a pointwise convolution."""
    return operation(layer) == "dense" or set(layer.kernel_size) == set(layer.strides) == {1}


def bridges(graph: Topology, names: Collection[str] = ()) -> list[Bridge]:
    """The layers that can be left out, in the network's order, of ``names`` where there are any."""
    found = []
    for call in graph.layers:
        if operation(call.layer) in PRODUCTS and (not names or call.name in names):
            try:
                found.append(bridge_of(graph, call))
            except UnsupportedModel:
                continue  # it stays; ``bridge_of`` says why to who asks
    return found


def bridge_of(graph: Topology, call: Call) -> Bridge:
    """What leaving a layer out takes.

    Raises
    ------
    UnsupportedModel : it cannot go, by its name: no dense layer or convolution, quantized, used twice, an output, read by
        several layers, added to or joined with others, or one that changes the positions of an image.
    """
    _check(graph, call)
    own: list[Call] = []
    carriers: list[Call] = []
    reader = _only_reader(graph, call, call)
    while operation(reader.layer) not in PRODUCTS:
        (own if operation(reader.layer) in OWN else carriers).append(reader)
        reader = _only_reader(graph, call, reader)
    _check(graph, reader)
    found = Bridge(call, tuple(own), tuple(carriers), reader)
    before = tuple(call.node.input_tensors[0].shape[1:-1])
    if before != call.shape[:-1] and not found.exact:
        raise UnsupportedModel(f"changes the positions {before} to {call.shape[:-1]}", where=call.name)
    return found


def _check(graph: Topology, call: Call) -> None:
    if operation(call.layer) not in PRODUCTS or getattr(call.layer, "groups", 1) != 1:
        raise UnsupportedModel(
            f"a {call.kind} is not left out: only dense layers and ungrouped convolutions are",
            where=call.name,
        )
    if len(graph.uses[call.name]) > 1:
        raise UnsupportedModel(
            "is used more than once, so that it cannot be left out or refitted", where=call.name
        )
    _check_kind(call)


def _check_kind(call: Call) -> None:
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise UnsupportedModel("channels_first is not supported", where=call.name, mend="use channels_last")
    if not call.is_operation and front_of(call.layer) is not None:
        raise UnsupportedModel("is quantized", where=call.name, mend="leave layers out before quantizing")


def _only_reader(graph: Topology, left_out: Call, call: Call) -> Call:
    """The one layer that reads a call on the way from the layer that is left out to the next product."""
    readers = graph.consumers(call.output)
    if call.output in graph.outputs:
        raise UnsupportedModel("makes an output: only hidden layers are left out", where=left_out.name)
    if len(readers) != 1:
        names = ", ".join(reader.name for reader in readers)
        raise UnsupportedModel(
            f"is read by {names}: only a layer with one reader is left out", where=left_out.name
        )
    reader = readers[0]
    if operation(reader.layer) not in (*PRODUCTS, *OWN, *CARRIERS) or len(graph.uses[reader.name]) > 1:
        raise UnsupportedModel(
            f"its values enter {reader.name} ({reader.kind}), which takes no other shape", where=left_out.name
        )
    _check_kind(reader)
    return reader


def without(model: keras.Model, bridge: Bridge, inputs: list[Values] | None = None) -> keras.Model:
    """The model without one layer; the reader's kernel is the product of both where that is exact.

    Else the reader is refitted on ``inputs`` (one array (events, ...) for each input) by least squares to the sums that it
    had before; without inputs it stays as Keras initialises it.
    """
    new = _merged(bridge) if bridge.exact else NewLayer(copy_layer(bridge.reader.layer, use_bias=True))
    gone = {bridge.name, *(call.name for call in bridge.own)}

    def change(call: Call) -> list[NewLayer] | None:
        if call.name == bridge.reader.name:
            return [new]
        return [] if call.name in gone else None

    made = rebuild(model, change)
    if inputs is not None and not bridge.exact:
        _refit(made, model, bridge.reader, inputs)
    return made


def _merged(bridge: Bridge) -> NewLayer:
    """Both layers as one, computed in float64: x (A B) + (a B + b)."""
    first, shift = _kernel_and_bias(bridge.layer)
    for norm in (call.layer for call in bridge.own if operation(call.layer) == "batchnorm"):
        scale, moved = scale_and_shift(norm)
        first, shift = first * scale, shift * scale + moved
    second, bias = _kernel_and_bias(bridge.reader)
    bias = bias + (second * shift[:, None]).reshape(-1, len(bias)).sum(axis=0)
    reader, settings = bridge.reader.layer, {}
    if _mixes(bridge.layer.layer):
        kernel = np.einsum("ij,...jm->...im", first.reshape(first.shape[-2:]), second)
    else:
        kernel = first @ second.reshape(second.shape[-2:])
        settings = {
            name: getattr(bridge.layer.layer, name)
            for name in ("kernel_size", "strides", "padding", "dilation_rate")
        }
    arrays = [kernel.astype(np.float32), bias.astype(np.float32)]
    return NewLayer(copy_layer(reader, use_bias=True, **settings), arrays)


def _kernel_and_bias(call: Call) -> tuple[Matrix, Matrix]:
    kernel, *rest = (np.asarray(array, np.float64) for array in call.weights)
    return kernel, rest[0] if rest else np.zeros(kernel.shape[-1])


def _refit(made: keras.Model, model: keras.Model, call: Call, inputs: list[Values]) -> None:
    """Least squares for the reader's kernel and bias, against its sums in ``model``."""
    reader = next(each for each in flat(made).calls if each.name == call.name)
    events = max(1, min(len(inputs[0]), MOST_TERMS // max(_size(call), _size(reader))))
    inputs = [part[:events] for part in inputs]
    kernel, bias = _kernel_and_bias(call)
    wanted = _terms(call, layer_values(model, inputs)) @ kernel.reshape(-1, kernel.shape[-1]) + bias
    weights, shift = ridge(_terms(reader, layer_values(made, inputs)), wanted, centred=True)
    shape = reader.layer.kernel.shape
    reader.layer.set_weights([weights.reshape(shape).astype(np.float32), shift.astype(np.float32)])


def _size(call: Call) -> int:
    """Numbers that the sums of one event add up."""
    places = math.prod(size or 1 for size in call.shape[:-1])
    return places * math.prod(map(int, call.layer.kernel.shape[:-1]))


def _terms(call: Call, values: Any) -> Matrix:
    """What each sum of a layer adds up: (sums, terms), the terms in the order of its kernel."""
    read = np.asarray(values[call.inputs[0]])
    if operation(call.layer) == "dense":
        return read.reshape(-1, read.shape[-1]).astype(np.float64)
    taps = (*call.layer.kernel_size, read.shape[-1])
    count = math.prod(taps)
    picker = copy_layer(call.layer, filters=count, use_bias=False, activation="linear")
    picker.build(read.shape)
    picker.set_weights([np.eye(count, dtype=np.float32).reshape(*taps, count)])
    return np.asarray(picker(read)).reshape(-1, count).astype(np.float64)
