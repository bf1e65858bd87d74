"""Estimate cycles and resources of an HLS project from its fixed-point graph, without tools and without
TensorFlow.
"""

from pquant_hls.estimate.compose import estimate, layer_cycles

__all__ = ["estimate", "layer_cycles"]
