"""Lines without tables, as a terminal may be shown them; light to import."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from textwrap import wrap

import typer

from pquant_hls.programs.quoting import terminal


def echo(text: str, *, err: bool = False) -> None:
    """One text on stdout or stderr; what would command the terminal is shown instead. A terminal breaks its lines between
    words; to files and programs they go whole."""
    shown = terminal(text)
    if (sys.stderr if err else sys.stdout).isatty():
        columns = get_terminal_size().columns
        shown = "\n".join(hanging(line, columns) for line in shown.split("\n"))
    typer.echo(shown, err=err)


def hanging(line: str, columns: int) -> str:
    """A line of so many columns; what it has no room for stands beneath, further in. Paths and names are not broken."""
    words = line.lstrip()
    indent = line[: len(line) - len(words)]
    return "\n".join(
        wrap(
            words,
            columns,
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
