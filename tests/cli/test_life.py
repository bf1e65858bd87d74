"""Every command that may take long shows that it lives, and leaves nothing of it behind."""

from __future__ import annotations

import os
import shutil
from io import StringIO
from pathlib import Path

import pytest

from pquant_hls.cli import life
from pquant_hls.engine import Event
from pquant_hls.engine.progress import MovingLine, PlainConsole, Terminal
from tests.helpers import Tiny
from tests.terminal import on_terminal

SPINNER = set("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")


def test_elsewhere_a_plain_line_is_said_where_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "SOON_S", 0)
    with life.busy("measuring [x]"):
        while not [t for t in [capsys.readouterr().err] if "measuring [x] ..." in t]:
            pass
    assert capsys.readouterr().out == ""


def test_elsewhere_nothing_is_said_of_what_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    with life.busy("measuring"):
        pass
    assert capsys.readouterr().err == ""


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(columns: int) -> tuple[PlainConsole, StringIO]:
    told = Screen()
    return PlainConsole(file=told, force_terminal=True, width=columns), told


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_moving_line_shows_a_bar_cuts_what_is_long_and_eats_no_brackets(columns: int) -> None:
    console, told = terminal_of(columns)
    line = MovingLine(console)
    line.show("conv [x] " + "of a long name " * 20)
    line.stop()
    line.show("training", 3, 12, "loss [x] 0.5")
    line.show("training", 4, 12, "loss [x] 0.4")
    line.stop()
    assert "conv [x]" in told.getvalue()
    assert "…" in told.getvalue()
    if columns > 40:
        assert "4/12" in told.getvalue()
        assert "loss [x] 0.4" in told.getvalue()


def test_a_run_in_a_terminal_moves_at_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    console, told = terminal_of(80)
    listen = Terminal()
    listen.console, listen.moving = console, MovingLine(console)
    listen(Event("stage", "csim (g++) of [x]"))
    assert moves(listen)
    listen(Event("epoch", "training", {"epoch": 1, "epochs": 2, "loss": 1.0}))
    listen(Event("epoch", "training", {"epoch": 2, "epochs": 2, "loss": 1.0}))
    assert not moves(listen), "no line moves over what is printed next"
    listen(Event("stage", "latency"))
    listen.close()
    assert not moves(listen)
    assert "csim (g++) of [x]" in told.getvalue()


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "PY_COLORS"])
def test_a_log_that_asks_for_colours_is_no_screen(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    with life.busy("measuring"):
        pass
    assert capsys.readouterr().err == ""


def moves(listen: Terminal) -> bool:
    return listen.moving.progress is not None


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """A PATH with a g++ that takes a second longer."""
    tool = tmp_path / "bin" / "g++"
    tool.parent.mkdir()
    real = shutil.which("g++")
    tool.write_text(f'#!/bin/sh\nsleep 1\nexec {real} "$@"\n')
    tool.chmod(0o755)
    return f"{tool.parent}:{os.environ['PATH']}"


@pytest.mark.gxx
def test_commands_that_compile_move_and_leave_only_their_results(
    mini_project: Path, tmp_path: Path, slow: str
) -> None:
    golden, cache = tmp_path / "mini.golden", str(tmp_path / "cache")
    record = ["csim", "record", str(mini_project), "--golden", str(golden), "--random", "8"]
    check = ["csim", "check", str(mini_project), "--golden", str(golden)]
    export = ["export", str(mini_project), "--out", str(tmp_path / "out"), "--namespace", "mini"]
    for number, words in enumerate((record, check, export)):
        sent = on_terminal(words, PATH=slow, XDG_CACHE_HOME=f"{cache}{number}")
        assert sent.status == 0, sent.raw
        assert len(SPINNER & set(sent.raw)) > 1, f"nothing moved: {words}"
        first = next(part for part in sent.raw.splitlines() if part.strip())
        assert SPINNER & set(first), f"the first thing on the terminal is the sign of life: {words}"
        left = "\n".join(sent.lines)
        assert not SPINNER & set(left)
        assert str(golden) in left or "mini" in left


@pytest.mark.parametrize("words", [["measure"], ["lint"], ["lint", "--overflow", "--seconds", "1"]])
def test_commands_that_read_firmware_show_what_they_are_at(words: list[str], tiny: Tiny) -> None:
    sent = on_terminal([*words, str(tiny.project)])
    assert sent.status in (0, 1, 4), sent.raw
    assert SPINNER & set(sent.raw)
    assert not SPINNER & set("".join(sent.lines))


def test_an_error_stands_alone_when_the_line_is_gone(tmp_path: Path) -> None:
    sent = on_terminal(["gate", str(tmp_path / "none [x]"), "--limit", "lut=5"], 200)
    assert sent.status == 2
    shown = [line for line in sent.lines if line.strip()]
    assert len(shown) == 1
    assert "none [x]" in shown[0]
