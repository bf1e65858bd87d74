"""Where low rank wins by the closed loop's own choice: the smallest design within two points of the float network.

Pulses of 64 samples hold three amplitudes in noise; four classes by the length of the three together. The first layer of
64-48-24-4 reads 64 numbers that vary in three directions, which no removed unit makes cheaper. The loop turns sparsity (of
units), bits and, in the first recipe, the rank of that layer; in the second there is no low_rank step, all else is the same.
Designs are sketched (the estimator's LUT, Keras' accuracy on 4,000 validation pulses); the one handed over is measured by
csim.

``--quick`` : fewer pulses, epochs and rounds; its figures only show that everything works.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show

from pquant_hls.datasets import Dataset
from pquant_hls.engine import Ending, Goal, Order, Point, run_policy
from pquant_hls.engine.bench import Bench
from pquant_hls.engine.compress import ClosedLoop
from pquant_hls.engine.loop import closed_loop
from pquant_hls.network import build_mlp
from pquant_hls.pipelines import as_dataset
from pquant_hls.spec import Recipe
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit

SAMPLES, LOUDNESS, NOISE = 64, 4.0, 0.5
EDGES = (1.0, 1.55, 2.1)
"""Lengths of the three amplitudes between the classes."""


class Sketched(ClosedLoop):
    """The closed loop on sketches; only the design it ends on is compiled."""

    name: ClassVar[str] = "sketched"

    def policy(self, bench: Bench, start: Point, setup: Order) -> Ending:
        found = closed_loop(bench, start, self.recipe, fidelity="sketch")
        return Ending(found.best, Goal(budget=setup.budget), found.action.reason, found.entries)


def pulses(events: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pulses, float32 (events, 64), and their classes, int (events,)."""
    rng, time = np.random.default_rng([seed, 31]), np.arange(SAMPLES) / SAMPLES
    late = np.clip(time - 0.25, 0, None)
    shapes = np.stack(
        [np.exp(-8 * time) - np.exp(-30 * time), np.exp(-12 * late) * (late > 0), np.sin(4 * np.pi * time)]
    )
    shapes *= LOUDNESS / np.linalg.norm(shapes, axis=1, keepdims=True)
    amplitudes = rng.normal(size=(events, 3))
    x = amplitudes @ shapes + NOISE * rng.normal(size=(events, SAMPLES))
    return x.astype(np.float32), np.digitize(np.linalg.norm(amplitudes, axis=1), EDGES)


def recipe(*, low_rank: bool, quick: bool, hls: Mapping[str, Any]) -> Recipe:
    """Units, rank where asked, bits: each as the loop turns it."""
    factors = {"step": "low_rank", "rank": 24, "error": "outputs", "exclude": ["fc2", "output"]}
    training = {"epochs": 2 if quick else 6, "batch_size": 128, "learning_rate": 3e-3}
    steps = [
        {"step": "prune", "sparsity": 0.0},
        *([factors] if low_rank else []),
        {"step": "quantize", "bits": 8, **training},
    ]
    loop: dict[str, Any] = {
        "max_rounds": 3 if quick else 12,
        "sparsity": {"step": 0.3},
        "bits": {"min": 4},
        "rank": {"step": 0.5, "min": 3} if low_rank else None,
    }
    budget = {"max_accuracy_loss": 0.02}
    return Recipe.parse({"steps": steps, "hls": dict(hls), "budget": budget, "loop": loop})


def row(name: str, entry: Any) -> dict[str, Any]:
    """One round as a line of the table."""
    qor, knobs = entry.figures["qor"], entry.settings["knobs"]
    turned = {path.rpartition(".")[2]: value for path, value in knobs.items()}
    return {
        "recipe": name,
        "round": entry.number,
        **{key: turned.get(key) for key in ("sparsity", "rank", "bits")},
        "accuracy %": 100 * entry.figures["accuracy"],
        "LUT": qor["resources"]["lut"],
        "DSP": qor["resources"]["dsp"],
        "cycles": entry.figures["cycles"],
        "verdict": entry.verdict,
    }


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--strategy", choices=["latency", "resource"], default="latency")
    parser.add_argument("--reuse", type=int, default=1, help="reuse factor (default 1)")


def trained(args: argparse.Namespace) -> tuple[Any, Dataset]:
    """The float network and its pulses."""
    train, val = (3_000, 1_000) if args.quick else (20_000, 4_000)
    x, y = pulses(train + val, args.seed)
    model = build_mlp(SAMPLES, (48, 24), len(EDGES) + 1, seed=args.seed)
    data = as_dataset(model, (x[:train], y[:train]), (x[train:], y[train:]))
    learn = FineTuneConfig(epochs=5 if args.quick else 25, batch_size=128, learning_rate=3e-3, seed=args.seed)
    fit(model, data, learn)
    return model, data


def main() -> None:
    """Both recipes on one network."""
    args = parse(__doc__, options)
    model, data = trained(args)
    hls, rows, ends = {"strategy": args.strategy, "reuse_factor": args.reuse}, [], []
    for name, low in (("with low rank", True), ("without", False)):
        asked = recipe(low_rank=low, quick=args.quick, hls=hls)
        with tempfile.TemporaryDirectory() as scratch:
            order = Order(asked.hls, asked.budget)
            made = run_policy(Sketched(asked), model, data, order, Path(scratch) / "run")
        rows += [row(name, entry) for entry in made.history if entry.kind == "round"]
        used, lost = made.qor.resources, made.baseline_accuracy
        ends.append(
            {
                "recipe": name,
                "LUT": None if used is None else used.lut,
                "csim accuracy %": None if made.qor.accuracy is None else 100 * made.qor.accuracy,
                "float %": None if lost is None else 100 * lost,
                "csim equal %": None if made.qor.csim_match is None else 100 * made.qor.csim_match,
                "verdict": str(made.verdict),
                "reason": made.reason,
            }
        )
    show("every round", rows)
    show("handed over", ends)
    save(args, "low_rank", {"rounds": rows, "handed over": ends})


if __name__ == "__main__":
    main()
