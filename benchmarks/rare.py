"""What keeps a rare class through quantization: tops at 1:20 and 1:100 among the bundled jets, at 4 bits.

A float 16-32-16-1 tagger (top against the rest) is trained on the imbalanced set and then quantized with training by
each of METHODS, which are settings of the training routine. Printed: the efficiency of tops at 1 % and 0.1 %
background on the test events (tops that the imbalance left out of training test too), mean over seeds and half their
range, and its difference from ``preserve_rare_classes: false`` with the error of that mean over seeds.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from _common import parse, save, show

from pquant_hls.compress import QuantizationCompression
from pquant_hls.datasets import Dataset, load_dataset
from pquant_hls.network import build_mlp, keras_predict
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit
from pquant_hls.train.metrics import efficiency_at

METHODS: dict[str, dict[str, Any]] = {
    "false": {},
    "true": {"preserve_rare_classes": True},
    "best epoch by loss": {"monitor": "loss"},
    "floors alone": {"rare_classes": (1,)},
    "class balance": {"class_balance": True},
    "class balance, floors": {"class_balance": True, "rare_classes": (1,)},
    "distilled": {"distillation": 0.8, "monitor": "loss"},
    "distilled, mixed events": {"distillation": 0.8, "synthetic": 3.0, "monitor": "loss"},
}
RATES = (0.01, 0.001)
TOP = 2
TRAIN, VAL = 14_000, 6_000
"""Background events of the training and validation parts; the others test."""


def imbalanced(ratio: int, seed: int) -> Dataset:
    """Top against the rest, one top to ``ratio`` others in training and validation; every other event tests."""
    jets, rng = load_dataset("lhc_jets"), np.random.default_rng(seed)
    x = np.concatenate([jets.x_train, jets.x_val, jets.x_test])
    y = (np.concatenate([jets.y_train, jets.y_val, jets.y_test]) == TOP).astype(int)
    others, tops = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
    cuts = np.cumsum([TRAIN, VAL])
    parts = zip(np.split(others, cuts), np.split(tops, cuts // ratio), strict=True)
    found: dict[str, Any] = {}
    for name, part in zip(("train", "val", "test"), parts, strict=True):
        chosen = rng.permutation(np.concatenate(part))
        found |= {f"x_{name}": x[chosen], f"y_{name}": y[chosen]}
    return Dataset(name=f"top 1:{ratio}", classes=("rest", "top"), **found)


def efficiencies(model: Any, data: Dataset) -> dict[float, float]:
    logits = np.asarray(keras_predict(model, data.x_test)).ravel()
    return {rate: efficiency_at(logits, data.y_test == 1, rate).value for rate in RATES}


def trained(ratio: int, seed: int, epochs: int) -> tuple[Any, Dataset]:
    data = imbalanced(ratio, seed)
    model = build_mlp(16, (32, 16), 1, seed=seed)
    fit(model, data, FineTuneConfig(epochs=3 * epochs, batch_size=256, learning_rate=3e-3, seed=seed))
    return model, data


def methods(ratio: int, seed: int, epochs: int, bits: int) -> dict[str, dict[float, float]]:
    """Efficiencies on the test events by method, those of the float model too."""
    model, data = trained(ratio, seed, epochs)
    found = {"float": efficiencies(model, data)}
    for name, settings in METHODS.items():
        step = QuantizationCompression(
            bits=bits, epochs=epochs, batch_size=256, learning_rate=2e-3, seed=seed, teacher=model, **settings
        )
        found[name] = efficiencies(step.compress(model, data).model, data)
        print(f"1:{ratio}, seed {seed}, {name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def rows(found: list[dict[str, dict[float, float]]]) -> list[dict[str, Any]]:
    """Mean over seeds, half their range, and the difference from ``false`` with its error."""
    table = []
    for name in found[0]:
        row: dict[str, Any] = {"method": name}
        for rate in RATES:
            values = np.array([seed[name][rate] for seed in found])
            gains = values - np.array([seed["false"][rate] for seed in found])
            error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
            row[f"at {100 * rate:g} %"] = f"{values.mean():.3f} +- {np.ptp(values) / 2:.3f}"
            row[f"gain at {100 * rate:g} %"] = f"{gains.mean():+.3f} +- {error:.3f}"
        table.append(row)
    return table


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, help="number of seeds (3; with --quick 1)")
    parser.add_argument("--epochs", type=int, help="epochs of each training (15; with --quick 2)")
    parser.add_argument("--bits", type=int, default=4, help="width (4)")


def main() -> None:
    args = parse(__doc__, options)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    epochs = args.epochs or (2 if args.quick else 15)
    results: dict[str, Any] = {"seeds": list(seeds), "epochs": epochs, "bits": args.bits}
    for ratio in (20,) if args.quick else (20, 100):
        found = [methods(ratio, seed, epochs, args.bits) for seed in seeds]
        results[f"1:{ratio}"] = {"rows": rows(found), "seeds": found}
        show(f"tops at 1:{ratio}, {args.bits} bits: efficiency on the test events", rows(found))
    save(args, "rare", results)


if __name__ == "__main__":
    main()
