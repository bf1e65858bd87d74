"""What a network holds, by name, read off its sketch: so that a benchmark can say what it has tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pquant_hls.testing.sketch import ELEMENTS, FLOAT, WEIGHTED, Quantizer, Sketch, SketchNode

IDLE = ("Dropout", "GaussianNoise")
MOVES: tuple[str, ...] = (*IDLE, "Flatten", "Reshape", "Permute", "ZeroPadding1D", "ZeroPadding2D")
MOVES += ("UpSampling2D", "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")
ACTS = ("QActivation", "Activation")
SMOOTH = frozenset(
    ["sigmoid", "tanh", "silu", "gelu", "elu", "selu", "softplus", "softsign", "hard_sigmoid", "exponential"]
)
PICKS = ("GetItem", "flip", "clip", "absolute")
Test = Callable[[Sketch], bool]


def constructs(sketch: Sketch) -> frozenset[str]:
    """The names of CONSTRUCTS that the network holds."""
    return frozenset(name for name, holds in CONSTRUCTS.items() if holds(sketch))


@dataclass(frozen=True)
class Held:
    """A quantizer and where it stands."""

    node: SketchNode
    option: str
    quantizer: Quantizer

    @property
    def name(self) -> str:
        return self.quantizer.name

    def get(self, option: str, otherwise: int = 0) -> float:
        return float(self.quantizer.options.get(option, otherwise))


def _quantizers(sketch: Sketch) -> Iterator[Held]:
    """Every quantizer, those in nested models too."""
    for node in sketch.nodes:
        if node.kind == "Nested":
            yield from _quantizers(node.options["sketch"])
        for option, value in node.options.items():
            if isinstance(value, Quantizer):
                yield Held(node, option, value)


def _acts(sketch: Sketch, *names: str) -> list[SketchNode]:
    """Nodes in which a quantizer of one of these names acts."""
    return [h.node for h in _quantizers(sketch) if h.option == "activation" and h.name in names]


def _maker(sketch: Sketch, node: SketchNode) -> SketchNode:
    """The node that makes the values this one takes, seen through layers that move them."""
    source = sketch.node(node.inputs[0])
    return _maker(sketch, source) if source.kind in MOVES else source


def _function(node: SketchNode) -> str:
    """The activation's name, a quantizer's class or a function's; '' for none."""
    found = node.options.get("activation")
    name = found.name if isinstance(found, Quantizer) else str(found or "")
    return {"ReLU": "relu", "Softmax": "softmax"}.get(node.kind, name)


def _follows(sketch: Sketch, name: str, before: Callable[[SketchNode], bool]) -> bool:
    found = [node for node in sketch.nodes if node.kind in ACTS and _function(node) == name]
    return any(before(_maker(sketch, node)) for node in found)


def _is_relu(node: SketchNode) -> bool:
    return _function(node) in ("relu", "quantized_relu")


def _is_average(node: SketchNode) -> bool:
    return "Average" in node.kind


def _is_probability(node: SketchNode) -> bool:
    return _function(node) in ("softmax", "sigmoid")


def _inside(sketch: Sketch, test: Callable[[SketchNode], bool]) -> bool:
    """Whether an output that passes the test feeds what is more than an idle layer."""
    return any(
        test(sketch.node(key)) and any(user.kind not in IDLE for user in sketch.users(key))
        for key in sketch.outputs
    )


def _ends(sketch: Sketch, test: Callable[[SketchNode], bool]) -> bool:
    return any(test(sketch.node(key)) for key in sketch.outputs)


def _logits_too(sketch: Sketch) -> bool:
    heads = [sketch.node(key) for key in sketch.outputs]
    return any(_is_probability(n) and n.kind not in WEIGHTED and n.inputs[0] in sketch.outputs for n in heads)


def _coarser(sketch: Sketch) -> bool:
    """A layer with few or no weights left before a quantizer."""
    return any(
        node.kind in ACTS
        and _maker(sketch, node).weights in ("zeros", "lsb")
        and node.quantizer() is not None
        for node in sketch.nodes
    )


def _beyond(sketch: Sketch) -> bool:
    """A quantizer whose step is more than twice what the quantizer before can give."""
    found = False
    for node in sketch.nodes:
        quantizer = node.quantizer() if node.kind in ACTS else None
        source = None if quantizer is None else sketch.node(node.inputs[0]).quantizer()
        if quantizer is not None and source is not None and quantizer.grid and source.grid:
            found = found or quantizer.grid[0] > 2 * (source.grid[2] + source.grid[0])
    return found


def _folds(sketch: Sketch, node: SketchNode) -> bool:
    source = sketch.node(node.inputs[0])
    return source.kind in WEIGHTED and "activation" not in source.options


def _names_clash(sketch: Sketch) -> bool:
    names = [str(node.options.get("name", node.key)) for node in sketch.nodes]
    safe = ["".join(c if c.isalnum() else "_" for c in name).lower() for name in names]
    reserved = any(
        not name.startswith("n") or not name[1:2].isdigit() for name in names if not name.isdigit()
    )
    return len(set(safe)) < len(safe) or reserved


