"""Dense and convolution layers: operands, cycles and hardware counts under each strategy and io type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.estimate.adders import imagined_adders, told_adders, told_counts
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.elements import InputBits, input_bits
from pquant_hls.estimate.module import Module, dsps, timed
from pquant_hls.estimate.operators import Operators, dsp_products, dsp_tiles
from pquant_hls.estimate.schedule import Schedule, schedule_sum
from pquant_hls.estimate.site import Mask, Site, costs
from pquant_hls.estimate.weights import Codes, Operands, bits, odd_part, shared_sums
from pquant_hls.qor import FixedType, Node, Target
from pquant_hls.qor.digits import signed_digits


@costs("product")
def product_module(site: Site) -> Module:
    """The module of a dense or convolution node, without the sums that the tool removes."""
    node, target = site.node, site.target
    whole = operands_of(node, site.data, input_bits(site.graph, node))
    operands = _built(whole, site.live.get(node.inputs[0]), site.live.get(node.name))
    strategy = node.strategy.lower()
    shares = strategy not in ("latency", DISTRIBUTED)
    if shares and node.reuse_factor > 1:
        made = (
            _unrolled(node, operands, whole.codes, target)
            if strategy == UNROLLED
            else _resource(node, operands, target.family)
        )
        return replace(
            made,
            slow_ns=_clipped_chain_ns(whole, node.reuse_factor, target),
        )
    gap = top_rule(target)["dense"] if node.reuse_factor == 1 else 0
    if strategy == DISTRIBUTED:
        rule, schedule, counts = _distributed(node, operands, site.delay, target.budget_ns)
        cycles, first, last = timed(schedule.end_ns, target.budget_ns)
        return Module(node.name, node.op, rule, cycles, first, last, 1, gap, counts)
    slow_ns = constants()["dsp"]["ordered_lut_ns"].get(target.family, 0.0) * (whole.multiplier == "fabric")
    schedule = schedule_sum(operands, site.delay, target.budget_ns)
    counts = product_counts(operands, schedule)
    cycles, first, last = timed(schedule.end_ns, target.budget_ns)
    rule = "chain" if schedule.chained else "tree"
    ii, reuse = 1, node.reuse_factor
    if reuse > 1:
        limit = max(1, math.ceil(whole.codes.size / reuse) - int((whole.codes == 0).sum()) // reuse)
        cycles, ii, counts = _shared(operands, cycles, reuse, limit, counts)
        rule, first = "reuse", target.budget_ns
    if not operands.known:
        rule = "unseen_weights"
    if shares:  # nothing to share: the tool unrolls it as it does the latency strategy
        rule = "resource"
    return Module(node.name, node.op, rule, cycles, first, last, ii, gap, counts, slow_ns=slow_ns)


DISTRIBUTED = "distributed_arithmetic"


def _distributed(
    node: Node, operands: Operands, delay: Operators, budget_ns: float
) -> tuple[str, Schedule, dict[str, float]]:
    """By the adders that the graph tells, where these are those of its weights."""
    if (adders := node.adders) is not None:
        schedule = told_adders(adders, delay, budget_ns)
        return "adders", schedule, told_counts(adders, schedule)
    return "distributed", *imagined_adders(operands, delay, budget_ns)


def top_rule(target: Target) -> Mapping[str, int]:
    """Cycles of the top itself, and of each dense module in a top that takes an input every cycle."""
    table: Mapping[str, Mapping[str, int]] = constants()["top"]
    return table.get(f"{target.family}/{target.tool}", table["other"])


def operands_of(node: Node, data: FixedType, elements: InputBits | None = None) -> Operands:
    """The node's sum of products as integers; a stand-in of the same size where its weights are unknown.

    ``elements``: the bits of its single inputs, where they differ; what has none meets no weight.
    """
    accum, kind = node.types.get("accum", node.result), node.types.get("weight")
    array = node.arrays.get("weight")
    codes = _stand_in(node, kind or node.result) if array is None else _matrix(node, array.codes)
    if elements is not None:
        codes = codes * (elements.own > 0)
    bias = node.arrays.get("bias")
    starts = np.ones(codes.shape[1], bool) if bias is None else np.resize(bias.codes != 0, codes.shape[1])
    frac = array.frac_bits if array is not None else (kind or node.result).frac
    width = kind.width if kind is not None else int(bits(codes).max(initial=0)) + 1
    multiplier = str(node.attrs.get("multiplier", "auto"))
    return Operands(codes, frac, width, data, accum, starts, array is not None, multiplier, elements)


def _built(operands: Operands, rows: Mask | None, columns: Mask | None) -> Operands:
    """Only varying inputs and read outputs."""
    codes, bias, elements = operands.codes, operands.bias, operands.elements
    if rows is not None and len(rows) == codes.shape[0]:
        codes = codes[rows]
        if elements is not None and len(elements.own) == len(rows):
            elements = InputBits(elements.own[rows], elements.reach[rows])
    if columns is not None and len(columns) == codes.shape[1]:
        codes, bias = codes[:, columns], bias[columns]
    return replace(operands, codes=codes, bias=bias, elements=elements)


def _matrix(node: Node, codes: Codes) -> Codes:
    """(terms of one sum, outputs) from the stored shape."""
    if node.kind.depthwise:
        return codes.reshape(-1, codes.shape[-2] * codes.shape[-1])
    return codes.reshape(-1, codes.shape[-1])


def _stand_in(node: Node, kind: FixedType) -> Codes:
    """Weights with as many zeros and of such a size as are stated (``n_zeros``, ``max_abs``), normal in
    between; a quarter of the type's range is one sigma where no size is.
    """
    n_in = int(node.attrs.get("n_in", 1))
    n_out = int(node.attrs.get("n_out", node.shape[-1] if node.shape else 1))
    return normal_codes(n_in, n_out, kind, node.attrs.get("max_abs"), int(node.attrs.get("n_zeros", 0)))


def normal_codes(
    n_in: int, n_out: int, kind: FixedType, largest: float | None = None, n_zeros: int = 0
) -> Codes:
    """Normal weights (n_in, n_out) of a type, the same for the same sizes: a quarter of its range, or what makes
    ``largest`` the likely largest, is one sigma; ``n_zeros`` of them are zero.
    """
    rng, size = np.random.default_rng(0), n_in * n_out
    expected = math.sqrt(2.0 * math.log(max(size, 2)))  # of as many normal values, in sigmas
    sigma = kind.code_max / 4.0 if largest is None else float(largest) / expected
    values = np.rint(rng.normal(0.0, max(sigma, 1.0), size)).astype(np.int64)
    limit = kind.code_max if largest is None else int(largest)
    codes = np.clip(np.where(values == 0, 1, values), -limit, limit)
    codes[rng.permutation(codes.size)[:n_zeros]] = 0
    return codes.reshape(n_in, n_out)


def product_counts(operands: Operands, schedule: Schedule) -> dict[str, float]:
    """Bits of adders, negations and multipliers in LUTs, DSPs, and bits of pipeline registers.

    Equal products of one input are built once and shared by the outputs. A product of more digits counts among those
    of fewer as well (``negate`` holds ``double`` holds a third of ``multiply``), so that none gets cheaper by it.
    """
    codes, own = operands.codes, operands.inputs.reach
    terms = np.maximum((codes != 0).sum(axis=0) + operands.bias - 1, 0).sum()
    adders = min(terms, shared_sums(codes, operands.bias)) if schedule.chained else terms
    new, digits = _first_of_row(codes), signed_digits(codes)
    negations = new & (digits == 1) & (codes < 0) & (not schedule.chained)
    double = float((own + bits(odd_part(codes)))[new & (digits == 2)].sum())
    multiply = float(_in_luts(operands).sum())
    kind = "chain_" if schedule.chained else ""
    return {
        f"{kind}add_bits": float(adders / max(terms, 1) * operands.add_bits),
        "saturate_bits": float(adders * operands.accum.width * operands.saturates),
        "negate_bits": float((negations * own).sum()) + double + multiply / 3.0,
        "double_bits": double + multiply / 3.0,
        "multiply_bits": multiply,
        **dsps(*(float(count.sum()) for count in _in_dsps(operands))),
        f"{kind}live_bits": schedule.live_bits,
        "waiting_bits": schedule.waiting_bits,
    }


def _in_luts(operands: Operands) -> NDArray[np.int64]:
    """Bits times digits of each multiplier that is built of LUTs, each distinct one of a row (multipliers,)."""
    digits = signed_digits(operands.codes)
    built = _first_of_row(operands.codes) & (digits >= 3) & (dsp_products(operands) == 0)
    return np.asarray(((operands.inputs.reach + bits(odd_part(operands.codes))) * digits)[built])


def _in_dsps(operands: Operands) -> tuple[NDArray[np.int64], ...]:
    """DSPs of each distinct product of a row: expected, sure, possible."""
    new = _first_of_row(operands.codes)
    return tuple(dsp_products(operands, part) * new for part in ("expected", "sure", "possible"))


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
    """Latency strategy with reuse: hls4ml allows ``limit`` multipliers, so products queue for them.

    Zeros lower the limit and so may lengthen the queue, up to ``reuse`` products for each multiplier. A short queue is
    counted as that long from the start, so that weights taken away do not make the design slower.
    """
    multipliers = int((_first_of_row(operands.codes) & (signed_digits(operands.codes) >= 3)).sum())
    queue = min(multipliers, reuse) if reuse <= SHORT_QUEUE else math.ceil(multipliers / limit)
    longer = max(cycles, cycles + queue - constants()["reuse"]["overlap_cycles"])
    kept = float(np.sort(_in_luts(operands))[::-1][:limit].sum())
    expected, sure, possible = (_largest(count, limit) for count in _in_dsps(operands))
    freed = counts["multiply_bits"] - kept
    scaled = {
        **counts,
        **dsps(expected, sure / MORE_MULTIPLIERS, possible * MORE_MULTIPLIERS),
        "multiply_bits": kept,
        "double_bits": counts["double_bits"] - freed / 3.0,
        "negate_bits": counts["negate_bits"] - freed / 3.0,
    }
    return longer, min(reuse, longer + 1), scaled


SHORT_QUEUE = 8
MORE_MULTIPLIERS = 2.0
"""How many times more or fewer multipliers than hls4ml allows a tool has built (single layers with reuse)."""


def _largest(count: NDArray[np.int64], limit: int) -> float:
    """The sum of the ``limit`` largest."""
    return float(np.sort(count, axis=None)[::-1][:limit].sum())


def _resource(node: Node, operands: Operands, family: str) -> Module:
    """Resource strategy: one group of multipliers works through the matrix in ``reuse_factor`` cycles."""
    reuse, extra = node.reuse_factor, constants()["resource"]["extra_cycles"]
    counts = shared_products(operands, reuse, family)
    return Module(node.name, node.op, "resource", reuse + extra, math.inf, math.inf, reuse, 0, counts)


UNROLLED = "resource_unrolled"
"""hls4ml's strategy that writes out a multiplier's products, and no multiplier all of whose weights are zero."""


def _unrolled(node: Node, operands: Operands, codes: Codes, target: Target) -> Module:
    """The group of multipliers of the resource strategy, without those that only ever see weights of zero.

    No synthesised design of it is known; cycles and bits are those of the resource strategy, in one pipeline.
    """
    reuse, extra = node.reuse_factor, constants()["resource"]["extra_cycles"]
    used = int(multipliers(codes, reuse).any(axis=1).sum())
    counts = shared_products(operands, reuse, target.family, used)
    budget = target.budget_ns
    return Module(node.name, node.op, UNROLLED, reuse + extra, budget, budget, reuse, 0, counts)


def multipliers(codes: NDArray[Any], reuse: int) -> NDArray[Any]:
    """What each shared multiplier sees in turn, (multipliers, reuse), from ``codes`` (terms, outputs).

    As hls4ml deals them out: the weights of one output after another, ``reuse`` at a time; zeros fill the last one.
    """
    row = codes.T.ravel()
    return np.pad(row, (0, -len(row) % reuse)).reshape(-1, reuse)


def _clipped_chain_ns(operands: Operands, reuse: int, target: Target) -> float:
    """The sums of a group of multipliers, where the accumulator rounds or saturates: they go around the loop
    every cycle, so the tool can neither reorder them nor put registers between.
    """
    if not operands.saturates:
        return 0.0
    table: dict[str, float] = constants()["resource"]["clip_add_ns"]
    additions = math.ceil(len(operands.codes) / reuse)
    return additions * table.get(target.family, table["other"])


def shared_products(
    operands: Operands, reuse: int, family: str, built: int | None = None
) -> dict[str, float]:
    """Counts of one group of multipliers, each used ``reuse`` times, and of the memory of their weights.

    ``built`` of them are, or all that the matrix needs.

    Narrow products are built of LUTs everywhere but in one report of 7 series, where all of them may so be DSPs.
    """
    block = math.ceil(operands.codes.size / reuse) if built is None else built
    size = operands.codes.size if built is None else built * reuse
    width = operands.data_bits + operands.width
    in_dsp = width >= constants()["dsp"]["shared_product_bits"]
    may = family == "7series" or width >= constants()["dsp"]["product_bits"]["expected"]
    each = int(dsp_tiles(operands.data_bits, operands.width))
    return {
        **dsps(block * each * in_dsp, possible=block * each * may),
        "multiply_bits": float(block * operands.data_bits * operands.width * (not in_dsp)),
        "block_bits": float(block * operands.sum_bits),
        "saturate_bits": float(block * operands.accum.width * operands.saturates),
        "shared_in_bits": float(operands.codes.shape[0] * operands.data_bits),
        "shared_sum_bits": float(operands.codes.shape[1] * operands.accum.width),
        "memory_bits": float(size * operands.width),
        "memory_width": float(block * operands.width),
    }
