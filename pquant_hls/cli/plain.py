"""Lines without tables, as a terminal may be shown them; light to import."""

from __future__ import annotations

import typer

from pquant_hls.programs.quoting import terminal


def echo(text: str, *, err: bool = False) -> None:
    """One text on stdout or stderr; what would command the terminal is shown instead."""
    typer.echo(terminal(text), err=err)
