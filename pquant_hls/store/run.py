"""A run folder: what was asked (``run.json``), what happened (``ledger.jsonl``), finished work by name.

Work is done in a folder ending in ``.part`` that gets its name only when it is complete, so what carries a
name is finished. A resumed run finds it there and does not repeat it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pquant_hls.errors import OutputError
from pquant_hls.store.files import digest_of, read_json, write_json

RUN, LEDGER, LOCK = "run.json", "ledger.jsonl", ".lock"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, held by one process at a time."""

    path: Path
    lock: IO[str]

    @classmethod
    @contextmanager
    def open(cls, path: Path, identity: Mapping[str, Any], *, resume: bool = False) -> Iterator[RunFolder]:
        """Create the folder, or take up an interrupted run of the same ``identity`` (recipe, model, data).

        Raises
        ------
        OutputError : the folder is not empty (and not resumed), cannot be written, is in use by another process,
            or holds a run of something else.
        """
        _prepare(path, identity, resume)
        with _held(path) as lock:
            run = cls(path, lock)
            if not (path / RUN).exists():
                write_json(
                    path / RUN,
                    {"identity": dict(identity), "digest": digest_of(identity), "status": "running"},
                )
            run.set_status("running")
            try:
                yield run
            except BaseException:
                run.set_status("interrupted")
                raise

    def set_status(self, status: str, **more: Any) -> None:
        """Record ``running``, ``interrupted`` or ``finished`` with what is to be known of it."""
        write_json(self.path / RUN, {**read_json(self.path / RUN), "status": status, **more})

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one record to the ledger; it is on disk when this returns. A record already there is not repeated."""
        line = json.dumps({"schema_version": 1, **record}, default=str, allow_nan=False)
        if json.loads(line) in self.ledger():
            return
        with (self.path / LEDGER).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def ledger(self) -> list[dict[str, Any]]:
        """All records, oldest first."""
        return read_ledger(self.path)

    def has(self, name: str) -> bool:
        """Whether the work ``name`` is finished."""
        return (self.path / name).is_dir()

    @contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """An empty folder to work in; it becomes ``name`` when the block ends well and vanishes when it does not."""
        final, part = self.path / name, self.path / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        if final.exists():
            shutil.rmtree(final)
        part.replace(final)


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Records of a run folder's ledger; a last line cut short by a crash is left out, other damage is an OutputError."""
    file = path / LEDGER
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            records.append(json.loads(line))
        except ValueError as cause:
            raise OutputError(f"line {number} is not JSON: {cause}", where=file) from cause
    return records


def check_free(path: Path, *, resume: bool = False) -> None:
    """Raise OutputError unless a run may be started (or resumed) in ``path``; creates nothing."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise OutputError("is not a folder", where=nearest)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError("cannot be written", where=nearest)
    taken = path.exists() and any(entry.name != LOCK for entry in path.iterdir())
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
