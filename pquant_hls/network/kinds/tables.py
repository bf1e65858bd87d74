"""The kind of layer that looks each value up in a table of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from pquant_hls.network.freeze import MAX_WEIGHT_BITS
from pquant_hls.network.frontend import Remark, Remarks, reading_of, standard
from pquant_hls.network.graph import Call, NewLayer, maker
from pquant_hls.network.grids import holding, hull
from pquant_hls.network.kinds.base import Context, Kind, LayerPlan, Planning, Types, layer_kind, register_kind
from pquant_hls.network.lookup import FixedPointTable
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
        address = addressing(kind, f"{name}_address")
        return [
            NewLayer(address),
            NewLayer(FixedPointTable.from_config({**call.layer.get_config(), "name": name})),
        ]

    def remarks(self, call: Call, context: Context) -> Remarks:  # noqa: ARG002
        if hull(holding(call.layer.table)).width > MAX_WEIGHT_BITS:
            text = f"its entries lie on no grid of {MAX_WEIGHT_BITS} bits"
            yield Remark("weights-off-grid", text, "round them, as lint --fix does", True)


def addressing(kind: FixedType, name: str) -> Any:
    """The quantizer that makes addresses of this type."""
    front = standard()
    signs = int(kind.signed)
    made = front.make("linear" if kind.signed else "relu", kind.width, kind.integer - signs)
    return front.activation(made, name)


def addressable(kind: FixedType) -> FixedType:
    """The type of addresses for values of ``kind``: rounded half to even, saturating; signed where QKeras has no unsigned
    one."""
    plain = replace(kind, rounding="RND_CONV", saturation="SAT")
    if kind.signed or kind.integer >= 0:
        return plain
    return replace(plain, width=kind.width + 1, integer=kind.integer + 1, signed=True)
