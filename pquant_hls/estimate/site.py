"""What a cost rule is given, one node with all around it, and the rules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate.elements import own_bits
from pquant_hls.estimate.module import Module, timed
from pquant_hls.estimate.operators import Operators
from pquant_hls.qor import FixedPointGraph, FixedType, Node, Target
from pquant_hls.qor.ops import load_installed
from pquant_hls.qor.registry import Registry

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Site:
    """One node of a graph, to be built for ``target``; ``live`` are the values of each vector that are built."""

    graph: FixedPointGraph
    node: Node
    target: Target
    delay: Operators
    live: Mapping[str, Mask]

    @property
    def source(self) -> Node:
        """The first input."""
        return self.graph.node(self.node.inputs[0])

    @property
    def data(self) -> FixedType:
        return self.source.result

    @property
    def stream(self) -> bool:
        return self.graph.io_type == "io_stream"

    @property
    def width(self) -> int:
        """Values handled at once: all of them, or those of one place in a stream."""
        return self.node.shape[-1] if self.stream and self.node.shape else math.prod(self.node.shape)

    @property
    def values(self) -> int:
        """Those of them that are built."""
        live = self.live.get(self.node.name)
        return self.width if live is None else int(live.sum())

    @property
    def result_bits(self) -> float:
        """Bits of the results of ``values``, each in its own type where they have some."""
        return self._bits(self.node)

    @property
    def data_bits(self) -> float:
        """Bits of the values that an operation on each value by itself reads for ``values``."""
        return self._bits(self.source)

    def _bits(self, node: Node) -> float:
        own, live = own_bits(self.graph, node.name), self.live.get(self.node.name)
        each = live is not None and live.shape == own.shape
        return float(own[live].sum() if each else own.mean() * self.values)

    def logic(self, end_ns: float, counts: Mapping[str, float], rule: str = "logic") -> Module:
        """The module of logic without state that ends at ``end_ns``."""
        cycles, first, last = timed(end_ns, self.target.budget_ns)
        return Module(self.node.name, self.node.op, rule, cycles, first, last, 1, 0, dict(counts))


Cost = Callable[[Site], Module]
_costs: Registry[Cost] = Registry("cost rule", load_installed)


def costs(*names: str) -> Callable[[Cost], Cost]:
    """A decorator: this rule costs the operations of these names, of these families, or hls4ml layers of these
    classes. A rule for an operation goes before that of its family.
    """
    return _costs.named(*names)


def cost_of(node: Node) -> Cost:
    """Raises NotMeasured where nothing costs the node; ``where`` is its name."""
    layer = node.attrs.get("op_name", "an unknown operation")
    name = str(layer) if node.kind.family == "opaque" else node.op
    rule = _costs.get(name) or _costs.get(node.kind.family)
    if rule is None:
        raise NotMeasured(
            f"no latency rule for {layer}", where=node.name, mend="measure the design with csynth"
        )
    return rule
