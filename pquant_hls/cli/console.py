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
from rich.console import Console
from rich.table import Table

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
    """stdout, wide enough for the table where it is a file or a pipe; for plain texts."""
    return PlainConsole(width=None if sys.stdout.isatty() else PLAIN_WIDTH)


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
    "cycles",
    ACCURACY,
    QUALITY,
    "accuracy",
    "loss",
    "what",
    "source",
)
"""What a narrow terminal does without, the first ones first: what a verdict is about stays."""


def fitting_table(
    console: Console, names: Sequence[str], rows: Iterable[Sequence[str]], **looks: Any
) -> Table:
    """A table of the columns that fit the console, one cell of ``rows`` a column; what is left out stands beneath.

    The last column takes what the others leave. rich is told every width: left alone, it takes figures down to nothing.
    """
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    longest = {name: max(map(cell_len, (name, *(row[name] for row in cells)))) for name in names}
    spare, out, last = [name for name in SPARE if name in names], list[str](), names[-1]
    while True:
        kept = [name for name in names if name not in out]
        width = {name: longest[name] if name in FIGURES else min(longest[name], WRAPPED) for name in kept}
        left = console.width - 3 * len(kept) - 1 - sum(width.values()) + width[last]
        if left >= width[last] or not spare:
            break
        out.append(spare.pop(0))
    width[last] = max(min(left, longest[last]), 1)
    beneath = f"{console.width} columns wide: without {', '.join(out)} (--json has all)" if out else None
    table = Table(caption=beneath, caption_justify="left", **looks)
    for name in kept:
        justify: Literal["right", "left"] = "right" if name in FIGURES else "left"
        table.add_column(name, justify=justify, width=width[name], overflow="fold")
    for row in cells:
        table.add_row(*(row[name] for name in kept))
    return table


def rounds_table(
    console: Console, entries: Iterable[Entry], baseline_accuracy: float | None, limit: str
) -> Table:
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
        "compress: this is the float model, converted at hls.precision"
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


def lines_table(console: Console, found: Iterable[Line]) -> Table:
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
