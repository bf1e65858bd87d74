"""Recurrent layers: one step is a product by the input, one by the state, and the gates; steps follow each
other.

The cycles of the gates and of the loop were read from module latencies of synthesised designs; they are
``recurrent`` in the constants.
"""

from __future__ import annotations

import math

import numpy as np

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module, dsps
from pquant_hls.estimate.operators import Operators
from pquant_hls.estimate.products import operands_of, product_counts, shared_products
from pquant_hls.estimate.schedule import schedule_sum
from pquant_hls.estimate.site import Site, costs
from pquant_hls.estimate.weights import Operands
from pquant_hls.qor import FixedArray, Node, Target

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
PRODUCTS_OF_STATE = 3
"""Multiplications of one unit by its gates (LSTM: input, forget, output; GRU: reset and both updates)."""


@costs(*GATES, "Bidirectional")
def recurrent_module(site: Site) -> Module:
    """The module of an LSTM, GRU or SimpleRNN, or of two: ``n_sequence`` steps, one after another."""
    rules = constants()["recurrent"]
    node, source, target, delay = site.node, site.source, site.target, site.delay
    both = node.attrs["op_name"] == "Bidirectional"  # one step of each direction side by side
    gates = GATES[str(node.attrs.get("cell") or node.attrs["op_name"])]
    units = int(node.attrs.get("n_state") or node.shape[-1])
    steps = int(node.attrs.get("n_sequence") or math.prod(source.shape[:-1]) or 1)
    reuse = (node.reuse_factor, int(node.attrs.get("recurrent_reuse_factor") or node.reuse_factor))
    sums = (
        _sum(node, "weight", source.shape[-1], gates * units, source),
        _sum(node, "recurrent_weight", units, gates * units, node),
    )
    parts = [_product(found, factor, delay, target) for found, factor in zip(sums, reuse, strict=True)]
    tail = rules["tail_ns"][delay.table_family]
    step = max(cycles for cycles, _ in parts) + math.ceil(tail / target.budget_ns)
    loop = rules["loop_cycles"] if node.strategy.lower() == "resource" else rules["pipelined_loop_cycles"]
    counted = (parts[0][1], parts[1][1], _gates(node, gates, units))
    names = sorted({name for found in counted for name in found})
    counts = {name: math.fsum(found.get(name, 0.0) for found in counted) for name in names}
    cycles = steps * (step + int(loop)) + 1
    built = {name: value * (2 if both else 1) for name, value in counts.items()}
    rule = "analogy" if both else "recurrent"
    return Module(node.name, node.op, rule, cycles, math.inf, math.inf, cycles, 0, built, loops=True)


def _sum(node: Node, name: str, n_in: int, n_out: int, data: Node) -> Operands:
    array: FixedArray | None = node.arrays.get(name)
    kind = node.types.get(name, node.types.get("weight", node.result))
    fits = array is not None and array.codes.size == n_in * n_out
    arrays = (
        {"weight": FixedArray(array.codes.reshape(n_in, n_out), array.frac_bits)} if array and fits else {}
    )
    types = {**node.types, "weight": kind}
    attrs = {"n_in": n_in, "n_out": n_out}
    return operands_of(
        Node(node.name, "dense", node.inputs, (n_out,), node.result, types, arrays, attrs), data.result
    )


def _product(
    operands: Operands, reuse: int, delay: Operators, target: Target
) -> tuple[int, dict[str, float]]:
    """(cycles, counts) of one of the two products of a step."""
    if reuse > 1:
        return reuse + int(constants()["resource"]["extra_cycles"]), shared_products(
            operands, reuse, target.family
        )
    schedule = schedule_sum(operands, delay, target.budget_ns)
    return max(0, math.ceil(schedule.end_ns / target.budget_ns) - 1), product_counts(operands, schedule)


def _gates(node: Node, gates: int, units: int) -> dict[str, float]:
    bits = node.result.width
    size = int(node.attrs.get("table_size") or 1024)
    tables = gates * units if gates > 1 else 0
    return {
        **dsps(PRODUCTS_OF_STATE * units if gates > 1 else 0),
        "table_bits": tables * size * node.types.get("table", node.result).width / 2.0,  # two ports each
        "relu_bits": float(2 * gates * units * bits),
        "out_bits": float(np.prod((gates + 1, units, bits))),
    }
