"""Layers that ``fix`` puts in place of one: constants on a grid, and tables of functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.lint.finding import Context
from pquant_hls.network.affine import CONSTANT_BITS, rounded_constants, rounded_scale
from pquant_hls.network.folding import along_axis
from pquant_hls.network.graph import Call
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.kinds.scales import Affine
from pquant_hls.network.kinds.tables import addressable
from pquant_hls.network.lookup import FixedPointTable, values_of
from pquant_hls.network.norms import Norm, norm_of, tabled_norm
from pquant_hls.network.tabled import applied_to
from pquant_hls.qor import FixedType

Array = NDArray[np.float64]
ADDRESS_BITS, ENTRY_BITS = 10, 12
"""Bits of a table's addresses and entries."""
USUAL_REACH = 3
"""Integer bits of addresses of a function that is level beyond 8, as a sigmoid, or of values of unknown size."""
MOST_REACH = 6
Made = Callable[[str, list[Any]], Any]


def mended_layer(call: Call, context: Context, source: FixedType | None) -> Made | None:
    """What makes and applies the layer in place of this one, by its name; None where it stays what it is.

    ``source``: the type of the values that it reads, None where that is not known.
    """
    layer, kind = call.layer, layer_kind(call.layer)
    if kind.operation == "batchnorm":
        scale, shift = along_axis(call)
        return lambda name, inputs: rounded_scale(scale, shift, name)(inputs[0])
    if (norm := norm_of(layer)) is not None:
        return _tabled_norm(norm, source)
    if isinstance(kind, Affine):
        constants = kind.constants(layer)
        return lambda name, inputs: rounded_scale(*constants, name)(inputs[0])
    if isinstance(layer, FixedPointTable) and any(kind.remarks(call, context)):
        return lambda name, inputs: layer.rounded(name)(inputs[0])
    form = kind.form(layer) if kind.operation == "activation" else None
    if form is None or form.exact:
        return None
    slope = rounded_constants(form.slope, CONSTANT_BITS)
    return lambda name, inputs: replace(form, slope=slope).apply(inputs[0], name)


def _tabled_norm(norm: Norm, source: FixedType | None) -> Made:
    integer = USUAL_REACH if source is None else min(source.integer - int(source.signed), MOST_REACH)

    def made(name: str, inputs: list[Any]) -> Any:
        value = inputs[0]
        for layer in tabled_norm(norm, name, integer):
            value = layer(value)
        return value

    return made


def rounded_table(call: Call, name: str, kind: FixedType | None) -> FixedPointTable:
    """The call's function of values of type ``kind`` (None: not known) at 10 bits of address and 12 of each entry."""
    address = _address(call, kind)
    entries = rounded_constants(applied_to(call, values_of(address)), ENTRY_BITS)
    return FixedPointTable(address.width, address.integer, entries, address.signed, name=name)


def _address(call: Call, kind: FixedType | None) -> FixedType:
    """As many integer bits as the values have, or as the function is not level in."""
    level = applied_to(call, np.array([-64.0, -8.0, 8.0, 64.0]))
    flat = bool(
        np.isfinite(level).all() and max(abs(level[0] - level[1]), abs(level[3] - level[2])) < 2.0**-8
    )
    most = USUAL_REACH if flat or kind is None else MOST_REACH
    signed = kind is None or kind.signed
    integer = most if kind is None else min(kind.integer - int(kind.signed), most)
    width = ADDRESS_BITS if kind is None else min(kind.width, ADDRESS_BITS)
    return addressable(FixedType(width, integer + int(signed), signed))


__all__ = ["mended_layer", "rounded_table"]
