"""The normal form of a Keras model: the same function, in the few layer kinds that convert exactly.

Activations become layers of their own, weights get plain quantizers, a Dense over a sequence becomes a
convolution of width 1, sums of many become sums of two, layers that do nothing in inference go, a final
softmax or sigmoid goes (argmax and thresholds work on logits), names become such that nothing changes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network.freeze import frozen
from pquant_hls.network.quantizers import is_quantizer, keras_computes, quantizer_name
from pquant_hls.network.topology import Call, Topology, topology

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

_KEYWORDS = frozenset(
    [
        "input",
        "output",
        "auto",
        "bool",
        "break",
        "case",
        "char",
        "class",
        "const",
        "default",
        "delete",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "false",
        "float",
        "for",
        "if",
        "int",
        "long",
        "namespace",
        "new",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "template",
        "this",
        "true",
        "typedef",
        "union",
        "unsigned",
        "using",
        "void",
        "while",
        "nnet",
        "hls",
        "std",
        "max",
        "min",
        "relu",
        "sigmoid",
        "tanh",
        "softmax",
        "linear",
        "dense",
        "main",
    ]
)
_HLS_NAME = re.compile(r"(?:[a-z]|config|layer)\d+(?:_\w*)?")


def is_reserved(name: str) -> bool:
    """Whether C++ or hls4ml's generated code uses this name itself."""
    return name.lower() in _KEYWORDS or _HLS_NAME.fullmatch(name) is not None


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


def safe_names(calls: tuple[Call, ...]) -> tuple[str, ...]:
    """A name for each call that neither C++ nor hls4ml changes.

    Unique without regard to case, as hls4ml looks names up in lower case; hls4ml renames what is called after
    one letter of the word input. Only input layers become C++ variables, so only these avoid its words.
    """
    used: set[str] = set()
    found = []
    for call in calls:
        base = re.sub(r"\W", "_", call.name, flags=re.ASCII)
        reserved = is_reserved(base)
        if (
            not base[:1].isalpha()
            or len(base) == 1
            or base == "input"
            or (reserved and call.kind == "InputLayer")
        ):
            base = f"l_{base.strip('_')}"
        found.append(_unused(base, used))
    return tuple(found)


def _unused(base: str, used: set[str]) -> str:
    free, count = base, 1
    while free.lower() in used:
        count += 1
        free = f"{base}_{count}"
    used.add(free.lower())
    return free


def rebuilt(graph: Topology, apply: Callable[[Call, str, list[Any]], Any]) -> Any:
    """A new functional model in which ``apply(call, name, inputs)`` makes each call's result."""
    import keras

    tensors: dict[str, Any] = {}
    for call, name in zip(graph.calls, safe_names(graph.calls), strict=True):
        if call.kind == "InputLayer":
            tensors[call.output] = keras.Input(call.shape, name=name, dtype=call.layer.dtype)
        else:
            with keras_computes(call.name):
                tensors[call.output] = apply(call, name, [tensors[source] for source in call.inputs])
    return keras.Model([tensors[name] for name in graph.inputs], [tensors[name] for name in graph.outputs])


def normal_form(model: Any, *, keep_softmax: bool = False) -> Any:
    """A new functional Keras model in normal form with copies of the weights; ``model`` is left as it is.

    Raises
    ------
    UnsupportedModel : no fixed graph, or a layer that cannot be copied.
    """
    graph = topology(model)
    used = {name.lower() for name in safe_names(graph.calls)}
    return rebuilt(graph, _Builder(graph, keep_softmax, used).apply)


def is_elementwise(call: Call) -> bool:
    """Whether the call computes each value from itself alone, so that it may move before a Flatten."""
    return is_pass_through(call) or (
        call.kind in ("QActivation", "Activation", "ReLU") and not is_softmax(call)
    )


@dataclass(frozen=True)
class _Builder:
    graph: Topology
    keep_softmax: bool
    used: set[str]
    unflat: dict[str, Any] = field(default_factory=dict)
    """By the name of a flat tensor: the same values before the Flatten."""

    def apply(self, call: Call, name: str, inputs: list[Any]) -> Any:
        if call.kind == "Flatten":
            self.unflat[call.output] = inputs[0]
        before = self.unflat.get(call.inputs[0]) if is_elementwise(call) else None
        if before is None:
            return self.computed(call, name, inputs)
        # hls4ml's streams have no Flatten: what follows one must not mind, and activations do
        self.unflat[call.output] = self.computed(call, name, [before])
        return flattened(self.unflat[call.output], _unused(f"{name}_flat", self.used))

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
        own_name = _unused(f"{name}_{activation_name(activation)}", self.used)
        return _activation_layer(without_residue(activation), own_name)(result)

    def chained(self, call: Call, name: str, inputs: list[Any]) -> Any:
        result = inputs[0]
        for other in inputs[1:-1]:
            result = merged(call, _unused(f"{name}_part", self.used), [result, other])
        return merged(call, name, [result, inputs[-1]])


def flattened(tensor: Any, name: str) -> Any:
    import keras

    return keras.layers.Flatten(name=name)(tensor)


def merged(call: Call, name: str, inputs: list[Any]) -> Any:
    """A merge layer applied; an operation such as ``a + b`` becomes the layer of its name."""
    import keras

    if call.kind.startswith("ops."):
        return getattr(keras.layers, call.kind.removeprefix("ops."))(name=name)(inputs)
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
    if call.kind.startswith("ops."):
        return merged(call, name, inputs)
    requantized, weights = frozen(call.layer)
    changes = {"name": name, **changes, **requantized}
    if call.kind == "QDense" and len(call.shape) > 1:
        layer, weights = _pointwise(call, changes), [_expanded(w, len(call.shape)) for w in weights]
    else:
        layer = copied(call.layer, changes)
    try:
        result = layer(inputs[0] if len(inputs) == 1 else inputs)
    except TypeError as cause:  # attention and others that take their inputs by name
        raise UnsupportedModel(f"{call.kind} layers are not taken", where=call.name) from cause
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
    import keras
    import qkeras

    if is_quantizer(activation):
        return qkeras.QActivation(activation, name=name)
    return keras.layers.Activation(activation, name=name)
