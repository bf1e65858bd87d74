"""Sums that float32 cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from pquant_hls.hls.freeze import KERNEL_LAYERS, weights_of
from pquant_hls.hls.plan import accumulator, plan
from pquant_hls.hls.topology import Call, Topology
from pquant_hls.qor import FixedType

FLOAT32_BITS = 24
"""Bits of an integer that float32 holds exactly (IEEE 754 binary32)."""
_WIDE = FixedType(16, 6)


def wide_sums(normal: Topology, default: FixedType = _WIDE) -> Iterator[tuple[Call, int]]:
    """(call, bits) for each layer of a model in normal form whose exact sums need more than 24 bits."""
    types = plan(normal, default)
    for call in normal.calls:
        if call.kind not in KERNEL_LAYERS:
            continue
        kernel, *bias = weights_of(call.layer)
        source = types.layers[normal.sources(call)[0].name].result
        offset = bias[0].values if bias else None
        kind = accumulator(source, kernel.values, offset, depthwise=kernel.role == "depthwise")
        on_grid = kernel.quantizer is not None and kernel.grid is not None
        if on_grid and kind is not None and kind.width > FLOAT32_BITS:
            yield call, kind.width
