"""One node of the graph -> the cycles and resources of its module."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.weights import chain_lengths, magnitude_bits, signed_digits
from pquant_hls.qor import FixedPointGraph, FixedType, Node, Target

FREE = ("input", "quantize", "relu", "leaky_relu", "hard_tanh", "binary_tanh", "ternary_tanh", "hard_sigmoid",
        "batchnorm", "reshape", "transpose", "clone", "concatenate", "zero_padding1d", "zero_padding2d")  # fmt: skip
TABLES = ("tanh", "sigmoid", "elu")
MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum")


@dataclass(frozen=True)
class LayerEstimate:
    """Cycles (with bounds), initiation interval and resources of one module.

    ``counted`` says that the module is a stage of its own in the pipeline of the top; free ones are folded into
    their neighbours.
    """

    name: str
    op: str
    cycles: int = 0
    lo: int = 0
    hi: int = 0
    ii: int = 1
    counted: bool = False
    kind: str = "known"
    lut: float = 0.0
    ff: float = 0.0
    dsp: float = 0.0
    bram_18k: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Weights:
    """Integer weights (n_in, n_out) of one layer, or a stand-in of the same statistics where they are unknown."""

    codes: NDArray[np.int64]
    known: bool


def operators(target: Target) -> tuple[dict[str, object], bool]:
    """Operator delays in ns for the target's family and tool, and whether that family was fitted."""
    table = constants()["operators"]
    key = f"{target.family}/{target.tool}"
    return (table[key], True) if key in table else (table[f"ultrascale/{target.tool}"], False)


def input_type(graph: FixedPointGraph, node: Node) -> FixedType:
    return graph.node(node.inputs[0]).result if node.inputs else node.result


def estimate_layer(graph: FixedPointGraph, node: Node, target: Target) -> LayerEstimate:
    """Estimate one module.

    Raises
    ------
    NotMeasured : the node is an operation without a rule; ``where`` is its name.
    """
    if node.op == "other":
        what = node.attrs.get("op_name", "an operation")
        raise NotMeasured(f"no latency rule for {what}", where=node.name, mend="measure it with csynth")
    if node.op in FREE:
        width = node.result.width * math.prod(node.shape)
        return LayerEstimate(node.name, node.op, lut=float(width if node.op not in ("input", "reshape") else 0))
    if node.op in ("dense", "conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d"):
        return _product_layer(graph, node, target)
    return _other_layer(node, target)


def _other_layer(node: Node, target: Target) -> LayerEstimate:
    rules = constants()["composition"]
    scale = 5.0 / target.clock_ns * (1.0 if target.family.startswith("ultra") else 2.0)
    base = rules["softmax"] if node.op == "softmax" else rules["table"] if node.op in TABLES else 1
    cycles = max(0, round(base * scale))
    bits = float(node.result.width * math.prod(node.shape))
    return LayerEstimate(node.name, node.op, cycles, max(0, cycles - 2), cycles + 4, counted=True, lut=4 * bits, ff=bits,
                         kind="known" if node.op in (*TABLES, "softmax") else "foreign")  # fmt: skip


def _product_layer(graph: FixedPointGraph, node: Node, target: Target) -> LayerEstimate:
    weights = layer_weights(node)
    data = input_type(graph, node)
    positions = 1 if graph.io_type == "io_stream" else max(1, math.prod(node.shape[:-1]))
    if node.strategy == "latency":
        kind, cycles = latency_cycles(weights, data, node.types.get("accum", node.result), target)
        cycles = cycles if node.reuse_factor == 1 else cycles + node.reuse_factor
    else:
        kind, cycles = "known", node.reuse_factor + constants()["composition"]["resource_extra"]
    if graph.io_type == "io_stream":
        kind, cycles = "foreign", cycles + math.prod(node.shape[:-1]) * node.reuse_factor
    if not weights.known or node.reuse_factor > 1:
        kind = "foreign"
    bound = constants()["interval"][kind]
    slack = bound["relative"] * cycles + bound["absolute"]
    lut, ff, dsp = product_resources(weights, data, cycles, positions)
    return LayerEstimate(node.name, node.op, cycles, max(0, math.floor(cycles - slack)), math.ceil(cycles + slack),
                         ii=node.reuse_factor, counted=True, kind=kind, lut=lut, ff=ff, dsp=dsp)  # fmt: skip


