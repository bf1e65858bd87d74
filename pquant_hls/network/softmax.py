"""A softmax of tables whose content is this package's own, the same in Keras and in firmware."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pquant_hls.errors import SpecError
from pquant_hls.network.frontend import standard
from pquant_hls.network.lookup import MOST_INDEX_BITS, FixedPointTable, stored_as
from pquant_hls.network.sums import SumOver
from pquant_hls.qor import FixedType

FRACTION = 7
"""Fraction bits of logits and of powers' exponents: a step of 1/128 changes a probability by 0.8 % of itself at most."""
REACH = 3
"""Integer bits of the distance to the largest logit: beyond 8 a power is below 3.4e-4, and stays that of 8."""
POWER_BITS = 12
"""Fraction bits of powers and of inverses."""


@keras.saving.register_keras_serializable(package="pquant_hls")
class FixedPointSoftmax(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Softmax over the last axis: logits rounded, a table of exp(x - largest), their sum, a table of inverses, a product.

    Every step is exact in 24 bits. Of n values each probability lies within 4e-4 and a share of itself of the exact one: 1 %
    for the steps of logits, n / 8192 and 2**(bits of n - 13) for those of the inverse and of its address.

    Parameters
    ----------
    integer : integer bits of the logits, the sign not counted; larger ones saturate.

    Raises
    ------
    SpecError : more values in the last axis than the 12 bits of an inverse's address tell apart, which are 2,048.
    """

    def __init__(self, integer: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.integer = int(integer)

    @property
    def logits(self) -> FixedType:
        """The type that logits are rounded to."""
        return FixedType(1 + self.integer + FRACTION, 1 + self.integer, True, "RND_CONV", "SAT")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        count = input_shape[-1]
        if count is None or count > 1 << (MOST_INDEX_BITS - 1):
            raise SpecError(f"a softmax of {count} values", where=self.name)
        self.powers, self.inverses = (
            powers(f"{self.name}_powers"),
            inverses(int(count), f"{self.name}_inverses"),
        )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        codes = stored_as(ops.cast(inputs, self.compute_dtype), self.logits)
        apart = ops.max(codes, axis=-1, keepdims=True) - codes
        powered = self.powers.call(apart)
        return powered * self.inverses.call(ops.sum(powered, axis=-1, keepdims=True))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "integer": self.integer}


def powers(name: str) -> FixedPointTable:
    """exp(-x) for the distances to the largest logit."""
    kind = FixedType(REACH + FRACTION, REACH, False)
    return FixedPointTable.of(kind, lambda x: _rounded(np.exp(-x)), name=name)


def inverses(count: int, name: str) -> FixedPointTable:
    """1 / x for sums of ``count`` powers, which are 1 or more."""
    integer = count.bit_length()
    kind = FixedType(MOST_INDEX_BITS, integer, False)
    return FixedPointTable.of(kind, lambda x: _rounded(1.0 / np.maximum(x, 1.0)), name=name)


def _rounded(values: Any) -> Any:
    return np.round(values * 2.0**POWER_BITS) * 2.0**-POWER_BITS


def softmax_in_layers(layer: FixedPointSoftmax, x: Any, name: str) -> Any:
    """The softmax as layers that convert exactly, applied to a Keras tensor; the last is called ``name``."""
    layers, shape = keras.layers, tuple(x.shape[1:])
    front, kind = standard(), layer.logits
    linear = front.make("linear", kind.width, kind.integer - 1)
    logits = front.activation(linear, f"{name}_logits")(x)
    rows = layers.Reshape((math.prod(shape[:-1]), shape[-1]), name=f"{name}_rows")(logits)
    columns = layers.Permute((2, 1), name=f"{name}_columns")(rows)
    top = layers.GlobalMaxPooling1D(name=f"{name}_top")(columns)
    top = layers.Reshape((*shape[:-1], 1), name=f"{name}_largest")(top)
    apart = layers.Subtract(name=f"{name}_apart")([top, logits])
    powered = powers(f"{name}_powers")(apart)
    total = SumOver(-1, True, name=f"{name}_sum")(powered)
    return layers.Multiply(name=name)([powered, inverses(shape[-1], f"{name}_inverses")(total)])
