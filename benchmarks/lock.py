"""Retrainings under a lock: cycles stay, by the estimator's rules and of our Verilog, and what accuracy becomes.

A network of the bundled jets is pruned, quantized and trained on one half of the events; its structure is locked. Then it is
trained again, with ``{step: fine_tune, lock: structure}``, on other halves with other seeds, and each time without a lock too.

before     accuracy (%) of the first training on the events that are kept apart, after: of each retraining on the same ones
cycles     of the hls4ml design by the estimator, lut: by the estimator
rtl        cycles of our Verilog (register ranks): all designs are asked for one stage more than the first one needs, as its logic
           is shaped by the values of weights
broken     types and weights that break the lock, which ``pquant-hls gate --lock`` names
free       the same without a lock: accuracy, cycles, rtl, broken

    python benchmarks/lock.py --json OUT
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from _common import parse, save, show

from pquant_hls.compress import FineTuning, PruningCompression, QuantizationCompression
from pquant_hls.datasets import load_dataset
from pquant_hls.decide import Lock
from pquant_hls.estimate import estimate
from pquant_hls.hls import fixed_graph
from pquant_hls.qor import FixedPointGraph
from pquant_hls.rtl import to_verilog
from pquant_hls.spec import HlsSpec
from pquant_hls.train import accuracy, probabilities
from pquant_hls.train.records import Parts

SPARE = 1
RETRAININGS, EPOCHS, HALF = 20, 8, 20_000
SPEC = HlsSpec(part="xcvu13p-flga2577-2-e", clock_ns="2.5")


def halves(data: Any, seed: int) -> Parts:
    """Training and validation events drawn with a seed."""
    order = np.random.default_rng(seed).permutation(len(data.x_train))[: HALF + HALF // 5]
    x, y = np.asarray(data.x_train)[order], np.asarray(data.y_train)[order]
    return Parts(x[:HALF], y[:HALF], x[HALF:], y[HALF:], (), None, None, ())


def first(data: Parts, seed: int, epochs: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(n, activation="relu", name=f"fc{i}") for i, n in enumerate((16, 16))]
    model = keras.Sequential([keras.Input((16,)), *layers, keras.layers.Dense(5, name="out")])
    model = FineTuning(epochs=epochs, seed=seed).compress(model, data).model
    model = PruningCompression(method="magnitude", sparsity=0.5, seed=seed).compress(model, data).model
    model = QuantizationCompression(bits=6, epochs=epochs, seed=seed).compress(model, data).model
    return FineTuning(epochs=epochs, learning_rate=3e-4, seed=seed).compress(model, data).model


def figures(graph: FixedPointGraph, folder: Path, stages: int = 1) -> dict[str, Any]:
    found = estimate(graph, SPEC.target)
    latency, resources = found.latency, found.resources
    return {
        "cycles": None if latency is None else latency.cycles_max,
        "lut": None if resources is None else resources.lut,
        "rtl": to_verilog(graph, SPEC.target, folder, least_stages=stages).latency_cycles,
    }


def score(model: keras.Model, data: Any) -> float:
    return round(100 * accuracy(probabilities(model, data.x_test), np.asarray(data.y_test)).value, 2)


def retrained(
    model: keras.Model, data: Any, lock: Lock, seed: int, args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """``args.stages``: those of the first design."""
    row: dict[str, Any] = {"seed": seed}
    for name, word in (("", "structure"), ("free ", None)):
        step = FineTuning(epochs=args.epochs, learning_rate=1e-3, seed=seed, lock=word)
        made = step.compress(model, halves(data, seed)).model
        graph = fixed_graph(made, SPEC)
        broken = sum(check.low or 0 for check in lock.checks(graph))
        row[f"{name}accuracy"] = score(made, data)
        row |= {
            f"{name}{key}": value
            for key, value in figures(graph, folder / f"v{seed}{bool(word)}", args.stages).items()
        }
        row[f"{name}broken"] = int(broken)
    return row


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--retrainings", type=int, help=f"how many ({RETRAININGS}; 2 with --quick)")
    parser.add_argument("--epochs", type=int, help=f"of each training ({EPOCHS}; 2 with --quick)")


def main() -> int:
    args = parse(__doc__, options)
    args.epochs = args.epochs or (2 if args.quick else EPOCHS)
    count = args.retrainings or (2 if args.quick else RETRAININGS)
    data = load_dataset("lhc_jets")
    model = first(halves(data, args.seed), args.seed, args.epochs)
    graph = fixed_graph(model, SPEC)
    lock = Lock.of(graph)
    with tempfile.TemporaryDirectory() as folder:
        args.stages = to_verilog(graph, SPEC.target, Path(folder) / "least").stages + SPARE
        locked = figures(graph, Path(folder) / "first", args.stages)
        before = {"seed": "first", "accuracy": score(model, data), **locked, "broken": 0}
        rows = [before]
        for seed in range(args.seed + 1, args.seed + 1 + count):
            rows.append(retrained(model, data, lock, seed, args, Path(folder)))
            print(rows[-1], file=sys.stderr)
    show(f"{count} retrainings under a lock", [{**dict.fromkeys(rows[-1]), **row} for row in rows])
    moved = [row for row in rows[1:] if (row["cycles"], row["rtl"]) != (before["cycles"], before["rtl"])]
    gained = np.mean([row["accuracy"] - before["accuracy"] for row in rows[1:]])
    print(f"cycles moved in {len(moved)} of {count}; accuracy {gained:+.2f} points on average")
    save(args, "lock", rows)
    return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
