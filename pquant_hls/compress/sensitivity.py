"""Bits where they are felt: measured loss per layer and width, spent against the EBOPs each width costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.accounting import SUMMED, positions
from pquant_hls.compress.calibration import Values, linear_quantizer, relu_quantizer
from pquant_hls.compress.quantized import Widths, quantized_twin, values_by_layer
from pquant_hls.network.frontend import reading_of, standard
from pquant_hls.network.graph import Call, Topology, flat
from pquant_hls.network.plan import is_linear
from pquant_hls.network.table import operation
from pquant_hls.qor.fixed import enclosed_bits
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.train import OutputTarget, meanings

MEASURED = 1024
"""Events on which a width's loss is measured."""

Knob = tuple[str, str]
"""``("weights", layer)`` or ``("activations", layer the quantizer follows)``."""


@dataclass(frozen=True)
class Sensitivity:
    """Loss of each knob at each width, alone, the others at their widest; and what the widths cost.

    ``losses`` are Kullback-Leibler distances (nats) from the float model. ``weight_bits`` is the sum of
    enclosed bits of a layer's weights times its output positions, by layer and width; ``reads`` names the
    quantizer that feeds each layer.
    """

    losses: Mapping[Knob, Mapping[int, float]]
    weight_bits: Mapping[str, Mapping[int, int]]
    reads: Mapping[str, str]

    def ebops(self, bits: Mapping[Knob, int]) -> int:
        """EBOPs of the model at these widths."""
        return sum(
            table[bits["weights", layer]] * bits["activations", self.reads[layer]]
            for layer, table in self.weight_bits.items()
        )


def allocate(
    model: keras.Model,
    start: Widths,
    inputs: list[Values],
    targets: Sequence[OutputTarget],
    config: QuantizeConfig,
) -> tuple[Widths, tuple[str, ...]]:
    """Widths between min_bits and max_bits that cost no more EBOPs than ``start`` does, and a remark.

    ``model`` is float or quantized without BatchNormalization; ``start`` are the uniform widths whose EBOPs
    may be spent. Entries of ``config.layers`` and ``config.activations`` are kept as they are.
    """
    measured = measure_sensitivity(model, start, inputs, targets, config)
    uniform = {knob: _uniform(knob, start) for knob in measured.losses}
    fixed = {knob for knob in measured.losses if knob[1] in getattr(config, _KEY[knob[0]])}
    found = spend(measured, uniform, fixed)
    widths = replace(
        start,
        weights={**start.weights, **_of("weights", found)},
        activations={**start.activations, **_of("activations", found)},
    )
    told = ", ".join(
        f"{layer} {found['weights', layer]}x{found['activations', measured.reads[layer]]}"
        for layer in measured.reads
    )
    return widths, (
        f"bits (weights x inputs): {told}; {measured.ebops(found)} of {measured.ebops(uniform)} EBOPs",
    )


_KEY = {"weights": "layers", "activations": "activations"}


def _uniform(knob: Knob, widths: Widths) -> int:
    kind, layer = knob
    return widths.weights[layer] if kind == "weights" else widths.activations[layer]


def _of(kind: str, bits: Mapping[Knob, int]) -> dict[str, int]:
    return {layer: width for (found, layer), width in bits.items() if found == kind}


def spend(measured: Sensitivity, uniform: Mapping[Knob, int], fixed: set[Knob]) -> dict[Knob, int]:
    """Lower the width that loses least per EBOP saved until the uniform cost is reached; then use up what is
    left.
    """
    budget = measured.ebops(uniform)
    now = {knob: uniform[knob] if knob in fixed else max(losses) for knob, losses in measured.losses.items()}
    while measured.ebops(now) > budget:
        moves = list(_lower(measured, now, fixed))
        if not moves:
            break
        knob, width = min(moves, key=lambda move: _price(measured, now, move))
        now[knob] = width
    return _top_up(measured, now, fixed, budget)


def _lower(measured: Sensitivity, now: Mapping[Knob, int], fixed: set[Knob]) -> Iterator[tuple[Knob, int]]:
    for knob, losses in measured.losses.items():
        if knob not in fixed:
            yield from ((knob, width) for width in losses if width < now[knob])


def _price(measured: Sensitivity, now: Mapping[Knob, int], move: tuple[Knob, int]) -> float:
    """Loss added per EBOP saved."""
    knob, width = move
    losses = measured.losses[knob]
    saved = measured.ebops(now) - measured.ebops({**now, knob: width})
    return (losses[width] - losses[now[knob]]) / saved if saved > 0 else np.inf


def _top_up(measured: Sensitivity, now: dict[Knob, int], fixed: set[Knob], budget: int) -> dict[Knob, int]:
    """Raise single widths, the most helpful first, while the budget holds."""
    while True:
        raised = [
            (losses[now[knob]] - losses[now[knob] + 1], knob)
            for knob, losses in measured.losses.items()
            if knob not in fixed
            and now[knob] + 1 in losses
            and measured.ebops({**now, knob: now[knob] + 1}) <= budget
        ]
        gain, knob = max(raised, default=(0.0, ("", "")))
        if gain <= 0:
            return now
        now[knob] += 1


