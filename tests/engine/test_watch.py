"""Who hears of a run: nobody in pytest, a terminal, a notebook, a logger, or a function of the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pquant_hls.engine import Event, silent
from pquant_hls.engine import watch as room
from pquant_hls.engine.progress import Terminal
from pquant_hls.engine.watch import Logged, Notebook, default_verbose, in_notebook, listener_of
from pquant_hls.errors import SpecError


@pytest.fixture(autouse=True)
def logger_as_it_was() -> Iterator[None]:
    """Logged gives the package's logger a handler; what stood there is put back."""
    handlers, passed = room.LOG.handlers[:], room.LOG.propagate
    yield
    room.LOG.handlers[:], room.LOG.propagate = handlers, passed


def test_in_pytest_nothing_is_shown_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener_of() is silent
    monkeypatch.delitem(sys.modules, "pytest")
    assert default_verbose() == 1
    assert isinstance(listener_of(), Logged)
    assert listener_of(verbose=0) is silent


def test_a_terminal_gets_a_moving_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(listener_of(verbose=1), Terminal)


def test_a_function_of_the_users_hears_everything() -> None:
    found: list[Event] = []
    listener_of(verbose=0, listen=found.append)(Event("note", "heard"))
    assert [event.text for event in found] == ["heard"]


@pytest.mark.parametrize("verbose", [-1, 3])
def test_a_loudness_that_there_is_not_is_told(verbose: int) -> None:
    with pytest.raises(SpecError, match=r"verbose: got .*0 silent, 1 stages, 2 epochs too"):
        listener_of(verbose=verbose)


class ZMQInteractiveShell:
    """The name by which a kernel is known."""


def test_a_kernel_is_known_by_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    monkeypatch.setattr(pytest.importorskip("IPython"), "get_ipython", ZMQInteractiveShell)
    assert in_notebook()
    assert isinstance(listener_of(verbose=1), Notebook)


class Place:
    """A cell's output that keeps what was drawn."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def update(self, page: Any) -> None:
        self.pages.append(page.data)


def test_a_notebook_shows_stages_a_bar_and_the_last_lines() -> None:
    pytest.importorskip("IPython")
    listen, place = Notebook(), Place()
    listen.place = place
    listen(Event("stage", "csim (g++)"))
    assert "csim (g++)" in place.pages[-1]
    listen(Event("epoch", "training", {"epoch": 3, "epochs": 3, "loss": 0.5}))
    assert '<progress value="3" max="3"></progress> epoch 3 of 3' in place.pages[-1]
    for number in range(room.LINES + 2):
        listen(Event("note", f"trial {number}: <b>[x]"))
    assert "trial 0:" not in place.pages[-1]
    assert "trial 11: &lt;b&gt;[x]" in place.pages[-1]
    assert "<progress" not in place.pages[-1], "what is done has no bar"


def test_a_notebook_is_not_drawn_at_every_epoch() -> None:
    pytest.importorskip("IPython")
    listen, place = Notebook(), Place()
    listen.place = place
    for epoch in range(1, 101):
        listen(Event("epoch", "training", {"epoch": epoch, "epochs": 100}))
    assert "epoch 100 of 100" in place.pages[-1]
    assert len(place.pages) < 100
