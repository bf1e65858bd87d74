"""The project's C++ compiled by g++ and run: its outputs, and where they differ from Keras.

Only the comparison needs Keras, and it is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy
from pquant_hls.csim.build import Library, build, compiled, cpp_standard
from pquant_hls.csim.cache import default_cache
from pquant_hls.csim.predict import predict

if TYPE_CHECKING:
    from pquant_hls.csim.comparison import Comparison, compare
    from pquant_hls.csim.difference import LayerDifference

__all__ = [
    "Comparison",
    "LayerDifference",
    "Library",
    "build",
    "compare",
    "compiled",
    "cpp_standard",
    "default_cache",
    "predict",
]

__getattr__, __dir__ = lazy(
    __name__, {"comparison": ("Comparison", "compare"), "difference": ("LayerDifference",)}
)
