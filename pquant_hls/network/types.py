"""Fixed-point types of a model's tensors, read off its quantizers and weights."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.kinds import activated, layer_kind
from pquant_hls.network.kinds.products import sum_type
from pquant_hls.network.quantizers import quantizer_bits, quantizer_type
from pquant_hls.network.tabled import Tabled, read_by_functions, tabled
from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.qor.fixed import enclosed_bits

__all__ = [
    "element_types",
    "enclosed_bits",
    "quantizer_bits",
    "quantizer_type",
    "sum_types",
    "tensor_types",
]


def tensor_types(model: keras.Model) -> dict[str, FixedType | None]:
    """Type of each tensor of the model by its name (its layer's, see ``Call``); None where a float is among
    its operands.
    """
    return _types(flat(model))


def _types(graph: Topology) -> dict[str, FixedType | None]:
    return typed(graph)[0]


def typed(graph: Topology) -> tuple[dict[str, FixedType | None], dict[str, Tabled]]:
    """(the type of each tensor by its name, the table that stands for it where its function becomes one)."""
    found: dict[str, FixedType | None] = {}
    tables: dict[str, Tabled] = {}
    for call in graph.calls:
        sources = [found[name] for name in call.inputs]
        known = [source for source in sources if source is not None]
        complete = bool(known) and len(known) == len(sources)
        table = _table(call, found, tables)
        if table is not None and (table.result is not None or read_by_functions(graph, call.output)):
            tables[call.output], found[call.output] = table, table.result
        else:
            found[call.output] = layer_kind(call.layer).output_type(call, known) if complete else _alone(call)
    return found, tables


def _table(call: Call, types: Mapping[str, FixedType | None], tables: Mapping[str, Tabled]) -> Tabled | None:
    kind = layer_kind(call.layer)
    if kind.operation == "activation":
        read = tables.get(call.inputs[0])
        read = read if read is not None and read.result is None else None
        return tabled(call, read, types[call.inputs[0]])
    source = types[call.inputs[0]] if kind.roles else None
    if source is None or kind.function(call.layer) is None:
        return None
    return tabled(call, None, sum_type(call.layer, source), bare=True)


def _alone(call: Call) -> FixedType | None:
    """The type behind a quantizer that takes up floats."""
    if layer_kind(call.layer).typed:
        return layer_kind(call.layer).output_type(call, ())
    return None if layer_kind(call.layer).function(call.layer) is None else activated(call.layer, None)


def bare_types(graph: Topology) -> dict[str, FixedType | None]:
    """``tensor_types`` of a graph, and of layers with weights and a function inside what the function is applied to."""
    found = dict(_types(graph))
    for call in graph.calls:
        source = found[call.inputs[0]] if layer_kind(call.layer).roles else None
        if source is not None and layer_kind(call.layer).function(call.layer) is not None:
            found[call.output] = sum_type(call.layer, source)
    return found


def element_types(graph: Topology) -> dict[str, FixedGrid | None]:
    """Types of the single values of each tensor, by its name; None where all have the tensor's."""
    found: dict[str, FixedGrid | None] = {}
    for call in graph.calls:
        sources = [found[name] for name in call.inputs]
        found[call.output] = layer_kind(call.layer).elements(call, sources)
    return found


def sum_types(model: keras.Model) -> dict[str, FixedType]:
    """For each call with quantized weights and inputs: the narrowest type that holds every sum, whatever the
    input.
    """
    graph = flat(model)
    kinds, grids = _types(graph), element_types(graph)
    first = {call: call.inputs[0] for call in graph.calls if layer_kind(call.layer).roles}
    sources = {call: grids[name] or kinds[name] for call, name in first.items()}
    sums = {call.output: sum_type(call.layer, kind) for call, kind in sources.items() if kind is not None}
    return {name: kind for name, kind in sums.items() if kind is not None}
