"""From Keras to an HLS project that computes the same numbers: lint, convert, build, run, compare.

The only room that imports hls4ml, and it does so when a function is called: importing this package loads
neither Keras nor TensorFlow.
"""

from pquant_hls.hls.build import Library, build, default_cache
from pquant_hls.hls.convert import convert
from pquant_hls.hls.predict import predict
from pquant_hls.hls.project import HlsProject, Port, load_project

__all__ = ["HlsProject", "Library", "Port", "build", "convert", "default_cache", "load_project", "predict"]
