"""What a model is rewritten to before its layers get quantizers: functions apart, separable layers written out, clean names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from pquant_hls.compress.calibration import Values
from pquant_hls.compress.quantized import WITH_TWIN, final_layers
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.frontend import reading_of
from pquant_hls.network.graph import Call, NewLayer, calls, copy_layer, flat, rebuild
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.names import identifier, unused
from pquant_hls.network.table import activation_text, operation
from pquant_hls.spec.steps import QuantizeConfig


def with_functions_apart(model: keras.Model, config: QuantizeConfig) -> keras.Model:
    """The model with functions that become tables, and softmaxes inside it, as layers of their own."""
    ends = final_layers(model)

    def split(call: Call) -> Sequence[NewLayer] | None:
        kind = layer_kind(call.layer)
        inner, function = activation_text(call.layer), kind.function(call.layer)
        if not kind.roles or inner in (None, "relu") or reading_of(function) is not None or call.name in ends:
            return None
        if inner in WITH_TWIN and config.mode == "qat":
            return None
        bare = NewLayer(copy_layer(call.layer, activation="linear"), call.weights)
        return [bare, NewLayer(keras.layers.Activation(function, name=f"{call.name}_{inner}"))]

    return rebuild(model, split)


def without_elements(model: keras.Model) -> keras.Model:
    """The model without types of single elements, which make way for new ones; weights keep their quantizers."""
    if not any(isinstance(layer, FixedPointQuantizer) for layer in model.layers):
        return model
    return rebuild(model, lambda call: [] if isinstance(call.layer, FixedPointQuantizer) else None)


def separated(model: keras.Model) -> keras.Model:
    """The model with separable convolutions, and depthwise ones that have no exact quantized twin, written
    out.

    A separable convolution becomes a depthwise and a pointwise one. A depthwise one in one dimension, or with
    several outputs for each channel, becomes an ordinary one whose kernel is zero between channels; zeros
    cost nothing in firmware and stay zero.
    """
    if not any(_to_separate(call) for call in calls(model)):
        return model
    return rebuild(model, lambda call: _separate(call) if _to_separate(call) else None)


def _to_separate(call: Call) -> bool:
    multiplied = getattr(call.layer, "depth_multiplier", 1) > 1
    return call.kind in ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D") or (
        call.kind == "DepthwiseConv2D" and multiplied
    )


def _separate(call: Call) -> Sequence[NewLayer]:
    layer, arrays = call.layer, call.weights
    if call.kind.startswith("Depthwise"):
        return [_written_out(call, call.name, arrays, activation=layer.activation, use_bias=layer.use_bias)]
    make = keras.layers.Conv1D if call.kind.endswith("1D") else keras.layers.Conv2D
    point = make(layer.filters, 1, activation=layer.activation, use_bias=layer.use_bias, name=call.name)
    first = _written_out(call, f"{call.name}_depthwise", arrays[:1], use_bias=False)
    return [first, NewLayer(point, arrays[1:])]


def _written_out(call: Call, name: str, arrays: Sequence[Values], **settings: Any) -> NewLayer:
    """The depthwise part: as a DepthwiseConv2D where that has a twin, else with zeros
    between the channels.
    """
    layer, kernel = call.layer, arrays[0]
    shared = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
    channels, each = kernel.shape[-2:]
    if kernel.ndim == 4 and each == 1:
        made = keras.layers.DepthwiseConv2D(layer.kernel_size, name=name, **shared, **settings)
        return NewLayer(made, arrays)
    make = keras.layers.Conv1D if kernel.ndim == 3 else keras.layers.Conv2D
    wide = np.einsum("...cm,cd->...cdm", kernel, np.eye(channels, dtype=kernel.dtype))
    made = make(channels * each, layer.kernel_size, name=name, **shared, **settings)
    return NewLayer(made, [wide.reshape(*kernel.shape[:-1], channels * each), *arrays[1:]])


def with_clean_names(model: keras.Model) -> keras.Model:
    """The model with every layer's name a C identifier, as the firmware needs; itself if all are. Inputs keep
    theirs.
    """
    taken: set[str] = set()
    names = {}
    for call in flat(model).layers:
        clean = identifier(call.name)
        names[call.name] = unused(f"l_{clean}" if clean[:1].isdigit() else clean, taken)
        taken.add(names[call.name])
    if all(old == new for old, new in names.items()):
        return model
    return rebuild(model, lambda call: _renamed(call, names[call.name]))


def _renamed(call: Call, name: str) -> Sequence[NewLayer] | None:
    if operation(call.layer) == "input" or call.name == name:
        return None
    return [NewLayer(copy_layer(call.layer, name=name), call.weights)]
