"""Compile a project's csim library with g++, cached by what goes into it."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.csim.cache import LIBRARY, default_cache, limit_bytes, mark_used, prune
from pquant_hls.csim.child import run_child
from pquant_hls.errors import ToolFailed, ToolNotFound, UnsupportedModel
from pquant_hls.hls.project import HlsProject


@dataclass(frozen=True)
class Library:
    """A compiled csim library in its cache entry, which also holds the weights it reads."""

    path: Path
    project: HlsProject
    digest: str


def build(project: HlsProject, *, cache: Path | None = None, timeout_s: float = 600.0) -> Library:
    """Compile the sources as they are now, hand edits included; nothing is rewritten or left in the project.

    The entry is named by the digest of sources, weights and compiler and moved into place whole, so checks
    running side by side do not disturb each other. A new entry may push old ones out: see ``cache.prune``.

    Raises
    ------
    ToolNotFound : no g++ on PATH.
    ToolFailed : g++ refused the sources (file, line, message) or took longer than ``timeout_s`` seconds.
    UnsupportedModel : a file of the project is missing.
    """
    compiler = _compiler()
    if not (project.firmware / "ap_types").is_dir():
        raise UnsupportedModel("the project lacks its ap_types headers", where=project.firmware / "ap_types")
    digest = hashlib.sha256(
        f"{project.digest()}\0{compiler.version}\0{_flags(project, compiler)}".encode()
    ).hexdigest()
    root = (default_cache() if cache is None else Path(cache)).absolute()
    entry = root / digest[:2] / digest
    mark_used(entry)
    if not (entry / LIBRARY).is_file():
        limit = limit_bytes()
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".part-") as part:
            _compile(project, Path(part) / "entry", entry, timeout_s)
        prune(root, limit)
    return Library(entry / LIBRARY, project, digest)


def _compile(project: HlsProject, part: Path, entry: Path, timeout_s: float) -> None:
    part.mkdir()
    if project.weights.is_dir():
        shutil.copytree(project.weights, part / "weights")
    compiler = _compiler()
    define = f'-DWEIGHTS_DIR="{entry / "weights"}"'
    inputs = ("-Ifirmware/ap_types/", "-I.", define, "-x", "c++", "-")
    command = [compiler.path, *_flags(project, compiler), *inputs, "-shared", "-o", str(part / LIBRARY)]
    # One translation unit: the headers cost more than the design, and are read once this way.
    source = f'#include "firmware/{project.name}.cpp"\n#include "{project.name}_bridge.cpp"\n'
    try:
        done = run_child(command, project.path, timeout_s, text=source)
    except subprocess.TimeoutExpired as cause:
        raise ToolFailed(f"g++ took longer than {timeout_s:g} s", where=project.path) from cause
    if done.returncode != 0:
        raise ToolFailed(_first_error(done.stderr), where=project.path, mend="see the C++ file named here")
    try:
        part.rename(entry)
    except OSError:
        if not (entry / LIBRARY).is_file():  # someone else finished the same entry first, which is as good
            raise


def _flags(project: HlsProject, compiler: _Compiler) -> tuple[str, ...]:
    """hls4ml's flags, and the standard that the sources need."""
    return (*compiler.flags, f"-std={cpp_standard(project)}")


def cpp_standard(project: HlsProject) -> str:
    """C++23 only for the floating types that need it: its headers take a third more time."""
    return "c++23" if "std::" in (project.firmware / "defines.h").read_text() else "c++17"


def _first_error(text: str) -> str:
    """g++'s first error with file and line; the end of its output where none is marked."""
    for line in text.splitlines():
        if re.search(r"(?:fatal )?error:", line):
            return f"g++: {line.strip()}"
    return f"g++: {text.strip()[-500:] or 'failed without a message'}"


@dataclass(frozen=True)
class _Compiler:
    path: str
    version: str
    flags: tuple[str, ...]


def _compiler() -> _Compiler:
    path = shutil.which("g++")
    if path is None:
        raise ToolNotFound("g++ is not on PATH; csim compiles the generated C++", mend="apt-get install g++")
    return _probe(path)


@functools.cache
def _probe(path: str) -> _Compiler:
    """Version of this g++ and the flags hls4ml's own build_lib.sh would choose."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = done.stdout.strip()
    if done.returncode != 0 or not version:
        raise ToolFailed(f"g++ --version failed: {done.stderr.strip()[-200:]}", where=path)
    unique = ("-fno-gnu-unique",) if _accepts(path, "-fno-gnu-unique") else ()
    return _Compiler(path, version.splitlines()[0], ("-O3", "-fPIC", "-w", *unique))


def _accepts(path: str, flag: str) -> bool:
    command = [path, "-Werror", "-fsyntax-only", flag, "-xc++", "-", "-o", "/dev/null"]
    return subprocess.run(command, input="", capture_output=True, text=True, check=False).returncode == 0  # noqa: S603
