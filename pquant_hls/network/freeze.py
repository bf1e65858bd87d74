"""Weights as they are in inference, behind quantizers that hls4ml reads correctly.

A quantizer with a scale (``alpha`` None, auto, auto_po2), an unsigned one or powers of two leave values that
are exact numbers, but hls4ml 1.3 reads them wrongly. The values are kept; only the quantizer is replaced by
a plain linear one on whose grid they lie, so the model computes the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.kinds.base import layer_kind
from pquant_hls.network.quantizers import keras_computes, quantized_values
from pquant_hls.qor import FixedType

MAX_WEIGHT_BITS = 18
"""Widest weights taken by replacing a quantizer: one operand of a DSP48 is 18 bits wide."""


@dataclass(frozen=True)
class Weights:
    """One array of a layer: its quantizer (None without), the layer option that holds it, and its values in
    inference (float64), times the layer's mask where it is ``masked``.
    """

    role: str
    key: str
    quantizer: Any
    values: NDArray[np.float64]
    masked: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether hls4ml reads this quantizer as it is meant, and nothing acts after it."""
        found = reading_of(self.quantizer)
        return found is not None and found.plain and not self.masked

    def held_by(self, quantizer: Any) -> dict[str, Any]:
        """The options of a layer that holds these very values behind ``quantizer``; a mask may have made more of them."""
        unmasked = {"mask": None, "kernel_size": self.values.shape[:2]} if self.masked else {}
        return {self.key: quantizer, **unmasked}

    @cached_property
    def grid(self) -> FixedType | None:
        """The type a replacing quantizer needs, None where the values need more than MAX_WEIGHT_BITS bits."""
        kind = hull(holding(self.values))
        frac = max(kind.frac, 0)
        # At least 2 bits: quantized_bits(1) stands for two values of its own, neither of them 0.
        width = max(kind.integer + frac + int(not kind.signed), frac + 1, 2)
        return FixedType(width, width - frac) if width <= MAX_WEIGHT_BITS else None


_READ: ContextVar[dict[int, tuple[Any, tuple[Weights, ...]]] | None] = ContextVar("read", default=None)


@contextmanager
def weights_read_once() -> Iterator[None]:
    """Inside, ``weights_of`` reads each layer once: for work that changes none."""
    if _READ.get() is not None:
        yield
        return
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def weights_of(layer: Any) -> tuple[Weights, ...]:
    """Kernels and bias of a layer of a kind that has ``roles``; empty for any other layer."""
    known = _READ.get()
    if known is None:
        return _weights_of(layer)
    if id(layer) not in known:
        known[id(layer)] = (layer, _weights_of(layer))  # the layer too, so that its id is not given away
    return known[id(layer)][1]


def _weights_of(layer: Any) -> tuple[Weights, ...]:
    roles, front = layer_kind(layer).roles, front_of(layer)
    found = []
    for role, variable in zip(roles, layer.weights if roles else (), strict=False):
        quantizer = None if front is None else front.quantizer(layer, role)
        key = f"{role}_quantizer" if front is None else front.option(role)
        if not np.all(np.isfinite(np.asarray(variable))):
            raise UnsupportedModel(
                f"its {role} holds NaN or infinite values", where=layer.name, mend="train the model again"
            )
        found.append(Weights(role, key, quantizer, quantized_values(quantizer, np.asarray(variable))))
    mask = None if front is None else front.mask(layer)
    if mask is not None and found:
        with keras_computes(layer.name):
            found[0] = replace(found[0], values=found[0].values * mask, masked=True)
    return tuple(found)


def frozen(layer: Any) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """(options to change, weights to set) that leave ``layer``'s function as it is, with plain quantizers."""
    changes: dict[str, Any] = {}
    values = [np.asarray(variable) for variable in layer.weights]
    front = front_of(layer)
    if front is None:
        return changes, values
    for index, weights in enumerate(weights_of(layer)):
        grid = weights.grid
        if not weights.is_plain and grid is not None:
            changes |= weights.held_by(front.make("linear", grid.width, grid.integer - 1))
            values[index] = weights.values.astype(np.float32)
    return changes, values
