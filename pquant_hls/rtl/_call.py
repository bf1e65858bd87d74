"""What a layer's rule is given (its node, the values it reads and their types), and the rules by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedType, Node
from pquant_hls.qor.ops import load_installed
from pquant_hls.qor.registry import Registry
from pquant_hls.rtl.arithmetic import MATRIX_BITS, Symbols


@dataclass(frozen=True)
class LayerCall:
    """One node; ``values`` are shaped as in the graph (no batch axis), ``kinds`` are their types."""

    node: Node
    values: tuple[Symbols, ...]
    kinds: tuple[FixedType, ...]
    stream: bool

    @property
    def wires(self) -> Symbols:
        return self.values[0]

    def refuse(self, why: str) -> NotMeasured:
        return NotMeasured(f"{self.node.op}: {why}", where=self.node.name)

    def constants(self, key: str) -> NDArray[np.float64]:
        """The node's integers as values; refused where missing, or too wide for alkaid's float32 matrices."""
        array = self.node.arrays.get(key)
        if array is None:
            raise self.refuse(f"the graph holds no {key}")
        values = array.values
        if not np.array_equal(values.astype(np.float32).astype(np.float64), values):
            raise self.refuse(f"a {key} spans more than {MATRIX_BITS} bits")
        return values

    def bias(self, size: int) -> NDArray[np.float64]:
        """The bias (size,), zeros where the node has none."""
        return self.constants("bias").ravel() if "bias" in self.node.arrays else np.zeros(size)


Layer = Callable[[LayerCall], Symbols]
LAYERS: Registry[Layer] = Registry("exact rule", load_installed)


def computes(*names: str) -> Callable[[Layer], Layer]:
    """A decorator: this rule gives the exact output values of the operations of these names, before they are stored in
    the node's result type. ``rtl.arithmetic`` has what it may do with the values.
    """
    return LAYERS.named(*names)
