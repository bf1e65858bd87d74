"""From Keras to an HLS project that computes the same numbers.

The only room that imports hls4ml, and it does so when a function is called: importing this package loads
neither Keras nor TensorFlow.
"""

from pquant_hls._lazy import lazy
from pquant_hls._moved import HLS_NAMES
from pquant_hls.hls.convert import convert
from pquant_hls.hls.project import HlsProject, Port, load_project

__all__ = ["HlsProject", "Port", "convert", "load_project"]

__getattr__, __dir__ = lazy("pquant_hls", HLS_NAMES)
