"""A layer normalization whose mean, variance and inverse root are this package's own, the same in Keras and in firmware."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pquant_hls.errors import SpecError
from pquant_hls.network.affine import FixedPointScale, rounded_constants, rounded_scale
from pquant_hls.network.frontend import standard
from pquant_hls.network.lookup import MOST_INDEX_BITS, FixedPointTable, stored_as
from pquant_hls.network.sums import SumOver
from pquant_hls.qor import FixedType

VALUE_BITS = 10
"""Bits of values and of their mean, sign included."""
SUM_BITS = RESULT_BITS = 12
"""Bits of the sum that the mean is made of, and of results."""
ROOT_BITS = 14
"""Bits of inverse roots, which span a factor of 128 from the largest variance to that of an address of 1/4."""
MOST_VALUES = 2048


@keras.saving.register_keras_serializable(package="pquant_hls")
class FixedPointLayerNorm(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """(x - mean) / sqrt(variance + epsilon) over the last axis: values rounded, their sum times 1/n, squares, a table, a product.

    Exact in 24 bits for up to 16 values; beyond, Keras' float32 may round the sum of squares.

    Parameters
    ----------
    integer : integer bits of the values, the sign not counted; larger ones saturate. spread : integer bits of the
        variance; None for those of the largest that such values have. epsilon : as Keras' own.

    Raises
    ------
    SpecError : more than 2,048 values in the last axis, or an epsilon below 0.
    """

    def __init__(
        self, integer: int = 3, spread: int | None = None, epsilon: float = 1e-3, **options: Any
    ) -> None:
        super().__init__(**options)
        self.integer, self.epsilon = int(integer), float(epsilon)
        self.spread = 2 * self.integer if spread is None else int(spread)
        if self.epsilon < 0:
            raise SpecError(f"epsilon is {epsilon}, below 0", where=self.name)

    @property
    def values(self) -> FixedType:
        """The type of values and means."""
        return _signed(VALUE_BITS, self.integer)

    def total(self, count: int) -> FixedType:
        """The type of sums of ``count`` values."""
        return _signed(SUM_BITS, self.integer + _bits(count))

    def roots(self, count: int, name: str) -> FixedPointTable:
        """1 / sqrt(variance + epsilon), at the sums of ``count`` squares."""
        kind = FixedType(
            MOST_INDEX_BITS, max(0, self.spread + _bits(count)), False
        )  # as the address is stored
        least = kind.lsb / 4

        def entries(squares: Any) -> Any:
            exact = 1.0 / np.sqrt(np.maximum(squares, least) / count + self.epsilon)
            return rounded_constants(exact, ROOT_BITS + 1)

        return FixedPointTable.of(kind, entries, name=name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        count = input_shape[-1]
        if count is None or count > MOST_VALUES:
            raise SpecError(f"a normalization of {count} values", where=self.name)
        self.count, self.table = int(count), self.roots(int(count), f"{self.name}_roots")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        x = stored_as(ops.cast(inputs, self.compute_dtype), self.values)
        total = stored_as(ops.sum(x, axis=-1, keepdims=True), self.total(self.count))
        apart = x - stored_as(total * _share(self.count), self.values)
        roots = self.table.call(ops.sum(apart * apart, axis=-1, keepdims=True))
        return stored_as(apart * roots, result(self.count))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"integer": self.integer, "spread": self.spread, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


def result(count: int) -> FixedType:
    """The type of normalized values, none of which is beyond the root of their ``count``."""
    return _signed(RESULT_BITS, math.ceil(math.log2(count) / 2))


def _signed(width: int, integer: int) -> FixedType:
    return FixedType(width, 1 + integer, True, "RND_CONV", "SAT")


def _bits(count: int) -> int:
    return math.ceil(math.log2(count))


def _share(count: int) -> float:
    return float(rounded_constants(np.array(1.0 / count), SUM_BITS))


def normalized_in_layers(layer: FixedPointLayerNorm, x: Any, name: str) -> Any:
    """The normalization as layers that convert exactly, applied to a Keras tensor; the last is called ``name``."""
    layers, count, front = keras.layers, int(x.shape[-1]), standard()

    def rounded(kind: FixedType, own: str) -> Any:
        return front.activation(front.make("linear", kind.width, kind.integer - 1), own)

    x = rounded(layer.values, f"{name}_values")(x)
    total = rounded(layer.total(count), f"{name}_total")(SumOver(-1, True, name=f"{name}_sum")(x))
    share = FixedPointScale(_share(count), name=f"{name}_share")(total)
    mean = rounded(layer.values, f"{name}_mean")(share)
    apart = layers.Subtract(name=f"{name}_apart")([x, mean])
    squares = layers.Multiply(name=f"{name}_squares")([apart, apart])
    roots = layer.roots(count, f"{name}_roots")(SumOver(-1, True, name=f"{name}_spread")(squares))
    product = layers.Multiply(name=f"{name}_product")([apart, roots])
    return rounded(result(count), name)(product)


def normalizes_rows(layer: Any) -> bool:
    """Whether it is Keras' LayerNormalization over the last axis alone, of up to 2,048 values."""
    if type(layer).__name__ != "LayerNormalization" or getattr(layer, "rms_scaling", False):
        return False
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    shape = tuple(layer.input.shape)
    return [axis % len(shape) for axis in axes] == [len(shape) - 1] and (shape[-1] or math.inf) <= MOST_VALUES


def tabled_norm(layer: Any, name: str, integer: int, spread: int | None = None) -> list[Any]:
    """Keras' LayerNormalization as one of tables and a scale and shift of 16 bits, where it has any; the last is called
    ``name``."""
    parts = [None if part is None else np.asarray(part, np.float64) for part in (layer.gamma, layer.beta)]
    scale = np.ones(1) if parts[0] is None else parts[0]
    shift = np.zeros(1) if parts[1] is None else parts[1]
    plain = bool((scale == 1).all() and (shift == 0).all())
    own = name if plain else f"{name}_normal"
    norm = FixedPointLayerNorm(integer, spread, layer.epsilon, name=own)
    return [norm] if plain else [norm, rounded_scale(scale, shift, name)]
