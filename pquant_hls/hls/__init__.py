"""From Keras to an HLS project that computes the same numbers.

The only room that imports hls4ml, and it does so when a function is called: importing this package loads
neither Keras nor TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import lazy
from pquant_hls._moved import HLS_NAMES
from pquant_hls.hls.layers import LayerRule, register_layer
from pquant_hls.hls.place import say_where
from pquant_hls.hls.project import HlsProject, Port, load_project

if TYPE_CHECKING:
    from pquant_hls.hls.design import fixed_graph
    from pquant_hls.hls.logic import write_logic
    from pquant_hls.hls.write import convert

__all__ = [
    "HlsProject",
    "LayerRule",
    "Port",
    "convert",
    "fixed_graph",
    "load_project",
    "register_layer",
    "say_where",
    "write_logic",
]

_HOMES = {"hls.design": ("fixed_graph",), "hls.logic": ("write_logic",), "hls.write": ("convert",)}

__getattr__, __dir__ = lazy("pquant_hls", {**HLS_NAMES, **_HOMES})
