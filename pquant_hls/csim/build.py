"""Compile a project's csim library with g++, cached by what goes into it."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.csim.cache import (
    LIBRARY,
    damage,
    default_cache,
    drop_oldest,
    limit_bytes,
    mark_used,
    publish,
    seal,
)
from pquant_hls.errors import OutputError, ToolFailed
from pquant_hls.files import scratch, sync
from pquant_hls.firmware import Includes, includes, unit
from pquant_hls.hls.project import HlsProject
from pquant_hls.programs import Limits, RunResult, Status, ask, require, run
from pquant_hls.programs.quoting import cpp_string

PROBE_S = 60.0


@dataclass(frozen=True)
class Library:
    """A compiled csim library in its cache entry, which also holds the weights it reads.

    ``notes`` say where the entry was found damaged and built anew.
    """

    path: Path
    project: HlsProject
    digest: str
    notes: tuple[str, ...] = ()


def build(project: HlsProject, *, cache: Path | None = None, timeout_s: float = 600.0) -> Library:
    """Compile the sources as they are now, hand edits included; nothing is rewritten or left in the project.

    The entry is named by the digest of sources, weights and compiler and moved into place whole, so checks
    running side by side do not disturb each other. It carries the digests of its files: one that is cut short or
    altered is built anew. A new entry may push old ones out: see ``cache.drop_oldest``.

    Raises
    ------
    ToolNotFound : no g++ on PATH.
    ToolFailed : g++ refused the sources (file, line, message), took longer than ``timeout_s`` seconds or
        more memory than ``programs.Limits`` gives.
    UnsupportedModel : a file of the project is missing.
    """
    compiler = _compiler()
    layout = project.read
    around, text = includes(layout), unit(layout)
    parts = (project.digest(), compiler.version, _flags(project, compiler), around.digest(), text)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()
    root = (default_cache() if cache is None else Path(cache)).absolute()
    entry = root / digest[:2] / digest
    mark_used(entry)
    harm, there = damage(entry), entry.exists()
    if harm is not None:
        limit = limit_bytes()
        entry.parent.mkdir(parents=True, exist_ok=True)
        with scratch(entry.parent, "") as part:
            _compile(project, around, part, entry, timeout_s)
        drop_oldest(root, limit)
    notes = (f"the kept csim library {harm}; it was built anew",) if harm is not None and there else ()
    return Library(entry / LIBRARY, project, digest, (*notes, *around.notes))


def sound(library: Library, *, timeout_s: float = 600.0) -> Library:
    """A library to load: the same where its entry is whole, or none of a cache, else built anew.

    Raises
    ------
    ToolFailed : the project's sources are no longer those it was made from. Else as ``build``.
    """
    entry = library.path.parent
    harm = damage(entry) if entry.name == library.digest else None
    if harm is None:
        return library
    found = build(library.project, cache=library.path.parents[2], timeout_s=timeout_s)
    if found.digest != library.digest:
        raise ToolFailed(
            f"the csim library {harm}, and the project has changed since it was built",
            where=library.path,
            mend="build it again",
        )
    return found


@contextmanager
def compiled(project: HlsProject, cache: Path | None, timeout_s: float) -> Iterator[Library]:
    """The project's csim library, from ``cache`` or the user's own; in a passing folder if it is read-only.

    Raises
    ------
    OutputError : the ``cache`` that was asked for cannot be written.
    """
    try:
        library = build(project, cache=cache, timeout_s=timeout_s)
    except (OSError, RuntimeError) as cause:  # RuntimeError: there is no home folder
        if cache is not None:
            raise OutputError(f"the cache cannot be written: {cause}", where=cache) from cause
        with scratch() as folder:
            yield build(project, cache=folder, timeout_s=timeout_s)
        return
    yield library


def _compile(project: HlsProject, around: Includes, part: Path, entry: Path, timeout_s: float) -> None:
    """Into ``part``, whose last move makes it the cache entry ``entry``.

    A source in which probes do not compile is compiled without them: its layers stay unseen.
    """
    made = part / "entry"
    made.mkdir()
    if project.weights.is_dir():
        shutil.copytree(project.weights, made / "weights")
    done = _run_compiler(project, around, part, entry, timeout_s, probed=True)
    if done.status is Status.FAILED and "pquant" in done.log.read_text(errors="replace"):
        done = _run_compiler(project, around, part, entry, timeout_s, probed=False)
    if done.status is Status.FAILED:
        mend = "; ".join(("see the C++ file named here", *around.notes))
        raise ToolFailed(_first_error(done), where=project.path, mend=mend)
    if not done.ok:
        raise done.failure("g++", where=project.path)
    seal(made)
    sync(made)
    publish(made, entry)


def _run_compiler(
    project: HlsProject, around: Includes, part: Path, entry: Path, timeout_s: float, *, probed: bool
) -> RunResult:
    """One translation unit: the headers cost more than the design, and are read once this way."""
    source = part / "csim.cpp"
    source.write_text(unit(project.read, probed=probed), errors="surrogateescape")
    compiler = _compiler()
    define = f"-DWEIGHTS_DIR={cpp_string(str(entry / 'weights'))}"
    own = [
        f"-iquote{project.firmware.absolute()}",
        f"-iquote{project.path.absolute()}",
        f"-I{project.path.absolute()}",
    ]
    folders = [
        *own,
        f"-I{project.firmware.absolute()}",
        *(f"-I{folder.absolute()}" for folder in around.folders),
    ]
    inputs = (*folders, define, str(source.absolute()))
    command = [
        compiler.path,
        *_flags(project, compiler),
        *inputs,
        "-shared",
        "-o",
        str(part / "entry" / LIBRARY),
    ]
    return run(command, project.path, Limits(timeout_s), part / "g++.log")


def _flags(project: HlsProject, compiler: _Compiler) -> tuple[str, ...]:
    """hls4ml's flags, and the standard that the sources need."""
    return (*compiler.flags, f"-std={cpp_standard(project)}")


def cpp_standard(project: HlsProject) -> str:
    """C++23 only for the floating types that need it: its headers take a third more time."""
    defines = project.firmware / "defines.h"
    floating = (
        defines.is_file() and re.search(r"std::b?float\d+", defines.read_text(errors="replace")) is not None
    )
    return "c++23" if floating else "c++17"


def _first_error(done: RunResult) -> str:
    """g++'s first error with file and line; the end of its output where none is marked."""
    text = done.log.read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        if re.search(r"(?:fatal )?error:", line):
            return f"g++: {line.strip().removeprefix('./')}"
    return f"g++: {text.strip()[-500:] or 'failed without a message'}"


@dataclass(frozen=True)
class _Compiler:
    path: str
    version: str
    flags: tuple[str, ...]


def _compiler() -> _Compiler:
    return _probe(str(require("g++", mend="csim compiles the generated C++: apt-get install g++")))


@functools.cache
def _probe(path: str) -> _Compiler:
    """Version of this g++ and the flags hls4ml's own build_lib.sh would choose."""
    version = (ask([path, "--version"], PROBE_S) or "").strip()
    if not version:
        raise ToolFailed("g++ --version says nothing", where=path)
    unique = ("-fno-gnu-unique",) if _accepts(path, "-fno-gnu-unique") else ()
    return _Compiler(path, version.splitlines()[0], ("-O3", "-fPIC", "-w", *unique))


def _accepts(path: str, flag: str) -> bool:
    """Whether an empty source compiles with it; g++ says nothing then."""
    return ask([path, "-Werror", "-fsyntax-only", flag, "-xc++", "/dev/null"], PROBE_S) == ""
