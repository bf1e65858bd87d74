"""``report``: a run folder as one HTML page, as JUnit XML, or as the table again; a firmware as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pquant_hls.reporting import RunReport


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Annotated[
        Path, typer.Argument(help="run folder of compress, of a pipeline or of tune; or a firmware's folder")
    ],
    html: Annotated[
        Path | None, typer.Option("--html", help="write one page with tables and pictures")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="write JUnit XML: a test case for each limit")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    part: Annotated[
        str | None, typer.Option("--part", help="AMD part of firmware without build files")
    ] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="its clock: 2.5 (ns) or '360 MHz'")] = None,
) -> int:
    """Show a finished or interrupted run, and exit by its verdict; or write the page of a firmware (--html)."""
    if html is not None and is_firmware(run):
        return _firmware(run, html, part, clock)
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


def is_firmware(path: Path) -> bool:
    """Whether there are C++ sources, and no run of this package."""
    from pquant_hls.errors import UnsupportedModel
    from pquant_hls.firmware import find

    if (path / "run.json").is_file():
        return False
    try:
        find(path)
    except UnsupportedModel:
        return False
    return True


def _firmware(path: Path, page: Path, part: str | None, clock: str | None) -> int:
    """0: a page is no verdict; what could not be measured stands on it."""
    from pquant_hls.cli.measure import target_asked
    from pquant_hls.errors import NotMeasured, UnsupportedModel
    from pquant_hls.firmware import examine
    from pquant_hls.golden import compare_weights
    from pquant_hls.hls import load_project
    from pquant_hls.measure import measure_project
    from pquant_hls.qor import QoR
    from pquant_hls.reporting import firmware_html
    from pquant_hls.store import write_bytes

    project = load_project(path)
    try:
        qor = measure_project(path, spec=target_asked(part, clock, None))
    except (NotMeasured, UnsupportedModel) as cause:
        qor = QoR(notes=(str(cause),))
    sides = (("input", project.inputs), ("output", project.outputs))
    ports = [
        [side, port.name, " x ".join(map(str, port.shape)), str(port.type or "not fixed-point")]
        for side, found in sides
        for port in found
    ]
    remarks = [f"error {one}" for one in compare_weights(project)] + [
        str(one) for one in examine(project.read)
    ]
    write_bytes(page, firmware_html(project.name, ports, qor, remarks).encode())
    return 0


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
