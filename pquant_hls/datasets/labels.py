"""Labels as users keep them: numbers, one-hot rows or names turned into class numbers, values as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.records import Labels
from pquant_hls.errors import DataError

Array = npt.NDArray[Any]


Place = Callable[[int], str]
"""What users call a row: ``row 17``, ``line 19``."""

STRAY = 0.1
"""Up to this share of labels that are no class numbers, those are a mistake, and the labels no values."""
FEW_CLASSES = 1000
"""Class numbers up to here are taken whatever the number of events."""


def by_row(index: int) -> str:
    return f"row {index}"


def read_labels(
    labels: Array,
    classes: Sequence[str] | None,
    where: str,
    place: Place = by_row,
    *,
    values: bool | None = None,
) -> tuple[Array, tuple[str, ...]]:
    """Class numbers int64 (events,) with the names of the classes, or values float32 (events,) or (events, ...).

    Where more than a tenth are no whole numbers, or no one-hot rows, they are values (of a regression, or flags); so is
    everything where ``values`` is True, and nothing where it is False. Raises DataError as ``class_numbers``, and for
    values that are no numbers.
    """
    table = np.asarray(labels)
    if table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    if values is None:
        values = _are_values(table)
    if not values:
        return class_numbers(table, classes, where, place)
    if table.dtype.kind not in "biuf":
        raise DataError(f"labels are {table.dtype}, not numbers", where=where)
    wrong = np.flatnonzero(~np.isfinite(table.reshape(len(table), -1)).all(axis=1))
    if wrong.size > 0:
        at = int(wrong[0])
        raise DataError(
            f"label {table[at].tolist()} at {place(at)} is not a number, nor are {wrong.size - 1} others",
            where=where,
        )
    return table.astype(np.float32), tuple(classes or ())


def _are_values(table: Array) -> bool:
    if table.dtype.kind not in "biuf" or table.ndim == 0:
        return False
    if table.ndim == 1:
        numbers = table[np.isfinite(table)]
        return bool(numbers.size > 0 and (numbers != np.floor(numbers)).mean() > STRAY)
    return table.ndim > 2 or bool((~_one_hot(table)).mean() > STRAY)


def _one_hot(rows: Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = ((rows == 0) | (rows == 1)).all(axis=1) & (rows.sum(axis=1) == 1)
    return found


def class_numbers(
    labels: Array, classes: Sequence[str] | None, where: str, place: Place = by_row
) -> tuple[Labels, tuple[str, ...]]:
    """Class numbers int64 (events,) and the names of the classes.

    labels : integers (events,) or (events, 1), one-hot rows (events, classes), or names (events,).
    classes : names by number; None takes the names found, sorted, or the numbers themselves. place : the name
    of a row in errors.

    Raises DataError for anything else, naming the first row that is wrong.
    """
    table = np.asarray(labels)
    if table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    if table.dtype.kind == "O":
        table = np.array(table.tolist())  # of one type now, unless the labels are a mixture
    if table.dtype.kind in "US" and table.ndim == 1:
        return _from_names(table.astype(str), classes, where, place)
    if table.ndim == 2:
        numbers = _from_one_hot(table, where, place)
        return numbers, _names(classes, table.shape[1])
    if table.ndim != 1 or table.dtype.kind not in "biuf":
        raise DataError(
            f"labels have shape {table.shape} and type {table.dtype}",
            where=where,
            mend="give class numbers (events,), one-hot rows (events, classes) or names (events,)",
        )
    numbers = _from_numbers(table, where, place)
    return numbers, _names(classes, int(numbers.max(initial=-1)) + 1)


def _names(classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count))) if classes is None else tuple(map(str, classes))


def _from_numbers(values: Array, where: str, place: Place) -> Labels:
    wrong = np.flatnonzero(~(np.isfinite(values) & (values == np.floor(values))))
    if wrong.size > 0:
        first = int(wrong[0])
        raise DataError(
            f"label {values[first]} at {place(first)} is not a class number, nor are {wrong.size - 1} others",
            where=where,
            mend="class numbers are whole numbers from 0; for values to be met say task: regression",
        )
    most = max(FEW_CLASSES, values.size)
    if values.size > 0 and values.max() >= most:
        first = int(np.argmax(values))
        raise DataError(
            f"label {values[first]:.0f} at {place(first)} would be one of as many classes, of {values.size} events",
            where=where,
            mend="labels are class numbers from 0: is this column an event number, a time or a weight? for values to be "
            "met say task: regression",
        )
    return np.asarray(values, dtype=np.int64)


def _from_one_hot(rows: Array, where: str, place: Place) -> Labels:
    if rows.dtype.kind not in "biuf":
        raise DataError(f"labels of shape {rows.shape} hold {rows.dtype}, not numbers", where=where)
    wrong = np.flatnonzero(~_one_hot(rows))
    if wrong.size > 0:
        first = int(wrong[0])
        raise DataError(
            f"label {place(first)} is {rows[first].tolist()}, not one-hot; {wrong.size} of {len(rows)} are not",
            where=where,
            mend="give one 1 per row, or class numbers",
        )
    return np.asarray(np.argmax(rows, axis=1), dtype=np.int64)


def _from_names(
    values: Array, classes: Sequence[str] | None, where: str, place: Place
) -> tuple[Labels, tuple[str, ...]]:
    found, positions = np.unique(values, return_inverse=True)
    if found.size > FEW_CLASSES:
        raise DataError(
            f"label {str(values[0])!r} at {place(0)} would name one of {found.size:,} classes, of {values.size:,} events",
            where=where,
            mend="store values as numbers, not as texts",
        )
    names = tuple(map(str, found)) if classes is None else tuple(map(str, classes))
    strangers = [str(name) for name in found if str(name) not in names]
    if strangers:
        at = place(int(np.flatnonzero(values == strangers[0])[0]))
        raise DataError(f"label {strangers[0]!r} at {at} is not one of {', '.join(names)}", where=where)
    numbers = np.array([names.index(str(name)) for name in found], dtype=np.int64)
    return np.take(numbers, positions.reshape(-1)), names
