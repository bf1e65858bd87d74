"""Nothing half-written carries its name; nothing that a killed process left lies about for long."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pquant_hls.errors import OutputError
from pquant_hls.files import out_of_room, replacing, scratch, write_bytes

HOLD = """
import sys, time
from pathlib import Path
from pquant_hls.files import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "file").write_text("half done")
    print(folder, flush=True)
    time.sleep(600)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path: Path) -> None:
    held = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = [Path(str(process.stdout.readline()).strip()) for process in held if process.stdout]
    try:
        held[0].send_signal(signal.SIGKILL)
        held[0].wait()
        assert folders[0].is_dir(), "a killed process cleans nothing up"
        with scratch(tmp_path):
            assert not folders[0].exists()
            assert folders[1].is_dir()
    finally:
        for process in held:
            process.kill()
            process.communicate()


def test_only_folders_of_the_very_form_are_removed(tmp_path: Path) -> None:
    for name in ("pquant", "pquant.part-", "pquant.part-short", "pquant.part-UPPERCAS", "mine.part-abcdefgh"):
        (tmp_path / name).mkdir()
    (tmp_path / "pquant.part-fileyfil").write_text("no folder")
    (tmp_path / "pquant.part-linklink").symlink_to(tmp_path / "pquant")
    before = names(tmp_path)
    with scratch(tmp_path) as folder:
        assert folder.name.startswith("pquant.part-")
    assert names(tmp_path) == before


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"one")
    with pytest.raises(ZeroDivisionError), replacing(path) as made:
        made.write_bytes(b"two")
        raise ZeroDivisionError
    assert path.read_bytes() == b"one"
    write_bytes(path, b"three")
    assert path.read_bytes() == b"three"
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert names(tmp_path) == ["file"]


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_folder_takes_the_place_of_another_and_never_a_file_that_of_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in range(2):
        with replacing(out) as made:
            made.mkdir()
            (made / f"file{number}").write_text("new")
    assert names(out) == ["file1"]
    with pytest.raises(OutputError, match="out: cannot be written"):
        write_bytes(out, b"a file")
    assert names(out) == ["file1"]
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_known_wherever_it_stands_in_the_chain() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    told = OutputError("cannot be written")
    told.__cause__ = full
    assert out_of_room(full)
    assert out_of_room(told)
    assert not out_of_room(OSError(errno.EACCES, "no"))
    assert not out_of_room(ValueError())
