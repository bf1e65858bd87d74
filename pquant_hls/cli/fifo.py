"""``fifo``: how deep the FIFOs of an io_stream project must be, by the traffic of its csim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.runs import project_in

if TYPE_CHECKING:
    from pquant_hls.fifo import Sizing
    from pquant_hls.hls import HlsProject

COLUMNS = ("FIFO", "written by", "tokens", "places now", "places that do")
EVENTS = 2
"""Random events whose traffic is recorded where no inputs are given; it does not depend on their values."""


def register(app: typer.Typer) -> None:
    app.command()(fifo)


def fifo(
    project: Annotated[
        Path, typer.Argument(help="folder of an io_stream HLS project, or a run folder", callback=project_in)
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--inputs", help=".npy of events, once for each input port; left out: random ones"),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="put the depths into the project's pragmas and its graph")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> int:
    """Find the fewest places of each FIFO with which the design gets stuck nowhere and is no slower."""
    from pquant_hls.cli.console import print_json
    from pquant_hls.fifo import size_fifos, with_fifo_depths
    from pquant_hls.hls import load_project

    with busy("the traffic of the FIFOs: csim compiled and run"):
        loaded = load_project(project)
        found = size_fifos(loaded, _events(loaded, inputs))
        sized = with_fifo_depths(loaded, found.depths) if write else None
    if json:
        print_json(_record(project, found, written=write))
    else:
        _show(found, loaded, sized)
    return 0


def _events(project: HlsProject, inputs: list[Path] | None) -> Any:
    from pquant_hls.cli.csim import input_arrays
    from pquant_hls.golden import random_inputs

    if not inputs:
        return random_inputs(project, EVENTS)
    arrays = input_arrays(inputs)
    return [array[:EVENTS] for array in arrays] if isinstance(arrays, list) else arrays[:EVENTS]


def _record(project: Path, found: Sizing, *, written: bool) -> dict[str, Any]:
    rows = [
        {
            "fifo": one.name,
            "writer": one.writer,
            "tokens": one.tokens,
            "now": one.written,
            "depth": one.depth,
        }
        for one in found.fifos
    ]
    return {
        "schema_version": 1,
        "project": str(project),
        "fifos": rows,
        "cycles": list(found.cycles),
        "rated": found.rated,
        "written": written,
    }


def _show(found: Sizing, before: HlsProject, after: HlsProject | None) -> None:
    from pquant_hls.cli.console import output_console
    from pquant_hls.cli.tables import fitting_table

    console = output_console()
    rows = [
        (one.name, one.writer or "-", *(f"{n:,}" for n in (one.tokens, one.written, one.depth)))
        for one in found.fifos
    ]
    console.print(fitting_table(console, COLUMNS, rows))
    console.print("with these places no layer waits for ever, whatever the layers' speeds")
    ends = ", ".join(f"{end:,.0f}" for end in found.cycles)
    by = (
        "the estimator's cycles of each layer"
        if found.rated
        else "one cycle a step: their cycles are not known"
    )
    console.print(f"events leave after {ends} cycles, as with the depths written before (by {by})")
    if after is not None:
        console.print(f"written: {after.path}")
        for name, was, now in _saved(before, after):
            console.print(f"  {name.upper()} {was:,.0f} -> {now:,.0f} (estimate)")


def _saved(before: HlsProject, after: HlsProject) -> list[tuple[str, float, float]]:
    """(resource, with the old depths, with the new ones) where the estimate can tell and they differ."""
    from pquant_hls.measure import estimated
    from pquant_hls.qor import RESOURCE_NAMES

    old, new = (estimated(project).resources for project in (before, after))
    pairs = [(name, getattr(old, name, None), getattr(new, name, None)) for name in RESOURCE_NAMES]
    return [
        (name, was, now) for name, was, now in pairs if was is not None and now is not None and was != now
    ]
