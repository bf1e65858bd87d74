"""The steps that ship with the package, by their name in recipes."""

from __future__ import annotations

from typing import Any

from pquant_hls.compress.fine_tuning import FineTuning
from pquant_hls.compress.low_rank import LowRankCompression
from pquant_hls.compress.pruning import PruningCompression
from pquant_hls.compress.quantization import QuantizationCompression
from pquant_hls.compress.step import Step

BUILTIN: dict[str, type[Step[Any]]] = {
    "prune": PruningCompression,
    "low_rank": LowRankCompression,
    "quantize": QuantizationCompression,
    "fine_tune": FineTuning,
}
