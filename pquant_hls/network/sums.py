"""Sums that float32 cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from pquant_hls.network.freeze import KERNEL_LAYERS, weights_of
from pquant_hls.network.plan import accumulator, plan
from pquant_hls.network.topology import Call, Topology
from pquant_hls.qor import FixedType

FLOAT32_BITS = 24
"""Bits of an integer that float32 holds exactly (IEEE 754 binary32)."""
_WIDE = FixedType(16, 6)


def wide_sums(normal: Topology, default: FixedType = _WIDE) -> Iterator[tuple[Call, int]]:
    """(call, bits) for each layer of a model in normal form whose exact results need more than 24 bits."""
    types = plan(normal, default)
    for call in normal.calls:
        kind = types.layers[call.name].result
        if call.kind in KERNEL_LAYERS:
            kernel, *bias = weights_of(call.layer)
            if kernel.quantizer is None or kernel.grid is None:
                continue
            source = types.layers[normal.sources(call)[0].name].result
            offset = bias[0].values if bias else None
            kind = accumulator(source, kernel.values, offset, depthwise=kernel.role == "depthwise") or kind
        if call.kind != "InputLayer" and kind.width > FLOAT32_BITS:
            yield call, kind.width
