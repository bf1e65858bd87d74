"""Run folders of processes that are killed, or run out of disk, at random moments: resumed, they are as if nothing was."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SEED, KILLS, FILLS = 7, 8, 8
PEACE_S = 0.6
RUN = """
import sys, time
from pathlib import Path
from pquant_hls.errors import OutputError
from pquant_hls.store import Entry, RunFolder, read_ledger
try:
    with RunFolder.open(Path(sys.argv[1]), {"what": 1}, resume=True) as run:
        print("begun", flush=True)
        for number in range(12):
            name = f"steps/{number}"
            if not run.has(name):
                with run.work(name) as folder:
                    for part in range(4):
                        (folder / f"{part}.txt").write_text(str(number) * 3000)
                        time.sleep(float(sys.argv[2]))
            run.append(Entry(kind="note", number=number, reason="x" * 500))
        run.set_status("finished")
except OutputError as cause:
    sys.exit(f"told: {cause}")
"""


def start(out: Path, pause_s: float = PEACE_S / 48) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", RUN, str(out), str(pause_s)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def content(out: Path) -> dict[str, bytes]:
    """All files but ``run.json``, whose versions and status are not of interest, by their paths."""
    found = [path for path in out.rglob("*") if path.is_file() and path.name != "run.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def peace(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("peace") / "run"
    finish(start(out, 0))
    return content(out)


def finish(process: subprocess.Popen[str]) -> None:
    said = process.communicate(timeout=120)
    assert process.returncode == 0, said


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_files(tmp_path: Path, peace: dict[str, bytes]) -> None:
    moments = random.Random(SEED)  # noqa: S311
    for number in range(KILLS):
        out = tmp_path / str(number)
        process = start(out)
        if number:  # the first is killed wherever it is, most likely before it has begun
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(moments.uniform(0, PEACE_S))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finish(start(out, 0))
        assert content(out) == peace, f"seed {SEED}, kill {number}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder, mount = tmp_path / "disk", shutil.which("mount")
    folder.mkdir()
    words = [str(mount), "-t", "tmpfs", "-o", "size=1m", "test", str(folder)]
    if mount is None or os.geteuid() != 0 or subprocess.run(words, check=False).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.mark.slow
def test_a_run_on_a_full_disk_says_so_and_resumes_to_the_same_files(
    disk: Path, peace: dict[str, bytes]
) -> None:
    rooms = random.Random(SEED)  # noqa: S311
    for number in range(FILLS):
        out, ballast = disk / str(number), disk / "ballast"
        room = rooms.randrange(4096, 240_000)
        with ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk).free - room)
        process = start(out, 0)
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 0 or "told:" in said, said
        ballast.unlink()
        finish(start(out, 0))
        assert content(out) == peace, f"seed {SEED}, {room} bytes left"
        shutil.rmtree(out)
