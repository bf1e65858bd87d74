"""Registers of a pipelined top between its layers: what each sum reads, and what waits for a longer branch.

Counted from what never grows when weights are taken away (bits, logic depth), not from one schedule's states: there
one layer that fits its neighbour's stage moves a border to where more bits cross.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pquant_hls.estimate.elements import own_bits
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.site import Mask
from pquant_hls.qor import FixedPointGraph, Node

STAGED = ("add_bits", "dsp", "round_in_bits", "round_out_bits")
"""Counts of logic that also holds bits in registers, where the clock cuts it at all."""


def with_borders(
    graph: FixedPointGraph,
    modules: tuple[Module, ...],
    cycles: int,
    live: Mapping[str, Mask],
    budget_ns: float,
) -> tuple[Module, ...]:
    """The modules with the bits of their results that wait in registers of the top, by states they wait.

    Ports are registered. What a layer with weights reads is, as far as the design's ``cycles`` go around.
    """
    layers = sum(node.kind.weighted for node in graph.nodes)
    share = min(1.0, cycles / max(layers, 1))
    states = {node.name: 1.0 if node.is_input else 0.0 for node in graph.nodes}
    for name in {node.inputs[0] for node in graph.nodes if node.kind.weighted}:
        states[name] += share
    own = {module.name: module for module in modules}
    for name, waiting_ns in _waits(graph, own, budget_ns):
        states[name] += waiting_ns / budget_ns
    held = []
    for node, module in zip(graph.nodes, modules, strict=True):
        staged = {f"staged_{name}": share * module.counts[name] for name in STAGED if name in module.counts}
        border = {"border_bits": states[node.name] * _bits(graph, node, live)}
        held.append(replace(module, counts={**module.counts, **staged, **border}))
    return tuple(held)


def _bits(graph: FixedPointGraph, node: Node, live: Mapping[str, Mask]) -> float:
    own = own_bits(graph, node.name)
    return float(own[live[node.name]].sum() if node.name in live else own.sum())


def _waits(
    graph: FixedPointGraph, modules: Mapping[str, Module], budget_ns: float
) -> list[tuple[str, float]]:
    """(node, ns) for each input of a node with several: the logic on its longest other branch since they parted."""
    before: dict[str, set[str]] = {}
    found = []
    for node in graph.nodes:
        before[node.name] = {node.name}.union(*(before[name] for name in node.inputs))
        inputs = sorted(set(node.inputs))
        if len(inputs) > 1:
            common = set.intersection(*(before[name] for name in inputs))
            depth = _depths(graph, modules, common, budget_ns)
            found += [(name, max(depth[other] for other in inputs if other != name)) for name in inputs]
    return found


def _depths(
    graph: FixedPointGraph, modules: Mapping[str, Module], common: set[str], budget_ns: float
) -> dict[str, float]:
    """ns of logic from what all branches share to the result of each node."""
    depth: dict[str, float] = {}
    for node in graph.nodes:
        reached = max((depth[name] for name in node.inputs), default=0.0)
        depth[node.name] = 0.0 if node.name in common else reached + _length(modules[node.name], budget_ns)
    return depth


def _length(module: Module, budget_ns: float) -> float:
    return module.cycles * budget_ns + module.last_ns if module.cycles else module.first_ns
