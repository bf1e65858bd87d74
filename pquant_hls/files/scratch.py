"""A folder to work in that goes with its process, even one that is killed: the next one there takes it away.

A living process holds a lock on its folder, which the kernel lets go when it dies, whatever it dies of. Linux only.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = "pquant"
"""What the names of folders in the system's temporary folder begin with."""

_MARK = ".part-"
_RANDOM = r"[a-z0-9_]{8}"  # as tempfile draws it


@contextmanager
def scratch(parent: Path | None = None, name: str = TEMPORARY) -> Iterator[Path]:
    """An empty folder ``<name>.part-XXXXXXXX`` in ``parent``; it goes when the block ends.

    ``parent`` left out is the system's folder for temporary files. Those of the same name that killed processes left
    there are removed first.
    """
    root = Path(tempfile.gettempdir()) if parent is None else parent
    sweep(root, name)
    folder, lock = _claimed(root, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(root: Path, name: str) -> None:
    """Remove the folders of ``scratch`` in ``root`` under ``name`` whose processes are gone."""
    wanted = re.compile(re.escape(name + _MARK) + _RANDOM)
    with suppress(OSError), os.scandir(root) as entries:
        for found in entries:
            if wanted.fullmatch(found.name):
                _remove_dead(Path(found.path))


def _remove_dead(folder: Path) -> None:
    with suppress(OSError):  # no folder, gone meanwhile, or its process lives
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_uid == os.getuid():
                shutil.rmtree(folder)
        finally:
            os.close(lock)


def _claimed(root: Path, name: str) -> tuple[Path, int]:
    """A new folder and the lock on it; another process may sweep it away in the moment between the two."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=root, prefix=name + _MARK))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)
