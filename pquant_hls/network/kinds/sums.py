"""Sums over axes and products of two tensors, written with layers that convert exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.frontend import standard
from pquant_hls.network.graph import Call, NewLayer
from pquant_hls.network.grids import ends, type_for_range
from pquant_hls.network.kinds.base import Kind, Types, register_kind
from pquant_hls.network.sums import SumOver
from pquant_hls.qor import FixedType


@register_kind
class Sum(Kind):
    """A dense layer of ones and zeros, whose zeros cost nothing."""

    handles = (SumOver,)
    operation = "reshape"

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        kind = sources[0]
        low, high = ends(kind) * terms(call)
        return type_for_range(float(low), float(high), kind.frac)

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del weights
        name, front = changes["name"], standard()
        kernel = summing(_axes(call), call.node.input_tensors[0].shape[1:])
        option = {front.option("kernel"): front.make("linear", 2, 1)}
        made = front.layer("Dense")(kernel.shape[1], use_bias=False, name=f"{name}_ones", **option)
        return [
            NewLayer(keras.layers.Flatten(name=f"{name}_flat")),
            NewLayer(made, [kernel]),
            NewLayer(keras.layers.Reshape(call.shape, name=name)),
        ]


def _axes(call: Call) -> list[int]:
    """Axes without the batch axis."""
    rank = len(call.node.input_tensors[0].shape)
    return [axis % rank - 1 for axis in call.layer.axes]


def terms(call: Call) -> int:
    """Values in one sum."""
    shape = call.node.input_tensors[0].shape[1:]
    return int(np.prod([shape[axis] for axis in _axes(call)]))


def summing(axes: Sequence[int], shape: Sequence[int]) -> NDArray[np.float32]:
    """The matrix (values, sums) of ones and zeros that sums an array of ``shape`` over ``axes``."""
    places = np.indices(shape).reshape(len(shape), -1)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    sizes = [shape[axis] for axis in kept] or [1]
    target = (
        np.ravel_multi_index([places[axis] for axis in kept], sizes)
        if kept
        else np.zeros(places.shape[1], int)
    )
    return np.asarray(np.eye(int(np.prod(sizes)), dtype=np.float32)[target])
