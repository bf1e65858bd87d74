"""What a trial is preferred for. The budget is no part of it: that is a constraint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pquant_hls.engine import Score
from pquant_hls.errors import NotMeasured


@dataclass(frozen=True)
class TrialFigures:
    """A trial in figures: validation accuracy (of other tasks than classes the share of the original's quality that is
    kept) and the study's figure of quality (shares; by default the same), compression ratio, worst-case latency in ns
    (upper end), LUTs.

    The ``baseline_`` figures are the float model's on the same target. None means not measured. ``score`` has
    all figures by name.
    """

    accuracy: float | None
    quality: float | None
    ratio: float | None
    worst_ns: float | None
    lut: float | None
    baseline_ns: float | None
    baseline_lut: float | None
    score: Score


Objective = Callable[[TrialFigures], float]
"""Higher is better; raises NotMeasured where a figure it needs is missing."""


def gain(accuracy: float, ratio: float) -> float:
    """accuracy * ln(ratio) for a ratio above 1; ratio - 1, at most 0, for what did not shrink.

    Below 1 the logarithm would reward a worse accuracy; both branches meet in 0 at a ratio of 1.
    """
    return accuracy * math.log(ratio) if ratio > 1 else ratio - 1


def compression_accuracy(found: TrialFigures) -> float:
    """accuracy * ln(compression ratio)."""
    return gain(known(found.quality, "the figure of quality"), known(found.ratio, "compression ratio"))


def compression_only(found: TrialFigures) -> float:
    """The compression ratio; what accuracy it may cost is for the budget to say."""
    return known(found.ratio, "compression ratio")


def latency_accuracy(found: TrialFigures) -> float:
    """accuracy * ln(float model's latency / this one's)."""
    ratio = known(found.baseline_ns, "the float model's latency") / known(found.worst_ns, "latency")
    return gain(known(found.quality, "the figure of quality"), ratio)


def resources_accuracy(found: TrialFigures) -> float:
    """accuracy * ln(float model's LUTs / this one's)."""
    ratio = known(found.baseline_lut, "the float model's LUTs") / max(known(found.lut, "LUTs"), 1.0)
    return gain(known(found.quality, "the figure of quality"), ratio)


def known(value: float | None, what: str) -> float:
    """The figure, or NotMeasured naming it."""
    if value is None:
        raise NotMeasured(f"{what} is not known, but the objective needs it")
    return value


OBJECTIVES: Mapping[str, Objective] = {
    "compression_accuracy": compression_accuracy,
    "compression_only": compression_only,
    "latency_accuracy": latency_accuracy,
    "resources_accuracy": resources_accuracy,
}
