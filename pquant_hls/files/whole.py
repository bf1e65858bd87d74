"""What carries its name is complete and on disk: made beside, synced, renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pquant_hls.errors import OutputError
from pquant_hls.files.scratch import scratch


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A path beside ``out`` to make a file or folder at; on disk, and at ``out``, when the block ends well.

    It takes the place of what is there. Raises OSError where the folder of ``out`` cannot be written.
    """
    with scratch(out.parent, f".{out.name}") as folder:
        made = folder / out.name
        yield made
        sync(made)
        if made.is_dir() and out.is_dir():
            out.rename(folder / "old")
        made.rename(out)
        sync_entry(out.parent)


def write_bytes(path: Path, blob: bytes) -> None:
    """Replace ``path`` in one step; raises OutputError where the folder cannot be written."""
    try:
        with replacing(path) as made:
            made.write_bytes(blob)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror or cause}", where=path) from cause


def out_of_room(cause: BaseException) -> bool:
    """Whether a full disk (or quota) is what an error comes from."""
    found: BaseException | None = cause
    while found is not None:
        if isinstance(found, OSError) and found.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        found = found.__cause__
    return False


def sync(path: Path) -> None:
    """Have a file, or all that is in a folder, on disk when this returns."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                sync_entry(Path(folder, name))
            sync_entry(Path(folder))
    else:
        sync_entry(path)


def sync_entry(path: Path) -> None:
    """One file's content, or one folder's list of names; a link is part of the list."""
    if path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
