"""A Keras layer that looks each value up in a table: a function of few bits, the same in Keras and in firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import SpecError
from pquant_hls.network.affine import CONSTANT_BITS, rounded_constants
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
MOST_INDEX_BITS = 12
"""Bits of an index: a table of 4,096 entries takes four 18 kb block RAMs at 16 bits."""


@keras.saving.register_keras_serializable(package="pquant_hls")
class FixedPointTable(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Each value stored in a fixed-point type and exchanged for the entry of a table at its place.

    In firmware the stored bits are the address, so that both give the same values whatever function the table holds.
    Its derivative is the difference of the entries on both sides of a value, so that what stands before it trains.

    Parameters
    ----------
    width, integer, signed : the type of the address; ``integer`` counts the sign bit of a signed type. Values are rounded
        half to even and saturate.
    table : 2**width numbers, that of the least value first.

    Raises
    ------
    SpecError : another number of entries, one that is not finite, or more than 12 bits of address.
    """

    def __init__(
        self, width: int, integer: int, table: ArrayLike, signed: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self._kind = FixedType(int(width), int(integer), bool(signed), "RND_CONV", "SAT")
        self._table = np.asarray(table, np.float64)
        if self._kind.width > MOST_INDEX_BITS:
            raise SpecError(f"{width} bits of address, more than {MOST_INDEX_BITS}", where=self.name)
        if self._table.shape != (1 << self._kind.width,) or not np.isfinite(self._table).all():
            raise SpecError(
                f"a table of shape {self._table.shape} for an address of {width} bits",
                where=self.name,
                mend=f"{1 << self._kind.width} finite numbers",
            )

    @classmethod
    def of(cls, kind: FixedType, function: Callable[[Floats], ArrayLike], **options: Any) -> FixedPointTable:
        """The table of ``function``, which takes all values of ``kind`` (2**width,) in rising order."""
        return cls(kind.width, kind.integer, function(values_of(kind)), kind.signed, **options)

    def rounded(self, name: str) -> FixedPointTable:
        """The same at these addresses, with entries of 16 bits."""
        entries = rounded_constants(self._table, CONSTANT_BITS)
        kind = self._kind
        return FixedPointTable(kind.width, kind.integer, entries, kind.signed, name=name)

    @property
    def kind(self) -> FixedType:
        """The type of the address."""
        return self._kind

    @property
    def table(self) -> Floats:
        """Its entries (2**width,), float64, that of the least value first."""
        return self._table

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        kind = self._kind
        codes = ops.clip(ops.round(x * 2.0**kind.frac), kind.code_min, kind.code_max) - kind.code_min
        place = ops.cast(codes, "int32")
        found = ops.take(ops.convert_to_tensor(self._table, x.dtype), place, axis=0)
        slope = ops.take(ops.convert_to_tensor(self._slopes(), x.dtype), place, axis=0)
        passed = ops.stop_gradient(slope) * x
        return found + (passed - ops.stop_gradient(passed))  # the difference is 0, its derivative not

    def _slopes(self) -> Floats:
        """Differences of neighbours over twice a step, one-sided at the ends."""
        table = self._table
        return np.gradient(table, self._kind.lsb) if len(table) > 1 else np.zeros(1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        kind = {"width": self._kind.width, "integer": self._kind.integer, "signed": self._kind.signed}
        return {**super().get_config(), **kind, "table": self._table.tolist()}


def stored_as(x: Any, kind: FixedType) -> Any:
    """Keras values rounded half to even to a type, saturating; their derivative is 1."""
    codes = ops.clip(ops.round(x * 2.0**kind.frac), kind.code_min, kind.code_max) * kind.lsb
    return codes + (x - ops.stop_gradient(x))  # the difference is 0, its derivative not


def values_of(kind: FixedType) -> Floats:
    """All values of a type, in rising order, float64 (2**width,)."""
    return np.arange(kind.code_min, kind.code_max + 1, dtype=np.float64) * kind.lsb
