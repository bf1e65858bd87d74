"""Tests of pure logic load neither TensorFlow nor hls4ml: they run in seconds, and so do mutation runs over them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PURE = (
    "decide",
    "qor",
    "spec",
    "errors",
    "engine/test_forecast.py",
    "engine/test_score.py",
    "rtl/test_ops_matrix.py",
)
HEAVY = ("tensorflow", "keras", "qkeras", "hls4ml", "optuna")
LOOK = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"


def modules(place: str) -> list[str]:
    path = TESTS / place
    found = [path] if path.is_file() else sorted(path.glob("test_*.py"))
    return [".".join(file.relative_to(TESTS.parent).with_suffix("").parts) for file in found]


@pytest.mark.parametrize("place", PURE)
def test_pure_tests_load_nothing_heavy(place: str) -> None:
    named = modules(place)
    assert named, f"no tests in {place}"
    words = [sys.executable, "-c", LOOK, *named]
    loaded = subprocess.run(
        words, cwd=TESTS.parent, check=True, capture_output=True, text=True
    ).stdout.split()
    assert set(named) <= set(loaded)
    assert [name for name in HEAVY if name in loaded] == []
    for file in named:
        text = (TESTS.parent / file.replace(".", "/")).with_suffix(".py").read_text()
        assert "mark.gxx" not in text
