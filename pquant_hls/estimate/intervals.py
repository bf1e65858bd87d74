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
    "resource_unrolled",
    "resource",
    "reuse",
    "distributed",
    "unseen_weights",
    "chain",
    "tree",
)
"""The rule a design is classed by is the first of these that any of its modules uses."""
OFFSET = {"cycles": 1.0, "lut": 200.0, "ff": 200.0, "dsp": 2.0, "bram_18k": 4.0}
"""Added to both sides before ratios are taken, so that small counts have finite ratios."""
PIPELINES = ("reuse", "distributed", "unseen_weights", "chain", "tree")
"""Rules of one-pipeline tops; the others are tasks that follow each other."""
APART = ("foreign", "untold", "elements")
"""Classes for which no other speaks, and which speak for no other."""
UNSEEN = 2.0
"""How much wider the bounds are made for a rule or a family without a single synthesised design."""
BORROWED = 1.5
"""The same where nothing but designs of another kind, or of other families and tools alone, speak for a class."""
NOTHING = {"low": -math.log(10.0), "high": math.log(10.0)}
FAST_NS, SLOW_NS = 3.0, 7.0
"""Clock budgets in ns outside which the errors of cycles in cycles are counted apart."""


@dataclass(frozen=True)
class Bounds:
    """``low`` and ``high`` as differences in cycles (``scale`` "cycles"), as logarithms of ratios ("ratio"), or as
    logarithms of factors on all delays ("delay").
    """

    scale: str
    low: float
    high: float

    def around(self, value: float, offset: float) -> tuple[float, float]:
        """The ends about a value of scale "cycles" or "ratio"."""
        if self.scale == "cycles":
            return max(0.0, value + self.low), value + self.high
        return scaled(value, offset, self.low), scaled(value, offset, self.high)


def scaled(value: float, offset: float, logarithm: float) -> float:
    """``value`` times the exponential of ``logarithm``, with ``offset`` added to both; not below 0."""
    return max(0.0, (value + offset) * math.exp(logarithm) - offset)


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


def resource_class(graph: FixedPointGraph, key: str) -> str:
    """The class of the errors of resources: pipelines whose values have types of their own, told by the graph or not, are
    apart."""
    rule, _, rest = key.partition("/")
    if rule.startswith("foreign"):
        return key
    if any(node.attrs.get("untold_widths") for node in graph.nodes):
        return f"untold/{rest}"
    told = any(node.grid is not None for node in graph.nodes)
    return f"elements/{rest}" if told and rule.partition("@")[0] in PIPELINES else key


def fallbacks(key: str) -> tuple[str, ...]:
    """The classes whose bounds may stand for those of ``key``, nearest first; clock bands have none of their own."""
    rule, tool, family = _plain(key)
    if rule in APART:
        return (f"{rule}/{tool}/{family}", f"{rule}/*/*")
    kind = "pipeline" if rule in PIPELINES else "tasks"
    own = (f"{rule}/{tool}/{family}", f"{rule}/*/{family}", f"{rule}/{tool}/*", f"{rule}/*/*")
    return (*own, f"{kind}/*/{family}", f"{kind}/*/*", "*/*/*")


def bounds(key: str, what: str) -> tuple[Bounds, bool]:
    """The bounds of ``what`` (cycles, lut, ff, dsp, bram_18k) for a class; False where the class was never
    seen.

    The cycles of one pipeline have bounds in cycles where many designs of the class at usual clocks give them, else on
    its delays, which hold at any clock; products that queue for multipliers are no delays, so reuse has ratios.
    """
    table = constants()["intervals"]
    seen, scale = table.get("seen", ()), "ratio"
    names = fallbacks(key)
    rule = _plain(key)[0]
    if what == "cycles" and rule in PIPELINES and rule != "reuse":
        if key in table["cycles"] and table["cycles"][key]["scale"] == "cycles":
            names, scale = (key,), "cycles"
        else:
            what, scale = "delay", "delay"
    name = next((name for name in names if name in table[what]), "")
    entry = table[what].get(name, NOTHING)
    wider = _wider(key, name, seen)
    return Bounds(scale, wider * entry["low"], wider * entry["high"]), key in seen


def slowest_ns(key: str) -> float:
    """The slowest operation (ns) that a tool may leave uncut in a design of this class, as far as reports tell."""
    rule, tool, family = _plain(key)
    kind = "pipeline" if rule in PIPELINES else "tasks"
    table: dict[str, float] = constants()["clock"]
    like = constants()["operators"].get(f"{family}/{tool}", {}).get("like", family).partition("/")[0]
    names = (f"{kind}/{tool}/{family}", f"{kind}/*/{family}", f"*/*/{family}", f"*/*/{like}", "other")
    return float(next(table[name] for name in names if name in table))


def strange(key: str) -> str:
    """What of a class no synthesised design has: its family or its rule; empty where both were seen."""
    rule, _, family = _plain(key)
    known = {_plain(name) for name in constants()["intervals"].get("seen", ())}
    if family not in {name[2] for name in known}:
        return f"family {family}"
    return "" if rule in {name[0] for name in known} else f"class {key}"


def _plain(key: str) -> tuple[str, str, str]:
    """(rule, tool, family) without the band of the clock."""
    rule, tool, family = key.split("/")
    return rule.partition("@")[0], tool, family


def _wider(key: str, source: str, seen: Sequence[str]) -> float:
    """How much the bounds of ``source`` are widened to stand for a design of class ``key``."""
    if strange(key):
        return UNSEEN
    rule, tool, family = _plain(key)
    known = {_plain(name) for name in seen}
    alike = {name for name in known if (name[0] in PIPELINES) == (rule in PIPELINES)}
    near = (tool, family) in {name[1:] for name in alike}
    return 1.0 if source != "*/*/*" and near else BORROWED
