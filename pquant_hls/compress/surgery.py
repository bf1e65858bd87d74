"""Building the smaller model: every kernel, bias and normalization sliced to the channels that stay."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.channels import Channels
from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.graph import Call, NewLayer, copy_layer, rebuild
from pquant_hls.network.table import operation

Mask = NDArray[np.bool_]


def remove(model: keras.Model, channels: Channels, dropped: Set[int]) -> keras.Model:
    """A new model without the ``dropped`` channels (numbers of ``channels``); quantizers and names stay."""
    gone = np.array(sorted(dropped), np.int64)
    stays = {name: ~np.isin(ids, gone) for name, ids in channels.outputs.items()}

    def change(call: Call) -> Sequence[NewLayer] | None:
        feeds = [stays[name] for name in call.inputs]
        if stays[call.output].all() and all(feed.all() for feed in feeds):
            return None
        return _sliced(call, feeds, stays[call.output])

    return rebuild(model, change)


def _sliced(call: Call, feeds: Sequence[Mask], out: Mask) -> Sequence[NewLayer] | None:
    """The layer for the channels that stay; None where it has nothing to slice."""
    kind, arrays = operation(call.layer), call.weights
    if kind in ("dense", "conv"):
        width = "units" if kind == "dense" else "filters"
        kernel = arrays[0][..., feeds[0], :][..., out]
        return [_changed(call, [kernel, *[bias[out] for bias in arrays[1:]]], **{width: int(out.sum())})]
    if kind == "depthwise_conv":
        return [_changed(call, [arrays[0][..., feeds[0], :], *[bias[out] for bias in arrays[1:]]])]
    if kind == "separable_conv":
        middle = np.repeat(feeds[0], call.layer.depth_multiplier)
        depthwise, pointwise = arrays[0][..., feeds[0], :], arrays[1][..., middle, :][..., out]
        rest = [bias[out] for bias in arrays[2:]]
        return [_changed(call, [depthwise, pointwise, *rest], filters=int(out.sum()))]
    if isinstance(call.layer, FixedPointQuantizer | FixedPointScale):
        return [_changed(call, [], **call.layer.kept(out))]
    if not arrays:
        return None
    return [_changed(call, [array[..., out] for array in arrays])]


def _changed(call: Call, arrays: Sequence[NDArray[np.float32]], **settings: Any) -> NewLayer:
    return NewLayer(copy_layer(call.layer, **settings), arrays)
