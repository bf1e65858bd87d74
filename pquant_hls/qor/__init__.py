"""Records shared by every room: fixed-point types and graphs, latency, resources, QoR."""

from pquant_hls.qor.fixed import FixedType
from pquant_hls.qor.graph import FixedArray, FixedPointGraph, Node
from pquant_hls.qor.grid import FixedGrid
from pquant_hls.qor.ops import OPS, Op, register_op
from pquant_hls.qor.records import (
    BUNCH_CROSSING_NS,
    RESOURCE_NAMES,
    Available,
    Latency,
    LayerQoR,
    QoR,
    Quality,
    Record,
    Resources,
    Target,
)

__all__ = [
    "BUNCH_CROSSING_NS",
    "OPS",
    "RESOURCE_NAMES",
    "Available",
    "FixedArray",
    "FixedGrid",
    "FixedPointGraph",
    "FixedType",
    "Latency",
    "LayerQoR",
    "Node",
    "Op",
    "QoR",
    "Quality",
    "Record",
    "Resources",
    "Target",
    "register_op",
]
