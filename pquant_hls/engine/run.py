"""What can be known to fail before any training does."""

from __future__ import annotations

from typing import Any

import keras

from pquant_hls.datasets import Dataset, check_dataset
from pquant_hls.errors import UnsupportedModel
from pquant_hls.files import scratch
from pquant_hls.hls import convert
from pquant_hls.hls.design import need_da4ml
from pquant_hls.measure import check_source
from pquant_hls.network import input_shapes, n_outputs
from pquant_hls.programs import require
from pquant_hls.spec import Budget, HlsSpec


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
    if hls.multiplying != hls:
        need_da4ml("hls.strategy")
    with scratch() as folder:
        convert(model, hls.multiplying, folder / "project", exact=False)
