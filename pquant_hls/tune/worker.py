"""Workers of a sweep: processes that make its steps and designs ahead, in its own run folder.

A worker writes nothing but finished work, each piece under its digest. The sweep then goes through its designs as it does
without workers and finds what they made, so that the result is the same; what a killed worker was at is made again, by
another worker or by the sweep.
"""

from __future__ import annotations

import copyreg
import fcntl
import math
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pquant_hls.datasets import Dataset
from pquant_hls.engine import Event, Listener
from pquant_hls.errors import OutputError, PquantError, SpecError
from pquant_hls.files import scratch
from pquant_hls.programs import Limits, run
from pquant_hls.programs.limits import default_memory_mb
from pquant_hls.store import Entry, read_json, working, write_json

if TYPE_CHECKING:
    from pquant_hls.network.model import Model
    from pquant_hls.tune.grid import GridSweep

MODEL, DATA, ASKED, LOCKS = "model.keras", "data.pickle", "sweep.json", "locks"
LOG_WORDS = 3
"""Lines of a failed worker's log that are told."""


def make_ahead(
    sweep: GridSweep, workers: int, model: Model, data: Dataset, folder: Path, listen: Listener
) -> None:
    """Have ``workers`` processes make the designs of a sweep in the run folder; returns when all have ended.

    ``model`` is the original, ``data`` as the sweep was given them. A worker that fails is told as a note: what it had
    finished stays. They end with this process, even where that is killed.
    """
    from pquant_hls.network import save_model

    told = threading.Lock()

    def tell(event: Event) -> None:
        with told:
            listen(event)

    with scratch(folder, "workers") as work:
        save_model(model, work / MODEL)
        put_data(data, work / DATA)
        write_json(work / ASKED, {**sweep.asked(), "folder": str(folder.absolute())})
        (work / LOCKS).mkdir()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda number: _worker(number, workers, work, tell), range(workers)))


def _worker(number: int, workers: int, work: Path, listen: Listener) -> None:
    """One worker process to its end."""
    log = work / f"{number}.log"
    ended = run(
        (sys.executable, "-m", "pquant_hls.tune.worker", str(work)),
        Path.cwd(),
        Limits(math.inf, default_memory_mb() / workers),
        log,
        on_line=lambda line: listen(Event("stage", f"worker {number + 1}: {line}")),
    )
    if not ended.ok:
        said = f"{ended.reason}: {ended.last(LOG_WORDS)}".rstrip(": ")
        listen(Event("note", f"worker {number + 1} {said}; what it was at is made by the others"))


class _Pickler(pickle.Pickler):
    """Of a data set: read-only mappings as they are, and arrays that lie on disk by their place there."""

    dispatch_table = copyreg.dispatch_table.copy()
    dispatch_table[MappingProxyType] = lambda found: (MappingProxyType, (dict(found),))

    def reducer_override(self, found: Any) -> Any:
        if isinstance(found, np.memmap) and found.filename is not None and Path(found.filename).is_file():
            place = (found.filename, found.dtype, "r", found.offset, found.shape)
            return np.memmap, place
        return NotImplemented


def put_data(data: Dataset, file: Path) -> None:
    """Write a data set for a worker."""
    with file.open("wb") as stream:
        _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(data)


def get_data(file: Path) -> Dataset:
    """The data set that the process which started this one wrote a moment ago."""
    with file.open("rb") as stream:
        found: Dataset = pickle.load(stream)  # noqa: S301 - our own file, in a folder of our own
    return found


@dataclass(frozen=True)
class SharedRun:
    """A run folder that several workers make work in; its ledger is left to the sweep.

    ``has`` of a piece that another worker is at waits for its end. One that is not there is then this worker's to make, by
    ``work``; the kernel lets its lock go where the worker dies.
    """

    path: Path
    locks: Path
    held: dict[str, int] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the work ``name`` is finished; if it is not, nobody else makes it now."""
        if (self.path / name).is_dir():
            return True
        lock = os.open(self.locks / name.replace("/", "-"), os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (self.path / name).is_dir():
            os.close(lock)
            return True
        self.held[name] = lock
        return False

    @contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """As RunFolder's; others that wait for it go on when the block ends."""
        try:
            with working(self.path / name) as folder:
                yield folder
        finally:
            if name in self.held:
                os.close(self.held.pop(name))

    def append(self, record: Entry) -> None:
        """Nothing: the sweep writes down what happened, in the order of its designs."""


def claim(locks: Path, number: int) -> int | None:
    """The lock on a design, held while its worker lives; None where another has it or has ended it."""
    lock = os.open(locks / f"design-{number}", os.O_CREAT | os.O_RDWR)
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_size == 0:
            return lock
    os.close(lock)
    return None


def designs_of(locks: Path, count: int) -> Iterator[int]:
    """Numbers of the designs that are this worker's to make, one after another, until all are ended or taken."""
    for number in range(count):
        lock = claim(locks, number)
        if lock is not None:
            yield number
            os.write(lock, b"ended")
            os.close(lock)


def serve(work: Path) -> None:
    """Make what is to be made; a line on stdout for each design."""
    from pquant_hls.engine import Bench
    from pquant_hls.network import load_model
    from pquant_hls.spec import Recipe
    from pquant_hls.tune.grid import GridSweep

    asked = read_json(work / ASKED)
    recipe = Recipe.parse(asked["recipe"])
    sweep = GridSweep(recipe, asked["grid"], asked["fidelity"])
    run: Any = SharedRun(Path(asked["folder"]), work / LOCKS)
    bench = Bench(get_data(work / DATA), recipe.hls, recipe.budget, run, task=recipe.task)
    start = bench.start(load_model(work / MODEL))
    for number in designs_of(work / LOCKS, len(sweep.designs)):
        name = f"trial {number}"
        sys.stdout.write(f"{name} of {len(sweep.designs)}\n")
        sys.stdout.flush()
        try:
            sweep.looked_at(bench, start, sweep.designs[number][1], name)
        except OutputError:
            raise
        except PquantError as cause:  # the sweep finds it so again, and writes it down
            sys.stdout.write(f"{name}: {cause}\n")


def check_workers(workers: object) -> None:
    """Raise SpecError for a number of workers that cannot be meant."""
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise SpecError(f"got {workers!r}", where="workers", mend="a whole number from 1")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
