"""``report``: a run folder as one HTML page, as JUnit XML, or as the table again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pquant_hls.reporting import RunReport


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[Path, typer.Argument(help="run folder of compress, of a pipeline or of tune")],
    html: Annotated[
        Path | None, typer.Option("--html", help="write one page with tables and pictures")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="write JUnit XML: a test case for each limit")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Show a finished or interrupted run; exits by its verdict."""
    from dataclasses import asdict

    from pquant_hls.cli.compress import EXIT_OF_VERDICT
    from pquant_hls.cli.console import print_json
    from pquant_hls.reporting import read_run, to_html, to_junit
    from pquant_hls.store import write_bytes

    found = read_run(run)
    if html is not None:
        write_bytes(html, to_html(found).encode())
    if junit is not None:
        write_bytes(junit, to_junit(found).encode())
    if json:
        print_json(
            {
                "schema_version": 1,
                "verdict": str(found.verdict),
                "recorded_verdict": found.recorded,
                "status": found.status,
                "reason": found.reason,
                "basis": found.basis,
                "checks": [str(check) for check in found.checks],
                "test_split": None if found.on_test is None else str(found.on_test),
                "qor": found.qor,
                "lines": [asdict(line) for line in found.lines],
            }
        )
    else:
        _show(found)
    return EXIT_OF_VERDICT[str(found.verdict)]


def _show(found: RunReport) -> None:
    from pquant_hls.cli.compress import limits_text
    from pquant_hls.cli.console import lines_table, notes_lines, output_console, rounds_table
    from pquant_hls.spec import Recipe

    console = output_console()
    if found.recipe is None:
        console.print(lines_table(console, found.lines))
    else:
        limits = limits_text(Recipe.parse(found.recipe))
        console.print(rounds_table(console, found.rounds, found.baseline_accuracy, limits))
    state = found.verdict if found.status == "finished" else f"{found.status}, {found.verdict}"
    console.print(f"{state}: {found.reason}")
    if found.basis:
        console.print(f"the verdict {found.basis}")
    if found.on_test is not None:
        console.print(f"on the test split, which decided nothing: {found.on_test}")
    console.print(notes_lines((found.qor or {}).get("notes") or ()), end="")
