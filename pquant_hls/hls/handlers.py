"""Teach hls4ml 1.3 the layers that its Keras 3 reader does not know."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from pquant_hls.hls.scale import add_scale_layer
from pquant_hls.network.grids import holding, hull


def _named(layer: Any, in_tensors: Any, out_tensors: Any) -> dict[str, Any]:
    """What hls4ml's dispatcher asks of every layer."""
    return {
        "name": layer.name,
        "input_keras_tensor_names": [tensor.name for tensor in in_tensors],
        "output_keras_tensor_names": [tensor.name for tensor in out_tensors],
    }


@cache
def teach_hls4ml() -> None:
    """Register, once, readers of this package's own layers, and one of QActivation where this hls4ml has none (before 1.4)."""
    from hls4ml.converters.keras.qkeras import get_activation_quantizer
    from hls4ml.converters.keras_v3._base import KerasV3LayerHandler, registry
    from hls4ml.model.types import FixedPrecisionType

    add_scale_layer()
    known = any(name.startswith("qkeras") and name.endswith("QActivation") for name in registry)

    class ElementsHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        """Registers itself: the base class lists every subclass by its ``handles``."""

        handles = ("pquant_hls.network.elements.FixedPointQuantizer",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            grid = layer.grid
            # one bit and its sign, symmetric, is 0 alone; ap_fixed gives its least value all the same
            only_zero = grid.signed & (grid.width == 1) & (grid.saturation == "SAT_SYM")
            width = np.where(only_zero, 0, grid.width)
            parts = (grid.signed, width, np.where(width > 0, grid.integer, 0))
            shape = (1, *in_tensors[0].shape[1:])  # its distributed arithmetic takes no other
            return (
                {
                    **_named(layer, in_tensors, out_tensors),
                    "class_name": "FixedPointQuantizer",
                    "mask_kbi": tuple(np.broadcast_to(part, shape).astype(np.int16) for part in parts),
                    "RND": grid.rounding,
                    "SAT": grid.saturation,
                    "fusible": None,
                    "overrides": {},
                },
            )

    class TableHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        handles = ("pquant_hls.network.lookup.FixedPointTable",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            """The entries in the order of the address' raw bits: those of values below zero come last."""
            kind = hull(holding(layer.table))
            entries = np.roll(layer.table, layer.kind.code_min)
            found = {
                "class_name": "UnaryLUT",
                "table_data": entries,
                "table_t": FixedPrecisionType(kind.width, kind.integer, kind.signed),
                "activation": "unary_lut",
            }
            return ({**_named(layer, in_tensors, out_tensors), **found},)

    class ScaleHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        handles = ("pquant_hls.network.affine.FixedPointScale",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            shape = tuple(in_tensors[0].shape[1:])
            by_channel = len(shape) > 1 and layer.scales.ndim < 2
            own = shape[-1:] if by_channel else shape
            found = {
                "class_name": "FixedPointScale",
                "n_in": int(np.prod(shape)),
                "n_filt": int(shape[-1]) if by_channel else -1,
                "scale_data": np.broadcast_to(layer.scales, own).ravel(),
                "bias_data": np.broadcast_to(layer.shifts, own).ravel(),
            }
            return ({**_named(layer, in_tensors, out_tensors), **found},)

    class QActivationHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        handles = () if known else ("qkeras.qlayers.QActivation",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            source = {"config": layer.get_config(), "class_name": "QActivation"}
            found = get_activation_quantizer(source, [tensor.name for tensor in in_tensors])
            found["input_keras_tensor_names"] = [tensor.name for tensor in in_tensors]
            found["output_keras_tensor_names"] = [tensor.name for tensor in out_tensors]
            return (found,)
