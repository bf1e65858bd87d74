"""The normal form of a Keras model: the same function, in the few layer kinds that convert exactly.

Activations become layers of their own, layers that do nothing in inference go, a final softmax goes (argmax
and thresholds work on logits), names become identifiers that neither hls4ml nor C++ changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls.quantizers import is_quantizer
from pquant_hls.hls.topology import Call, Topology, topology

NO_OPS = frozenset({
    "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D",
    "ActivityRegularization",
})  # fmt: skip
"""Layers that pass values through in inference."""

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


def is_pass_through(call: Call) -> bool:
    """Whether the layer changes nothing in inference."""
    plain = call.kind == "Activation" and activation_name(call.layer.activation) == "linear"
    return call.kind in NO_OPS or plain


def safe_names(names: tuple[str, ...]) -> dict[str, str]:
    """A C++ identifier for each name, unique without regard to case, as hls4ml looks names up in lower case."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not base[:1].isalpha() or len(base) == 1 or base.lower() in _KEYWORDS or _HLS_NAME.fullmatch(base):
            base = f"l_{base.strip('_')}"
        free, count = base, 1
        while free.lower() in used:
            count += 1
            free = f"{base}_{count}"
        used.add(free.lower())
        found[name] = free
    return found


def normal_form(model: Any, *, keep_softmax: bool = False) -> Any:
    """A new functional Keras model in normal form with copies of the weights; ``model`` is left as it is.

    Raises
    ------
    UnsupportedModel : a layer is used twice or cannot be copied.
    """
    import keras

    graph = topology(model)
    names = safe_names(tuple(call.name for call in graph.calls))
    tensors: dict[str, Any] = {}
    for call in graph.calls:
        tensors[call.output] = _apply(
            call, [tensors[name] for name in call.inputs], names, graph, keep_softmax
        )
    return keras.Model([tensors[name] for name in graph.inputs], [tensors[name] for name in graph.outputs])


def _apply(
    call: Call, inputs: list[Any], names: Mapping[str, str], graph: Topology, keep_softmax: bool
) -> Any:
    import keras

    if call.kind == "InputLayer":
        return keras.Input(call.shape, name=names[call.name], dtype=call.layer.dtype)
    final_softmax = is_softmax(call) and call.output in graph.outputs and not keep_softmax
    if is_pass_through(call) or (final_softmax and own_activation(call.layer) is None):
        return inputs[0]
    activation = own_activation(call.layer)
    config = {"name": names[call.name], **({} if activation is None else {"activation": None})}
    result = _applied(call, copied(call.layer, config), inputs)
    if activation is None or final_softmax:
        return result
    return _activation_layer(activation, f"{names[call.name]}_{activation_name(activation)}")(result)


def _applied(call: Call, layer: Any, inputs: list[Any]) -> Any:
    result = layer(inputs[0] if len(inputs) == 1 else inputs)
    if call.layer.weights:
        layer.set_weights(call.layer.get_weights())
    return result


def copied(layer: Any, changes: Mapping[str, Any]) -> Any:
    """A new layer from ``layer``'s configuration with some entries replaced; weights are not copied.

    Raises
    ------
    UnsupportedModel : Keras cannot rebuild the layer from its configuration.
    """
    build: Callable[[dict[str, Any]], Any] = type(layer).from_config
    try:
        return build({**layer.get_config(), **changes})
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
