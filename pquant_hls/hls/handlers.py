"""Teach hls4ml 1.3 the one QKeras layer its Keras 3 reader does not know."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def teach_hls4ml() -> bool:
    """Register a reader of QActivation once; False where this hls4ml has its own (1.4 and later)."""
    from hls4ml.converters.keras.qkeras import get_activation_quantizer
    from hls4ml.converters.keras_v3._base import KerasV3LayerHandler, registry

    if any(name.startswith("qkeras") and name.endswith("QActivation") for name in registry):
        return False

    class QActivationHandler(KerasV3LayerHandler):  # type: ignore[misc]  # hls4ml has no types
        """Registers itself: the base class lists every subclass by its ``handles``."""

        handles = ("qkeras.qlayers.QActivation",)

        def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[dict[str, Any], ...]:
            source = {"config": layer.get_config(), "class_name": "QActivation"}
            found = get_activation_quantizer(source, [tensor.name for tensor in in_tensors])
            found["input_keras_tensor_names"] = [tensor.name for tensor in in_tensors]
            found["output_keras_tensor_names"] = [tensor.name for tensor in out_tensors]
            return (found,)

    return True
