"""hls4ml layers that no synthesised design of the corpus has: what their arithmetic says, and no more.

Their class of errors is ``analogy``, which has the widest interval; GarNet, symbolic expressions and
whatever is not hls4ml's own are refused.
"""

from __future__ import annotations

import math

from pquant_hls.estimate.constants import constants
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.operators import Operators
from pquant_hls.estimate.site import Site, costs


@costs("Resize", "Cropping1D", "Cropping2D", "Constant", "Broadcast", "FinalReshape")
def _copy(site: Site) -> Module:
    return site.logic(0.0, {}, "analogy")


@costs("BatchNormalizationQuantizedTanh", "BinaryTanh")
def _compare(site: Site) -> Module:
    return _comparison(site, 0.0)


@costs("PReLU")
def _slope(site: Site) -> Module:
    """Multiplies by its slope as well."""
    return _comparison(site, site.delay.dsp)


def _comparison(site: Site, product_ns: float) -> Module:
    """One comparison and one selection for each value, after a product where that takes time."""
    bits = site.data.width
    counts = {
        "relu_bits": float(site.width * (bits + site.node.result.width)),
        "dsp": float(site.width if product_ns else 0),
    }
    return site.logic(site.delay.relu_ns(bits, rounds=False) + product_ns, counts, "analogy")


@costs("Embedding", "UnaryLUT", "selu", "softplus", "softsign")
def _lookup(site: Site) -> Module:
    """One memory read for each value: an embedding, or a function of one value."""
    attrs = site.node.attrs
    size = int(attrs.get("vocab_size") or attrs.get("table_size") or 1024)
    counts = {"table_bits": float(site.width * size * site.node.result.width)}
    return site.logic(_table_ns(site.delay), counts, "analogy")


@costs("LayerNormalization")
def _normalize(site: Site) -> Module:
    """Layer normalization: two sums over a place, a square, a table of 1/sqrt, two products."""
    source, delay = site.source, site.delay
    bits, width = source.result.width, source.shape[-1]
    places = 1 if site.stream else max(1, math.prod(source.shape[:-1]))
    levels = math.ceil(math.log2(max(width, 2)))
    end = 2 * (levels + 1) * float(delay.add_ns(2 * bits)) + 3 * delay.dsp + _table_ns(delay)
    counts = {
        "dsp": float(3 * places * width),
        "add_bits": float(3 * places * width * bits),
        "table_bits": float(places * 1024 * site.node.result.width),
    }
    return site.logic(end, counts, "analogy")


@costs("MatMul", "Dot", "Einsum", "EinsumDense")
def _matrix(site: Site) -> Module:
    """Sums of products of data (or of a kernel) over the contracted axes."""
    source = site.source
    terms = int(site.node.attrs.get("n_contract") or source.shape[-1])
    bits = source.result.width
    levels = math.ceil(math.log2(max(terms, 2)))
    products = site.width * terms / max(1, site.node.reuse_factor)
    counts = {"dsp": float(math.ceil(products)), "add_bits": products * 2.0 * bits}
    return site.logic(site.delay.dsp + levels * float(site.delay.add_ns(2 * bits)), counts, "analogy")


def _table_ns(delay: Operators) -> float:
    return float(constants()["tables"][delay.table_family]["sigmoid_ns"])
