"""Which outside programs are there, and in which version."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.errors import ToolNotFound
from pquant_hls.programs.process import ask

VERSION_TIMEOUT_S = 60.0
_AMD = re.compile(r"\bv?(20\d\d\.\d+(?:\.\d+)?)\b")
_PLAIN = re.compile(r"\b(\d+(?:\.\d+)+)\b")


@dataclass(frozen=True)
class Tool:
    """A program on PATH; ``version`` is None when it did not tell."""

    name: str
    path: Path
    version: str | None


# Program: (its question for the version, pattern of the answer).
PROGRAMS: dict[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    "vivado_hls": (("-version",), _AMD),
    "vitis_hls": (("-version",), _AMD),
    "vitis-run": (("--version",), _AMD),
    "vivado": (("-version",), _AMD),
    "iverilog": (("-V",), _PLAIN),
    "vvp": (("-V",), _PLAIN),
    "g++": (("--version",), _PLAIN),
    "make": (("--version",), _PLAIN),
}


def find_tools(env: Mapping[str, str] | None = None, timeout_s: float = VERSION_TIMEOUT_S) -> dict[str, Tool]:
    """The programs of PROGRAMS on the PATH of ``env`` (default: this process's), by name.

    Each is asked its version within ``timeout_s`` seconds.
    """
    environment = dict(os.environ if env is None else env)
    found = {}
    for name in PROGRAMS:
        path = locate(name, environment)
        if path is not None:
            found[name] = Tool(name, path, version_of(name, path, environment, timeout_s))
    return found


def locate(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """Path of a program on the PATH of ``env``, None when it is not there."""
    path = shutil.which(name, path=(os.environ if env is None else env).get("PATH", ""))
    return None if path is None else Path(path)


def version_of(name: str, path: Path, env: Mapping[str, str], timeout_s: float) -> str | None:
    question, pattern = PROGRAMS[name]
    answer = ask([str(path), *question], timeout_s, env)
    found = None if answer is None else pattern.search(answer)
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
