"""A Keras or QKeras model: load, save, look into, rebuild; its grids, its normal form and the types it needs.

Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.network.build import build_mlp
    from pquant_hls.network.files import custom_objects, load_model, save_model
    from pquant_hls.network.graph import Call, NewLayer, calls, clone, copy_layer, rebuild
    from pquant_hls.network.names import is_reserved
    from pquant_hls.network.normal import normal_form
    from pquant_hls.network.reference import keras_predict
    from pquant_hls.network.table import (
        LayerRow,
        Operation,
        has_softmax_head,
        head_of,
        heads_of,
        input_shapes,
        layer_table,
        model_digest,
        n_outputs,
        operation,
    )

_HOMES = {
    "build": ("build_mlp",),
    "files": ("custom_objects", "load_model", "save_model"),
    "graph": ("Call", "NewLayer", "calls", "clone", "copy_layer", "rebuild"),
    "names": ("is_reserved",),
    "normal": ("normal_form",),
    "reference": ("keras_predict",),
    "table": (
        "LayerRow",
        "Operation",
        "has_softmax_head",
        "head_of",
        "heads_of",
        "input_shapes",
        "layer_table",
        "model_digest",
        "n_outputs",
        "operation",
    ),
}

__all__ = [
    "Call",
    "LayerRow",
    "NewLayer",
    "Operation",
    "build_mlp",
    "calls",
    "clone",
    "copy_layer",
    "custom_objects",
    "has_softmax_head",
    "head_of",
    "heads_of",
    "input_shapes",
    "is_reserved",
    "keras_predict",
    "layer_table",
    "load_model",
    "model_digest",
    "n_outputs",
    "normal_form",
    "operation",
    "rebuild",
    "save_model",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
