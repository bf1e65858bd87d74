"""``schema``: what an editor may know of recipes and studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def register(app: typer.Typer) -> None:
    app.command()(schema)


def schema(
    what: Annotated[Literal["recipe", "study"], typer.Argument(help="recipe or study")] = "recipe",
    out: Annotated[
        Path | None, typer.Option("--out", help="file to write; left out: standard output")
    ] = None,
) -> int:
    """Print the JSON Schema of recipes or studies, with the steps that are installed, for editors to complete and check by.

    A recipe whose first line is `# yaml-language-server: $schema=FILE` is checked as it is typed.
    """
    import json

    from pquant_hls.files import write_bytes
    from pquant_hls.spec.schema import SCHEMAS

    text = json.dumps(SCHEMAS[what](), indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return 0
    write_bytes(out, text.encode())
    return 0
