"""Run folders of earlier versions, unpacked as their user left them."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pquant_hls.cli import main

ARCHIVES = Path(__file__).parents[1] / "data" / "v0_1_0"

Shell = Callable[..., tuple[int, str, str]]


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


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    """``shell(*words)`` gives (exit status, stdout, stderr) of the command line, run in this process."""

    def run(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        said = capfd.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run
