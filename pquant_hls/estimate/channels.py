"""Channels between the tasks of a dataflow design: a FIFO for each value that is passed at once."""

from __future__ import annotations

import math
from dataclasses import replace

from pquant_hls.estimate.module import Module
from pquant_hls.estimate.resources import BRAM_BITS
from pquant_hls.qor import FixedPointGraph, Node, Target

MEMORY_BITS = 1024
"""Vivado HLS and Vitis HLS put FIFOs from this size on into block memory (AMD UG1399, ``fifo``)."""
PARALLEL_DEPTH = 2
"""InputBits of the buffer between two tasks of an io_parallel design."""
SRL_DEPTH = 32
"""Places that one LUT of shift register holds (AMD UG574)."""


def with_channels(graph: FixedPointGraph, modules: tuple[Module, ...], target: Target) -> tuple[Module, ...]:
    """The modules with the channels of their results; what leaves the design needs none."""
    readers = {name for node in graph.nodes for name in node.inputs}
    return tuple(
        replace(module, counts={**module.counts, **_channel(graph, node, target)})
        if node.name in readers and not module.is_port
        else module
        for node, module in zip(graph.nodes, modules, strict=True)
    )


def _places(node: Node) -> int:
    """Of a FIFO: what the project says (``fifo_depth``), else a place for each of the tensor's, as hls4ml writes it."""
    return int(node.attrs.get("fifo_depth", max(1, math.prod(node.shape[:-1]))))


def _channel(graph: FixedPointGraph, node: Node, target: Target) -> dict[str, float]:
    stream = graph.io_type == "io_stream"
    places = _places(node) if stream else PARALLEL_DEPTH
    lanes = (node.shape[-1] if node.shape else 1) if stream else math.prod(node.shape)
    bits = node.result.width
    if stream and target.tool == "vitis":  # one FIFO of all channels together
        lanes, bits = 1, lanes * bits
    in_memory = places * bits >= MEMORY_BITS and places > 1 and stream
    return {
        "channel_lanes": 0.0 if in_memory else float(lanes),
        "channel_memory_lanes": float(lanes) if in_memory else 0.0,
        "channel_bits": 0.0 if in_memory else float(lanes * bits),
        "channel_depth_bits": 0.0 if in_memory else float(lanes * bits * (places // SRL_DEPTH)),
        "channel_brams": float(lanes * math.ceil(places * bits / BRAM_BITS)) if in_memory else 0.0,
    }
