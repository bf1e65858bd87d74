"""A graph as ONNX with ``Quant`` nodes (QONNX), layer by layer, for one event; what would not be exact is refused.

``Quant`` divides by its scale, rounds, and clips to so many bits (Pappalardo et al., arXiv:2206.07527). Values that wrap in
firmware are taken where intervals show that none does. qonnx computes in float32, so that sums may have 24 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.firmware.ranges import Interval, Ranges, ranges
from pquant_hls.qor import FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import fraction_bits

Floats = NDArray[np.float64]
Rule = Callable[["_Layer"], str]
EXACT_BITS, OPSET, IR_VERSION, DOMAIN = 24, 13, 8, "qonnx.custom_op.general"
OUTPUT = "output_"
"""Outputs are called so, with their number behind."""
_ROUNDING = {
    "TRN": "FLOOR",
    "TRN_ZERO": "DOWN",
    "RND": "FLOOR",
    "RND_CONV": "ROUND",
    "RND_INF": "HALF_UP",
    "RND_ZERO": "HALF_DOWN",
}
"""In qonnx' words (custom_op/general/intquant.py); RND is half a step added before, RND_MIN_INF has none."""


def qonnx_model(graph: FixedPointGraph) -> Any:
    """The ``onnx.ModelProto`` of a design: float32 inputs (1, *shape) by the graph's names, outputs in the graph's order.

    Raises
    ------
    UnsupportedModel : a layer that it cannot hold exactly, with the reason.
    """
    model, known = _Model(), ranges(graph)
    tensors: dict[str, str] = {}
    for node in graph.nodes:
        layer = _Layer(node, graph, known, model, [tensors[name] for name in node.inputs])
        tensors[node.name] = layer.written()
    for index, name in enumerate(graph.outputs):
        model.add("Identity", [tensors[name]], f"{OUTPUT}{index}", graph.node(name).shape)
    return model.proto(graph)


@dataclass
class _Model:
    """What a model is made of: nodes, constants, and the shapes of all tensors between them, without the batch axis."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(
        self, op: str, inputs: Sequence[str], name: str, shape: Sequence[int], domain: str = "", **attrs: Any
    ) -> str:
        """A node, by the name of its one tensor, which it gives back."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attrs))
        self.shapes[name] = tuple(shape)
        return name

    def constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        array = np.asarray(values)
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        self.constants.append(numpy_helper.from_array(array.astype(kind), name))
        return name

    def quant(self, source: str, kind: FixedType, name: str, shape: Sequence[int]) -> str:
        """A store in a type, whose overflow clips or never happens."""
        if kind.rounding == "RND":
            half = self.constant(f"{name}_half", kind.lsb / 2)
            source = self.add("Add", [source, half], f"{name}_up", shape)
        parts = {"scale": kind.lsb, "zero": 0.0, "bits": float(kind.width)}
        given = [self.constant(f"{name}_{part}", value) for part, value in parts.items()]
        options = {
            "signed": int(kind.signed),
            "narrow": int(kind.saturation == "SAT_SYM" and kind.signed),
            "rounding_mode": _ROUNDING[kind.rounding],
        }
        return self.add("Quant", [source, *given], name, shape, DOMAIN, **options)

    def proto(self, graph: FixedPointGraph) -> Any:
        from onnx import TensorProto, checker, helper

        def told(name: str, shape: Sequence[int]) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        ends = [f"{OUTPUT}{index}" for index in range(len(graph.outputs))]
        inputs = [told(node.name, [1, *node.shape]) for node in graph.inputs]
        outputs = [told(name, [1, *self.shapes[name]]) for name in ends]
        batched = {name for name in self.shapes if not name.endswith(CONSTANT)}
        between = [
            told(name, [1, *shape] if name in batched else shape)
            for name, shape in self.shapes.items()
            if name not in ends
        ]
        made = helper.make_graph(self.nodes, graph.name, inputs, outputs, self.constants, value_info=between)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(
            made, opset_imports=opsets, producer_name="pquant_hls", ir_version=IR_VERSION
        )
        checker.check_model(model)
        return model


