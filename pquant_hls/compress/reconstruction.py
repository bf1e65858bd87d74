"""Least squares after pruning: each reader of removed units is refitted to the sums it had before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.calibration import Values, layer_values
from pquant_hls.compress.channels import Channels
from pquant_hls.network.graph import Call
from pquant_hls.network.table import operation

DAMPING = 0.03
"""Pull towards the present weights, as a share of the mean squared input."""


@dataclass(frozen=True)
class Pruned:
    """What was removed: the channels of the original and the numbers dropped."""

    channels: Channels
    dropped: frozenset[int]

    def stays(self, tensor: str) -> NDArray[np.bool_]:
        """Which positions of the tensor's last axis remain."""
        return ~np.isin(self.channels.outputs[tensor], sorted(self.dropped))


def reconstruct(smaller: keras.Model, original: keras.Model, pruned: Pruned, inputs: list[Values]) -> None:
    """Refit dense and pointwise layers of ``smaller``, used once, whose inputs have lost units: in place, in order.

    Minimizes |x W + b - s|^2 + damping |W - W0|^2 over the sample, s being the original's sums before
    activation (He et al., arXiv:1707.06168, without their selection). Where the removed units' weights were
    zero nothing changes. Zeros of a kernel stay zero: such kernels are left as they are.
    """
    before = layer_values(original, inputs)
    for uses in pruned.channels.graph.uses.values():
        if len(uses) == 1 and uses[0].inputs and _refittable(uses[0], pruned):
            _refit(smaller, uses[0], pruned.stays(uses[0].output), inputs, before)


def _refittable(call: Call, pruned: Pruned) -> bool:
    kind = operation(call.layer)
    pointwise = kind == "conv" and set(call.layer.kernel_size) == {1} and set(call.layer.strides) == {1}
    plain = kind == "dense" or (pointwise and call.layer.groups == 1)
    return plain and not pruned.stays(call.inputs[0]).all() and bool(np.all(call.weights[0]))


def _refit(
    smaller: keras.Model,
    call: Call,
    kept: NDArray[np.bool_],
    inputs: list[Values],
    before: Mapping[str, Values],
) -> None:
    old = call.weights
    wanted = _rows(before[call.inputs[0]]) @ old[0].reshape(-1, old[0].shape[-1])[:, kept].astype(np.float64)
    layer = smaller.get_layer(call.name)
    arrays = layer.get_weights()
    x = _rows(layer_values(smaller, inputs)[call.inputs[0]])
    kernel = arrays[0].reshape(x.shape[1], -1).astype(np.float64)
    change, shift = ridge(x, wanted - x @ kernel, centred=len(arrays) > 1)
    new = [(kernel + change).reshape(arrays[0].shape).astype(np.float32)]
    layer.set_weights([*new, *[(bias + shift).astype(np.float32) for bias in arrays[1:]]])


def _rows(values: Values) -> NDArray[np.float64]:
    """Positions as events: (events x positions, channels)."""
    return np.asarray(values, np.float64).reshape(-1, values.shape[-1])


def ridge(
    x: NDArray[np.float64], y: NDArray[np.float64], *, centred: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (n, m) and shift (m,) minimizing |x w + b - y|^2 + damping |w|^2; b is 0 unless ``centred``."""
    mean_x, mean_y = (
        (x.mean(axis=0), y.mean(axis=0)) if centred else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
    )
    shifted = x - mean_x
    gram = shifted.T @ shifted
    damping = DAMPING * float(np.trace(gram)) / len(gram) + 1e-12
    weights = np.linalg.solve(gram + damping * np.eye(len(gram)), shifted.T @ (y - mean_y))
    return weights, mean_y - mean_x @ weights
