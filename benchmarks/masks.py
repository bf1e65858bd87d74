"""Pruning by masks that are trained with the weights, against magnitude in many small cuts, at equal epochs.

PDP, AutoSparse, DST and continuous sparsification (``_masks.py``), each for 105 epochs from the same float tagger, whose
smallest weights are then set to zero up to the sparsity; magnitude takes 15 cuts of 7 epochs to the same. All are quantized
alike afterwards: bits by sensitivity, odd biases, 200 epochs, with the float tagger as teacher. Epochs are chosen on the
validation split; ``against magnitude`` is the mean over the seeds of the difference on the test split, with its error.

    python benchmarks/masks.py [--quick] [--json OUT] [--seed N] [--seeds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from _common import parse, save, show
from _contestants import LEARN, teacher
from _masks import MASKS, Masking, unmasked, with_masks
from _tasks import tasks

from pquant_hls.compress import PruningCompression, QuantizationCompression, account
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import evaluate, fit

POINTS = ((6, 0.85), (4, 0.93), (4, 0.96))
"""Bits and share of weights at zero."""
SCHEDULE = (15, 7, 200)
"""Cuts, epochs after each, epochs of quantization."""
TASK = "bundled jets"
MAGNITUDE = "magnitude"


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--seeds", type=int, help="number of seeds (default 3, quick 1)")


def main() -> None:
    """Train, measure and print."""
    args = parse(__doc__, options)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    points = POINTS[1:2] if args.quick else POINTS
    task = tasks(Path())[TASK]
    found: list[dict[str, Any]] = []
    for seed in seeds:
        data = task.data(seed)
        start = teacher(task, data, seed, quick=args.quick)
        found += [
            {"method": method, "seed": seed, **made(method, point, start, data, seed, quick=args.quick)}
            for point in points
            for method in (MAGNITUDE, *MASKS)
        ]
    rows = [row(method, point, found) for point in points for method in (MAGNITUDE, *MASKS)]
    show(f"{TASK}, {task.shape}: test accuracy in percent, mean of {len(seeds)} seeds", rows)
    save(args, "masks", {"runs": found, "rows": rows})


def made(
    method: str, point: tuple[int, float], start: Any, data: Any, seed: int, *, quick: bool
) -> dict[str, Any]:
    """One design of a method."""
    bits, sparsity = point
    cuts, few, many = (2, 1, 2) if quick else SCHEDULE
    taught: dict[str, Any] = {**LEARN, "seed": seed, "teacher": start, "distillation": 0.5}
    begun = time.process_time()
    model, rounds, epochs = start, cuts, few
    if method != MAGNITUDE:
        model, rounds, epochs = masked(method, start, data, sparsity, seed, cuts * few), 1, 0
    cut = PruningCompression(method="magnitude", sparsity=sparsity, rounds=rounds, epochs=epochs, **taught)
    narrow = QuantizationCompression(
        bits=bits, allocation="sensitivity", rounding="odd_bias", epochs=many, **taught
    )
    done = narrow.compress(cut.compress(model, data).model, data).model
    seconds = time.process_time() - begun
    return {
        "point": point,
        "accuracy": 100 * evaluate(done, data.x_test, data.y_test)["accuracy"],
        "EBOPs": account(done).ebops,
        "seconds": seconds,
    }


def masked(method: str, start: Any, data: Any, sparsity: float, seed: int, epochs: int) -> Any:
    """The float network after its masks are trained, at the last epoch."""
    twin = with_masks(start, MASKS[method])
    config = FineTuneConfig(**LEARN, epochs=epochs, distillation=0.5, seed=seed)
    masking = Masking(twin, 1 - sparsity, epochs)
    fit(twin, data, config, teacher=start, pressure=masking)
    twin.set_weights(masking.weights)
    return unmasked(twin, start)


def row(method: str, point: tuple[int, float], found: list[dict[str, Any]]) -> dict[str, Any]:
    """A method's means at one point, and its differences from magnitude, seed by seed."""
    own = {run["seed"]: run for run in found if run["method"] == method and run["point"] == point}
    base = {run["seed"]: run for run in found if run["method"] == MAGNITUDE and run["point"] == point}
    gains = [run["accuracy"] - base[seed]["accuracy"] for seed, run in own.items()]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else None
    return {
        "bits, zero": f"{point[0]} bits, {100 * point[1]:g} %",
        "method": method,
        "test, %": statistics.fmean(run["accuracy"] for run in own.values()),
        "against magnitude": None if method == MAGNITUDE else statistics.fmean(gains),
        "error": None if method == MAGNITUDE else error,
        "EBOPs": statistics.fmean(run["EBOPs"] for run in own.values()),
        "CPU s": statistics.fmean(run["seconds"] for run in own.values()),
    }


if __name__ == "__main__":
    main()
