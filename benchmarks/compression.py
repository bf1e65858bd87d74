"""What compression costs in accuracy, on the bundled jets, on real jets where they are at hand, and on two made tasks.

Five tables, mean and spread (half the range) over seeds, accuracy on the test split in percent:

importance  structured pruning of the 64-32-32 tagger with BatchNormalization: accuracy at once and after
            fine-tuning, against kept multiplications, for each importance measure and for random choice
bits        quantization-aware training at uniform bits and at bits by measured sensitivity, at equal EBOPs
teacher     a pruned 4-bit tagger trained on labels, on labels and a teacher, and on a teacher alone with a
            sample of unlabelled inputs, as they are or with four mixed and jittered ones for each
ratio       StandardCompressionPipeline at 8, 20 and 50 times fewer bits of non-zero weights than 32 x all weights:
            points lost against the float network on the same test events, with their paired error. All four data sets
knapsack    magnitude pruning (ranking fan) against a knapsack over what the estimator charges, at equal LUT (6-bit
            tagger, latency strategy) and at equal DSP (float tagger at ap_fixed<16,6>, strategy resource_unrolled, reuse
            4), after the same recovery in the same number of epochs; ``at`` is the magnitude's sparsity

The real jets (5,120 of the hls4ml set) are too few to train on: 3,072 train the teacher, and students learn
from it with mixed and jittered inputs; 1,024 are the test. Each seed splits them anew. ``--data FILE`` names
their file. With ``--cells FILE`` every finished training is kept there, and a second run goes on from it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from _common import CORPUS, parse, save, show
from _tasks import Task, tasks

from pquant_hls.compress import DesignCost, FineTuning, PruningCompression, QuantizationCompression, account
from pquant_hls.network import build_mlp
from pquant_hls.pipelines import StandardCompressionPipeline
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit, probabilities
from pquant_hls.train.metrics import decisions

REAL = CORPUS.parent / "data" / "lhc_jets_hlf_5120.npz"
AIMS = {8: 0.1, 20: 0.4, 50: 0.9}
"""Points that may be lost at each ratio of weight bits."""

PRESERVED = 0.95
"""Share of the validation accuracy below which the pipeline rolls back: just below the widest aim."""

LEARN: dict[str, Any] = {"batch_size": 256, "learning_rate": 2e-3}
MEASURES = ["taylor", "l1", "l2", "batchnorm", "random"]
TABLES = ["importance", "bits", "teacher", "ratio", "knapsack"]
BY_SIZE = "by |weight|"
NEAR = 1.02
"""How much more of the resource than magnitude pruning a knapsack may end with; recovery moves it a little."""
JETS = ["bundled jets", "real jets"]
"""Data sets of all five tables; the others have that of ratios."""
ALONE, MIXED = "teacher, 2000 inputs as they are", "teacher, 2000 inputs without labels"
ERROR = "paired error"
Row = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--data", type=Path, default=REAL, help="file of real jets (npz with X and y)")
    names = [*JETS, "three sources", "resonance"]
    parser.add_argument("--only", nargs="+", choices=names, help="these data sets (quick: bundled jets)")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=TABLES, help="which tables (default all)"
    )
    parser.add_argument("--seeds", type=int, default=None, help="number of seeds (default 3, quick 1)")
    parser.add_argument(
        "--epochs",
        type=int,
        default=None,
        help="epochs of each training (default 20, the pipeline's own; quick 4)",
    )
    parser.add_argument("--cells", type=Path, help="file of finished trainings, read and added to")


class Cells:
    """Figures of finished trainings by name; with a file, whatever is finished is not done again."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: dict[str, Row] = json.loads(path.read_text()) if path and path.is_file() else {}

    def get(self, name: str, run: Callable[[], Row]) -> Row:
        """The figures called ``name``, from the file or by ``run``."""
        if name not in self.rows:
            self.rows[name] = run()
            if self.path is not None:
                part = self.path.with_name(f"{self.path.name}.part")
                part.write_text(json.dumps(self.rows, indent=1) + "\n")
                part.replace(self.path)
        return self.rows[name]


