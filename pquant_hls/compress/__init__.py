"""Compression steps: layers left out, structured pruning and zeroing, low rank, quantization, fine-tuning.

    PruningCompression(sparsity=0.5).compress(model, data) -> CompressedModel(model, record)

Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.compress.accounting import account as account
    from pquant_hls.compress.accounting import units as units
    from pquant_hls.compress.cost import DesignCost as DesignCost
    from pquant_hls.compress.cost import fixed_graph as fixed_graph
    from pquant_hls.compress.dead_units import DeadUnitRemoval as DeadUnitRemoval
    from pquant_hls.compress.dead_units import has_dead_units as has_dead_units
    from pquant_hls.compress.fine_tuning import FineTuning as FineTuning
    from pquant_hls.compress.layer_pruning import LayerPruning as LayerPruning
    from pquant_hls.compress.low_rank import LowRankCompression as LowRankCompression
    from pquant_hls.compress.pruning import PruningCompression as PruningCompression
    from pquant_hls.compress.quantization import QuantizationCompression as QuantizationCompression
    from pquant_hls.compress.record import Accounting as Accounting
    from pquant_hls.compress.record import CompressedModel as CompressedModel
    from pquant_hls.compress.record import StepRecord as StepRecord
    from pquant_hls.compress.record import compression_ratio as compression_ratio
    from pquant_hls.compress.step import Outcome as Outcome
    from pquant_hls.compress.step import Step as Step
    from pquant_hls.compress.step import step_class as step_class
    from pquant_hls.compress.step import step_from_config as step_from_config
    from pquant_hls.network.folding import fold_batchnorm as fold_batchnorm
    from pquant_hls.network.types import tensor_types as tensor_types

attach(globals())
