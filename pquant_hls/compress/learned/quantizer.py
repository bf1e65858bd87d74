"""A weight quantizer whose fraction bits are trained by gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MIN_FRACTION, MAX_FRACTION = -4, 10
"""Range of the fraction bits: with the most a weight of 4 still fits hls4ml's usual 16 bits."""
LEAST = 2.0**-6
"""Magnitude below which the derivative of log2 |weight| grows no more."""
LN2 = math.log(2.0)
ABOVE = 1 + 1e-6
"""Lifts powers of two above the rounding of float32's logarithm."""
SCALE = 2.0**MAX_FRACTION
Granularity = Literal["weight", "channel", "layer"]


def _stored(
    values: Any, fraction: Any, whole: Callable[[Any], Any]
) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
    """Values as whole steps of 2^-fraction, and the derivatives that ``rounded_at`` states."""
    step = tf.pow(2.0, -tf.round(fraction))
    stored = whole(values / step) * step

    def gradient(upstream: Any) -> tuple[Any, Any]:
        return upstream, summed_to(upstream * LN2 * (values - stored), fraction.shape)

    return stored, gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def rounded_at(values: Any, fraction: Any) -> Any:
    """``values`` rounded half to even to ``fraction`` bits behind the point, both float32, ``fraction`` broadcast.

    Derivatives (Sun et al., arXiv:2405.00645, section III): 1 for the values; for the bits ln 2 times the rounding error,
    as an error of 2^-f changes by -ln 2 of itself with each bit.
    """
    return _stored(values, fraction, tf.round)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def truncated_at(values: Any, fraction: Any) -> Any:
    """As ``rounded_at``, but cut off towards minus infinity; its error, too, changes by -ln 2 of itself with each bit."""
    return _stored(values, fraction, tf.floor)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def bits_of(weights: Any, fraction: Any) -> Any:
    """Bits of each stored weight from its highest one to the last of its grid, float32; 0 where it is stored as 0.

    They are the fraction bits and one more than the whole part of log2 |weight|. Derivatives, where there are bits: 1 for
    the fraction bits, and for the weight that of log2 |weight|, so that a price on bits also moves weights towards smaller
    ones, the sooner the smaller they are.
    """
    step = tf.pow(2.0, -tf.round(fraction))
    codes = tf.abs(tf.round(weights / step))
    bits = tf.where(codes > 0, tf.floor(tf.math.log(tf.maximum(codes, 1.0) * ABOVE) / LN2) + 1, 0.0)

    def gradient(upstream: Any) -> tuple[Any, Any]:
        paid = tf.where(bits > 0, upstream, 0.0)
        slope = tf.sign(weights) / (tf.maximum(tf.abs(weights), LEAST) * LN2)
        return paid * slope, summed_to(paid, fraction.shape)

    return bits, gradient


def enclosed(stored: Any) -> Any:
    """Bits of each value from its highest to its lowest one that is set, float32; what EBOPs count."""
    codes = tf.cast(tf.round(tf.abs(stored) * SCALE), tf.int32)
    lowest = tf.cast(tf.bitwise.bitwise_and(codes, -codes), tf.float32)
    span = tf.abs(stored) * SCALE / tf.maximum(lowest, 1.0)
    return tf.where(codes > 0, tf.floor(tf.math.log(tf.maximum(span, 1.0) * ABOVE) / LN2) + 1, 0.0)


def summed_to(values: Any, shape: Any) -> Any:
    """Summed over the axes that were broadcast from ``shape``."""
    extra = len(values.shape) - len(shape)
    axes = [
        *range(extra),
        *(i + extra for i, size in enumerate(shape) if size == 1 != values.shape[i + extra]),
    ]
    return tf.reshape(tf.reduce_sum(values, axes), shape)


def bits_shape(shape: tuple[int, ...], granularity: Granularity) -> tuple[int, ...]:
    """That of the fraction bits of an array of weights, whose last axis is its channels."""
    if granularity == "weight":
        return shape
    ones = [1] * len(shape)
    return tuple(ones) if granularity == "layer" else (*ones[1:], shape[-1])


class LearnedGrid(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Stands in a QKeras layer for the quantizer of its kernel or biases while they are trained.

    Parameters
    ----------
    fraction : fraction bits to begin with, float32 of the weights' shape, or with axes of 1 where weights share them.
    most : what they may grow to.
    """

    def __init__(self, fraction: NDArray[np.float32], most: int = MAX_FRACTION, **options: Any) -> None:
        super().__init__(**options)
        self.fraction = self.add_weight(
            shape=fraction.shape,
            initializer=lambda shape, dtype: fraction.reshape(shape),  # noqa: ARG005
            constraint=lambda bits: keras.ops.clip(bits, MIN_FRACTION, most),
            name="fraction",
        )

    def call(self, weights: Any) -> Any:
        """The weights as they will be stored."""
        return rounded_at(tf.convert_to_tensor(weights), tf.convert_to_tensor(self.fraction))

    def bits(self, weights: Any) -> Any:
        """Bits of each of them, see ``bits_of``."""
        return bits_of(tf.convert_to_tensor(weights), tf.convert_to_tensor(self.fraction))
