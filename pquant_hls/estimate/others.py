"""hls4ml layers that no synthesised design of the corpus has: what their arithmetic says, and no more.

Their class of errors is ``analogy``, which has the widest interval; GarNet, symbolic expressions and
whatever is not hls4ml's own are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module, timed
from pquant_hls.estimate.operators import Operators
from pquant_hls.qor import FixedPointGraph, Node, Target

WIRES = ("Resize", "Cropping1D", "Cropping2D", "Constant", "Broadcast", "FinalReshape")
Cost = tuple[float, dict[str, float]]
"""(ns from input to result, counts)."""


def analogy(graph: FixedPointGraph, node: Node, target: Target, delay: Operators) -> Module:
    """The module of a layer in LAYERS or WIRES."""
    name = str(node.attrs["op_name"])
    end_ns, counts = (0.0, {}) if name in WIRES else LAYERS[name](graph, node, delay)
    cycles, first, last = timed(end_ns, target.budget_ns)
    return Module(node.name, node.op, "analogy", cycles, first, last, 1, 0, counts)


def refuse(node: Node) -> NotMeasured:
    """The error of an operation without a rule."""
    what = node.attrs.get("op_name", "an unknown operation")
    return NotMeasured(f"no latency rule for {what}", where=node.name, mend="measure the design with csynth")


def _compare(graph: FixedPointGraph, node: Node, delay: Operators) -> Cost:
    """One comparison and one selection for each value; PReLU multiplies by its slope as well."""
    bits, values = graph.node(node.inputs[0]).result.width, _values(graph, node)
    slope = delay.dsp if node.attrs["op_name"] == "PReLU" else 0.0
    counts = {"relu_bits": float(values * (bits + node.result.width)), "dsp": float(values if slope else 0)}
    return delay.relu_ns(bits, rounds=False) + slope, counts


def _lookup(graph: FixedPointGraph, node: Node, delay: Operators) -> Cost:
    """One memory read for each value: an embedding, or a function of one value."""
    size = int(node.attrs.get("vocab_size") or node.attrs.get("table_size") or 1024)
    return _table_ns(delay), {"table_bits": float(_values(graph, node) * size * node.result.width)}


def _normalize(graph: FixedPointGraph, node: Node, delay: Operators) -> Cost:
    """Layer normalization: two sums over a place, a square, a table of 1/sqrt, two products."""
    source = graph.node(node.inputs[0])
    bits, width = source.result.width, source.shape[-1]
    places = 1 if graph.io_type == "io_stream" else max(1, math.prod(source.shape[:-1]))
    levels = math.ceil(math.log2(max(width, 2)))
    end = 2 * (levels + 1) * float(delay.add_ns(2 * bits)) + 3 * delay.dsp + _table_ns(delay)
    counts = {
        "dsp": float(3 * places * width),
        "add_bits": float(3 * places * width * bits),
        "table_bits": float(places * 1024 * node.result.width),
    }
    return end, counts


def _matrix(graph: FixedPointGraph, node: Node, delay: Operators) -> Cost:
    """Sums of products of data (or of a kernel) over the contracted axes."""
    source = graph.node(node.inputs[0])
    terms = int(node.attrs.get("n_contract") or source.shape[-1])
    values, bits = _values(graph, node), source.result.width
    levels = math.ceil(math.log2(max(terms, 2)))
    products = values * terms / max(1, node.reuse_factor)
    counts = {"dsp": float(math.ceil(products)), "add_bits": products * 2.0 * bits}
    return delay.dsp + levels * float(delay.add_ns(2 * bits)), counts


def _table_ns(delay: Operators) -> float:
    return float(
        constants()["tables"]["7series" if delay.family == "7series" else "ultrascale+"]["sigmoid_ns"]
    )


def _values(graph: FixedPointGraph, node: Node) -> int:
    return node.shape[-1] if graph.io_type == "io_stream" and node.shape else math.prod(node.shape)


LAYERS: dict[str, Callable[[FixedPointGraph, Node, Operators], Cost]] = {
    **dict.fromkeys(("PReLU", "BatchNormalizationQuantizedTanh", "BinaryTanh"), _compare),
    **dict.fromkeys(("Embedding", "UnaryLUT", "selu", "softplus", "softsign"), _lookup),
    "LayerNormalization": _normalize,
    **dict.fromkeys(("MatMul", "Dot", "Einsum", "EinsumDense"), _matrix),
}
