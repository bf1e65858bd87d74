"""Rules on kernels and biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from pquant_hls.lint.finding import Context, Findings, finding
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, Weights, weights_of
from pquant_hls.network.graph import Call
from pquant_hls.network.quantizers import quantizer_name


def is_random(quantizer: Any) -> bool:
    """Whether the quantizer is random in inference too.

    ``use_stochastic_rounding`` and the ``stochastic_`` quantizers of qkeras-v3 are so in training only.
    """
    return quantizer_name(quantizer) == "bernoulli"


def check(call: Call, context: Context) -> Findings:  # noqa: ARG001
    """Findings on one layer's kernel and bias."""
    for weights in weights_of(call.layer):
        if is_random(weights.quantizer):
            yield finding("random-rounding", call, f"{weights.key} is drawn at random")
        elif call.kind.startswith("Q"):
            yield from _quantized(weights, call)
        else:
            yield from _float(weights, call)


def _float(weights: Weights, call: Call) -> Findings:
    if weights.role != "bias" or np.any(weights.values):
        text = f"{call.kind} has a float {weights.role}"
        mend = f"use Q{call.kind} with quantized_bits(bits, integer, alpha=1)"
        yield finding("weights-off-grid", call, text, mend=mend, fixable=False)


def _quantized(weights: Weights, call: Call) -> Findings:
    if weights.is_plain or (weights.quantizer is None and not np.any(weights.values)):
        return
    what = quantizer_name(weights.quantizer) or "no quantizer"
    alpha = getattr(weights.quantizer, "alpha", None)
    what = f"{what}, alpha={alpha!r}" if weights.quantizer is not None else what
    grid = weights.grid
    if grid is None:
        text = f"{weights.key} ({what}) gives values on no grid of {MAX_WEIGHT_BITS} bits"
        yield finding("weights-off-grid", call, text)
    else:
        text = f"{weights.key} ({what}) is taken as quantized_bits({grid.width},{grid.integer - 1},alpha=1)"
        yield finding("weights-scaled", call, text)