def measure_sensitivity(
    model: keras.Model,
    start: Widths,
    inputs: list[Values],
    targets: Sequence[OutputTarget],
    config: QuantizeConfig,
) -> Sensitivity:
    """Try every width of every layer, one at a time, in a quantized model whose other
    widths are the largest.
    """
    events = [part[:MEASURED] for part in inputs]
    span = range(config.min_bits, config.top_bits + 1)
    wide = replace(
        start,
        weights=dict.fromkeys(start.weights, config.top_bits),
        activations={name: max(bits, config.top_bits) for name, bits in start.activations.items()},
    )
    trial = quantized_twin(model, wide, inputs, config)
    bench = _Trials(trial, meanings(model, events, targets), events, (targets, config))
    graph = flat(trial)
    layers = [call for call in graph.layers if operation(call.layer) in SUMMED]
    reads = {call.name: _source(graph, call) for call in layers}
    weights = {call.name: bench.weights(graph.uses[call.name], span) for call in layers}
    behind, values = _follows(model, graph), values_by_layer(model, inputs)
    losses: dict[Knob, dict[int, float]] = {
        ("weights", name): losses for name, (losses, _) in weights.items()
    }
    for quantizer in dict.fromkeys(reads.values()):
        top = wide.activations[behind[quantizer]]
        losses["activations", behind[quantizer]] = bench.activation(
            quantizer, values[behind[quantizer]], range(span.start, top + 1)
        )
    return Sensitivity(
        losses,
        {name: cost for name, (_, cost) in weights.items()},
        {name: behind[source] for name, source in reads.items()},
    )


def _source(graph: Topology, call: Call) -> str:
    """The quantizing activation whose values a layer reads; the nearest one where a merge offers several."""
    source = graph.sources(call)[0]
    return source.name if operation(source.layer) == "activation" else _source(graph, source)


def _follows(model: keras.Model, trial: Topology) -> dict[str, str]:
    """For each quantizer of the trial: the layer of ``model`` that its width is filed under in ``Widths``."""
    own = {
        call.name
        for call in flat(model).layers
        if operation(call.layer) == "activation" and not is_linear(call)
    }
    return {
        call.name: call.name if call.name in own else trial.sources(call)[0].name
        for call in trial.layers
        if operation(call.layer) == "activation"
    }


def distance(target: OutputTarget, found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Mean Kullback-Leibler distance (nats) of class probabilities; mean squared one of a single column and of
    flags; for values the squared one in units of their variance.
    """
    if target.task == "values":
        return float(((found - wanted) ** 2).mean() / max(float(wanted.var()), 1e-30))
    found, wanted = np.clip(found, 1e-7, 1.0), np.clip(wanted, 1e-7, 1.0)
    if target.task == "flags" or found.shape[-1] == 1:
        return float(((found - wanted) ** 2).mean())
    return float((wanted * np.log(wanted / found)).sum(axis=-1).mean())


class _Trials:
    """One quantized model whose weights and quantizers are exchanged for a measurement and put back."""

    def __init__(
        self,
        model: keras.Model,
        wanted: list[NDArray[Any]],
        events: list[Values],
        settings: tuple[Sequence[OutputTarget], QuantizeConfig],
    ) -> None:
        self.model, self.wanted, self.events = model, wanted, events
        self.targets, self.config = settings

    def loss(self) -> float:
        """Distance from the float model's answers, summed over outputs."""
        found = meanings(self.model, self.events, self.targets)
        return sum(map(distance, self.targets, found, self.wanted))

    def weights(self, uses: Sequence[Call], span: Sequence[int]) -> tuple[dict[int, float], dict[int, int]]:
        """Loss and enclosed bits (times positions, over all uses) of one layer's kernel at each width."""
        call, places = uses[0], sum(map(positions, uses))
        arrays = call.weights
        losses, cost = {}, {}
        for bits in span:
            kernel = np.asarray(linear_quantizer(arrays[0], bits, self.config)(arrays[0]))
            call.layer.set_weights([kernel, *arrays[1:]])
            losses[bits], cost[bits] = self.loss(), int(enclosed_bits(kernel).sum()) * places
        call.layer.set_weights(arrays)
        return losses, cost

    def activation(self, name: str, values: Values, span: Sequence[int]) -> dict[int, float]:
        """Loss with one quantizer at each width, its integer bits calibrated on the float ``values`` it
        reads.
        """
        layer = self.model.get_layer(name)
        kept = layer.activation
        losses = {}
        for bits in span:
            layer.activation = self._at(kept, values, bits)
            losses[bits] = self.loss()
        layer.activation = kept
        return losses

    def _at(self, quantizer: Any, values: Values, bits: int) -> Any:
        """A quantizer of the same shape at another width."""
        found = reading_of(quantizer)
        if found is None or found.shape in ("binary", "ternary", "other"):
            return quantizer
        if found.shape in ("linear", "relu"):
            make = linear_quantizer if found.shape == "linear" else relu_quantizer
            return make(values, bits, self.config)
        return standard().make(found.shape, bits)
