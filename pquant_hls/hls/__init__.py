"""From Keras to an HLS project that computes the same numbers: lint, convert, build, run, compare.

The only room that imports hls4ml, and it does so when a function is called: importing this package loads
neither Keras nor TensorFlow.
"""

from pquant_hls.hls.build import Library, build, cpp_standard
from pquant_hls.hls.cache import default_cache
from pquant_hls.hls.compare import Comparison, LayerDifference, compare
from pquant_hls.hls.convert import convert
from pquant_hls.hls.fix import fix
from pquant_hls.hls.lint import RULES, Finding, errors, lint
from pquant_hls.hls.normal import is_reserved
from pquant_hls.hls.predict import predict
from pquant_hls.hls.project import HlsProject, Port, load_project
from pquant_hls.hls.reference import keras_predict

__all__ = [
    "RULES",
    "Comparison",
    "Finding",
    "HlsProject",
    "LayerDifference",
    "Library",
    "Port",
    "build",
    "compare",
    "convert",
    "cpp_standard",
    "default_cache",
    "errors",
    "fix",
    "is_reserved",
    "keras_predict",
    "lint",
    "load_project",
    "predict",
]
