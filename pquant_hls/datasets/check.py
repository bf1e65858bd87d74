"""Whether a data set fits a model, before any training starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets import several
from pquant_hls.datasets.records import CHUNK, SPLITS, Dataset, Split
from pquant_hls.errors import DataError


def check_dataset(data: Dataset, input_shape: tuple[int | None, ...], n_outputs: int) -> None:
    """Raise DataError unless `data` fits a model.

    input_shape : of one event, without the batch axis; None stands for any size.
    n_outputs : width of the model's last layer; one output is a binary decision between classes 0 and 1.

    Checked in each split: events present, shape, NaN and inf, one label per event, whole-number labels within
    the classes. Checked once: as many classes as outputs.
    """
    check_inputs(data, [tuple(input_shape)])
    check_labels(data, n_outputs)


def check_labels(data: Dataset, n_outputs: int) -> None:
    """The part of ``check_dataset`` that is about the labels of one output that tells classes apart."""
    where = data.name or "data"
    for which in SPLITS:
        if data.split(which)[1] is not None:
            _check_labels(data, which, max(2, n_outputs), f"{where}: y_{which}")
    _check_class_count(data, n_outputs, where)


def check_inputs(data: Dataset, shapes: Sequence[tuple[int | None, ...]], names: Sequence[str] = ()) -> None:
    """Raise DataError unless the inputs of all splits are those of a model.

    shapes : of one event in each of the model's inputs, in its order, as are those of ``data``. names : of several inputs,
    to call them by.
    """
    for which in SPLITS:
        _check_split(data, which, (list(shapes), names), data.name or "data")


def _check_split(
    data: Dataset, which: Split, inputs: tuple[list[tuple[int | None, ...]], Sequence[str]], where: str
) -> None:
    shapes, names = inputs
    parts = list(several.named_arrays(data.split(which)[0]))
    if len(parts) == len(names) > 1:
        parts = [(name, part) for name, (_, part) in zip(names, parts, strict=True)]
    if len(parts) != len(shapes):
        raise DataError(
            f"{len(parts)} arrays for a model of {len(shapes)} inputs", where=f"{where}: x_{which}"
        )
    for (name, x), shape in zip(parts, shapes, strict=True):
        called = f"{where}: x_{which}{f'.{name}' if name else ''}"
        _check_inputs(x, shape, called)
        _check_finite(data, which, x, called)
    several.events_in(data.split(which)[0], f"{where}: x_{which}")


def _check_inputs(x: npt.NDArray[Any], input_shape: tuple[int | None, ...], where: str) -> None:
    if len(x) == 0:
        raise DataError("has no events", where=where)
    shape = tuple(x.shape[1:])
    fits = len(shape) == len(input_shape) and all(
        wanted in (None, found) for wanted, found in zip(input_shape, shape, strict=True)
    )
    if not fits:
        raise DataError(f"events have shape {shape} but the model takes {tuple(input_shape)}", where=where)


def _check_finite(data: Dataset, which: Split, x: npt.NDArray[Any], where: str) -> None:
    count, first = 0, None
    for start in range(0, len(x), CHUNK):
        wrong = ~np.isfinite(x[start : start + CHUNK])
        found = int(wrong.sum())
        if found > 0 and first is None:
            place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            first = (start + int(place[0]), *map(int, place[1:]))
        count += found
    if first is not None:
        raise DataError(
            f"{count:,} of {x.size:,} values are NaN or infinite, first {x[first]} at {_cell(data, which, first)}",
            where=where,
            mend="remove those events or replace the values",
        )


def _cell(data: Dataset, which: Split, index: tuple[int, ...]) -> str:
    """``row 17, feature pt``, or the index itself where neither rows nor features have names."""
    if data.origin is None:
        return f"index {index}"
    named = len(index) == 2 and len(data.features) > index[1] and not several.is_several(data.x_train)
    return f"{data.place(which, index[0])}, {f'feature {data.features[index[1]]}' if named else index[1:]}"


def _check_labels(data: Dataset, which: Split, n_classes: int, where: str) -> None:
    y, events = data.split(which)[1], data.events(which)
    if y.ndim != 1 or len(y) != events:
        raise DataError(f"labels have shape {y.shape} for {events} events", where=where)
    if y.dtype.kind not in "iu":
        raise DataError(f"labels are {y.dtype}, not whole numbers", where=where)
    wrong = np.flatnonzero((y < 0) | (y >= n_classes))
    if wrong.size > 0:
        first = int(wrong[0])
        raise DataError(
            f"label {y[first]} at {data.place(which, first)} is outside the model's classes 0 to {n_classes - 1}; "
            f"{wrong.size} of {len(y)} are",
            where=where,
        )


def _check_class_count(data: Dataset, n_outputs: int, where: str) -> None:
    if data.y_train is None:
        return
    if n_outputs == 1 and data.n_classes <= 2:
        return
    if data.n_classes != n_outputs:
        raise DataError(
            f"has {data.n_classes} classes ({', '.join(data.classes)}) but the model has {n_outputs} outputs",
            where=where,
            mend="name all classes of the data in order, or give a model with one output per class",
        )
