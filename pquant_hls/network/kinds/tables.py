"""The kind of layer that looks each value up in a table of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import MAX_WEIGHT_BITS
from pquant_hls.network.frontend import Remark, Remarks, reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, maker
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.kinds.base import Context, Kind, LayerPlan, Planning, Types, layer_kind, register_kind
from pquant_hls.network.lookup import MOST_INDEX_BITS, FixedPointTable
from pquant_hls.qor import FixedType


@register_kind
class Lookup(Kind):
    """Its result has the narrowest type that holds every entry; a quantizer before it makes its address."""

    handles = (FixedPointTable,)
    operation = "activation"
    typed = elementwise = True

    def output_type(self, call: Call, sources: Types) -> FixedType | None:  # noqa: ARG002
        return hull(holding(call.layer.table))

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        del planning
        kind = hull(holding(call.layer.table))
        return LayerPlan(kind, {"table": kind.text})

    def entry(self, layer: Any) -> FixedType | None:
        kind: FixedType = layer.kind
        return kind

    def coarsest(self, layer: Any) -> FixedType | None:
        kind: FixedType = layer.kind
        return kind

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        del weights
        before = maker(call.node.input_tensors[0])
        found = reading_of(layer_kind(before).function(before))
        kind = call.layer.kind
        if found is not None and found.shape in ("linear", "relu") and found.type == kind:
            return None
        name = changes["name"]
        table = at_addresses(kind, call.layer.table, name)
        return [NewLayer(addressing(table.kind, f"{name}_address")), NewLayer(table)]

    def remarks(self, call: Call, context: Context) -> Remarks:  # noqa: ARG002
        if hull(holding(call.layer.table)).width > MAX_WEIGHT_BITS:
            text = f"its entries lie on no grid of {MAX_WEIGHT_BITS} bits"
            yield Remark("weights-off-grid", text, "round them, as lint --fix does", True)


def addressing(kind: FixedType, name: str) -> Any:
    """The quantizer that makes addresses of this type, an ``addressable`` one."""
    front = standard()
    signs = int(kind.signed)
    made = front.make("linear" if kind.signed else "relu", kind.width, kind.integer - signs)
    found = reading_of(made)
    if found is None or found.type != replace(kind, rounding="RND_CONV", saturation="SAT"):
        raise UnsupportedModel(f"no quantizer makes addresses of {kind.text}", where=name)
    return front.activation(made, name)


def at_addresses(kind: FixedType, entries: ArrayLike, name: str) -> FixedPointTable:
    """The table of ``entries``, one for each value of ``kind``, at the addresses that a quantizer can make of it.

    Raises
    ------
    UnsupportedModel : these would be of too many bits.
    """
    stored, held = addressable(kind), np.asarray(entries, np.float64)
    if stored.width > MOST_INDEX_BITS:
        text = f"unsigned addresses of {kind.width} bits for values below one need a sign bit more in QKeras"
        raise UnsupportedModel(
            text, where=name, mend=f"at most {MOST_INDEX_BITS - 1} bits, or a signed address"
        )
    below = np.full((1 << stored.width) - len(held), held[0])  # negative values, which saturate at the least
    return FixedPointTable(
        stored.width, stored.integer, np.concatenate([below, held]), stored.signed, name=name
    )


def addressable(kind: FixedType) -> FixedType:
    """The type of addresses for values of ``kind``: rounded half to even, saturating; signed where QKeras has no unsigned
    one."""
    plain = replace(kind, rounding="RND_CONV", saturation="SAT")
    if kind.signed or kind.integer >= 0:
        return plain
    return replace(plain, width=kind.width + 1, integer=kind.integer + 1, signed=True)
