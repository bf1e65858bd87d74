"""Whatever a user's loaders give, as one data set: arrays, ``tf.data``, or any iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pquant_hls.datasets import Dataset
from pquant_hls.datasets.assemble import assemble
from pquant_hls.datasets.labels import class_numbers
from pquant_hls.datasets.records import SPLITS
from pquant_hls.engine import check_model
from pquant_hls.errors import DataError
from pquant_hls.network import n_outputs
from pquant_hls.train import probabilities
from pquant_hls.train.metrics import decisions

SAMPLE = 4096
"""Events drawn where a model comes with no data at all."""

MOST_BYTES = 2**31
"""What a loader may give before it is taken for one that never ends."""

FORMS = "give a Dataset, arrays (x, y), a tf.data.Dataset or an iterable of batches (x, y)"


def as_dataset(model: Any, train: Any, val: Any = None, test: Any = None, *, seed: int = 0) -> Dataset:
    """One Dataset from what a user has.

    Parameters
    ----------
    train, val, test : each a pair (x, y), x alone, a ``tf.data.Dataset``, a Keras ``PyDataset`` or any
        iterable of batches, read once; x float (events, *input shape), y integer or named classes (events,)
        or one-hot (events, classes). ``train``
        may be a Dataset with all three splits. Without ``val`` a fifth of ``train`` is held back by ``seed``;
        without ``test`` the validation events stand in for it, and ``meta["test"]`` says so. Without labels
        the original's own decisions are the labels, so that accuracy means agreement with it
        (``meta["labels"]``).

    Raises
    ------
    DataError : shapes, labels or loaders that do not fit. UnsupportedModel : no built Keras model with one
        input and one output.
    """
    check_model(model)
    if train is None:
        raise DataError("no events to train on", where="train", mend=FORMS)
    if isinstance(train, Dataset):
        found = train
        if val is not None or test is not None:
            raise DataError("a Dataset has its own splits: give val and test inside it", where="train")
    else:
        found = _assembled(model, {"train": train, "val": val, "test": test}, seed)
    return found if found.y_train is not None else _own_labels(model, found)


def calibration_sample(model: Any, seed: int) -> np.ndarray:
    """Standard normal inputs, float32 (4096, *input shape): what is left where neither data nor a sample is
    given."""
    check_model(model)
    shape = tuple(model.input_shape[1:])
    return np.random.default_rng(seed).standard_normal((SAMPLE, *shape), np.float32)


def _assembled(model: Any, sources: Mapping[str, Any], seed: int) -> Dataset:
    arrays: dict[str, Any] = {}
    for split, source in sources.items():
        if source is not None:
            x, y = as_arrays(source, len(model.input_shape), split)
            arrays |= {f"x_{split}": x} | ({} if y is None else {f"y_{split}": y})
    if "y_train" not in arrays:  # labels of other splits cannot be compared with the original's decisions
        arrays = {key: value for key, value in arrays.items() if key.startswith("x")}
    arrays |= _alike({key: value for key, value in arrays.items() if key.startswith("y")})
    arrays |= _class_names(model, arrays)
    given = "x_test" in arrays
    if not given:
        stand_in = "val" if "x_val" in arrays else "train"
        arrays |= {
            key.replace(stand_in, "test"): value for key, value in arrays.items() if key.endswith(stand_in)
        }
    found = assemble(arrays, name="data", where="train", seed=seed)
    if given:
        return found
    return replace(found, x_test=found.x_val, y_test=found.y_val, meta={**found.meta, "test": "validation"})


def _alike(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Labels of all splits in one form: columns (events, 1) as (events,), and numbers for one-hot rows where
    another split has numbers."""
    flat = {key: y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for key, y in labels.items()}
    if len({y.ndim for y in flat.values()}) == 1:
        return flat
    return {key: class_numbers(y, None, key)[0] for key, y in flat.items()}


