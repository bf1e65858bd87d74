"""Printing: progress on stderr, tables on stdout, and a stdout that stays clean for ``--json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pquant_hls.engine.progress import PlainConsole, Terminal, error_console
from pquant_hls.qor.words import count, headline_texts, latency_texts, percent, points, source_text

if TYPE_CHECKING:
    from pquant_hls.reporting.lines import Line
    from pquant_hls.store import Entry

__all__ = [
    "Terminal",
    "clean_stdout",
    "error_console",
    "lines_table",
    "load_tensorflow",
    "output_console",
    "print_json",
    "rounds_table",
]

ROUNDS = (
    "round",
    "weights kept",
    "units kept",
    "bits",
    "csim accuracy",
    "loss",
    "cycles",
    "ns",
    "source",
    "verdict",
    "next action, and why",
)
LINES = ("step", "what", "accuracy", "loss", "ratio", "cycles", "ns", "outcome", "why")
PLAIN_WIDTH = 150
"""Columns for tables where the output is no terminal."""


def output_console() -> Console:
    """stdout, as wide as the terminal or as COLUMNS says, else wide enough for the table; for plain texts."""
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return PlainConsole(width=None if told else PLAIN_WIDTH)


@contextmanager
def _redirected(stream: TextIO, descriptor: int, to: int) -> Iterator[None]:
    """Point a file descriptor elsewhere, so that what C code prints goes there too."""
    stream.flush()
    kept = os.dup(descriptor)
    os.dup2(to, descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def clean_stdout() -> Iterator[None]:
    """Send whatever libraries print to stdout to stderr while the block runs."""
    with _redirected(sys.stdout, 1, 2):
        yield


def load_tensorflow() -> None:
    """Import TensorFlow and start it, without the lines it logs before any level can be set."""
    with Path(os.devnull).open("w") as nowhere, _redirected(sys.stderr, 2, nowhere.fileno()):
        import tensorflow as tf

        tf.zeros(())


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, default=str, allow_nan=False) + "\n")


WRAPPED = 24
"""Columns of a terminal that a wrapped column takes at most, and the last one at least."""
ACCURACY, QUALITY = "csim accuracy", "csim quality"
"""What the column is called of runs that go by accuracy, and of others, whose cells name their figures."""
FIGURES = (
    "weights kept",
    "units kept",
    "bits",
    ACCURACY,
    QUALITY,
    "accuracy",
    "loss",
    "ratio",
    "cycles",
    "ns",
    "round",
)
SPARE = (
    "units kept",
    "weights kept",
    "ratio",
    "bits",
    "what",
    "source",
    "cycles",
    "loss",
    ACCURACY,
    QUALITY,
    "accuracy",
)
"""What stands beneath on a narrow terminal, the first ``BESIDE`` always, the others one by one: what a verdict is about stays
above."""
BESIDE, GAP = 6, 2


def fitting_table(
    console: Console, names: Sequence[str], rows: Iterable[Sequence[str]], **looks: Any
) -> Table | Group:
    """A table of one cell of ``rows`` a column, whose last column takes what the others leave; on a narrow console two lines a
    row, the figures above, the rest with its names beneath.

    rich is told every width: left alone, it takes figures down to nothing.
    """
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    longest = {name: max(map(cell_len, (name, *(row[name] for row in cells)))) for name in names}
    width = {name: longest[name] if name in FIGURES else min(longest[name], WRAPPED) for name in names}
    last = names[-1]
    left = console.width - 3 * len(names) - 1 - sum(width.values()) + width[last]
    if left < width[last] and any(name in SPARE for name in names):
        return stacked_table(console, cells, longest, str(looks.get("title", "")))
    width[last] = max(min(left, longest[last]), 1)
    table = Table(**looks)
    for name in names:
        table.add_column(name, justify=_side(name), width=width[name], overflow="fold")
    for row in cells:
        table.add_row(*(_coloured(name, row[name]) for name in names))
    return table


def stacked_table(
    console: Console, cells: Sequence[Mapping[str, str]], longest: Mapping[str, int], title: str
) -> Group:
    """Two lines a row: the first for what a verdict is about, with as many of the columns as the console has room for."""
    *others, last = longest
    beneath = [last, *(name for name in SPARE[:BESIDE] if name in others)]
    spare = [name for name in SPARE[BESIDE:] if name in others]
    while True:
        above = [name for name in others if name not in beneath]
        if sum(longest[name] + GAP for name in above) - GAP <= console.width or not spare:
            break
        beneath.append(spare.pop(0))
    room = max(1, (console.width + GAP) // max(len(above), 1) - GAP)
    fits = sum(longest[name] + GAP for name in above) - GAP <= console.width
    widths = [longest[name] if fits else min(longest[name], room) for name in above]

    def line(texts: Sequence[str | Text], style: str = "") -> Table:
        grid = Table.grid(padding=(0, GAP, 0, 0))
        for name, width in zip(above, widths, strict=True):
            grid.add_column(justify=_side(name), width=width, overflow="fold", style=style)
        grid.add_row(*texts)
        return grid

    parts: list[Any] = [title] if title else []
    parts += [line(above, "bold"), "─" * min(console.width, sum(widths) + GAP * (len(widths) - 1))]
    for row in cells:
        told = [f"{name} {row[name]}" for name in others if name in beneath and row[name] not in ("", "-")]
        rest = "; ".join(part for part in (", ".join(told), row[last]) if part not in ("", "-"))
        parts.append(line([_coloured(name, row[name]) for name in above]))
        parts += [Padding(rest, (0, 0, 0, GAP))] if rest else []
    return Group(*parts)


COLOURS = {"MET": "green", "within budget": "green", "MISSED": "red", "failed": "red", "UNKNOWN": "yellow"}


def _coloured(name: str, text: str) -> str | Text:
    """A verdict in its colour, which says no more than its word."""
    colour = COLOURS.get(text) if name in ("verdict", "outcome") else None
    return text if colour is None else Text(text, style=colour)


def _side(name: str) -> Literal["right", "left"]:
    return "right" if name in FIGURES else "left"


def rounds_table(
    console: Console, entries: Iterable[Entry], baseline_accuracy: float | None, limit: str
) -> Table | Group:
    """One row for each round: size, bits, accuracy and its loss, latency with interval and source, verdict, next action."""
    found = list(entries)
    named = any(headline_texts((entry.figures.get("qor") or {}).get("quality")) for entry in found)
    columns = [QUALITY if named and name == ACCURACY else name for name in ROUNDS]
    rows = [_row(entry, baseline_accuracy) for entry in found]
    return fitting_table(
        console, columns, rows, title=f"budget: {limit}", title_justify="left", show_lines=True
    )


def _row(entry: Entry, baseline_accuracy: float | None) -> list[str]:
    qor, account = entry.figures.get("qor") or {}, entry.figures.get("account") or {}
    accuracy = qor.get("accuracy")
    errors = qor.get("metrics") or {}
    fallen = None if accuracy is None or baseline_accuracy is None else baseline_accuracy - accuracy
    told = headline_texts(qor.get("quality"))
    quality, loss = told or (
        percent(accuracy, errors.get("accuracy_error")),
        points(fallen, errors.get("loss_error")),
    )
    cycles, ns = latency_texts(qor)
    knobs = entry.settings.get("knobs") or {}
    bits = [f"{value:.0f}" for path, value in knobs.items() if path.rpartition(".")[2] == "bits"]
    action = (
        f"compress: this is the float model, converted at hls.precision{f', {entry.reason}' if entry.reason else ''}"
        if entry.kind == "float"
        else f"{entry.settings.get('action')}: {entry.reason}"
    )
    return [
        "float" if entry.kind == "float" else str(entry.number),
        *_sizes(account),
        ", ".join(bits) or "-",
        quality,
        loss,
        cycles,
        ns,
        source_text(qor),
        entry.verdict or "-",
        action,
    ]


def _sizes(account: Mapping[str, Any]) -> tuple[str, str]:
    units = account.get("units")
    return count(account.get("nonzero_weights")), "-".join(map(str, units.values())) if units else "-"


def notes_lines(notes: Iterable[str]) -> str:
    """What was dropped, replaced or rounded, and other remarks on a design: a line each."""
    return "".join(f"note: {note}\n" for note in notes)


def lines_table(console: Console, found: Iterable[Line]) -> Table | Group:
    """One row for each thing a pipeline or a study did."""
    return fitting_table(console, LINES, map(_line, found))


def _line(line: Line) -> list[str]:
    return [
        line.step,
        line.what,
        line.quality,
        line.lost,
        "-" if line.ratio is None else f"{line.ratio:.2f}",
        line.cycles,
        line.ns,
        line.outcome,
        line.why,
    ]
