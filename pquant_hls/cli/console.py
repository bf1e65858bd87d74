"""Printing: progress on stderr, tables on stdout, and a stdout that stays clean for ``--json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from pquant_hls.engine.progress import PlainConsole, Terminal, error_console

__all__ = [
    "Terminal",
    "clean_stdout",
    "error_console",
    "load_tensorflow",
    "output_console",
    "print_json",
]

PLAIN_WIDTH = 150
"""Columns for tables where the output is no terminal."""


def output_console() -> Console:
    """stdout, as wide as the terminal or as COLUMNS says, else wide enough for the table; for plain texts."""
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return PlainConsole(width=None if told else PLAIN_WIDTH)


@contextmanager
def _redirected(stream: TextIO, descriptor: int, to: int) -> Iterator[None]:
    """Point a file descriptor elsewhere, so that what C code prints goes there too."""
    stream.flush()
    kept = os.dup(descriptor)
    os.dup2(to, descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def clean_stdout() -> Iterator[None]:
    """Send whatever libraries print to stdout to stderr while the block runs."""
    with _redirected(sys.stdout, 1, 2):
        yield


def load_tensorflow() -> None:
    """Import TensorFlow and start it, without the lines it logs before any level can be set."""
    with Path(os.devnull).open("w") as nowhere, _redirected(sys.stderr, 2, nowhere.fileno()):
        import tensorflow as tf

        tf.zeros(())


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, default=str, allow_nan=False) + "\n")


def notes_lines(notes: Iterable[str]) -> str:
    """What was dropped, replaced or rounded, and other remarks on a design: a line each."""
    return "".join(f"note: {note}\n" for note in notes)
