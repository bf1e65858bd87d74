"""Estimate cycles and resources of an HLS project from its fixed-point graph, without tools and without
TensorFlow.
"""

from pquant_hls.estimate.compose import UNPROMISED, estimate, layer_cycles
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.site import Site, costs

__all__ = [
    "UNPROMISED",
    "Module",
    "Site",
    "costs",
    "estimate",
    "layer_cycles",
]
