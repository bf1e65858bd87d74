"""A front-end of another package: one layer, one quantizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from pquant_hls.network import NewLayer
from pquant_hls.network.frontend import FrontEnd, Reading, Remarks, Shape, standard
from pquant_hls.qor import FixedType


class Grid:
    """Rounds half to even and clips to a signed type."""

    def __init__(self, bits: int, integer: int) -> None:
        self.type = FixedType(bits, integer + 1, True, "RND_CONV", "SAT")

    def __call__(self, x: Any) -> Any:
        low, high = self.type.code_min, self.type.code_max
        return keras.ops.clip(keras.ops.round(x * 2.0**self.type.frac), low, high) * self.type.lsb


class ToyDense(keras.layers.Dense):  # type: ignore[misc]  # Keras has no types
    """A dense layer whose kernel and bias pass a grid."""

    def __init__(self, units: int, bits: int = 6, **options: Any) -> None:
        super().__init__(units, **options)
        self.bits = bits

    @property
    def grid(self) -> Grid:
        return Grid(self.bits, 1)

    def call(self, inputs: Any, training: Any = None) -> Any:
        del training
        return keras.ops.matmul(inputs, self.grid(self.kernel)) + self.grid(self.bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bits": self.bits}


class Toy(FrontEnd):
    module = __name__.partition(".")[0]  # the package that its layers come from

    def stands_for(self, layer: Any) -> str | None:
        return "Dense" if isinstance(layer, ToyDense) else None

    def read(self, quantizer: Any) -> Reading:
        return Reading("Grid", "linear", quantizer.type, quantizer.type.width, plain=True)

    def remarks(self, quantizer: Any, call: Any, context: Any) -> Remarks:
        del quantizer, call, context
        return iter(())

    def quantizers(self, layer: Any) -> list[Any]:
        return [layer.grid] * len(layer.weights)

    def quantizer(self, layer: Any, role: str) -> Any:
        del role
        return layer.grid

    def option(self, role: str) -> str:
        return f"{role}_grid"

    def make(self, shape: Shape, bits: int, integer: int = 0) -> Any:
        assert shape == "linear"
        return Grid(bits, integer)

    def activation(self, quantizer: Any, name: str) -> Any:
        kind = quantizer.type
        return standard().activation(standard().make("linear", kind.width, kind.integer - 1), name)

    def layer(self, kind: str) -> Any:
        return ToyDense if kind == "Dense" else None

    def settled(self, quantizer: Any) -> Any:
        return quantizer

    def scale(self, quantizer: Any) -> Any:
        del quantizer

    def lowered(
        self, call: Any, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """As the standard front-end has it, which hls4ml reads."""
        grid = standard().make("linear", call.layer.bits, 1)
        options = {standard().option(role): grid for role in ("kernel", "bias")}
        return [
            NewLayer(standard().layer("Dense")(call.layer.units, name=changes["name"], **options), weights)
        ]

    def objects(self) -> dict[str, Any]:
        return {"ToyDense": ToyDense}
