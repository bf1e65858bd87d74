"""What compression costs in accuracy, on the bundled jets and on real jets where they are at hand.

Four tables for each data set, mean and spread (half the range) over seeds, accuracy on the test split in
percent:

importance  structured pruning of the 64-32-32 tagger: accuracy after fine-tuning against kept
multiplications, for
            each importance measure and for random choice
bits        quantization-aware training at uniform bits and at bits by measured sensitivity, at equal EBOPs
teacher     a pruned 4-bit tagger trained on labels, on labels and a teacher, and on a teacher alone with a
sample of
            unlabelled inputs, mixed and jittered
ratio       loss against the float tagger where non-zero weight bits are 8, 20 and 50 times fewer than 32 x
all
            weights (magnitude pruning, then quantization-aware training, both with a teacher); the loss is
            that of
            the same events, with its paired error

The real jets (5,120 of the hls4ml set) are too few to train on: 3,072 train the teacher, and students learn
from it
with mixed and jittered inputs; 1,024 are the test. ``--data FILE`` names their file.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from _common import CORPUS, parse, save, show

from pquant_hls.compress import (
    Accounting,
    FineTuning,
    PruningCompression,
    QuantizationCompression,
    account,
    compression_ratio,
)
from pquant_hls.datasets import load_dataset
from pquant_hls.models import build_mlp, fit, probabilities
from pquant_hls.spec.steps import FineTuneConfig

REAL = CORPUS.parent / "data" / "lhc_jets_hlf_5120.npz"
AIMS = {8: 0.3, 20: 1.0, 50: 2.5}
"""Points that may be lost at each ratio of weight bits."""

BITS_AT = {8: 6, 20: 4, 50: 4}
LEARN: dict[str, Any] = {"batch_size": 256, "learning_rate": 2e-3}
TABLES = ["importance", "bits", "teacher", "ratio"]
Row = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--data", type=Path, default=REAL, help="file of real jets (npz with X and y)")
    parser.add_argument("--only", choices=["bundled", "real"], help="one data set (quick: bundled)")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=TABLES, help="which tables (default all)"
    )
    parser.add_argument("--seeds", type=int, default=None, help="number of seeds (default 3, quick 1)")
    parser.add_argument(
        "--epochs", type=int, default=None, help="epochs of each training (default 20, quick 4)"
    )


class Study:
    """One data set, one teacher per seed, and how long to train."""

    def __init__(self, data: Any, epochs: int, *, distil: bool) -> None:
        self.data, self.epochs = data, epochs
        self.learn = {**LEARN, "epochs": epochs}
        if distil:
            self.learn |= {"distillation": 0.8, "synthetic": 4, "jitter": 0.2}
        self.teachers: dict[int, Any] = {}

    def teacher(self, seed: int) -> Any:
        """The float 64-32-32 tagger trained on labels."""
        if seed not in self.teachers:
            model = build_mlp(16, (64, 32, 32), 5, seed=seed)
            config = FineTuneConfig(**{**LEARN, "learning_rate": 3e-3}, epochs=3 * self.epochs, seed=seed)
            fit(model, self.data, config)
            self.teachers[seed] = model
        return self.teachers[seed]

    def percent(self, model: Any) -> float:
        """Test accuracy in percent."""
        return 100 * float((self.decide(model) == self.data.y_test).mean())

    def decide(self, model: Any) -> np.ndarray:
        return probabilities(model, self.data.x_test).argmax(axis=1)

    def lost(self, model: Any, teacher: Any) -> tuple[float, float]:
        """Points lost against the teacher on the same events, and the paired error of that difference."""
        right, before = self.decide(model) == self.data.y_test, self.decide(teacher) == self.data.y_test
        differ = int((right != before).sum())
        return 100 * float(before.mean() - right.mean()), 100 * np.sqrt(differ) / len(right)

    def tune(self, model: Any, seed: int, **changes: Any) -> Any:
        return (
            FineTuning(**{**self.learn, **changes}, seed=seed, teacher=self.teacher(seed))
            .compress(model, self.data)
            .model
        )

    def importance(self, seed: int, measure: str, sparsity: float) -> Row:
        """Structured pruning by one measure, then fine-tuning."""
        step = PruningCompression(sparsity=sparsity, importance=measure, seed=seed)
        small = step.compress(self.teacher(seed), self.data).model
        kept = account(small).multiplications / account(self.teacher(seed)).multiplications
        return {"kept multiplications %": 100 * kept, "accuracy %": self.percent(self.tune(small, seed))}

    def bits(self, seed: int, allocation: str, bits: int) -> Row:
        """Quantization-aware training at uniform or measured widths."""
        step = QuantizationCompression(
            bits=bits, allocation=allocation, **self.learn, seed=seed, teacher=self.teacher(seed)
        )
        made = step.compress(self.teacher(seed), self.data)
        return {"EBOPs": float(made.record.after.ebops or 0), "accuracy %": self.percent(made.model)}

    def learning(self, seed: int, how: str, _: int) -> Row:
        """A pruned tagger quantized to 4 bits, trained in one of three ways."""
        small = PruningCompression(sparsity=0.5).compress(self.teacher(seed), self.data).model
        data, settings = self.data, dict(self.learn)
        if how == "labels":
            settings |= {"distillation": 0.0}
        elif how == "labels and teacher":
            settings |= {"distillation": 0.5, "synthetic": 0.0}
        else:
            data = unlabelled(self.data, 2000)
            settings |= {"distillation": 1.0, "synthetic": 4.0, "jitter": 0.2}
        step = QuantizationCompression(bits=4, **settings, seed=seed, teacher=self.teacher(seed))
        return {"accuracy %": self.percent(step.compress(small, data).model)}

    def ratio(self, seed: int, _: str, wanted: int) -> Row:
        """As few non-zero weight bits as the ratio asks for."""
        teacher, bits = self.teacher(seed), BITS_AT[wanted]
        shared = {**self.learn, "distillation": 0.8, "seed": seed, "teacher": teacher}
        share = sparsity_for(account(teacher), 1.06 * wanted, bits)
        cut = PruningCompression(
            method="magnitude",
            sparsity=share,
            ranking="global",
            rounds=2,
            **{**shared, "epochs": max(1, self.epochs // 4)},
        )
        sparse = cut.compress(teacher, self.data).model
        made = QuantizationCompression(
            bits=bits, allocation="sensitivity", **{**shared, "epochs": 2 * self.epochs}
        )
        model = made.compress(sparse, self.data).model
        points, error = self.lost(model, teacher)
        reached = compression_ratio(account(teacher), account(model))
        return {
            "measured ratio": reached,
            "accuracy %": self.percent(model),
            "points lost": points,
            "paired error": error,
        }


def sparsity_for(original: Accounting, ratio: float, bits: int) -> float:
    """Weight sparsity at which ``bits`` wide weights and 6-bit biases give this ratio."""
    biases = 6 * (original.parameters - original.kernel_weights)
    return max(0.0, 1 - (32 * original.parameters / ratio - biases) / (bits * original.kernel_weights))


def unlabelled(data: Any, events: int) -> Any:
    """A calibration sample: inputs alone."""
    x = data.x_train[:events]
    return SimpleNamespace(x_train=x, y_train=None, x_val=x, y_val=None, classes=())


def averaged(run: Callable[[int], Row], seeds: Iterable[int]) -> Row:
    """Mean over seeds, and half the range of each figure as ``+-``."""
    rows = [run(seed) for seed in seeds]
    merged: Row = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        merged[key] = float(np.mean(values))
        if len(values) > 1:
            merged[f"+- {key}"] = (max(values) - min(values)) / 2
    return merged


def tables(study: Study, seeds: range, wanted: list[str], *, quick: bool) -> Mapping[str, list[Row]]:
    """The wanted tables of one data set."""
    cuts, widths = ((0.7,), (3, 5)) if quick else ((0.3, 0.5, 0.7, 0.85), (2, 3, 4, 6))
    plan: dict[str, tuple[Callable[..., Row], list[str], Iterable[float]]] = {
        "importance": (study.importance, ["taylor", "l1", "l2", "random"], cuts),
        "bits": (study.bits, ["uniform", "sensitivity"], widths),
        "teacher": (
            study.learning,
            ["labels", "labels and teacher", "teacher, 2000 inputs without labels"],
            [4],
        ),
        "ratio": (study.ratio, ["magnitude + bits by sensitivity"], list(AIMS)),
    }
    found: dict[str, list[Row]] = {}
    for name in wanted:
        run, kinds, points = plan[name]
        found[name] = [
            {name: kind, "at": point, **averaged(lambda seed, r=run, k=kind, p=point: r(seed, k, p), seeds)}
            for point in points for kind in kinds
        ]  # fmt: skip
        if name == "ratio":
            found[name] = [{**row, "aim": AIMS[row["at"]]} for row in found[name]]
    return found


def real_jets(path: Path) -> Any:
    """3,072 jets to train, 1,024 to validate, 1,024 to test, from one file; None where it is absent."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        x, y = file["X"].astype(np.float32), file["y"].astype(np.int64)
    ends = (slice(0, 3072), slice(3072, 4096), slice(4096, 5120))
    parts = {f"{axis}_{part}": array[end] for axis, array in (("x", x), ("y", y))
             for part, end in zip(("train", "val", "test"), ends, strict=True)}  # fmt: skip
    return SimpleNamespace(classes=("g", "q", "t", "w", "z"), **parts)


def main() -> None:
    """Run on both data sets."""
    args = parse(__doc__, options)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    epochs = args.epochs or (4 if args.quick else 20)
    results: dict[str, Any] = {"seeds": list(seeds), "epochs": epochs}
    for name, data in (("bundled jets", load_dataset("lhc_jets")), ("real jets", real_jets(args.data))):
        if data is None or (args.only or ("bundled" if args.quick else name)) not in name:
            continue
        study = Study(data, epochs, distil=name == "real jets")
        floats = averaged(lambda seed, s=study: {"accuracy %": s.percent(s.teacher(seed))}, seeds)
        show(f"{name}: float 64-32-32", [{"train": len(data.x_train), "test": len(data.x_test), **floats}])
        results[name] = {"float": floats, **tables(study, seeds, args.tables, quick=args.quick)}
        for title, rows in list(results[name].items())[1:]:
            show(f"{name}: {title}", rows)
    save(args, "compression", results)


if __name__ == "__main__":
    main()
