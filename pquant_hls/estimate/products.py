"""Dense and convolution layers: operands, cycles and hardware counts under each strategy and io type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module, timed
from pquant_hls.estimate.operators import is_dsp
from pquant_hls.estimate.schedule import Schedule, schedule_sum
from pquant_hls.estimate.site import Mask, Site, costs
from pquant_hls.estimate.weights import Codes, Operands, bits, distinct_sums, odd_part, signed_digits
from pquant_hls.qor import FixedType, Node, Target


@costs("product")
def product_module(site: Site) -> Module:
    """The module of a dense or convolution node, without the sums that the tool removes."""
    node, target = site.node, site.target
    whole = operands_of(node, site.data)
    operands = _built(whole, site.live.get(node.inputs[0]), site.live.get(node.name))
    strategy = node.strategy.lower()
    shares = strategy not in ("latency", "distributed_arithmetic")
    if shares and node.reuse_factor > 1:
        return replace(_resource(node, operands), slow_ns=_clipped_chain_ns(whole, node.reuse_factor, target))
    schedule = schedule_sum(operands, site.delay, target.budget_ns)
    counts = product_counts(operands, schedule)
    cycles, first, last = timed(schedule.end_ns, target.budget_ns)
    rule = "chain" if schedule.chained else "tree"
    ii, reuse = 1, node.reuse_factor
    if reuse > 1:
        limit = max(1, math.ceil(whole.codes.size / reuse) - int((whole.codes == 0).sum()) // reuse)
        cycles, ii, counts = _shared(operands, cycles, reuse, limit, counts)
        rule, first = "reuse", target.budget_ns
    if strategy == "distributed_arithmetic":
        rule = "distributed"
    if not operands.known:
        rule = "unseen_weights"
    if shares:  # nothing to share: the tool unrolls it as it does the latency strategy
        rule = "resource"
    gap = top_rule(target)["dense"] if reuse == 1 else 0
    return Module(node.name, node.op, rule, cycles, first, last, ii, gap, counts)


def top_rule(target: Target) -> Mapping[str, int]:
    """Cycles of the top itself, and of each dense module in a top that takes an input every cycle."""
    table: Mapping[str, Mapping[str, int]] = constants()["top"]
    return table.get(f"{target.family}/{target.tool}", table["other"])


def operands_of(node: Node, data: FixedType) -> Operands:
    """The node's sum of products as integers; a stand-in of the same size where its weights are unknown."""
    accum, kind = node.types.get("accum", node.result), node.types.get("weight")
    array = node.arrays.get("weight")
    codes = _stand_in(node, kind or node.result) if array is None else _matrix(node, array.codes)
    bias = node.arrays.get("bias")
    starts = np.ones(codes.shape[1], bool) if bias is None else np.resize(bias.codes != 0, codes.shape[1])
    frac = array.frac_bits if array is not None else (kind or node.result).frac
    width = kind.width if kind is not None else int(bits(codes).max(initial=0)) + 1
    multiplier = str(node.attrs.get("multiplier", "auto"))
    return Operands(codes, frac, width, data, accum, starts, array is not None, multiplier)


def _built(operands: Operands, rows: Mask | None, columns: Mask | None) -> Operands:
    """Only varying inputs and read outputs."""
    codes, bias = operands.codes, operands.bias
    if rows is not None and len(rows) == codes.shape[0]:
        codes = codes[rows]
    if columns is not None and len(columns) == codes.shape[1]:
        codes, bias = codes[:, columns], bias[columns]
    return replace(operands, codes=codes, bias=bias)


def _matrix(node: Node, codes: Codes) -> Codes:
    """(terms of one sum, outputs) from the stored shape."""
    if node.kind.depthwise:
        return codes.reshape(-1, codes.shape[-2] * codes.shape[-1])
    return codes.reshape(-1, codes.shape[-1])


def _stand_in(node: Node, kind: FixedType) -> Codes:
    """Weights with as many zeros and of such a size as are stated (``n_zeros``, ``max_abs``), normal in
    between; a quarter of the type's range is one sigma where no size is.
    """
    rng = np.random.default_rng(0)
    n_in = int(node.attrs.get("n_in", 1))
    n_out = int(node.attrs.get("n_out", node.shape[-1] if node.shape else 1))
    size, largest = n_in * n_out, node.attrs.get("max_abs")
    expected = math.sqrt(2.0 * math.log(max(size, 2)))  # of as many normal values, in sigmas
    sigma = kind.code_max / 4.0 if largest is None else float(largest) / expected
    values = np.rint(rng.normal(0.0, max(sigma, 1.0), size)).astype(np.int64)
    limit = kind.code_max if largest is None else int(largest)
    codes = np.clip(np.where(values == 0, 1, values), -limit, limit)
    codes[rng.permutation(codes.size)[: int(node.attrs.get("n_zeros", 0))]] = 0
    return codes.reshape(n_in, n_out)


