"""What a user has for training, validation and test, as one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pquant_hls.datasets import Dataset, several
from pquant_hls.datasets.assemble import assemble
from pquant_hls.datasets.labels import class_numbers
from pquant_hls.datasets.loaders import FORMS, as_given
from pquant_hls.datasets.records import SPLITS
from pquant_hls.engine import check_model
from pquant_hls.errors import DataError
from pquant_hls.network import input_shapes, n_outputs, unit_inputs
from pquant_hls.train import probabilities
from pquant_hls.train.metrics import decisions
from pquant_hls.train.purpose import purpose_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

SAMPLE = 4096
"""Events drawn where a model comes with no data at all."""

NO_DATA = "no data was given: calibrated and judged on standard normal inputs"


def as_dataset(
    model: Model,
    train: Any,
    val: Any = None,
    test: Any = None,
    *,
    seed: int = 0,
    task: str | Mapping[str, str] = "",
) -> Dataset:
    """One Dataset from what a user has.

    Parameters
    ----------
    train, val, test : each (x, y), (x, y, weights), x alone, a ``tf.data.Dataset``, a Keras ``PyDataset`` or any
        iterable of batches, read once; x float (events, *input shape), y integer or named classes (events,), one-hot
        (events, classes), flags or values; several inputs or outputs in a list or a dict by name. ``train``
        may be a Dataset with all three splits. Without ``val`` a fifth of ``train`` is held back by ``seed``;
        without ``test`` the validation events stand in for it, and ``meta["test"]`` says so. Without labels
        the original's own decisions are the labels of a classifier, so that accuracy means agreement with it
        (``meta["labels"]``).
    task : what is asked of the outputs, where it is not found from labels and model.

    Raises
    ------
    DataError : shapes, labels or loaders that do not fit. UnsupportedModel : no built Keras model with
        inputs of fixed sizes.
    """
    check_model(model)
    if train is None:
        raise DataError("no events to train on", where="train", mend=FORMS)
    if isinstance(train, Dataset):
        found = train
        if val is not None or test is not None:
            raise DataError("a Dataset has its own splits: give val and test inside it", where="train")
    else:
        found = _assembled(model, {"train": train, "val": val, "test": test}, (seed, task))
    if found.y_train is not None or not purpose_of(model, found, task).is_plain:
        return found
    return _own_labels(model, found)


def without_data(
    model: Model, *, seed: int = 0, remark: str = NO_DATA, task: str | Mapping[str, str] = ""
) -> Dataset:
    """A data set of standard normal inputs, labelled by the model's own decisions; ``meta["inputs"]`` says so."""
    found = as_dataset(model, calibration_sample(model, seed), seed=seed, task=task)
    return replace(found, meta={**found.meta, "inputs": remark})


def calibration_sample(model: Model, seed: int) -> Any:
    """``unit_inputs`` of 4096 events: what is left where neither data nor a sample is given."""
    check_model(model)
    return unit_inputs(model, SAMPLE, seed)


def _assembled(model: Model, sources: Mapping[str, Any], how: tuple[int, str | Mapping[str, str]]) -> Dataset:
    arrays: dict[str, Any] = {"task": how[1]} if how[1] else {}
    ranks = [1 + len(shape) for shape in input_shapes(model)]
    for split, source in sources.items():
        if source is not None:
            given = as_given(source, ranks, split)
            told = {"x": given.x, "y": given.y, "w": given.w}
            arrays |= {f"{key}_{split}": part for key, part in told.items() if part is not None}
    if "y_train" not in arrays:  # labels of other splits cannot be compared with the original's decisions
        arrays = {key: value for key, value in arrays.items() if not key.startswith("y")}
    if not any(several.is_several(value) for key, value in arrays.items() if key.startswith("y")):
        arrays |= _alike({key: value for key, value in arrays.items() if key.startswith("y")})
        arrays |= _class_names(model, arrays)
    has_test = "x_test" in arrays
    if not has_test:
        stand_in = "val" if "x_val" in arrays else "train"
        arrays |= {
            key.replace(stand_in, "test"): value for key, value in arrays.items() if key.endswith(stand_in)
        }
    found = assemble(arrays, name="data", where="train", seed=how[0])
    if has_test:
        return found
    weights = {**found.weights, "test": found.weights["val"]} if found.weights else {}
    meta = {**found.meta, "test": "validation"}
    return replace(found, x_test=found.x_val, y_test=found.y_val, weights=weights, meta=meta)


def _alike(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Labels of all splits in one form: columns (events, 1) as (events,), and numbers for one-hot rows where
    another split has numbers."""
    flat = {key: y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for key, y in labels.items()}
    if len({y.ndim for y in flat.values()}) == 1:
        return flat
    return {key: class_numbers(y, None, key)[0] for key, y in flat.items()}


def _class_names(model: Model, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Names for whole-number labels, so that a class absent from a small sample is still counted."""
    labels = np.asarray(arrays.get("y_train", ""))
    whole = labels.dtype.kind in "biu" or (
        labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels))
    )
    if labels.ndim != 1 or not whole:
        return {}
    return {"classes": [str(index) for index in range(max(2, n_outputs(model)))]}


def _own_labels(model: Model, data: Dataset) -> Dataset:
    ordered = purpose_of(model, data).fitted(model, data)
    decided = {split: decisions(probabilities(model, ordered.split(split)[0])) for split in SPLITS}
    classes = data.classes or tuple(str(index) for index in range(max(2, n_outputs(model))))
    meta = {**data.meta, "labels": "the original model's decisions"}
    return replace(
        data,
        y_train=decided["train"],
        y_val=decided["val"],
        y_test=decided["test"],
        classes=classes,
        meta=meta,
    )
