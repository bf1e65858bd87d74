"""Keras and QKeras models: load, save, look into, rebuild, train and score.

Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.models.build import build_mlp
    from pquant_hls.models.files import custom_objects, load_model, save_model
    from pquant_hls.models.graph import Call, NewLayer, calls, clone, copy_layer, rebuild
    from pquant_hls.models.metrics import (
        ClassMetrics,
        Proportion,
        accuracy,
        class_metrics,
        cross_entropy,
        efficiency_at,
        proportion,
        roc_auc,
    )
    from pquant_hls.models.table import (
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
    from pquant_hls.models.train import (
        EpochReport,
        TrainingHistory,
        evaluate,
        fit,
        predict,
        probabilities,
        scores,
    )

_HOMES = {
    "build": ("build_mlp",),
    "files": ("custom_objects", "load_model", "save_model"),
    "graph": ("Call", "NewLayer", "calls", "clone", "copy_layer", "rebuild"),
    "metrics": (
        "ClassMetrics", "Proportion", "accuracy", "class_metrics", "cross_entropy", "efficiency_at",
        "proportion", "roc_auc",
    ),
    "table": (
        "LayerRow", "Operation", "has_softmax_head", "head_of", "heads_of", "input_shapes", "layer_table",
        "model_digest", "n_outputs", "operation",
    ),
    "train": ("EpochReport", "TrainingHistory", "evaluate", "fit", "predict", "probabilities", "scores"),
}  # fmt: skip

__all__ = [
    "Call", "ClassMetrics", "EpochReport", "LayerRow", "NewLayer", "Operation", "Proportion",
    "TrainingHistory", "accuracy", "build_mlp", "calls", "class_metrics", "clone", "copy_layer",
    "cross_entropy", "custom_objects", "efficiency_at", "evaluate", "fit", "has_softmax_head", "head_of", "heads_of",
    "input_shapes", "layer_table", "load_model", "model_digest", "n_outputs", "operation", "predict",
    "probabilities", "proportion", "rebuild", "roc_auc", "save_model", "scores",
]  # fmt: skip

__getattr__, __dir__ = lazy(__name__, _HOMES)
