"""Modules -> the whole design: cycles along the longest path, resources as the sum, each with its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.borders import with_borders
from pquant_hls.estimate.channels import with_channels
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.intervals import (
    OFFSET,
    bounds,
    design_class,
    resource_class,
    scaled,
    slowest_ns,
    strange,
    widened,
)
from pquant_hls.estimate.layers import layer_module
from pquant_hls.estimate.liveness import live_values
from pquant_hls.estimate.module import Module, Moment
from pquant_hls.estimate.operators import operators
from pquant_hls.estimate.products import UNROLLED, top_rule
from pquant_hls.estimate.resources import NAMES, module_resources, resource_model
from pquant_hls.estimate.site import Site
from pquant_hls.estimate.stream import stream_added
from pquant_hls.qor import FixedPointGraph, Latency, LayerQoR, QoR, Resources, Target

UNPROMISED = "no synthesised design of"
"""How the note begins that says that no interval of an estimate has been tried."""


@dataclass(frozen=True)
class Estimate:
    """Point estimates of one design before bounds are put on them.

    ``added`` are the cycles each module adds to the latency of the top; ``key`` is the class of
    errors of its cycles, ``resource_key`` that of its resources, and ``model`` what these are computed with.
    """

    cycles: int
    ii_cycles: int
    added: dict[str, int]
    modules: tuple[Module, ...]
    resources: dict[str, dict[str, float]]
    key: str
    resource_key: str
    model: str
    fitted: bool

    def total(self, name: str) -> float:
        return math.fsum(entry[name] for entry in self.resources.values())

    def span(self, name: str) -> tuple[float, float]:
        """The least and the most of a resource that the rules leave open, before errors are counted."""
        if name != "dsp":
            return self.total(name), self.total(name)
        spans = [module.dsp_span for module in self.modules]
        return math.fsum(low for low, _ in spans), math.fsum(high for _, high in spans)


def estimate(graph: FixedPointGraph, target: Target) -> QoR:
    """Estimate cycles, ns and resources of the HLS project of ``graph``, each with its interval.

    Returns a QoR with ``source="estimate"`` and ``design="hls"``: ``latency`` (worst case in cycles, its
    bounds, the bound of the clock in ns), ``resources`` with ``intervals``, and one LayerQoR for each node,
    whose ``cycles`` are what the layer adds to the latency of the whole.

    Raises
    ------
    NotMeasured : a node has no rule, ``where`` names it; or the target's tool has none.
    """
    point = point_estimate(graph, target)
    cycles = cycles_span(graph, target, point)
    return QoR(
        design="hls",
        source="estimate",
        tool=target.tool,
        part=target.part,
        digest=graph.digest(),
        latency=_latency(point, target, cycles),
        resources=_resources(point),
        layers=_layers(point, cycles),
        notes=_notes(point, target),
    )


def layer_cycles(graph: FixedPointGraph, target: Target) -> dict[str, tuple[int, int, int]]:
    """(lowest, expected, highest) cycles that each node adds to the latency of the whole, by name."""
    point = point_estimate(graph, target)
    return {
        layer.name: (layer.cycles_lo or 0, layer.cycles or 0, layer.cycles_hi or 0)
        for layer in _layers(point, cycles_span(graph, target, point))
    }


def cycles_span(graph: FixedPointGraph, target: Target, point: Estimate) -> tuple[int, int]:
    """Fewest and most cycles of ``graph``: by its class's bounds, or as scheduled with faster and slower logic."""
    limits, _ = bounds(point.key, "cycles")
    if limits.scale == "delay":
        ends = [point_estimate(graph, slower(target, factor)).cycles for factor in (limits.low, limits.high)]
        return min(ends[0], point.cycles), max(ends[1], point.cycles)
    low, high = limits.around(point.cycles, OFFSET["cycles"])
    return min(math.floor(low + 1e-9), point.cycles), max(math.ceil(high - 1e-9), point.cycles)


def slower(target: Target, logarithm: float) -> Target:
    """The target on which all logic takes ``exp(logarithm)`` times as long, told by the clock instead."""
    factor = math.exp(-logarithm)
    return target.model_copy(
        update={
            "clock_ns": target.clock_ns * factor,
            "clock_uncertainty_ns": target.clock_uncertainty_ns * factor,
        }
    )


def point_estimate(graph: FixedPointGraph, target: Target) -> Estimate:
    """The rules without their bounds; what the fit measures the errors of."""
    if not graph.nodes:
        raise NotMeasured("the graph has no nodes", where=graph.name)
    delay = operators(target)
    live = live_values(graph)
    modules = tuple(layer_module(Site(graph, node, target, delay, live)) for node in graph.nodes)
    if graph.io_type == "io_stream":
        added = _streams(graph, modules)
        modules = with_channels(graph, modules, target)
    elif is_dataflow(modules):
        added = _dataflow(graph, modules)
        modules = with_channels(graph, modules, target)
    else:
        times = _pipeline(graph, modules, target)
        added = {name: end.state - start.state for name, (start, end) in times.items()}
        modules = with_borders(graph, modules, _total(graph, added), live, target.budget_ns)
    streams, tasks = graph.io_type == "io_stream", is_dataflow(modules)
    groups = tasks or any(
        module.rule == UNROLLED for module in modules
    )  # of multipliers, as the tasks have them
    top = 0 if streams or tasks else top_rule(target)["cycles"]
    model = resource_model(modules, target, streams=streams, tasks=groups)
    key = design_class(graph, list(modules), target)
    return Estimate(
        cycles=max(0, _total(graph, added) + top),
        ii_cycles=max(module.ii_cycles for module in modules),
        added=added,
        modules=modules,
        key=key,
        resource_key=resource_class(graph, key),
        model=model,
        fitted=delay.fitted,
        resources={module.name: module_resources(module, model) for module in modules},
    )


