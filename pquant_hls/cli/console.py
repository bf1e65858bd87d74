"""Printing: progress on stderr, tables on stdout, and a stdout that stays clean for ``--json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table

from pquant_hls.engine.progress import Terminal, error_console
from pquant_hls.qor.words import count, latency_texts, percent, points, source_text

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

PLAIN_WIDTH = 150
"""Columns for tables where the output is no terminal."""


def output_console() -> Console:
    """stdout, wide enough for the table where it is a file or a pipe."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PLAIN_WIDTH)


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


def rounds_table(entries: Iterable[Entry], baseline_accuracy: float | None, limit: str) -> Table:
    """One row for each round: size, bits, accuracy and its loss, latency with interval and source, verdict, next action."""
    table = Table(title=f"budget: {limit}", title_justify="left", show_lines=True, pad_edge=False)
    for name, justify in (
        ("round", "right"),
        ("weights kept", "right"),
        ("units kept", "right"),
        ("bits", "right"),
        ("csim accuracy", "right"),
        ("loss", "right"),
        ("cycles", "right"),
        ("ns", "right"),
        ("source", "left"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name not in {"units kept", "cycles", "ns"})  # type: ignore[arg-type]  # literals
    table.add_column("next action, and why", overflow="fold", ratio=1)
    for entry in entries:
        table.add_row(*_row(entry, baseline_accuracy))
    return table


def _row(entry: Entry, baseline_accuracy: float | None) -> list[str]:
    qor, account = entry.figures.get("qor") or {}, entry.figures.get("account") or {}
    accuracy = qor.get("accuracy")
    loss = points(None if accuracy is None or baseline_accuracy is None else baseline_accuracy - accuracy)
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
        percent(accuracy),
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


def lines_table(found: Sequence[Line]) -> Table:
    """One row for each thing a pipeline or a study did."""
    table = Table(pad_edge=False)
    for name in ("step", "what", "accuracy", "loss", "ratio", "cycles", "ns"):
        table.add_column(name, justify="left" if name in {"step", "what"} else "right", overflow="fold")
    table.add_column("outcome", overflow="fold")
    table.add_column("why", overflow="fold", ratio=1)
    for line in found:
        table.add_row(
            line.step,
            line.what,
            percent(line.accuracy, line.accuracy_error),
            points(line.loss, line.loss_error),
            "-" if line.ratio is None else f"{line.ratio:.2f}",
            line.cycles,
            line.ns,
            line.outcome,
            line.why,
        )
    return table
