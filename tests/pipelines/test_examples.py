"""The docstrings' examples run, and the commands refuse what they do not know."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pquant_hls.cli import main

MODULES = ("adaptive", "auto_tuning", "compose", "hep", "standard", "validation")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    found = doctest.testmod(import_module(f"pquant_hls.pipelines.{name}"))
    assert found.attempted >= 1
    assert found.failed == 0


@pytest.mark.parametrize(("words", "text"), [
    (["compress", "--pipeline", "standrad"], "one of standard, auto"),
    (["compress", "--pipeline", "standard", "--set", "target"], "name=value"),
    (["tune", "--objective", "speed"], "objective"),
    (["tune", "--study", "no_such_study.yaml"], "no_such_study.yaml"),
])  # fmt: skip
def test_bad_options_end_with_two_and_one_line(
    words: list[str], text: str, tmp_path: Path, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--model", "m.keras", "--data", "d.npz", "--out", str(tmp_path / "run")])
    assert left.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert text in line
    assert not (tmp_path / "run").exists()
