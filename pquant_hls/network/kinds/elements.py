"""The kind of layer that stores each element in a fixed-point type of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.frontend import Remark, Remarks
from pquant_hls.network.graph import Call
from pquant_hls.network.grids import hull
from pquant_hls.network.kinds.base import Context, Kind, Types, register_kind
from pquant_hls.qor import FixedType
from pquant_hls.qor.grid import FixedGrid


@register_kind
class Elements(Kind):
    """Its result has the narrowest type that holds every element."""

    handles = (FixedPointQuantizer,)
    operation = "activation"
    typed = True

    def output_type(self, call: Call, sources: Types) -> FixedType | None:  # noqa: ARG002
        return replace(hull(call.layer.grid), rounding="TRN", saturation="WRAP")

    def elements(self, call: Call, sources: Sequence[FixedGrid | None]) -> FixedGrid | None:  # noqa: ARG002
        found: FixedGrid = call.layer.grid
        return found

    def entry(self, layer: Any) -> FixedType | None:
        """Rounding ties upwards reads one bit below the finest step, and truncation none, so an input cut off there
        loses nothing; rounding ties to even reads them all, unless every element has the same step.
        """
        grid: FixedGrid = layer.grid
        kind = hull(grid)
        steps = np.unique((grid.width - grid.integer)[grid.width > 0])
        if grid.rounding == "RND_CONV" and len(steps) > 1:
            return None
        saturation = "WRAP" if grid.saturation == "WRAP" else "SAT"
        if grid.rounding == "RND_CONV":
            return replace(kind, saturation=saturation)
        more = int(grid.rounding == "RND")
        return replace(kind, width=kind.width + more, rounding="TRN", saturation=saturation)

    def coarsest(self, layer: Any) -> FixedType | None:
        kinds = {kind for kind in layer.grid.kinds(layer.grid.width.shape).ravel() if kind is not None}
        return min(kinds, key=lambda kind: kind.frac, default=None)

    def remarks(self, call: Call, context: Context) -> Remarks:
        if context.streams:
            yield Remark("stream-elements", f"{call.kind} in io_stream")
