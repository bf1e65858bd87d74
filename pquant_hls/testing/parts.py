"""What random networks hold beside the usual blocks: odd parts, each drawn on purpose.

PARTS go into the body, ENDS behind the head, WHOLES change the finished sketch. To widen the generator, add
a function to one of these tables and its name, with what tells it in a sketch, to ``testing.constructs``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pquant_hls.testing.blocks import Part, conv, dense_block, entry, flattened, sides
from pquant_hls.testing.drawing import Drawer
from pquant_hls.testing.layers import MORE_PARTS
from pquant_hls.testing.sketch import Quantizer, Sketch, SketchNode

TERNARY = Quantizer("ternary", {"alpha": 1})


def _ternary_after_relu(drawer: Drawer, x: int) -> int:
    return drawer.act(drawer.act(drawer.dense(x, 3), drawer.relu()), TERNARY)


def _ternary_after_average(drawer: Drawer, x: int) -> int:
    if len(drawer.shape(x)) == 1:
        return drawer.act(drawer.add("Average", *sides(drawer, x, 2)), TERNARY)
    return drawer.act(drawer.add(f"GlobalAveragePooling{len(drawer.shape(x)) - 1}D", x), TERNARY)


def _symmetric(drawer: Drawer, x: int) -> int:
    name = drawer.any_of("quantized_bits", "quantized_tanh", "quantized_sigmoid")
    options = {"bits": drawer.bits(2, 8), "symmetric": 1}
    extra = {"integer": drawer.bits(0, 1), "alpha": 1} if name == "quantized_bits" else {}
    return drawer.act(drawer.dense(x, 3), Quantizer(name, {**options, **extra}))


def _masked(drawer: Drawer, x: int) -> int:
    """A QConv2D with a mask, which only images can have."""
    if len(drawer.shape(x)) != 3:
        shape = drawer.shape(x)
        x = drawer.add("Reshape", x, target_shape=(*shape, *[1] * (3 - len(shape))))
    size = tuple(min(3, length) for length in drawer.shape(x)[:2])
    mask = drawer.rng.integers(0, 2, size)
    mask[0, 0] = 0
    return drawer.activated(conv(drawer, x, kernel_size=size, mask=mask.tolist()))


def _emptied(drawer: Drawer, x: int) -> int:
    """A layer pruned to nothing, to single bits or to a few weights, before a coarser quantizer."""
    kernel = drawer.quantized_bits(6, 12, 0)
    weights = drawer.any_of("zeros", "zeros", "lsb", "lsb", "lsb", "sparse")
    settings = {"kernel_quantizer": kernel, "bias_quantizer": drawer.quantized_bits(4, 8, 0)}
    units = {"units": drawer.bits(1, 3), "use_bias": drawer.chance(0.3)}
    x = drawer.add("QDense", x, weights=weights, **units, **settings)
    coarse = drawer.any_of(drawer.quantized_bits(2, 4, 3), drawer.relu(2, 4, 3), TERNARY)
    return drawer.act(x, coarse) if drawer.chance(0.8) else x


def _tapped(drawer: Drawer, x: int) -> int:
    """A value that is an output and feeds the rest."""
    x = drawer.activated(drawer.dense(x, drawer.bits(1, 3)))
    drawer.outputs.append(flattened(drawer, x))
    return x


def _probability(drawer: Drawer, x: int) -> int:
    """A sigmoid or softmax that is an output and feeds the rest."""
    function = drawer.any_of("sigmoid", "softmax")
    x = flattened(drawer, x)
    if drawer.chance(0.5):
        x = drawer.dense(x, drawer.bits(2, 3), activation=function)
    else:
        x = drawer.add("Activation", drawer.dense(x, 2), activation=function)
    drawer.outputs.append(x)
    return drawer.act(x, drawer.relu(8, 8, 0))


def _nested(drawer: Drawer, x: int) -> int:
    inner = Drawer(drawer.rng, drawer.seed)
    start = inner.add("Input", shape=drawer.shape(x))
    end = dense_block(inner, start)
    sketch = Sketch(drawer.seed, tuple(_prefixed(node) for node in inner.nodes), (end,))
    return drawer.add("Nested", x, sketch=sketch)


def _prefixed(node: SketchNode) -> SketchNode:
    return replace(node, options={**node.options, "name": f"{node.options['name']}i"})


def _operator(drawer: Drawer, x: int) -> int:
    a, b = sides(drawer, x, 2)
    x = drawer.add("Operator", a, b, sign=drawer.any_of("+", "+", "-", "*", "maximum", "minimum"))
    return drawer.act(x) if drawer.chance(0.6) else x


def _constant(drawer: Drawer, x: int) -> int:
    [a] = sides(drawer, x, 1)
    return drawer.add("Operator", a, sign=drawer.any_of("+", "-", "*"), constant=drawer.any_of(0.5, 2, 1.0))


def _shared(drawer: Drawer, x: int) -> int:
    """One dense layer on two tensors, or twice in a row."""
    a, b = sides(drawer, x, 2)
    first = drawer.dense(a, drawer.shape(a)[-1])
    if drawer.chance(0.3):  # a layer that only rounds
        rounds = drawer.act(first)
        return drawer.add("Multiply", rounds, drawer.add("Again", b, of=rounds))
    if drawer.chance(0.3):
        return drawer.act(drawer.add("Again", drawer.act(first), of=first))
    return drawer.add("Add", drawer.act(first), drawer.act(drawer.add("Again", b, of=first)))


def _inside(drawer: Drawer, x: int) -> int:
    """A quantizer as the activation of a dense layer, an object or a text."""
    found = drawer.activation()
    return drawer.dense(
        x, 3, activation=Quantizer(found.name, found.options, drawer.any_of("object", "text"))
    )


def _in_activation(drawer: Drawer, x: int) -> int:
    """``Activation(quantized_relu(6, 2))``: the quantizer in Keras' own layer."""
    return drawer.add("Activation", drawer.dense(x, 3), activation=drawer.activation())


