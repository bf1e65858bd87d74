"""The page of benchmarks holds what the files hold, and names what was not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from write_benchmarks import main

MACHINE = {"processor": "P", "cores": "2", "system": "S", "python": "3.12.1"}


def record(name: str, **changes: Any) -> dict[str, Any]:
    table = {"title": "one table", "rows": [{"a": "1.5", "b": "x|y"}, {"a": "-"}]}
    options = {"quick": True, "seed": 3} if changes.get("quick") else {"seed": 3, "tasks": ["two words"]}
    made = {"benchmark": name, "quick": False, "options": options, "machine": MACHINE}
    return made | {"tables": [table], "results": {}} | changes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "found").mkdir()
    for name in ("fast", "slow", "front", "_shared"):
        (tmp_path / "benchmarks" / f"{name}.py").write_text(f'"""What {name} costs,\nin words.\n\nMore."""\n')
    return tmp_path


def written(root: Path, **records: dict[str, Any]) -> str:
    for name, found in records.items():
        (root / "found" / f"{name}.json").write_text(json.dumps(found))
    assert main(root / "found", root) == 0
    return (root / "docs" / "benchmarks.md").read_text()


def test_a_run_is_shown_with_its_command_and_one_that_is_missing_named(root: Path) -> None:
    page = written(root, fast=record("fast"))
    ran = "`python benchmarks/fast.py --seed 3 --tasks 'two words'` on P, 2 cores, S, Python 3.12.1."
    assert f"## fast\n\nWhat fast costs, in words.\n\n{ran}\n" in page
    assert "**one table**\n\n| a | b |\n| --- | --- |\n| 1.5 | x/y |\n| - | - |" in page
    assert "No figures yet: `benchmarks/front.py`, `benchmarks/slow.py`." in page
    assert "_shared" not in page


def test_short_runs_and_other_machines_are_said(root: Path) -> None:
    page = written(
        root, fast=record("fast", quick=True), slow=record("slow", machine=MACHINE | {"processor": "Q"})
    )
    assert (
        "`python benchmarks/fast.py --quick --seed 3` on P, 2 cores, S, Python 3.12.1.\n\nA short run" in page
    )
    assert "`python benchmarks/slow.py --seed 3 --tasks 'two words'` on Q, 2 cores" in page


def test_what_was_not_run_again_stays(root: Path) -> None:
    first = written(root, fast=record("fast"), slow=record("slow"))
    (root / "found" / "fast.json").unlink()
    changed = record("slow", machine=MACHINE | {"processor": "Q"})
    page = written(root, slow=changed)
    assert page == first.replace(
        "--tasks 'two words'` on P, 2 cores", "--tasks 'two words'` on Q, 2 cores"
    ).replace("fast.py --seed 3 --tasks 'two words'` on Q", "fast.py --seed 3 --tasks 'two words'` on P")
    assert "No figures yet: `benchmarks/front.py`." in page


def test_a_front_is_drawn(root: Path) -> None:
    pytest.importorskip("matplotlib")
    points = [
        {"contestant": "ours", "seed": 0, "kept": True, "lut": 1000.0, "test": 74.0},
        {"contestant": "ours", "seed": 0, "kept": False, "lut": 2000.0, "test": None},
    ]
    page = written(
        root, front=record("front", results={"jets": {"points": points, "floor": 70.0}, "seeds": [0]})
    )
    assert "![front-jets](benchmarks/front-jets.svg)" in page
    assert "<svg" in (root / "docs" / "benchmarks" / "front-jets.svg").read_text()


def test_a_file_that_is_no_record_and_a_missing_folder_are_refused(root: Path) -> None:
    assert main(root / "nowhere", root) == 2
    with pytest.raises(SystemExit, match="run the script again"):
        written(root, fast={"results": {}})
