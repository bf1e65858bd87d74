"""One node of the graph -> its module, by the rule of its operation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.liveness import Mask
from pquant_hls.estimate.module import Module, timed
from pquant_hls.estimate.operators import Operators
from pquant_hls.estimate.others import LAYERS, analogy, refuse
from pquant_hls.estimate.others import WIRES as COPIES
from pquant_hls.estimate.products import PRODUCTS, product_module
from pquant_hls.estimate.recurrent import recurrent_module
from pquant_hls.estimate.schedule import chain_end
from pquant_hls.estimate.stream import placed, streamed
from pquant_hls.estimate.weights import signed_digits
from pquant_hls.qor import FixedPointGraph, Node, Target

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
WIRES = ("input", "reshape", "transpose", "clone", "concatenate", "zero_padding1d", "zero_padding2d")
CLIPS = ("relu", "hard_tanh", "binary_tanh", "ternary_tanh", "hard_sigmoid", "leaky_relu")
TABLES = ("tanh", "sigmoid", "elu")
MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum")


def layer_module(
    graph: FixedPointGraph, node: Node, target: Target, delay: Operators, live: Mapping[str, Mask]
) -> Module:
    """The module of one node.

    Raises
    ------
    NotMeasured : the node is an operation without a rule; ``where`` is its name.
    """
    other = node.op == "other"
    module = _other(graph, node, target, delay) if other else _module(graph, node, target, delay, live)
    if node.attrs.get("op_name") in RECURRENT:  # the same in a stream: its steps are its places
        return module
    if graph.io_type == "io_stream":
        return streamed(graph, node, module, target)
    return placed(node, module) if node.op in PRODUCTS and len(node.shape) > 1 else module


def _other(graph: FixedPointGraph, node: Node, target: Target, delay: Operators) -> Module:
    """hls4ml layers that the graph has no word of its own for, by the name of their class."""
    name = str(node.attrs.get("op_name", ""))
    if name in RECURRENT:
        return recurrent_module(graph, node, target, delay)
    if name in LAYERS or name in COPIES:
        return analogy(graph, node, target, delay)
    raise refuse(node)


def _module(
    graph: FixedPointGraph, node: Node, target: Target, delay: Operators, live: Mapping[str, Mask]
) -> Module:
    if node.op in WIRES:
        return Module(node.name, node.op)
    if node.op in PRODUCTS:
        return product_module(graph, node, target, delay, live)
    if node.op in TABLES or node.op == "softmax":
        return table_module(graph, node, target, delay)
    end_ns, counts = _combinational(graph, node, target, delay, live.get(node.name))
    cycles, first, last = timed(end_ns, target.budget_ns)
    return Module(node.name, node.op, "logic", cycles, first, last, 1, 0, counts)


def _combinational(
    graph: FixedPointGraph, node: Node, target: Target, delay: Operators, live: Mask | None
) -> tuple[float, dict[str, float]]:
    """End in ns and counts of a node of adders, comparisons and selections."""
    data = graph.node(node.inputs[0]).result
    values = _width(graph, node) if live is None else int(live.sum())
    rounds = (node.result.rounding, node.result.saturation) != ("TRN", "WRAP")
    if node.op == "quantize":
        counts = _clip_counts(values, data.width, node.result.width, rounds=True) if rounds else {}
        return (delay.relu_ns(data.width, rounds=True) if rounds else 0.0), counts
    if node.op in CLIPS:
        return delay.relu_ns(data.width, rounds=rounds), _clip_counts(
            values, data.width, node.result.width, rounds=rounds
        )
    if node.op == "batchnorm":
        return _batchnorm(node, delay, data.width, values)
    if node.op in MERGES:
        product = delay.dsp if node.op == "multiply" else 0.0
        counts = {"dsp" if product else "add_bits": float(values * (1 if product else node.result.width))}
        return product + (0.0 if product else float(delay.add_ns(node.result.width))), counts
    return _pool(graph, node, target, delay, values)


def _clip_counts(values: int, data_bits: int, result_bits: int, *, rounds: bool) -> dict[str, float]:
    return {
        "round_bits" if rounds else "relu_bits": float(values * (data_bits + result_bits)),
        "round_out_bits" if rounds else "out_bits": float(values * result_bits),
        "round_in_bits" if rounds else "in_bits": float(values * data_bits),
    }


def _pool(
    graph: FixedPointGraph, node: Node, target: Target, delay: Operators, values: int
) -> tuple[float, dict[str, float]]:
    """The largest of a window is found by comparing one value after another; averages add as a tree."""
    source = graph.node(node.inputs[0])
    bits = source.result.width
    window = math.prod(node.attrs.get("pool", source.shape[:-1])) or 1
    counts = {
        "add_bits": float(values * (window - 1) * bits),
        "out_bits": float(values * node.result.width),
    }
    if "max" not in node.op:
        divides = delay.dsp if window & (window - 1) else 0.0
        return math.ceil(math.log2(max(window, 2))) * float(delay.add_ns(bits)) + divides, counts
    full, rest = chain_end(window - 1, delay.relu_ns(bits, rounds=False), target.budget_ns)
    counts["waiting_bits"] = 0.5 * full * window * values * bits
    return full * target.budget_ns + rest, counts


def _batchnorm(node: Node, delay: Operators, data_bits: int, values: int) -> tuple[float, dict[str, float]]:
    scale = node.arrays.get("scale")
    multiplies = scale is None or bool((signed_digits(scale.codes) >= 3).any())
    add = float(delay.add_ns(node.result.width))
    counts = {
        "add_bits": float(values * node.result.width),
        "out_bits": float(values * node.result.width),
        "dsp": float(values if multiplies and data_bits > 10 else 0),
    }
    return add + (delay.dsp if multiplies else add), counts


def table_module(graph: FixedPointGraph, node: Node, target: Target, delay: Operators) -> Module:
    """Activations read from a table: an index, one or two memory reads, for softmax a sum and a product."""
    rules = constants()["tables"]
    family = rules["7series" if delay.family == "7series" else "ultrascale+"]
    data, values = graph.node(node.inputs[0]).result, _width(graph, node)
    size = int(node.attrs.get("table_size", 1024))
    bits = node.types.get("table", node.result).width
    if node.op == "softmax":
        time = family["softmax_ns"] + family["softmax_level_ns"] * math.log2(max(values, 2))
        cycles = max(1, round(family["softmax_cycles"] + time / target.budget_ns))
        ordered = node.attrs.get("multiplier") == "fabric"
        cycles = max(1, cycles - (delay.dsp_stages - 1 if ordered else 0))
        counts = {
            "dsp": 0.0 if ordered else float(values),
            "table_bits": float((values + 1) * size * bits),
            "relu_bits": 4.0 * values * data.width,
        }
    else:
        time = family["sigmoid_ns"] + (family["wide_ns"] if data.width > rules["wide_bits"] else 0.0)
        cycles = max(1, math.ceil(time / target.budget_ns) - 1)
        counts = {"table_bits": float(values * size * bits), "relu_bits": 2.0 * values * data.width}
    return Module(node.name, node.op, "table", cycles, target.budget_ns, target.budget_ns, 1, 0, counts)


def _width(graph: FixedPointGraph, node: Node) -> int:
    """Values handled at once: all of them, or those of one place in a stream."""
    return node.shape[-1] if graph.io_type == "io_stream" and node.shape else math.prod(node.shape)
