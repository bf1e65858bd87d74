"""The cache of csim libraries: bounded, and never at the cost of a check that is running."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from pquant_hls.csim import build
from pquant_hls.csim.cache import LIMIT_VARIABLE, drop_oldest
from pquant_hls.errors import SpecError, ToolFailed
from pquant_hls.hls import load_project
from tests.helpers import Edit

HOUR = 3600.0


def entry(root: Path, name: str, age_h: float, size: int = 1000) -> Path:
    """An entry of the cache, last used ``age_h`` hours ago."""
    folder = root / name[:2] / name
    folder.mkdir(parents=True)
    (folder / "csim.so").write_bytes(b"x" * size)
    os.utime(folder, (time.time() - age_h * HOUR,) * 2)
    return folder


def test_the_longest_unused_entries_go_first(tmp_path: Path) -> None:
    old, older, new = entry(tmp_path, "aa1", 5), entry(tmp_path, "bb1", 9), entry(tmp_path, "cc1", 2)
    drop_oldest(tmp_path, 2000)
    assert [path.exists() for path in (old, older, new)] == [True, False, True]
    drop_oldest(tmp_path, 2000)
    assert old.exists()


def test_what_was_used_within_the_hour_stays_whatever_the_limit(tmp_path: Path) -> None:
    recent, old = entry(tmp_path, "aa1", 0.5), entry(tmp_path, "aa2", 1.5)
    drop_oldest(tmp_path, 0)
    assert (recent.exists(), old.exists()) == (True, False)


def test_leftovers_of_killed_processes_go_after_a_day(tmp_path: Path) -> None:
    (tmp_path / "aa" / ".part-1").mkdir(parents=True)
    drop_oldest(tmp_path, 0, now=time.time() + 23 * HOUR)
    assert (tmp_path / "aa" / ".part-1").exists()
    drop_oldest(tmp_path, 0, now=time.time() + 25 * HOUR)
    assert not (tmp_path / "aa" / ".part-1").exists()


def test_two_may_prune_at_once(tmp_path: Path) -> None:
    for index in range(200):
        entry(tmp_path, f"{index % 7:02d}{index}", 3)
    errors: list[BaseException] = []
    workers = [threading.Thread(target=guarded, args=(tmp_path, errors)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert list(tmp_path.glob("*/*")) == []


def guarded(root: Path, errors: list[BaseException]) -> None:
    try:
        drop_oldest(root, 0)
    except OSError as cause:
        errors.append(cause)


@pytest.mark.gxx
def test_a_new_library_pushes_old_ones_out_and_a_hit_counts_as_use(
    mini_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    project = load_project(mini_project)
    first = build(project, cache=tmp_path / "cache").path.parent
    os.utime(first, (time.time() - 2 * HOUR,) * 2)
    assert build(project, cache=tmp_path / "cache").path.parent == first
    assert time.time() - first.stat().st_mtime < HOUR
    os.utime(first, (time.time() - 2 * HOUR,) * 2)
    edit(mini_project, f"firmware/{project.name}.cpp", "#include", "// edited\n#include")
    second = build(load_project(mini_project), cache=tmp_path / "cache").path
    assert (first.exists(), second.is_file()) == (False, True)


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_named(
    text: str, mini_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(SpecError, match=LIMIT_VARIABLE):
        build(load_project(mini_project), cache=tmp_path)


@pytest.mark.gxx
def test_a_header_of_any_name_is_part_of_what_is_compiled(mini_project: Path, tmp_path: Path) -> None:
    """An edited file that the sources include must not be answered from the cache."""
    project = load_project(mini_project)
    source = mini_project / "firmware" / f"{project.name}.cpp"
    source.write_text('#include "own.inc"\n#include "beside.h"\n' + source.read_text())
    (mini_project / "beside.h").write_text("")
    digests = set()
    for text in ("// one", "// two"):
        (mini_project / "firmware" / "own.inc").write_text(text)
        digests.add(build(load_project(mini_project), cache=tmp_path).digest)
    (mini_project / "beside.h").write_text("// three")
    digests.add(build(load_project(mini_project), cache=tmp_path).digest)
    assert len(digests) == 3


@pytest.mark.gxx
def test_a_time_limit_ends_the_compiler_with_all_it_started(mini_project: Path, tmp_path: Path) -> None:
    """g++ hands its work to cc1plus, which would go on by itself."""
    project = load_project(mini_project)
    source = mini_project / "firmware" / f"{project.name}.cpp"
    source.write_text('#include "endless.h"\n' + source.read_text())
    os.mkfifo(mini_project / "firmware" / "endless.h")  # nobody ever writes into it: cc1plus waits
    with pytest.raises(ToolFailed, match="longer than 2 s"):
        build(load_project(mini_project), cache=tmp_path, timeout_s=2)
    time.sleep(0.5)
    assert processes_in(mini_project) == []


def processes_in(folder: Path) -> list[str]:
    """Processes that work in ``folder``, where the system lists them under /proc."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found += [place.parent.name] if place.readlink() == folder else []
    return found
