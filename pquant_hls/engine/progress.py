"""Progress on stderr: rich in a terminal, plain lines elsewhere. Listeners of a run's events.

Imports no TensorFlow.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
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
    """stderr, for plain texts."""
    return PlainConsole(stderr=True, soft_wrap=True)


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
        self.line(f"  {event.text}" if event.kind == "stage" else told(event))

    def line(self, text: str) -> None:
        self.console.print(
            Text.assemble((f"{time.monotonic() - self.begun:6.1f} s", "dim"), f"  {terminal(text)}")
        )

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
            atexit.register(self._end_progress)  # an interrupted run gives the terminal its cursor back
        if self.task is not None:
            self.progress.update(self.task, completed=epoch, scores=scores)
        if epoch >= epochs:
            self._end_progress()

    def _end_progress(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


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
