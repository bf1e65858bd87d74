"""Every name that a package offers is there, and a lazy package has one list of them."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pquant_hls

ROOMS = ["pquant_hls", *(f"pquant_hls.{found.name}" for found in pkgutil.iter_modules(pquant_hls.__path__))]
PACKAGES = [
    name for name in ROOMS if hasattr(import_module(name), "__path__") and not name.endswith(".models")
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_of_a_package_is_found(name: str) -> None:
    package = import_module(name)
    offered = getattr(package, "__all__", [])
    assert len(set(offered)) == len(offered)
    for one in offered:
        getattr(package, one)  # raises where the list and the module disagree


@pytest.fixture
def lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lazy package with one module, and a name that this has not."""
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\nfrom pquant_hls._lazy import attach\n"
        "if TYPE_CHECKING:\n    from lazy_package.inner import one as one\n"
        "    from lazy_package.inner import gone as gone\nattach(globals())\n"
    )
    (folder / "inner.py").write_text("import sys\none = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "lazy_package"


def test_the_imports_for_type_checkers_are_the_list(lazy: str) -> None:
    package = import_module(lazy)
    assert package.__all__ == dir(package) == ["gone", "one"]
    assert f"{lazy}.inner" not in sys.modules
    assert package.one == 1
    with pytest.raises(AttributeError, match="gone"):
        package.gone  # noqa: B018
    with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'other'"):
        package.other  # noqa: B018


def test_importing_the_package_is_light() -> None:
    code = "import sys, pquant_hls\nsys.exit(str({'numpy', 'pydantic', 'tensorflow'} & set(sys.modules) or '') or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
