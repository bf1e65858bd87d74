"""One run from model, data and recipe to a folder with a verdict."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras

from pquant_hls.datasets import Dataset, check_dataset
from pquant_hls.engine.bench import Bench
from pquant_hls.engine.events import Listener, silent
from pquant_hls.engine.handover import CompressionResult, hand_over
from pquant_hls.engine.loop import closed_loop
from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import convert
from pquant_hls.measure import check_source
from pquant_hls.network import input_shapes, model_digest, n_outputs
from pquant_hls.programs import require
from pquant_hls.spec import Budget, HlsSpec, Recipe
from pquant_hls.store import RunFolder


def compress_model(
    model: Any,
    data: Dataset,
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    listen: Listener = silent,
) -> CompressionResult:
    """Compress ``model`` by ``recipe`` until its firmware meets the budget, or say why it cannot.

    Parameters
    ----------
    model : a Keras model; it is not changed.
    data : inputs float32 (n, *model input shape) and integer labels (n,) in three splits.
    out : the run folder, empty or new; with ``resume`` one of an interrupted run of the same three.

    Raises
    ------
    UnsupportedModel, DataError, OutputError, ToolNotFound : before any training starts.
    """
    preflight(model, data, recipe.hls, recipe.budget)
    identity = {"recipe": recipe.model_dump(mode="json"), "model": model_digest(model), "data": data.digest}
    with RunFolder.open(Path(out), identity, resume=resume) as run:
        bench = Bench(data, recipe.hls, recipe.budget, run, listen)
        result = closed_loop(bench, model, recipe)
        qor = hand_over(bench, result.best, result.verdict)
        run.set_status(
            "finished",
            verdict=str(result.verdict),
            reason=result.action.reason,
            baseline_accuracy=bench.baseline_accuracy,
            handed_over=1 + result.points.index(result.best),
        )
        rounds = tuple(record for record in run.ledger() if record["kind"] in {"float", "round"})
        return CompressionResult(
            result.best.model,
            qor,
            result.verdict,
            rounds,
            Path(out),
            result.action.reason,
            bench.baseline_accuracy,
        )


def check_model(model: Any) -> None:
    """Raise UnsupportedModel unless this is a built Keras model with one input and one output."""
    if not isinstance(model, keras.Model):
        raise UnsupportedModel(
            f"expected a Keras model, got {type(model).__name__} {model!r:.80}",
            where="model",
            mend="pquant_hls.network.load_model reads one from a file",
        )
    if not getattr(model, "inputs", None):
        raise UnsupportedModel(
            "its inputs are not known",
            where=f"model {model.name}",
            mend="give a Sequential or functional model with an Input, not a subclassed or unbuilt one",
        )
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise UnsupportedModel(
            "is a model inside the model", where=nested[0], mend="put its layers into the outer model itself"
        )
    for side, count in (("input", len(model.inputs)), ("output", len(model.outputs))):
        if count != 1:
            raise UnsupportedModel(
                f"models with one {side} are taken, this one has {count}", where=f"model {model.name}"
            )
    inputs, outputs = (tuple(side[0].shape[1:]) for side in (model.inputs, model.outputs))
    if None in inputs or len(outputs) != 1:
        raise UnsupportedModel(
            f"takes inputs {inputs} and gives {outputs}",
            where=f"model {model.name}",
            mend="firmware needs inputs of a fixed size and one score for each class",
        )


def preflight(model: Any, data: Dataset, hls: HlsSpec, budget: Budget | None = None) -> None:
    """Everything that can be known to fail before training does."""
    require("g++", mend="apt-get install g++")
    if budget is not None:
        check_source(budget, hls)
    check_model(model)
    check_dataset(data, input_shapes(model)[0], n_outputs(model))
    with tempfile.TemporaryDirectory() as scratch:
        convert(model, hls, Path(scratch) / "project", exact=False)
