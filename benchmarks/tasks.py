"""Every task end to end: what lint, the loop, the pipelines and a study make of a small network of each kind.

One row a task: lint's errors, the verdicts of the loop, ``standard``, ``trigger`` and a study, the share of output values on
which csim equals Keras and the emulator csim (the least of all runs), the figure that searches go by before and after the loop
with its error, what was lost of it with the error of paired events, and the latency (ns, upper end of the estimate). The data
are the bundled simulated jets and trigger events; ``--data FOLDER`` adds rows of the public jets and tracks, where their files
are.

``--quick`` : a tenth of the training, no study, pipelines for three of the tasks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _common import CORPUS, parse, save, show

BUDGET: dict[str, Any] = {"latency_ns": 50}
LOST = 0.1
"""What may be lost of each figure that searches go by: a share of an rmse, points of an accuracy."""
GEV = 30.0
"""Scale of the momenta that networks are trained on."""
RAW = 1e-3
"""Added to a reconstruction's error before its logarithm is taken."""

Made = tuple[Any, Any]


def made(make: str | Callable[[float], Made], seed: int, scale: float) -> Made:
    """The network of a task, or of a function like those here, trained, and its data."""
    import keras

    keras.utils.set_random_seed(seed)
    return (TASKS[make] if isinstance(make, str) else make)(scale)


def bundled(name: str) -> Any:
    from pquant_hls.datasets import load_dataset

    return load_dataset(name)


def split(x: Any, y: Any = None, **beside: Any) -> Any:
    from pquant_hls.datasets.assemble import assemble

    labels = {} if y is None else {"y": y}
    return assemble({"x": x, **labels, **beside}, name="made", where="made", seed=0)


def remade(data: Any, change: Callable[[Any, Any], dict[str, Any]], **beside: Any) -> Any:
    """The same events with the inputs ``x`` and labels ``y`` that ``change`` makes of those there are."""
    from pquant_hls.datasets.assemble import assemble

    splits = ("train", "val", "test")
    arrays = {f"{key}_{which}": part for which in splits for key, part in change(*data.split(which)).items()}
    return assemble({**arrays, **beside}, name=data.name, where=data.name, seed=0)


def trained(model: Any, loss: Any, xy: tuple[Any, Any], scale: float, epochs: int = 40) -> Any:
    import keras

    model.compile(keras.optimizers.Adam(5e-3), loss)
    model.fit(*xy, epochs=max(4, round(epochs * scale)), batch_size=128, verbose=0)
    return model


def dense(sizes: tuple[int, ...], last: str | None = None) -> Any:
    import keras

    hidden = [keras.layers.Dense(width, activation="relu") for width in sizes[1:-1]]
    return keras.Sequential(
        [keras.Input((sizes[0],)), *hidden, keras.layers.Dense(sizes[-1], activation=last)]
    )


def in_gev(model: Any, layer: str) -> Any:
    """``model``, whose layer of that name answers in GeV instead of units of ``GEV``."""
    last = model.get_layer(layer)
    last.set_weights([GEV * weight for weight in last.get_weights()])
    return model


def classes(scale: float, *, data: Any = None, widths: tuple[int, ...] = (16, 8)) -> Made:
    """The five kinds of jets, or the classes of other data."""
    data = data or bundled("lhc_jets")
    count = int(data.y_train.max()) + 1
    last, loss = (1, "sigmoid"), "binary_crossentropy"
    if count > 2:
        last, loss = (count, "softmax"), "sparse_categorical_crossentropy"
    model = dense((*data.sample_shape, *widths, last[0]), last[1])
    return trained(model, loss, (data.x_train, data.y_train), scale, 20), data


def flags(scale: float) -> Made:
    """Two flags of a jet: top quark; W or Z."""

    def flagged(x: Any, y: Any) -> dict[str, Any]:
        return {"x": x, "y": np.stack([y == 2, y >= 3], 1).astype(np.float32)}

    data = remade(bundled("lhc_jets"), flagged, task="flags", classes=["top", "boson"])
    model = dense((16, 16, 8, 2), "sigmoid")
    return trained(model, "binary_crossentropy", (data.x_train, data.y_train), scale, 20), data


