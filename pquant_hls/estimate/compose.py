"""Layers -> the whole design: cycles along the longest path, resources as the sum."""

from __future__ import annotations

import math

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.layers import LayerEstimate, estimate_layer, operators
from pquant_hls.qor import FixedPointGraph, Latency, LayerQoR, QoR, Resources, Target


def estimate(graph: FixedPointGraph, target: Target) -> QoR:
    """Estimate cycles, ns and resources of the HLS project of ``graph``, each with its interval.

    Returns a QoR with ``source="estimate"`` and ``design="hls"``: ``latency`` (cycles and ns bounds of the worst
    case), ``resources`` with ``intervals``, and one LayerQoR for each node.

    Raises
    ------
    NotMeasured : a node has no rule; ``where`` names it.
    """
    layers = [estimate_layer(graph, node, target) for node in graph.nodes]
    if not layers:
        raise NotMeasured("the graph has no nodes", where=graph.name)
    point, low, high = (_compose(graph, layers, which) for which in ("cycles", "lo", "hi"))
    notes = _notes(graph, target)
    if notes:
        low, high = low // 2, 2 * high + 4
    latency = Latency(
        cycles_max=point, cycles_max_lo=min(low, point), cycles_max_hi=max(high, point),
        ii_cycles=max(layer.ii for layer in layers),
        clock_target_ns=target.clock_ns, clock_uncertainty_ns=target.clock_uncertainty_ns,
        clock_estimated_ns=target.budget_ns, clock_estimated_hi_ns=target.clock_ns if not notes else 1.6 * target.clock_ns,
    )  # fmt: skip
    return QoR(
        design="hls", source="estimate", tool=target.tool, part=target.part, digest=graph.digest(), latency=latency,
        resources=_resources(layers, bool(notes)), layers=tuple(_layer(layer) for layer in layers), notes=tuple(notes),
    )  # fmt: skip


def layer_cycles(graph: FixedPointGraph, target: Target) -> dict[str, tuple[int, int, int]]:
    """(lowest, expected, highest) cycles of each node by name; the same rules as ``estimate``."""
    return {
        node.name: (layer.lo, layer.cycles, layer.hi)
        for node in graph.nodes
        for layer in [estimate_layer(graph, node, target)]
    }


def _compose(graph: FixedPointGraph, layers: list[LayerEstimate], which: str) -> int:
    rules = constants()["composition"]
    done: dict[str, int] = {}
    for node, layer in zip(graph.nodes, layers, strict=True):
        start = max((done[name] for name in node.inputs), default=0)
        done[node.name] = start + getattr(layer, which) + (rules["per_layer"] if layer.counted else 0)
    return max(done[name] for name in graph.outputs) + (rules["top"] if any(x.counted for x in layers) else 0)


def _notes(graph: FixedPointGraph, target: Target) -> list[str]:
    notes = []
    if not operators(target)[1]:
        notes.append(f"no fitted operator delays for family {target.family}: wide interval")
    if graph.io_type == "io_stream":
        notes.append("io_stream: layers overlap, wide interval")
    if target.family == "7series":
        notes.append("7 series: few designs to fit on, wide interval")
    return notes


def _resources(layers: list[LayerEstimate], foreign: bool) -> Resources:
    rules = constants()["resources"]
    spread = rules["relative_foreign" if foreign else "relative"]
    totals = {name: math.fsum(getattr(layer, name) for layer in layers) for name in ("lut", "ff", "dsp", "bram_18k")}
    intervals = {name: (value / (1 + spread), value * (1 + spread) + 8.0) for name, value in totals.items()}
    return Resources(**totals, intervals=intervals)


def _layer(layer: LayerEstimate) -> LayerQoR:
    return LayerQoR(
        name=layer.name, op=layer.op, cycles=layer.cycles, cycles_lo=layer.lo, cycles_hi=layer.hi, ii_cycles=layer.ii,
        lut=layer.lut, ff=layer.ff, dsp=layer.dsp, bram_18k=layer.bram_18k, note=layer.note,
    )  # fmt: skip