def _negative(drawer: Drawer, x: int) -> int:
    kernel = drawer.quantized_bits(2, 6, 0, negative=drawer.chance(0.5))
    x = drawer.dense(x, 3, kernel_quantizer=kernel)
    return drawer.act(x, drawer.quantized_bits(2, 8, 0, negative=True))


def _wide(drawer: Drawer, x: int) -> int:
    x = drawer.dense(x, 3, kernel_quantizer=drawer.quantized_bits(10, 16, 2))
    return drawer.act(x, drawer.any_of(drawer.quantized_bits(12, 16, 4), drawer.relu(12, 16, 4)))


def _coarse(drawer: Drawer, x: int) -> int:
    """More integer bits than bits: a step of 2 and more."""
    options = {"kernel_quantizer": drawer.quantized_bits(4, 8, 3)}
    return drawer.act(drawer.dense(x, 3, **options), drawer.coarse())


def _beyond(drawer: Drawer, x: int) -> int:
    """A quantizer whose step is beyond all that it is given."""
    first = drawer.act(
        drawer.dense(x, 2), drawer.any_of(drawer.relu(2, 4, 1), drawer.quantized_bits(2, 4, 1))
    )
    bits, integer = drawer.bits(2, 4), drawer.bits(5, 8)
    return drawer.act(first, Quantizer("quantized_bits", {"bits": bits, "integer": integer, "alpha": 1}))


def _joined(drawer: Drawer, x: int) -> int:
    """Two of one shape side by side along the first axis."""
    return drawer.add("Concatenate", *sides(drawer, x, 2), axis=1)


def _normal_anywhere(drawer: Drawer, x: int) -> int:
    """A batch normalization first, after a layer with a kernel, or after an activation."""
    if drawer.chance(0.5):
        x = drawer.dense(x, 3)
    return drawer.act(drawer.add("BatchNormalization", x))


def _dropped(drawer: Drawer, x: int) -> int:
    kind = drawer.any_of("Dropout", "GaussianNoise")
    name = {"Dropout": "rate", "GaussianNoise": "stddev"}[kind]
    options: dict[str, Any] = {name: 0.2}
    return drawer.add(kind, drawer.activated(drawer.dense(x, 3)), **options)


def _second_input(drawer: Drawer, x: int) -> int:
    other = entry(drawer, drawer.shape(x))
    x = drawer.add(drawer.any_of("Add", "Concatenate", "Multiply", "Subtract"), x, other)
    return drawer.activated(x) if drawer.chance(0.5) else x


