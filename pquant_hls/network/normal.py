"""The normal form of a Keras model: the same function, in the few layer kinds that convert exactly.

Activations become layers of their own, weights get plain quantizers, a Dense over a sequence becomes a
convolution of width 1, sums of many become sums of two, layers that do nothing in inference go, a final
softmax or sigmoid goes (argmax and thresholds work on logits), names become such that nothing changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import frozen
from pquant_hls.network.graph import Call, Topology, remake, topology
from pquant_hls.network.names import safe_names, unused
from pquant_hls.network.quantizers import is_quantizer, keras_computes, quantizer_name

NO_OPS = frozenset(
    {
        "Dropout",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "ActivityRegularization",
    }
)
"""Layers that pass values through in inference."""
CHAINED = frozenset({"Add", "Multiply", "Maximum", "Minimum", "Concatenate"})
"""Merges of many inputs that are chains of merges of two."""


def activation_name(activation: Any) -> str:
    """``linear`` for none, the function's or quantizer's name otherwise."""
    if activation is None:
        return "linear"
    return str(getattr(activation, "__name__", type(activation).__name__))


def own_activation(layer: Any) -> Any:
    """The activation a layer with weights carries inside, or None when it has none."""
    activation = getattr(layer, "activation", None)
    if type(layer).__name__ in ("QActivation", "Activation", "QAdaptiveActivation"):
        return None
    return None if activation_name(activation) == "linear" else activation


def is_softmax(call: Call) -> bool:
    return call.kind == "Softmax" or activation_name(getattr(call.layer, "activation", None)) == "softmax"


def is_probability(call: Call) -> bool:
    """Whether the layer only turns logits into probabilities: argmax and thresholds work on either."""
    return is_softmax(call) or activation_name(getattr(call.layer, "activation", None)) == "sigmoid"


def is_pass_through(call: Call) -> bool:
    """Whether the layer changes nothing in inference."""
    plain = call.kind == "Activation" and activation_name(call.layer.activation) == "linear"
    return call.kind in NO_OPS or plain


def is_final(call: Call, graph: Topology) -> bool:
    """Whether the result leaves the model, possibly through layers that change nothing."""
    after = graph.consumers(call.output)
    return call.output in graph.outputs or (
        len(after) == 1 and is_pass_through(after[0]) and is_final(after[0], graph)
    )


def normal_form(model: Any, *, keep_softmax: bool = False) -> Any:
    """A new functional Keras model in normal form with copies of the weights; ``model`` is left as it is.

    Raises
    ------
    UnsupportedModel : no fixed graph, or a layer that cannot be copied.
    """
    graph = topology(model)
    names = Names(graph)
    return remake(model, _Builder(graph, keep_softmax, names).apply, names.enter)


class Names:
    """A name of its own for each call of a graph: a layer used twice is made twice."""

    def __init__(self, graph: Topology) -> None:
        self.of = dict(zip((call.output for call in graph.calls), safe_names(graph.calls), strict=True))
        self.used = set(self.of.values())

    def enter(self, call: Call) -> Any:
        """The new model's input for one of the old one's."""
        return keras.Input(call.shape, name=self.of[call.output], dtype=call.layer.dtype)

    def another(self, wanted: str) -> str:
        """A name like ``wanted`` that nothing has yet."""
        name = unused(wanted, self.used)
        self.used.add(name)
        return name


def is_elementwise(call: Call) -> bool:
    """Whether the call computes each value from itself alone, so that it may move before a Flatten."""
    return is_pass_through(call) or (
        call.kind in ("QActivation", "Activation", "ReLU") and not is_softmax(call)
    )


@dataclass(frozen=True)
class _Builder:
    graph: Topology
    keep_softmax: bool
    names: Names
    unflat: dict[str, Any] = field(default_factory=dict)
    """By the name of a flat tensor: the same values before the Flatten."""

    def apply(self, call: Call, inputs: list[Any]) -> Any:
        if call.kind == "InputLayer":
            return inputs[0]
        with keras_computes(call.name):
            return self.placed(call, self.names.of[call.output], inputs)

    def placed(self, call: Call, name: str, inputs: list[Any]) -> Any:
        if call.kind == "Flatten":
            self.unflat[call.output] = inputs[0]
        before = self.unflat.get(call.inputs[0]) if is_elementwise(call) else None
        if before is None:
            return self.computed(call, name, inputs)
        # hls4ml's streams have no Flatten: what follows one must not mind, and activations do
        self.unflat[call.output] = self.computed(call, name, [before])
        return keras.layers.Flatten(name=self.names.another(f"{name}_flat"))(self.unflat[call.output])

    def computed(self, call: Call, name: str, inputs: list[Any]) -> Any:
        drop_head = is_probability(call) and is_final(call, self.graph) and not self.keep_softmax
        if is_pass_through(call) or (drop_head and call.kind in ("Softmax", "Activation")):
            return inputs[0]
        if call.kind.removeprefix("ops.") in CHAINED and len(inputs) > 2:
            return self.chained(call, name, inputs)
        return self.layer(call, name, inputs, drop_head=drop_head)

    def layer(self, call: Call, name: str, inputs: list[Any], *, drop_head: bool) -> Any:
        if call.kind == "QActivation":
            return _activation_layer(without_residue(call.layer.activation), name)(inputs[0])
        activation = own_activation(call.layer)
        result = computed(call, name, inputs, {} if activation is None else {"activation": None})
        if activation is None or drop_head:
            return result
        own_name = self.names.another(f"{name}_{activation_name(activation)}")
        return _activation_layer(without_residue(activation), own_name)(result)

    def chained(self, call: Call, name: str, inputs: list[Any]) -> Any:
        result = inputs[0]
        for other in inputs[1:-1]:
            result = merged(call, self.names.another(f"{name}_part"), [result, other])
        return merged(call, name, [result, inputs[-1]])


def merged(call: Call, name: str, inputs: list[Any]) -> Any:
    """A merge layer applied; an operation such as ``a + b`` becomes the layer of its name."""
    if call.is_operation:
        return getattr(keras.layers, type(call.layer).__name__)(name=name)(inputs)
    return copied(call.layer, {"name": name})(inputs)


def without_residue(activation: Any) -> Any:
    """``binary`` and ``ternary`` with alpha=1 for alpha=None, which leaves 1e-7 of a tanh in its values."""
    import qkeras

    if quantizer_name(activation) in ("binary", "ternary") and activation.alpha is None:
        return getattr(qkeras, quantizer_name(activation)).from_config(
            {**activation.get_config(), "alpha": 1}
        )
    return activation


def computed(call: Call, name: str, inputs: list[Any], changes: Mapping[str, Any]) -> Any:
    """The call's layer copied with ``changes`` and plain quantizers, and applied."""
    if call.is_operation:
        return merged(call, name, inputs)
    requantized, weights = frozen(call.layer)
    changes = {"name": name, **changes, **requantized}
    if call.kind == "QDense" and len(call.shape) > 1:
        layer, weights = _pointwise(call, changes), [_expanded(w, len(call.shape)) for w in weights]
    else:
        layer = copied(call.layer, changes)
    result = call.on(inputs, layer)
    if weights:
        layer.set_weights(weights)
    return result


