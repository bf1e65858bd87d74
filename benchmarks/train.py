"""CPU time of an epoch: this package's training routine against ``keras.fit``, at equal model, data and batch.

Times are process time (all threads) per epoch after compilation, validation included in both, the median of the epochs
of one run; ``compile`` is what the first two epochs took beyond two such. Rows: the 16-64-32-32-5 tagger on the bundled
jets in float, quantized to 6 bits, and quantized with a teacher, at batches of 2,000 (15 steps) and 256; and a
quantized convolution, which is left to TensorFlow's own kernels. ``keras.fit`` has no teacher, so that row is compared
with its training on labels.

    python benchmarks/train.py [--quick] [--json OUT] [--seed N] [--epochs N]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _common import parse, save, show

from pquant_hls.compress import QuantizationCompression
from pquant_hls.datasets import load_dataset
from pquant_hls.network import build_mlp
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit

LONG = 1000
"""Epochs that the routine is told, so that it decides as for a long training; it is stopped after those measured."""
RATE = 2e-3


@dataclass(frozen=True)
class Contest:
    """One training, by both: arrays x, y and those of validation."""

    name: str
    model: keras.Model
    data: Any
    batch: int
    teacher: keras.Model | None = None


class Enough(Exception):
    """The epochs that are to be measured are over."""


def main() -> None:
    """Measure and print."""
    args = parse(__doc__, _options)
    epochs = args.epochs or (4 if args.quick else 30)
    rows = [measured(contest, epochs, args.seed) for contest in contests(args.seed, quick=args.quick)]
    show(f"CPU time of one epoch, validation included, median of {epochs}", rows)
    save(args, "train", {"epochs": epochs, "rows": rows})


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, help="epochs measured (default 30, quick 4)")


def contests(seed: int, *, quick: bool) -> list[Contest]:
    """What is trained."""
    jets = load_dataset("lhc_jets")
    tagger = build_mlp(16, (64, 32, 32), 5, seed=seed)
    narrow = _quantized(tagger, jets, seed)
    found = []
    for batch in (2000,) if quick else (2000, 256):
        found += [
            Contest("float", tagger, jets, batch),
            Contest("quantized", narrow, jets, batch),
            Contest("quantized, with a teacher", narrow, jets, batch, tagger),
        ]
    pictures = _pictures(seed)
    image = _quantized(_convolution(seed), pictures, seed)
    return [*found, Contest("quantized convolution", image, pictures, 200)]


def _quantized(model: keras.Model, data: Any, seed: int) -> keras.Model:
    return QuantizationCompression(bits=6, epochs=0, seed=seed).compress(model, data).model


def _pictures(seed: int) -> Any:
    """2,400 noise pictures (12, 12, 1), brighter on one side: four classes."""
    rng = np.random.default_rng([seed, 5])
    y = rng.integers(4, size=2400)
    x = rng.normal(size=(2400, 12, 12, 1)).astype(np.float32)
    x[y == 1, :6] += 0.5
    x[y == 2, 6:] += 0.5
    x[y == 3, :, :6] += 0.5
    return argparse.Namespace(x_train=x[:2000], y_train=y[:2000], x_val=x[2000:], y_val=y[2000:])


def _convolution(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(8, 3, name="conv1"),
            layers.ReLU(name="relu1"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(8, 3, name="conv2"),
            layers.ReLU(name="relu2"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="output"),
            layers.Softmax(name="softmax"),
        ]
    )


def measured(contest: Contest, epochs: int, seed: int) -> dict[str, Any]:
    """Both in one row, milliseconds of process time an epoch."""
    ours, ours_compile = lap_times(lambda lap: own_fit(contest, seed, lap), epochs)
    usual, usual_compile = lap_times(lambda lap: keras_fit(contest, epochs + 3, lap), epochs)
    return {
        "training": contest.name,
        "batch": contest.batch,
        "steps": -(-len(contest.data.x_train) // contest.batch),
        "ours, ms": 1e3 * ours,
        "keras.fit, ms": 1e3 * usual,
        "keras.fit / ours": usual / ours,
        "ours: compile, s": ours_compile,
        "keras.fit: compile, s": usual_compile,
    }


def lap_times(training: Callable[[Callable[[], None]], None], epochs: int) -> tuple[float, float]:
    """Median seconds of an epoch after the second, and what the first two took beyond that; ``training`` calls its
    argument after every epoch."""
    times = [time.process_time()]

    def lap() -> None:
        times.append(time.process_time())
        if len(times) > epochs + 2:
            raise Enough

    with contextlib.suppress(Enough):
        training(lap)
    laps = np.diff(times)
    usual = float(np.median(laps[2:]))
    return usual, float(laps[:2].sum() - 2 * usual)


def own_fit(contest: Contest, seed: int, lap: Callable[[], None]) -> None:
    """This package's routine, told of a long training."""
    distillation = 0.0 if contest.teacher is None else 0.5
    config = FineTuneConfig(
        epochs=LONG, batch_size=contest.batch, learning_rate=RATE, distillation=distillation, seed=seed
    )
    fit(contest.model, contest.data, config, teacher=contest.teacher, progress=lambda _report: lap())


def keras_fit(contest: Contest, epochs: int, lap: Callable[[], None]) -> None:
    """Keras' own training loop, with its defaults and the same figures after every epoch."""
    model, data = contest.model, contest.data
    model.compile(
        keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"]
    )
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=contest.batch,
        epochs=epochs,
        validation_data=(data.x_val, data.y_val),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: lap())],
        verbose=0,
    )


if __name__ == "__main__":
    main()
