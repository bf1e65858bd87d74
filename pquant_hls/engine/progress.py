"""Progress on stderr: rich in a terminal, plain lines elsewhere. Listeners of a run's events.

Imports no TensorFlow.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from collections.abc import Iterator, Mapping
from io import UnsupportedOperation
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from pquant_hls.engine.events import Event
from pquant_hls.programs.quoting import terminal
from pquant_hls.qor.words import headline_texts, latency_texts, percent, source_text


class PlainConsole(Console):
    """Strings are text alone: no markup, as paths and lines of tools hold brackets of their own ("[HLS 200-10]"), and
    no control characters, which a layer's or a file's name may hold.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's, of the text as it may be shown."""
        return super().render_str(terminal(text), **{**options, "markup": False})


def error_console() -> Console:
    """stderr, for plain texts. A terminal keeps its own way there while what libraries print is led elsewhere."""
    if not sys.stderr.isatty():
        return PlainConsole(stderr=True, soft_wrap=True)
    try:
        place = os.dup(sys.stderr.fileno())
    except UnsupportedOperation:  # a stand-in for stderr that is no file
        return PlainConsole(stderr=True, soft_wrap=True)
    own = os.fdopen(place, "w", encoding="utf-8")
    console = PlainConsole(file=own, soft_wrap=True)
    weakref.finalize(console, own.close)
    return console


class MovingLine:
    """The last line of a terminal while something goes on: what, a bar where its length is known, seconds. Elsewhere nothing."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress: Progress | None = None

    @property
    def moves(self) -> bool:
        """Whether somebody looks at a screen: CI and kernels ask for colours where there is none (FORCE_COLOR)."""
        return self.console.file.isatty() and not self.console.is_dumb_terminal

    def show(self, text: str, done: int | None = None, total: int | None = None, beside: str = "") -> None:
        """Show ``text`` from now on; ``done`` of ``total`` as a bar, with a few words beside it."""
        if not self.moves:
            return
        if self.progress is not None and self.progress.tasks[0].description == text:
            self.progress.update(TaskID(0), completed=done, beside=beside)
            return
        self.stop()
        self.progress = Progress(
            *_columns(bar=total is not None), console=self.console, transient=True, expand=True
        )
        self.progress.add_task(text, total=total, completed=done or 0, beside=beside)
        self.progress.start()
        atexit.register(self.stop)  # an interrupted run gives the terminal its cursor back

    def stop(self) -> None:
        """Take the line away."""
        if self.progress is not None:
            self.progress.stop()
            atexit.unregister(self.stop)
            self.progress = None


def _columns(*, bar: bool) -> Iterator[ProgressColumn]:
    """What a moving line is made of; texts are cut where the terminal is narrow, never wrapped or read as markup."""
    yield SpinnerColumn()
    yield TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    if bar:
        yield BarColumn(bar_width=20)
        yield TextColumn("{task.completed}/{task.total}", markup=False)
        yield TextColumn("{task.fields[beside]}", markup=False, table_column=Column(no_wrap=True))
    yield TimeElapsedColumn()


class Terminal:
    """A listener: a moving line for what goes on in a terminal, plain lines elsewhere, a line for each finished round."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = error_console()
        self.moving = MovingLine(self.console)
        self.quiet = quiet
        self.begun = time.monotonic()

    def __call__(self, event: Event) -> None:
        if self.quiet:
            return
        if event.kind == "epoch":
            self._epoch(event)
            return
        self.moving.stop()
        self.line(f"  {event.text}" if event.kind == "stage" else told(event))
        if event.kind == "stage":
            self.moving.show(terminal(event.text))

    def line(self, text: str) -> None:
        self.console.print(
            Text.assemble((f"{time.monotonic() - self.begun:6.1f} s", "dim"), f"  {terminal(text)}")
        )

    def close(self) -> None:
        """No line moves from here on, as results are printed."""
        self.moving.stop()

    def _epoch(self, event: Event) -> None:
        epoch, epochs = int(event.values["epoch"]), int(event.values["epochs"])
        scores = "  ".join(f"{k} {v:.4f}" for k, v in event.values.items() if k not in {"epoch", "epochs"})
        if not self.moving.moves:
            if epoch in {1, epochs}:
                self.line(f"    epoch {epoch}/{epochs}  {scores}")
            return
        self.moving.show("training", epoch, epochs, scores)
        if epoch >= epochs:
            self.moving.stop()


def summary(record: Mapping[str, Any]) -> str:
    """A finished round in one line."""
    qor = record["qor"] or {}
    cycles, ns = latency_texts(qor)
    verdict = record["verdict"] or "not judged"
    source = " ".join(source_text(qor).split()) if qor.get("source") else "not measured"
    told = headline_texts(qor.get("quality"))
    quality = f"accuracy {percent(qor.get('accuracy'))}" if told is None else ", ".join(told[0].split("\n"))
    return f"{quality}, {cycles} cycles, {ns} ns, {source}: {verdict}"


def told(event: Event) -> str:
    """An event in one line; a finished round with its figures."""
    return f"{event.text}: {summary(event.values)}" if event.kind == "round" else event.text
