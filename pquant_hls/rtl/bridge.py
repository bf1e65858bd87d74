"""From a FixedPointGraph to alkaid's combinational program, checked to hold every number exactly."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from alkaid.trace import FVArrayInput, trace

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedPointGraph
from pquant_hls.rtl._call import LayerCall
from pquant_hls.rtl._layers import apply_layer
from pquant_hls.rtl.arithmetic import HARDWARE, Symbols
from pquant_hls.rtl.passes import shared

EXACT_BITS = 53
"""alkaid keeps intervals as float64: wider values could lose bits unnoticed."""

_ADD_CONSTANT = 4  # alkaid opcode: the constant is kept in 32 bits


@dataclass(frozen=True)
class Program:
    """alkaid's ``CombLogic`` of a graph; inputs and outputs are flattened and joined in the graph's order."""

    graph: FixedPointGraph
    logic: Any

    def optimized(self) -> Program:
        """The program with common parts shared, as Verilog is made from; its outputs are the same."""
        return Program(self.graph, shared(self.logic))


def bridge(graph: FixedPointGraph) -> Program:
    """Trace ``graph`` through alkaid.

    Raises
    ------
    NotMeasured : a layer that cannot be exact (named), or numbers too wide for alkaid.
    """
    values: dict[str, Symbols] = {}
    wires = []
    for node in graph.nodes:
        if node.is_input:
            fresh = FVArrayInput(node.shape, HARDWARE)
            wires.append(fresh.ravel())
            values[node.name] = np.asarray(fresh.quantize(*node.result.kif))
            continue
        kinds = tuple(graph.node(name).result for name in node.inputs)
        call = LayerCall(
            node, tuple(values[name] for name in node.inputs), kinds, graph.io_type == "io_stream"
        )
        values[node.name] = apply_layer(call)
    outputs = np.concatenate([values[name].ravel() for name in graph.outputs])
    logic = trace(np.concatenate(wires), outputs, optimize=False)
    _check(logic, graph.name)
    return Program(graph, logic)


def _check(logic: Any, where: str) -> None:
    """Every value must fit what alkaid and its interpreter hold exactly."""
    for op in logic.ops:
        if sum(op.qint.kif) > EXACT_BITS:
            raise NotMeasured(f"a value has {sum(op.qint.kif)} bits, more than {EXACT_BITS}", where=where)
        if op.opcode == _ADD_CONSTANT:
            added = op.data[0] * 2.0 ** -op.data[1]
            if logic.ops[op.addr[0]].qint.min + added != op.qint.min:
                raise NotMeasured("a constant needs more than 32 bits", where=where)


def port_sizes(graph: FixedPointGraph) -> tuple[list[int], list[int]]:
    """How many values each input and each output has."""
    inputs = [prod(node.shape) for node in graph.inputs]
    return inputs, [prod(graph.node(name).shape) for name in graph.outputs]
