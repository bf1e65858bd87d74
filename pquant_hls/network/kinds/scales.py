"""Kinds that multiply and shift each value by constants, and batch normalization, which becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.freeze import MAX_WEIGHT_BITS
from pquant_hls.network.frontend import Remark, Remarks
from pquant_hls.network.graph import Call, NewLayer
from pquant_hls.network.grids import accumulator, holding, hull
from pquant_hls.network.kinds.base import (
    Context,
    Kind,
    LayerPlan,
    Planning,
    Types,
    register_kind,
    rounded_by_readers,
)
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]


class Affine(Kind):
    """A scale and a shift of each value, or of each channel."""

    operation = "scale"
    elementwise = True

    def constants(self, layer: Any) -> tuple[Floats, Floats]:
        """(scale, shift), float64 of one shape, which broadcasts to that of the values."""
        raise NotImplementedError

    def passes(self, layer: Any) -> bool:
        scale, shift = self.constants(layer)
        return bool((scale == 1).all() and (shift == 0).all())

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        return affine_type(sources[0], *self.constants(call.layer))

    def before_flatten(self, layer: Any, shape: tuple[int, ...]) -> Any:
        parts = [part.reshape(shape) if part.size > 1 else part for part in self.constants(layer)]
        return FixedPointScale(*parts, name=layer.name)

    def remarks(self, call: Call, context: Context) -> Remarks:  # noqa: ARG002
        for word, part in zip(("scale", "shift"), self.constants(call.layer), strict=True):
            kind = hull(holding(part))
            if kind.width > MAX_WEIGHT_BITS:
                text = f"its {word} lies on no grid of {MAX_WEIGHT_BITS} bits"
                yield Remark("weights-off-grid", text, "round it to one, as lint --fix does", True)


def affine_type(source: FixedType, scale: Floats, shift: Floats) -> FixedType | None:
    """The narrowest signed type that holds ``x * scale + shift`` for every x of ``source``."""
    return accumulator(source, scale.reshape(-1, 1), shift.ravel(), depthwise=True)


@register_kind
class Scale(Affine):
    handles = (FixedPointScale,)

    def constants(self, layer: Any) -> tuple[Floats, Floats]:
        return layer.scales, layer.shifts

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        """Stored in the type of the quantizer behind, which hls4ml merges into it, or in one that holds every result."""
        scale, shift = self.constants(call.layer)
        exact = affine_type(planning.sources(call)[0], scale, shift)
        told = {word: hull(holding(part)).text for word, part in (("scale", scale), ("bias", shift))}
        rounded = rounded_by_readers(call, planning.graph)
        return LayerPlan(rounded or exact or planning.default, told)


@register_kind
class Rescaling(Affine):
    """``x * scale + offset``."""

    handles = ("Rescaling",)

    def constants(self, layer: Any) -> tuple[Floats, Floats]:
        parts = (np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64))
        scale, shift = np.broadcast_arrays(*parts)
        return np.array(scale), np.array(shift)

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del weights
        return [NewLayer(FixedPointScale(*self.constants(call.layer), name=changes["name"]))]


@register_kind
class Normalization(Rescaling):
    """``(x - mean) / sqrt(variance)`` of Keras' preprocessing layer."""

    handles = ("Normalization",)

    def constants(self, layer: Any) -> tuple[Floats, Floats]:
        mean, variance = (np.asarray(part, np.float64)[0] for part in (layer.mean, layer.variance))
        spread = np.maximum(np.sqrt(variance), keras.config.epsilon())
        if layer.invert:
            return spread, mean
        return 1.0 / spread, -mean / spread


@register_kind
class BatchNormalization(Kind):
    handles = ("BatchNormalization",)
    operation = "batchnorm"
    exact = False
