"""Teach hls4ml 1.3 the layers that its Keras 3 reader does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from pquant_hls.hls.scale import add_scale_layer
from pquant_hls.network.grids import holding, hull

QACTIVATION = "qkeras.qlayers.QActivation"
Described = dict[str, Any]


@cache
def teach_hls4ml() -> None:
    """Register, once, readers of this package's own layers, and one of QActivation where this hls4ml has none (before 1.4)."""
    from hls4ml.converters.keras_v3._base import registry

    add_scale_layer()
    known = any(name.startswith("qkeras") and name.endswith("QActivation") for name in registry)
    registry.update(
        {layer: reader(read) for layer, read in READERS.items() if not (known and layer == QACTIVATION)}
    )


def reader(read: Callable[[Any, Sequence[Any]], Described]) -> Callable[..., tuple[Described, ...]]:
    """What hls4ml calls with a layer and its Keras tensors: the layer's description, under the names that its dispatcher asks
    of every one."""

    def described(layer: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Described, ...]:
        names = {
            "name": layer.name,
            "input_keras_tensor_names": [tensor.name for tensor in inputs],
            "output_keras_tensor_names": [tensor.name for tensor in outputs],
        }
        return ({**read(layer, inputs), **names},)

    return described


def _quantizer(layer: Any, inputs: Sequence[Any]) -> Described:
    grid = layer.grid
    # one bit and its sign, symmetric, is 0 alone; ap_fixed gives its least value all the same
    only_zero = grid.signed & (grid.width == 1) & (grid.saturation == "SAT_SYM")
    width = np.where(only_zero, 0, grid.width)
    parts = (grid.signed, width, np.where(width > 0, grid.integer, 0))
    # its distributed arithmetic takes no other shape
    mask = tuple(np.broadcast_to(part, (1, *inputs[0].shape[1:])).astype(np.int16) for part in parts)
    modes = {"RND": grid.rounding, "SAT": grid.saturation}
    return {"class_name": "FixedPointQuantizer", "mask_kbi": mask, "fusible": None, "overrides": {}, **modes}


def _table(layer: Any, inputs: Sequence[Any]) -> Described:
    """The entries in the order of the address' raw bits: those of values below zero come last."""
    from hls4ml.model.types import FixedPrecisionType

    del inputs
    kind = hull(holding(layer.table))
    return {
        "class_name": "UnaryLUT",
        "table_data": np.roll(layer.table, layer.kind.code_min),
        "table_t": FixedPrecisionType(kind.width, kind.integer, kind.signed),
        "activation": "unary_lut",
    }


def _scale(layer: Any, inputs: Sequence[Any]) -> Described:
    shape = tuple(inputs[0].shape[1:])
    by_channel = len(shape) > 1 and layer.scales.ndim < 2
    own = shape[-1:] if by_channel else shape
    return {
        "class_name": "FixedPointScale",
        "n_in": int(np.prod(shape)),
        "n_filt": int(shape[-1]) if by_channel else -1,
        "scale_data": np.broadcast_to(layer.scales, own).ravel(),
        "bias_data": np.broadcast_to(layer.shifts, own).ravel(),
    }


def _qactivation(layer: Any, inputs: Sequence[Any]) -> Described:
    from hls4ml.converters.keras.qkeras import get_activation_quantizer

    source = {"config": layer.get_config(), "class_name": "QActivation"}
    return dict(get_activation_quantizer(source, [tensor.name for tensor in inputs]))


READERS: dict[str, Callable[[Any, Sequence[Any]], Described]] = {
    "pquant_hls.network.elements.FixedPointQuantizer": _quantizer,
    "pquant_hls.network.lookup.FixedPointTable": _table,
    "pquant_hls.network.affine.FixedPointScale": _scale,
    QACTIVATION: _qactivation,
}
"""How each layer is described to hls4ml, by its class's place, from the layer and its input tensors."""
