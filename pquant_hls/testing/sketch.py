"""A network as data: drawn, written down, shrunk and built again, always the same.

A ``Sketch`` is a list of nodes, each applied to the results of earlier ones, and the results that are outputs.
``keras_model`` makes the Keras model. Weights are drawn for each node by its own key, so taking a node out leaves
the weights of the others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WEIGHTED = ("QDense", "QConv1D", "QConv2D", "QDepthwiseConv2D")
FLOAT = ("Conv1D",)
"""Keras' own layers with weights, which are calibrated before a network is judged."""
ELEMENTS = "FixedPointQuantizer"
MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate", "Dot")
OPERATORS: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


@dataclass(frozen=True)
class Quantizer:
    """A QKeras quantizer by name and options; ``form``: handed over as an object or as its text."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    form: Literal["object", "text"] = "object"

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.options.items())})"

    def made(self) -> Any:
        import qkeras

        return str(self) if self.form == "text" else getattr(qkeras, self.name)(**self.options)

    @property
    def grid(self) -> tuple[float, float, float] | None:
        """(lsb, least, largest value) of a ``quantized_bits`` or ``quantized_relu``, None for others."""
        if self.name not in ("quantized_bits", "quantized_relu"):
            return None
        bits, integer = int(self.options["bits"]), int(self.options.get("integer", 0))
        signed = self.name == "quantized_bits" and bool(self.options.get("keep_negative", 1))
        lsb = 2.0 ** (integer + int(signed) - bits)
        least = -(2.0**integer) + lsb * int(self.options.get("symmetric", 0)) if signed else 0.0
        return lsb, least, 2.0**integer - lsb


def is_plain(name: str) -> bool:
    """Whether a layer's name is of the usual form, which is not shown."""
    return re.fullmatch(r"(n\d+_[a-z]+\d+[a-z]?\d*)?", name) is not None


@dataclass(frozen=True)
class SketchNode:
    """One call. ``kind`` is Keras' or QKeras' layer class; ``Operator``, ``Nested`` and ``Again`` (the layer of
    the node whose key is ``of``, once more) are others. ``options`` go to the layer, but for ``active``, which
    calls a dropout with ``training=True``; those of a wrapper go to the layer of the class ``wraps``. ``weights`` says
    how its weights are drawn: ``random``, ``zeros``, ``lsb`` (at most one of the kernel quantizer) or ``sparse``."""

    key: int
    kind: str
    inputs: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str = "random"

    def __str__(self) -> str:
        plain = is_plain(self.options.get("name", ""))
        shown = [f"{k}={v}" for k, v in self.options.items() if k != "name" or not plain]
        mode = [] if self.weights == "random" or self.kind not in WEIGHTED else [f"weights={self.weights}"]
        sources = ", ".join(f"t{i}" for i in self.inputs)
        return f"t{self.key} = {self.kind}({', '.join(shown + mode)})({sources})"

    def quantizer(self, option: str = "activation") -> Quantizer | None:
        found = self.options.get(option)
        return found if isinstance(found, Quantizer) else None


@dataclass(frozen=True)
class Sketch:
    """A network; ``inputs`` of nodes and ``outputs`` are keys of nodes. ``file``: the suffix of the model file
    it is saved to and loaded from before it is handed over, or none."""

    seed: int
    nodes: tuple[SketchNode, ...]
    outputs: tuple[int, ...]
    file: str = ""

    def __str__(self) -> str:
        lines = [str(node) for node in self.nodes]
        lines.append(f"outputs: {', '.join(f't{key}' for key in self.outputs)}")
        return "\n".join(lines + ([f"saved as {self.file} and loaded"] if self.file else []))

    def node(self, key: int) -> SketchNode:
        return next(node for node in self.nodes if node.key == key)

    def users(self, key: int) -> list[SketchNode]:
        return [node for node in self.nodes if key in node.inputs]

    @property
    def entries(self) -> list[SketchNode]:
        return [node for node in self.nodes if node.kind == "Input"]


def keras_model(sketch: Sketch) -> Any:
    """The Keras model. Raises what Keras raises for layers that do not fit together."""
    model = _functional(sketch, f"n{sketch.seed}")
    return reloaded(model, sketch.file) if sketch.file else model


def reloaded(model: Any, suffix: str) -> Any:
    from pquant_hls.files import scratch
    from pquant_hls.network import load_model, save_model

    with scratch() as folder:
        return load_model(save_model(model, folder / f"model{suffix}"))


