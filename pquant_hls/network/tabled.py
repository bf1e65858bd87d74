"""Functions of few bits as tables: what an activation, or a chain of them, makes of each value that it can read.

Whatever a function is, its results on all values of a narrow type are a table, and once they lie on a grid the firmware
holds that table exactly. So a real sigmoid before a quantizer, a slope, or an odd quantizer needs no formula in hls4ml.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.floats import keras_floats
from pquant_hls.network.freeze import MAX_WEIGHT_BITS
from pquant_hls.network.frontend import front_of, reading_of
from pquant_hls.network.graph import Call, Topology, copy_layer
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.kinds.tables import addressable
from pquant_hls.network.lookup import MOST_INDEX_BITS, values_of
from pquant_hls.network.quantizers import keras_computes
from pquant_hls.qor import FixedType

Floats = NDArray[np.float64]
FINEST = 2.0**-24
"""Results of a function without a type of its own are on a grid if they are on one of this step."""
NEAR = 1e-6
"""What float32 may leave of a value that is on the grid."""


@dataclass(frozen=True)
class Tabled:
    """What stands for a tensor: ``values`` (2**width,) of the values of type ``kind``, least first, that ``source`` takes.

    ``source`` is a tensor's name; ``bare``: it is what the activation inside the layer of that name is applied to.
    ``result`` is the type of the values, None where they are on no grid yet.
    """

    source: str
    kind: FixedType
    values: Floats
    result: FixedType | None
    bare: bool = False


def tabled(call: Call, read: Tabled | None, kind: FixedType | None, *, bare: bool = False) -> Tabled | None:
    """``call``'s activation as a table; None where it needs none, or cannot have one.

    ``read``: the table, on no grid yet, that stands for its input. ``kind``: else the type of the values it is applied to.
    """
    if read is None and (is_native(call) or kind is None or addressable(kind).width > MOST_INDEX_BITS):
        return None
    if not is_function(call):
        return None
    source, index = (call.inputs[0], kind) if read is None else (read.source, read.kind)
    if index is None:
        return None
    given = values_of(index) if read is None else read.values
    try:
        values = applied_to(call, given)
    except UnsupportedModel:
        return None
    if values.shape != given.shape or not np.isfinite(values).all():
        return None
    found, result = _on_grid(values, call)
    if bare:
        source = call.output
    return Tabled(source, index, found, result, bare if read is None else read.bare)


def is_native(call: Call) -> bool:
    """Whether hls4ml has the function of a call and computes it exactly, or nothing acts."""
    kind = layer_kind(call.layer)
    activation = kind.function(call.layer)
    found = reading_of(activation)
    if found is not None:
        return found.native
    text = kind.text(call.layer)
    return text in (None, "relu") or kind.has_form(call.layer)


def is_function(call: Call) -> bool:
    """Whether what acts computes each value from itself alone, the same way each time."""
    kind = layer_kind(call.layer)
    if kind.acts_as(call.layer) == "softmax":
        return False
    activation = kind.function(call.layer)
    front, found = front_of(activation), reading_of(activation)
    if front is not None and found is not None:
        return not found.random and not isinstance(front.scale(activation), str)
    return kind.operation != "activation" or kind.elementwise


def applied_to(call: Call, values: Floats) -> Floats:
    """What acts in ``call``, on values (n,), computed in float64.

    Raises
    ------
    UnsupportedModel : Keras itself cannot compute it.
    """
    layer = call.layer
    activation = layer_kind(layer).function(layer)
    with keras_computes(call.name), keras_floats("float64"):
        if front_of(activation) is not None:
            return _quantized(activation, values)
        given = keras.ops.convert_to_tensor(values[None], "float64")
        if activation is not None and callable(activation):
            found = activation(given)
        else:
            found = copy_layer(layer, dtype="float64")(given)
        return np.asarray(found[0], np.float64)


def _quantized(quantizer: Any, values: Floats) -> Floats:
    """Without the residue of QKeras' ``x + (q(x) - x)``; in float32 where a quantizer holds such constants."""
    before = getattr(quantizer, "use_ste", None)
    if before is not None:
        quantizer.use_ste = False
    try:
        for kind in WIDTHS:
            with keras_floats(kind), contextlib.suppress(*MIXED_FLOATS if kind == "float64" else ()):
                return np.asarray(quantizer(keras.ops.convert_to_tensor(values, kind)), np.float64)
    finally:
        if before is not None:
            quantizer.use_ste = before
    raise NotImplementedError(f"{type(quantizer).__name__} gives nothing")


WIDTHS: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")

MIXED_FLOATS = (ValueError, TypeError, AssertionError)
"""What Keras raises where a quantizer mixes its float32 constants with float64."""


def _on_grid(values: Floats, call: Call) -> tuple[Floats, FixedType | None]:
    """(values, their type): those that lie on a grid but for the noise of floats, exactly; else as they are."""
    quantizer = layer_kind(call.layer).function(call.layer)
    found = reading_of(quantizer)
    if found is not None and found.type is not None and _is_one(front_of(quantizer), quantizer):
        snapped = found.type.quantize(values)
        if np.abs(snapped - values).max() > NEAR * max(1.0, float(np.abs(values).max())):
            snapped = np.round(values / FINEST) * FINEST
    else:
        snapped = np.round(values / FINEST) * FINEST
    if np.abs(snapped - values).max() > NEAR:
        return values, None
    kind = hull(holding(snapped))
    return (snapped, kind) if kind.width <= MAX_WEIGHT_BITS else (values, None)


def _is_one(front: Any, quantizer: Any) -> bool:
    scale = None if front is None else front.scale(quantizer)
    return scale is None or (not isinstance(scale, str) and bool(np.all(np.asarray(scale) == 1)))


def read_by_functions(graph: Topology, tensor: str) -> bool:
    """Whether nothing but functions of single values reads a tensor, so that it need not be there itself."""
    readers = graph.consumers(tensor)
    alone = all(layer_kind(call.layer).operation == "activation" and is_function(call) for call in readers)
    return bool(readers) and alone and tensor not in graph.outputs


__all__ = ["Tabled", "applied_to", "is_function", "is_native", "read_by_functions", "tabled"]