def layer_weights(node: Node) -> Weights:
    """The node's integer weights as (terms of one sum, outputs)."""
    array = node.arrays.get("weight")
    if array is not None:
        codes = array.codes
        if node.op.startswith("depthwise"):
            codes = codes.reshape(-1, codes.shape[-2] * codes.shape[-1])
        return Weights(codes.reshape(-1, codes.shape[-1]), known=True)
    n_in, n_out = int(node.attrs.get("n_in", 1)), int(node.attrs.get("n_out", node.shape[-1]))
    kind = node.types.get("weight", node.result)
    codes = np.random.default_rng(0).integers(kind.code_min, kind.code_max + 1, (n_in, n_out))
    zeros = int(node.attrs.get("n_zeros", 0))
    codes.reshape(-1)[np.random.default_rng(1).permutation(codes.size)[:zeros]] = 0
    return Weights(codes, known=False)


def latency_cycles(weights: Weights, data: FixedType, accum: FixedType, target: Target) -> tuple[str, int]:
    """Cycles of a fully unrolled dense layer: products, then a balanced tree or a chain of adds.

    Every stage holds as many operators as fit the clock budget (target - uncertainty, ns).
    """
    delay, fitted = operators(target)
    codes = weights.codes
    if not codes.any():
        return "known", 0
    add, tree = float(str(delay["add"])), float(str(delay["tree"]))
    if is_chain(codes, data, accum):
        levels = math.ceil(int(chain_lengths(codes).max()) / 2)
        return "chain", math.ceil(levels / max(1, math.floor(target.budget_ns / add))) - 1
    digits, width = signed_digits(codes), magnitude_bits(codes) + data.width
    leaf = np.select([digits <= 1, digits == 2], [0.0, add], default=_mul(delay["mul"], width))
    base = 3 if data.width + int(magnitude_bits(codes).max()) <= 15 else 2
    top = leaf.max(0)
    weight = np.where(codes == 0, 0.0, float(base) ** ((leaf - top) / tree)).sum(0)
    levels_out = np.ceil(np.log(np.maximum(weight, 1.0)) / math.log(base) - 1e-9)
    stages = max(_pack(float(t), int(n), tree, target.budget_ns) for t, n in zip(top, levels_out, strict=True))
    return ("known" if fitted else "foreign"), stages - 1


def is_chain(codes: NDArray[np.int64], data: FixedType, accum: FixedType) -> bool:
    """Negations fold into subtractions where weights are -1, 0, 1 and the sum is not wider than the input."""
    size = np.abs(codes)
    return bool(size.max() <= 1 and accum.width <= data.width + 1)


def _mul(table: object, width: NDArray[np.int64]) -> NDArray[np.float64]:
    rows = [(int(w), float(t)) for w, t in table]  # type: ignore[attr-defined]
    return np.select([width <= limit for limit, _ in rows], [t for _, t in rows], rows[-1][1])


def _pack(first_ns: float, levels: int, level_ns: float, budget_ns: float) -> int:
    """Stages of at most ``budget_ns`` for one operator of ``first_ns`` followed by ``levels`` of ``level_ns``."""
    stages, left = 1, budget_ns - first_ns
    for _ in range(levels):
        if left < level_ns:
            stages, left = stages + 1, budget_ns
        left -= level_ns
    return stages


def product_resources(weights: Weights, data: FixedType, cycles: int, positions: int) -> tuple[float, float, float]:
    """LUT, FF and DSP of the constant multipliers and adders of one layer."""
    rules = constants()["resources"]
    codes = weights.codes
    digits, bits = signed_digits(codes), magnitude_bits(codes) + data.width
    is_dsp = (digits > 2) & (bits >= rules["dsp_bits"])
    adders = np.where(is_dsp, 0, np.maximum(digits - 1, 0)) + (codes != 0)
    lut = float((adders * bits).sum()) * rules["lut_per_bit"] * positions
    ff = rules["ff_per_bit"] * cycles * (codes.shape[0] * data.width / 2 + codes.shape[1] * (data.width + 6)) * positions
    return lut, float(ff), float(is_dsp.sum() * positions)
