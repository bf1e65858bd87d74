"""Arrays of a split as users hold them: one, a list in the model's order, or a dict by the name of an input or output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.spill import IN_MEMORY, ROWS, Spill
from pquant_hls.errors import DataError

Array = npt.NDArray[Any]
Several = Any
"""An array, a list or tuple of arrays, or a mapping of arrays by name."""


def is_several(given: Several) -> bool:
    """Whether it holds arrays by place or by name, and is no array itself."""
    return isinstance(given, list | tuple | Mapping)


def named_arrays(given: Several) -> Iterator[tuple[str, Array]]:
    """(name, array) of each; the name of a single array is empty, of those in a list their place."""
    if isinstance(given, Mapping):
        yield from ((str(name), part) for name, part in given.items())
    elif is_several(given):
        yield from ((str(place), part) for place, part in enumerate(given))
    else:
        yield "", given


def arrays_of(given: Several) -> list[Array]:
    """The arrays in their order."""
    return [part for _, part in named_arrays(given)]


def change_each(given: Several, change: Callable[[Array], Any]) -> Several:
    """The same structure with every array changed."""
    if isinstance(given, Mapping):
        return {name: change(part) for name, part in given.items()}
    return [change(part) for part in given] if is_several(given) else change(given)


def take_rows(given: Several, rows: Any) -> Several:
    """Some events of every array; where that is much, batch by batch into a file."""
    return change_each(given, lambda part: _taken(part, rows))


def _taken(part: Array, rows: Any) -> Array:
    if not isinstance(rows, np.ndarray) or part.nbytes <= IN_MEMORY or part.dtype.kind not in "biuf":
        return np.asarray(part[rows])
    spill = Spill("the data")
    for start in range(0, len(rows), ROWS):
        spill.append(part[rows[start : start + ROWS]])
    return spill.array


def events_in(given: Several, where: str = "x") -> int:
    """How many events there are; DataError where arrays differ in it, or there are none at all."""
    sizes = {f"{where}.{name}" if name else where: len(part) for name, part in named_arrays(given)}
    if not sizes:
        raise DataError("holds no arrays", where=where)
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise DataError(f"arrays have different numbers of events: {told}", where=where)
    return next(iter(sizes.values()))


def event_shapes(given: Several) -> list[tuple[int, ...]]:
    """Shape of one event in each array."""
    return [tuple(np.shape(part)[1:]) for part in arrays_of(given)]
