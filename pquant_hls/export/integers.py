"""A design as integers in C++: what csim computes, many times as fast, without hls4ml's and AMD's headers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pquant_hls.errors import NotMeasured, PquantError
from pquant_hls.hls import HlsProject, Port
from pquant_hls.measure import prove
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.rtl import INTEGER_PRELUDE, integer_code

MOST_PRODUCTS = 30_000
"""Products by weights of one event up to which a design is written out: g++ takes some 10 s for each 5,000."""

_ROUND = {
    "TRN": "std::floor(x)",
    "TRN_ZERO": "std::trunc(x)",
    "RND": "std::floor(x + 0.5)",
    "RND_ZERO": "(x > 0 ? std::ceil(x - 0.5) : std::floor(x + 0.5))",
    "RND_INF": "(x > 0 ? std::floor(x + 0.5) : std::ceil(x - 0.5))",
    "RND_MIN_INF": "std::ceil(x - 0.5)",
    "RND_CONV": "std::nearbyint(x)",
}
"""Of a code with fraction bits (UG1399); halves are exact while codes have fewer than 52 bits."""


def whole_graph(project: HlsProject, *, timeout_s: float = 600.0) -> FixedPointGraph:
    """The graph that says all that a project computes: its own, or that of its sources borne out by csim in every layer.

    Raises
    ------
    NotMeasured : there is none, with the reason. Else as ``measure.prove``.
    """
    graph = None if project.edited() else project.graph
    if graph is not None:
        return graph
    proof = prove(project, timeout_s=timeout_s)
    if not proof.whole:
        name, why = proof.unseen[0]
        raise NotMeasured(f"not proven: {why}", where=name)
    return proof.graph


def _check_size(graph: FixedPointGraph) -> None:
    products = sum(_products(node) for node in graph.nodes)
    if products > MOST_PRODUCTS:
        raise NotMeasured(f"{products:,} products, more than {MOST_PRODUCTS:,}", where=graph.name)


def _products(node: Node) -> int:
    weight = node.arrays.get("weight")
    if weight is None:
        return 0
    filters = int(
        max(weight.values.shape[-2:] if node.op.startswith("depthwise") else weight.values.shape[-1:])
    )
    return int(np.count_nonzero(weight.values)) * math.prod(node.shape) // filters


def integer_unit(project: HlsProject, namespace: str, *, timeout_s: float = 600.0) -> str:
    """C++ text that defines ``namespace::predict``, with a ``double`` pointer for each input and output.

    Raises
    ------
    NotMeasured : the design cannot be written so, with the reason.
    """
    try:
        graph = whole_graph(project, timeout_s=timeout_s)
        _check_size(graph)
        _check_ports(project, graph)
        code = integer_code(graph, "run")
    except NotMeasured:
        raise
    except PquantError as cause:
        raise NotMeasured(f"no graph: {cause.message}", where=cause.where) from cause
    inputs, outputs = project.inputs, project.outputs
    arguments = ", ".join(f"double *{port.name}" for port in (*inputs, *outputs))
    lines = [
        f"Code in[{sum(port.size for port in inputs)}], out[{sum(port.size for port in outputs)}];",
        *_loops(inputs, "in[{place} + i] = stored_{index}({name}[i]);"),
        "run(in, out);",
        *_loops(outputs, "{name}[i] = double(out[{place} + i]) * {lsb};"),
    ]
    stores = "\n".join(_store(index, port.type) for index, port in enumerate(inputs) if port.type is not None)
    body = "\n".join(f"    {line}" for line in lines)
    return (
        f"#include <cmath>\n#include <cstdint>\n\nnamespace {namespace} {{\nnamespace {{\n{INTEGER_PRELUDE}\n{stores}\n{code}\n"
        f"}} // namespace\n\nvoid predict({arguments}) {{\n{body}\n}}\n\n}} // namespace {namespace}\n"
    )


def _loops(ports: tuple[Port, ...], text: str) -> Iterator[str]:
    place = 0
    for index, port in enumerate(ports):
        lsb = "" if port.type is None else f"{port.type.lsb!r}"
        line = text.format(place=place, index=index, name=port.name, lsb=lsb)
        yield f"for (int i = 0; i < {port.size}; i++) {line}"
        place += port.size


def _check_ports(project: HlsProject, graph: FixedPointGraph) -> None:
    outputs = [graph.node(name) for name in graph.outputs]
    for ports, nodes in ((project.inputs, graph.inputs), (project.outputs, outputs)):
        if len(ports) != len(nodes):
            raise NotMeasured(f"{len(ports)} ports, {len(nodes)} in the graph", where=project.name)
        for port, node in zip(ports, nodes, strict=True):
            if port.type is None or port.type.kif != node.result.kif or port.size != math.prod(node.shape):
                raise NotMeasured(f"port {port.name} is not of the graph's type", where=project.name)


def _store(index: int, kind: FixedType) -> str:
    """A real number as the port's type stores it, by its code."""
    least, most, turn = float(kind.code_min), float(kind.code_max), float(2**kind.width)
    inside = {
        "WRAP": f"x - {turn!r} * std::floor((x - {least!r}) / {turn!r})",
        "SAT": f"std::fmin(std::fmax(x, {least!r}), {most!r})",
        "SAT_ZERO": f"(x < {least!r} || x > {most!r} ? 0.0 : x)",
        "SAT_SYM": f"std::fmin(std::fmax(x, {-most if kind.signed else least!r}), {most!r})",
    }[kind.saturation]
    return (
        f"static inline Code stored_{index}(double x) {{ x *= {1 / kind.lsb!r}; x = {_ROUND[kind.rounding]}; "
        f"return Code({inside}); }}"
    )
