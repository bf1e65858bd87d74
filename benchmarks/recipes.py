"""Each shipped recipe, end to end, on a small network of its kind.

One row a recipe: the task, the verdict, the figure that its budget limits before and after with its error, what was lost of it
with the error of paired events, the latency (ns, upper end of the estimate) and the share of output values on which csim
equals Keras. Taggers are trained on the bundled simulated jets, the autoencoder, the deep set, the regression and the two heads
on the bundled simulated trigger events; the images and the tracks are drawn from formulas here, which are no physics. Ends
with status 1 where a recipe did not run.

``--quick`` : a fifth of the training (of learned widths a twentieth), two rounds of the loop; some minutes.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show
from tasks import Made, attempt, dense, figures, regression, split, trained, two_heads

from pquant_hls.spec import Recipe

LONG = 100
"""Epochs above which a step learns its widths and is shortened more."""


def autoencoder(rng: np.random.Generator, scale: float) -> Made:
    """As AXOL1TL: objects and missing energy of simulated zero-bias crossings, given back through four values."""
    from pquant_hls.datasets import load_dataset

    del rng
    data = load_dataset("bundled:triggers:flat")
    model = dense((data.sample_shape[0], 4, data.sample_shape[0]))
    return trained(model, "mse", (data.x_train, data.x_train), scale), data


def student(rng: np.random.Generator, scale: float) -> Made:
    """As CICADA: an image of energies in, one score out, which learned an autoencoder's."""
    import keras

    def images(events: int, hard: float) -> np.ndarray:
        image = rng.exponential(0.1, (events, 6, 6, 1))
        place = rng.integers(1, 5, (events, 2))
        for shift in (-1, 0, 1):
            image[np.arange(events), place[:, 0] + shift, place[:, 1], 0] += rng.exponential(hard, events)
        return image.astype(np.float32).clip(0, 8)

    x = images(9000, 0.3)
    flat = x.reshape(len(x), -1)
    teacher = trained(dense((36, 8, 36)), "mse", (flat, flat), scale)
    score = np.log(((teacher.predict(flat, verbose=0) - flat) ** 2).mean(axis=1) + 1e-3)
    layers = keras.layers
    windows = layers.Conv2D(4, 2, strides=2, activation="relu")
    parts = [windows, layers.Flatten(), layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((6, 6, 1)), *parts, layers.Dense(1)])
    beside = {"x_zero_bias": images(4000, 0.3), "zero_bias_hz": 40.08e6, "x_signal.hard": images(500, 1.5)}
    return trained(model, "mse", (x, score), scale), split(x, **beside)


def jets(*widths: int) -> Callable[[np.random.Generator, float], Made]:
    """A tagger of the bundled simulated jets."""

    def made(rng: np.random.Generator, scale: float) -> Made:
        from pquant_hls.datasets import load_dataset

        del rng
        data = load_dataset("lhc_jets")
        model = dense((16, *widths, 5), "softmax")
        loss = "sparse_categorical_crossentropy"
        return trained(model, loss, (data.x_train, data.y_train), scale / 2), data

    return made


def deep_set(rng: np.random.Generator, scale: float) -> Made:
    """Top quark pairs against zero bias, from the jets of simulated events in whatever order."""
    import keras

    from pquant_hls.datasets import load_dataset

    del rng
    data, layers = load_dataset("bundled:triggers:top_or_zero_bias"), keras.layers
    given = keras.Input(data.sample_shape)
    each = layers.Dense(8, activation="relu")(layers.Dense(8, activation="relu")(given))
    behind = layers.Dense(8, activation="relu")(keras.ops.sum(each, axis=1))
    model = keras.Model(given, layers.Dense(1, activation="sigmoid")(behind))
    return trained(model, "binary_crossentropy", (data.x_train, data.y_train), scale), data


def of_task(make: Callable[[float], Made]) -> Callable[[np.random.Generator, float], Made]:
    """A network of ``tasks.py``, whose data are bundled."""
    return lambda _, scale: make(scale)


