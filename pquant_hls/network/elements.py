"""A Keras layer that stores each element in a fixed-point type of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import SpecError
from pquant_hls.qor.grid import FixedGrid

MOST_BITS = 53
"""Bits of a float64 (IEEE 754), which must hold every value exactly."""


@keras.saving.register_keras_serializable(package="pquant_hls")
class FixedPointQuantizer(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Each element rounded and bounded as ``ap_fixed`` does it (AMD UG1399), in its own type.

    What it gives is exact in the layer's floats up to 24 bits in float32, 53 in float64. Its derivative is 1, and 0 where
    an element saturates or has no bits (straight-through estimator; Bengio et al., arXiv:1308.3432).

    Parameters
    ----------
    width, integer : whole numbers that broadcast to the shape of the values without the batch axis, such as
        (channels,); ``integer`` counts the sign bit of a signed type. A width of 0 gives 0.
    signed : truth values, likewise.
    rounding : TRN (towards minus infinity), RND (ties upwards) or RND_CONV (ties to even).
    saturation : WRAP (modulo the range), SAT, or SAT_SYM (without the least value of a signed type).

    Raises
    ------
    SpecError : a negative width or one above 53 bits, no whole number, another mode, or arrays of shapes that fit neither
        one another nor the values.
    """

    def __init__(
        self,
        width: ArrayLike,
        integer: ArrayLike,
        signed: ArrayLike = True,
        rounding: str = "TRN",
        saturation: str = "WRAP",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for mode, known in ((rounding, _ROUND), (saturation, _BOUND)):
            if mode not in known:
                raise SpecError(f"unknown mode {mode!r}", where=self.name, mend=f"one of {', '.join(known)}")
        bits, whole = (
            _whole(given, name, self.name) for given, name in ((width, "width"), (integer, "integer"))
        )
        self._grid = FixedGrid(bits, whole, np.asarray(signed, bool), rounding, saturation)
        if (self._grid.width > MOST_BITS).any():
            raise SpecError(f"{self._grid.width.max()} bits, more than {MOST_BITS}", where=self.name)

    @classmethod
    def of(cls, grid: FixedGrid, **options: Any) -> FixedPointQuantizer:
        """The layer that stores its input in ``grid``; ``options`` are those of any Keras layer, such as ``name``."""
        return cls(grid.width, grid.integer, grid.signed, grid.rounding, grid.saturation, **options)

    @property
    def grid(self) -> FixedGrid:
        """The types of the elements."""
        return self._grid

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape, own = tuple(input_shape[1:]), self.grid.width.shape
        if own != _common(own, shape):
            raise SpecError(
                f"types of shape {own} for values of shape {shape}",
                where=self.name,
                mend="one type, one for each place of the last axes, or one for each element",
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        part = {key: ops.convert_to_tensor(array, x.dtype) for key, array in self._constants.items()}
        codes = _BOUND[self.grid.saturation](_ROUND[self.grid.rounding](x * part["scale"]), part)
        passed = x * part["used"]
        if self.grid.saturation != "WRAP":
            passed = ops.clip(passed, part["low"] * part["step"], part["high"] * part["step"])
        return codes * part["step"] + (
            passed - ops.stop_gradient(passed)
        )  # the difference is 0, its derivative not

    @cached_property
    def _constants(self) -> Mapping[str, NDArray[np.float64]]:
        """By name, float64 of the grid's shape: codes' ends, span, step and its reciprocal."""
        grid = self.grid
        frac, used = grid.width - grid.integer, grid.width > 0
        half = np.where(grid.signed & used, np.exp2(grid.width - 1.0), 0.0)
        high = np.where(used, np.exp2(grid.width.astype(float)) - 1, 0.0) - half
        low = -high if grid.saturation == "SAT_SYM" else -half
        return {
            "scale": np.where(used, np.ldexp(1.0, frac), 0.0),
            "step": np.ldexp(1.0, -frac),
            "low": np.where(grid.signed, low, 0.0),
            "high": high,
            "span": np.exp2(grid.width.astype(float)),
            "used": used.astype(float),
        }

    def kept(self, channels: NDArray[np.bool_]) -> dict[str, Any]:
        """Entries of the configuration for the ``channels`` (of the last axis, truths) alone."""
        parts = {"width": self.grid.width, "integer": self.grid.integer, "signed": self.grid.signed}
        shared = self.grid.width.shape[-1:] != channels.shape
        return {name: (part if shared else part[..., channels]).tolist() for name, part in parts.items()}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        grid = self.grid
        types = {"width": grid.width, "integer": grid.integer, "signed": grid.signed}
        modes = {"rounding": grid.rounding, "saturation": grid.saturation}
        return {**super().get_config(), **{key: part.tolist() for key, part in types.items()}, **modes}


def _whole(bits: ArrayLike, name: str, where: str) -> NDArray[np.int64]:
    found = np.asarray(bits)
    if found.dtype.kind not in "iuf" or not np.array_equal(found, np.round(found)):
        raise SpecError(f"{name} is {bits!r}, not whole numbers", where=where)
    return found.astype(np.int64)


def _common(own: tuple[int, ...], shape: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """``own`` where types of this shape fit values of ``shape``, of which open axes (None) take one type each."""
    held = [1 if size is None else size for size in shape][len(shape) - len(own) :]
    fits = len(own) <= len(shape) and all(n in (1, size) for n, size in zip(own, held, strict=True))
    return own if fits else None


def _nearest(scaled: Any) -> Any:
    """Ties upwards; ``floor(scaled + 0.5)`` would round the sum in floats."""
    down = ops.floor(scaled)
    return down + ops.cast(scaled - down >= 0.5, scaled.dtype)


def _wrapped(codes: Any, part: Mapping[str, Any]) -> Any:
    inside = ops.mod(codes, part["span"])
    return inside - part["span"] * ops.cast(inside > part["high"], codes.dtype)


def _clipped(codes: Any, part: Mapping[str, Any]) -> Any:
    return ops.clip(codes, part["low"], part["high"])


_ROUND: Mapping[str, Callable[[Any], Any]] = {"TRN": ops.floor, "RND": _nearest, "RND_CONV": ops.round}
_BOUND: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "WRAP": _wrapped,
    "SAT": _clipped,
    "SAT_SYM": _clipped,
}
