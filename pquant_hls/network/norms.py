"""Keras' normalizations over an event's own values, read in one form and made of tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.affine import rounded_scale
from pquant_hls.network.layernorm import MOST_VALUES, FixedPointLayerNorm

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift, or without a mean x / sqrt(mean of squares + epsilon) * scale.

    ``parts`` are an event's values in order, axis by axis, each with whether a mean goes over it; ``shape`` are the layer's own
    axes. ``scale`` and ``shift`` broadcast to ``shape``.
    """

    shape: tuple[int, ...]
    parts: tuple[tuple[int, bool], ...]
    epsilon: float
    scale: Floats
    shift: Floats
    center: bool = True

    @property
    def joined(self) -> tuple[tuple[int, bool], ...]:
        """``parts`` with neighbours of one duty as one axis, and without those of length 1; one row where a mean goes over all
        of several axes, as vectors of more than one word are no vectors in hls4ml's streams."""
        real = [part for part in self.parts if part[0] != 1] or [(1, True)]
        grouped = groupby(real, key=lambda part: part[1])
        found = tuple((math.prod(size for size, _ in each), over) for over, each in grouped)
        return ((1, False), *found) if len(found) == 1 and len(self.shape) > 1 else found

    @property
    def inner(self) -> tuple[int, ...]:
        """The shape that the mean is taken in: the layer's own where that has these axes."""
        return tuple(size for size, _ in self.joined)

    @property
    def axes(self) -> list[int]:
        """The axes of ``inner`` that the mean goes over, the batch axis counted."""
        return [place for place, (_, over) in enumerate(self.joined, 1) if over]

    @property
    def count(self) -> int:
        """Values that share a mean."""
        return math.prod(size for size, over in self.parts if over)

    def spreads(self, values: NDArray[Any]) -> NDArray[Any]:
        """The variances, or means of squares, of the layer's values (events, ...)."""
        inner = values.reshape(-1, *self.inner)
        axes = tuple(self.axes)
        return np.asarray(inner.var(axis=axes) if self.center else (inner**2).mean(axis=axes))


def norm_of(layer: Any) -> Norm | None:
    """What one of Keras' normalizations computes; None for other layers, open sizes and means of more than 2,048 values."""
    read = _READERS.get(type(layer).__name__) if type(layer).__module__.startswith("keras.") else None
    shape = () if read is None else tuple(layer.input.shape[1:])
    found = None if read is None or None in shape else read(layer, shape)
    return None if found is None or found.count > MOST_VALUES else found


def refused_norm(layer: Any) -> tuple[str, str] | None:
    """(what, mend) of one of Keras' normalizations for which ``norm_of`` is None; None for other layers."""
    if type(layer).__name__ not in _READERS:
        return None
    if getattr(layer, "rms_scaling", False):
        text = "rms_scaling divides by the root of the variance, not of the mean of squares: its results have no bound"
        return text, "keras.layers.RMSNormalization"
    return (
        f"its mean over axes {layer.axis} goes over events, an open axis or more than {MOST_VALUES} values",
        "normalize over fixed axes of fewer values",
    )


def _axes(layer: Any, shape: tuple[int, ...]) -> list[int]:
    given = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    return [axis % (len(shape) + 1) for axis in given]


def _parts(axes: list[int], shape: tuple[int, ...]) -> tuple[tuple[int, bool], ...]:
    return tuple((size, place in axes) for place, size in enumerate(shape, 1))


def _weight(weight: Any, sizes: list[int], missing: float) -> Floats:
    """A weight in the shape that Keras gives it, as short as it broadcasts the same; ``missing`` for none."""
    if weight is None:
        return np.full((), missing)
    wide = np.asarray(weight, np.float64).reshape(sizes)
    while wide.ndim > 1 and wide.shape[0] == 1:
        wide = wide[0]
    return wide


def _layer_norm(layer: Any, shape: tuple[int, ...]) -> Norm | None:
    """Over the axes, each value scaled and shifted by its place in them."""
    axes = _axes(layer, shape)
    if 0 in axes or getattr(layer, "rms_scaling", False):
        return None
    sizes = [size if over else 1 for size, over in _parts(axes, shape)]
    scale, shift = _weight(layer.gamma, sizes, 1.0), _weight(layer.beta, sizes, 0.0)
    return Norm(shape, _parts(axes, shape), layer.epsilon, scale, shift)


def _rms_norm(layer: Any, shape: tuple[int, ...]) -> Norm | None:
    """Its scale broadcasts from the last axis, whatever axes the mean goes over."""
    axes, scale = _axes(layer, shape), np.asarray(layer.scale, np.float64)
    return None if 0 in axes else Norm(shape, _parts(axes, shape), layer.epsilon, scale, np.zeros(()), False)


def _unit_norm(layer: Any, shape: tuple[int, ...]) -> Norm | None:
    """x / sqrt(sum of squares): without a mean, times 1 / sqrt(n)."""
    parts = _parts(_axes(layer, shape), shape)
    if 0 in _axes(layer, shape):
        return None
    norm = Norm(shape, parts, 0.0, np.ones(()), np.zeros(()), False)
    return replace(norm, scale=np.full((), norm.count**-0.5))


def _group_norm(layer: Any, shape: tuple[int, ...]) -> Norm | None:
    """Over all places, and the channels of one group (Wu & He, arXiv:1803.08494, section 3)."""
    axis = layer.axis % (len(shape) + 1)
    if axis == 0:
        return None
    before, channels, after = shape[: axis - 1], shape[axis - 1], shape[axis:]
    split = ((layer.groups, False), (channels // layer.groups, True))
    parts = (*((size, True) for size in before), *split, *((size, True) for size in after))
    sizes = [channels, *[1] * len(after)]
    return Norm(
        shape, parts, layer.epsilon, _weight(layer.gamma, sizes, 1.0), _weight(layer.beta, sizes, 0.0)
    )


_READERS: Mapping[str, Callable[[Any, tuple[int, ...]], Norm | None]] = {
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "UnitNormalization": _unit_norm,
}


def tabled_norm(norm: Norm, name: str, integer: int, spread: int | None = None) -> list[Any]:
    """The normalization as one of tables, between reshapes where its axes are others, and a scale and shift of 16 bits where
    it has any; the last is called ``name``. ``integer`` and ``spread`` as ``FixedPointLayerNorm`` takes them."""
    layers = keras.layers
    table = partial(FixedPointLayerNorm, integer, spread, norm.epsilon, norm.center, norm.axes)
    steps: list[tuple[str, Callable[..., Any]]] = [("normal", table)]
    if norm.inner != norm.shape:
        before, behind = (partial(layers.Reshape, shape) for shape in (norm.inner, norm.shape))
        steps = [("joined", before), *steps, ("parted", behind)]
    if (norm.scale != 1).any() or norm.shift.any():
        steps.append(("scale", partial(rounded_scale, norm.scale, norm.shift)))
    last = len(steps) - 1
    return [
        make(name=name if place == last else f"{name}_{word}") for place, (word, make) in enumerate(steps)
    ]
