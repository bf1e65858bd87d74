"""A pseudo-terminal for the command line: what a person is sent, with and without what moves."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from typing import NamedTuple

MARKS = re.compile("\x1b\\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


class Sent(NamedTuple):
    """All that was sent, and the exit status."""

    raw: str
    status: int

    @property
    def lines(self) -> list[str]:
        """What stays on the screen: without colours, and of a line that moved its last state."""
        screen: list[str] = [""]
        row = 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.raw):
            if part == "\n":
                row += 1
                screen += [""] * (row + 1 - len(screen))
            elif part == "\x1b[2K":
                screen[row] = ""
            elif re.fullmatch(r"\x1b\[\d*A", part):
                row = max(0, row - int(part[2:-1] or 1))
            elif part[0] not in "\x1b\r":
                screen[row] += part
        return screen


def on_terminal(words: list[str], columns: int = 80, **variables: str) -> Sent:
    """The command line on a pseudo-terminal of this width: stdin, stdout and stderr."""
    told = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "CI")}
    command = [sys.executable, "-m", "pquant_hls", *words]
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**told, "TERM": "xterm", **variables}
    with subprocess.Popen(command, stdout=its, stdin=its, stderr=its, env=environment) as process:
        os.close(its)
        sent = b""
        with suppress(OSError):  # what Linux says at the end of a pseudo-terminal
            while part := os.read(ours, 65536):
                sent += part
    os.close(ours)
    return Sent(sent.decode(), process.returncode)
