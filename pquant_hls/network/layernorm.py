"""A normalization whose mean, variance and inverse root are this package's own, the same in Keras and in firmware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pquant_hls.errors import SpecError
from pquant_hls.network.affine import FixedPointScale, rounded_constants
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
    """(x - mean) / sqrt(variance + epsilon) over axes: values rounded, their sum times 1/n, squares, a table, a product.

    As layer normalization (Ba et al., arXiv:1607.06450, equation 3); without a mean x / sqrt(mean of squares + epsilon), as root
    mean square normalization (Zhang & Sennrich, arXiv:1910.07467, equation 4). Exact in 24 bits for up to 16 values, without a
    mean 64; beyond, Keras' float32 may round the sum of squares.

    Parameters
    ----------
    integer : integer bits of the values, the sign not counted; larger ones saturate. spread : integer bits of the
        variance, or mean of squares; None for those of the largest that such values have. epsilon : as Keras' own. center :
        False takes the mean for 0. axis : one or several, which count the batch axis, negative ones from the end.

    Raises
    ------
    SpecError : more than 2,048 values along the axes, the batch axis among them, or an epsilon below 0.
    """

    def __init__(
        self,
        integer: int = 3,
        spread: int | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        axis: int | Sequence[int] = -1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.integer, self.epsilon, self.center = int(integer), float(epsilon), bool(center)
        self.spread = 2 * self.integer if spread is None else int(spread)
        self.axes = [axis] if isinstance(axis, int) else [int(each) for each in axis]
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
        kind = self._address(count)

        def entries(squares: Any) -> Any:
            exact = 1.0 / np.sqrt(np.maximum(squares, kind.lsb / 4) / count + self.epsilon)
            return rounded_constants(exact, ROOT_BITS + 1)

        return FixedPointTable.of(kind, entries, name=name)

    def _address(self, count: int) -> FixedType:
        return FixedType(MOST_INDEX_BITS, max(0, self.spread + _bits(count)), False)  # as it is stored

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.count = self.counted(input_shape)
        self.table = self.roots(self.count, f"{self.name}_roots")
        super().build(input_shape)

    def counted(self, shape: tuple[int | None, ...]) -> int:
        """Values that share a mean, of a shape with the batch axis; raises SpecError where there are no tables of so many."""
        sizes = [shape[axis] for axis in self.axes if axis % len(shape)]
        count = math.prod(size or 0 for size in sizes)
        if len(sizes) < len(self.axes) or not 0 < count <= MOST_VALUES:
            raise SpecError(f"a normalization of {count} values", where=self.name)
        return count

    def call(self, inputs: Any) -> Any:
        x = stored_as(ops.cast(inputs, self.compute_dtype), self.values)
        if self.center:
            total = stored_as(ops.sum(x, axis=self.axes, keepdims=True), self.total(self.count))
            x = x - stored_as(total * _share(self.count), self.values)
        return stored_as(
            x * self._looked_up(ops.sum(x * x, axis=self.axes, keepdims=True)), result(self.count)
        )

    def _looked_up(self, squares: Any) -> Any:
        """The table's inverse roots, with the derivative of the exact ones."""
        least = self._address(self.count).lsb / 4
        exact = ops.rsqrt(ops.maximum(squares, least) / self.count + self.epsilon)
        return ops.stop_gradient(self.table.call(squares)) + (exact - ops.stop_gradient(exact))  # adds 0

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("integer", "spread", "epsilon", "center")}
        return {**super().get_config(), **own, "axis": self.axes}


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
    layers, count = keras.layers, layer.counted(tuple(x.shape))
    x = _rounded(layer.values, f"{name}_values")(x)
    if layer.center:
        total = SumOver(layer.axes, True, name=f"{name}_sum")(x)
        total = _rounded(layer.total(count), f"{name}_total")(total)
        share = FixedPointScale(_share(count), name=f"{name}_share")(total)
        mean = _rounded(layer.values, f"{name}_mean")(share)
        x = layers.Subtract(name=f"{name}_apart")([x, mean])
    squares = layers.Multiply(name=f"{name}_squares")([x, x])
    spread = SumOver(layer.axes, True, name=f"{name}_spread")(squares)
    product = layers.Multiply(name=f"{name}_product")([x, layer.roots(count, f"{name}_roots")(spread)])
    return _rounded(result(count), name)(product)


def _rounded(kind: FixedType, name: str) -> Any:
    front = standard()
    return front.activation(front.make("linear", kind.width, kind.integer - 1), name)