def track(rng: np.random.Generator, scale: float) -> Made:
    """Curvature of a track from its hits in eight layers, each with two coordinates."""
    import keras

    radius, slope = np.linspace(0.2, 1.0, 8), rng.normal(0.0, 0.3, (3000, 1))
    truth = rng.uniform(-1.0, 1.0, 3000).astype(np.float32)
    hits = truth[:, None] * radius**2 + slope * radius
    exact = np.stack([hits, np.broadcast_to(radius, hits.shape)], axis=2)
    x = (exact + rng.normal(0, 0.02, exact.shape)).astype(np.float32)
    layers = keras.layers
    parts = [layers.Conv1D(6, 3, activation="relu"), layers.Flatten(), layers.Dense(8, activation="relu")]
    model = keras.Sequential([keras.Input((8, 2)), *parts, layers.Dense(1)])
    return trained(model, "mse", (x, truth), scale), split(x, truth)


KINDS: dict[str, Callable[[np.random.Generator, float], Made]] = {
    "axol1tl_like_virtex7_50ns": autoencoder,
    "cicada_like_200ns": student,
    "two_headed_tagger_360mhz": of_task(two_heads),
    "deep_set_100ns": deep_set,
    "pt_regression_4bx": of_task(regression),
    "track_conv1d_500ns": track,
    "jet_tagger_phase2_vu13p_360mhz": jets(24, 16),
    "jet_tagger_vu13p_200mhz": jets(24, 16),
    "atlas_l0_vu9p_25ns_clock": jets(16),
    "jet_tagger_25ns_rtl": jets(16, 8),
    "jet_tagger_learned_40ns": jets(16, 8),
}
"""The network of each file of hls_configs."""


def row(name: str, seed: int, work: Path, *, quick: bool) -> dict[str, Any]:
    """What became of one recipe."""
    import keras

    from pquant_hls.engine import compress_model
    from pquant_hls.train.purpose import purpose_of

    keras.utils.set_random_seed(seed)
    model, data = KINDS[name](np.random.default_rng(seed), 0.2 if quick else 1.0)
    recipe = Recipe.load(name)
    task = ", ".join(question.task.name for question in purpose_of(model, data).questions)
    result = attempt(lambda: compress_model(model, data, shortened(recipe) if quick else recipe, work))
    if isinstance(result, str):
        return {"recipe": name, "task": task, "verdict": None, "why": result}
    match = result.qor.csim_match
    return {
        "recipe": name,
        "task": task,
        "verdict": str(result.verdict),
        **figures(result, recipe.budget.quality),
        "csim, %": None if match is None else f"{100 * match:.2f}",
        "why": "" if result.verdict == "MET" else result.reason,
    }


def shortened(recipe: Recipe) -> Recipe:
    """The same recipe with fewer epochs and rounds."""
    found = recipe.model_dump(mode="json", exclude_unset=True)
    for step in found["steps"]:
        if "epochs" in step:
            step["epochs"] = math.ceil(step["epochs"] / (20 if step["epochs"] > LONG else 5))
    found["loop"] = {**found.get("loop", {}), "max_rounds": 2}
    return Recipe.parse(found)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", nargs="*", choices=list(KINDS), default=list(KINDS), help="these alone")


def main() -> int:
    """Each recipe in a folder of its own; returns the exit status."""
    args = parse(__doc__, options)
    rows = []
    for name in args.recipe:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(row(name, args.seed, Path(scratch) / "run", quick=args.quick))
        print({key: value for key, value in rows[-1].items() if value}, flush=True)
    columns = next((list(each) for each in rows if each["verdict"]), list(rows[0]))
    show("each recipe end to end", [{key: each.get(key) for key in columns} for each in rows])
    save(args, "recipes", {"rows": rows})
    return int(not all(each["verdict"] for each in rows))


if __name__ == "__main__":
    sys.exit(main())
