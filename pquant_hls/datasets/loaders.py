"""One split from whatever a user's loader gives: arrays, ``tf.data``, or any iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pquant_hls.errors import DataError

MOST_BYTES = 2**31
"""What a loader may give before it is taken for one that never ends."""

FORMS = "give a Dataset, arrays (x, y), a tf.data.Dataset or an iterable of batches (x, y)"


def as_arrays(source: Any, rank: int, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(x, y or None) of one split; ``rank`` is that of a batch of inputs."""
    if _is_array(source):
        return _array(source, where), None
    if isinstance(source, tuple | list) and len(source) == 2 and _is_pair(source, rank):
        x, y = source
        return _array(x, where), None if y is None else _array(y, where)
    return _gathered(source, rank, where)


def is_loader(value: Any) -> bool:
    """Whether batches are to be read from it: no array, list or tuple, but something to iterate or to index."""
    if _is_array(value) or isinstance(value, str | bytes | Mapping | list | tuple):
        return False
    return isinstance(value, Iterable) or hasattr(type(value), "__getitem__")


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
