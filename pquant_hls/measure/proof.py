"""A graph read from sources, proven by the sources themselves: every layer against csim before anything is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import compiled, predict
from pquant_hls.errors import NotMeasured
from pquant_hls.firmware import read_graph
from pquant_hls.firmware.target import assumed_backend
from pquant_hls.golden import random_inputs
from pquant_hls.hls import HlsProject
from pquant_hls.measure.places import at_one_place, window_values
from pquant_hls.qor import FixedPointGraph, Node

Floats = NDArray[np.float64]
VECTORS = 1_000
BATCH = 1_000
"""Vectors at a time: all layers of all of them are held."""


class Contradicted(NotMeasured):
    """csim computes something else than the graph says; ``where`` names the layer."""


@dataclass(frozen=True)
class Proof:
    """A graph of which every layer in ``layers`` gives csim's values on ``vectors`` random inputs, all bits of all of them.

    ``unseen`` are layers that no exact rule emulates or csim does not show, each with the reason.
    """

    graph: FixedPointGraph
    vectors: int
    layers: tuple[str, ...]
    unseen: tuple[tuple[str, str], ...]

    @property
    def whole(self) -> bool:
        return not self.unseen

    @property
    def notes(self) -> tuple[str, ...]:
        total = len(self.layers) + len(self.unseen)
        said = f"graph read from the C++ sources, {len(self.layers)} of {total} layers equal to csim on {self.vectors:,} vectors"
        return (said, *(f"not proven: {name}: {why}" for name, why in self.unseen))


def prove(
    project: HlsProject,
    *,
    vectors: int = VECTORS,
    seed: int = 0,
    cache: Path | None = None,
    timeout_s: float = 600.0,
) -> Proof:
    """Read the project's graph from its sources and compare it with the project's own csim, layer by layer.

    Each layer is given what csim gave it, so that one that differs is named itself and not by what follows from it.

    Raises
    ------
    UnsupportedModel : no graph can be read, with the line that stands against it.
    Contradicted : a layer computes other values than its configuration says; the graph is not used.
    ToolNotFound, ToolFailed : csim cannot be built or run.
    """
    layout = project.read
    graph = read_graph(layout, assumed_backend(layout) if project.spec is None else project.spec.backend)
    proven: dict[str, None] = {}
    unseen: dict[str, str] = {}
    emulators: dict[str, Any] = {}
    with compiled(project, cache, timeout_s) as library:
        for start in range(0, vectors, BATCH):
            x = _stored(graph, random_inputs(project, min(BATCH, vectors - start), seed + start // BATCH))
            _, layers = predict(library, _one_or_all(x), trace=True, timeout_s=timeout_s)
            _compare(graph, node_values(graph, x, layers), emulators, proven, unseen)
    return Proof(graph, vectors, tuple(proven), tuple(unseen.items()))


def _stored(graph: FixedPointGraph, x: Any) -> list[Floats]:
    """Inputs on the grids of their ports, (n, *shape) each: how a double becomes an ap_int is no matter of the design."""
    given = x if isinstance(x, list) else [x]
    pairs = zip(graph.inputs, given, strict=True)
    return [node.result.quantize(np.asarray(a, np.float64)).reshape(len(a), *node.shape) for node, a in pairs]


def node_values(graph: FixedPointGraph, x: list[Floats], layers: Mapping[str, Floats]) -> dict[str, Floats]:
    """What every node holds in csim: inputs as stored, layers as noted, other names of an array as that array."""
    found = {node.name: array for node, array in zip(graph.inputs, x, strict=True)}
    for node in graph.nodes:
        if node.name in layers:
            found[node.name] = layers[node.name].reshape(-1, *node.shape)
        elif node.op == "reshape" and node.inputs[0] in found:
            found[node.name] = found[node.inputs[0]].reshape(-1, *node.shape)
    return found


def _compare(
    graph: FixedPointGraph,
    values: Mapping[str, Floats],
    emulators: dict[str, Any],
    proven: dict[str, None],
    unseen: dict[str, str],
) -> None:
    read = {name for node in graph.nodes for name in node.inputs}
    for node in graph.nodes:
        if node.is_input or node.name in unseen or (node.name not in values and node.name in read):
            continue  # what csim does not show is judged with the layer that reads it
        if node.name not in values:
            unseen[node.name] = "csim does not show it"
            continue
        try:
            expected = _expected(graph, node, values, emulators)
        except NotMeasured as cause:
            unseen[node.name] = cause.message
            continue
        _check(node, np.asarray(expected), values[node.name])
        proven[node.name] = None


def _expected(
    graph: FixedPointGraph, node: Node, values: Mapping[str, Floats], emulators: dict[str, Any]
) -> Any:
    """What the graph says a layer gives for what csim gave it; NotMeasured where no exact rule tells."""
    if node.op in REACH and "table" in node.attrs and node.inputs[0] in values:
        return _looked_up(node, values[node.inputs[0]])
    if node.kind.convolution and "weight" in node.arrays and node.inputs[0] in values:
        if node.name not in emulators:
            emulators[node.name] = _emulator(at_one_place(graph, node))
        found = emulators[node.name].predict(window_values(node, values[node.inputs[0]]))
        return np.asarray(found).reshape(-1, *node.shape)
    part = _part(graph, node, values)
    if node.name not in emulators:
        emulators[node.name] = _emulator(part)
    return emulators[node.name].predict(_one_or_all([values[one.name] for one in part.inputs]))


REACH = {"sigmoid": 8.0, "tanh": 4.0}


def _looked_up(node: Node, x: Floats) -> Floats:
    """hls4ml's sigmoid and tanh (nnet_activation.h): the table's entry at x, cut towards zero and clipped to its ends."""
    table = np.asarray(node.attrs["table"], np.float64) * node.types["table"].lsb
    place = np.trunc(x * len(table) / (2 * REACH[node.op])) + len(table) // 2
    return node.result.quantize(table[np.clip(place, 0, len(table) - 1).astype(np.int64)])


def _part(graph: FixedPointGraph, node: Node, values: Mapping[str, Floats]) -> FixedPointGraph:
    """A layer and those before it that csim does not show, from what it shows on."""
    taken: dict[str, Node] = {}

    def take(name: str) -> None:
        if name in taken:
            return
        here = graph.node(name)
        if name in values and name != node.name:
            taken[name] = Node(name, "input", (), here.shape, here.result)
            return
        for source in here.inputs:
            take(source)
        taken[name] = here

    take(node.name)
    return FixedPointGraph(tuple(taken.values()), (node.name,), graph.io_type, graph.backend, graph.name)


def _emulator(part: FixedPointGraph) -> Any:
    from pquant_hls.rtl import Emulator

    return Emulator(part)


def _one_or_all(arrays: list[Floats]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays


def _check(node: Node, expected: Floats, found: Floats) -> None:
    wrong = np.argwhere(expected != found)
    if len(wrong) == 0:
        return
    place = tuple(wrong[0].tolist())
    share = len(np.unique(wrong[:, 0])) / len(found)
    raise Contradicted(
        f"csim gives {found[place]:g} where the graph says {expected[place]:g}, on {100 * share:.3g} % of the vectors "
        f"({node.op}, {node.result})",
        where=node.name,
        mend="the graph is not used; csim, export and reports still work. A changed nnet_utils or a weight that csim reads "
        "otherwise than synthesis does this",
    )
