"""A project's ports and layers, each with what the user's own Keras model says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.csim.difference import LayerDifference, coarsest_lsb, difference
from pquant_hls.csim.ports import beyond, check_sizes, input_order, left_out, output_order
from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls.heads import Head, table_head, writer_of
from pquant_hls.hls.project import HlsProject, Port
from pquant_hls.network.capture import captured
from pquant_hls.network.graph import Topology, topology
from pquant_hls.network.heads import exact_heads
from pquant_hls.network.inline import inlined
from pquant_hls.network.normal import Counterpart, traced_form
from pquant_hls.network.plan import is_linear
from pquant_hls.network.reference import Reference, reference
from pquant_hls.network.witness import has_graph

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sides:
    """What Keras says, laid beside a project.

    ``fed`` is the input in the order of the project's ports, ``order`` tells which output of the model each port is,
    ``heads`` what makes it. ``graph`` and ``normal`` are the model and its normal form, None where it has no graph.
    """

    project: HlsProject
    expected: Reference
    fed: Any
    order: list[int]
    heads: list[Head | None]
    graph: Topology | None = None
    normal: Topology | None = None

    @classmethod
    def of(cls, project: HlsProject, model: Model, x: ArrayLike | Sequence[ArrayLike]) -> Sides:
        """Raises as ``comparison.compare``."""
        heads = [table_head(project, port) for port in project.outputs]
        if not has_graph(model):
            expected = reference(model, x)
            check_sizes("output", project, project.outputs, [part[0].size for part in expected.outputs])
            return cls(project, expected, x, list(range(len(heads))), heads)
        spec = project.info.get("spec")
        if isinstance(spec, Mapping) and spec.get("keep_softmax") == "exact":
            model = exact_heads(model)
        inner = inlined(model)
        graph = topology(inner)
        order = output_order(project, graph)
        keep = [heads[order.index(place)] is not None for place in range(len(order))]
        normal, origins = _form(inner, keep=any(keep))
        expected = reference(model, x, keep_softmax=keep, places=origins if inner is model else {})
        if inner is not model:  # its layers stand in a model of one level
            inside = reference(inner, x, keep_softmax=keep, places=origins).inside
            expected = replace(expected, inside=inside)
        fed = [_listed(x, graph)[place] for place in input_order(project, graph)]
        ready = fed[0] if len(fed) == 1 else fed
        return cls(project, expected, ready, order, heads, graph, normal)

    @property
    def data(self) -> list[str]:
        """What the ports cannot hold of the data; raises DataError where they take another scale."""
        ports = self.project.inputs
        return beyond(self.project, [self.fed] if len(ports) == 1 else self.fed)

    @property
    def notes(self) -> list[str]:
        """What was compared with what."""
        said = [] if self.expected.note is None else [self.expected.note]
        if self.normal is None:
            said.append("layers are not compared: the model has no normal form, whose names they would have")
        for port, head, place in zip(self.project.outputs, self.heads, self.order, strict=True):
            gone = None if self.graph is None else left_out(self.graph, self.graph.outputs[place])
            if head is not None:
                said.append(self.bounded(port, head, place))
            elif gone is not None:
                said.append(f"output {port.name}: compared before its {gone}, which the project leaves out")
        return said

    def bounded(self, port: Port, head: Head, place: int) -> str:
        text = head.said(port.name)
        if head.bound < head.error:
            return text
        probabilities = np.maximum(self.expected.outputs[place], np.finfo(np.float64).tiny)
        if head.function == "softmax" and np.ptp(np.log(probabilities), axis=-1).max() > head.reach:
            return f"{text}; its logits lie more than {head.reach:g} apart, where its tables wrap"
        return text

    def outputs(self, given: list[Floats]) -> tuple[LayerDifference, ...]:
        found = []
        for port, got, head, place in zip(self.project.outputs, given, self.heads, self.order, strict=True):
            lsb = coarsest_lsb(got) if port.type is None else port.type.lsb
            bound = 0.0 if head is None else head.bound
            found.append(difference(port.name, self.expected.outputs[place], got, lsb, bound))
        return tuple(found)

    def layers(self, traces: Mapping[str, Floats]) -> tuple[LayerDifference, ...]:
        """In order of computation; a softmax or sigmoid from tables is judged as the output that it is."""
        places = {} if self.normal is None else _same_place(self.normal, list(traces))
        writers = [writer_of(self.project, port) for port in self.project.outputs]
        tables = {writer.layer for writer in writers if writer is not None and writer.is_head}
        pairs = [
            (name, self.expected.inside[keras], traces[name])
            for name, keras in places.items()
            if keras in self.expected.inside and name not in tables
        ]
        return tuple(
            difference(name, want, got, lsb_of(self.project, name, got)) for name, want, got in pairs
        )


def _form(model: Model, *, keep: bool) -> tuple[Topology | None, dict[str, Counterpart]]:
    """The normal form, whose names the project's layers have, and where they stand in the model; None where there is
    none, so that outputs alone are compared."""
    try:
        with captured():
            form, origins = traced_form(model, keep_softmax=keep)
    except UnsupportedModel:
        return None, {}
    return topology(form), origins


def _listed(x: ArrayLike | Sequence[ArrayLike], graph: Topology) -> list[ArrayLike]:
    return list(x) if len(graph.inputs) > 1 else [x]  # type: ignore[arg-type,list-item]


def _same_place(normal: Topology, traced: list[str]) -> dict[str, str]:
    """For each traced firmware layer the Keras layer whose values it should hold, in order of computation.

    A linear quantizer that hls4ml merged away acts in the layer before it; a ternary activation is traced
    under the name of the threshold layer it was merged with.
    """
    names = {
        name.removeprefix("bnbt_").removesuffix("_scale") if name.startswith("bnbt_") else name: name
        for name in traced
    }
    holder: dict[str, str] = {}
    found: dict[str, str] = {}
    for call in normal.calls:
        if call.name in names:
            holder[call.output] = names[call.name]
        elif is_linear(call):
            alone = len(normal.consumers(call.inputs[0])) == 1
            if call.inputs[0] in holder and alone:
                holder[call.output] = holder[call.inputs[0]]
        if call.output in holder:
            found[holder[call.output]] = call.name
    return found


def lsb_of(project: HlsProject, layer: str, values: Floats) -> float:
    known = {} if project.graph is None else {node.name: node.result.lsb for node in project.graph.nodes}
    return known.get(layer, coarsest_lsb(values))
