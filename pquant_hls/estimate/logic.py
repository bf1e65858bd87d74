"""A program of single values: adders, selections, products and tables, each as soon as what it reads is there."""

from __future__ import annotations

import math

import numpy as np

from pquant_hls.estimate.adders import as_soon
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module, dsps
from pquant_hls.estimate.operators import Operators, dsp_tiles
from pquant_hls.estimate.site import Site, costs
from pquant_hls.qor.logic import Code, Logic, LogicOp

_ADDS = frozenset({Code.ADD, Code.SUBTRACT, Code.ADD_CONSTANT, Code.NEGATE})
_CHOOSES = frozenset({Code.RELU, Code.SELECT})


@costs("logic")
def logic(site: Site) -> Module:
    """By its operations, in the stages that the clock allows."""
    program = Logic.of(site.node.arrays)
    found = [_operation(op, program, site.delay) for op in program.ops]
    budget = site.target.budget_ns
    bits = np.array([op.width for op in program.ops], np.int64)
    stored = np.where([op.code in (Code.INPUT, Code.CONSTANT) for op in program.ops], 0, bits)
    schedule = as_soon([op.reads for op in program.ops], [min(ns, budget) for ns, _ in found], stored, budget)
    counts: dict[str, float] = {"live_bits": schedule.live_bits, **dsps(0)}
    for _, used in found:
        for name, count in used.items():
            counts[name] = counts.get(name, 0.0) + count
    return site.logic(schedule.end_ns, counts, "adders")


def _operation(op: LogicOp, program: Logic, delay: Operators) -> tuple[float, dict[str, float]]:
    """(ns, what it is built of) of one value."""
    width = max(1, op.width)
    if op.code in _ADDS:
        return float(delay.add_ns(width)), {"add_bits": float(width)}
    if op.code == Code.SUM:
        adders = len(op.reads) - 1
        levels = math.ceil(math.log2(len(op.reads)))
        return levels * float(delay.add_ns(width)), {"add_bits": float(adders * width)}
    if op.code in _CHOOSES:
        return delay.relu_ns(width, rounds=False), {"relu_bits": float(width)}
    if op.code == Code.PRODUCT:
        first, second = (program.ops[read].width for read in op.reads)
        return _product(first, second, delay)
    if op.code == Code.TABLE:
        entries = len(program.tables[op.data[0]].codes)
        ns = float(constants()["tables"][delay.table_family]["sigmoid_ns"])
        return ns, {"table_bits": float(entries * width)}
    return 0.0, {}


def _product(first: int, second: int, delay: Operators) -> tuple[float, dict[str, float]]:
    """In DSPs where both factors together are as wide as those that the tools multiply there, else in adders."""
    if first + second >= constants()["dsp"]["product_bits"]["expected"]:
        return delay.dsp, dsps(float(dsp_tiles(first, second)))
    rows = max(0, min(first, second) - 1)
    levels = math.ceil(math.log2(rows + 1))
    return levels * float(delay.add_ns(first + second)), {"add_bits": float(rows * (first + second))}
