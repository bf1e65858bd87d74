"""Every task end to end: what lint, the loop, the pipelines and a study make of a small network of each kind.

One row a task: lint's errors, the verdicts of the loop, ``standard``, ``trigger`` and a study, the share of output values on
which csim equals Keras (the least of all runs), the figure that searches go by before and after the loop with its error, what
was lost of it with the error of paired events, and the latency (ns, upper end of the estimate). The data are drawn from the
formulas below, they are no simulated collisions: they tell whether a task is carried, not physics.

``--quick`` : a tenth of the training, no study, pipelines for three of the tasks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import parse, save, show

EVENTS = 3000
BUDGET: dict[str, Any] = {"latency_ns": 200}
LOST = 0.1
"""What may be lost of each figure that searches go by: a share of an rmse, points of an accuracy."""

Made = tuple[Any, Any]


def made(name: str, seed: int, scale: float) -> Made:
    """The network of a task, trained, and its data."""
    import keras

    keras.utils.set_random_seed(seed)
    return TASKS[name](np.random.default_rng(seed), scale)


def split(x: Any, y: Any = None, **beside: Any) -> Any:
    from pquant_hls.datasets.assemble import assemble

    labels = {} if y is None else {"y": y}
    return assemble({"x": x, **labels, **beside}, name="drawn", where="drawn", seed=0)


def trained(model: Any, loss: Any, xy: tuple[Any, Any], scale: float) -> Any:
    import keras

    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(*xy, epochs=max(4, round(40 * scale)), batch_size=128, verbose=0)
    return model


def dense(sizes: tuple[int, ...], last: str | None = None) -> Any:
    import keras

    hidden = [keras.layers.Dense(width, activation="relu") for width in sizes[1:-1]]
    return keras.Sequential(
        [keras.Input((sizes[0],)), *hidden, keras.layers.Dense(sizes[-1], activation=last)]
    )


def surface(rng: np.random.Generator, events: int, scale: float = 1.0) -> np.ndarray:
    """Points near a surface of three dimensions in twelve; a larger scale leaves it."""
    mixing = np.random.default_rng(0).normal(size=(3, 12))
    found = scale * np.tanh(rng.normal(size=(events, 3)) @ mixing) + 0.1 * rng.normal(size=(events, 12))
    return found.astype(np.float32)


def classes(rng: np.random.Generator, scale: float) -> Made:
    labels = rng.permutation(np.arange(EVENTS) % 3)
    x = (rng.normal(0, 1.2, (3, 8))[labels] + rng.normal(size=(EVENTS, 8))).astype(np.float32)
    model = trained(dense((8, 16, 8, 3), "softmax"), "sparse_categorical_crossentropy", (x, labels), scale)
    return model, split(x, labels)


def flags(rng: np.random.Generator, scale: float) -> Made:
    x = rng.normal(size=(EVENTS, 8)).astype(np.float32)
    noise = 0.3 * rng.normal(size=(EVENTS, 2))
    y = np.stack([x[:, 0] + x[:, 1] > 0.5, x[:, 2] - x[:, 3] > 0.8], 1) ^ (np.abs(noise) > 0.7)
    labels = y.astype(np.float32)
    return trained(dense((8, 16, 2), "sigmoid"), "binary_crossentropy", (x, labels), scale), split(x, labels)


def regression(rng: np.random.Generator, scale: float) -> Made:
    """Momentum from bending angles: they fall as one over it."""
    truth = rng.uniform(0.2, 4.0, EVENTS).astype(np.float32)
    x = np.stack([1 / truth + 0.05 * rng.normal(size=EVENTS) for _ in range(6)], 1).astype(np.float32)
    zero_bias = np.stack([1 / rng.exponential(0.5, 4000) for _ in range(6)], 1).clip(0, 5).astype(np.float32)
    model = trained(dense((6, 16, 8, 1)), "mse", (x, truth), scale)
    return model, split(x, truth, x_zero_bias=zero_bias, zero_bias_hz=40.08e6, unit="10 GeV")


def autoencoder(rng: np.random.Generator, scale: float) -> Made:
    x = surface(rng, EVENTS)
    model = trained(dense((12, 8, 4, 8, 12)), "mse", (x, x), scale)
    return model, split(x, **{"x_signal.heavy": surface(rng, 500, 2.0)})


def encoder(rng: np.random.Generator, scale: float) -> Made:
    import keras

    x, inside = surface(rng, EVENTS), dense((12, 8, 3))
    trained(keras.Sequential([keras.Input((12,)), inside, keras.layers.Dense(12)]), "mse", (x, x), scale)
    beside = {"x_zero_bias": surface(rng, 4000), "zero_bias_hz": 40.08e6}
    return inside, split(x, **beside, **{"x_signal.heavy": surface(rng, 500, 2.0)})


def student(rng: np.random.Generator, scale: float) -> Made:
    """One column that learned an autoencoder's score, as CICADA's."""
    (teacher, _), x = autoencoder(rng, scale), surface(rng, EVENTS)
    score = ((teacher.predict(x, verbose=0) - x) ** 2).mean(axis=1)
    model = trained(dense((12, 16, 1)), "mse", (x, np.log(score)), scale)
    beside = {"x_zero_bias": surface(rng, 4000), "zero_bias_hz": 40.08e6}
    return model, split(x, **beside, **{"x_signal.heavy": surface(rng, 500, 2.0)})


def two_heads(rng: np.random.Generator, scale: float) -> Made:
    """Class and momentum of a jet, as taggers of the CMS trigger give them."""
    import keras

    x = rng.normal(size=(EVENTS, 8)).astype(np.float32)
    y = {
        "id": (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.7),
        "pt": (1 + 0.5 * x[:, 2] + 0.3 * x[:, 0]).astype(np.float32),
    }
    given = keras.Input((8,))
    inside = keras.layers.Dense(16, activation="relu")(given)
    logits = keras.layers.Dense(3, name="logits")(inside)
    outputs = {
        "id": keras.layers.Activation("softmax", name="id")(logits),
        "pt": keras.layers.Dense(1, name="pt")(inside),
    }
    losses = {"id": "sparse_categorical_crossentropy", "pt": "mse"}
    return trained(keras.Model(given, outputs), losses, (x, y), scale), split(
        x, y, classes=["qcd", "tau", "top"]
    )


def two_inputs(rng: np.random.Generator, scale: float) -> Made:
    """Objects and scalars of an event, with event weights."""
    import keras

    x = {
        "jets": rng.normal(size=(EVENTS, 4, 3)).astype(np.float32),
        "scalars": rng.normal(size=(EVENTS, 2)).astype(np.float32),
    }
    labels = (x["jets"].sum((1, 2)) + 2 * x["scalars"][:, 0] > 0).astype(int)
    given = {name: keras.Input(part.shape[1:], name=name) for name, part in x.items()}
    jets = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(given["jets"]))
    both = keras.layers.Concatenate()([jets, keras.layers.Dense(4, activation="relu")(given["scalars"])])
    output = keras.layers.Dense(1, activation="sigmoid", name="out")(both)
    model = trained(keras.Model(given, output), "binary_crossentropy", (x, labels), scale)
    return model, split(x, labels, w=rng.uniform(0.5, 1.5, EVENTS))


TASKS: dict[str, Callable[[np.random.Generator, float], Made]] = {
    one.__name__: one
    for one in (classes, flags, regression, autoencoder, encoder, student, two_heads, two_inputs)
}
QUICK = ("regression", "autoencoder", "two_heads")
"""Tasks that the pipelines run on, with ``--quick``."""


def row(name: str, seed: int, work: Path, *, quick: bool) -> dict[str, Any]:
    """What became of one task."""
    from pquant_hls.lint import lint

    scale = 0.1 if quick else 1.0
    model, data = made(name, seed, scale)
    runs = {}
    for how, job in jobs(model, data, work / name, epochs=max(2, round(20 * scale)), quick=quick):
        runs[how] = attempt(job)
    done = [run for run in runs.values() if not isinstance(run, str)]
    loop = runs["loop"]
    matches = [run.qor.csim_match for run in done if run.qor.csim_match is not None]
    errors = [] if isinstance(loop, str) else [f for f in lint(loop.model) if f.severity == "error"]
    found: dict[str, Any] = {"task": name, "lint": f"{len(errors)} errors"}
    found |= dict.fromkeys(("loop", "standard", "trigger", "tune"))
    found |= {how: run if isinstance(run, str) else str(run.verdict) for how, run in runs.items()}
    found["csim, %"] = f"{100 * min(matches):.2f}" if matches else None
    return found | ({} if isinstance(loop, str) else figures(loop))


def attempt(job: Callable[[], Any]) -> Any:
    """A result, or why there is none."""
    from pquant_hls.errors import PquantError

    try:
        return job()
    except PquantError as cause:
        return f"{type(cause).__name__}: {cause}"


def figures(loop: Any, named: Collection[str] = ()) -> dict[str, Any]:
    """The figures ``named``, or else those that searches go by, and the latency."""
    from pquant_hls.qor.words import figure_text, loss_text, percent, points

    found = loop.qor.quality.items()
    shown = {name: each for name, each in found if (name in named if named else each.headline)}
    latency = loop.qor.latency
    ns = "-" if latency is None or latency.worst_ns_hi is None else f"{latency.worst_ns_hi:.0f}"
    if not shown:
        before, after, seen = loop.baseline_accuracy, loop.qor.accuracy, loop.qor.metrics
        lost = None if before is None or after is None else before - after
        return {
            "figure": "accuracy",
            "before": percent(before),
            "after": percent(after, seen.get("accuracy_error")),
            "lost": f"{points(lost, seen.get('loss_error'))} points",
            "ns": ns,
        }
    return {
        "figure": ", ".join(shown),
        "before": ", ".join(
            "-" if each.original is None else f"{each.original:.4g}" for each in shown.values()
        ),
        "after": ", ".join(figure_text(each) for each in shown.values()),
        "lost": ", ".join(loss_text(each) for each in shown.values()),
        "ns": ns,
    }


def jobs(
    model: Any, data: Any, work: Path, *, epochs: int, quick: bool
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The loop, two pipelines and a study."""
    from pquant_hls.engine import compress_model
    from pquant_hls.pipelines import AutoTuningPipeline, HEPCompressionPipeline, StandardCompressionPipeline
    from pquant_hls.spec import Recipe

    train = {"batch_size": 128, "learning_rate": 3e-3}
    steps = [
        {"step": "prune", "sparsity": 0.2, "epochs": epochs, **train},
        {"step": "quantize", "bits": 8, "epochs": epochs, **train},
    ]
    budget: dict[str, Any] = {**BUDGET, "quality": limits(model, data)}
    recipe = Recipe.parse({"steps": steps, "budget": budget})
    told: dict[str, Any] = {"epochs": max(2, epochs // 2), "training": train}
    yield "loop", lambda: compress_model(model, data, recipe, work / "loop")
    if quick and work.name not in QUICK:
        return
    standard = StandardCompressionPipeline(4, 1 - LOST, analyse=False, out=work / "standard", **told)
    yield "standard", lambda: standard.execute(model, data)
    judged = {"quality": limits(model, data)}
    trigger = HEPCompressionPipeline(out=work / "trigger", learned_epochs=10 * epochs, budget=judged, **told)
    yield "trigger", lambda: trigger.compress_trigger_model(model, BUDGET["latency_ns"], data)
    if not quick:
        space = {"bits": [5, 8], "sparsity": [0.0, 0.4]}
        study = AutoTuningPipeline(space, n_trials=4, budget=budget, out=work / "tune", **told)
        yield "tune", lambda: study.execute(model, data)


def limits(model: Any, data: Any) -> dict[str, str]:
    """What may be lost of each headline."""
    from pquant_hls.train.purpose import purpose_of

    shares = {"rmse": f"{100 * LOST:g} %"}
    names = purpose_of(model, data).headlines
    return {name: shares.get(name.rpartition(".")[2], f"{100 * LOST:g} points") for name in names}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", nargs="*", choices=list(TASKS), default=list(TASKS), help="these alone")


def main() -> None:
    """Each task in a folder of its own."""
    args = parse(__doc__, options)
    rows = []
    for name in args.task:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(row(name, args.seed, Path(scratch), quick=args.quick))
    show("each task end to end", rows)
    save(args, "tasks", {"rows": rows})


if __name__ == "__main__":
    main()
