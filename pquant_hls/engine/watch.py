"""Who hears of a run: a moving line in a terminal, a bar in a notebook, logged lines elsewhere, or a function of the user's.

Imports no TensorFlow.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from typing import Any, TextIO, TypedDict

from pquant_hls.engine.events import Event, Listener, silent
from pquant_hls.engine.progress import Terminal, told
from pquant_hls.errors import SpecError
from pquant_hls.programs.quoting import html, terminal

LOG = logging.getLogger("pquant_hls")
LINES = 10
"""Lines of a run that a notebook keeps."""


class Watch(TypedDict, total=False):
    """How a run is watched: ``verbose`` 0 silent, 1 stages, 2 epochs too (left out: 1, in pytest 0); ``listen``, a function of
    Event, in place of that."""

    verbose: int
    listen: Listener


def listener_of(verbose: int | None = None, listen: Listener | None = None) -> Listener:
    """The listener of a Watch; raises SpecError where ``verbose`` is none of 0, 1, 2."""
    if listen is not None:
        return listen
    verbose = default_verbose() if verbose is None else verbose
    if verbose not in (0, 1, 2):
        raise SpecError(f"got {verbose!r}", where="verbose", mend="0 silent, 1 stages, 2 epochs too")
    if verbose == 0:
        return silent
    if in_notebook():
        return Notebook()
    return Terminal() if sys.stderr.isatty() else Logged(verbose)


def default_verbose() -> int:
    """1; 0 in a process of pytest, which shows what it captured where a test fails."""
    return 0 if "pytest" in sys.modules else 1


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is at the time of the record: notebooks and tests replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class Logged:
    """A listener that logs plain lines; the logger gets a handler on stderr unless someone gave it one."""

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        if not LOG.handlers:
            handler = _Stderr()
            handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
            LOG.addHandler(handler)
            LOG.propagate = False  # whoever configures the root logger would show every line twice
        LOG.setLevel(logging.INFO)

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch":
            if self.verbose > 1:
                LOG.info("  epoch %s", "  ".join(f"{name} {value:g}" for name, value in event.values.items()))
            return
        LOG.info("%s", told(event))


class Notebook:
    """One output beneath the cell that is drawn again: the last lines of the run, and a bar while a network trains."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        show: Any = display  # without types of their own
        drawn: Any = HTML
        self.drawn = drawn
        self.begun, self.shown = time.monotonic(), 0.0
        self.lines: deque[str] = deque(maxlen=LINES)
        self.stage, self.bar = "", ""
        self.place: Any = show(self.drawn(""), display_id=True)

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if event.kind == "epoch":
            done, of = event.values["epoch"], event.values["epochs"]
            self.bar = f'<progress value="{done}" max="{of}"></progress> epoch {done} of {of}'
            if now - self.shown < 0.2 and done < of:  # a page that is drawn at every epoch slows the training
                return
        elif event.kind == "stage":
            self.stage, self.bar = terminal(event.text), ""
        else:
            self.lines.append(terminal(told(event)))
            self.stage = self.bar = ""
        self.shown = now
        self.place.update(self.drawn(self.page(now - self.begun)))

    def page(self, seconds: float) -> str:
        """What is shown after so many seconds."""
        doing = f"<div>{seconds:.0f} s: {html(self.stage)} {self.bar}</div>" if self.stage or self.bar else ""
        done = "".join(f"<div>{html(line)}</div>" for line in self.lines)
        return f'<div style="font-family:monospace;white-space:pre-wrap">{done}{doing}</div>'
