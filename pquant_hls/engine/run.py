"""What can be known to fail before any training does."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from pquant_hls.datasets import Dataset
from pquant_hls.errors import UnsupportedModel
from pquant_hls.files import scratch
from pquant_hls.hls import convert
from pquant_hls.hls.design import need_da4ml
from pquant_hls.measure import check_source
from pquant_hls.programs import require
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.train.purpose import purpose_of


def check_model(model: keras.Model) -> None:
    """Raise UnsupportedModel unless this is a built Keras model whose inputs have fixed sizes."""
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
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    ends = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    if any(None in shape for shape in shapes) or not all(ends):
        raise UnsupportedModel(
            f"takes inputs {shapes[0] if len(shapes) == 1 else shapes} and gives {ends[0] if len(ends) == 1 else ends}",
            where=f"model {model.name}",
            mend="firmware needs inputs of a fixed size and at least one axis of values in each output",
        )


def preflight(
    model: keras.Model,
    data: Dataset,
    hls: HlsSpec,
    budget: Budget | None = None,
    *,
    task: str | Mapping[str, str] = "",
) -> None:
    """Everything that can be known to fail before training does."""
    require("g++", mend="apt-get install g++")
    if budget is not None:
        check_source(budget, hls)
    check_model(model)
    purpose_of(model, data, task).fitted(model, data)
    if hls.multiplying != hls:
        need_da4ml("hls.strategy")
    with scratch() as folder:
        convert(model, hls.multiplying, folder / "project", exact=False)
