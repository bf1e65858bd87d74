"""``suggest``: what fits a budget, by the estimator alone, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pquant_hls.estimate import Suggestion

COLUMNS = (
    "verdict",
    "network",
    "each value",
    "strategy",
    "reuse",
    "cycles",
    "ns",
    "LUT",
    "DSP",
    "not met for certain",
)
SHOWN = 24
"""Rows of the table without --all."""


def register(app: typer.Typer) -> None:
    app.command()(suggest)


def suggest(
    model: Annotated[
        str, typer.Argument(help="sizes such as 16-64-32-32-5, or a Keras model file of dense layers")
    ],
    latency: Annotated[str | None, typer.Option("--latency", help="budget such as '40 ns' or '2 BX'")] = None,
    part: Annotated[str | None, typer.Option("--part", help="AMD part number; left out: a VU13P")] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="'5 ns' or '200 MHz'")] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="Vitis, Vivado or an added one")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", help="name=value, such as dsp=0 or lut=100000; may be repeated"),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every row, those that do not fit too")] = False,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> int:
    """List which widths, bits and reuse factors fit a budget, in seconds: exit 0 some fit, 4 some may, 1 none."""
    from pquant_hls.cli.compress import EXIT_OF_VERDICT
    from pquant_hls.cli.console import clean_stdout, print_json
    from pquant_hls.cli.gate import budget_of
    from pquant_hls.cli.life import busy
    from pquant_hls.estimate import suggest as find

    words = [*([] if latency is None else [f"latency_ns={latency}"]), *(limit or [])]
    with busy("estimating designs"), clean_stdout():
        found = find(
            model, part=part, clock=clock, backend=backend, budget=budget_of(words, None, needed=False)
        )
    if json:
        print_json({"schema_version": 1, "suggestions": [one.record for one in found]})
    else:
        _show(found, every=every)
    return EXIT_OF_VERDICT[str(found[0].verdict)]


def _show(found: Sequence[Suggestion], *, every: bool) -> None:
    from pquant_hls.cli.console import output_console
    from pquant_hls.cli.tables import fitting_table

    console, shown = output_console(), found if every else found[:SHOWN]
    console.print(fitting_table(console, COLUMNS, map(_row, shown)))
    if len(shown) < len(found):
        console.print(f"{len(found) - len(shown)} more with --all")
    for note in found[0].qor.notes:
        console.print(f"note: {note}", markup=False)


def _row(one: Suggestion) -> tuple[str, ...]:
    from pquant_hls.qor.words import interval, latency_texts

    record, used = one.qor.model_dump(mode="json"), one.qor.resources
    figures = (
        []
        if used is None
        else [
            interval(used.intervals[name][0], getattr(used, name), used.intervals[name][1])
            for name in ("lut", "dsp")
        ]
    )
    failing = one.judgement.failing()
    return (
        str(one.verdict),
        one.shape,
        f"{one.bits} bits",
        one.strategy,
        str(one.reuse_factor),
        *latency_texts(record),
        *(figures or ["-", "-"]),
        "; ".join(check.text for check in failing) or "-",
    )
