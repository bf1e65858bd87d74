"""The one training routine: labels or a teacher's soft targets, zeros that stay zero, the best epoch
restored.

records -> answers -> targets -> samples -> judge, loop -> fit; one module reads only those before it.
"""

from pquant_hls.models.train.answers import (
    EVALUATION_BATCH,
    as_fed,
    evaluate,
    logits_of,
    predict,
    probabilities,
    scores,
)
from pquant_hls.models.train.fit import check, fit
from pquant_hls.models.train.judge import validation
from pquant_hls.models.train.records import (
    EpochReport,
    Progress,
    TrainingData,
    TrainingHistory,
    as_data,
    as_list,
)
from pquant_hls.models.train.samples import mixed
from pquant_hls.models.train.targets import Target, meanings, targets_of

__all__ = [
    "EVALUATION_BATCH", "EpochReport", "Progress", "Target", "TrainingData", "TrainingHistory", "as_data",
    "as_fed", "as_list", "check", "evaluate", "fit", "logits_of", "meanings", "mixed", "predict",
    "probabilities", "scores", "targets_of", "validation",
]  # fmt: skip
