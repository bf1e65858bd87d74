"""BatchNormalization taken into the layer before it, or after it, exactly: hls4ml rounds between the two
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.graph import Call, NewLayer, calls, copy_layer, rebuild
from pquant_hls.network.table import activation_name, operation

Vector = NDArray[np.float64]
_LINEAR = ("dense", "conv", "depthwise_conv", "separable_conv")


def fold_batchnorm(model: keras.Model) -> keras.Model:
    """A model without BatchNormalization that computes the same, to float32 rounding (done in float64).

    A normalization directly behind a linear layer goes into it; one whose readers are all dense layers, or
    convolutions without padding, goes into those. Raises UnsupportedModel naming one that fits neither.
    """
    while (found := _first(model)) is not None:
        model = _fold(model, found)
    return model


def _first(model: keras.Model) -> Call | None:
    return next((call for call in calls(model) if operation(call.layer) == "batchnorm"), None)


def scale_and_shift(layer: keras.Layer) -> tuple[Vector, Vector]:
    """The normalization as ``scale * x + shift`` in inference, float64 (channels,)."""
    mean = np.asarray(layer.moving_mean, np.float64)
    scale = 1.0 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma, np.float64)
    shift = -mean * scale
    return scale, shift + np.asarray(layer.beta, np.float64) if layer.center else shift


def _fold(model: keras.Model, norm: Call) -> keras.Model:
    table = {call.name: call for call in calls(model)}
    source = table[norm.inputs[0]]
    scale, shift = scale_and_shift(norm.layer)
    readers = [call for call in table.values() if norm.name in call.inputs]
    ends = {tensor._keras_history.operation.name for tensor in model.outputs}
    alone = [call.name for call in table.values() if source.name in call.inputs] == [norm.name]
    if (
        operation(source.layer) in _LINEAR
        and activation_name(source.layer) is None
        and alone
        and source.name not in ends
    ):
        changed = {source.name: _scaled_after(source, scale, shift)}
    elif readers and norm.name not in ends and all(_takes(call) for call in readers):
        changed = {call.name: _scaled_before(call, scale, shift) for call in readers}
    else:
        raise UnsupportedModel(
            "this BatchNormalization cannot be folded exactly",
            where=norm.name,
            mend="put it directly behind a dense or convolution layer without activation",
        )
    return rebuild(model, lambda call: _swap(call, norm, changed))


def _swap(call: Call, norm: Call, changed: Mapping[str, NewLayer]) -> Sequence[NewLayer] | None:
    if call.name == norm.name:
        return []
    return [changed[call.name]] if call.name in changed else None


def _takes(call: Call) -> bool:
    """Whether a scale and shift of the input can go into this layer: padding would add
    zeros after the shift.
    """
    kind = operation(call.layer)
    unpadded = kind == "conv" and call.layer.padding == "valid" and call.layer.groups == 1
    return kind == "dense" or unpadded


def _scaled_after(call: Call, scale: Vector, shift: Vector) -> NewLayer:
    """The layer followed by ``scale * y + shift``."""
    arrays = [np.asarray(array, np.float64) for array in call.layer.get_weights()]
    kernels = arrays[:-1] if call.layer.use_bias else arrays
    bias = arrays[-1] if call.layer.use_bias else np.zeros_like(scale)
    last = kernels[-1]
    wide = scale.reshape(last.shape[-2:]) if operation(call.layer) == "depthwise_conv" else scale
    return _with(call, [*kernels[:-1], last * wide, bias * scale + shift])


def _scaled_before(call: Call, scale: Vector, shift: Vector) -> NewLayer:
    """The layer reading ``scale * x + shift``."""
    arrays = [np.asarray(array, np.float64) for array in call.layer.get_weights()]
    kernel, bias = arrays[0], arrays[1] if call.layer.use_bias else np.zeros(arrays[0].shape[-1])
    moved = (kernel * shift[:, None]).reshape(-1, kernel.shape[-1]).sum(axis=0)
    return _with(call, [kernel * scale[:, None], bias + moved])


def _with(call: Call, arrays: Sequence[Vector]) -> NewLayer:
    return NewLayer(copy_layer(call.layer, use_bias=True), [array.astype(np.float32) for array in arrays])
