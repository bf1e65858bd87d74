"""The project's C++ compiled by g++ and run: its outputs, and where they differ from Keras."""

from pquant_hls.csim.build import Library, build, cpp_standard
from pquant_hls.csim.cache import default_cache
from pquant_hls.csim.compare import Comparison, LayerDifference, compare
from pquant_hls.csim.predict import predict

__all__ = [
    "Comparison",
    "LayerDifference",
    "Library",
    "build",
    "compare",
    "cpp_standard",
    "default_cache",
    "predict",
]
