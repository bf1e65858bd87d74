"""LUT, FF, DSP and BRAM of a module from its counts of adder, multiplier, register and memory bits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.qor import Target

NAMES = ("lut", "ff", "dsp", "bram_18k")
BRAM_BITS = 18432
SMALLEST_BRAM_BITS = 1024
"""Tables below this size stay in LUTs (AMD UG901, distributed memory)."""


def module_resources(module: Module, model: str) -> dict[str, float]:
    """LUT, FF, DSP and 18 kb BRAMs of one module by the weights of ``model`` (what/tool/family)."""
    weights = coefficients(model)
    lut = math.fsum(weights["lut"].get(name, 0.0) * value for name, value in module.counts.items())
    ff = math.fsum(weights["ff"].get(name, 0.0) * value for name, value in module.counts.items())
    return {"lut": lut, "ff": ff, "dsp": module.counts.get("dsp", 0.0), "bram_18k": _brams(module.counts)}


def coefficients(model: str) -> Mapping[str, Mapping[str, float]]:
    """LUT and FF per counted bit: those of the model, else those of the next wider one that was fitted."""
    table = constants()["resources"]
    return dict(next((table[name] for name in wider_models(model) if name in table), table["common"]))


def resource_model(modules: Iterable[Module], target: Target, *, streams: bool, tasks: bool) -> str:
    """``what/tool/family``: streams, other dataflow tops and pipelines with and without reuse differ."""
    reuses = any(module.rule == "reuse" for module in modules)
    what = "stream" if streams else "dataflow" if tasks else "reuse" if reuses else "pipeline"
    return f"{what}/{target.tool}/{target.family}"


def wider_models(model: str) -> tuple[str, ...]:
    """The models whose weights may stand for those of ``model``, nearest first."""
    what, tool, family = model.split("/")
    return (model, f"{what}/*/{family}", f"{what}/{tool}", what)


def _brams(counts: Mapping[str, float]) -> float:
    table, memory = counts.get("table_bits", 0.0), counts.get("memory_bits", 0.0)
    blocks = 0.0 if table < SMALLEST_BRAM_BITS else math.ceil(table / BRAM_BITS)
    if memory >= SMALLEST_BRAM_BITS:
        blocks += math.ceil(max(memory / BRAM_BITS, counts.get("memory_width", 0.0) / 36.0))
    return float(blocks) + counts.get("channel_brams", 0.0)
