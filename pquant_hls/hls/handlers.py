"""Teach hls4ml 1.3 the layers that its Keras 3 reader does not know."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def teach_hls4ml() -> None:
    """Register, once, a reader of ``FixedPointQuantizer``, and one of QActivation where this hls4ml has none (before 1.4)."""
    from hls4ml.converters.keras.qkeras import get_activation_quantizer
    from hls4ml.converters.keras_v3._base import KerasV3LayerHandler, registry

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
            return (
                {
                    "name": layer.name,
                    "class_name": "FixedPointQuantizer",
                    "mask_kbi": tuple(part.astype(np.int16)[None] for part in parts),
                    "RND": grid.rounding,
                    "SAT": grid.saturation,
                    "fusible": None,
                    "overrides": {},
                    "input_keras_tensor_names": [tensor.name for tensor in in_tensors],
                    "output_keras_tensor_names": [tensor.name for tensor in out_tensors],
                },
            )

    class QActivationHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        handles = () if known else ("qkeras.qlayers.QActivation",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            source = {"config": layer.get_config(), "class_name": "QActivation"}
            found = get_activation_quantizer(source, [tensor.name for tensor in in_tensors])
            found["input_keras_tensor_names"] = [tensor.name for tensor in in_tensors]
            found["output_keras_tensor_names"] = [tensor.name for tensor in out_tensors]
            return (found,)
