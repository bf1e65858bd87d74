"""Layers that visit one place after another: every layer of an io_stream design, and convolutions in
io_parallel.

The numbers were read from module latencies of synthesised designs; they are ``stream`` and ``conv`` in the
constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.products import UNROLLED
from pquant_hls.qor import FixedPointGraph, Node, Target

Rules = Mapping[str, Any]


def streamed(graph: FixedPointGraph, node: Node, module: Module, target: Target) -> Module:
    """The task of ``node`` in a dataflow region, from what its logic costs at one place."""
    if node.kind.wire or not node.inputs:
        return module
    rules = constants()["stream"]
    reads, writes = _places(graph, node), max(1, math.prod(node.shape[:-1]))
    if node.kind.dense:
        cycles = _dense(node, module, reads, rules)
    elif node.kind.convolution:
        cycles = _convolution(node, module, reads, target, rules)
    elif has_pool_windows(node):
        slow = node.kind.rank == 2 and target.family == "7series"
        slow = slow and target.clock_ns <= rules["pool_slow_clock_ns"]
        cycles = reads * (2 if slow else 1) + rules["end_cycles"]
    else:
        places = max(reads, writes) * _elements(graph, node)
        cycles = places + (rules["end_cycles"] if places > 1 else 0) + module.cycles
    return replace(
        module,
        rule=_rule(node, module),
        cycles=cycles,
        first_ns=math.inf,
        last_ns=math.inf,
        ii_cycles=max(1, cycles),
        counts={**module.counts, **_task_counts(graph, node)},
    )


def _rule(node: Node, module: Module) -> str:
    """Products that queue for multipliers at each place have a rule of their own."""
    if module.rule in ("analogy", UNROLLED):
        return module.rule
    queues = (
        node.kind.convolution and node.reuse_factor > 1 and not node.strategy.lower().startswith("resource")
    )
    return "stream_reuse" if queues else "stream"


def has_pool_windows(node: Node) -> bool:
    return node.kind.pool and not node.kind.whole


def _elements(graph: FixedPointGraph, node: Node) -> int:
    """Kernels that are not hls4ml's own pass the channels of a place one by one."""
    return graph.node(node.inputs[0]).shape[-1] if node.attrs.get("foreign") else 1


def _task_counts(graph: FixedPointGraph, node: Node) -> dict[str, float]:
    """What a task holds beside its logic: the window of places, whole lines of them, and its ports."""
    source = graph.node(node.inputs[0])
    bits = float(source.shape[-1] * source.result.width) if source.shape else 1.0
    window = _window(node)
    if node.kind.dense and len(source.shape) > 1:  # all places are gathered before the product
        window = list(source.shape[:-1])
    lines = float((window[0] - 1) * source.shape[-2]) if len(window) > 1 and not node.kind.dense else 0.0
    return {
        "tasks": 1.0,
        "port_bits": bits + float(node.shape[-1] * node.result.width),
        "window_bits": bits * math.prod(window) if window else 0.0,
        "line_bits": bits * lines,
    }


def _window(node: Node) -> list[int]:
    """Places of the kernel or of the pool along each axis; nothing for layers of single places."""
    if has_pool_windows(node):
        return [int(size) for size in node.attrs.get("pool", ())]
    if not node.kind.convolution:
        return []
    if "kernel" in node.attrs:
        return [int(size) for size in node.attrs["kernel"]]
    weight = node.arrays.get("weight")
    return [] if weight is None else [int(size) for size in weight.codes.shape[:-2]]


def _places(graph: FixedPointGraph, node: Node) -> int:
    """Places of the largest input; a vector is one place."""
    return max((max(1, math.prod(graph.node(name).shape[:-1])) for name in node.inputs), default=1)


def _dense(node: Node, module: Module, reads: int, rules: Rules) -> int:
    gather = reads if reads > 1 else 0
    if not node.strategy.lower().startswith("resource") and node.reuse_factor == 1:
        return gather + module.cycles + int(rules["dense_cycles"])
    return gather + max(module.cycles, node.reuse_factor) + int(rules["resource_dense_cycles"])


def _convolution(node: Node, module: Module, reads: int, target: Target, rules: Rules) -> int:
    """Vivado HLS starts a place at every initiation interval; Vitis HLS, and Resource, finish one before
    the next.
    """
    if node.strategy.lower().startswith("resource"):
        return reads * (node.reuse_factor + _resource_place(node, module, target, rules))
    if target.tool == "vivado":
        return reads * module.ii_cycles + module.cycles + int(rules["conv_end_cycles"])
    return reads * (module.cycles + int(rules["place_cycles"])) + int(rules["end_cycles"])


def _resource_place(node: Node, module: Module, target: Target, rules: Rules) -> int:
    """Cycles of one place beside its reuse: the window, the product, the last sums."""
    clips = int(rules["clip_place_cycles"]) if module.counts.get("saturate_bits") else 0
    if target.family != "7series" or target.budget_ns > rules["slow_ns"]:
        return int(rules["resource_place_cycles"]["ultrascale+"]) + clips
    terms = _terms(node)
    levels = max(0, math.floor(math.log2(max(terms, 1) / node.reuse_factor)))
    place = rules["resource_place_cycles"]["7series" if module.counts.get("dsp") else "ultrascale+"]
    return int(place) + clips + levels // 2


def _terms(node: Node) -> int:
    """Products in one output's sum; 1 where the weights are not known."""
    weight = node.arrays.get("weight")
    return int(node.attrs.get("n_in", 1)) if weight is None else math.prod(weight.codes.shape[:-1])


def placed(node: Node, module: Module) -> Module:
    """A convolution in io_parallel: all places at once where it is pointwise, else partition by partition."""
    places = max(1, math.prod(node.shape[:-1]))
    factor = max(1, int(node.attrs.get("parallelization_factor", 1)))
    partitions = int(node.attrs.get("n_partitions", math.ceil(places / factor)))
    visits = 1 if is_pointwise(node) else partitions
    built = math.ceil(places / (node.reuse_factor if is_pointwise(node) else visits))
    counts = {name: value * built for name, value in module.counts.items()}
    if visits > 1:  # each partition reads and writes places that are chosen at run time
        counts["select_bits"] = float(math.prod(node.shape) * node.result.width)
    cycles = module.cycles + (visits * node.reuse_factor + 2 if visits > 1 else 0)
    return replace(module, rule="conv", cycles=cycles, ii_cycles=max(module.ii_cycles, visits), counts=counts)


def is_pointwise(node: Node) -> bool:
    """One-dimensional pointwise convolutions have a kernel of their own that takes all places at once."""
    if not node.kind.convolution or node.kind.rank != 1 or node.kind.depthwise:
        return False
    weight = node.arrays.get("weight")
    if "kernel" in node.attrs:
        return bool(math.prod(node.attrs["kernel"]) == 1)
    return weight is not None and weight.codes.ndim > 2 and math.prod(weight.codes.shape[:-2]) == 1


def stream_added(modules: tuple[Module, ...], whole: int) -> list[int]:
    """Tasks overlap: the slowest one of a path, ``whole`` by its index, counts whole, every other one only until its
    first result.
    """
    rules = constants()["stream"]
    fill = [
        0 if module.is_wire else math.ceil(rules["fill_cycles"] + rules["fill_share"] * module.cycles)
        for module in modules
    ]
    return [module.cycles if index == whole else fill[index] for index, module in enumerate(modules)]
