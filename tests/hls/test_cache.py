"""The cache of csim libraries: bounded, and never at the cost of a check that is running."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.csim import Library, build, predict
from pquant_hls.csim.cache import LIMIT_VARIABLE, MANIFEST, damage, drop_oldest, publish, seal
from pquant_hls.errors import SpecError, ToolFailed
from pquant_hls.golden import Golden, check, random_inputs, record
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


def cut(entry: Path) -> None:
    """The library ends in the middle, as after a full disk: to load it would end in a bus error."""
    library = entry / "csim.so"
    library.write_bytes(library.read_bytes()[: library.stat().st_size // 2])


def another_weight(entry: Path) -> None:
    weights = sorted((entry / "weights").glob("w*.txt"))[0]
    weights.write_text("0.75, " + weights.read_text().partition(", ")[2])


def more(entry: Path) -> None:
    (entry / "weights" / "w9.txt").write_text("1")


DAMAGES = {"csim.so": cut, "weights/w": another_weight, "w9.txt": more}


def as_built(library: Library) -> np.ndarray:
    found = predict(library, np.linspace(-4, 4, 60).reshape(20, 3))
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.gxx
def test_a_damaged_entry_is_found_before_it_is_loaded_and_built_anew(
    mini_project: Path, tmp_path: Path
) -> None:
    project = load_project(mini_project)
    library = build(project, cache=tmp_path / "cache")
    right, entry = as_built(library), library.path.parent
    assert library.notes == ()
    for name, harm in DAMAGES.items():
        harm(entry)
        assert name in (damage(entry) or "")
        again = build(project, cache=tmp_path / "cache")
        assert again.notes[0].startswith("the kept csim library was altered")
        np.testing.assert_array_equal(as_built(again), right)
    for harm in (cut, another_weight, lambda entry: (entry / MANIFEST).unlink()):
        harm(entry)  # after it was built, before it is loaded
        np.testing.assert_array_equal(as_built(library), right)
    assert list(tmp_path.rglob(".part-*")) == []


@pytest.mark.gxx
def test_a_rebuilt_library_is_said_in_the_check(mini_project: Path, tmp_path: Path) -> None:
    project = load_project(mini_project)
    golden = record(project, random_inputs(project, 16), cache=tmp_path)
    assert isinstance(golden, Golden)
    another_weight(build(project, cache=tmp_path).path.parent)
    found = check(project, golden, cache=tmp_path)
    assert (found.passed, found.layer) == (True, None)
    assert "built anew" in found.notes[0]


@pytest.mark.gxx
def test_a_damaged_library_of_a_project_edited_since_is_not_replaced(
    mini_project: Path, tmp_path: Path, edit: Edit
) -> None:
    library = build(load_project(mini_project), cache=tmp_path)
    cut(library.path.parent)
    edit(mini_project, f"firmware/{library.project.name}.cpp", "#include", "// edited\n#include")
    with pytest.raises(ToolFailed, match="the project has changed since"):
        as_built(library)


@pytest.mark.gxx
def test_many_users_of_a_damaged_entry_all_get_the_right_values(mini_project: Path, tmp_path: Path) -> None:
    project = load_project(mini_project)
    library = build(project, cache=tmp_path)
    right = as_built(library)
    another_weight(library.path.parent)
    found: list[np.ndarray] = []
    users = [
        threading.Thread(target=lambda: found.append(as_built(build(project, cache=tmp_path))))
        for _ in range(4)
    ]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(found) == 4
    assert all(np.array_equal(values, right) for values in found)
    assert damage(library.path.parent) is None


def test_a_whole_entry_of_another_process_stays(tmp_path: Path) -> None:
    made, place = entry(tmp_path / "part", "aa1", 0), entry(tmp_path, "aa1", 1)
    seal(made)
    seal(place)
    publish(made, place)
    assert (made.exists(), damage(place)) == (True, None)
    (place / "csim.so").write_bytes(b"cut")
    publish(made, place)
    assert (made.exists(), (place / "csim.so").stat().st_size, damage(place)) == (False, 1000, None)


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
