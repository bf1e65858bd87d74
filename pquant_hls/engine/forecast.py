"""What a tightening would give, before it is paid for: the graph as it may look then, through the estimator.

A forecast only ranks moves; every point is measured after the move.
"""

from __future__ import annotations

from collections.abc import Mapping

from pquant_hls.decide import KINDS, Knobs
from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.qor import FixedPointGraph, Target


def forecast_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], then: Mapping[str, float]
) -> float | None:
    """Upper end of the estimated worst-case latency in ns when the knobs turn from ``now`` to ``then``."""
    return _latency(imagine(graph, now, then), target, upper=True)


def floor_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], limits: Mapping[str, float]
) -> float | None:
    """Lower end of the estimated latency in ns with every knob at its limit: no tightening gets below it."""
    return _latency(imagine(graph, now, limits), target, upper=False)


def _latency(graph: FixedPointGraph, target: Target, *, upper: bool) -> float | None:
    try:
        latency = estimate(graph, target).latency
    except NotMeasured:
        return None
    if latency is None:
        return None
    return latency.worst_ns_hi if upper else latency.worst_ns_lo


def imagine(graph: FixedPointGraph, now: Mapping[str, float], then: Mapping[str, float]) -> FixedPointGraph:
    """The graph as each kind of knob imagines its turn; a kind that ``now`` or ``then`` lacks is not turned."""
    before, after = Knobs.of(now), Knobs.of(then)
    for kind in KINDS.values():
        old, new = before.of_kind(kind), after.of_kind(kind)
        if old and new:
            graph = kind.imagine(graph, kind.ruling(old), kind.ruling(new))
    return graph
