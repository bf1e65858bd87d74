"""Rules on kernels and biases."""

from __future__ import annotations

import numpy as np

from pquant_hls.lint.finding import Context, Findings, finding
from pquant_hls.network.freeze import MAX_WEIGHT_BITS, Weights, weights_of
from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.network.graph import Call


def weight_findings(call: Call, context: Context) -> Findings:  # noqa: ARG001
    """Findings on one layer's kernel and bias."""
    for weights in weights_of(call.layer):
        found = reading_of(weights.quantizer)
        if found is not None and found.random:
            yield finding("random-rounding", call, f"{weights.key} is drawn at random")
        elif front_of(call.layer) is not None:
            yield from _quantized(weights, call)
        else:
            yield from _float(weights, call)


def _float(weights: Weights, call: Call) -> Findings:
    if weights.role != "bias" or np.any(weights.values):
        text = f"{call.kind} has a float {weights.role}"
        mend = f"compress --pipeline ptq, or use Q{call.kind} with quantized_bits(bits, integer, alpha=1)"
        yield finding("weights-off-grid", call, text, mend=mend, fixable=False)


def _quantized(weights: Weights, call: Call) -> Findings:
    if weights.is_plain or (weights.quantizer is None and not np.any(weights.values)):
        return
    front, found = front_of(weights.quantizer), reading_of(weights.quantizer)
    what = "no quantizer"
    if front is not None and found is not None:
        what = f"{found.name}, alpha={front.scale(weights.quantizer)!r}{', masked' if weights.masked else ''}"
    grid = weights.grid
    if grid is None:
        text = f"{weights.key} ({what}) gives values on no grid of {MAX_WEIGHT_BITS} bits"
        yield finding("weights-off-grid", call, text)
    else:
        text = f"{weights.key} ({what}) is taken as quantized_bits({grid.width},{grid.integer - 1},alpha=1)"
        yield finding("weights-scaled", call, text)
