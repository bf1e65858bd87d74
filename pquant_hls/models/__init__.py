"""Version 0.1.0's room of models: its names, now of ``pquant_hls.network`` and ``pquant_hls.train``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_ROOMS = ("pquant_hls.network", "pquant_hls.train")


def __getattr__(name: str) -> Any:
    for room in map(import_module, _ROOMS):
        if name in room.__all__:
            return getattr(room, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
