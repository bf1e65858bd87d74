"""What a turn would give, before it is paid for: the graph as it may look then, through the estimator.

A forecast only ranks moves; every point is measured after the move.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pquant_hls.decide import KINDS, Bits, Depth, Distributed, Knobs, ReuseFactor, shallower
from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate, floor
from pquant_hls.qor import RESOURCE_NAMES, FixedPointGraph, Latency, QoR, Resources, Target


def outlook(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], then: Mapping[str, float], found: QoR
) -> QoR | None:
    """The record of a design when the knobs turn from ``now`` to ``then``: what was ``found``, and what the estimator
    says the turn changes; None where it cannot tell."""
    before, after = _estimated(graph, target), _estimated(imagine(graph, now, then), target)
    if before is None or after is None:
        return None
    return found.with_(
        latency=_latency(found.latency, before.latency, after.latency),
        resources=_resources(found.resources, before.resources, after.resources),
    )


def at_end(
    graph: FixedPointGraph,
    target: Target,
    now: Mapping[str, float],
    ends: Mapping[str, float],
    least: Mapping[str, float],
    found: QoR,
) -> QoR | None:
    """The record of a design with every knob at its end, by the estimator alone; None where it cannot tell.

    Its latency is that of ``ends``, its resources those of ``least``: where a multiplier may be shared no one design has
    both, and each is the least that can be reached.
    """
    fast, small = (
        [_estimated(imagine(graph, now, knobs), target) for knobs in Distributed.either(Knobs.of(end))]
        for end in (ends, least)
    )
    latencies = [qor.latency for qor in fast if qor is not None and qor.latency is not None]
    sizes = [qor.resources for qor in small if qor is not None and qor.resources is not None]
    if not latencies or not sizes:
        return None
    first = min(latencies, key=lambda one: one.cycles_max_lo or 0)
    return found.with_(latency=first, resources=functools.reduce(_smaller, sizes))


def _smaller(one: Resources, other: Resources) -> Resources:
    """The less of two designs in each resource, with the lower of both ends of the intervals."""
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in RESOURCE_NAMES}
    values = {name: None if None in pair else min(pair) for name, pair in pairs.items()}
    shared = one.intervals.keys() & other.intervals.keys()
    ends = {name: zip(one.intervals[name], other.intervals[name], strict=True) for name in shared}
    return one.with_(**values, intervals={name: tuple(map(min, pair)) for name, pair in ends.items()})


def floor_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], limits: Mapping[str, float]
) -> float | None:
    """The least latency (ns) that an estimate of this architecture can have within the ladders' ends: no tightening gets
    below it (``estimate.floor``), whichever of its layers are left out where they may be. None where the estimator cannot
    tell."""
    before, ends = Knobs.of(now), Knobs.of(limits)
    bits = ends.of_kind(Bits)
    if (old := before.of_kind(ReuseFactor)) and (new := ends.of_kind(ReuseFactor)):
        graph = ReuseFactor.imagine(graph, ReuseFactor.ruling(old), ReuseFactor.ruling(new))
    least, count = int(Bits.ruling(bits)) if bits else 1, 0
    if (old := before.of_kind(Depth)) and (new := ends.of_kind(Depth)):
        count = int(Depth.ruling(new) - Depth.ruling(old))
    try:
        # Of one sum any share of the inputs may go, whatever the sparsity of the whole.
        return min(floor(each, target, bits=least).ns for each in shallower(graph, count))
    except NotMeasured:
        return None


def _estimated(graph: FixedPointGraph, target: Target) -> QoR | None:
    try:
        return estimate(graph, target)
    except NotMeasured:
        return None


def _moved(found: float | None, before: float | None, after: float | None) -> float | None:
    """A figure with what the estimator says it changes by; None where one of the three is not known."""
    if found is None or before is None or after is None:
        return None
    return max(0.0, found + after - before)


def _latency(found: Latency | None, before: Latency | None, after: Latency | None) -> Latency | None:
    if found is None or before is None or after is None:
        return None
    ends = ("cycles_max", "cycles_max_lo", "cycles_max_hi")
    cycles = {name: _moved(*(getattr(each, name) for each in (found, before, after))) for name in ends}
    clocks = {
        name: _moved(*(getattr(each, name) for each in (found, before, after)))
        for name in ("clock_estimated_ns", "clock_estimated_hi_ns")
    }
    whole = {name: None if value is None else round(value) for name, value in cycles.items()}
    return found.with_(cycles_min=None, **_in_order(whole), **clocks)


def _in_order(cycles: Mapping[str, int | None]) -> dict[str, int | None]:
    """The interval holds the value, or is none."""
    value, low, high = cycles["cycles_max"], cycles["cycles_max_lo"], cycles["cycles_max_hi"]
    if value is None or low is None or high is None:
        return {"cycles_max": value, "cycles_max_lo": None, "cycles_max_hi": None}
    return {"cycles_max": value, "cycles_max_lo": min(low, value), "cycles_max_hi": max(high, value)}


def _resources(
    found: Resources | None, before: Resources | None, after: Resources | None
) -> Resources | None:
    if found is None or before is None or after is None:
        return None
    each = (found, before, after)
    values = {name: _moved(*(getattr(one, name) for one in each)) for name in RESOURCE_NAMES}
    intervals = {}
    for name in found.intervals:  # what a tool measured has none, and gets none
        ends = [one.intervals.get(name, (getattr(one, name),) * 2) for one in each]
        low, high = (_moved(*(end[side] for end in ends)) for side in (0, 1))
        if (value := values[name]) is not None and low is not None and high is not None:
            intervals[name] = (min(low, value), max(high, value))
    return found.with_(**values, intervals=intervals)


def imagine(graph: FixedPointGraph, now: Mapping[str, float], then: Mapping[str, float]) -> FixedPointGraph:
    """The graph as each kind of knob imagines its turn; a kind that ``now`` or ``then`` lacks is not turned."""
    before, after = Knobs.of(now), Knobs.of(then)
    for kind in KINDS.values():
        old, new = before.of_kind(kind), after.of_kind(kind)
        if old and new:
            graph = kind.redrawn(graph, old, new)
    return graph
