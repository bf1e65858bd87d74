"""The one training routine and the figures of merit: labels or a teacher"s soft targets, zeros that stay zero,
the best epoch restored.

records -> answers -> targets -> samples -> judge, loop -> routine; one module reads only those before it.
Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.train.answers import EVALUATION_BATCH as EVALUATION_BATCH
    from pquant_hls.train.answers import as_fed as as_fed
    from pquant_hls.train.answers import evaluate as evaluate
    from pquant_hls.train.answers import logits_of as logits_of
    from pquant_hls.train.answers import predict as predict
    from pquant_hls.train.answers import probabilities as probabilities
    from pquant_hls.train.answers import scores as scores
    from pquant_hls.train.judge import validation as validation
    from pquant_hls.train.metrics import ClassMetrics as ClassMetrics
    from pquant_hls.train.metrics import Proportion as Proportion
    from pquant_hls.train.metrics import accuracy as accuracy
    from pquant_hls.train.metrics import class_metrics as class_metrics
    from pquant_hls.train.metrics import cross_entropy as cross_entropy
    from pquant_hls.train.metrics import efficiency_at as efficiency_at
    from pquant_hls.train.metrics import proportion as proportion
    from pquant_hls.train.metrics import roc_auc as roc_auc
    from pquant_hls.train.records import EpochReport as EpochReport
    from pquant_hls.train.records import HeldVariable as HeldVariable
    from pquant_hls.train.records import Progress as Progress
    from pquant_hls.train.records import TrainingData as TrainingData
    from pquant_hls.train.records import TrainingHistory as TrainingHistory
    from pquant_hls.train.records import as_data as as_data
    from pquant_hls.train.records import as_list as as_list
    from pquant_hls.train.routine import check_training as check_training
    from pquant_hls.train.routine import fit as fit
    from pquant_hls.train.samples import mixed as mixed
    from pquant_hls.train.targets import OutputTarget as OutputTarget
    from pquant_hls.train.targets import meanings as meanings
    from pquant_hls.train.targets import targets_of as targets_of

attach(globals())
