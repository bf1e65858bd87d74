"""A sign of life on stderr while a command works: a moving line in a terminal, elsewhere a plain one where it takes long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from pquant_hls.engine.progress import MovingLine, error_console
from pquant_hls.programs.quoting import terminal

SOON_S = 2.0
"""After so many seconds a command that is no terminal's says what it is at."""


@dataclass(frozen=True)
class Life:
    """What a command is at, for who looks at it."""

    console: Console
    moving: MovingLine

    def at(self, text: str) -> None:
        """What it is at from here on."""
        self.moving.show(terminal(text))

    def said(self, line: str) -> None:
        """A line of an outside program, above what moves."""
        self.console.print(line, style="dim", markup=False)


@contextmanager
def busy(text: str) -> Iterator[Life]:
    """Show that work goes on while the block runs; nothing is left of it when results are printed."""
    console = error_console()
    life = Life(console, MovingLine(console))
    timer = threading.Timer(SOON_S, console.print, (f"{text} ...",))
    timer.daemon = True
    try:
        if life.moving.moves:
            life.at(text)
        else:
            timer.start()
        yield life
    finally:
        timer.cancel()
        life.moving.stop()
