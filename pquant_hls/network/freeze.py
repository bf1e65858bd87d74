"""Weights as they are in inference, behind quantizers that hls4ml reads correctly.

A quantizer with a scale (``alpha`` None, auto, auto_po2), an unsigned one or powers of two leave values that
are exact numbers, but hls4ml 1.3 reads them wrongly. The values are kept; only the quantizer is replaced by
a plain ``quantized_bits`` on whose grid they lie, so the model computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.quantizers import quantized, quantizer_name
from pquant_hls.qor import FixedType

KERNEL_LAYERS = frozenset(
    {
        "Dense",
        "QDense",
        "Conv1D",
        "QConv1D",
        "Conv2D",
        "QConv2D",
        "DepthwiseConv1D",
        "DepthwiseConv2D",
        "QDepthwiseConv2D",
    }
)
MAX_WEIGHT_BITS = 18
"""Widest weights taken by replacing a quantizer: one operand of a DSP48 is 18 bits wide."""


@dataclass(frozen=True)
class Weights:
    """One array of a layer: its quantizer (None without) and its values in inference (float64)."""

    role: str
    quantizer: Any
    values: NDArray[np.float64]

    @property
    def key(self) -> str:
        """The layer option that holds the quantizer."""
        return f"{self.role}_quantizer"

    @property
    def is_plain(self) -> bool:
        """Whether hls4ml reads this quantizer as QKeras means it."""
        return is_plain(self.quantizer)

    @property
    def grid(self) -> FixedType | None:
        """The type a replacing quantizer needs, None where the values need more than MAX_WEIGHT_BITS bits."""
        kind = hull(holding(self.values))
        frac = max(kind.frac, 0)
        width = max(kind.integer + frac + int(not kind.signed), frac + 1)
        return FixedType(width, width - frac) if width <= MAX_WEIGHT_BITS else None


def unit_alpha(quantizer: Any) -> bool:
    """Whether the quantizer's values carry no further scale.

    None is 1 in ``quantized_bits``; in a kernel's quantizer QKeras has replaced it by ``auto_po2`` before.
    """
    alpha = getattr(quantizer, "alpha", 1)
    if alpha is None and quantizer_name(quantizer) == "quantized_bits":
        return True
    return not isinstance(alpha, str) and alpha is not None and bool(np.all(np.asarray(alpha) == 1))


def is_plain(quantizer: Any) -> bool:
    """``quantized_bits`` signed with alpha=1 and at least 2 bits, or ``binary``/``ternary`` with alpha=1."""
    name = quantizer_name(quantizer)
    if not unit_alpha(quantizer) or getattr(quantizer, "qnoise_factor", 1) != 1:
        return False
    if name == "quantized_bits":
        return (
            bool(quantizer.keep_negative) and quantizer.bits >= 2 and 0 <= quantizer.integer < quantizer.bits
        )
    return name == "ternary" or (name == "binary" and not quantizer.use_01)


def weights_of(layer: Any) -> tuple[Weights, ...]:
    """Kernel and bias of a layer with a kernel; empty for any other layer."""
    if type(layer).__name__ not in KERNEL_LAYERS:
        return ()
    roles = ["depthwise" if "Depthwise" in type(layer).__name__ else "kernel", "bias"]
    found = []
    for role, variable in zip(roles, layer.weights, strict=False):
        quantizer = getattr(layer, f"{role}_quantizer_internal", None)
        if not np.all(np.isfinite(np.asarray(variable))):
            raise UnsupportedModel(
                f"its {role} holds NaN or infinite values", where=layer.name, mend="train the model again"
            )
        found.append(Weights(role, quantizer, quantized(quantizer, np.asarray(variable))))
    return tuple(found)


def frozen(layer: Any) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """(options to change, weights to set) that leave ``layer``'s function as it is, with plain quantizers."""
    changes: dict[str, Any] = {}
    values = [np.asarray(variable) for variable in layer.weights]
    if not type(layer).__name__.startswith("Q"):
        return changes, values
    for index, weights in enumerate(weights_of(layer)):
        grid = weights.grid
        if not weights.is_plain and grid is not None:
            changes[weights.key] = _quantizer(grid)
            values[index] = weights.values.astype(np.float32)
    return changes, values


def _quantizer(grid: FixedType) -> Any:
    import qkeras

    return qkeras.quantized_bits(grid.width, grid.integer - 1, alpha=1)
