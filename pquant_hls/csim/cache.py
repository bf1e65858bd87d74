"""Where compiled csim libraries are kept, for how long, and whether they are still what was put there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from pquant_hls.errors import SpecError
from pquant_hls.files import scratch

LIBRARY = "csim.so"
MANIFEST = "digests.json"
"""sha256 (hex) of every other file of an entry, by its place in it."""
ATTEMPTS = 3
LIMIT_VARIABLE = "PQUANT_HLS_CACHE_MB"
LIMIT_MB = 1000.0
RECENT_S = 3600.0
"""An entry used within this time is never removed: a check running beside this one may be about to load it."""


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/pquant_hls/csim``, or the same under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pquant_hls" / "csim"


def limit_bytes() -> float:
    """The size above which old entries go, from ``$PQUANT_HLS_CACHE_MB`` (MB of 10^6 bytes).

    Raises
    ------
    SpecError : the variable holds no number of 0 or more.
    """
    text = os.environ.get(LIMIT_VARIABLE, str(LIMIT_MB))
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise SpecError(f"{text!r} is no size in MB", where=LIMIT_VARIABLE, mend="a number, 1000 without it")
    return limit * 1e6


def mark_used(entry: Path) -> None:
    """Note on the entry that it is in use now; a cache that is read-only keeps no notes."""
    with contextlib.suppress(OSError):
        os.utime(entry)


def seal(entry: Path) -> None:
    """Note the digests of the files of a finished entry."""
    (entry / MANIFEST).write_text(json.dumps(_digests(entry), indent=1, sort_keys=True))


def damage(entry: Path) -> str | None:
    """What is wrong with an entry, in words: absent, altered, cut short; None where every file is as it was sealed."""
    if not entry.is_dir():
        return "is absent"
    try:
        known, found = json.loads((entry / MANIFEST).read_text()), _digests(entry)
    except (OSError, ValueError):
        return "has no list of digests"
    if not isinstance(known, dict) or LIBRARY not in known:
        return "has no list of digests"
    wrong = sorted(name for name in known.keys() | found if known.get(name) != found.get(name))
    return f"was altered: {', '.join(wrong[:3])}" if wrong else None


def _digests(entry: Path) -> dict[str, str]:
    files = [path for path in entry.rglob("*") if path.is_file() and path.name != MANIFEST]
    return {
        path.relative_to(entry).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def publish(made: Path, entry: Path) -> None:
    """Move a sealed entry into place whole. One that another process has finished stays, a damaged one goes.

    Raises
    ------
    OSError : the cache cannot be written.
    """
    for attempt in range(ATTEMPTS):
        try:
            made.rename(entry)
        except OSError:
            if damage(entry) is None:
                return
            if attempt == ATTEMPTS - 1:
                raise
            with contextlib.suppress(FileNotFoundError):  # another process has taken it away
                entry.rename(made.with_name(f"damaged{attempt}"))
        else:
            return


def drop_oldest(root: Path, limit: float, *, now: float | None = None) -> None:
    """Remove the entries of ``root`` that were not used for longest until ``limit`` bytes are left.

    Entries used within the last hour stay, whatever they take. One is renamed before it is deleted, so
    another process finds it whole or not at all; what a process was killed over is removed a day later.
    """
    now = time.time() if now is None else now
    entries = sorted((used, size, entry) for entry in _entries(root) for used, size in _facts(entry))
    total = sum(size for _, size, _ in entries)
    for used, size, entry in entries:
        if total <= limit or used > now - RECENT_S:
            break
        total -= size
        _remove(entry)
    for left in root.glob("*/.part-*"):
        for used, _ in _facts(left):
            if used < now - 24 * RECENT_S:
                shutil.rmtree(left, ignore_errors=True)


def _entries(root: Path) -> list[Path]:
    return [path.parent for path in root.glob(f"??/*/{LIBRARY}")]


def _facts(entry: Path) -> list[tuple[float, int]]:
    """[(time of last use, bytes)]; empty where another process has just removed the entry."""
    with contextlib.suppress(OSError):
        return [(entry.stat().st_mtime, sum(path.stat().st_size for path in entry.rglob("*")))]
    return []


def _remove(entry: Path) -> None:
    with contextlib.suppress(OSError), scratch(entry.parent, "") as bin_:
        entry.rename(bin_ / "old")
