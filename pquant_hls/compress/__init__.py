"""Compression steps: structured pruning and zeroing, low rank, quantization, fine-tuning.

    PruningCompression(sparsity=0.5).compress(model, data) -> CompressedModel(model, record)

Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy

if TYPE_CHECKING:
    from pquant_hls.compress.accounting import account, units
    from pquant_hls.compress.cost import DesignCost, fixed_graph
    from pquant_hls.compress.fine_tuning import FineTuning
    from pquant_hls.compress.low_rank import LowRankCompression
    from pquant_hls.compress.pruning import PruningCompression
    from pquant_hls.compress.quantization import QuantizationCompression
    from pquant_hls.compress.record import Accounting, CompressedModel, StepRecord, compression_ratio
    from pquant_hls.compress.step import Outcome, Step, step_class, step_from_config
    from pquant_hls.network.folding import fold_batchnorm
    from pquant_hls.network.types import tensor_types

_HOMES = {
    "accounting": ("account", "units"),
    "cost": ("DesignCost", "fixed_graph"),
    "fine_tuning": ("FineTuning",),
    "low_rank": ("LowRankCompression",),
    "pruning": ("PruningCompression",),
    "quantization": ("QuantizationCompression",),
    "record": ("Accounting", "CompressedModel", "StepRecord", "compression_ratio"),
    "step": ("Outcome", "Step", "step_class", "step_from_config"),
}
_LOWER = {"network.folding": ("fold_batchnorm",), "network.types": ("tensor_types",)}
"""Names whose home is a lower room."""

__all__ = [
    "Accounting",
    "CompressedModel",
    "DesignCost",
    "FineTuning",
    "LowRankCompression",
    "Outcome",
    "PruningCompression",
    "QuantizationCompression",
    "Step",
    "StepRecord",
    "account",
    "compression_ratio",
    "fixed_graph",
    "fold_batchnorm",
    "step_class",
    "step_from_config",
    "tensor_types",
    "units",
]

__getattr__, __dir__ = lazy(
    "pquant_hls", {**{f"compress.{home}": names for home, names in _HOMES.items()}, **_LOWER}
)
