"""The bit-exact emulator: what csim computes, without a C++ compiler.

Chains of dense layers are computed as arrays (``arrays``); any other graph is traced by alkaid.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError
from pquant_hls.qor import FixedPointGraph
from pquant_hls.rtl.arrays import ArrayProgram, NotPlain
from pquant_hls.rtl.bridge import bridge, port_sizes

Floats = NDArray[np.float64]
Inputs = ArrayLike | Sequence[ArrayLike]
Outputs = Floats | list[Floats]


class Emulator:
    """One graph, ready to predict many batches.

    Raises
    ------
    NotMeasured : a layer that cannot be emulated exactly, by name.
    """

    def __init__(self, graph: FixedPointGraph) -> None:
        self.graph = graph
        self.arrays: ArrayProgram | None
        try:
            self.arrays = ArrayProgram(graph)
        except NotPlain:
            self.arrays, self.program = None, bridge(graph)

    def predict(self, x: Inputs) -> Outputs:
        """What the firmware computes, bit for bit.

        Parameters
        ----------
        x : real numbers (n, *input shape), or a list of such arrays for several inputs.

        Returns
        -------
        float64 (n, *output shape); a list of them for several outputs.

        Raises
        ------
        DataError : ``x`` does not fit the graph's inputs, or is not finite.
        """
        return split_outputs(self.graph, self.of_stored(stored_inputs(self.graph, x)))

    def of_stored(self, rows: Floats) -> Floats:
        """Outputs (n, total outputs), joined, of inputs (n, total inputs) as ``stored_inputs`` gives them."""
        if self.arrays is not None:
            return self.arrays.run(rows)
        width = sum(port_sizes(self.graph)[1])
        found: Floats = (
            self.program.logic.predict(rows).reshape(len(rows), width) if len(rows) else np.zeros((0, width))
        )
        return found


def emulate(graph: FixedPointGraph, x: Inputs) -> Outputs:
    """``Emulator(graph).predict(x)``, for one batch."""
    return Emulator(graph).predict(x)


def stored_inputs(graph: FixedPointGraph, x: Inputs) -> Floats:
    """The inputs as the firmware stores them, flattened and joined: float64 (n, total inputs)."""
    nodes = graph.inputs
    arrays = [x] if len(nodes) == 1 else list(x)  # type: ignore[arg-type]  # several: a sequence
    if len(arrays) != len(nodes):
        raise DataError(f"the firmware takes {len(nodes)} inputs, got {len(arrays)}", where=graph.name)
    columns = []
    for node, array in zip(nodes, arrays, strict=True):
        values = np.asarray(array, np.float64)
        if values.shape[1:] != node.shape:
            wanted = ", ".join(map(str, node.shape))
            raise DataError(f"has shape {values.shape}, expected (n, {wanted})", where=node.name)
        if not np.isfinite(values).all():
            raise DataError("holds values that are not finite", where=node.name)
        columns.append(node.result.quantize(values).reshape(len(values), prod(node.shape)))
    if len({len(column) for column in columns}) != 1:
        raise DataError("the inputs have different numbers of rows", where=graph.name)
    return np.concatenate(columns, axis=1)


def split_outputs(graph: FixedPointGraph, flat: Floats) -> Outputs:
    """Flat rows (n, total outputs) as one array, or a list of arrays, in the graph's shapes."""
    ends = np.cumsum(port_sizes(graph)[1])[:-1]
    parts = np.split(flat, ends, axis=1)
    shapes = [graph.node(name).shape for name in graph.outputs]
    shaped = [part.reshape(len(flat), *shape) for part, shape in zip(parts, shapes, strict=True)]
    return shaped[0] if len(shaped) == 1 else shaped
