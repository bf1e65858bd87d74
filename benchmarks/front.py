"""The whole front against the peers: accuracy for what a design costs, all contestants judged by one flow.

Contestants: ``ours``, learned widths; ``cuts``, this package's pruning in many small cuts; ``HGQ2`` 0.2, learned bits of every
weight and value; ``PQuantML`` 0.1, several methods at their default epochs; ``usual``, uniform QKeras bits and magnitude
pruning. All get the same splits: they train and choose on training
and validation events and never see the test split. Each hands over its designs in one neutral form (``peers/_neutral.py``:
weights, and the type of every value), which must compute the contestant's own outputs bit for bit; LUT (alkaid's cost),
stages and EBOPs of what reaches an output are all read off that form.

Of one contestant and seed a design is kept that has a better validation accuracy than every cheaper one; the accuracies
shown are those of the kept ones on the test split, read once. ``at 2k`` is the accuracy of the best kept design of at most
2,000 LUT, ``LUT for 74 %`` the fewest of a kept one with this accuracy, ``height`` the mean over log LUT, from 500 to
40,000, of what the best affordable design has above the floor. Figures are means over the seeds that have one.

Peers run in environments of their own, made by

    python -m venv ENV && ENV/bin/pip install -r benchmarks/peers/hgq2.txt        # pquantml.txt for PQuantML

and are left out, by name, where ``--hgq2 ENV/bin/python`` or ``--pquantml ENV/bin/python`` names none. ``--forms FOLDER`` keeps
designs; a second run goes on from there. Tasks: the bundled jets (16-64-32-32-5) and three sources (10-40-24-3).

    python benchmarks/front.py [--quick] [--json OUT] [--seed N] [--seeds N] [--only NAME ...] [--tasks NAME ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show
from _contestants import HERE, LEVERS, form
from _judge import Row, judged, share
from _neutral import Form
from _tasks import Task, tasks

from pquant_hls.datasets import Dataset
from pquant_hls.programs import Limits, run

PEERS = {"HGQ2": "hgq2", "PQuantML": "pquantml"}
LUTS = (1000, 2000, 5000, 10000)
RANGE = (500.0, 40000.0)
LEVELS = {"bundled jets": (70.0, (74.0, 74.5)), "three sources": (75.0, (78.0, 78.5))}
"""By task: the accuracy in percent that heights count from, and those whose LUT are shown."""
HOURS = 6.0
"""Longest training of a peer."""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--seeds", type=int, help="number of seeds (default 3, quick 1)")
    parser.add_argument("--only", nargs="+", choices=[*HERE, *LEVERS, *PEERS], help="these contestants")
    parser.add_argument("--tasks", nargs="+", choices=[*LEVELS], help="these tasks (quick: bundled jets)")
    parser.add_argument("--hgq2", type=Path, help="Python of HGQ2's environment")
    parser.add_argument("--pquantml", type=Path, help="Python of PQuantML's environment")
    parser.add_argument("--forms", type=Path, help="folder of designs, read and added to")


def main() -> None:
    """Train what is not there, judge, show."""
    args = parse(__doc__, options)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    named = args.only or ([*HERE] if args.quick else [*HERE, *PEERS])
    contestants = [name for name in named if is_there(name, args)]
    results: dict[str, Any] = {"seeds": list(seeds), "left_out": [n for n in named if n not in contestants]}
    known = tasks(Path())
    with tempfile.TemporaryDirectory() as scratch:
        folder = (args.forms or Path(scratch)).absolute()
        for name in args.tasks or ([*LEVELS][:1] if args.quick else [*LEVELS]):
            points = [
                point
                for seed in seeds
                for contestant in contestants
                for point in ran(contestant, known[name], seed, folder / name.replace(" ", "_"), args)
            ]
            rows = [row(contestant, points, *LEVELS[name]) for contestant in contestants]
            show(f"{name}, {known[name].shape}: test accuracy in percent", rows)
            results[name] = {"rows": rows, "points": points, "floor": LEVELS[name][0]}
    save(args, "front", results)


def is_there(name: str, args: argparse.Namespace) -> bool:
    """Whether a contestant can run; says so where it cannot."""
    if name in HERE | LEVERS:
        return True
    python = getattr(args, PEERS[name])
    if python is not None and python.is_file():
        return True
    print(f"{name} is left out: --{PEERS[name]} names no Python with benchmarks/peers/{PEERS[name]}.txt")
    return False


def ran(name: str, task: Task, seed: int, folder: Path, args: argparse.Namespace) -> list[Row]:
    """Judged designs of one contestant and seed: those kept by validation carry their test accuracy."""
    data, place = task.data(seed), folder / f"{name}_{seed}"
    if not place.is_dir():
        made = place.with_name(f"{place.name}.part")
        made.mkdir(parents=True, exist_ok=True)
        if (own := (HERE | LEVERS).get(name)) is not None:
            for number, design in enumerate(own(task, data, seed, quick=args.quick)):
                form(design, data, name, seed).save(made / f"{name}_{seed}_{number:02d}.npz")
        else:
            train_peer(name, task, seed, data, made, args)
        made.rename(place)
    forms = [Form.load(path) for path in sorted(place.glob("*.npz"))]
    points = [judged(each, data.x_val, data.y_val) for each in forms]
    for point, each in zip(points, forms, strict=True):
        point["kept"] = is_kept(point, points)
        point["test"] = 100 * share(each.forward(data.x_test), data.y_test) if point["kept"] else None
        if not point["exact"]:
            print(f"WRONG: {point} is not what the contestant computes")
    return points


def train_peer(
    name: str, task: Task, seed: int, data: Dataset, folder: Path, args: argparse.Namespace
) -> None:
    """Run a peer's script in its environment; raises RuntimeError with the end of its words where it fails."""
    with tempfile.TemporaryDirectory() as scratch:
        given, log = Path(scratch) / "data.npz", folder.with_suffix(".log")
        arrays = {name: np.asarray(getattr(data, name)) for name in ("x_train", "y_train", "x_val", "y_val")}
        np.savez(given, **arrays)  # type: ignore[arg-type]  # its keywords are arrays
        script = Path(__file__).with_name("peers") / f"{PEERS[name]}.py"
        shape = ["--widths", *map(str, task.widths), "--outputs", str(task.outputs), "--seed", str(seed)]
        few = ["--epochs", "5" if name == "PQuantML" else "200"] if args.quick else []
        command = [str(getattr(args, PEERS[name])), str(script), str(given), str(folder), *shape, *few]
        done = run(command, folder, Limits(3600 * HOURS), log)
        if not done.ok:
            raise RuntimeError(f"{name} failed, {log} ends: {log.read_text()[-500:]}")