CONSTANT = "_quantized"
"""How the names of quantized constants end, which have no batch axis."""


@dataclass(frozen=True)
class _Layer:
    """One node of the graph on its way into the model; ``inputs`` are the tensors that it reads."""

    node: Node
    graph: FixedPointGraph
    known: Ranges
    model: _Model
    inputs: list[str]

    def refuse(self, why: str) -> UnsupportedModel:
        return UnsupportedModel(
            f"QONNX cannot say this exactly: {why}",
            where=self.node.name,
            mend="export an emulator, or give its types room and AP_SAT",
        )

    def written(self) -> str:
        """The tensor of the layer's values as they are stored."""
        node = self.node
        if node.grid is not None:
            raise self.refuse("single values have types of their own")
        if node.is_input:
            return self.stored(node.name, None)
        rule = _RULES.get(node.op)
        if rule is None:
            raise self.refuse(f"no rule for {node.op}")
        return self.stored(rule(self), self.known.results.get(node.name))

    def stored(self, source: str, span: Interval | None) -> str:
        """In the result's type; left out where that changes nothing. An input may be anything, and its type must clip."""
        node, kind = self.node, self.node.result
        name = f"{node.name}_stored"
        if node.is_input:
            clips = FixedType(kind.width, kind.integer, kind.signed, kind.rounding, "SAT")
            self._check_kind(clips)
            return self.model.quant(source, clips, name, node.shape)
        self._check_kind(kind)
        if kind.saturation == "WRAP" and (span is None or _beyond(span, kind)):
            raise self.refuse(f"{kind} may wrap ({'unknown' if span is None else span.text})")
        return self.model.quant(source, kind, name, node.shape)

    def _check_kind(self, kind: FixedType) -> None:
        if kind.rounding not in _ROUNDING or kind.saturation == "SAT_ZERO":
            raise self.refuse(f"Quant has no {kind.rounding} or {kind.saturation}")
        if kind.width == 1 and kind.signed:
            raise self.refuse(f"Quant takes the one bit of {kind} for -1 or 1")
        if kind.width > EXACT_BITS:
            raise self.refuse(f"{kind} has more than {EXACT_BITS} bits")

    def weights(self, key: str, values: Floats, kind: FixedType | None) -> str:
        """A quantized constant, in its type where that is known."""
        name = f"{self.node.name}_{key}"
        source = self.model.constant(name, values)
        if kind is None or not np.array_equal(kind.quantize(values), values):
            return source
        return self.model.quant(
            source,
            FixedType(kind.width, kind.integer, kind.signed, "RND_CONV", "SAT"),
            f"{name}{CONSTANT}",
            values.shape,
        )

    def check_sums(self, weight: Floats, bias: Floats) -> Floats:
        """The bias as the accumulator has it; raises where a sum is cut, wraps, or has more bits than float32."""
        node, source = self.node, self.graph.node(self.node.inputs[0])
        accum = node.types.get("accum")
        frac = source.result.frac + fraction_bits(weight)
        if accum is not None:
            bias = accum.quantize(bias)
            span = self.known.sums.get(node.name)
            if frac > accum.frac:
                raise self.refuse(f"the accumulator {accum} cuts products")
            if span is None or _beyond(span, accum):
                raise self.refuse(f"sums may lie beyond the accumulator {accum}")
        reach = max(abs(source.result.low), source.result.high)
        most = reach * np.abs(weight).reshape(-1, weight.shape[-1]).sum(axis=0) + np.abs(bias)
        bits = math.log2(float(most.max()) + 1e-300) + max(frac, fraction_bits(bias))
        if bits > EXACT_BITS:
            raise self.refuse(f"sums of {math.ceil(bits)} bits, float32 holds {EXACT_BITS}")
        return bias

    def factors(self) -> tuple[Floats, Floats]:
        arrays, n = self.node.arrays, self.node.shape[-1]
        return arrays["weight"].values, arrays["bias"].values if "bias" in arrays else np.zeros(n)


