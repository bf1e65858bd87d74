"""Bounds of an estimate: quantiles of the errors made on designs that took no part in the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.qor import FixedPointGraph, Target

ORDER = ("stream", "conv", "resource", "reuse", "distributed", "unseen_weights", "chain", "tree")
"""The rule a design is classed by is the first of these that any of its modules uses."""
OFFSET = {"cycles": 1.0, "lut": 200.0, "ff": 200.0, "dsp": 10.0, "bram_18k": 4.0}
"""Added to both sides before ratios are taken, so that small counts have finite ratios."""
FAST_NS, SLOW_NS = 3.0, 7.0
"""Clock budgets in ns outside which errors are counted apart."""
UNSEEN = 2.0
"""How much wider the bounds of a nearest class are made for a class without designs of its own."""


@dataclass(frozen=True)
class Bounds:
    """``low`` and ``high`` as differences in cycles (``scale`` "cycles") or as logarithms of ratios
    ("ratio").
    """

    scale: str
    low: float
    high: float

    def around(self, value: float, offset: float) -> tuple[float, float]:
        if self.scale == "cycles":
            return max(0.0, value + self.low), value + self.high
        low = (value + offset) * math.exp(self.low) - offset
        return max(0.0, low), (value + offset) * math.exp(self.high) - offset


def design_class(graph: FixedPointGraph, modules: list[Module], target: Target) -> str:
    """``rule/tool/family`` of a whole design; the rule carries ``@fast`` or ``@slow`` outside the usual
    clocks.
    """
    used = {module.rule for module in modules}
    rule = next((name for name in ORDER if name in used), "tree")
    if graph.io_type == "io_stream":
        rule = "stream"
    band = "@fast" if target.budget_ns < FAST_NS else "@slow" if target.budget_ns > SLOW_NS else ""
    return f"{rule}{band}/{target.tool}/{target.family}"


def fallbacks(key: str) -> tuple[str, ...]:
    """The classes whose bounds may stand for those of ``key``, nearest first."""
    rule, tool, family = key.split("/")
    plain = rule.partition("@")[0]
    return (key, f"{rule}/*/{family}", f"{rule}/{tool}/*", f"{rule}/*/*", f"{plain}/*/*", "*/*/*")


def bounds(key: str, what: str) -> tuple[Bounds, bool]:
    """The bounds of ``what`` (cycles, lut, ff, dsp, bram_18k) for a class; False where the class was never
    seen.
    """
    table = constants()["intervals"][what]
    for name in fallbacks(key):
        if name in table:
            entry, wider = table[name], 1.0 if name == key else UNSEEN
            return Bounds(
                entry["scale"], wider * float(entry["low"]), wider * float(entry["high"])
            ), name == key
    return Bounds("ratio", -math.log(10.0), math.log(10.0)), False