def _sees_no_later_step(sketch: Sketch, node: SketchNode) -> bool:
    """A causal convolution, or zeros before the first step alone and a convolution behind them."""
    padding = node.options.get("padding")
    behind = isinstance(padding, tuple) and any(user.kind == "QConv1D" for user in sketch.users(node.key))
    return padding == "causal" or behind


def _some(test: Callable[[SketchNode], bool]) -> Test:
    return lambda sketch: any(test(node) for node in sketch.nodes)


def _kind(*kinds: str) -> Test:
    return _some(lambda node: node.kind in kinds)


def _quantizer(test: Callable[[Held], bool]) -> Test:
    return lambda sketch: any(test(held) for held in _quantizers(sketch))


def _symmetric(name: str) -> Test:
    return _quantizer(lambda h: h.name == name and h.option == "activation" and h.get("symmetric") == 1)


def _is_odd(held: Held) -> bool:
    """An activation that hls4ml has no function for, or another one."""
    options = held.quantizer.options
    named = any(options.get(key) for key in ("negative_slope", "use_real_tanh", "use_real_sigmoid", "use_01"))
    tie = held.name == "ternary" and options.get("threshold") == 0.5
    scaled = held.name == "binary" and options.get("alpha") == 0.5
    power = held.name == "quantized_po2"
    return held.option == "activation" and (named or tie or scaled or power)


def _width(low: int, high: int) -> Test:
    return _quantizer(lambda h: low <= h.get("bits") <= high)


