"""Which programs are there: found on the PATH given, asked their version, and named where they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.errors import ToolNotFound
from pquant_hls.programs import require
from pquant_hls.programs.tools import PROGRAMS, Executable, find_tools, locate

ASKED = (Executable("one"), Executable("two", ("-V",), r"release (\S+)"), Executable("three"))


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A PATH of two programs: the one tells its version on stdout, the other on stderr when asked by ``-V``."""
    program(tmp_path, "one", "echo one, version 12.2.0-14")
    program(tmp_path, "two", '[ "$1" = -V ] && echo "release 7b" >&2')
    return {"PATH": f"{tmp_path}:/usr/bin:/bin"}


def test_programs_are_found_with_what_they_say_of_themselves(env: dict[str, str], tmp_path: Path) -> None:
    found = find_tools(env, programs=ASKED)
    assert sorted(found) == ["one", "two"]
    assert (found["one"].name, found["one"].path, found["one"].version) == ("one", tmp_path / "one", "12.2.0")
    assert found["two"].version == "7b"


def test_a_program_that_does_not_tell_has_no_version(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path, "one", "echo no number here")
    program(tmp_path, "two", "sleep 60")
    found = find_tools(env, timeout_s=0.5, programs=ASKED)
    assert {name: tool.version for name, tool in found.items()} == {"one": None, "two": None}


def test_where_a_program_is(env: dict[str, str], tmp_path: Path) -> None:
    assert locate("one", env) == tmp_path / "one"
    assert locate("three", env) is None
    assert locate("one", {}) is None
    (tmp_path / "three").write_text("not executable")
    assert locate("three", env) is None


def test_the_first_of_several_is_taken(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", env["PATH"])
    assert require("three", "two", "one", mend="install it") == tmp_path / "two"
    with pytest.raises(ToolNotFound, match=r"^three is not on PATH \(install it\)$") as caught:
        require("three", mend="install it")
    assert caught.value.exit_code == 3
    with pytest.raises(ToolNotFound, match=r"^none of three, four is on PATH \(install one\)$"):
        require("three", "four", mend="install one")


def test_the_package_starts_these_by_itself_and_no_others() -> None:
    assert [known.name for known in PROGRAMS] == ["iverilog", "vvp", "g++", "make"]
