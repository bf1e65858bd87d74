"""``report``: a run folder as one page, as Markdown, JSON or JUnit XML, or as the table again; a firmware as a page."""

from __future__ import annotations

import json as _json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pquant_hls.cli.measure import Clock, Part

if TYPE_CHECKING:
    from pquant_hls.hls import HlsProject
    from pquant_hls.reporting import RunReport


class ReportForm(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"
    JUNIT = "junit"


ENDINGS = {
    ".html": ReportForm.HTML,
    ".htm": ReportForm.HTML,
    ".md": ReportForm.MARKDOWN,
    ".json": ReportForm.JSON,
    ".xml": ReportForm.JUNIT,
}


Run = Annotated[
    Path, typer.Argument(help="run folder of compress, of a pipeline or of tune; or a firmware's folder")
]
Beside = Annotated[Path | None, typer.Argument(help="another run folder, to be shown side by side")]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="file to write; its ending .html, .md, .json or .xml says the form"),
]
Form = Annotated[
    ReportForm | None, typer.Option("--format", help="the form of -o, or of what is printed without it")
]
Unlike = Annotated[
    bool,
    typer.Option("--unlike", help="show two runs of other data, parts or clocks side by side all the same"),
]
Page = Annotated[
    Path | None, typer.Option("--html", help="write one page with tables and pictures, as -o PAGE.html")
]
Junit = Annotated[
    Path | None, typer.Option("--junit", help="write JUnit XML: a test case for each limit, as -o FILE.xml")
]


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: Run,
    beside: Beside = None,
    out: Out = None,
    form: Form = None,
    unlike: Unlike = False,
    html: Page = None,
    junit: Junit = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object, as --format json")] = False,
    part: Part = None,
    clock: Clock = None,
) -> int:
    """Show a finished or interrupted run, or two side by side, and exit by the verdict of the first; or write the page of a
    firmware."""
    page = out if html is None else html
    if page is not None and is_firmware(run):
        return _firmware(run, page, part, clock)
    from pquant_hls.cli.compress import EXIT_OF_VERDICT
    from pquant_hls.reporting import read_run
    from pquant_hls.store import write_bytes

    runs = [read_run(folder) for folder in (run, beside) if folder is not None]
    form = ReportForm.JSON if json else form
    wanted = [
        (out, form if form is not None and out is not None else _form_of(out)),
        (html, ReportForm.HTML),
        (junit, ReportForm.JUNIT),
    ]
    for path, kind in wanted:
        if path is not None and kind is not None:
            write_bytes(path, _written(runs, kind, unlike=unlike).encode())
    if form is not None and out is None:
        typer.echo(_written(runs, form, unlike=unlike), nl=False)
    else:
        for found in runs:
            _show(found)
    return EXIT_OF_VERDICT[str(runs[0].verdict)]


def _form_of(out: Path | None) -> ReportForm | None:
    """The form that a file's name asks for; None without a file."""
    from pquant_hls.errors import SpecError

    if out is None or out.suffix in ENDINGS:
        return None if out is None else ENDINGS[out.suffix]
    raise SpecError(
        f"{out.name} ends in none of {', '.join(ENDINGS)}", where="-o", mend="say its form by --format"
    )


def _written(runs: list[RunReport], form: ReportForm, *, unlike: bool) -> str:
    from pquant_hls.errors import SpecError
    from pquant_hls.reporting import to_html, to_junit, to_markdown, to_record

    if form is ReportForm.HTML:
        return to_html(*runs, unlike=unlike)
    if form is ReportForm.MARKDOWN:
        return to_markdown(*runs, unlike=unlike)
    if len(runs) > 1:
        raise SpecError(
            f"{form} holds one run, {len(runs)} were given", where="report", mend="give html or md for two"
        )
    if form is ReportForm.JUNIT:
        return to_junit(runs[0])
    return _json.dumps(to_record(runs[0]), indent=1, default=str, allow_nan=False) + "\n"


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
    from pquant_hls.cli.life import busy
    from pquant_hls.cli.measure import target_asked
    from pquant_hls.errors import NotMeasured, UnsupportedModel
    from pquant_hls.firmware import examine
    from pquant_hls.golden import compare_weights
    from pquant_hls.hls import load_project
    from pquant_hls.measure import measure_project
    from pquant_hls.qor import QoR
    from pquant_hls.reporting import firmware_html
    from pquant_hls.store import write_bytes

    asked = target_asked(part, clock, None)
    with busy(f"measuring {path}"):
        project = load_project(path)
        try:
            qor = measure_project(path, spec=asked)
        except (NotMeasured, UnsupportedModel) as cause:
            qor = QoR(notes=(str(cause),))
    remarks = [f"error {one}" for one in compare_weights(project)] + [
        str(one) for one in examine(project.read)
    ]
    write_bytes(page, firmware_html(project.name, _ports(project), qor, remarks).encode())
    return 0


def _ports(project: HlsProject) -> list[list[str]]:
    """(side, name, shape, type) of every port."""
    sides = (("input", project.inputs), ("output", project.outputs))
    return [
        [side, port.name, " x ".join(map(str, port.shape)), str(port.type or "not fixed-point")]
        for side, found in sides
        for port in found
    ]


def _show(found: RunReport) -> None:
    from pquant_hls.cli.closing import Closing
    from pquant_hls.cli.compress import limits_text
    from pquant_hls.cli.console import output_console
    from pquant_hls.cli.tables import lines_table, rounds_table
    from pquant_hls.spec import Recipe

    console = output_console()
    if found.recipe is None:
        console.print(lines_table(console, found.lines))
    else:
        limits = limits_text(Recipe.parse(found.recipe))
        console.print(rounds_table(console, found.rounds, found.baseline_accuracy, limits))
    Closing.of_run(found).show(console)
