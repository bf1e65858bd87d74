"""Kills runs at random moments, fills the disk under them, resumes each, and compares it with a run left in peace.

Jobs: compress, quickstart, tune, and two workers of one study in SQLite and in PostgreSQL. A kill is SIGKILL of the
command's own process. A full disk is a tmpfs with a random number of bytes left (needs the right to mount).

For each job: tried; resumed (it came to its end); same (decisions and digests as in peace); lost (ledger entries that
are missing); stuck (no end within ten times its time); left (processes, files in the run folder, in the folder for
temporary files and in the cache that a run in peace does not leave). ``--kills`` and ``--fills`` set how many.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _common import parse, save, show
from _nursery import Command, load
from _postgres import missing, server

PATIENCE = 10.0
VERDICTS = (0, 1, 4)
LEVELS = ("*", "*/*", "*/*/*")
PASSING = {"seconds", "versions"}
TRIALS = 4
DISK_MB = 64
RECIPE = {
    "schema_version": 1,
    "name": "chaos",
    "steps": [{"step": "prune", "sparsity": 0.2, "epochs": 0}, {"step": "quantize", "bits": 6, "epochs": 1}],
    "budget": {"latency_ns": "40 ns", "max_accuracy_loss": 0.2, "measure": "estimate"},
    "loop": {"max_rounds": 1},
}
STUDY = {
    "name": "chaos",
    "sampler": "random",
    "space": {"bits": [4, 8], "sparsity": [0.0, 0.6]},
    "n_trials": TRIALS,
    "epochs": 0,
    "final_epochs": 0,
    "tolerance": 1.0,
    "heartbeat_s": 3,
    "budget": {"latency_ns": 100, "measure": "estimate"},
}


@dataclass
class Result:
    """What came of one job's trials."""

    job: str
    fault: str
    seconds: float
    tried: int = 0
    resumed: int = 0
    same: int = 0
    lost: int = 0
    stuck: int = 0
    left: int = 0
    remarks: list[str] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "remarks"}


@dataclass(frozen=True)
class Job:
    """A command line, which ``words`` gives for a run folder; ``workers`` of it share a study."""

    name: str
    words: Callable[[Path], list[object]]
    workers: int = 1


def compress(work: Path) -> Job:
    files = ["--model", work / "model.keras", "--data", work / "data.npz", "--recipe", work / "recipe.yaml"]
    return Job("compress", lambda out: ["compress", *files, "--out", out])


def quickstart(work: Path) -> Job:
    return Job("quickstart", lambda out: ["quickstart", "--recipe", work / "recipe.yaml", "--out", out])


def tune(work: Path, name: str, storage: str | None = None) -> Job:
    """A study in the run folder; with ``storage`` (``{run}`` is the trial's name) one that two workers share."""

    def words(out: Path) -> list[object]:
        run, spec = out.parent.name, out.parent / "study.yaml"
        url = {} if storage is None else {"storage": storage.format(run=run)}
        spec.write_text(yaml.safe_dump({**STUDY, **url, "name": run}))
        return [
            "tune",
            "--model",
            work / "model.keras",
            "--data",
            work / "data.npz",
            "--study",
            spec,
            "--out",
            out,
        ]

    return Job(name, words, 1 if storage is None else 2)


