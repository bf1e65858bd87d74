"""Which weights of a firmware are not those of a Keras model, as the firmware's types store them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pquant_hls.errors import PquantError
from pquant_hls.firmware import read_graph
from pquant_hls.hls import HlsProject, fixed_graph
from pquant_hls.qor import FixedPointGraph, Node
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

FINE = "ap_fixed<40,16>"
"""Weights without a quantizer are taken at this precision before the firmware's own type stores them."""


@dataclass(frozen=True)
class WeightGap:
    """An array of a layer: ``differing`` of ``total`` values are not the model's, by up to ``worst_lsb`` LSB; the first at
    ``index`` is ``firmware`` where the model's own, stored, is ``model``."""

    layer: str
    array: str
    differing: int
    total: int
    worst_lsb: float
    index: tuple[int, ...]
    model: float
    firmware: float

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        return (
            f"{self.layer} {self.array}: {self.differing:,} of {self.total:,} values are not the model's, by up to "
            f"{self.worst_lsb:g} LSB; [{place}] is {self.firmware:g}, the model has {self.model:g}"
        )


def weight_gaps(project: HlsProject, model: Model) -> tuple[tuple[WeightGap, ...], str]:
    """The arrays that differ, and a note on what was compared.

    Layers are paired by name, else in order where kinds and shapes of all agree. A model that cannot be read as the project
    is, or a firmware without a graph, is said in the note: nothing is compared then.
    """
    try:
        theirs = read_graph(project.read)
        spec = (HlsSpec() if project.spec is None else project.spec).with_(precision=FINE)
        pairs = _pairs(theirs, fixed_graph(model, spec))
    except PquantError as cause:
        return (), f"weights are not compared with the model's: {cause.message}"
    if pairs is None:
        return (), "weights are not compared with the model's: their layers are others"
    found = tuple(gap for here, own in pairs for gap in _gaps(here, own))
    total = sum(array.codes.size for here, _ in pairs for array in here.arrays.values())
    said = (
        "all are the model's" if not found else f"{sum(gap.differing for gap in found)} are not the model's"
    )
    return found, f"of {total:,} weights, as the firmware's types store them, {said}"


def _weighted(graph: FixedPointGraph) -> list[Node]:
    return [node for node in graph.nodes if "weight" in node.arrays or node.op == "batchnorm"]


def _pairs(theirs: FixedPointGraph, own: FixedPointGraph) -> list[tuple[Node, Node]] | None:
    here, there = _weighted(theirs), _weighted(own)
    named = {node.name: node for node in there}
    if {node.name for node in here} != set(named):
        if len(here) != len(there):
            return None
        named = {node.name: other for node, other in zip(here, there, strict=True)}
    pairs = [(node, named[node.name]) for node in here]
    alike = all(
        node.op == other.op
        and all(
            other.arrays[key].codes.size == array.codes.size
            for key, array in node.arrays.items()
            if key in other.arrays
        )
        for node, other in pairs
    )
    return pairs if alike else None


def _gaps(here: Node, own: Node) -> Iterator[WeightGap]:
    for key, array in here.arrays.items():
        kind = here.types.get(key)
        if key not in own.arrays or kind is None:
            continue
        held = array.values
        wanted = kind.quantize(own.arrays[key].values).reshape(held.shape)
        wrong = np.argwhere(held != wanted)
        if len(wrong):
            index = tuple(wrong[0].tolist())
            worst = float(np.abs(held - wanted).max() / kind.lsb)
            values = float(wanted[index]), float(held[index])
            yield WeightGap(here.name, key, len(wrong), held.size, worst, index, *values)
