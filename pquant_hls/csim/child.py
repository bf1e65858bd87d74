"""Run a program whose time limit holds for all it starts: g++ hands its work to another process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run_child(
    command: Sequence[str], cwd: Path, timeout_s: float, *, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Feed ``text`` to a program and collect what it says; it and its children end with this call.

    Raises
    ------
    subprocess.TimeoutExpired : it ran longer than ``timeout_s`` seconds and was killed.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=cwd,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(text, timeout=timeout_s)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, child.returncode, out, err)