def _moved(drawer: Drawer, x: int) -> int:
    """Layers that only move values or repeat them."""
    shape = drawer.shape(x)
    if len(shape) == 1:
        return drawer.add("Reshape", x, target_shape=(shape[0], 1))
    if len(shape) == 2:
        kind = drawer.any_of("Permute", "ZeroPadding1D")
        return drawer.add(kind, x, **({"dims": (2, 1)} if kind == "Permute" else {"padding": 1}))
    kind = drawer.any_of("ZeroPadding2D", "UpSampling2D", "Reshape")
    options = {"ZeroPadding2D": {"padding": 1}, "UpSampling2D": {"size": 2}}
    return drawer.add(kind, x, **options.get(kind, {"target_shape": (shape[0] * shape[1], shape[2])}))


def _two_averages(drawer: Drawer, x: int) -> int:
    """An average that is rounded in two ways, or by a binary, a tanh or a sigmoid."""
    if len(drawer.shape(x)) == 1:
        x = drawer.add("Average", *sides(drawer, x, 2))
    else:
        x = drawer.add(f"GlobalAveragePooling{len(drawer.shape(x)) - 1}D", x)
    names = ("binary", "quantized_tanh", "quantized_sigmoid")
    name = drawer.any_of("binary", *names)
    first = drawer.act(x, Quantizer(name, {"alpha": 1} if name == "binary" else {"bits": drawer.bits(2, 8)}))
    return drawer.add("Add", first, drawer.act(x)) if drawer.chance(0.3) else first


def _chained(drawer: Drawer, x: int) -> int:
    """Activation upon activation."""
    return drawer.act(drawer.act(drawer.dense(x, 3)))


def _elements(drawer: Drawer, x: int) -> int:
    """Single values in types of their own: behind sums, behind a relu, or of whatever comes."""
    way = drawer.bits(0, 3)
    if way == 0:
        return drawer.elements(x)
    x = drawer.dense(x, drawer.bits(2, 6))
    if way == 1:
        x = drawer.add("Activation", x, activation="relu")
    x = drawer.elements(x)
    return drawer.elements(drawer.dense(x, drawer.bits(2, 4))) if way == 2 else x


def _elements_first(drawer: Drawer, x: int) -> int:
    """An input taken up by types of single values."""
    other = drawer.elements(drawer.add("Input", shape=(drawer.bits(2, 5),)))
    return drawer.add(
        "Concatenate", drawer.dense(other, drawer.bits(1, 3)), drawer.dense(flattened(drawer, x), 3)
    )


PARTS: dict[str, Part] = {
    **MORE_PARTS,
    "ternary after relu": _ternary_after_relu,
    "ternary after average": _ternary_after_average,
    "symmetric": _symmetric,
    "mask": _masked,
    "emptied layer": _emptied,
    "output inside": _tapped,
    "probability inside": _probability,
    "nested model": _nested,
    "operator": _operator,
    "operator with a constant": _constant,
    "shared layer": _shared,
    "activation in a layer": _inside,
    "quantizer in Activation": _in_activation,
    "negative integer bits": _negative,
    "wide": _wide,
    "coarse": _coarse,
    "coarser than all": _beyond,
    "joined along the first axis": _joined,
    "batch normalization anywhere": _normal_anywhere,
    "dropout": _dropped,
    "second input": _second_input,
    "moved values": _moved,
    "average rounded otherwise": _two_averages,
    "two activations": _chained,
    "types of single values": _elements,
    "input in types of single values": _elements_first,
}


SHARES = {
    "average rounded otherwise": 1.6,
    "batch normalization anywhere": 1.6,
    "bounded and leaky relus": 1.6,
    "convolution written out": 2.0,
    "dense over four axes": 1.6,
    "emptied layer": 2.0,
    "layer normalization": 1.6,
    "an output twice": 0.8,
}
"""How often a part is drawn, beside 1 of the others: what is refused teaches little."""


def _softmax(drawer: Drawer, x: int) -> int:
    if drawer.shape(x)[-1] == 1:  # Keras warns of a softmax of one value, which is 1
        return drawer.add("Activation", x, activation="sigmoid")
    if drawer.chance(0.5):
        return drawer.add("Softmax", x)
    return drawer.add("Activation", x, activation=drawer.any_of("softmax", "sigmoid"))


