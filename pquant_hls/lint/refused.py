"""Why a layer of Keras' has no exact conversion, and what to build in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pquant_hls.network.lookup import MOST_INDEX_BITS
from pquant_hls.network.norms import refused_norm

Refusal = tuple[str, str]
"""(what, mend)."""
ATTENTION = ("MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention")


def refusal(layer: Any) -> Refusal | None:
    """What keeps this layer from one of the forms that its kind has otherwise; None where there is nothing but its name."""
    if type(layer).__name__ == "Embedding":
        return _embedding(layer)
    return refused_norm(layer) or _REFUSED.get(type(layer).__name__.removeprefix("Q"))


def _embedding(layer: Any) -> Refusal:
    if layer.mask_zero:
        return (
            "mask_zero marks places to be left out, and hls4ml has no masks",
            "mask_zero=False, and a factor of 0 or 1 for each place where they must not count",
        )
    return f"its {layer.input_dim:,} rows are more than {1 << MOST_INDEX_BITS:,}", "fewer rows"


_REFUSED: Mapping[str, Refusal] = {
    **dict.fromkeys(
        ATTENTION,
        (
            "it takes a mask (a causal one too), a gate, a window, tensors by keyword or rows of more than one axis",
            "attention of one axis of rows, each row counted: hls4ml has no masks",
        ),
    ),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose"),
        (
            "gaps between its taps, output_padding, a softmax inside, or a quantizer without a zero or of its own scale",
            "a plain transposed convolution, or UpSampling2D and a convolution",
        ),
    ),
    "Masking": (
        "it marks steps to be left out, and hls4ml has no masks",
        "multiply by an input of ones and zeros, one for each step",
    ),
}
