"""What forms are built of: layers with quantizers, and ways to set them into a small model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import qkeras

Shape = tuple[int, ...]
Build = Callable[[Any], Any]
Form = tuple[Shape, Build]
"""Shape of an event, and what builds the model on it."""
VECTOR, SEQUENCE, IMAGE = (6,), (8, 3), (6, 6, 2)


def fixed_bits(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_bits(width, integer, alpha=1, **options)


def fixed_relu(width: int, integer: int = 0, **options: Any) -> Any:
    return qkeras.quantized_relu(width, integer, **options)


def rounded_by(quantizer: Any) -> Any:
    return qkeras.QActivation(quantizer)


def q_dense(units: int, **options: Any) -> Any:
    return qkeras.QDense(
        units, **{"kernel_quantizer": fixed_bits(6), "bias_quantizer": fixed_bits(6), **options}
    )


def q_conv(rank: int, filters: int, width: int, **options: Any) -> Any:
    made = getattr(qkeras, f"QConv{rank}D")
    return made(filters, width, kernel_quantizer=fixed_bits(4), bias_quantizer=fixed_bits(4), **options)


def in_turn(*steps: Build) -> Build:
    """``steps`` one after another."""

    def build(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return build


def rounded_first(*steps: Build) -> Build:
    """The input's quantizer, then ``steps``."""
    return in_turn(rounded_by(fixed_bits(8, 3)), *steps)


def between_dense(*steps: Build) -> Build:
    """Behind a dense layer that is rounded to 8 bits, and before another one."""
    return rounded_first(q_dense(4), rounded_by(fixed_bits(8, 3)), *steps, q_dense(3))


def per_object(*steps: Build) -> Build:
    """Behind a dense layer for each object of a sequence."""
    return rounded_first(q_conv(1, 4, 1), rounded_by(fixed_relu(6, 2)), *steps)


def as_model(shape: Shape, *steps: Build) -> Build:
    """A model of ``steps`` as one layer."""
    start = keras.Input(shape)
    return keras.Model(start, in_turn(*steps)(start))  # type: ignore[no-any-return]  # Keras has no types


def two_branches(join: Callable[[Any, Any], Any], one: Build, other: Build) -> Build:
    """Two branches of the same values joined."""
    return lambda x: join(one(x), other(x))


def dense_rounded(units: int) -> Build:
    return in_turn(q_dense(units), rounded_by(fixed_bits(6, 2)))


def rows_rounded(units: int) -> Build:
    return in_turn(q_conv(1, units, 1), rounded_by(fixed_bits(6, 2)))
