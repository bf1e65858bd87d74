"""Layers that visit one place after another: every layer of an io_stream design, and convolutions in
io_parallel.

The numbers were read from module latencies of synthesised designs; they are ``stream`` and ``conv`` in the
constants.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.qor import FixedPointGraph, Node, Target

POOLS = ("max_pooling1d", "max_pooling2d", "average_pooling1d", "average_pooling2d")


def streamed(graph: FixedPointGraph, node: Node, module: Module, target: Target) -> Module:
    """The task of ``node`` in a dataflow region, from what its logic costs at one place."""
    if node.op in ("input", "reshape"):
        return module
    rules = constants()["stream"]
    reads, writes = _places(graph, node), max(1, math.prod(node.shape[:-1]))
    if node.op == "dense":
        cycles = _dense(node, module, reads, rules)
    elif "weight" in node.types or node.op.startswith(("conv", "depthwise")):
        cycles = _convolution(node, module, reads, target, rules)
    elif node.op in POOLS:
        slow = target.family == "7series" and target.clock_ns <= rules["pool_slow_clock_ns"]
        cycles = reads * (2 if slow else 1) + rules["end_cycles"]
    else:
        places = max(reads, writes)
        cycles = places + (rules["end_cycles"] if places > 1 else 0) + module.cycles
    return replace(
        module, rule="stream", cycles=cycles, first_ns=math.inf, last_ns=math.inf, ii_cycles=max(1, cycles)
    )


def _places(graph: FixedPointGraph, node: Node) -> int:
    """Places of the largest input; a vector is one place."""
    return max((max(1, math.prod(graph.node(name).shape[:-1])) for name in node.inputs), default=1)


def _dense(node: Node, module: Module, reads: int, rules: dict[str, float]) -> int:
    gather = reads if reads > 1 else 0
    if node.strategy.lower() != "resource" and node.reuse_factor == 1:
        return gather + module.cycles + int(rules["dense_cycles"])
    return gather + max(module.cycles, node.reuse_factor) + int(rules["resource_dense_cycles"])


def _convolution(node: Node, module: Module, reads: int, target: Target, rules: dict[str, float]) -> int:
    """Vivado HLS starts a place at every initiation interval; Vitis HLS, and Resource, finish one before
    the next.
    """
    if node.strategy.lower() == "resource":
        return reads * (node.reuse_factor + int(rules["resource_place_cycles"]))
    if target.tool == "vivado":
        return reads * module.ii_cycles + module.cycles + int(rules["conv_end_cycles"])
    return reads * (module.cycles + int(rules["place_cycles"])) + int(rules["end_cycles"])


def placed(node: Node, module: Module) -> Module:
    """A convolution in io_parallel: all places at once where it is pointwise, else partition by partition."""
    places = max(1, math.prod(node.shape[:-1]))
    factor = max(1, int(node.attrs.get("parallelization_factor", 1)))
    partitions = int(node.attrs.get("n_partitions", math.ceil(places / factor)))
    visits = 1 if is_pointwise(node) else partitions
    built = math.ceil(places / (node.reuse_factor if is_pointwise(node) else visits))
    counts = {name: value * built for name, value in module.counts.items()}
    cycles = module.cycles + (visits * node.reuse_factor + 2 if visits > 1 else 0)
    return replace(module, rule="conv", cycles=cycles, ii_cycles=max(module.ii_cycles, visits), counts=counts)


def is_pointwise(node: Node) -> bool:
    weight = node.arrays.get("weight")
    if "kernel" in node.attrs:
        return math.prod(node.attrs["kernel"]) == 1 and not node.op.startswith("depthwise")
    return weight is not None and weight.codes.ndim > 2 and math.prod(weight.codes.shape[:-2]) == 1


def stream_added(modules: tuple[Module, ...]) -> list[int]:
    """Tasks overlap: the slowest one counts whole, every other one only until its first result."""
    rules = constants()["stream"]
    slowest = max(range(len(modules)), key=lambda index: modules[index].cycles)
    fill = [
        0 if module.is_wire else math.ceil(rules["fill_cycles"] + rules["fill_share"] * module.cycles)
        for module in modules
    ]
    return [module.cycles if index == slowest else fill[index] for index, module in enumerate(modules)]
