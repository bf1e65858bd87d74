"""BatchNormalization taken into the layer before it, or into those after it: hls4ml rounds between the two
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.frontend import front_of
from pquant_hls.network.graph import Call, NewLayer, Topology, copy_layer, flat, rebuild
from pquant_hls.network.quantizers import quantized_values
from pquant_hls.network.table import activation_text, operation

Vector = NDArray[np.float64]
Fold = Callable[[Any, Sequence[Vector], Any], list[Vector]]
_LINEAR = ("dense", "conv", "depthwise_conv", "separable_conv")


def scale_and_shift(layer: Any) -> tuple[Vector, Vector]:
    """The normalization as ``scale * x + shift`` in inference, float64 (channels,), its quantizers applied."""
    mean, variance = _part(layer, "mean", "moving_mean"), _part(layer, "variance", "moving_variance")
    gamma = _part(layer, "gamma", "gamma") if layer.scale else np.ones_like(mean)
    beta = _part(layer, "beta", "beta") if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def along_axis(norm: Call) -> tuple[Vector, Vector]:
    """A normalization's scale and shift, shaped to broadcast along its own axis."""
    axis = norm.layer.axis if isinstance(norm.layer.axis, int) else norm.layer.axis[0]
    behind = len(norm.shape) - (axis if axis > 0 else axis + len(norm.shape) + 1)
    scale, shift = (part.reshape(-1, *[1] * behind) for part in scale_and_shift(norm.layer))
    return scale, shift


def _part(layer: Any, role: str, variable: str) -> Vector:
    front = front_of(layer)
    quantizer = None if front is None else front.quantizer(layer, role)
    return quantized_values(quantizer, np.asarray(getattr(layer, variable)))


def scaled_after(layer: Any, arrays: Sequence[Vector], norm: Any) -> list[Vector]:
    """Kernels and bias (float64) of a layer of these weights with ``norm`` behind it."""
    scale, shift = scale_and_shift(norm)
    kernels = arrays[:-1] if layer.use_bias else arrays
    bias = arrays[-1] if layer.use_bias else np.zeros_like(scale)
    last = kernels[-1]
    wide = scale.reshape(last.shape[-2:]) if operation(layer) == "depthwise_conv" else scale
    return [*kernels[:-1], last * wide, bias * scale + shift]


def scaled_before(layer: Any, arrays: Sequence[Vector], norm: Any) -> list[Vector]:
    """Kernel and bias (float64) of a layer of these weights that reads what ``norm`` gives."""
    scale, shift = scale_and_shift(norm)
    kernel, bias = arrays[0], arrays[1] if layer.use_bias else np.zeros(arrays[0].shape[-1])
    moved = (kernel * shift[:, None]).reshape(-1, kernel.shape[-1]).sum(axis=0)
    return [kernel * scale[:, None], bias + moved]


def by_channel(norm: Call) -> bool:
    """Whether a batch normalization scales the channels, not another axis."""
    axis = norm.layer.axis if isinstance(norm.layer.axis, int) else norm.layer.axis[0]
    return axis in (-1, len(norm.shape))


def folds_back(norm: Call, graph: Topology) -> bool:
    """Whether every use of the normalization follows a use of one linear layer that nothing else reads."""
    uses = graph.uses[norm.name]
    sources = [graph.sources(use)[0] for use in uses]
    first = sources[0]
    linear = operation(first.layer) in _LINEAR and activation_text(first.layer) is None
    same = set(sources) == set(graph.uses[first.name])
    return linear and same and all(_alone(source, graph) for source in sources)


def _alone(call: Call, graph: Topology) -> bool:
    return len(graph.consumers(call.output)) == 1 and call.output not in graph.outputs


def readers_of(norm: Call, graph: Topology) -> list[Call]:
    """The layers into which the normalization can go: every reader is a dense layer or an unpadded convolution
    (padding would add zeros after the shift) that reads nothing else; empty where one is not."""
    outputs = [use.output for use in graph.uses[norm.name]]
    readers = {reader.name: reader for output in outputs for reader in graph.consumers(output)}
    uses = [use for name in readers for use in graph.uses[name]]
    fits = all(_takes(use) and use.inputs[0] in outputs for use in uses)
    return list(readers.values()) if fits and not set(outputs) & set(graph.outputs) else []


def _takes(call: Call) -> bool:
    kind = operation(call.layer)
    unpadded = kind == "conv" and call.layer.padding == "valid" and call.layer.groups == 1
    return kind == "dense" or unpadded


def fold_batchnorm(model: keras.Model) -> keras.Model:
    """A model without BatchNormalization that computes the same, to float32 rounding (done in float64).

    A normalization directly behind a linear layer goes into it; one whose readers are all dense layers, or
    convolutions without padding, goes into those; any other becomes a ``FixedPointScale``.
    """
    while (found := _changes(flat(model))) is not None:
        model = rebuild(model, lambda call, new=found: new.get(call.name))  # type: ignore[misc]  # new= binds
    return model


def _changes(graph: Topology) -> dict[str, Sequence[NewLayer]] | None:
    """What takes in the first normalization of the graph, by layer name; None without one."""
    norm = next((call for call in graph.layers if operation(call.layer) == "batchnorm"), None)
    if norm is None:
        return None
    if not by_channel(norm):
        changed: list[tuple[Call, Fold]] = []
    elif folds_back(norm, graph):
        changed = [(graph.sources(norm)[0], scaled_after)]
    else:
        changed = [(reader, scaled_before) for reader in readers_of(norm, graph)]
    if not changed:
        return {norm.name: [NewLayer(FixedPointScale(*along_axis(norm), name=norm.name))]}
    return {norm.name: [], **{call.name: [_with(call, fold, norm.layer)] for call, fold in changed}}


def _with(call: Call, fold: Fold, norm: Any) -> NewLayer:
    arrays = fold(call.layer, [np.asarray(array, np.float64) for array in call.weights], norm)
    return NewLayer(copy_layer(call.layer, use_bias=True), [array.astype(np.float32) for array in arrays])
