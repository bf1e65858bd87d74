"""Which of a project's ports is which of its model's inputs and outputs, and whether data fit them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pquant_hls.errors import DataError, UnsupportedModel
from pquant_hls.hls.heads import writer_of
from pquant_hls.hls.project import HlsProject, Port
from pquant_hls.network.graph import Call, Topology
from pquant_hls.network.heads import is_pass_through, is_probability
from pquant_hls.network.kinds import layer_kind

MOSTLY = 0.5
"""A share of the data beyond a port's range from which on it is another scale, and no tail."""


def input_order(project: HlsProject, graph: Topology) -> list[int]:
    """For each input port of the project, which of the model's inputs it is.

    Ports of this package's projects are in the model's order; those of others are told by name, else by size.

    Raises
    ------
    UnsupportedModel : neither tells, or the sizes are others.
    """
    sizes = [math.prod(length for length in graph.producer(name).shape if length) for name in graph.inputs]
    names = [{name} for name in graph.inputs]
    return _order("input", project, project.inputs, [port.name for port in project.inputs], names, sizes)


def output_order(project: HlsProject, graph: Topology) -> list[int]:
    """For each output port of the project, which of the model's outputs it is; raises as ``input_order``."""
    writers = [writer_of(project, port) for port in project.outputs]
    said = ["" if writer is None else writer.layer for writer in writers]
    ends = [graph.producer(name) for name in graph.outputs]
    names = [set(_makers(call, graph)) for call in ends]
    sizes = [math.prod(length for length in call.shape if length) for call in ends]
    return _order("output", project, project.outputs, said, names, sizes)


def _makers(call: Call, graph: Topology) -> Iterator[str]:
    """The names hls4ml may give the layer that makes an output: its own, or that of what it is the activation of."""
    kind = layer_kind(call.layer)
    yield call.name
    function = getattr(kind.function(call.layer), "__name__", "")
    yield f"{call.name}_{function}"
    if call.inputs and (kind.operation == "activation" or is_pass_through(call)):
        yield from _makers(graph.sources(call)[0], graph)


def left_out(graph: Topology, output: str) -> str | None:
    """The softmax or sigmoid that an output of the model ends in, which firmware may leave out; None without."""
    call = graph.producer(output)
    while is_pass_through(call) and call.inputs:
        (call,) = graph.sources(call)
    return layer_kind(call.layer).acts_as(call.layer) if is_probability(call) else None


def check_sizes(side: str, project: HlsProject, ports: Sequence[Port], sizes: Sequence[int]) -> None:
    """Raise UnsupportedModel unless the model's inputs or outputs are as large as the project's, in any order."""
    found = [port.size for port in ports]
    if sorted(found) != sorted(sizes):
        raise UnsupportedModel(
            f"the model has {side}s of {list(sizes)} values, the project of {found}",
            where=project.path,
            mend="give the model this project was made from",
        )


def _order(
    side: str,
    project: HlsProject,
    ports: Sequence[Port],
    said: Sequence[str],
    names: Sequence[set[str]],
    sizes: Sequence[int],
) -> list[int]:
    check_sizes(side, project, ports, sizes)
    found = [port.size for port in ports]
    plain = list(range(len(sizes)))
    if len(ports) == 1 or project.spec is not None:
        return plain
    by_name = [[place for place in plain if name in names[place]] for name in said]
    by_size = [[place for place in plain if sizes[place] == size] for size in found]
    for told in (by_name, by_size):
        order = [places[0] for places in told if len(places) == 1]
        if sorted(order) == plain and [sizes[place] for place in order] == found:
            return order
    raise UnsupportedModel(
        f"cannot tell which {side} is which: neither names nor sizes {found} of {', '.join(p.name for p in ports)} do",
        where=project.path,
        mend=f"give the model's {side} layers the project's names",
    )


def beyond(project: HlsProject, arrays: Sequence[ArrayLike]) -> list[str]:
    """What the input ports cannot hold of the data, in words; arrays in the order of the ports.

    Raises
    ------
    DataError : a project of another tool that takes its inputs at another scale: most values lie beyond the
        range of a port that wraps, or all become one value in it.
    """
    pairs = zip(project.inputs, arrays, strict=True)
    return [text for port, array in pairs for text in _beyond(port, np.asarray(array, np.float64), project)]


def _beyond(port: Port, values: Any, project: HlsProject) -> Iterator[str]:
    kind = port.type
    if kind is None or values.size == 0:
        return
    share = float(np.mean((values < kind.low) | (values > kind.high)))
    one = np.ptp(values) > 0 and np.ptp(kind.quantize(values)) == 0
    wraps = kind.saturation == "WRAP" and share > MOSTLY
    reach = f"{values.min():g} to {values.max():g}"
    if project.spec is None and (one or wraps):
        what = "become one value" if one else f"wrap on {100 * share:.0f} % of the values"
        raise DataError(
            f"the data, {reach}, {what} in {kind} (steps of {kind.lsb:g}, up to {kind.high:g})",
            where=port.name,
            mend="scale them as this project takes its inputs, and the model's first layer with them",
        )
    if share > 0:
        ends = "wrap" if kind.saturation == "WRAP" else "are clipped"
        yield f"input {port.name}: {100 * share:.3g} % of the values lie beyond {kind} and {ends}"
    between = float(np.mean(values % kind.lsb != 0))
    if project.spec is None and between > 0:
        how = "cut" if kind.rounding == "TRN" else "rounded"
        yield f"input {port.name}: {100 * between:.3g} % of the values lie between its steps of {kind.lsb:g}, {how} there"
