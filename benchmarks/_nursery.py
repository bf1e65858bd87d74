"""Command lines in children of one process that has imported TensorFlow, but not started it: ten seconds saved each.

What is killed is the command's own process, not its children.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENDS_S = 10.0
"""How long what a killed command had started may take to end with it."""


def load() -> None:
    """Import what every command needs. No tensor is made: TensorFlow's threads would not live on in a child."""
    import hls4ml  # noqa: F401
    import keras  # noqa: F401
    import qkeras  # noqa: F401
    import tensorflow  # noqa: F401

    import pquant_hls.cli.app
    import pquant_hls.engine.compress
    import pquant_hls.tune.study  # noqa: F401


@dataclass
class Command:
    """A running command line and its output; ``began`` is of ``time.monotonic``."""

    pid: int
    log: Path
    began: float
    status: int | None = None

    @classmethod
    def start(cls, words: Sequence[object], log: Path, temporary: Path) -> Command:
        """``pquant-hls`` with ``words``, temporary files in ``temporary``, caches beside them."""
        sys.stdout.flush()
        pid = os.fork()  # noqa: TID251 - a child that shares what is imported
        if pid == 0:
            _become([str(word) for word in words], log, temporary)
        return cls(pid, log, time.monotonic())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def ended(self) -> bool:
        """Whether it has ended; ``status`` is then its exit status, negative for a signal."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, limit_s: float) -> bool:
        """Whether it ended within ``limit_s`` seconds."""
        limit = time.monotonic() + limit_s
        while not self.ended():
            if time.monotonic() > limit:
                return False
            time.sleep(0.02)
        return True

    def kill(self) -> int:
        """SIGKILL to it alone; how many of the processes it had started still live ``ENDS_S`` seconds later."""
        below = descendants(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        self.wait(ENDS_S)
        limit = time.monotonic() + ENDS_S
        while (left := [pid for pid in below if _lives(pid)]) and time.monotonic() < limit:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)


def _become(words: list[str], log: Path, temporary: Path) -> None:
    status = 70
    try:
        with log.open("ab", buffering=0) as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        os.environ["TMPDIR"], os.environ["XDG_CACHE_HOME"] = str(temporary), str(temporary.parent / "cache")
        tempfile.tempdir = None
        from pquant_hls.cli.app import main

        main(words)
    except SystemExit as cause:
        status = cause.code if isinstance(cause.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def descendants(pid: int) -> list[int]:
    """Children of a process, theirs, and so on, by proc(5)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        found += [*below, *(deeper for child in below for deeper in descendants(child))]
    return found


def _lives(pid: int) -> bool:
    """Whether a process is there, and no zombie that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