def _functional(sketch: Sketch, name: str) -> Any:
    import keras

    tensors: dict[int, Any] = {}
    layers: dict[int, Any] = {}
    for node in sketch.nodes:
        tensors[node.key] = apply(node, [tensors[key] for key in node.inputs], layers, sketch.seed)
    entries = [tensors[node.key] for node in sketch.entries]
    outputs = [tensors[key] for key in sketch.outputs]
    single = outputs[0] if len(outputs) == 1 else outputs
    return keras.Model(entries[0] if len(entries) == 1 else entries, single, name=name)


def apply(node: SketchNode, inputs: list[Any], layers: dict[int, Any], seed: int) -> Any:
    """The node's result as a Keras tensor; its layer goes into ``layers`` by the node's key."""
    import keras

    if node.kind == "Input":
        return keras.Input(**node.options)
    if node.kind == "Operator":
        return _operated(node, inputs)
    if node.kind == "Again":
        return layers[node.options["of"]](inputs[0])
    layer = layers[node.key] = _layer(node)
    merges = node.kind in MERGES
    active = {"training": True} if node.options.get("active") else {}
    result = layer(inputs if merges or len(inputs) > 1 else inputs[0], **active)
    if node.kind != "Nested":
        layer.set_weights(_weights(layer, node, seed))
    return result


def _operated(node: SketchNode, inputs: list[Any]) -> Any:
    import keras

    sign, others = node.options["sign"], node.options.get("constant")
    options = {key: value for key, value in node.options.items() if key not in ("sign", "constant", "key")}
    if sign == "GetItem":
        return inputs[0][tuple(node.options["key"])]
    if sign not in OPERATORS:
        return getattr(keras.ops, sign)(*inputs, **options)
    return OPERATORS[sign](inputs[0], inputs[1] if others is None else others)


def _layer(node: SketchNode) -> Any:
    from pquant_hls.network.files import OWN

    own = {layer.__name__: layer for layer in OWN}
    if node.kind == "Nested":
        return _functional(node.options["sketch"], node.options["name"])
    options = {k: v.made() if isinstance(v, Quantizer) else v for k, v in node.options.items()}
    options.pop("active", None)
    if options.get("mask") is not None:
        options["mask"] = np.array(options["mask"], np.float32)
    if node.kind in own:
        return own[node.kind](**options)
    if "wraps" in options:
        outer = {key: options.pop(key) for key in ("name", "merge_mode") if key in options}
        return _class(node.kind)(_class(options.pop("wraps"))(**options), **outer)
    return _class(node.kind)(**options)


def _class(kind: str) -> Any:
    import keras
    import qkeras

    return getattr(qkeras if kind.startswith("Q") else keras.layers, kind)


def _weights(layer: Any, node: SketchNode, seed: int) -> list[Floats]:
    """Weights of trained size: kernels around their range, biases away from zero, moving averages seen."""
    rng = np.random.default_rng((seed, node.key))
    found = []
    for variable in layer.weights:
        word = variable.path.rsplit("/", 1)[-1]
        if "float" not in str(variable.dtype):
            found.append(np.asarray(variable))
            continue
        if "variance" in word or word == "gamma":
            values = rng.uniform(0.4, 2.0, variable.shape)
        else:
            values = rng.normal(0.0, 0.6, variable.shape) * _share(node, word, variable.shape, rng)
        found.append(values.astype(np.float32))
    return found


def _share(node: SketchNode, word: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """What is left of drawn weights: all, none, a tenth, or the least bit of a few."""
    if node.weights == "random" or node.kind not in WEIGHTED:
        return 1.0
    if node.weights == "zeros":
        return 0.0
    kept = rng.random(shape) < (0.15 if node.weights == "sparse" else 0.3)
    if node.weights == "sparse":
        return kept
    role = "bias" if word == "bias" else "depthwise" if node.kind == "QDepthwiseConv2D" else "kernel"
    quantizer = node.quantizer(f"{role}_quantizer")
    grid = None if quantizer is None else quantizer.grid
    return kept * (1.0 if grid is None or word == "bias" else min(grid[0], 1.0))


__all__ = [
    "ELEMENTS",
    "FLOAT",
    "MERGES",
    "OPERATORS",
    "WEIGHTED",
    "Quantizer",
    "Sketch",
    "SketchNode",
    "apply",
    "is_plain",
    "keras_model",
    "reloaded",
]
