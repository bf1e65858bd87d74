"""One split from whatever a user's loader gives: arrays, ``tf.data``, or any iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pquant_hls.datasets.several import Several, arrays_of, change_each, is_several, named_arrays
from pquant_hls.datasets.spill import Spill
from pquant_hls.errors import DataError

MOST_BYTES = 2**36
"""What a loader may give before it is taken for one that never ends; beyond ``spill.IN_MEMORY`` it lies on disk."""

FORMS = (
    "give a Dataset, arrays (x, y) or (x, y, weights), a tf.data.Dataset or an iterable of such batches; several inputs or "
    "outputs as a list or a dict by name"
)


class Given(NamedTuple):
    """One split: inputs, labels and event weights, None for what is not there; several as a list or a dict."""

    x: Several
    y: Several = None
    w: Any = None


def as_arrays(source: Any, rank: int, where: str) -> tuple[Any, Any]:
    """(x, y or None) of one split; ``rank`` is that of a batch of inputs."""
    found = as_given(source, [rank], where)
    return found.x, found.y


def as_given(source: Any, ranks: Sequence[int], where: str) -> Given:
    """Inputs, labels and weights of one split of a model; ``ranks`` are those of a batch of each of its inputs.

    Raises DataError for what is none of ``FORMS``.
    """
    if _is_array(source):
        return Given(_array(source, where))
    if isinstance(source, Mapping):
        return _of_mapping(source, where)
    if isinstance(source, tuple | list) and _is_whole(source, ranks):
        return _parts(source, where)
    if (
        len(ranks) > 1
        and isinstance(source, list)
        and len(source) == len(ranks)
        and all(map(_is_array, source))
    ):
        return Given(_read(source, where))
    return _gathered(source, ranks, where)


def _of_mapping(source: Mapping[Any, Any], where: str) -> Given:
    """A mapping with x, y and w, or of inputs alone by name."""
    if "x" in source and set(source) <= {"x", "y", "w"}:
        return _parts((source["x"], source.get("y"), source.get("w")), where)
    return Given(_read(source, where))


def _is_whole(source: Sequence[Any], ranks: Sequence[int]) -> bool:
    """Whether the parts are inputs, labels and weights, not batches or events of a loader."""
    if len(ranks) == 1 and len(source) == 2 and not any(isinstance(part, Mapping) for part in source):
        return _is_pair(source, ranks[0])
    if len(source) not in (2, 3) or not isinstance(source, tuple):
        return False
    x = [source[0]] if len(ranks) == 1 and _is_array(source[0]) else source[0]
    parts = list(x.values()) if isinstance(x, Mapping) else x
    return isinstance(parts, list | tuple) and len(parts) == len(ranks) and all(map(_is_array, parts))


def _parts(source: Sequence[Any], where: str) -> Given:
    found = [None if part is None else _read(part, where) for part in source]
    return Given(*found)


def _read(value: Any, where: str) -> Several:
    """One array, or several in the structure they were given in."""
    held = list(value.values()) if isinstance(value, Mapping) else value
    several_of = isinstance(value, Mapping) or (
        isinstance(value, list | tuple)
        and len(held) > 0
        and all(map(_is_array, held))
        and np.ndim(held[0]) > 0
    )
    return change_each(value, lambda part: _array(part, where)) if several_of else _array(value, where)


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


def _gathered(source: Any, ranks: Sequence[int], where: str) -> Given:
    found: list[Given] = []
    columns: dict[tuple[int, str], Spill] = {}
    for batch in _batches(source, where):
        one = _batch(batch, ranks, where)
        arrays = {
            (place, name): array
            for place, part in enumerate(one)
            if part is not None
            for name, array in named_arrays(part)
        }
        for key, array in arrays.items():
            columns.setdefault(key, Spill(where)).append(array)
        found.append(
            Given(*(None if part is None else change_each(part, lambda array: array[:0]) for part in one))
        )
        if sum(column.nbytes for column in columns.values()) > MOST_BYTES:
            raise DataError(
                f"gave more than {MOST_BYTES / 2**30:g} GiB and did not end",
                where=where,
                mend="end the loader after one pass, or give arrays",
            )
    if not found:
        raise DataError("the loader gave no batches", where=where, mend="a generator can be read only once")
    for name, parts in (("labels", [one.y for one in found]), ("weights", [one.w for one in found])):
        if 0 < sum(part is not None for part in parts) < len(parts):
            raise DataError(f"only some batches have {name}", where=where)
    whole = {key: column.array for key, column in columns.items()}
    return Given(*(_rebuilt(part, place, whole) for place, part in enumerate(found[0])))


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


def _rebuilt(like: Several, place: int, whole: Mapping[tuple[int, str], np.ndarray]) -> Several:
    """The structure of the batches with the arrays of all of them; None where there are none."""
    if like is None:
        return None
    found = {name: whole[(place, name)] for name, _ in named_arrays(like)}
    if isinstance(like, Mapping):
        return found
    return list(found.values()) if is_several(like) else found[""]


def _batch(batch: Any, ranks: Sequence[int], where: str) -> Given:
    """One batch, or one event of a loader that does not batch, with its axis added."""
    parts = list(batch) if isinstance(batch, tuple | list) else [batch]
    if len(ranks) > 1 and isinstance(batch, list):
        parts = [batch]
    if not parts or len(parts) > 3:
        raise DataError(f"batches have {len(parts)} parts", where=where, mend=FORMS)
    found = _parts(parts, where)
    count = len(arrays_of(found.x))
    if count != len(ranks):
        raise DataError(f"batches hold {count} inputs, the model has {len(ranks)}", where=where, mend=FORMS)
    if all(np.ndim(part) == rank - 1 for part, rank in zip(arrays_of(found.x), ranks, strict=True)):
        return Given(*(None if part is None else change_each(part, lambda one: one[None]) for part in found))
    return found
