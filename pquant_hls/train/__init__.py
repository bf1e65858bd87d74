"""The one training routine and the figures of merit: labels or a teacher"s soft targets, zeros that stay zero,
the best epoch restored.

records -> answers -> targets -> samples -> judge, loop -> routine; one module reads only those before it.
Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.train.answers import (
        EVALUATION_BATCH,
        as_fed,
        evaluate,
        logits_of,
        predict,
        probabilities,
        scores,
    )
    from pquant_hls.train.judge import validation
    from pquant_hls.train.metrics import (
        ClassMetrics,
        Proportion,
        accuracy,
        class_metrics,
        cross_entropy,
        efficiency_at,
        proportion,
        roc_auc,
    )
    from pquant_hls.train.records import (
        EpochReport,
        Progress,
        TrainingData,
        TrainingHistory,
        as_data,
        as_list,
    )
    from pquant_hls.train.routine import check, fit
    from pquant_hls.train.samples import mixed
    from pquant_hls.train.targets import Target, meanings, targets_of

_HOMES = {
    "answers": (
        "EVALUATION_BATCH",
        "as_fed",
        "evaluate",
        "logits_of",
        "predict",
        "probabilities",
        "scores",
    ),
    "routine": (
        "check",
        "fit",
    ),
    "judge": ("validation",),
    "metrics": (
        "ClassMetrics",
        "Proportion",
        "accuracy",
        "class_metrics",
        "cross_entropy",
        "efficiency_at",
        "proportion",
        "roc_auc",
    ),
    "records": (
        "EpochReport",
        "Progress",
        "TrainingData",
        "TrainingHistory",
        "as_data",
        "as_list",
    ),
    "samples": ("mixed",),
    "targets": (
        "Target",
        "meanings",
        "targets_of",
    ),
}

__all__ = [
    "EVALUATION_BATCH",
    "ClassMetrics",
    "EpochReport",
    "Progress",
    "Proportion",
    "Target",
    "TrainingData",
    "TrainingHistory",
    "accuracy",
    "as_data",
    "as_fed",
    "as_list",
    "check",
    "class_metrics",
    "cross_entropy",
    "efficiency_at",
    "evaluate",
    "fit",
    "logits_of",
    "meanings",
    "mixed",
    "predict",
    "probabilities",
    "proportion",
    "roc_auc",
    "scores",
    "targets_of",
    "validation",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
