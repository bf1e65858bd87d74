"""The pipelines of the mission: policies over one engine, each from a Keras model and data to one judged
result.

StandardCompressionPipeline(target_compression=8).execute(model, train, val) -> CompressionResult
"""

from pquant_hls.engine import CompressionResult, Ending, Gate, Goal, Workbench
from pquant_hls.pipelines.adaptive import AdaptivePipeline
from pquant_hls.pipelines.auto_tuning import AutoTuningPipeline
from pquant_hls.pipelines.base import Pipeline, Trainable
from pquant_hls.pipelines.compose import CompressionPipeline, fine_tune, low_rank, prune, quantize, step
from pquant_hls.pipelines.data import as_dataset
from pquant_hls.pipelines.hep import HEPCompressionPipeline
from pquant_hls.pipelines.ptq import PtqPipeline
from pquant_hls.pipelines.setup import Setup
from pquant_hls.pipelines.standard import StandardCompressionPipeline
from pquant_hls.pipelines.validation import ValidationPipeline
from pquant_hls.pipelines.walk import Walk

__all__ = [
    "AdaptivePipeline",
    "AutoTuningPipeline",
    "CompressionPipeline",
    "CompressionResult",
    "Ending",
    "Gate",
    "Goal",
    "HEPCompressionPipeline",
    "Pipeline",
    "PtqPipeline",
    "Setup",
    "StandardCompressionPipeline",
    "Trainable",
    "ValidationPipeline",
    "Walk",
    "Workbench",
    "as_dataset",
    "fine_tune",
    "low_rank",
    "prune",
    "quantize",
    "step",
]
