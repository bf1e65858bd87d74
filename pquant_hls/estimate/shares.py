"""What the estimate charges for each weight: the resources of a design, told apart by the weights that need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pquant_hls.estimate.compose import Estimate, point_estimate
from pquant_hls.estimate.elements import input_bits
from pquant_hls.estimate.liveness import live_values
from pquant_hls.estimate.module import Module
from pquant_hls.estimate.operators import dsp_products
from pquant_hls.estimate.products import UNROLLED, multipliers, operands_of
from pquant_hls.estimate.resources import coefficients
from pquant_hls.estimate.site import Mask
from pquant_hls.estimate.weights import Codes, Operands, bits, odd_part
from pquant_hls.qor import FixedArray, FixedPointGraph, Node, Target
from pquant_hls.qor.digits import signed_digits

Floats = NDArray[np.float64]
BRAM_PORT_BITS = 36
"""Bits that one block of memory gives in a cycle."""
PER_MULTIPLIER = ("dsp", "multiply_bits", "block_bits", "saturate_bits", "memory_bits", "memory_width")


def weight_shares(graph: FixedPointGraph, target: Target, resource: str) -> dict[str, Floats]:
    """What of ``resource`` (lut, ff, dsp, bram_18k) each weight is charged, by node: float64 in its weights' shape.

    A module's counts are shared among the weights that they are counted for: adders by all that are not zero, products
    by their own size (equal ones of one input are built once and share), multipliers that are used in turn by the weights
    that use one. The sum over a node is what its module takes in ``estimate``, less what no weight saves: the windows,
    ports and tables. With the resource strategy no weight saves anything: all are 0.

    Raises
    ------
    NotMeasured : as ``estimate``.
    """
    point = point_estimate(graph, target)
    modules = {module.name: module for module in point.modules}
    live = live_values(graph)
    return {
        node.name: _charged(graph, _living(node, live), modules[node.name], point, resource)
        for node in graph.nodes
        if node.kind.weighted and "weight" in node.arrays
    }


def _charged(graph: FixedPointGraph, node: Node, module: Module, point: Estimate, resource: str) -> Floats:
    operands = operands_of(node, graph.node(node.inputs[0]).result, input_bits(graph, node))
    keys = _keys(node, operands)
    weights = _prices(point, module, resource)
    total = np.zeros(operands.codes.shape)
    for name, price in weights.items():
        key = keys.get(name.removeprefix("staged_"))
        if key is not None and key.any():
            total += price * key / key.sum()
    return total.reshape(node.arrays["weight"].codes.shape)


def _living(node: Node, live: Mapping[str, Mask]) -> Node:
    """With zeros where the tool builds nothing: constant inputs, outputs that nothing reads."""
    weight, rows, columns = node.arrays["weight"], live.get(node.inputs[0]), live.get(node.name)
    if rows is None or columns is None or weight.codes.shape != (len(rows), len(columns)):
        return node
    codes = weight.codes * np.outer(rows, columns)
    return replace(node, arrays={**node.arrays, "weight": FixedArray(codes, weight.frac_bits)})


def _prices(point: Estimate, module: Module, resource: str) -> Mapping[str, float]:
    """What each count of a module comes to."""
    if resource == "dsp":
        return {"dsp": module.counts.get("dsp", 0.0)}
    if resource == "bram_18k":
        return {"memory_width": point.resources[module.name]["bram_18k"]}
    table = coefficients(point.model)[resource]
    return {name: table.get(name, 0.0) * count for name, count in module.counts.items()}


def _keys(node: Node, operands: Operands) -> dict[str, Floats]:
    """In what proportion the weights share each count, (terms, outputs) each."""
    strategy = node.strategy.lower()
    if strategy == UNROLLED and node.reuse_factor > 1:
        return dict.fromkeys(PER_MULTIPLIER, _in_turn(operands.codes, node.reuse_factor))
    if strategy == "resource" and node.reuse_factor > 1:
        return {}
    return _each_its_own(operands)


def _in_turn(codes: Codes, reuse: int) -> Floats:
    """One for each multiplier in use, shared by its weights that are not zero."""
    used = multipliers(codes != 0, reuse)
    shared = used / np.maximum(used.sum(axis=1, keepdims=True), 1)
    return np.asarray(shared.ravel()[: codes.size].reshape(codes.shape[::-1]).T, np.float64)


def _each_its_own(operands: Operands) -> dict[str, Floats]:
    """The counts of ``products.product_counts``, product by product."""
    codes = operands.codes
    digits, shared = signed_digits(codes), _alike(codes)
    own = operands.inputs.reach
    width = own + bits(odd_part(codes))
    in_dsps = dsp_products(operands)
    double = np.where(digits == 2, width, 0) / shared
    multiply = np.where((digits >= 3) & (in_dsps == 0), width * digits, 0) / shared
    negate = np.where((digits == 1) & (codes < 0), own, 0) / shared
    adds = (
        np.where(codes != 0, operands.inputs.reach, 0).astype(np.float64)
        if operands.elements
        else (codes != 0)
    )
    every = ("add_bits", "saturate_bits", "live_bits", "waiting_bits", "chain_add_bits", "chain_live_bits")
    return {
        **dict.fromkeys(every, adds),
        "negate_bits": negate + double + multiply / 3.0,
        "double_bits": double + multiply / 3.0,
        "multiply_bits": multiply,
        "dsp": in_dsps / shared,
    }


def _alike(codes: Codes) -> Floats:
    """How many codes of its row are equal to each (same shape)."""
    found = np.ones(codes.shape)
    for row, into in zip(codes, found, strict=True):
        _, place, count = np.unique(row, return_inverse=True, return_counts=True)
        into[:] = count[place]
    return found


def weight_groups(node: Node, resource: str) -> Codes:
    """The group of each weight (int64, in its weights' shape): those that leave together or save nothing.

    Weights that share a multiplier, and of ``bram_18k`` those whose multipliers are fed by one port of memory (36 bits;
    Ramhorst, Loncar, Constantinides, arXiv:2308.05170). Where no multiplier is shared each weight is its own group.
    """
    shape = node.arrays["weight"].codes.shape
    size = node.arrays["weight"].codes.size
    if node.strategy.lower() != UNROLLED or node.reuse_factor == 1:
        return np.arange(size).reshape(shape)
    kind = node.types.get("weight")
    together = 1
    if resource == "bram_18k" and kind is not None:
        together = max(1, BRAM_PORT_BITS // kind.width)
    outputs = shape[-1] if not node.kind.depthwise else shape[-1] * shape[-2]
    place = np.arange(size).reshape(outputs, -1).T // (node.reuse_factor * together)
    return np.asarray(place.reshape(shape), np.int64)
