"""Where version 0.1.0 had its rooms: the old import paths lead to the same modules and names.

One table; nothing inside the package imports by an old path.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULES = {
    **{f"models.{name}": f"network.{name}" for name in ("build", "files", "graph", "table")},
    "models.metrics": "train.metrics",
    "models.train": "train",
    **{f"hls.{name}": f"csim.{name}" for name in ("cache", "runner")},
    **{
        f"hls.{name}": f"network.{name}"
        for name in ("quantizers", "freeze", "normal", "plan", "capture", "reference")
    },
    "hls.topology": "network.graph",
    "hls.sums": "network.plan",
    "compress.graphs": "compress.cost",
    "compress.accumulators": "compress.guard",
    "compress.types": "network.types",
    "compress.folding": "network.folding",
    **{f"measure.{room}": room for room in ("readers", "golden", "rtl", "toolchain")},
    "toolchain.process": "programs.process",
    "toolchain.tools": "programs.tools",
}
"""Old module -> new module, both under ``pquant_hls``; what lies below an old package moves with it.

Modules that had the name of a function beside them (``hls.build``) are not among them: the function is.
"""

HLS_NAMES = {
    "csim": (
        "Comparison",
        "LayerDifference",
        "Library",
        "build",
        "compare",
        "cpp_standard",
        "default_cache",
        "predict",
    ),
    "lint": ("RULES", "Finding", "errors", "fix", "lint"),
    "network": ("is_reserved", "keras_predict"),
}
"""Names that ``pquant_hls.hls`` offered, by the room they have now."""


def moved(name: str) -> str | None:
    """The new name of a module; None where it did not move."""
    path = name.removeprefix("pquant_hls.")
    for old in sorted(MODULES, key=len, reverse=True):
        if path == old or path.startswith(f"{old}."):
            return f"pquant_hls.{MODULES[old]}{path[len(old) :]}"
    return None


class _Moved(MetaPathFinder, Loader):
    """Imports the new module under its own name and hands it out for the old one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if not fullname.startswith("pquant_hls.") or moved(fullname) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        new = moved(spec.name)
        module = import_module(spec.name if new is None else new)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It ran when it was imported under its own name, which the import system is given back here."""
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Let the old paths be found, after everything that is really there."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
