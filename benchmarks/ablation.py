"""What each lever of the front is worth: ``ours`` and ``cuts`` of ``front.py`` beside the same with one lever taken away.

Levers: length of the training, types of every value of the activations, bits of every weight, odd biases (with them the
firmware truncates where Keras rounds, for fewer LUT), many small cuts, cuts shared by fan-in and fan-out. Splits, judge and
columns are those of ``front.py``; every design equals its model bit for bit or the last column says False. ``--forms FOLDER``
keeps designs and may be that of ``front.py``.

    python benchmarks/ablation.py [--quick] [--json OUT] [--seed N] [--seeds N] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _common import parse, save, show
from _contestants import LEVERS
from _tasks import tasks
from front import LEVELS, ran, row

WHOLE = ("ours", "cuts")
QUICK = ("ours", "activations fixed, odd biases", "cuts")
TASK = "bundled jets"


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--seeds", type=int, help="number of seeds (default 3, quick 1)")
    parser.add_argument("--only", nargs="+", choices=[*WHOLE, *LEVERS], help="these rows")
    parser.add_argument("--forms", type=Path, help="folder of designs, read and added to")


def main() -> None:
    """Train what is not there, judge, show."""
    args = parse(__doc__, options)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    names = args.only or (QUICK if args.quick else [*WHOLE, *LEVERS])
    task = tasks(Path())[TASK]
    with tempfile.TemporaryDirectory() as scratch:
        folder = (args.forms or Path(scratch)).absolute() / TASK.replace(" ", "_")
        points = [point for seed in seeds for name in names for point in ran(name, task, seed, folder, args)]
    rows = [row(name, points, *LEVELS[TASK]) for name in names]
    show(f"{TASK}, {task.shape}: test accuracy in percent, levers taken away", rows)
    save(args, "ablation", {"seeds": list(seeds), "rows": rows, "points": points, "floor": LEVELS[TASK][0]})


if __name__ == "__main__":
    main()
