"""The cost rules of operations without weights, and the module of any node."""

from __future__ import annotations

import math

from pquant_hls.estimate import logic, others, products, recurrent  # noqa: F401 : their rules
from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module, dsps
from pquant_hls.estimate.schedule import chain_end
from pquant_hls.estimate.site import Site, cost_of, costs
from pquant_hls.estimate.stream import placed, streamed
from pquant_hls.qor.digits import signed_digits


def layer_module(site: Site) -> Module:
    """The module of one node.

    Raises
    ------
    NotMeasured : the node is an operation without a rule; ``where`` is its name.
    """
    node, module = site.node, cost_of(site.node)(site)
    if module.loops:  # the same in a stream: its steps are its places
        return module
    if site.stream:
        return streamed(site.graph, node, module, site.target)
    return placed(node, module) if node.kind.weighted and len(node.shape) > 1 else module


@costs("move")
def move(site: Site) -> Module:
    return Module(site.node.name, site.node.op)


@costs("cast")
def recast(site: Site) -> Module:
    return clip(site) if _rounds(site) else site.logic(0.0, {})


@costs("clip")
def clip(site: Site) -> Module:
    """A comparison and a selection for each value."""
    read, bits, rounds = site.data_bits, site.result_bits, _rounds(site)
    counts = {
        "round_bits" if rounds else "relu_bits": read + bits,
        "round_out_bits" if rounds else "out_bits": bits,
        "round_in_bits" if rounds else "in_bits": read,
    }
    return site.logic(site.delay.relu_ns(site.data.width, rounds=rounds), counts)


def _rounds(site: Site) -> bool:
    """Rounding and saturation add their own adders."""
    kind = site.node.grid or site.node.result
    return (kind.rounding, kind.saturation) != ("TRN", "WRAP")


@costs("merge")
def merge(site: Site) -> Module:
    width = site.node.result.width
    return site.logic(float(site.delay.add_ns(width)), {"add_bits": float(site.values * width)})


@costs("multiply")
def multiply(site: Site) -> Module:
    return site.logic(site.delay.dsp, {"dsp": float(site.values)})


@costs("pool")
def pool(site: Site) -> Module:
    """The largest of a window is found by comparing one value after another; averages add as a tree."""
    node, source, delay, values = site.node, site.source, site.delay, site.values
    bits = source.result.width
    window = math.prod(node.attrs.get("pool", source.shape[:-1])) or 1
    counts = {
        "add_bits": float(values * (window - 1) * bits),
        "out_bits": float(values * node.result.width),
    }
    if node.kind.pooled != "max":
        divides = delay.dsp if window & (window - 1) else 0.0
        return site.logic(math.ceil(math.log2(max(window, 2))) * float(delay.add_ns(bits)) + divides, counts)
    budget = site.target.budget_ns
    full, rest = chain_end(window - 1, delay.relu_ns(bits, rounds=False), budget)
    counts["waiting_bits"] = 0.5 * full * window * values * bits
    return site.logic(full * budget + rest, counts)


@costs("scale")
def scale(site: Site) -> Module:
    factors, values, width = site.node.arrays.get("scale"), site.values, site.node.result.width
    multiplies = factors is None or bool((signed_digits(factors.codes) >= 3).any())
    add = float(site.delay.add_ns(width))
    counts = {
        "add_bits": float(values * width),
        "out_bits": float(values * width),
        **dsps(values if multiplies and site.data.width > 10 else 0, 0, values if multiplies else 0),
    }
    return site.logic(add + (site.delay.dsp if multiplies else add), counts)


@costs("table")
def table(site: Site) -> Module:
    """An index and one memory read, or two where the data is wide."""
    rules = constants()["tables"]
    wide = site.data.width > rules["wide_bits"]
    time = _times(site)["sigmoid_ns"] + (_times(site)["wide_ns"] if wide else 0.0)
    cycles = max(1, math.ceil(time / site.target.budget_ns) - 1)
    counts = {
        "table_bits": float(site.width * _table_bits(site)),
        "relu_bits": 2.0 * site.width * site.data.width,
    }
    return _read(site, cycles, counts)


@costs("normalize")
def normalize(site: Site) -> Module:
    """Softmax: a table of exponentials, a sum, a table of inverses and a product."""
    times, values = _times(site), site.width
    time = times["softmax_ns"] + times["softmax_level_ns"] * math.log2(max(values, 2))
    cycles = max(1, round(times["softmax_cycles"] + time / site.target.budget_ns))
    ordered = site.node.attrs.get("multiplier") == "fabric"
    shared = site.node.reuse_factor if site.stream else 1
    counts = {
        **(dsps(0) if ordered else dsps(math.ceil(values / shared), 0 if shared > 1 else values, values)),
        "table_bits": float((values + 1) * _table_bits(site)),
        "relu_bits": 4.0 * values * site.data.width,
    }
    return _read(site, max(1, cycles - (site.delay.dsp_stages - 1 if ordered else 0)), counts)


def _times(site: Site) -> dict[str, float]:
    return dict(constants()["tables"][site.delay.table_family])


def _table_bits(site: Site) -> int:
    size = int(site.node.attrs.get("table_size", 1024))
    return size * site.node.types.get("table", site.node.result).width


def _read(site: Site, cycles: int, counts: dict[str, float]) -> Module:
    budget = site.target.budget_ns
    return Module(site.node.name, site.node.op, "table", cycles, budget, budget, 1, 0, counts)