def _class_names(model: Any, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Names for whole-number labels, so that a class absent from a small sample is still counted."""
    labels = np.asarray(arrays.get("y_train", ""))
    if labels.ndim != 1 or labels.dtype.kind not in "biuf":
        return {}
    return {"classes": [str(index) for index in range(max(2, n_outputs(model)))]}


def _own_labels(model: Any, data: Dataset) -> Dataset:
    decided = {split: decisions(probabilities(model, data.split(split)[0])) for split in SPLITS}
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


def as_arrays(source: Any, rank: int, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(x, y or None) of one split; ``rank`` is that of a batch of inputs."""
    if _is_array(source):
        return _array(source, where), None
    if isinstance(source, tuple | list) and len(source) == 2 and _is_pair(source, rank):
        x, y = source
        return _array(x, where), None if y is None else _array(y, where)
    return _gathered(source, rank, where)


def _is_array(value: Any) -> bool:
    """Arrays, tensors, and tables of pandas; not data sets, which have no values before they are read."""
    return hasattr(value, "shape") and hasattr(value, "__array__")


def _is_pair(source: Any, rank: int) -> bool:
    """Whether two parts are inputs and labels, not two batches or events of a loader."""
    x, y = source
    if _is_array(x):
        return y is None or _is_array(y) or (isinstance(y, list | tuple) and np.ndim(x) == rank)
    return isinstance(x, list) and isinstance(y, list | np.ndarray)


def _array(value: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as cause:  # ragged lists, tensors that keep a gradient
        raise DataError(f"cannot be read as an array: {cause}", where=where, mend=FORMS) from cause


def _gathered(source: Any, rank: int, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = []
    taken = 0
    for batch in _batches(source, where):
        pairs.append(_pair(batch, rank, where))
        taken += pairs[-1][0].nbytes
        if taken > MOST_BYTES:
            raise DataError(
                f"gave more than {MOST_BYTES / 2**30:g} GiB and did not end",
                where=where,
                mend="end the loader after one pass, or give arrays",
            )
    if not pairs:
        raise DataError("the loader gave no batches", where=where, mend="a generator can be read only once")
    labels = [y for _, y in pairs if y is not None]
    if labels and len(labels) < len(pairs):
        raise DataError("only some batches have labels", where=where)
    return _joined([x for x, _ in pairs], where), _joined(labels, where) if labels else None


def _batches(source: Any, where: str) -> Iterator[Any]:
    """The batches of a loader that iterates, or of one with a length and an index (PyDataset, Sequence)."""
    if isinstance(source, str | bytes | Mapping):
        raise DataError(f"got a {type(source).__name__}", where=where, mend=FORMS)
    if hasattr(source, "cardinality") and int(source.cardinality()) == -1:
        raise DataError("this tf.data.Dataset never ends", where=where, mend="take a number of batches of it")
    if isinstance(source, Iterable):
        return iter(source)
    if not hasattr(type(source), "__getitem__"):
        raise DataError(f"got a {type(source).__name__}", where=where, mend=FORMS)
    count = source.num_batches if hasattr(source, "num_batches") else len(source)
    if count is None:
        raise DataError("this data set never ends", where=where, mend="give it a number of batches")
    return (source[index] for index in range(count))


def _joined(parts: list[np.ndarray], where: str) -> np.ndarray:
    try:
        return np.concatenate(parts)
    except ValueError as cause:
        raise DataError(f"batches do not fit together: {cause}", where=where) from cause


def _pair(batch: Any, rank: int, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """One batch, or one event of a loader that does not batch, with its axis added."""
    parts = list(batch) if isinstance(batch, tuple | list) else [batch]
    if isinstance(batch, Mapping) or not parts or isinstance(parts[0], Mapping | tuple | list):
        raise DataError("batches with several inputs or names are not taken", where=where, mend=FORMS)
    if len(parts) > 2:
        raise DataError(
            f"batches have {len(parts)} parts",
            where=where,
            mend="give (x, y): sample weights are not used, class_balance weighs classes",
        )
    x = _array(parts[0], where)
    y = _array(parts[1], where) if len(parts) > 1 else None
    if x.ndim == rank - 1:
        return x[None], None if y is None else y[None]
    return x, y
