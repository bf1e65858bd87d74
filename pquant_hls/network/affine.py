"""A Keras layer that multiplies and shifts each value by constants on a fixed-point grid."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import SpecError

Floats = NDArray[np.float64]


CONSTANT_BITS = 16
"""Bits of a scale, a shift or a slope that is rounded."""


@keras.saving.register_keras_serializable(package="pquant_hls")
class FixedPointScale(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """``x * scale + shift``, as a batch normalization in inference, with constants that firmware holds exactly.

    Parameters
    ----------
    scale, shift : numbers that broadcast to the shape of the values without the batch axis, such as (channels,). Firmware
        is exact where each lies on a grid of 18 bits at most.

    Raises
    ------
    SpecError : a constant that is not finite, or arrays of shapes that fit neither one another nor the values.
    """

    def __init__(self, scale: ArrayLike, shift: ArrayLike = 0.0, **options: Any) -> None:
        super().__init__(**options)
        parts = [np.asarray(given, np.float64) for given in (scale, shift)]
        try:
            self._scale, self._shift = (np.array(part) for part in np.broadcast_arrays(*parts))
        except ValueError as cause:
            shapes = " and ".join(str(part.shape) for part in parts)
            raise SpecError(f"a scale and a shift of shapes {shapes}", where=self.name) from cause
        if not (np.isfinite(self._scale).all() and np.isfinite(self._shift).all()):
            raise SpecError("its scale or shift is not finite", where=self.name)

    @property
    def scales(self) -> Floats:
        """The factors, float64, of the shape given."""
        return self._scale

    @property
    def shifts(self) -> Floats:
        """What is added, float64, of the same shape."""
        return self._shift

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape, own = tuple(input_shape[1:]), self._scale.shape
        held = [1 if size is None else size for size in shape][len(shape) - len(own) :]
        if len(own) > len(shape) or any(n not in (1, size) for n, size in zip(own, held, strict=True)):
            raise SpecError(
                f"constants of shape {own} for values of shape {shape}",
                where=self.name,
                mend="one number, one for each place of the last axes, or one for each value",
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        return x * ops.convert_to_tensor(self._scale, x.dtype) + ops.convert_to_tensor(self._shift, x.dtype)

    def kept(self, channels: NDArray[np.bool_]) -> dict[str, Any]:
        """Entries of the configuration for the ``channels`` (of the last axis, truths) alone."""
        shared = self._scale.shape[-1:] != channels.shape
        parts = {"scale": self._scale, "shift": self._shift}
        return {name: (part if shared else part[..., channels]).tolist() for name, part in parts.items()}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self._scale.tolist(), "shift": self._shift.tolist()}


def rounded_scale(scale: Floats, shift: Floats, name: str) -> FixedPointScale:
    """The layer with both rounded to 16 bits."""
    return FixedPointScale(
        rounded_constants(scale, CONSTANT_BITS), rounded_constants(shift, CONSTANT_BITS), name=name
    )


def rounded_constants(values: Floats, bits: int) -> Floats:
    """``values`` rounded to steps of which the largest of them takes ``bits`` bits, sign included."""
    peak = float(np.abs(values).max(initial=0.0))
    if peak == 0:
        return values
    step = 2.0 ** (np.floor(np.log2(peak)) + 2 - bits)
    return np.asarray(np.round(values / step) * step)
