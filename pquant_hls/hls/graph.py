"""The FixedPointGraph of a converted model: hls4ml's own picture, as integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import PquantError, UnsupportedModel
from pquant_hls.hls.layers import plain, row_of
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits

_THRESHOLDS = ("threshold_hi", "threshold_lo")
_TYPES = (
    "weight",
    "bias",
    "scale",
    "accum",
    "table",
    "inv_table",
    "exp_table",
    "inv_inp",
    "slope",
    "shift",
    "param",
)
_ANY_LAYER = (
    "strategy",
    "reuse_factor",
    "table_size",
    "implementation",
    "parallelization_factor",
    "n_partitions",
)


def extract(hls_model: Any, *, exact: bool = True) -> FixedPointGraph:
    """The graph of a converted hls4ml ModelGraph.

    ``exact`` raises where a weight lies off its type's grid; otherwise it is rounded as the written project
    rounds it.

    Raises
    ------
    UnsupportedModel : a weight off its grid, or a type that is not fixed-point.
    """
    producers = {out: node.name for node in hls_model.get_layers() for out in node.outputs}
    first = [producers[name] for name in hls_model.inputs]  # the order in which csim takes its inputs
    place = {name: index for index, name in enumerate(first)}
    layers = sorted(hls_model.get_layers(), key=lambda node: place.get(node.name, len(place)))
    nodes = tuple(_node(node, producers, exact) for node in layers)
    config = hls_model.config
    return FixedPointGraph(
        nodes,
        tuple(producers[name] for name in hls_model.outputs),
        config.get_config_value("IOType"),
        config.get_config_value("Backend"),
        config.get_project_name(),
    )


def _node(node: Any, producers: Mapping[str, str], exact: bool) -> Node:
    op = row_of(node).op
    out = node.get_output_variable()
    inputs = () if op == "input" else tuple(producers[name] for name in node.inputs)
    types = {name: node.attributes[f"{name}_t"] for name in _TYPES if f"{name}_t" in node.attributes}
    parsed = {name: kind for name, found in types.items() if (kind := _type(found, node)) is not None}
    result = _type(out.type, node)
    if result is None:
        raise UnsupportedModel(f"the result is {out.type.precision}, not a fixed-point type", where=node.name)
    return Node(
        name=node.name,
        op=op,
        inputs=inputs,
        shape=tuple(int(n) for n in out.shape),
        result=result,
        types=parsed,
        arrays=_arrays(node, exact),
        attrs=_attrs(node, parsed),
        grid=row_of(node).grid(node),
    )


def _type(found: Any, node: Any) -> FixedType | None:
    """None for types that are not fixed-point, such as the exponents of powers of two."""
    precision = found.precision
    text = precision.definition_cpp() if hasattr(precision, "definition_cpp") else str(precision)
    try:
        return FixedType.parse(text)
    except PquantError:
        if "unspecified" in type(precision).__name__.lower():
            raise UnsupportedModel("hls4ml left a type open", where=node.name) from None
        return None


def _arrays(node: Any, exact: bool) -> dict[str, FixedArray]:
    names = ("weight", "bias", "scale", *row_of(node).arrays)
    found = {name: _array(node, name, exact) for name in names if name in node.weights}
    return found | {name: _array(node, name, False) for name in _THRESHOLDS if name in node.weights}


def _array(node: Any, name: str, exact: bool) -> FixedArray:
    weight = node.weights[name]
    values = np.asarray(weight.data, np.float64)
    precision = type(weight.type.precision).__name__
    if "Xnor" in precision:
        return FixedArray(np.where(_layout(node, name, values) > 0, 1, -1).astype(np.int64), 0)
    if "Exponent" in precision:
        return _on_minimal_grid(_layout(node, name, values), node)
    kind = FixedType.parse(weight.type.precision.definition_cpp())
    written = np.array([float(f"{v:.{max(0, kind.frac)}f}") for v in values.ravel()]).reshape(values.shape)
    codes = kind.to_codes(written)
    if exact and not np.array_equal(codes * kind.lsb, values):
        worst = int(np.argmax(np.abs(codes * kind.lsb - values)))
        raise UnsupportedModel(
            f"{name} {values.ravel()[worst]:g} is not a value of {kind}",
            where=node.name,
            mend="quantize these weights with alpha=1",
        )
    return FixedArray(_layout(node, name, codes), kind.frac)


def _on_minimal_grid(values: NDArray[np.float64], node: Any) -> FixedArray:
    bits = fraction_bits(values)
    if bits > 64:
        raise UnsupportedModel("powers of two below 2**-64", where=node.name)
    return FixedArray((values * 2.0**bits).astype(np.int64), bits)


def _layout(node: Any, name: str, data: NDArray[Any]) -> NDArray[Any]:
    """Undo hls4ml's transposition for the resource strategy and give kernels their own axes."""
    if name != "weight":
        return data.reshape(-1)
    if node.get_attr("_weights_transposed", False):
        data = np.moveaxis(data, 0, -1)
    return row_of(node).weights(node, data)


def _attrs(node: Any, types: Mapping[str, FixedType]) -> dict[str, Any]:
    row = row_of(node)
    found = {name: node.get_attr(name) for name in _ANY_LAYER}
    attrs = {name: plain(value) for name, value in found.items() if value is not None} | row.attrs(node)
    if "weight" in node.weights:
        precision = type(node.weights["weight"].type.precision).__name__
        coded = next((word for word in ("Xnor", "Exponent") if word in precision), None)
        attrs.update({} if coded is None else {"weight_encoding": coded.lower()})
    if row.table is not None and "table" in types:
        attrs["table"] = row.table(types["table"], int(node.get_attr("table_size")))
    return attrs
