"""``report``: a run folder as one HTML page, as JUnit XML, or as the table again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[Path, typer.Argument(help="run folder")],
    html: Annotated[Path | None, typer.Option("--html", help="write one page with table and picture")] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="write JUnit XML: a test case for each limit")
    ] = None,
) -> int:
    """Show a finished or interrupted run; exits by its verdict."""
    from pquant_hls.cli.compress import EXIT_OF_VERDICT, limits_text
    from pquant_hls.cli.console import output_console, rounds_table
    from pquant_hls.reporting import read_run, to_html, to_junit
    from pquant_hls.spec import Recipe
    from pquant_hls.store import write_bytes

    found = read_run(run)
    if html is not None:
        write_bytes(html, to_html(found).encode())
    if junit is not None:
        write_bytes(junit, to_junit(found).encode())
    console = output_console()
    console.print(
        rounds_table(list(found.rounds), found.baseline_accuracy, limits_text(Recipe.parse(found.recipe)))
    )
    console.print(f"{found.verdict or found.status}: {found.reason}")
    return EXIT_OF_VERDICT.get(str(found.verdict), 4)