def regression(scale: float) -> Made:
    """True momentum (GeV) of the leading jet."""
    data = bundled("bundled:triggers:jet_pt")
    model = trained(dense((*data.sample_shape, 16, 8, 1)), "mse", (data.x_train, data.y_train / GEV), scale)
    return in_gev(model, model.layers[-1].name), data


def autoencoder(scale: float, *, data: Any = None, widths: tuple[int, ...] = (16, 6, 16)) -> Made:
    """Zero-bias crossings given back; four signals to be found. Or the inputs of other data."""
    data = data or bundled("bundled:triggers:flat")
    model = dense((*data.sample_shape, *widths, *data.sample_shape))
    return trained(model, "mse", (data.x_train, data.x_train), scale), data


def encoder(scale: float) -> Made:
    """Three values of a crossing, whose squares are its score: the inner half of an autoencoder."""
    import keras

    data = bundled("bundled:triggers:flat")
    inside = dense((45, 12, 3))
    whole = keras.Sequential([keras.Input((45,)), inside, keras.layers.Dense(45)])
    trained(whole, "mse", (data.x_train, data.x_train), scale)
    return inside, data


def student(scale: float) -> Made:
    """One column that learned an autoencoder's score, as CICADA's."""
    teacher, data = autoencoder(scale)
    x = data.x_train
    score = np.log(((teacher.predict(x, verbose=0) - x) ** 2).mean(axis=1) + RAW)
    return trained(dense((45, 12, 1)), "mse", (x, score), scale), data


def two_heads(scale: float) -> Made:
    """Process of an event and momentum of its leading jet, as taggers of the CMS trigger give kind and momentum of a jet."""
    import keras

    data = bundled("bundled:triggers:id_and_jet_pt")
    given = keras.Input(data.sample_shape)
    inside = keras.layers.Dense(16, activation="relu")(given)
    logits = keras.layers.Dense(len(data.classes), name="logits")(inside)
    outputs = {
        "id": keras.layers.Activation("softmax", name="id")(logits),
        "pt": keras.layers.Dense(1, name="pt")(inside),
    }
    losses = {"id": "sparse_categorical_crossentropy", "pt": "mse"}
    labels = {"id": data.y_train["id"], "pt": data.y_train["pt"] / GEV}
    model = trained(keras.Model(given, outputs), losses, (data.x_train, labels), scale)
    return in_gev(model, "pt"), data


def two_inputs(scale: float) -> Made:
    """Jets and scalars of an event, any signal against zero bias, both of the same weight together."""
    import keras

    data = bundled("bundled:triggers")
    kept = ("jets", "scalars")
    samples = [data.x_train, data.x_val, data.x_test, *data.signals.values()]
    x = {name: np.concatenate([sample[name] for sample in samples]) for name in kept}
    sizes = [len(sample["jets"]) for sample in samples]
    labels = np.repeat([0, 0, 0, *[1] * len(data.signals)], sizes)
    given = {name: keras.Input(part.shape[1:], name=name) for name, part in x.items()}
    jets = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(given["jets"]))
    both = keras.layers.Concatenate()([jets, keras.layers.Dense(4, activation="relu")(given["scalars"])])
    model = keras.Model(given, keras.layers.Dense(1, activation="sigmoid", name="out")(both))
    weights = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    found = split(x, labels, w=weights)
    return trained(model, "binary_crossentropy", (found.x_train, found.y_train), scale), found


TASKS: dict[str, Callable[[float], Made]] = {
    one.__name__: one
    for one in (classes, flags, regression, autoencoder, encoder, student, two_heads, two_inputs)
}
FILES: dict[str, tuple[str, Callable[..., Made]]] = {
    "public jets": ("lhc_jets_hlf_5120.npz", classes),
    "tracks": ("cms_l1_track_quality.npz", classes),
    "tracks given back": ("cms_l1_track_quality.npz", partial(autoencoder, widths=(8, 3, 8))),
}
"""Networks of public data: jets of the hls4ml set, and the quality of tracks of the CMS trigger."""
QUICK = ("regression", "autoencoder", "two_heads")
"""Tasks that the pipelines run on, with ``--quick``."""