def is_kept(point: Row, points: Sequence[Row]) -> bool:
    """Whether no other design is as cheap and as good in validation."""
    return not any(
        other is not point
        and other["lut"] <= point["lut"]
        and other["val"] >= point["val"]
        and (other["lut"], -other["val"]) != (point["lut"], -point["val"])
        for other in points
    )


def row(name: str, points: Sequence[Row], floor: float, levels: tuple[float, float]) -> Row:
    """A contestant's line of the table: figures of each seed's kept designs, averaged."""
    own = [point for point in points if point["contestant"] == name]
    fronts = [
        sorted((p for p in own if p["seed"] == seed and p["kept"]), key=lambda point: point["lut"])
        for seed in sorted({point["seed"] for point in own})
    ]
    found = [figures(front, floor, levels) for front in fronts]
    seconds = [cpu_s([p for p in own if p["seed"] == front[0]["seed"]]) for front in fronts if front]
    return {
        "contestant": name,
        "seeds": len(fronts),
        "CPU s a seed": mean(seconds),
        **{key: mean([each[key] for each in found]) for key in (found[0] if found else ())},
        "exact": all(point["exact"] for point in own),
    }


def figures(front: Sequence[Row], floor: float, levels: tuple[float, float]) -> dict[str, float | None]:
    """What one seed's kept designs, by LUT, give."""
    grid = np.geomspace(*RANGE, 400)
    heights = [max(0.0, (best_at(front, lut) or floor) - floor) for lut in grid]
    return {
        **{f"at {lut // 1000}k": best_at(front, lut) for lut in LUTS},
        **{f"LUT for {level:g} %": least_for(front, level) for level in levels},
        f"height above {floor:g} %": float(np.mean(heights)),
    }


def best_at(front: Sequence[Row], lut: float) -> float | None:
    """Test accuracy of the best kept design of at most this many LUT."""
    able = [point for point in front if point["lut"] <= lut]
    return float(able[-1]["test"]) if able else None


def least_for(front: Sequence[Row], level: float) -> float | None:
    """Fewest LUT of a kept design of at least this test accuracy."""
    able = [point["lut"] for point in front if point["test"] >= level]
    return float(min(able)) if able else None


def cpu_s(points: Sequence[Row]) -> float:
    """CPU seconds of the trainings that these points come of, each counted once."""
    known: dict[str, float] = {}
    for point in points:
        known |= point["trainings"]
    return sum(known.values())


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the figures that are there; None where none is."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


if __name__ == "__main__":
    main()
