"""Run folders of earlier versions, unpacked as their user left them."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ARCHIVES = Path(__file__).parents[1] / "data" / "v0_1_0"


def unpack(name: str, folder: Path) -> list[str]:
    """A run with the model, data and recipes it was made from; returns the words that made it."""
    for archive in ("inputs", name, "sources"):
        with tarfile.open(ARCHIVES / f"{archive}.tar.gz") as packed:
            packed.extractall(folder / "sources" if archive == "sources" else folder, filter="data")
    for project in [path.parent for path in (folder / name).rglob("*_bridge.cpp")]:
        shutil.copytree(folder / "sources", project, dirs_exist_ok=True)
    words: list[str] = json.loads((folder / "words.json").read_text())
    return words


@pytest.fixture
def old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, csim_cache: Path) -> Callable[[str], list[str]]:
    """``old_run(name)`` unpacks a run into the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    return lambda name: unpack(name, tmp_path)
