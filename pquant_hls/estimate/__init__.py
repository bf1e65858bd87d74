"""Estimate cycles and resources of an HLS project from its fixed-point graph, without tools and without
TensorFlow.
"""

from pquant_hls.estimate.compose import UNPROMISED, estimate, layer_cycles
from pquant_hls.estimate.floor import Floor, floor
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.shares import weight_groups, weight_shares
from pquant_hls.estimate.site import Site, costs
from pquant_hls.estimate.suggest import Suggestion, mlp_graph, suggest, with_fewer_layers

__all__ = [
    "UNPROMISED",
    "Floor",
    "Module",
    "Site",
    "Suggestion",
    "costs",
    "estimate",
    "floor",
    "layer_cycles",
    "mlp_graph",
    "suggest",
    "weight_groups",
    "weight_shares",
    "with_fewer_layers",
]
