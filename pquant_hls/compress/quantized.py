"""The QKeras twin of a model without BatchNormalization, at given widths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np

from pquant_hls.compress.accounting import SUMMED
from pquant_hls.compress.calibration import Values, layer_values, linear_quantizer, relu_quantizer
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.network.affine import CONSTANT_BITS, rounded_constants, rounded_scale
from pquant_hls.network.frontend import Shape, front_of, reading_of, shape_of, standard
from pquant_hls.network.graph import Call, NewLayer, Topology, calls, copy_layer, flat, rebuild
from pquant_hls.network.kinds import layer_kind
from pquant_hls.network.kinds.scales import Affine
from pquant_hls.network.lookup import MOST_INDEX_BITS, FixedPointTable
from pquant_hls.network.names import unused
from pquant_hls.network.norms import Norm, norm_of, tabled_norm
from pquant_hls.network.plan import is_linear
from pquant_hls.network.recurrent import RecurrentState
from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.network.table import activation_text, masked, operation
from pquant_hls.network.tabled import is_function
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.steps import QuantizeConfig

MIN_BIAS_BITS = 6
WITH_TWIN: Mapping[str, Shape] = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}
"""Functions with a quantized twin that hls4ml computes exactly."""


@dataclass(frozen=True)
class Widths:
    """Bits by layer name: kernels, biases, and the activations behind each layer (inputs included)."""

    weights: Mapping[str, int]
    activations: Mapping[str, int]
    bias_bits: int | None = None
    kernel: Literal["fixed", "binary", "ternary"] = "fixed"
    changed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, model: keras.Model, config: QuantizeConfig) -> Widths:
        """Uniform widths with the configuration's own entries for single layers."""
        table = calls(model)
        weighted = [call.name for call in table if operation(call.layer) in SUMMED]
        for key, given, names in (
            ("layers", config.layers, weighted),
            ("activations", config.activations, [call.name for call in table]),
        ):
            for name in given:
                if name not in names:
                    raise SpecError(unknown_key(name, names, "layer"), where=key)
        weights = dict.fromkeys(weighted, config.bits)
        activations = {
            call.name: config.default_input_bits
            if operation(call.layer) == "input"
            else config.default_activation_bits
            for call in table
        }
        return cls(
            {**weights, **config.layers},
            {**activations, **config.activations},
            config.bias_bits,
            config.kernel,
        )

    def bias(self, name: str) -> int:
        return max(MIN_BIAS_BITS, self.weights[name]) if self.bias_bits is None else self.bias_bits


def check_quantizable(model: keras.Model, config: QuantizeConfig) -> None:
    """Raises UnsupportedModel naming a layer that has no exact quantized twin, SpecError
    for unknown names.
    """
    Widths.of(model, config)
    ends = final_layers(model)
    for call in calls(model):
        kind, inner = operation(call.layer), activation_text(call.layer)
        constant = call.is_operation and call.constants
        if norm_of(call.layer) is not None:
            continue
        if constant or kind in ("other", "separable_conv") or (kind in SUMMED and _twin(call) is None):
            raise UnsupportedModel(f"a {call.kind} has no exact quantized twin", where=call.name)
        head = call.name in ends and inner in ("softmax", "sigmoid")
        if inner is not None and not head and not _has_twin(call, inner):
            raise UnsupportedModel(
                f"activation {inner!r} has no exact quantized twin",
                where=call.name,
                mend=f"use {', '.join(WITH_TWIN)} or another function of each value by itself",
            )


def _has_twin(call: Call, inner: str) -> bool:
    """Whether an activation has a quantized twin; quantizers are their own, where hls4ml computes them exactly, and
    functions of few bits become tables.
    """
    activation = layer_kind(call.layer).function(call.layer)
    found = reading_of(activation)
    leaky = getattr(activation, "negative_slope", 0)
    if found is not None:
        return found.shape != "other" and not leaky
    formed = layer_kind(call.layer).form(call.layer) is not None
    return inner in WITH_TWIN or inner == "softmax" or formed or is_function(call)


def _twin(call: Call) -> Any:
    """The quantized class of a layer; None where it has none that is exact."""
    front = front_of(call.layer)
    stands = call.kind if front is None else front.stands_for(call.layer)
    return standard().layer(str(stands)) if stands in layer_kind(call.layer).twins else None


def quantized_twin(
    model: keras.Model, widths: Widths, inputs: list[Values], config: QuantizeConfig
) -> keras.Model:
    """The QKeras twin of ``model``, calibrated on ``inputs`` (one array (events, ...) for each input)."""
    return rebuild(model, _Maker(model, widths, values_by_layer(model, inputs), config).make)