class Study:
    """One task, one teacher per seed, and how long to train; ``asked`` are options of the pipeline."""

    def __init__(self, task: Task, epochs: int, asked: Mapping[str, Any]) -> None:
        self.task, self.data, self.epochs, self.asked = task, task.data, epochs, asked
        self.learn = {**LEARN, "epochs": epochs}
        self.teach = {**LEARN, "epochs": 3 * epochs, "learning_rate": 3e-3, **task.teaching}
        if task.learning:
            self.learn |= {"distillation": 0.8, **task.learning}
        self.teachers: dict[tuple[int, bool], Any] = {}
        self.narrow: dict[int, Any] = {}

    def teacher(self, seed: int, *, normalised: bool = False) -> Any:
        """The float network trained on labels, with BatchNormalization or without."""
        if (seed, normalised) not in self.teachers:
            model = build_mlp(self.task.inputs, self.task.widths, self.task.outputs, seed=seed)
            model = with_batchnorm(model) if normalised else model
            fit(model, self.data(seed), FineTuneConfig(**self.teach, seed=seed))
            self.teachers[seed, normalised] = model
        return self.teachers[seed, normalised]

    def quantized(self, seed: int) -> Any:
        """The tagger at 6 bits, trained so."""
        if seed not in self.narrow:
            step = QuantizationCompression(bits=6, **self.learn, seed=seed)
            self.narrow[seed] = step.compress(self.teacher(seed), self.data(seed)).model
        return self.narrow[seed]

    def right(self, model: Any, seed: int) -> np.ndarray:
        """Which test events the model gets right."""
        data = self.data(seed)
        right: np.ndarray = decisions(probabilities(model, data.x_test)) == data.y_test
        return right

    def percent(self, model: Any, seed: int) -> float:
        """Test accuracy in percent."""
        return 100 * float(self.right(model, seed).mean())

    def float_row(self, seed: int) -> Row:
        return {"accuracy %": self.percent(self.teacher(seed), seed)}

    def importance(self, seed: int, measure: str, sparsity: float) -> Row:
        """Structured pruning by one measure, then fine-tuning."""
        teacher, data = self.teacher(seed, normalised=True), self.data(seed)
        step = PruningCompression(sparsity=sparsity, importance=measure, seed=seed)
        small = step.compress(teacher, data).model
        tuned = FineTuning(**self.learn, seed=seed, teacher=teacher).compress(small, data).model
        return {
            "float %": self.percent(teacher, seed),
            "kept multiplications %": 100 * account(small).multiplications / account(teacher).multiplications,
            "at once %": self.percent(small, seed),
            "accuracy %": self.percent(tuned, seed),
        }

    def bits(self, seed: int, allocation: str, bits: int) -> Row:
        """Quantization-aware training at uniform or measured widths."""
        step = QuantizationCompression(
            bits=bits, allocation=allocation, **self.learn, seed=seed, teacher=self.teacher(seed)
        )
        made = step.compress(self.teacher(seed), self.data(seed))
        return {"EBOPs": float(made.record.after.ebops or 0), "accuracy %": self.percent(made.model, seed)}

    def learning(self, seed: int, how: str, _: int) -> Row:
        """A pruned tagger quantized to 4 bits, trained in one of four ways."""
        data, settings = self.data(seed), dict(self.learn)
        small = PruningCompression(sparsity=0.5, seed=seed).compress(self.teacher(seed), data).model
        if how == "labels":
            settings |= {"distillation": 0.0}
        elif how == "labels and teacher":
            settings |= {"distillation": 0.5, "synthetic": 0.0}
        else:
            data = unlabelled(data, 2000)
            settings |= {"distillation": 1.0, "synthetic": 4.0 if how == MIXED else 0.0, "jitter": 0.2}
        step = QuantizationCompression(bits=4, **settings, seed=seed, teacher=self.teacher(seed))
        return {"accuracy %": self.percent(step.compress(small, data).model, seed)}

    def ratio(self, seed: int, _: str, wanted: int) -> Row:
        """The standard pipeline at this ratio; seconds of CPU, those of g++ and csim at hand-over included."""
        teacher, data = self.teacher(seed), self.data(seed)
        begun = sum(os.times()[:4])
        with tempfile.TemporaryDirectory() as scratch:
            options = {
                "seed": seed,
                "out": Path(scratch) / "run",
                "training": self.task.learning,
                **self.asked,
            }
            made = StandardCompressionPipeline(wanted, PRESERVED, **options).execute(teacher, data)
        now, before = self.right(made.model, seed), self.right(teacher, seed)
        return {
            "measured ratio": made.ratio,
            "csim equal %": None if made.qor.csim_match is None else 100 * made.qor.csim_match,
            "accuracy %": 100 * float(now.mean()),
            "points lost": 100 * float(before.mean() - now.mean()),
            ERROR: 100 * float(np.sqrt((now != before).sum())) / len(now),
            "CPU s": sum(os.times()[:4]) - begun,
        }

    def knapsack(self, seed: int, kind: str, sparsity: float) -> Row:
        """Both methods to the same figure of a resource by the estimate, each with the same training."""
        resource, by_size = kind.split(maxsplit=1)[0], kind.endswith(BY_SIZE)
        data, hls = self.data(seed), HlsSpec(strategy="resource_unrolled", reuse_factor=4)
        start, cost = self.quantized(seed), DesignCost(HlsSpec())
        if resource == "dsp":
            start, cost = self.teacher(seed), DesignCost(hls)

        def takes(model: Any) -> float:
            return float(getattr(cost(model).resources, resource))

        def cut(**how: Any) -> Any:
            rounds = {**self.learn, "epochs": max(1, self.epochs // 4), "rounds": 3, "seed": seed}
            small = PruningCompression(**how, **rounds, cost=cost).compress(start, data).model
            return FineTuning(**self.learn, seed=seed).compress(small, data).model

        plain, whole = cut(method="magnitude", sparsity=sparsity), takes(start)
        aim = wanted = takes(plain)
        group = "group" if resource == "dsp" else "weight"
        for _turn in range(3):
            packed = cut(
                method="knapsack",
                resource=resource,
                granularity=group,
                sparsity=1 - aim / whole,
                importance="l1" if by_size else "taylor",
            )
            if takes(packed) <= NEAR * wanted:
                break
            aim *= wanted / takes(packed)
        return {
            "whole": whole,
            "magnitude takes": wanted,
            "knapsack takes": takes(packed),
            "magnitude %": self.percent(plain, seed),
            "knapsack %": self.percent(packed, seed),
        }


def with_batchnorm(model: keras.Model) -> keras.Model:
    """The tagger with a BatchNormalization between each hidden layer and its relu."""
    layers = []
    for layer in model.layers:
        layers.append(layer)
        if layer.name.startswith("fc"):
            layers.append(keras.layers.BatchNormalization(name=f"{layer.name}_norm"))
    return keras.Sequential([keras.Input((16,)), *layers], name=model.name)


def unlabelled(data: Any, events: int) -> Any:
    """A calibration sample: inputs alone."""
    x = data.x_train[:events]
    return SimpleNamespace(x_train=x, y_train=None, x_val=x, y_val=None, classes=())


def averaged(run: Callable[[int], Row], seeds: Iterable[int]) -> Row:
    """Mean over seeds, and half the range of each figure as ``+-``; errors are those of the mean."""
    rows = [run(seed) for seed in seeds]
    merged: Row = {}
    for key in rows[0]:
        values = np.array([row[key] for row in rows], float)
        if key == ERROR:
            merged[key] = float(np.sqrt((values**2).sum())) / len(values)
            continue
        merged[key] = float(values.mean())
        if len(values) > 1:
            merged[f"+- {key}"] = float(values.max() - values.min()) / 2
    return merged


def tables(
    study: Study,
    cells: Callable[[str, Callable[[], Row]], Row],
    args: argparse.Namespace,
    seeds: range,
    wanted: Iterable[str],
) -> Mapping[str, list[Row]]:
    """The wanted tables of one data set."""
    cuts, widths = ((0.7,), (3, 5)) if args.quick else ((0.3, 0.5, 0.7, 0.85), (2, 3, 4, 6))
    plan: dict[str, tuple[Callable[..., Row], list[str], Iterable[float]]] = {
        "importance": (study.importance, MEASURES, cuts),
        "bits": (study.bits, ["uniform", "sensitivity"], widths),
        "teacher": (
            study.learning,
            ["labels", "labels and teacher", ALONE, MIXED],
            [4],
        ),
        "ratio": (study.ratio, ["standard pipeline"], [20] if args.quick else list(AIMS)),
        "knapsack": (
            study.knapsack,
            ["lut", "dsp", f"lut {BY_SIZE}"],
            (0.9,) if args.quick else (0.8, 0.9, 0.95),
        ),
    }
    lengths = dict.fromkeys(plan, f"{study.epochs}") | {"ratio": str(study.asked.get("epochs", "own"))}

    def row(name: str, kind: str, point: float) -> Row:
        def cell(seed: int) -> Row:
            run = partial(plan[name][0], seed, kind, point)
            return cells(f"{name}/{kind}/{point}/seed {seed}/{lengths[name]} epochs", run)

        aim = {"aim": AIMS[int(point)]} if name == "ratio" else {}
        return {name: kind, "at": point, **averaged(cell, seeds), **aim}

    return {
        name: [row(name, kind, point) for point in plan[name][2] for kind in plan[name][1]] for name in wanted
    }


def float_row(study: Study, cells: Callable[[str, Callable[[], Row]], Row], epochs: int, seed: int) -> Row:
    """Figures of the float network, from the kept ones where they are there."""
    return cells(f"float/seed {seed}/{epochs} epochs", partial(study.float_row, seed))


def main() -> None:
    """Run on every data set that is asked for."""
    args = parse(__doc__, options)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    seeds = range(args.seed, args.seed + (args.seeds or (1 if args.quick else 3)))
    epochs = args.epochs or (4 if args.quick else 20)
    asked = {"epochs": epochs} if args.quick or args.epochs else {}
    results: dict[str, Any] = {"seeds": list(seeds), "epochs": epochs}
    kept = Cells(args.cells)
    for name, task in tasks(args.data).items():
        wanted = [table for table in args.tables if name in JETS or table == "ratio"]
        if name not in (args.only or (JETS[:1] if args.quick else [name])) or not wanted:
            continue
        study = Study(task, epochs, asked)

        def cells(key: str, run: Callable[[], Row], name: str = name) -> Row:
            return kept.get(f"{name}/{key}", run)

        floats = averaged(partial(float_row, study, cells, epochs), seeds)
        sizes = {"train": len(task.data(0).x_train), "test": len(task.data(0).x_test)}
        show(f"{name}: float {task.shape}", [{**sizes, **floats}])
        results[name] = {"float": floats, **tables(study, cells, args, seeds, wanted)}
        for title, rows in list(results[name].items())[1:]:
            show(f"{name}: {title}", rows)
    save(args, "compression", results)


if __name__ == "__main__":
    main()