CONSTRUCTS: Mapping[str, Test] = {
    "output inside the graph": lambda s: _inside(s, lambda node: not _is_probability(node)),
    "probability inside the graph": lambda s: _inside(s, _is_probability),
    "probability at the end": lambda s: _ends(s, _is_probability),
    "logits and softmax": _logits_too,
    "several inputs": lambda s: len(s.entries) > 1,
    "several outputs": lambda s: len(set(s.outputs)) > 1,
    "an output twice": lambda s: len(set(s.outputs)) < len(s.outputs),
    "a value and its dropout": lambda s: any(
        s.node(k).kind in IDLE and s.node(k).inputs[0] in s.outputs for k in s.outputs
    ),
    "a value and its reshape": lambda s: any(
        s.node(k).kind in ("Reshape", "Flatten") and s.node(k).inputs[0] in s.outputs for k in s.outputs
    ),
    "coarser than all it is given": _beyond,
    "dropout at the end": lambda s: _ends(s, lambda node: node.kind in IDLE),
    "dropout inside": lambda s: any(n.kind in IDLE and s.users(n.key) for n in s.nodes),
    "ternary after relu": lambda s: _follows(s, "ternary", _is_relu),
    "ternary after average": lambda s: _follows(s, "ternary", _is_average),
    "ternary": lambda s: bool(_acts(s, "ternary")),
    "ternary with a threshold above 1": _quantizer(lambda h: h.name == "ternary" and h.get("threshold") > 1),
    "binary": lambda s: bool(_acts(s, "binary")),
    "binary after average": lambda s: _follows(s, "binary", _is_average),
    "tanh or sigmoid after average": lambda s: (
        _follows(s, "quantized_tanh", _is_average) or _follows(s, "quantized_sigmoid", _is_average)
    ),
    "symmetric quantized_bits": _symmetric("quantized_bits"),
    "symmetric quantized_tanh": _symmetric("quantized_tanh"),
    "symmetric quantized_sigmoid": _symmetric("quantized_sigmoid"),
    "mask": _some(lambda node: node.options.get("mask") is not None),
    "zeroed layer": _some(lambda node: node.weights == "zeros"),
    "layer of 1 LSB": _some(lambda node: node.weights == "lsb"),
    "emptied layer before a quantizer": _coarser,
    "nested model": _kind("Nested"),
    "operator": _some(
        lambda n: (
            n.kind == "Operator"
            and n.options["sign"] not in PICKS
            and not {"constant", "axis"} & set(n.options)
        )
    ),
    "operator with a constant": _some(lambda node: "constant" in node.options),
    "shared layer": _kind("Again"),
    "activation as text": _quantizer(lambda h: h.quantizer.form == "text"),
    "activation in a layer": _some(lambda node: node.kind in WEIGHTED and node.quantizer() is not None),
    "quantizer in Activation": _some(lambda node: node.kind == "Activation" and node.quantizer() is not None),
    "saved as .keras": lambda s: s.file == ".keras",
    "saved as .h5": lambda s: s.file == ".h5",
    "negative integer bits": _quantizer(lambda h: h.get("integer") < 0),
    "2 bits": _width(2, 2),
    "9 to 16 bits": _width(9, 16),
    "batch normalization after a kernel": lambda s: any(
        n.kind == "BatchNormalization" and _folds(s, n) for n in s.nodes
    ),
    "batch normalization elsewhere": lambda s: any(
        n.kind == "BatchNormalization" and not _folds(s, n) for n in s.nodes
    ),
    "names that clash": _names_clash,
    "whole numbers": _some(lambda node: "int" in str(node.options.get("dtype", ""))),
    "input that nothing rounds": lambda s: any(
        not all(u.kind in (*ACTS, ELEMENTS, "Embedding") for u in s.users(n.key)) for n in s.entries
    ),
    "two activations": lambda s: any(
        n.kind in ACTS and sum(u.kind in ACTS for u in s.users(n.key)) > 0 for n in s.nodes
    ),
    "types of single values": _kind(ELEMENTS),
    "single values without bits": _some(lambda node: 0 in np.asarray(node.options.get("width", ()))),
    "single values that take up an input": lambda s: any(
        u.kind == ELEMENTS for n in s.entries for u in s.users(n.key)
    ),
    "moved values": _kind("Reshape", "Permute", "ZeroPadding1D", "ZeroPadding2D", "UpSampling2D"),
    "merge": _kind("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate"),
    "merge of three": _some(lambda node: len(node.inputs) > 2),
    "max pooling": _some(lambda node: "Max" in node.kind and "Pool" in node.kind),
    "average pooling": _some(lambda node: "Average" in node.kind and "Pool" in node.kind),
    "1D convolution": _kind("QConv1D"),
    "2D convolution": _kind("QConv2D"),
    "depthwise convolution": _kind("QDepthwiseConv2D"),
    "binary or ternary weights": _quantizer(
        lambda h: "kernel" in h.option and h.name in ("binary", "ternary")
    ),
    "weights behind a scale": _quantizer(
        lambda h: "kernel" in h.option and h.name == "quantized_bits" and h.get("alpha") != 1
    ),
    "powers of two": _quantizer(lambda h: h.name == "quantized_po2"),
    "weights with a factor": _quantizer(
        lambda h: "kernel" in h.option and h.quantizer.options.get("alpha") in (0.5, 2.0)
    ),
    "a step of 2 or more": _quantizer(lambda h: h.quantizer.grid is not None and h.quantizer.grid[0] >= 2),
    "an input that is not used": lambda s: any(
        not s.users(n.key) and n.key not in s.outputs for n in s.entries
    ),
    "scale": _kind("FixedPointScale"),
    "bounded relu": _some(
        lambda n: n.options.get("max_value") is not None or _function(n) in ("relu6", "hard_tanh")
    ),
    "leaky relu": _some(lambda n: n.kind in ("LeakyReLU", "PReLU") or bool(n.options.get("negative_slope"))),
    "smooth function": _some(lambda n: n.kind == "Activation" and _function(n) in SMOOTH),
    "quantizer as a table": _quantizer(_is_odd),
    "softmax of tables": _kind("FixedPointSoftmax"),
    "repeated or cropped values": _kind("RepeatVector", "UpSampling1D", "Cropping1D", "Cropping2D"),
    "kept axes": _some(lambda n: bool(n.options.get("keepdims"))),
    "sum or maximum over axes": _some(lambda n: n.kind == "Operator" and "keepdims" in n.options),
    "dot": _kind("Dot"),
    "gaps, groups or several kernels a channel": _some(
        lambda n: any(n.options.get(key, 1) != 1 for key in ("dilation_rate", "groups", "depth_multiplier"))
    ),
    "separable convolution": _kind("QSeparableConv1D", "QSeparableConv2D"),
    "folded batch normalization": _kind("QConv2DBatchnorm", "QDenseBatchnorm"),
    "recurrent": _kind("QGRU", "QLSTM", "QSimpleRNN"),
    "recurrent backwards": _some(lambda node: bool(node.options.get("go_backwards"))),
    "both ways": _kind("Bidirectional", "QBidirectional"),
    "layer of each step": _kind("TimeDistributed"),
    "causal convolution": lambda s: any(_sees_no_later_step(s, node) for node in s.nodes),
    "float layer": _kind(*FLOAT),
    "dense over four axes": _some(lambda n: n.kind == "Reshape" and len(n.options["target_shape"]) == 4),
    "picked or bounded values": _some(lambda n: n.kind == "Operator" and n.options["sign"] in PICKS),
    "layer normalization": _kind(
        "LayerNormalization",
        "FixedPointLayerNorm",
        "RMSNormalization",
        "UnitNormalization",
        "GroupNormalization",
    ),
    "attention": _some(lambda node: node.kind == "Dot" and node.options.get("axes") == (2, 1)),
    "embedding": _kind("Embedding"),
    "unsigned": _quantizer(lambda h: h.get("keep_negative", 1) == 0),
}

REFUSED = frozenset(
    {
        "probability inside the graph",
        "logits and softmax",
        "a value and its dropout",
        "a value and its reshape",
    }
)
"""What the linter refuses by name (tests/testing/test_faults.py)."""
SEVERAL = frozenset(
    {
        "several inputs",
        "several outputs",
        "an output twice",
        "nested model",
        "operator with a constant",
    }
)
"""More than one model in one project cannot take these (``networks.combined``)."""


__all__ = ["CONSTRUCTS", "REFUSED", "SEVERAL", "constructs"]
