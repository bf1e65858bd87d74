"""A run folder: what was asked (``run.json``), what happened (``ledger.jsonl``), finished work by name.

Work is done in a folder ending in ``.part`` that gets its name only when it is complete and on disk, so what carries a
name is finished. A resumed run finds it there, does not repeat it, and takes away what a killed one left half done.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pquant_hls.errors import OutputError, Waiting
from pquant_hls.errors.bounds import json_values
from pquant_hls.files import out_of_room, sync, sync_entry
from pquant_hls.store.files import digest_of, read_json, write_json
from pquant_hls.store.ledger import Entry

RUN, LEDGER, LOCK = "run.json", "ledger.jsonl", ".lock"
MORE_ROOM = "make room, then --resume goes on with the run"
_HALF_DONE = re.compile(r"\.part(-\w+)?$")


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, held by one process at a time.

    ``digest`` is that of its identity, ``keys`` tell which entries the ledger has. ``torn`` : a crash had cut its last
    line short, and what was left of it is taken away.
    """

    path: Path
    lock: IO[str]
    digest: str
    keys: set[str]
    torn: bool = False

    @classmethod
    @contextmanager
    def open(cls, path: Path, identity: Mapping[str, Any], *, resume: bool = False) -> Iterator[RunFolder]:
        """Create the folder, or take up an interrupted run of the same ``identity`` (recipe, model, data).

        Raises
        ------
        OutputError : the folder is not empty (and not resumed), cannot be written, is in use by another process,
            holds a run of something else, or the disk is full.
        """
        _prepare(path, identity, resume)
        with _held(path) as lock:
            _clear(path)
            torn = _mend(path / LEDGER)
            run = cls(path, lock, digest_of(identity), {entry.key for entry in read_ledger(path)}, torn)
            try:
                run._begin(identity)
                yield run
            except Waiting as cause:
                run.set_status("waiting", reason=str(cause))
                raise
            except BaseException as cause:  # Ctrl-C too: the folder says that it was interrupted
                with suppress(OutputError):  # a full disk holds no status either: it stays "running"
                    run.set_status("interrupted")
                if out_of_room(cause):
                    raise OutputError("no space is left on the disk", where=path, mend=MORE_ROOM) from cause
                raise

    def _begin(self, identity: Mapping[str, Any]) -> None:
        if not (self.path / RUN).exists():
            asked = {"identity": dict(identity), "digest": self.digest, "status": "running"}
            write_json(self.path / RUN, asked)
        self.set_status("running")

    def set_status(self, status: str, **more: Any) -> None:
        """Record ``running``, ``waiting``, ``interrupted`` or ``finished`` with what is to be known of it."""
        write_json(self.path / RUN, {**read_json(self.path / RUN), "status": status, **more})

    def append(self, record: Entry | Mapping[str, Any]) -> None:
        """Add one entry to the ledger, on disk when this returns; one that is there already is not repeated.

        A mapping is taken as a line of any version. The ledger is not read again; a line that the disk has no room for
        is taken back whole.
        """
        entry = record if isinstance(record, Entry) else Entry.read(record)
        if entry.key in self.keys:
            return
        line = json.dumps(entry.model_dump(mode="json"), default=str, allow_nan=False)
        with (self.path / LEDGER).open("ab") as stream:
            before = stream.tell()
            try:
                stream.write(f"{line}\n".encode())
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                stream.raw.close()
                os.truncate(stream.name, before)
                raise
        self.keys.add(entry.key)

    def has(self, name: str) -> bool:
        """Whether the work ``name`` is finished."""
        return (self.path / name).is_dir()

    def work(self, name: str) -> AbstractContextManager[Path]:
        """An empty folder to work in; it becomes ``name`` when the block ends well and vanishes when it does not."""
        return working(self.path / name)


@contextmanager
def working(final: Path) -> Iterator[Path]:
    """An empty folder beside ``final``, which takes its place when the block ends well and vanishes when it does not."""
    part, old = (final.with_name(f"{final.name}{suffix}") for suffix in (".part", ".old.part"))
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        sync(part)
    except BaseException:  # Ctrl-C too leaves no half-made folder
        shutil.rmtree(part, ignore_errors=True)
        raise
    if final.exists():
        final.rename(old)
    part.rename(final)
    sync_entry(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def read_ledger(path: Path) -> list[Entry]:
    """Entries of a run folder's ledger, oldest first; a last line cut short by a crash is left out, other damage is an
    OutputError."""
    file = path / LEDGER
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n")[:-1], start=1):
        try:
            found.append(Entry.read(json_values(line)))
        except (ValueError, OutputError) as cause:
            raise OutputError(f"line {number} is damaged: {cause}", where=file) from cause
    return found


def _mend(file: Path) -> bool:
    """Cut a ledger back to its last whole line; whether there was anything to cut."""
    if not file.exists():
        return False
    with file.open("rb+") as stream:
        whole = stream.read().rfind(b"\n") + 1
        torn = stream.seek(0, os.SEEK_END) > whole
        if torn:
            stream.truncate(whole)
            os.fsync(stream.fileno())
    return torn


def _clear(path: Path) -> None:
    """Remove what killed runs left half done; the folder is held, so that nobody works in it."""
    for pattern in ("*", "*/*", "cache/*/*"):
        for left in path.glob(pattern):
            if _HALF_DONE.search(left.name):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def check_free(path: Path, *, resume: bool = False) -> None:
    """Raise OutputError unless a run may be started (or resumed) in ``path``; creates nothing."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise OutputError("is not a folder", where=nearest)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError("cannot be written", where=nearest)
    taken = path.exists() and not all(
        entry.name == LOCK or _HALF_DONE.search(entry.name) for entry in path.iterdir()
    )
    if taken and not resume:
        raise OutputError(
            "is not empty", where=path, mend="choose another folder, or --resume to go on with the run in it"
        )
    if taken and not (path / RUN).is_file():
        raise OutputError(f"holds no run to resume (no {RUN})", where=path)


def _prepare(path: Path, identity: Mapping[str, Any], resume: bool) -> None:
    check_free(path, resume=resume)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputError(f"cannot be made: {cause.strerror or cause}", where=path) from cause
    if (path / RUN).is_file() and read_json(path / RUN).get("digest") != digest_of(identity):
        raise OutputError(
            "holds a run of another recipe, model or data", where=path, mend="choose another folder"
        )


@contextmanager
def _held(path: Path) -> Iterator[IO[str]]:
    with (path / LOCK).open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise OutputError("another process is using this run folder", where=path) from cause
        try:
            yield lock
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
