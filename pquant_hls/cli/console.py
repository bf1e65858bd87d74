"""Printing: progress on stderr, tables on stdout, and a stdout that stays clean for ``--json``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from pquant_hls.engine.events import Event

PLAIN_WIDTH = 150
"""Columns for tables where the output is no terminal."""


def error_console() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)


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


class Terminal:
    """A listener: a moving line for training in a terminal, plain lines elsewhere, a line for each finished round."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = error_console()
        self.quiet = quiet
        self.begun = time.monotonic()
        self.progress: Progress | None = None
        self.task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        if self.quiet:
            return
        if event.kind == "epoch":
            self._epoch(event)
            return
        self._end_progress()
        if event.kind == "round":
            self.line(f"{event.text}: {summary(event.values)}")
        else:
            self.line(f"  {event.text}" if event.kind == "stage" else event.text)

    def line(self, text: str) -> None:
        # Lines of tools hold brackets of their own ("[HLS 200-10]", "[/opt/tool]") that are no markup.
        self.console.print(f"[dim]{time.monotonic() - self.begun:6.1f} s[/dim]  {escape(text)}")

    def _epoch(self, event: Event) -> None:
        epoch, epochs = int(event.values["epoch"]), int(event.values["epochs"])
        scores = "  ".join(f"{k} {v:.4f}" for k, v in event.values.items() if k not in {"epoch", "epochs"})
        if not self.console.is_terminal:
            if epoch in {1, epochs}:
                self.line(f"    epoch {epoch}/{epochs}  {scores}")
            return
        if self.progress is None:
            columns = (
                TextColumn("          {task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} {task.fields[scores]}"),
            )
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.task = self.progress.add_task("training", total=epochs, scores="")
            self.progress.start()
        if self.task is not None:
            self.progress.update(self.task, completed=epoch, scores=scores)
        if epoch >= epochs:
            self._end_progress()

    def _end_progress(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def interval(low: float | None, value: float | None, high: float | None, form: str = "{:.0f}") -> str:
    """``12 [11..13]``; only the value where it has no interval, ``-`` where it was not measured."""
    if value is None:
        return "-"
    text = form.format(value)
    if low is None or high is None or low == high:
        return text
    return f"{text} [{form.format(low)}..{form.format(high)}]"


def latency_texts(qor: Mapping[str, Any] | None) -> tuple[str, str]:
    """(cycles, ns) of a QoR record as texts, with their intervals."""
    from pquant_hls.qor import Latency

    if qor is None or qor.get("latency") is None:
        return "-", "-"
    found = Latency.model_validate(qor["latency"])
    cycles = interval(found.cycles_max_lo, found.cycles_max, found.cycles_max_hi)
    return cycles, interval(found.worst_ns_lo, found.worst_ns, found.worst_ns_hi, "{:.1f}")


def source_text(qor: Mapping[str, Any] | None) -> str:
    """Where latency and resources come from; after a synthesis also how far off the estimate was."""
    found = qor or {}
    error = (found.get("metrics") or {}).get("estimate_error_cycles")
    source = found.get("source") or "-"
    return source if error is None else f"{source}\n(estimate {error:+.0f})"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def summary(record: Mapping[str, Any]) -> str:
    """A finished round in one line."""
    qor = record["qor"] or {}
    cycles, ns = latency_texts(qor)
    verdict = record["verdict"] or "not judged"
    source = " ".join(source_text(qor).split()) if qor.get("source") else "not measured"
    return f"accuracy {percent(qor.get('accuracy'))}, {cycles} cycles, {ns} ns, {source}: {verdict}"


def rounds_table(records: list[dict[str, Any]], baseline_accuracy: float | None, limit: str) -> Table:
    """One row for each round: size, bits, accuracy and its loss, latency with interval and source, verdict, next action."""
    table = Table(title=f"budget: {limit}", title_justify="left", show_lines=True, pad_edge=False)
    for name, justify in (("round", "right"), ("weights kept", "right"), ("units kept", "right"), ("bits", "right"),
                          ("csim accuracy", "right"), ("loss", "right"), ("cycles", "right"), ("ns", "right"),
                          ("source", "left"), ("verdict", "left")):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=name not in {"units kept", "cycles", "ns"})  # type: ignore[arg-type]
    table.add_column("next action, and why", overflow="fold", ratio=1)
    for record in records:
        table.add_row(*_row(record, baseline_accuracy))
    return table


def _row(record: Mapping[str, Any], baseline_accuracy: float | None) -> list[str]:
    qor, account = record["qor"] or {}, record["account"] or {}
    accuracy = qor.get("accuracy")
    loss = (
        "-"
        if accuracy is None or baseline_accuracy is None
        else f"{100 * (baseline_accuracy - accuracy):+.2f}"
    )
    cycles, ns = latency_texts(qor)
    bits = record["knobs"].get("bits")
    action = (
        "compress: this is what hls4ml makes of the float model"
        if record["kind"] == "float"
        else f"{record['action']}: {record['reason']}"
    )
    return [
        "float" if record["kind"] == "float" else str(record["round"]), *_sizes(account), "-" if bits is None else f"{bits:.0f}",
        percent(accuracy), loss, cycles, ns, source_text(qor), record["verdict"] or "-", action,
    ]  # fmt: skip


def _sizes(account: Mapping[str, Any]) -> tuple[str, str]:
    weights, units = account.get("nonzero_weights"), account.get("units")
    return "-" if weights is None else f"{weights:,}", "-" if not units else "-".join(
        str(n) for n in units.values()
    )