def values_by_layer(model: keras.Model, inputs: list[Values]) -> Mapping[str, Values]:
    """Output of every layer on the inputs by the layer's name; of one used more than once all its values, flat."""
    values = layer_values(model, inputs)
    return {
        name: values[name]
        if len(uses) == 1
        else np.concatenate([values[call.output].ravel() for call in uses])
        for name, uses in flat(model).uses.items()
    }


def final_layers(model: keras.Model) -> set[str]:
    """Names of the layers that make the model's outputs."""
    graph = flat(model)
    return {graph.producer(name).name for name in graph.outputs}


class _Maker:
    """Makes the new layers for each old one."""

    def __init__(
        self, model: keras.Model, widths: Widths, values: Mapping[str, Values], config: QuantizeConfig
    ) -> None:
        self.graph = flat(model)
        self.widths, self.values, self.config = widths, values, config
        self.ends = final_layers(model)
        self.read = _read(self.graph, values)
        """What each activation is applied to, by its layer."""
        self.names = {call.name for call in self.graph.layers if not is_linear(call)}

    def make(self, call: Call) -> Sequence[NewLayer] | None:
        kind = operation(call.layer)
        if kind == "input":
            return [self._quantize(call.name)]
        if kind in SUMMED:
            return self._weighted(call)
        if isinstance(call.layer, FixedPointTable):
            return [NewLayer(call.layer.rounded(call.name))]
        if kind == "activation":
            return self._activation(call)
        if isinstance(found := layer_kind(call.layer), Affine):
            return self._scaled(call, found)
        if (norm := norm_of(call.layer)) is not None:
            return self._normalized(call, norm)
        if isinstance(call.layer, RecurrentState):
            return [self._quantize(call.name, call.name)]
        if layer_kind(
            call.layer
        ).averages:  # means leave the grid: they are rounded back by a quantizer behind
            return [NewLayer(copy_layer(call.layer)), self._quantize(call.name)]
        return None

    def _normalized(self, call: Call, norm: Norm) -> Sequence[NewLayer]:
        """A normalization of tables for the values and variances of the calibration sample."""
        read = self.values[self.graph.sources(call)[0].name]
        integer, spread = (
            math.ceil(math.log2(max(float(part.max(initial=0.0)), 2.0**-6)))
            for part in (np.abs(read), norm.spreads(read))
        )
        made = [NewLayer(layer) for layer in tabled_norm(norm, call.name, integer, spread)]
        return [*made, self._quantize(call.name)] if self._feeds_weights(call) else made

    def _scaled(self, call: Call, kind: Affine) -> Sequence[NewLayer]:
        scale = NewLayer(rounded_scale(*kind.constants(call.layer), call.name))
        return [scale, self._quantize(call.name)] if self._feeds_weights(call) else [scale]

    def _weighted(self, call: Call) -> Sequence[NewLayer]:
        arrays = masked(call.layer, call.weights)
        bits = self.widths.weights[call.name]
        settings = {key: value for key, value in call.layer.get_config().items() if key in _SHAPING}
        settings["name"] = call.name
        option = standard().option
        settings[option(layer_kind(call.layer).roles[0])] = self._weight_quantizer(arrays[0], bits)
        if call.layer.use_bias:
            settings[option("bias")] = linear_quantizer(arrays[1], self.widths.bias(call.name), self.config)
        made = NewLayer(_twin(call)(**settings), arrays)
        inner = activation_text(call.layer)
        if inner is None:
            return [made, self._quantize(call.name)] if self._feeds_weights(call) else [made]
        if call.name in self.ends and inner in ("softmax", "sigmoid"):
            return [made, NewLayer(keras.layers.Activation(inner, name=self._name(f"{call.name}_{inner}")))]
        return [made, *self._acting(call, self._name(f"{call.name}_{_short(call)}"))]

    def _weight_quantizer(self, kernel: Values, bits: int) -> Any:
        if self.widths.kernel == "fixed":
            return linear_quantizer(kernel, bits, self.config)
        return standard().make(self.widths.kernel, bits)

    def _activation(self, call: Call) -> Sequence[NewLayer] | None:
        inner = activation_text(call.layer)
        if inner is None or (call.name in self.ends and inner in ("softmax", "sigmoid")):
            return None
        if is_linear(call):
            if all(map(self._quantized_anew, self.graph.uses[call.name])):
                return []
            return [self._quantize(self.graph.sources(call)[0].name, call.name)]
        return self._acting(call, call.name)

    def _acting(self, call: Call, name: str) -> list[NewLayer]:
        """The quantized twin of an activation: a quantizer, relus and scales, or what becomes a table between quantizers."""
        inner, kind = str(activation_text(call.layer)), layer_kind(call.layer)
        own = reading_of(kind.function(call.layer)) is not None
        if own or inner == "relu" or (inner in WITH_TWIN and self.config.mode == "qat"):
            return [self._activate(call, name)]
        values, bits = self.values[call.name], self.widths.activations[call.name]
        after = NewLayer(
            standard().activation(linear_quantizer(values, bits, self.config), self._name(f"{name}_q"))
        )
        if inner == "softmax":
            reach = float(np.abs(self.read[call.name]).max(initial=1.0))
            return [
                NewLayer(
                    FixedPointSoftmax(max(1, math.ceil(math.log2(reach)) if reach > 1 else 1), name=name)
                ),
                after,
            ]
        form = kind.form(call.layer)
        if form is not None:
            return [_in_form(call, name), after]
        before = linear_quantizer(self.read[call.name], min(bits + 2, MOST_INDEX_BITS), self.config)
        alone = kind.operation == "activation"
        function = (
            copy_layer(call.layer, name=name)
            if alone
            else keras.layers.Activation(kind.function(call.layer), name=name)
        )
        return [NewLayer(standard().activation(before, self._name(f"{name}_in"))), NewLayer(function), after]

    def _quantized_anew(self, call: Call) -> bool:
        """Whether the layer before already gets a quantizer of its own behind it."""
        source = self.graph.sources(call)[0]
        if operation(source.layer) == "input" or layer_kind(source.layer).averages:
            return True
        return (
            operation(source.layer) in SUMMED
            and activation_text(source.layer) is None
            and self._feeds_weights(source)
        )

    def _activate(self, call: Call, name: str) -> NewLayer:
        """The quantized twin of a layer's activation, calibrated on what follows it."""
        bits, values = self.widths.activations[call.name], self.values[call.name]
        shape = _shape(call)
        if shape == "relu":
            quantizer = relu_quantizer(values, bits, self.config)
        elif shape == "linear":
            quantizer = linear_quantizer(values, bits, self.config)
        elif shape in ("tanh", "sigmoid"):
            quantizer = standard().make(shape, bits)
        else:
            quantizer = layer_kind(call.layer).function(call.layer)
        return NewLayer(standard().activation(quantizer, name))

    def _quantize(self, layer: str, name: str | None = None) -> NewLayer:
        """A linear quantizer for the values of ``layer``."""
        quantizer = linear_quantizer(self.values[layer], self.widths.activations[layer], self.config)
        return NewLayer(standard().activation(quantizer, name or self._name(f"{layer}_q")))

    def _feeds_weights(self, call: Call) -> bool:
        """Whether a weighted layer reads any use of this one with no activation between."""
        return any(
            operation(reader.layer) in SUMMED
            or (
                (operation(reader.layer) != "activation" or is_linear(reader)) and self._feeds_weights(reader)
            )
            for use in self.graph.uses[call.name]
            for reader in self.graph.consumers(use.output)
        )

    def _name(self, wanted: str) -> str:
        """A name that no other layer has."""
        name = unused(wanted, self.names)
        self.names.add(name)
        return name


