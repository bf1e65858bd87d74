"""Bounds of an estimate: quantiles of the errors made on designs that took no part in the fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.qor import FixedPointGraph, Target

ORDER = (
    "foreign",
    "analogy",
    "recurrent",
    "stream_reuse",
    "stream",
    "conv",
    "resource",
    "reuse",
    "distributed",
    "unseen_weights",
    "chain",
    "tree",
)
"""The rule a design is classed by is the first of these that any of its modules uses."""
OFFSET = {"cycles": 1.0, "lut": 200.0, "ff": 200.0, "dsp": 10.0, "bram_18k": 4.0}
"""Added to both sides before ratios are taken, so that small counts have finite ratios."""
PIPELINES = ("reuse", "distributed", "unseen_weights", "chain", "tree")
"""Rules of one-pipeline tops; the others are tasks that follow each other."""
UNSEEN = 2.0
"""How much wider the bounds are made for a rule or a family without a single synthesised design."""
BORROWED_FROM, BORROWED = ("pipeline/*/*", "tasks/*/*", "*/*/*"), 1.5
"""The same where other rules, tools or families speak for a class."""
NOTHING = {"scale": "ratio", "low": -math.log(10.0), "high": math.log(10.0)}
FAST_NS, SLOW_NS = 3.0, 7.0
"""Clock budgets in ns outside which errors are counted apart."""


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
    if graph.io_type == "io_stream":
        used.add("stream")
    if any(node.attrs.get("foreign") for node in graph.nodes):
        used.add("foreign")
    rule = next((name for name in ORDER if name in used), "tree")
    band = "@fast" if target.budget_ns < FAST_NS else "@slow" if target.budget_ns > SLOW_NS else ""
    return f"{rule}{band}/{target.tool}/{target.family}"


def fallbacks(key: str) -> tuple[str, ...]:
    """The classes whose bounds may stand for those of ``key``, nearest first."""
    rule, tool, family = key.split("/")
    plain = rule.partition("@")[0]
    if plain == "foreign":
        return (key, "foreign/*/*")
    kind = "pipeline" if plain in PIPELINES else "tasks"
    usual = () if "@" in rule else (f"{kind}/*/*",)  # says nothing of other clocks
    return (key, f"{rule}/*/{family}", f"{rule}/{tool}/*", f"{rule}/*/*", *usual, "*/*/*")


def bounds(key: str, what: str) -> tuple[Bounds, bool]:
    """The bounds of ``what`` (cycles, lut, ff, dsp, bram_18k) for a class; False where the class was never
    seen.
    """
    table = constants()["intervals"]
    seen = table.get("seen", ())
    name = next((name for name in fallbacks(key) if name in table[what]), "")
    entry = table[what].get(name, NOTHING)
    wider = _wider(key, name, seen)
    return Bounds(entry["scale"], wider * entry["low"], wider * entry["high"]), key in seen


def _wider(key: str, source: str, seen: Sequence[str]) -> float:
    """How much the bounds of ``source`` are widened to stand for a design of class ``key``."""
    rule, _, family = key.split("/")
    plain = rule.partition("@")[0]
    rules = {name.partition("/")[0].partition("@")[0] for name in seen}
    if plain not in rules or family not in {name.rpartition("/")[2] for name in seen}:
        return UNSEEN
    return BORROWED if source in BORROWED_FROM or key not in seen else 1.0
