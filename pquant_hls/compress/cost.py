"""What a step is told of cost: the estimate of the design that the HLS options ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras

from pquant_hls.compress.accounting import has_float_kernels
from pquant_hls.estimate import estimate
from pquant_hls.hls import fixed_graph
from pquant_hls.qor import FixedPointGraph, QoR
from pquant_hls.spec.hls import HlsSpec

Cost = Callable[[keras.Model], QoR]
"""Estimates the design made from a model; raises UnsupportedModel or NotMeasured where it cannot."""


@dataclass(frozen=True)
class DesignCost:
    """The estimate for these options: strategy, reuse factor, io type, part and clock as the recipe has them."""

    hls: HlsSpec = field(default_factory=HlsSpec)

    def __call__(self, model: keras.Model) -> QoR:
        return self.of(self.graph(model))

    def graph(self, model: keras.Model) -> FixedPointGraph:
        """The design itself, as hls4ml has it; a model of float kernels by ``HlsSpec.multiplying``."""
        return fixed_graph(model, self.hls.multiplying if has_float_kernels(model) else self.hls)

    def of(self, graph: FixedPointGraph) -> QoR:
        """The estimate of one design."""
        return estimate(graph, self.hls.target)


__all__ = ["Cost", "DesignCost", "fixed_graph"]
