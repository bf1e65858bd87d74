"""The exact rule of a node, applied."""

from __future__ import annotations

from math import prod

from alkaid.trace import FVariable

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedType
from pquant_hls.rtl import _pointwise, _pooling, _products, logic  # noqa: F401 : their rules
from pquant_hls.rtl import arithmetic as arith
from pquant_hls.rtl._call import LAYERS, LayerCall
from pquant_hls.rtl.arithmetic import Symbols


def apply_layer(call: LayerCall) -> Symbols:
    """The node's output values, stored in its result type, in its shape.

    Raises
    ------
    NotMeasured : an operation, or a use of it, that is not modelled exactly.
    """
    layer = LAYERS.get(call.node.op)
    if layer is None:
        name = call.node.attrs.get("op_name", call.node.op)
        raise NotMeasured(
            f"layer type {name!r} has no exact RTL", where=call.node.name, mend="use csim, csynth"
        )
    out = layer(call)
    if out.size != prod(call.node.shape):
        raise call.refuse(f"computed shape {out.shape}, the graph says {call.node.shape}")
    out = out.reshape(call.node.shape)
    if call.node.grid is not None:
        out = arith.each(_stored, out, call.node.grid.kinds(call.node.shape))
    return arith.cast(out, call.node.result)


def _stored(wire: FVariable, kind: FixedType | None) -> FVariable:
    return arith.constant(0.0) if kind is None else arith.cast_wire(wire, kind)
