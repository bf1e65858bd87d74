"""Operations that move, pick or bound values, as layers that convert exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.graph import Call
from pquant_hls.network.products import contracted_rows

L = keras.layers
Apply = Callable[[list[Any], str], Any]
MOST_RUNS = 64
"""Pieces that what is picked from one axis may be joined of."""
Run = tuple[int, int]


def _shapes(call: Call) -> list[tuple[Any, ...]]:
    return [tuple(tensor.shape[1:]) for tensor in call.node.input_tensors]


def _alone(call: Call) -> tuple[int, ...] | None:
    """The shape of the one tensor that it takes, where all sizes are fixed."""
    shapes = _shapes(call)
    return shapes[0] if len(shapes) == 1 and None not in (*shapes[0], *call.shape) else None


def _reshaped(call: Call) -> Apply | None:
    shape, given = _alone(call), tuple(size for size in call.shape if size is not None)
    if shape is None or math.prod(shape) != math.prod(given):
        return None
    return lambda feeds, name: _shaped(feeds[0], call.shape, name)


def _shaped(x: Any, shape: tuple[Any, ...], name: str) -> Any:
    return (L.Flatten(name=name) if is_flat(x, shape) else L.Reshape(shape, name=name))(x)


def is_flat(x: Any, shape: tuple[Any, ...]) -> bool:
    """Whether to reshape a Keras tensor is to flatten it: several rows become a vector, whose words in hls4ml's streams stay
    those of a row."""
    return len(shape) == 1 and any(size != 1 for size in x.shape[1:-1])


def _turned(call: Call) -> Apply | None:
    """An array whose axes differ in length shows where each axis goes."""
    sizes = tuple(range(2, 3 + len(_shapes(call)[0])))
    order = [sizes.index(size) for size in np.shape(call.layer(np.empty(sizes)))]
    return None if order[0] != 0 else lambda feeds, name: L.Permute(order[1:], name=name)(feeds[0])


def _joined(call: Call) -> Apply | None:
    axis = call.layer.axis % (len(call.shape) + 1)
    return None if axis == 0 else lambda feeds, name: L.Concatenate(axis=axis, name=name)(feeds)


def _stacked(call: Call) -> Apply | None:
    axis = call.layer.axis % (len(call.shape) + 1)
    if axis == 0 or None in call.shape:
        return None
    one = (*call.shape[: axis - 1], 1, *call.shape[axis:])

    def made(feeds: list[Any], name: str) -> Any:
        parts = [L.Reshape(one, name=f"{name}_{place}")(feed) for place, feed in enumerate(feeds)]
        return L.Concatenate(axis=axis, name=name)(parts) if len(parts) > 1 else parts[0]

    return made


def _picked(call: Call) -> Apply | None:
    """The operation, applied to the place of every value, shows which ones it picks: runs of some axis, one axis at a time."""
    shape = _alone(call)
    if shape is None or any(not size for size in call.shape):
        return None
    places = np.arange(math.prod(shape)).reshape(1, *shape)
    args, options = call.node.arguments.fill_in({id(call.node.input_tensors[0]): places})
    found = np.asarray(call.layer(*args, **options))
    chosen = _by_axis(places[0], found[0]) if found.shape == (1, *call.shape) else None
    if chosen is None or any(len(runs) > MOST_RUNS for runs in chosen):
        return None
    return lambda feeds, name: _taken(feeds[0], shape, chosen, call.shape, name)


def _by_axis(places: NDArray[Any], found: NDArray[Any]) -> list[list[Run]] | None:
    """Of each axis the runs (first, behind the last) that are picked; None where axes depend on each other."""
    at = np.unravel_index(found.ravel(), places.shape)
    chosen, rest = [], places
    for axis, places_on in enumerate(at):
        if found.ndim == places.ndim:
            kept = np.moveaxis(places_on.reshape(found.shape), axis, 0).reshape(found.shape[axis], -1)[:, 0]
        else:
            kept = _in_order(places_on, axis, at)
        rest = rest.take(kept, axis=axis)
        chosen.append(list(_runs(kept)))
    return chosen if np.array_equal(rest.ravel(), found.ravel()) else None


def _in_order(places: NDArray[Any], axis: int, at: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    """The places on one axis, where all other axes are at their first."""
    others = np.all([part == part[0] for place, part in enumerate(at) if place != axis], axis=0)
    return places[others] if np.ndim(others) else places


def _runs(places: NDArray[Any]) -> Iterator[Run]:
    for part in np.split(places, np.flatnonzero(np.diff(places) != 1) + 1):
        yield int(part[0]), int(part[-1]) + 1


def _taken(x: Any, shape: tuple[int, ...], chosen: list[list[Run]], whole: Any, name: str) -> Any:
    sizes = list(shape)
    for axis, runs in enumerate(chosen):
        if runs == [(0, sizes[axis])]:
            continue
        sides = (math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 :]))
        x = L.Reshape(sides, name=f"{name}_axis{axis}")(x)
        parts = [
            L.Cropping2D(((0, 0), (start, sides[1] - end)), name=f"{name}_axis{axis}_{place}")(x)
            for place, (start, end) in enumerate(runs)
        ]
        x = L.Concatenate(axis=2, name=f"{name}_axis{axis}_joined")(parts) if len(parts) > 1 else parts[0]
        sizes[axis] = sum(end - start for start, end in runs)
    return _shaped(x, whole, name)


def _bounded(low: Any, high: Any) -> Apply:
    """At least ``low`` and at most ``high``, None for no bound: a relu between two shifts."""

    def made(feeds: list[Any], name: str) -> Any:
        if low is None:  # high - relu(high - x)
            under = L.ReLU(name=f"{name}_under")(FixedPointScale(-1.0, high, name=f"{name}_from")(feeds[0]))
            return FixedPointScale(-1.0, high, name=name)(under)
        bound = None if high is None else high - low
        if low == 0:
            return L.ReLU(max_value=bound, name=name)(feeds[0])
        above = FixedPointScale(1.0, -low, name=f"{name}_from")(feeds[0])
        return FixedPointScale(1.0, low, name=name)(L.ReLU(max_value=bound, name=f"{name}_above")(above))

    return made


def _clipped(call: Call) -> Apply | None:
    ends = [getattr(call.layer, name) for name in ("x_min", "x_max")]
    if any(end is not None and np.ndim(end) for end in ends) or ends == [None, None]:
        return None
    low, high = (None if end is None else float(end) for end in ends)
    return None if low is not None and high is not None and high < low else _bounded(low, high)


def _limited(call: Call) -> Apply | None:
    """A maximum or minimum with one number."""
    numbers = call.constants
    if len(call.inputs) != 1 or len(numbers) != 1 or np.ndim(numbers[0]):
        return None
    number = float(numbers[0])
    return _bounded(number, None) if type(call.layer).__name__ == "Maximum" else _bounded(None, number)


def _absolute(feeds: list[Any], name: str) -> Any:
    return L.Maximum(name=name)([feeds[0], FixedPointScale(-1.0, name=f"{name}_negative")(feeds[0])])


def _product(call: Call) -> Apply | None:
    shapes = _shapes(call)
    if [len(shape) for shape in shapes] != [2, 2] or None in (*shapes[0], *shapes[1]):
        return None
    return lambda feeds, name: contracted_rows(feeds, shapes, [True, False], name)


PICKED: Mapping[str, Callable[[Call], Apply | None]] = {
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _reshaped),
    **dict.fromkeys(("Transpose", "Swapaxes", "Moveaxis"), _turned),
    **dict.fromkeys(("GetItem", "Take", "Flip", "Roll", "Repeat", "Tile"), _picked),
    **dict.fromkeys(("Maximum", "Minimum"), _limited),
    "Concatenate": _joined,
    "Stack": _stacked,
    "Clip": _clipped,
    "Absolute": lambda _: _absolute,
    "Matmul": _product,
}
"""By the operation's class; None of one that stays what it is."""
