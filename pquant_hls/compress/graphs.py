"""A Keras or QKeras model as the FixedPointGraph that an estimator reads; no conversion by hls4ml involved.

Float layers are given hls4ml's default type, and sums as many bits as they can need. What is handed over as
firmware is measured on hls4ml's own graph, not on this one.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress.folding import scale_and_shift
from pquant_hls.compress.types import accumulator_type, output_type, quantizer_type, weight_quantizers
from pquant_hls.network.graph import Call, calls
from pquant_hls.network.table import activation_name, operation, stored_weights
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node

DEFAULT = FixedType(16, 6)
"""Type of layers without quantizers, hls4ml's default precision."""

_ACTIVATIONS = ("relu", "tanh", "sigmoid", "softmax", "elu", "hard_tanh", "hard_sigmoid", "leaky_relu")
_SPATIAL = ("strides", "pool_size")


def fixed_graph(model: keras.Model) -> FixedPointGraph:
    """The model's operations with integer weights; a final softmax or sigmoid is left out, as the firmware's
    is.

    Raises UnsupportedModel naming a layer that has no operation in the graph.
    """
    ends = [tensor._keras_history.operation.name for tensor in model.outputs]
    builder = _Builder(ends)
    for call in calls(model):
        builder.add(call)
    return FixedPointGraph(tuple(builder.nodes), tuple(builder.alias[name] for name in ends), name="model")


class _Builder:
    """Nodes so far; ``alias`` gives for each layer the node that holds its values."""

    def __init__(self, ends: list[str]) -> None:
        self.ends = ends
        self.nodes: list[Node] = []
        self.alias: dict[str, str] = {}
        self.kinds: dict[str, FixedType] = {}

    def add(self, call: Call) -> None:
        kind, inner = operation(call.layer), activation_name(call.layer)
        feeds = tuple(self.alias[name] for name in call.inputs)
        head = call.name in self.ends and inner in ("softmax", "sigmoid")
        if kind == "pass" and not call.kind.startswith(("ZeroPadding", "UpSampling", "Cropping")):
            self.alias[call.name] = feeds[0]
        elif kind == "activation":
            self._activation(call, feeds, head, inner)
        elif kind in ("dense", "conv", "depthwise_conv"):
            self._weighted(call, feeds)
            if inner is not None and not head:
                self._put(
                    call,
                    f"{call.name}_activation",
                    _activation_op(inner),
                    (call.name,),
                    _type_of(call, self._of(call.name)),
                )
                self.alias[call.name] = self.nodes[-1].name
        elif kind == "batchnorm":
            self._batchnorm(call, feeds)
        else:
            op = "input" if kind == "input" else _op_name(call)
            found = output_type(call, [self._of(name) for name in feeds])
            self._put(call, call.name, op, feeds, found or self._widest(feeds), attrs=_attrs(call))

    def _of(self, node: str) -> FixedType:
        return self.kinds[node]

    def _widest(self, feeds: tuple[str, ...]) -> FixedType:
        return max((self.kinds[name] for name in feeds), key=lambda kind: kind.width, default=DEFAULT)

    def _put(
        self,
        call: Call,
        name: str,
        op: str,
        feeds: tuple[str, ...],
        result: FixedType,
        **more: Any,
    ) -> None:
        shape = tuple(1 if size is None else int(size) for size in call.shape)
        self.nodes.append(Node(name, op, feeds, shape, result, **more))
        self.kinds[name], self.alias[call.name] = result, name

    def _activation(self, call: Call, feeds: tuple[str, ...], head: bool, inner: str | None) -> None:
        if head or inner is None:
            self.alias[call.name] = feeds[0]
            return
        result = _type_of(call, self._of(feeds[0]))
        if inner.startswith("quantized_bits") and self._narrow_input(feeds[0], result):
            self.alias[call.name] = feeds[0]
            return
        self._put(call, call.name, _activation_op(inner), feeds, result)

    def _narrow_input(self, feed: str, result: FixedType) -> bool:
        """The firmware's input takes the type of the quantizer behind it: one node instead of two."""
        for place, node in enumerate(self.nodes):
            if node.name == feed and node.op == "input":
                self.nodes[place] = Node(node.name, "input", (), node.shape, result)
                self.kinds[feed] = result
                return True
        return False

    def _weighted(self, call: Call, feeds: tuple[str, ...]) -> None:
        kernel, *rest = stored_weights(call.layer)
        weight, bias = _weight_types(call)
        arrays = {"weight": _integers(kernel, weight)}
        if rest:
            arrays["bias"] = _integers(rest[0], bias)
        accum = accumulator_type(call.layer, self._of(feeds[0])) or DEFAULT
        types = {"weight": weight, "bias": bias, "accum": accum}
        attrs = {"strategy": "latency", "reuse_factor": 1, **_attrs(call)}
        self._put(call, call.name, _op_name(call), feeds, accum, types=types, arrays=arrays, attrs=attrs)

    def _batchnorm(self, call: Call, feeds: tuple[str, ...]) -> None:
        scale, shift = scale_and_shift(call.layer)
        arrays = {"scale": _integers(scale, DEFAULT), "bias": _integers(shift, DEFAULT)}
        types = {"weight": DEFAULT, "bias": DEFAULT, "accum": DEFAULT}
        self._put(call, call.name, "batchnorm", feeds, DEFAULT, types=types, arrays=arrays)


def _weight_types(call: Call) -> tuple[FixedType, FixedType]:
    found = [quantizer_type(quantizer) or DEFAULT for quantizer in weight_quantizers(call.layer)]
    return found[0], found[1] if len(found) > 1 else DEFAULT


def _integers(values: NDArray[Any], kind: FixedType) -> FixedArray:
    return FixedArray(kind.to_codes(np.asarray(values, np.float64)), kind.frac)


def _op_name(call: Call) -> str:
    """``MaxPooling2D`` is ``max_pooling2d``; the graph refuses names it does not know."""
    kind = call.kind.removeprefix("Q")
    named = {"Flatten": "reshape", "Reshape": "reshape", "Permute": "transpose"}
    return named.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def _activation_op(inner: str) -> str:
    name = inner.split("(", maxsplit=1)[0]
    if name == "quantized_bits":
        return "quantize"
    name = {"binary": "binary_tanh", "ternary": "ternary_tanh"}.get(name, name.removeprefix("quantized_"))
    return name if name in _ACTIVATIONS or name.endswith("_tanh") else "other"


def _type_of(call: Call, source: FixedType) -> FixedType:
    return quantizer_type(getattr(call.layer, "activation", None)) or source


def _attrs(call: Call) -> dict[str, Any]:
    """Strides, pool and explicit padding of a spatial layer, as small JSON values."""
    layer = call.layer
    found: dict[str, Any] = {}
    for key in _SPATIAL:
        value = getattr(layer, key, None)
        if value is not None:
            found["pool" if key == "pool_size" else key] = [value] if isinstance(value, int) else list(value)
    if isinstance(getattr(layer, "axis", None), int) and call.kind == "Concatenate":
        found["axis"] = layer.axis
    if call.kind in ("Flatten", "Reshape"):
        found["target_shape"] = [1 if size is None else int(size) for size in call.shape]
    return found
