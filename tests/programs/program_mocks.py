"""Small programs for tests of the runner, a clock to put forward, and whether a process is gone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pquant_hls.programs import process


def is_gone(pid: int, limit_s: float = 20.0) -> bool:
    """Waits until a process has ended; False when it still runs at the limit."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


class Clock:
    """Stands in for the module ``time``."""

    sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    def put_forward(self, line: str) -> None:
        """To be called with each line of a program: an hour passes when it says that it works."""
        if line in ("started", "INFO: still working"):
            self._ahead_s += 3600.0


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    """A Python program from its text, as a command."""

    def make(text: str) -> list[str]:
        path = tmp_path / f"program_{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        return [sys.executable, str(path)]

    return make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that a test can put forward, so that time limits pass at a known point of a run."""
    clock = Clock()
    monkeypatch.setattr(process, "time", clock)
    monkeypatch.setattr(process, "GRACE_S", 0.3)
    return clock
