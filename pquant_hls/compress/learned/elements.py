"""Activations whose fraction bits are trained, one for each element or channel, and the types they end in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pquant_hls.compress.learned.quantizer import (
    ABOVE,
    LN2,
    MAX_FRACTION,
    MIN_FRACTION,
    summed_to,
    truncated_at,
)
from pquant_hls.qor import FixedGrid
from pquant_hls.train import EVALUATION_BATCH


class LearnedElements(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Stands for a ``FixedPointQuantizer`` while its types are trained: truncation to fraction bits of each element, and as
    many integer bits as the values need.

    Truncation costs nothing in firmware, where rounding takes an adder for each element; the biases learn its half step.

    Parameters
    ----------
    fraction : fraction bits to begin with, float32, of the values' last axes or broadcast to them: (channels,) gives one to
        a channel.
    """

    def __init__(self, fraction: NDArray[np.float32], **options: Any) -> None:
        super().__init__(**options)
        self.fraction = self.add_weight(
            shape=fraction.shape,
            initializer=lambda shape, dtype: fraction.reshape(shape),  # noqa: ARG005
            constraint=lambda bits: keras.ops.clip(bits, MIN_FRACTION, MAX_FRACTION),
            name="fraction",
        )
        self.used = self.add_weight(shape=fraction.shape, initializer="ones", trainable=False, name="used")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        stored = truncated_at(tf.convert_to_tensor(inputs), tf.convert_to_tensor(self.fraction))
        if training:
            self.used.assign(self._needed(stored))
        return stored

    def _needed(self, stored: Any) -> Any:
        """Bits, sign included, of the widest value of each element: those that a batch needs."""
        least, most = self.ends(stored)
        scale = tf.pow(2.0, tf.round(tf.convert_to_tensor(self.fraction)))
        codes = tf.maximum(most, -least - 1 / scale) * scale
        bits = tf.where(codes > 0.5, tf.floor(tf.math.log(tf.maximum(codes, 1.0) * ABOVE) / LN2) + 1, 0.0)
        return bits + tf.cast(least < 0, tf.float32)

    def ends(self, stored: Any) -> tuple[Any, Any]:
        """Least and largest value of each element of the grid."""
        axes = _broadcast_axes(self.fraction.shape, len(stored.shape))
        shape = self.fraction.shape
        return tf.reshape(tf.reduce_min(stored, axes), shape), tf.reshape(tf.reduce_max(stored, axes), shape)

    def bits(self) -> Any:
        """Bits of each element in the last training batch; what changes a fraction by one bit changes them by one."""
        return _counted(tf.convert_to_tensor(self.used), tf.convert_to_tensor(self.fraction))

    def grid(
        self, least: NDArray[np.float64], most: NDArray[np.float64], saturation: str = "WRAP"
    ) -> FixedGrid:
        """The narrowest types that hold what lies between these values, which are on the grid; 0 bits where both are 0."""
        frac = np.round(np.asarray(self.fraction)).astype(np.int64)
        signed = least < 0
        codes = np.maximum(np.ldexp(most, frac), -np.ldexp(least, frac) - 1)
        bits = np.ceil(np.log2(np.maximum(codes, 0) + 1)).astype(np.int64)
        width = bits + signed
        return FixedGrid(width, np.where(width > 0, width - frac, 0), signed, "TRN", saturation)


def element_grids(
    model: keras.Model, inputs: Sequence[NDArray[Any]], saturation: str
) -> dict[str, FixedGrid]:
    """Types of each layer of trained activations, by its name, that hold all its values on ``inputs``, one array (events,
    ...) for each input of the model.
    """
    layers = [layer for layer in model.layers if isinstance(layer, LearnedElements)]
    if not layers:
        return {}
    inner = keras.Model(model.inputs, [layer.output for layer in layers])
    found: list[list[tuple[Any, Any]]] = []
    for start in range(0, len(inputs[0]), EVALUATION_BATCH):
        values = inner([part[start : start + EVALUATION_BATCH] for part in inputs], training=False)
        found.append([layer.ends(value) for layer, value in zip(layers, values, strict=True)])
    grids = {}
    for layer, batches in zip(layers, zip(*found, strict=True), strict=True):
        least, most = (np.asarray(ends, np.float64) for ends in zip(*batches, strict=True))
        grids[layer.name] = layer.grid(least.min(axis=0), most.max(axis=0), saturation)
    return grids


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _counted(used: Any, fraction: Any) -> Any:
    def gradient(upstream: Any) -> tuple[Any, Any]:
        return None, summed_to(tf.where(used > 0, upstream, 0.0), fraction.shape)

    return used, gradient


def _broadcast_axes(own: Sequence[int], rank: int) -> list[int]:
    """Axes of values of this rank over which a grid of shape ``own`` is shared, the batch axis included."""
    lead = rank - len(own)
    return [*range(lead), *(lead + place for place, size in enumerate(own) if size == 1)]
