"""Packages whose names are loaded when first used, so that importing one stays light."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any


def attach(namespace: dict[str, Any]) -> None:
    """Offer what a package imports under ``if TYPE_CHECKING:`` when it is first used.

    Those imports, each as ``name as name``, are the package's one list of names: type checkers read them as they stand,
    and ``__all__``, ``__dir__`` and ``__getattr__`` are made of them. ``namespace`` is the package's ``globals()``.
    """
    package = namespace["__name__"]
    homes = dict(_listed(Path(namespace["__file__"]).read_text(encoding="utf-8")))
    namespace["__all__"] = sorted(homes)
    namespace["__getattr__"], namespace["__dir__"] = _loader(package, homes)


def lazy(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of ``package``; ``homes`` has the names by submodule."""
    return _loader(package, {name: f"{package}.{home}" for home, names in homes.items() for name in names})


def _listed(source: str) -> Iterator[tuple[str, str]]:
    """(name, module) of each import from a module under ``if TYPE_CHECKING:``."""
    for block in ast.parse(source).body:
        if (
            isinstance(block, ast.If)
            and isinstance(block.test, ast.Name)
            and block.test.id == "TYPE_CHECKING"
        ):
            for line in block.body:
                if isinstance(line, ast.ImportFrom) and line.module is not None:
                    yield from ((alias.name, line.module) for alias in line.names)


def _named(cause: ModuleNotFoundError) -> Exception:
    """With the install line where a half of the package lacks; an error of imports all the same."""
    from pquant_hls.errors.halves import MissingHalf

    missing = MissingHalf.of(cause)
    return cause if missing is None else ModuleNotFoundError(str(missing), name=cause.name)


def _loader(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(homes[name]), name)
        except ModuleNotFoundError as cause:
            raise _named(cause) from cause

    return find, lambda: sorted(homes)