def _in_form(call: Call, name: str) -> NewLayer:
    """A bounded or leaky relu with its slopes on a grid of 16 bits."""
    config, arrays = (
        call.layer.get_config(),
        [rounded_constants(np.asarray(array, np.float64), CONSTANT_BITS) for array in call.weights],
    )
    slope = {
        key: float(rounded_constants(np.array(float(config[key])), CONSTANT_BITS))
        for key in ("negative_slope",)
        if key in config
    }
    return NewLayer(
        copy_layer(call.layer, name=name, **slope), [array.astype(np.float32) for array in arrays]
    )


def _read(graph: Topology, values: Mapping[str, Values]) -> Mapping[str, Values]:
    """What each activation is applied to, by its layer."""
    calls = [call for call in graph.layers if operation(call.layer) == "activation"]
    return {call.name: values[graph.sources(call)[0].name] for call in calls}


_SHAPING = (
    "units",
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "groups",
    "use_bias",
    "depth_multiplier",
    "trainable",
)


def _shape(call: Call) -> Shape:
    """What function acts in the layer, quantized already or not."""
    found = shape_of(layer_kind(call.layer).function(call.layer))
    return WITH_TWIN[str(activation_text(call.layer))] if found is None else found


def _short(call: Call) -> str:
    """``relu`` for ``quantized_relu(6,2)``."""
    shape = _shape(call)
    return "bits" if shape == "linear" else shape
