"""Which outside programs are there, and in which version."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.errors import ToolNotFound
from pquant_hls.programs.process import ask

VERSION_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Executable:
    """An outside program: its name on PATH and how it tells its version.

    ``version`` is the question, ``pattern`` finds the answer (group 1). ``arguments`` follow the name when it does
    the job it is there for.
    """

    name: str
    version: tuple[str, ...] = ("--version",)
    pattern: str = r"\b(\d+(?:\.\d+)+)\b"
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A program on PATH; ``version`` is None when it did not tell."""

    name: str
    path: Path
    version: str | None


PROGRAMS = (
    Executable("iverilog", ("-V",)),
    Executable("vvp", ("-V",)),
    Executable("g++"),
    Executable("make"),
)
"""Those this package itself may start; a backend names its own."""


def find_tools(
    env: Mapping[str, str] | None = None,
    timeout_s: float = VERSION_TIMEOUT_S,
    programs: Iterable[Executable] = PROGRAMS,
) -> dict[str, Tool]:
    """Those of ``programs`` that are on the PATH of ``env`` (default: this process's), by name.

    Each is asked its version within ``timeout_s`` seconds.
    """
    environment = dict(os.environ if env is None else env)
    found = {}
    for program in programs:
        path = locate(program.name, environment)
        if path is not None:
            found[program.name] = Tool(program.name, path, _version_of(program, path, environment, timeout_s))
    return found


def locate(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """Path of a program on the PATH of ``env``, None when it is not there."""
    path = shutil.which(name, path=(os.environ if env is None else env).get("PATH", ""))
    return None if path is None else Path(path)


def _version_of(program: Executable, path: Path, env: Mapping[str, str], timeout_s: float) -> str | None:
    """What the program at ``path`` says of its version; None where it does not."""
    answer = ask([str(path), *program.version], timeout_s, env)
    found = None if answer is None else re.search(program.pattern, answer)
    return None if found is None else found[1]


def require(*names: str, mend: str) -> Path:
    """Path of the first of ``names`` that is on PATH.

    Raises
    ------
    ToolNotFound : none of them is.
    """
    for name in names:
        path = locate(name)
        if path is not None:
            return path
    raise ToolNotFound(
        f"none of {', '.join(names)} is on PATH" if len(names) > 1 else f"{names[0]} is not on PATH",
        mend=mend,
    )
