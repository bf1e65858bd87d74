"""LUT, FF, DSP and BRAM of a module from its counts of adder, multiplier, register and memory bits."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module

NAMES = ("lut", "ff", "dsp", "bram_18k")
BRAM_BITS = 18432
SMALLEST_BRAM_BITS = 1024
"""Tables below this size stay in LUTs (AMD UG901, distributed memory)."""


def module_resources(module: Module, key: str) -> dict[str, float]:
    """LUT, FF, DSP and 18 kb BRAMs of one module of a design of class ``key`` (rule/tool/family)."""
    weights = coefficients(key)
    lut = math.fsum(weights["lut"].get(name, 0.0) * value for name, value in module.counts.items())
    ff = math.fsum(weights["ff"].get(name, 0.0) * value for name, value in module.counts.items())
    return {"lut": lut, "ff": ff, "dsp": module.counts.get("dsp", 0.0), "bram_18k": _brams(module.counts)}


def coefficients(key: str) -> Mapping[str, Mapping[str, float]]:
    """LUT and FF per counted bit: those of the class, else of its rule and tool, of its rule, the common
    ones.
    """
    table = constants()["resources"]
    rule, tool, family = key.split("/")
    plain = model_of(rule)
    return dict(
        table.get(f"{plain}/{tool}/{family}")
        or table.get(f"{plain}/{tool}")
        or table.get(plain)
        or table["common"]
    )


def model_of(rule: str) -> str:
    """The resource model of a design class: trees and chains share one, their counts have names of their
    own.
    """
    plain = rule.partition("@")[0]
    return "pipeline" if plain in ("tree", "chain", "distributed", "unseen_weights") else plain


def _brams(counts: Mapping[str, float]) -> float:
    table, memory = counts.get("table_bits", 0.0), counts.get("memory_bits", 0.0)
    blocks = 0.0 if table < SMALLEST_BRAM_BITS else math.ceil(table / BRAM_BITS)
    if memory >= SMALLEST_BRAM_BITS:
        blocks += math.ceil(max(memory / BRAM_BITS, counts.get("memory_width", 0.0) / 36.0))
    return float(blocks)
