"""Run folders: nothing half-written looks finished, nothing finished is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pquant_hls.errors import OutputError
from pquant_hls.store import Entry, RunFolder, check_free, read_json, read_ledger, write_json

WHAT = {"recipe": 1, "model": "abc"}


def note(number: int) -> Entry:
    return Entry(kind="note", number=number)


def test_a_run_is_resumed_with_its_finished_work(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), RunFolder.open(folder, WHAT) as run:
        with run.work("steps/one") as work:
            (work / "file").write_text("done")
        run.append(note(1))
        with run.work("steps/two") as work:
            (work / "file").write_text("half")
            raise KeyboardInterrupt
    assert read_json(folder / "run.json")["status"] == "interrupted"
    with RunFolder.open(folder, WHAT, resume=True) as run:
        assert run.has("steps/one")
        assert not run.has("steps/two")
        run.append(note(1))
        run.append(note(2))
        run.set_status("finished", verdict="MET")
    assert [entry.number for entry in read_ledger(folder)] == [1, 2]
    assert read_json(folder / "run.json")["status"] == "finished"


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="full: is not empty"), RunFolder.open(tmp_path / "full", WHAT):
        pass
    with (
        pytest.raises(OutputError, match="no run to resume"),
        RunFolder.open(tmp_path / "full", WHAT, resume=True),
    ):
        pass
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        check_free(tmp_path / "file" / "run")


def test_another_recipe_does_not_resume(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, WHAT):
        pass
    with (
        pytest.raises(OutputError, match="another recipe"),
        RunFolder.open(tmp_path, {"recipe": 2}, resume=True),
    ):
        pass


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pquant_hls.store import RunFolder; from pquant_hls.errors import OutputError\n"
        "try:\n  with RunFolder.open(Path(sys.argv[1]), {'recipe': 1, 'model': 'abc'}, resume=True): pass\n"
        "except OutputError as cause: sys.exit(str(cause))"
    )
    with RunFolder.open(tmp_path, WHAT):
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert "another process" in other.stderr


def test_a_ledger_cut_short_loses_only_its_last_line(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, WHAT) as run:
        run.append(note(1))
        run.append(note(2))
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:-5])
    assert [entry.number for entry in read_ledger(tmp_path)] == [1]
    ledger.write_text('{"round": 1}\nnonsense\n{"round": 3}\n')
    with pytest.raises(OutputError, match="line 2"):
        read_ledger(tmp_path)


def test_json_is_written_whole_with_versions(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    assert read_json(tmp_path / "a.json")["versions"]["numpy"]
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text())["x"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(tmp_path / "none" / "a.json", {})


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_killed_before_it_was_written_down_begins_anew(tmp_path: Path, resume: bool) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "run.json.123.part").write_text('{"ident')
    (tmp_path / ".run.json.part-abcdefgh").mkdir()
    check_free(tmp_path, resume=resume)
    with RunFolder.open(tmp_path, WHAT, resume=resume) as run:
        run.append(note(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "ledger.jsonl", "run.json"]


def test_what_a_killed_run_left_half_done_is_taken_away(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, WHAT) as run, run.work("steps/one") as work:
        (work / "part.txt").write_text("done")
    for left in ("steps/two.part/deep", "cache/ab/.part-abcdefgh", "cache/ab/0123", "handover.old.part"):
        (tmp_path / left).mkdir(parents=True)
    with RunFolder.open(tmp_path, WHAT, resume=True):
        pass
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    expected = {".lock", "run.json", "steps", "steps/one", "steps/one/part.txt"}
    assert found == expected | {"cache", "cache/ab", "cache/ab/0123"}


def tmpfs(folder: Path) -> bool:
    """Mount a small disk; only root may."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        return False
    folder.mkdir()
    words = [mount, "-t", "tmpfs", "-o", "size=256k", "test", str(folder)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_a_full_disk_cuts_no_line_short_and_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    if not tmpfs(disk):
        pytest.skip("no tmpfs can be mounted here")
    try:
        long = Entry(kind="note", name="x" * 3000)
        with (
            pytest.raises(OutputError, match=r"no space is left .*--resume") as told,
            RunFolder.open(disk / "run", WHAT) as run,
        ):
            for number in range(1000):
                run.append(long.with_(number=number))
        assert told.value.exit_code == 2
        whole = read_ledger(disk / "run")
        assert (disk / "run" / "ledger.jsonl").read_bytes().endswith(b"\n")
        assert [entry.number for entry in whole] == list(range(len(whole)))
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        with RunFolder.open(disk / "run", WHAT, resume=True) as run:
            assert not run.torn
            run.append(note(5000))
        assert read_ledger(disk / "run")[-1].number == 5000
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)