def _beyond(span: Interval, kind: FixedType) -> bool:
    """Whether a value can leave the type, its rounding upwards counted."""
    up = 0.0 if kind.rounding.startswith("TRN") else kind.lsb / 2
    return bool(span.low.min() < kind.low or span.high.max() + up >= kind.high + kind.lsb)


def _dense(layer: _Layer) -> str:
    node, model = layer.node, layer.model
    weight, bias = layer.factors()
    if node.types.get("weight") is None or weight.ndim != 2:
        raise layer.refuse("weights of an unknown kind")
    bias = layer.check_sums(weight, bias)
    kernel = layer.weights("kernel", weight, node.types.get("weight"))
    product = model.add("MatMul", [layer.inputs[0], kernel], f"{node.name}_product", node.shape)
    added = layer.weights("bias", bias, node.types.get("bias"))
    return model.add("Add", [product, added], f"{node.name}_sum", node.shape)


def _convolution(layer: _Layer) -> str:
    """Channels go first for ONNX, and last again."""
    node, model = layer.node, layer.model
    weight, bias = layer.factors()
    bias = layer.check_sums(weight, bias)
    rank = weight.ndim - 2
    kernel = layer.weights("kernel", weight.transpose(rank + 1, rank, *range(rank)), node.types.get("weight"))
    added = layer.weights("bias", bias, node.types.get("bias"))
    source = layer.graph.node(node.inputs[0]).shape
    first = model.add(
        "Transpose",
        layer.inputs,
        f"{node.name}_first",
        (source[-1], *source[:-1]),
        perm=[0, rank + 1, *range(1, rank + 1)],
    )
    pads = node.attrs.get("padding", [(0, 0)] * rank)
    summed = model.add(
        "Conv",
        [first, kernel, added],
        f"{node.name}_sum",
        (node.shape[-1], *node.shape[:-1]),
        kernel_shape=list(weight.shape[:rank]),
        strides=list(node.attrs.get("strides", [1] * rank)),
        dilations=list(node.attrs.get("dilation", [1] * rank)),
        pads=[int(pair[side]) for side in (0, 1) for pair in pads],
    )
    return model.add("Transpose", [summed], f"{node.name}_last", node.shape, perm=[0, *range(2, rank + 2), 1])


def _batchnorm(layer: _Layer) -> str:
    node, model = layer.node, layer.model
    scale, bias = (node.arrays[key].values for key in ("scale", "bias"))
    layer.check_sums(scale[None, :], bias)
    product = model.add(
        "Mul",
        [layer.inputs[0], layer.weights("scale", scale, node.types.get("weight"))],
        f"{node.name}_product",
        node.shape,
    )
    return model.add(
        "Add",
        [product, layer.weights("bias", bias, node.types.get("bias"))],
        f"{node.name}_sum",
        node.shape,
    )


def _relu(layer: _Layer) -> str:
    if layer.node.attrs.get("threshold"):
        raise layer.refuse("a ReLU with a bound")
    return layer.model.add("Relu", layer.inputs, f"{layer.node.name}_relu", layer.node.shape)


def _merge(op: str) -> Rule:
    def rule(layer: _Layer) -> str:
        shapes = {layer.graph.node(name).shape for name in layer.node.inputs}
        if shapes != {layer.node.shape}:
            raise layer.refuse("inputs of different shapes")
        return layer.model.add(op, layer.inputs, f"{layer.node.name}_{op.lower()}", layer.node.shape)

    return rule


def _reshape(layer: _Layer) -> str:
    shape = layer.model.constant(f"{layer.node.name}_shape", np.array([1, *layer.node.shape]))
    return layer.model.add(
        "Reshape", [layer.inputs[0], shape], f"{layer.node.name}_reshaped", layer.node.shape
    )


_RULES: dict[str, Rule] = {
    "dense": _dense,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "batchnorm": _batchnorm,
    "relu": _relu,
    "quantize": lambda layer: layer.inputs[0],
    "clone": lambda layer: layer.inputs[0],
    "reshape": _reshape,
    "add": _merge("Add"),
    "subtract": _merge("Sub"),
    "maximum": _merge("Max"),
    "minimum": _merge("Min"),
}