def of_file(file: Path, make: Callable[..., Made], scale: float) -> Made:
    """The network of a file, its inputs standardised by the training split."""
    data = bundled(str(file))
    mean, width = data.x_train.mean(axis=0), data.x_train.std(axis=0)

    def standard(x: Any, y: Any) -> dict[str, Any]:
        return {"x": (x - mean) / width, **({"y": y} if make is classes else {})}

    beside = {"classes": list(data.classes)} if make is classes else {}
    return make(scale, data=remade(data, standard, **beside))


def networks(folder: Path) -> dict[str, Callable[[float], Made]]:
    """The bundled tasks, and those of the files that are in ``folder``."""
    there = {name: partial(of_file, folder / file, make) for name, (file, make) in FILES.items()}
    return {**TASKS, **{name: make for name, make in there.items() if (folder / FILES[name][0]).is_file()}}


def row(name: str, make: Callable[[float], Made], seed: int, work: Path, *, quick: bool) -> dict[str, Any]:
    """What became of one task."""
    from pquant_hls.lint import lint

    scale = 0.1 if quick else 1.0
    model, data = made(make, seed, scale)
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
    same = [share for run in done if (share := emulated(run)) is not None]
    found["emulator, %"] = f"{100 * min(same):.2f}" if same else None
    shown = {} if isinstance(loop, str) else figures(loop)
    open_ones = {how: run.reason for how, run in runs.items() if run in done and run.verdict != "MET"}
    return found | shown | {"why": open_ones}


def emulated(result: Any) -> float | None:
    """Share of the golden vectors' output values, which are csim's, that the emulator gives too; None without a graph."""
    from pquant_hls.golden import Golden
    from pquant_hls.hls import load_project
    from pquant_hls.rtl import emulate

    handed = result.folder / "handover"
    golden, graph = Golden.load(handed / "project.golden"), load_project(handed / "project").graph
    if graph is None:
        return None
    found, wanted = emulate(graph, golden.x), golden.y
    pairs = zip(found, wanted, strict=True) if isinstance(found, list) else [(found, wanted)]
    return float(np.mean(np.concatenate([(one == other).ravel() for one, other in pairs])))


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

    train = {"batch_size": min(1024, max(128, data.events("train") // 15)), "learning_rate": 3e-3}
    steps = [
        {"step": "prune", "sparsity": 0.2, "epochs": epochs, **train},
        {"step": "quantize", "bits": 8, "epochs": epochs, **train},
    ]
    budget: dict[str, Any] = {**BUDGET, "quality": limits(model, data)}
    recipe = Recipe.parse({"steps": steps, "budget": budget})
    told: dict[str, Any] = {"epochs": max(2, epochs // 2), "training": train}
    learned = {**told, "learned_epochs": 20 if quick else 1000}
    yield "loop", lambda: compress_model(model, data, recipe, work / "loop")
    if quick and work.name not in QUICK:
        return
    standard = StandardCompressionPipeline(4, 1 - LOST, analyse=False, out=work / "standard", **learned)
    yield "standard", lambda: standard.execute(model, data)
    judged = {"quality": limits(model, data)}
    trigger = HEPCompressionPipeline(out=work / "trigger", budget=judged, **learned)
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
    names = [*TASKS, *FILES]
    parser.add_argument("--task", nargs="*", choices=names, default=names, help="these alone")
    parser.add_argument("--data", type=Path, default=CORPUS.parent / "data", help="folder of public data")


def main() -> None:
    """Each task in a folder of its own."""
    args = parse(__doc__, options)
    rows = []
    for name, make in networks(args.data).items():
        if name not in args.task:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(row(name, make, args.seed, Path(scratch), quick=args.quick))
        print(rows[-1], flush=True)
    show("each task end to end", [{key: cell for key, cell in each.items() if key != "why"} for each in rows])
    save(args, "tasks", {"rows": rows})


if __name__ == "__main__":
    main()