def is_dataflow(modules: tuple[Module, ...]) -> bool:
    """Whether hls4ml writes the top of an io_parallel design as tasks instead of one pipeline."""
    return any(module.loops or module.rule in ("conv", "resource") for module in modules)


def _pipeline(
    graph: FixedPointGraph, modules: tuple[Module, ...], target: Target
) -> dict[str, tuple[Moment, Moment]]:
    """(inputs ready, result ready) of each module in the pipelined top, which starts each as soon as it
    can.
    """
    times: dict[str, tuple[Moment, Moment]] = {}
    ports = Moment(0, float(constants()["start_ns"]))
    for node, module in zip(graph.nodes, modules, strict=True):
        ready = [times[name][1] for name in node.inputs]
        start = max(ready, key=lambda at: (at.state, at.used_ns), default=ports)
        times[node.name] = start, start.after(module, target.budget_ns)
    return times


def _streams(graph: FixedPointGraph, modules: tuple[Module, ...]) -> dict[str, int]:
    """Tasks of streams run side by side: the path is looked for on which the one that counts whole adds most."""
    names = [node.name for node in graph.nodes]
    slowest = sorted(
        range(len(modules)), key=lambda index: -modules[index].cycles
    )  # of equal ones the slower task
    ways = (dict(zip(names, stream_added(modules, whole), strict=True)) for whole in slowest)
    return max(ways, key=lambda added: _total(graph, added))


def _dataflow(graph: FixedPointGraph, modules: tuple[Module, ...]) -> dict[str, int]:
    """Tasks of a dataflow top without streams follow each other, with one cycle to hand over between two."""
    built = [not module.is_wire for module in modules]
    first = built.index(True) if any(built) else -1
    return {
        node.name: module.cycles + (1 if built[index] and index != first else 0)
        for index, (node, module) in enumerate(zip(graph.nodes, modules, strict=True))
    }


def _total(graph: FixedPointGraph, added: dict[str, int]) -> int:
    done: dict[str, int] = {}
    for node in graph.nodes:
        done[node.name] = max((done[name] for name in node.inputs), default=0) + added[node.name]
    return max(done[name] for name in graph.outputs)


def _latency(point: Estimate, target: Target, cycles: tuple[int, int]) -> Latency:
    slow = max(module.slow_ns for module in point.modules)
    return Latency(
        cycles_max=point.cycles,
        cycles_max_lo=cycles[0],
        cycles_max_hi=cycles[1],
        ii_cycles=point.ii_cycles,
        clock_target_ns=target.clock_ns,
        clock_uncertainty_ns=target.clock_uncertainty_ns,
        clock_estimated_ns=max(target.budget_ns, slow),
        clock_estimated_hi_ns=max(target.clock_ns, slow, slowest_ns(point.key)),
    )


def _resources(point: Estimate) -> Resources:
    values = {name: point.total(name) for name in NAMES}
    return Resources(
        lut=values["lut"],
        ff=values["ff"],
        dsp=values["dsp"],
        bram_18k=values["bram_18k"],
        intervals={name: around(point, name) for name in NAMES},
    )


def around(point: Estimate, name: str) -> tuple[float, float]:
    """The interval of a resource; what no rule leaves room for is 0 for certain."""
    limits, _ = bounds(point.resource_key, name)
    low, high = point.span(name)
    least = scaled(low, OFFSET[name], limits.low) if low > 0 else 0.0
    return min(least, point.total(name)), max(
        scaled(high, OFFSET[name], limits.high) if high > 0 else 0.0, point.total(name)
    )


def _layers(point: Estimate, span: tuple[int, int]) -> tuple[LayerQoR, ...]:
    """The spread of the whole, shared in proportion to the layers' cycles, at least one cycle each."""
    low, high = span
    down, up = (point.cycles - low) / max(point.cycles, 1), (high - point.cycles) / max(point.cycles, 1)
    return tuple(_layer(module, point, down, up) for module in point.modules)


def _layer(module: Module, point: Estimate, down: float, up: float) -> LayerQoR:
    cycles, used = point.added[module.name], point.resources[module.name]
    hardware = not module.is_wire
    return LayerQoR(
        name=module.name,
        op=module.op,
        cycles=cycles,
        ii_cycles=module.ii_cycles,
        note=module.note,
        cycles_lo=max(0, cycles - math.ceil(down * cycles + hardware)) if hardware else cycles,
        cycles_hi=cycles + math.ceil(up * cycles + hardware) if hardware else cycles,
        **used,
    )


def _notes(point: Estimate, target: Target) -> tuple[str, ...]:
    notes = []
    if not point.fitted:
        notes.append(
            f"no operator delays of {target.family} with {target.tool}: those of the nearest family stand in"
        )
    stranger = strange(point.key)
    if stranger:
        notes.append(
            f"{UNPROMISED} {stranger}: intervals are {widened(point.key)}, and no coverage is promised"
        )
    elif not bounds(point.key, "cycles")[1]:
        notes.append(f"class {point.key} was not synthesised: interval of the nearest class")
    if any(module.rule == "unseen_weights" for module in point.modules):
        notes.append("weights unknown: typical ones assumed")
    if any(module.rule == "chain" for module in point.modules):
        notes.append(
            "subtractions keep the tool from balancing some sums: a wider accumulator would make them shorter"
        )
    return tuple(notes)