def inputs(work: Path, seed: int) -> None:
    """A network of 5-4-1 units and 300 events; in a child, as TensorFlow is not to be started in this process."""
    rng = np.random.default_rng(seed)
    y = np.arange(300) % 2
    x = rng.normal(0, 1, (300, 5)) + np.where(y[:, None] == 1, 0.8, -0.8)
    np.savez(work / "data.npz", x=x.astype(np.float32), y=y)
    (work / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    pid = os.fork()  # noqa: TID251 - a child that shares what is imported
    if pid == 0:
        from pquant_hls.network import build_mlp, save_model

        save_model(build_mlp(5, (4,), 1, seed=seed), work / "model.keras")
        os._exit(0)
    os.waitpid(pid, 0)


def decided(out: Path) -> dict[str, Any]:
    """What a finished run decided: verdict, ledger without times, digests of the sources it hands over."""
    told = json.loads((out / "run.json").read_text())
    project = json.loads((out / "handover" / "project" / "pquant_project.json").read_text())
    entries = [_lasting(json.loads(line)) for line in (out / "ledger.jsonl").read_text().splitlines()]
    return {
        "verdict": [told["status"], told["verdict"], told["reason"]],
        "ledger": {json.dumps(entry, sort_keys=True) for entry in entries},
        "sources": project["sources"],
        "qor": _lasting(json.loads((out / "handover" / "qor.json").read_text())),
    }


def _lasting(value: Any) -> Any:
    """A record without what changes from run to run."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in PASSING}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


@dataclass
class Place:
    """Where one trial runs: run folders (one a worker), temporary files, cache, output."""

    root: Path
    job: Job

    def __post_init__(self) -> None:
        self.outs = [self.root / f"run{number}" for number in range(self.job.workers)]
        self.temporary, self.log = self.root / "tmp", self.root / "log"
        self.temporary.mkdir(parents=True)

    def start(self, worker: int = 0, *more: object) -> Command:
        return Command.start([*self.job.words(self.outs[worker]), *more], self.log, self.temporary)

    def decided(self) -> list[dict[str, Any]]:
        """Each worker's decisions; the ledger is that of all, as each has its own trials."""
        found = [decided(out) for out in self.outs if out.exists()]
        ledger = set().union(*(one["ledger"] for one in found))
        return [{**one, "ledger": ledger} for one in found]

    def names(self) -> set[str]:
        """What lies in the run folders, three levels deep, and anywhere in the other two."""
        there = [p.relative_to(out) for out in self.outs for level in LEVELS for p in out.glob(level)]
        passing = [p.relative_to(self.root) for p in self.temporary.iterdir()]
        cached = [p.relative_to(self.root) for p in (self.root / "cache").rglob("*")]
        return {str(path) for path in [*there, *passing, *cached]}

    def last_words(self) -> str:
        return " ".join(self.log.read_text(errors="replace").strip().splitlines()[-1:])


class Trials:
    """One job's trials, held against the job in peace."""

    def __init__(self, job: Job, fault: str, root: Path, rng: random.Random) -> None:
        self.job, self.root, self.rng = job, root, rng
        place = Place(root / f"{job.name}-{fault}-peace".replace(" ", "-"), job)
        command = place.start()
        if not command.wait(3600) or command.status not in VERDICTS:
            raise SystemExit(f"{job.name} in peace ended with {command.status}: {place.last_words()}")
        self.result = Result(job.name, fault, round(command.seconds, 1))
        self.peace, self.names = place.decided()[0], place.names()
        self.bytes = sum(-(-path.stat().st_size // 4096) * 4096 for path in place.root.rglob("*"))
        self.limit = PATIENCE * command.seconds + 60

    def place(self, root: Path | None = None) -> Place:
        name = f"{self.job.name}-{self.rng.randrange(16**8):08x}".replace(" ", "-")
        return Place((root or self.root) / name, self.job)

    def kill(self) -> bool:
        """One kill at a moment drawn evenly over the run; False where it was quicker this time."""
        place = self.place()
        commands = [place.start(worker) for worker in range(self.job.workers)]
        moment = self.rng.uniform(0, self.result.seconds)
        if commands[0].wait(moment):
            for other in commands[1:]:
                other.wait(self.limit)
            return False
        left = commands[0].kill()
        self.judge(place, [place.start(0, "--resume"), *commands[1:]], left, f"killed at {moment:.1f} s")
        return True

    def fill(self) -> bool:
        """One run with a random number of bytes left on its disk, then more; False where they were enough."""
        folder = self.root / f"disk-{self.rng.randrange(16**8):08x}"
        with disk(folder):
            room = self.rng.randrange(4096, int(1.2 * self.bytes))
            place = self.place(folder)
            with (folder / "ballast").open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(folder).free - room)
            command = place.start()
            ended = command.wait(self.limit)
            (folder / "ballast").unlink()
            if ended and command.status in VERDICTS:
                return False
            if command.status not in (2, 3):
                self.remark(place, f"a full disk ended it with {command.status}: {place.last_words()}")
            self.judge(place, [place.start(0, "--resume")], 0, f"{room} bytes left")
        return True

    def judge(self, place: Place, commands: list[Command], left: int, what: str) -> None:
        """Wait for what was taken up again, and count."""
        found = self.result
        found.tried += 1
        ended = [command.wait(self.limit) for command in commands]
        if not all(ended):
            found.stuck += 1
            left += sum(command.kill() for command, end in zip(commands, ended, strict=True) if not end)
            self.remark(place, f"{what}: stuck")
        elif any(command.status not in VERDICTS for command in commands):
            statuses = [command.status for command in commands]
            self.remark(place, f"{what}: ended with {statuses}: {place.last_words()}")
        else:
            found.resumed += 1
            left += self.compare(place, what)
        found.left += left

    def compare(self, place: Place, what: str) -> int:
        """Count what differs from the run in peace; how many things are left behind."""
        now = place.decided()
        lost = self.peace["ledger"] - now[0]["ledger"]
        different = sorted({key for one in now for key in one if one[key] != self.peace[key]})
        remains = sorted(place.names() - self.names)
        self.result.lost += len(lost)
        self.result.same += not different
        for trouble, said in ((different, "another"), (remains, "left")):
            if trouble:
                self.remark(place, f"{what}: {said} {', '.join(trouble[:8])}")
        if not (different or remains):
            shutil.rmtree(place.root, ignore_errors=True)
        return len(remains)

    def remark(self, place: Place, text: str) -> None:
        self.result.remarks.append(f"{place.root.name}: {text}")
        print(self.result.remarks[-1], flush=True)


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A small file system of its own."""
    folder.mkdir(parents=True)
    subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "chaos", folder],  # noqa: S607
        check=True,
        capture_output=True,
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)  # noqa: S603, S607
        folder.rmdir()


def can_mount(root: Path) -> bool:
    with suppress(subprocess.CalledProcessError, OSError), disk(root / "probe"):
        return True
    return False


def run(jobs: Iterable[tuple[Job, int]], fault: str, work: Path, seed: int) -> list[Result]:
    """So many trials of each job."""
    found = []
    for job, count in jobs:
        if count == 0:
            continue
        trials = Trials(job, fault, work, random.Random(f"{seed} {fault} {job.name}"))  # noqa: S311
        once = trials.kill if fault == "kill" else trials.fill
        while trials.result.tried < count:
            once()
        found.append(trials.result)
        print(trials.result.row(), flush=True)
    return found


def shares(count: int, parts: Sequence[int]) -> list[int]:
    """``count`` divided in proportion to ``parts``; the first get what is left over."""
    given = [count * part // sum(parts) for part in parts]
    for index in range(count - sum(given)):
        given[index % len(parts)] += 1
    return given


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, help="how many kills (50; with --quick 3)")
    parser.add_argument("--fills", type=int, help="how many full disks (50; with --quick 1)")


def main() -> None:
    args = parse(__doc__, options)
    kills = (3 if args.quick else 50) if args.kills is None else args.kills
    fills = (1 if args.quick else 50) if args.fills is None else args.fills
    load()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        inputs(work, args.seed)
        jobs = [
            tune(work, "tune"),
            compress(work),
            tune(work, "2 workers SQLite", f"sqlite:///{work}/{{run}}.db"),
        ]
        absent = missing()
        if absent is None:
            jobs.append(tune(work, "2 workers PostgreSQL", stack.enter_context(server())))
        else:
            print(f"2 workers PostgreSQL: left out, {absent}")
        jobs.append(quickstart(work))
        found = run(
            zip(jobs, shares(kills, [3, 3, 2, 2, 1][: len(jobs)]), strict=True), "kill", work, args.seed
        )
        if can_mount(work):
            found += run(zip(jobs[:2], shares(fills, [1, 1]), strict=True), "full disk", work, args.seed)
        else:
            print("full disks: left out, no tmpfs can be mounted here (root only)")
    show("runs that were hurt, resumed", [result.row() for result in found])
    save(args, "chaos", [vars(result) for result in found])


if __name__ == "__main__":
    main()
