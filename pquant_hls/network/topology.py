"""The calls of a Keras model in the order in which they can be computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pquant_hls.errors import UnsupportedModel


@dataclass(frozen=True)
class Call:
    """One layer applied once; ``inputs`` and ``output`` name tensors, ``shape`` leaves out the batch axis."""

    layer: Any
    inputs: tuple[str, ...]
    output: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class, ``ops.Name`` for an operation on tensors such as ``a + b``."""
        name = type(self.layer).__name__
        return name if hasattr(self.layer, "weights") else f"ops.{name}"


@dataclass(frozen=True)
class Topology:
    """All calls of a model; ``inputs`` and ``outputs`` name tensors."""

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def producer(self, tensor: str) -> Call:
        return next(call for call in self.calls if call.output == tensor)

    def consumers(self, tensor: str) -> tuple[Call, ...]:
        return tuple(call for call in self.calls if tensor in call.inputs)

    def sources(self, call: Call) -> tuple[Call, ...]:
        return tuple(self.producer(tensor) for tensor in call.inputs)


def functional(model: Any) -> Any:
    """The functional graph inside a Sequential model, or the model itself.

    Raises
    ------
    UnsupportedModel : the model is not built, or is neither Sequential nor functional.
    """
    inner = getattr(model, "_functional", None) or model
    if not getattr(inner, "_nodes_by_depth", None):
        raise UnsupportedModel(
            f"a {type(model).__name__} without a fixed graph cannot be converted",
            where=getattr(model, "name", None),
            mend="build it as keras.Sequential with an Input, or as a functional model",
        )
    return inner


def topology(model: Any) -> Topology:
    """Read the calls of a Sequential or functional Keras model.

    Raises
    ------
    UnsupportedModel : no fixed graph, or a layer with several outputs.
    """
    graph = functional(model)
    nodes = [
        node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]
    ]
    calls = tuple(_call(node) for node in nodes)
    return Topology(calls, tuple(t.name for t in graph.inputs), tuple(t.name for t in graph.outputs))


def _call(node: Any) -> Call:
    layer = node.operation
    if len(node.outputs) != 1:
        raise UnsupportedModel(f"{type(layer).__name__} has {len(node.outputs)} outputs", where=layer.name)
    out = node.outputs[0]
    inputs = tuple(tensor.name for tensor in node.arguments.keras_tensors)
    return Call(layer, inputs, out.name, tuple(out.shape[1:]))
