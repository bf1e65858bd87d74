"""What the sources of a firmware give away before anything runs: types that can wrap, sums that cut, tables that saturate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import YAML_BYTES
from pquant_hls.firmware.graph import read_graph
from pquant_hls.firmware.layout import Layout
from pquant_hls.firmware.ranges import Ranges, ranges
from pquant_hls.firmware.weights import SourceWeights
from pquant_hls.qor import FixedPointGraph, Node

_REUSE = re.compile(r"^\s*ReuseFactor:\s*(\d+)", re.M)


@dataclass(frozen=True)
class SourceRemark:
    """One finding: a ``warning`` may change what is computed, a ``note`` says how it is built."""

    rule: str
    severity: Literal["warning", "note"]
    layer: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.severity} {self.rule} {self.layer}: {self.message} ({self.mend})"


def examine(layout: Layout) -> tuple[SourceRemark, ...]:
    """Remarks on a firmware, in the order of its layers.

    Ranges are those that inputs of the ports' types can cause at most, so a type that is said to wrap may never do so on
    real data; one that is not said to wrap never does. Where no graph can be read, that is the one remark.
    """
    try:
        graph = read_graph(layout)
    except UnsupportedModel as cause:
        words = cause.message if cause.where is None else f"{cause.where}: {cause.message}"
        return (SourceRemark("no-graph", "note", layout.name, words, cause.mend or "only csim can tell"),)
    found = ranges(graph)
    asked = _asked_reuse(layout)
    return (
        *_rounded_weights(layout),
        *(remark for node in graph.nodes for remark in _of_layer(node, graph, found, asked)),
    )


def _of_layer(node: Node, graph: FixedPointGraph, found: Ranges, asked: int | None) -> Iterator[SourceRemark]:
    yield from _sum(node, graph, found)
    result = found.results.get(node.name)
    if result is not None and result.beyond(node.result) and node.result.saturation == "WRAP":
        yield SourceRemark(
            "result-wraps",
            "warning",
            node.name,
            f"values of {result.text} are stored in {node.result}, which wraps",
            "more integer bits, or AP_SAT",
        )
    yield from _table(node)
    if asked is not None and node.kind.weighted and node.reuse_factor != asked and node.strategy != "latency":
        yield SourceRemark(
            "reuse-replaced",
            "note",
            node.name,
            f"reuse factor {node.reuse_factor} in place of the {asked} that was asked for",
            "a factor that divides the multiplications",
        )


def _sum(node: Node, graph: FixedPointGraph, found: Ranges) -> Iterator[SourceRemark]:
    accum, weight = node.types.get("accum"), node.types.get("weight")
    sums = found.sums.get(node.name)
    if accum is None or sums is None or weight is None:
        return
    if sums.beyond(accum):
        wraps = accum.saturation == "WRAP"
        yield SourceRemark(
            "sum-wraps" if wraps else "sum-saturates",
            "warning",
            node.name,
            f"sums of {sums.text} are kept in {accum}, which {'wraps' if wraps else 'saturates'}",
            "more integer bits of the accumulator",
        )
    needed = graph.node(node.inputs[0]).result.frac + node.arrays["weight"].frac_bits
    if accum.frac < needed:
        yield SourceRemark(
            "sum-cuts",
            "warning",
            node.name,
            f"products of {needed} fraction bits are kept in {accum}, which has {accum.frac}: each is cut",
            "more fraction bits of the accumulator",
        )


def _table(node: Node) -> Iterator[SourceRemark]:
    kind = node.types.get("table")
    if kind is not None and node.op in ("sigmoid", "tanh") and kind.high < 1.0 - kind.lsb:
        yield SourceRemark(
            "table-saturates",
            "warning",
            node.name,
            f"the table of {kind} ends at {kind.high:g} and the function at 1",
            "more integer bits of the table",
        )


def _rounded_weights(layout: Layout) -> Iterator[SourceRemark]:
    weights = SourceWeights(layout)
    for name, array in weights.arrays.items():
        kind = layout.names.fixed(array.type)
        if kind is None or kind.width > 52:
            continue
        values = weights.numbers(name)
        moved = np.abs(kind.quantize(values) - values)
        # hls4ml prints as many digits as the type has fraction bits, at most half an LSB of decimal rounding away
        count = int(np.sum(moved > kind.lsb / 16))
        if count > 0:
            yield SourceRemark(
                "weights-rounded",
                "note",
                name,
                f"{count:,} of {values.size:,} values lie off the grid of {kind}, by up to {moved.max():.3g}",
                "quantize the weights in training to what the firmware holds",
            )


def _asked_reuse(layout: Layout) -> int | None:
    """The reuse factor of the whole model in hls4ml's own record; None without one."""
    for file in (layout.root / "hls4ml_config.yml", layout.folder / "hls4ml_config.yml"):
        if file.is_file():
            with file.open(encoding="utf-8", errors="replace") as stream:
                text = stream.read(YAML_BYTES)
            found = _REUSE.search(text[text.find("Model:") :])
            return None if found is None else int(found[1])
    return None
