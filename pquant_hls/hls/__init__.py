"""From Keras to an HLS project that computes the same numbers.

The only room that imports hls4ml, and it does so when a function is called: importing this package loads
neither Keras nor TensorFlow.
"""

from pquant_hls._lazy import lazy
from pquant_hls._moved import HLS_NAMES
from pquant_hls.hls.convert import convert
from pquant_hls.hls.layers import LayerRow, register_layer
from pquant_hls.hls.project import HlsProject, Port, load_project

__all__ = ["HlsProject", "LayerRow", "Port", "convert", "load_project", "register_layer"]

__getattr__, __dir__ = lazy("pquant_hls", HLS_NAMES)