def _dropout(drawer: Drawer, x: int) -> int:
    return drawer.add("Dropout", x, rate=0.1)


ENDS: dict[str, Callable[[Drawer, int], list[int]]] = {
    "softmax": lambda drawer, x: [_softmax(drawer, x)],
    "probability in the last layer": lambda drawer, x: [
        drawer.dense(x, 2, activation=drawer.any_of("softmax", "sigmoid"))
    ],
    "dropout at the end": lambda drawer, x: [
        _dropout(drawer, _softmax(drawer, x) if drawer.chance(0.5) else x)
    ],
    "logits and softmax": lambda drawer, x: [x, _softmax(drawer, x)],
    "an output twice": lambda _, x: [x, x],
    "a value and its dropout": lambda drawer, x: [x, _dropout(drawer, x)],
    "a value and its reshape": lambda drawer, x: [x, drawer.add("Reshape", x, target_shape=(-1, 1))],
    "two heads": lambda drawer, x: [x, drawer.dense(x, drawer.bits(1, 3))],
    "a linear activation": lambda drawer, x: [drawer.add("Activation", x, activation="linear")],
}


def _renamed(drawer: Drawer, sketch: Sketch) -> Sketch:
    """Names that clash once made safe, differ by case only, or mean something in C++ or to hls4ml."""
    words = ["Fc", "fc", "a.b", "a_b", "a-b", "float", "w2", "layer3_out", "config2", "input_1", "relu", "2x"]
    chosen = [words[i] for i in drawer.rng.permutation(len(words))]
    bare = drawer.chance(0.3)
    nodes = [
        replace(node, options={**node.options, "name": word if bare else f"{node.options['name']}_{word}"})
        if word and "name" in node.options
        else node
        for node, word in zip(sketch.nodes, chosen + [""] * len(sketch.nodes), strict=False)
    ]
    if not bare:  # the same name but for what is behind it
        nodes = [_stem(node, sketch.seed) for node in nodes]
    return replace(sketch, nodes=tuple(nodes))


def _stem(node: SketchNode, seed: int) -> SketchNode:
    name = str(node.options.get("name", ""))
    word = name.rsplit("_", 1)[-1]
    known = name.endswith(("_Fc", "_fc", "_a.b", "_a_b", "_a-b"))
    suffix = "a_b" if name.endswith("_a_b") else word
    return replace(node, options={**node.options, "name": f"n{seed}_{suffix}"}) if known else node


def _integers(drawer: Drawer, sketch: Sketch) -> Sketch:
    """The first input holds whole numbers, which Keras' kernels would not take."""
    first = sketch.entries[0]
    if any(user.kind != "QActivation" for user in sketch.users(first.key)):
        return sketch
    kind = drawer.any_of("int32", "uint8")
    new = replace(first, options={**first.options, "dtype": kind})
    return replace(sketch, nodes=tuple(new if node is first else node for node in sketch.nodes))


def _suffix(sketch: Sketch) -> str:
    """``.h5`` where Keras can load it again, which with operators on tensors it cannot."""
    return ".keras" if any(node.kind == "Operator" for node in sketch.nodes) else ".h5"


def _unused(drawer: Drawer, sketch: Sketch) -> Sketch:
    """An input that nothing takes."""
    key = drawer.add("Input", shape=(drawer.bits(1, 4),))
    return replace(sketch, nodes=(*sketch.nodes, drawer.nodes[key]))


def _reordered(_: Drawer, sketch: Sketch) -> Sketch:
    """The inputs the other way round: the one that is used last comes first."""
    others = tuple(node for node in sketch.nodes if node.kind != "Input")
    return replace(sketch, nodes=(*sketch.entries[::-1], *others))


WHOLES: dict[str, Callable[[Drawer, Sketch], Sketch]] = {
    "names that clash": _renamed,
    "saved as .keras": lambda _, sketch: replace(sketch, file=".keras"),
    "saved as .h5": lambda _, sketch: replace(sketch, file=_suffix(sketch)),
    "outputs in another order": lambda _, sketch: replace(sketch, outputs=sketch.outputs[::-1]),
    "whole numbers": _integers,
    "an input that is not used": _unused,
    "inputs in another order": _reordered,
}


__all__ = ["ENDS", "PARTS", "SHARES", "TERNARY", "WHOLES"]