def _pointwise(call: Call, changes: Mapping[str, Any]) -> Any:
    """The convolution of width 1 that a QDense over a sequence or an image is."""
    import qkeras

    layer = call.layer
    options = {"kernel_quantizer": layer.kernel_quantizer, "bias_quantizer": layer.bias_quantizer, **changes}
    options.pop("activation", None)
    if len(call.shape) == 2:
        return qkeras.QConv1D(layer.units, 1, use_bias=layer.use_bias, **options)
    if len(call.shape) == 3:
        return qkeras.QConv2D(layer.units, 1, use_bias=layer.use_bias, **options)
    raise UnsupportedModel(
        f"QDense over {len(call.shape)} axes", where=layer.name, mend="flatten or reshape before it"
    )


def _expanded(weight: Any, axes: int) -> Any:
    return weight.reshape((1,) * (axes - 1) + weight.shape) if weight.ndim == 2 else weight


def copied(layer: Any, changes: Mapping[str, Any]) -> Any:
    """A new layer from ``layer``'s configuration with some entries replaced; weights are not copied.

    Raises
    ------
    UnsupportedModel : Keras cannot rebuild the layer from its configuration.
    """
    try:
        return type(layer).from_config({**layer.get_config(), **changes})
    except (TypeError, ValueError, AttributeError, NotImplementedError) as cause:
        raise UnsupportedModel(
            f"{type(layer).__name__} cannot be rebuilt: {cause}", where=layer.name
        ) from cause


def _activation_layer(activation: Any, name: str) -> Any:
    import qkeras

    if is_quantizer(activation):
        return qkeras.QActivation(activation, name=name)
    return keras.layers.Activation(activation, name=name)
