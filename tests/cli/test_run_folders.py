"""A run folder may stand where a command takes a project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers import Shell, Tiny


@pytest.fixture
def run(tiny: Tiny, tmp_path: Path) -> Path:
    shutil.copytree(tiny.project, tmp_path / "run" / "handover" / "project")
    (tmp_path / "run" / "run.json").write_text("{}")
    return tmp_path / "run"


def test_measure_of_a_run_is_that_of_what_it_handed_over(run: Path, tiny: Tiny, shell: Shell) -> None:
    of_run, of_project = (
        json.loads(shell("measure", path, "--using", "estimate", "--json")[1]) for path in (run, tiny.project)
    )
    assert of_run["latency"] == of_project["latency"]
    assert of_run["latency"] is not None


def test_lint_of_a_run_is_that_of_its_firmware(run: Path, tiny: Tiny, shell: Shell) -> None:
    status, said, _ = shell("lint", run)
    assert (status, said) == shell("lint", tiny.project)[:2]


@pytest.mark.parametrize("words", [["measure"], ["lint"], ["csim", "record"], ["fifo"]])
def test_a_run_that_handed_nothing_over_says_what_to_do(words: list[str], run: Path, shell: Shell) -> None:
    shutil.rmtree(run / "handover")
    more = ["--golden", run / "g"] if "record" in words else []
    status, _, err = shell(*words, run, *more)
    assert status == 2
    assert "this run has handed no project over" in err
    assert "--resume" in err
