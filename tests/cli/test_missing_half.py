"""Where the compression half is not installed, each command that needs it says so; the firmware half works without."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pquant_hls.errors.halves import COMPRESS, INSTALL, MissingHalf
from tests.firmware import miniature

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = f"""
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(COMPRESS)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def without(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", f"{WITHOUT}\nsys.path.insert(0, {str(ROOT)!r})\n{code}"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return without(f"from pquant_hls.cli import main\nmain({[str(word) for word in words]!r})", folder)


@pytest.mark.parametrize(
    "words",
    [
        ("lint", "m.keras"),
        ("csim", "diff", "m.keras", "--data", "lhc_jets"),
        ("quickstart", "--out", "run"),
        ("compress", "--model", "m.keras", "--data", "lhc_jets", "--out", "run"),
    ],
    ids=lambda words: words[0],
)
def test_what_needs_the_other_half_names_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    done = command(tmp_path, *words)
    assert (done.returncode, INSTALL in done.stderr, "Traceback" in done.stderr) == (3, True, False)
    assert not (tmp_path / "run").exists()


def test_names_of_the_package_name_it_too(tmp_path: Path) -> None:
    done = without("import pquant_hls\npquant_hls.tune_model", tmp_path)
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: this needs the compression half")
    assert INSTALL in done.stderr


@pytest.mark.gxx
def test_the_firmware_half_works_alone(tmp_path: Path) -> None:
    project = miniature.project(tmp_path / "p")
    for words in (
        ("csim", "record", project, "--golden", "g.golden", "--random", 32),
        ("csim", "check", project, "--golden", "g.golden"),
        ("measure", project, "--using", "estimate"),
        ("gate", project, "--limit", "latency_ns=500"),
        ("lint", project, "--overflow"),
        ("export", project, "--namespace", "mini_v1", "--out", "emulator"),
    ):
        done = command(tmp_path, *words)
        said = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]  # what it is at
        assert (done.returncode, said) == (0, []), words


def test_another_module_that_lacks_is_no_half() -> None:
    assert MissingHalf.of(ModuleNotFoundError("no", name="numpy")) is None
    assert MissingHalf.of(ModuleNotFoundError("no", name="keras.layers")) is not None
    assert MissingHalf.of(ModuleNotFoundError("no")) is None


def test_the_extra_brings_what_is_named() -> None:
    """By the names of distributions, which differ for one."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {line.partition(">")[0].partition("=")[0] for line in told["optional-dependencies"]["compress"]}
    assert {"qkeras" if name == "qkeras-v3" else name for name in extra} - {"scipy"} == COMPRESS
    light = {line.partition(">")[0] for line in told["dependencies"]}
    assert not light & extra
