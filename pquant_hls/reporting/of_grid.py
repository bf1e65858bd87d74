"""A heat map of designs over a grid of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pquant_hls.errors import SpecError
from pquant_hls.qor.words import fixed, number
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.plane import Cells
from pquant_hls.reporting.recorded import missing
from pquant_hls.reporting.run import RunReport

VALUES: dict[str, tuple[int, bool, Callable[[Line], float | None]]] = {
    "accuracy": (2, True, lambda line: None if line.accuracy is None else 100 * line.accuracy),
    "worst_ns": (0, False, lambda line: line.worst_ns),
    "ratio": (1, True, lambda line: line.ratio),
}
"""What may be shown: its decimals, whether more is better, and where it stands."""
WORDS = {"accuracy": "accuracy, %", "worst_ns": "worst latency, ns", "ratio": "compression ratio"}


def heat_figure(run: RunReport, value: str = "accuracy") -> Picture:
    """One figure of each design of a sweep over its first two parameters; of more the best over the others stands there.

    Designs that break a limit are marked with an asterisk. SpecError for a figure that is none of ``VALUES``, NotMeasured for
    a run without trials.
    """
    if value not in VALUES:
        raise SpecError(f"no figure {value!r}", where="value", mend=f"one of {', '.join(VALUES)}")
    trials = [(entry.settings["params"], line) for entry, line in _trials(run)]
    if not trials:
        raise missing("designs of a grid")
    names = list(trials[0][0])
    across, down = names[0], names[1] if len(names) > 1 else ""
    columns, rows = _seen(trials, across), _seen(trials, down) if down else [""]
    grid = [
        [
            _best(
                [line for params, line in trials if params[across] == column and params.get(down, "") == row],
                value,
            )
            for column in columns
        ]
        for row in rows
    ]
    figures = [[None if line is None else VALUES[value][2](line) for line in cells] for cells in grid]
    said = [
        [_said(line, figure, value) for line, figure in zip(*pair, strict=True)]
        for pair in zip(grid, figures, strict=True)
    ]
    labels = [str(row) for row in rows] if down else [WORDS[value]]
    more = f", the best over {', '.join(names[2:])}" if len(names) > 2 else ""
    star = "; * breaks a limit" if any("*" in cell for row in said for cell in row) else ""
    drawn = Cells(
        labels,
        [str(column) for column in columns],
        _shares(figures),
        said,
        across,
        f"{down or 'one row'}{more}{star}",
    )
    table = TextTable(
        (down or "figure", *(f"{across} {column}" for column in columns)),
        tuple((label, *cells) for label, cells in zip(labels, said, strict=True)),
    )
    title = f"{WORDS[value].capitalize()} over {across}{f' and {down}' if down else ''}"
    alt = f"Heat map of {len(trials)} designs: {_span(figures)}{more}{star}."
    return Picture(title, alt, table, drawn.draw)


def _trials(run: RunReport) -> Sequence[tuple[Any, Line]]:
    entries = [entry for entry in run.records if entry.kind != "step"]
    return [
        pair
        for pair in zip(entries, run.lines, strict=True)
        if pair[0].kind == "trial" and pair[0].settings.get("params")
    ]


def _seen(trials: Sequence[tuple[dict[str, Any], Line]], name: str) -> list[Any]:
    return list(dict.fromkeys(params[name] for params, _ in trials))


def _best(found: Sequence[Line], value: str) -> Line | None:
    """The design to show in a cell: allowed ones first, then the best figure."""
    _, more, figure_of = VALUES[value]
    known = [line for line in found if figure_of(line) is not None]
    return max(
        known, key=lambda line: (not line.broke, (figure_of(line) or 0.0) * (1 if more else -1)), default=None
    )


def _said(line: Line | None, figure: float | None, value: str) -> str:
    if line is None or figure is None:
        return "-"
    return fixed(figure, VALUES[value][0]) + ("*" if line.broke else "")


def _shares(figures: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    known = [figure for row in figures for figure in row if figure is not None]
    low, span = min(known, default=0.0), max(known, default=1.0) - min(known, default=0.0)
    return [
        [None if figure is None else (figure - low) / span if span > 0 else 0.0 for figure in row]
        for row in figures
    ]


def _span(figures: Sequence[Sequence[float | None]]) -> str:
    known = [figure for row in figures for figure in row if figure is not None]
    return f"{number(min(known))} to {number(max(known))}" if known else "none measured"