def product_counts(operands: Operands, schedule: Schedule) -> dict[str, float]:
    """Bits of adders, negations and multipliers in LUTs, DSPs, and bits of pipeline registers.

    Equal products of one input are built once and shared by the outputs.
    """
    codes, data_bits = operands.codes, operands.data_bits
    new = _first_of_row(codes)
    digits, width = signed_digits(codes), data_bits + bits(odd_part(codes))
    in_dsp = is_dsp(operands)
    terms = np.maximum((codes != 0).sum(axis=0) + operands.bias - 1, 0).sum()
    adders = min(terms, distinct_sums(codes, operands.bias)) if schedule.chained else terms
    negations = new & (digits == 1) & (codes < 0) & (not schedule.chained)
    kind = "chain_" if schedule.chained else ""
    return {
        f"{kind}add_bits": float(adders * operands.sum_bits),
        "saturate_bits": float(adders * operands.accum.width * operands.saturates),
        "negate_bits": float(negations.sum() * data_bits),
        "double_bits": float(width[new & (digits == 2)].sum()),
        "multiply_bits": float((width * digits)[new & (digits >= 3) & ~in_dsp].sum()),
        "dsp": float((new & in_dsp).sum()),
        f"{kind}live_bits": schedule.live_bits,
        "waiting_bits": schedule.waiting_bits,
    }


def _first_of_row(codes: Codes) -> Codes:
    """True where a code is the first of its value in its row (same shape, bool), False for zeros."""
    order = np.argsort(codes, axis=1, kind="stable")
    ranked = np.take_along_axis(codes, order, axis=1)
    fresh = np.ones(codes.shape, bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.zeros(codes.shape, bool)
    np.put_along_axis(first, order, fresh, axis=1)
    return np.asarray(first & (codes != 0))


def _shared(
    operands: Operands, cycles: int, reuse: int, limit: int, counts: dict[str, float]
) -> tuple[int, int, dict[str, float]]:
    """Latency strategy with reuse: hls4ml allows ``limit`` multipliers, so products queue for them."""
    multipliers = int((_first_of_row(operands.codes) & (signed_digits(operands.codes) >= 3)).sum())
    queue = math.ceil(multipliers / limit)
    longer = max(cycles, cycles + queue - constants()["reuse"]["overlap_cycles"])
    share = min(1.0, limit / max(multipliers, 1))
    scaled = {
        **counts,
        "dsp": min(counts["dsp"], float(limit)),
        "multiply_bits": counts["multiply_bits"] * share,
    }
    return longer, min(reuse, longer + 1), scaled


def _resource(node: Node, operands: Operands) -> Module:
    """Resource strategy: one group of multipliers works through the matrix in ``reuse_factor`` cycles."""
    reuse, extra = node.reuse_factor, constants()["resource"]["extra_cycles"]
    counts = shared_products(operands, reuse)
    return Module(node.name, node.op, "resource", reuse + extra, math.inf, math.inf, reuse, 0, counts)


def _clipped_chain_ns(operands: Operands, reuse: int, target: Target) -> float:
    """The sums of a group of multipliers, where the accumulator rounds or saturates: they go around the loop
    every cycle, so the tool can neither reorder them nor put registers between.
    """
    if not operands.saturates:
        return 0.0
    table: dict[str, float] = constants()["resource"]["clip_add_ns"]
    additions = math.ceil(len(operands.codes) / reuse)
    return additions * table.get(target.family, table["other"])


def shared_products(operands: Operands, reuse: int) -> dict[str, float]:
    """Counts of one group of multipliers, each used ``reuse`` times, and of the memory of their weights."""
    size = operands.codes.size
    block = math.ceil(size / reuse)
    width = operands.data_bits + operands.width
    return {
        "dsp": float(block) if width >= constants()["dsp"]["product_bits"] else 0.0,
        "multiply_bits": 0.0
        if width >= constants()["dsp"]["product_bits"]
        else float(block * operands.data_bits * operands.width),
        "block_bits": float(block * operands.sum_bits),
        "saturate_bits": float(block * operands.accum.width * operands.saturates),
        "shared_in_bits": float(operands.codes.shape[0] * operands.data_bits),
        "shared_sum_bits": float(operands.codes.shape[1] * operands.accum.width),
        "memory_bits": float(size * operands.width),
        "memory_width": float(block * operands.width),
    }
