"""The stages of each operation, by the rules of hls4ml's nnet_utils that csim compiles."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from pquant_hls.overflow.call import RuleSite
from pquant_hls.overflow.curves import Largest, LeakyStage, Rising, Times
from pquant_hls.overflow.pools import largest_of_windows, mean_of_windows
from pquant_hls.overflow.program import StageProgram
from pquant_hls.overflow.stages import Box, Floats, Index
from pquant_hls.overflow.tables import TABLE_REACH, of_formula, of_raw_bits, stable_softmax
from pquant_hls.qor import FixedPointGraph, FixedType, Node


def add_node(program: StageProgram, graph: FixedPointGraph, node: Node) -> None:
    """The node's stages, the last of which stores its result."""
    rule = RULES.get(node.op)
    sources = tuple(program.places[name] for name in node.inputs)
    shapes = [graph.node(name).shape for name in node.inputs]
    call = RuleSite(program, graph, node, sources, shapes)
    place = None if rule is None else rule(call)
    if place is None:
        why = f"no exact rule for {node.attrs.get('op_name', node.op)!r}"
        kind = node.result
        ends = (np.full(prod(node.shape), end) for end in (kind.low, kind.high))
        program.places[node.name] = program.unknown(node, sources, Box(*ends), why, (node.name, "result"))
        return
    if node.grid is not None:
        # a value of no bits is 0, which any type holds
        kinds = [kind or FixedType(1, 1) for kind in node.grid.kinds(node.shape).ravel()]
        used = np.array([kind is not None for kind in node.grid.kinds(node.shape).ravel()], np.float64)
        place = program.scale(place, used, np.zeros(1)) if not used.all() else place
        place = program.store(place, kinds, (node.name, "grid"))
    program.places[node.name] = program.store(place, [node.result], (node.name, "result"))


Rule = Callable[[RuleSite], int | None]


def _bias(call: RuleSite, size: int) -> Floats:
    found = call.array("bias")
    return np.zeros(size) if found is None else found.ravel()


def _dense(call: RuleSite) -> int | None:
    weight = call.array("weight")
    if weight is None:
        return None
    return call.accumulated(call.places.reshape(-1, weight.shape[0]), weight, _bias(call, weight.shape[1]))


def _convolution(call: RuleSite) -> int | None:
    weight = call.array("weight")
    if weight is None:
        return None
    rank = call.node.kind.rank
    found = call.windows(weight.shape[:-2], call.numbers("strides", rank), call.numbers("dilation", rank))
    columns = prod(weight.shape[:-1])
    if found is None or found.shape[-1] != weight.shape[-2]:
        return None
    matrix = weight.reshape(columns, -1)
    return call.accumulated(found.reshape(-1, columns), matrix, _bias(call, matrix.shape[1]))


def _depthwise(call: RuleSite) -> int | None:
    """One filter a channel: a matrix with that channel's weights alone."""
    weight = call.array("weight")
    if weight is None or weight.shape[-1] != 1:
        return None
    rank, channels = call.node.kind.rank, weight.shape[-2]
    found = call.windows(weight.shape[:-2], call.numbers("strides", rank), call.numbers("dilation", rank))
    if found is None:
        return None
    flat = weight.reshape(-1, channels)
    matrix = (flat[:, :, None] * np.eye(channels)).reshape(-1, channels)
    return call.accumulated(found.reshape(-1, len(matrix)), matrix, _bias(call, channels))


def _batchnorm(call: RuleSite) -> int | None:
    scale, bias = call.array("scale"), call.array("bias")
    if scale is None or bias is None:
        return None
    size = call.program.size(call.x)
    return call.program.scale(call.x, np.resize(scale, size), np.resize(bias, size))


def _same(call: RuleSite) -> int:
    return call.x


def _relu(call: RuleSite) -> int | None:
    limit = call.node.attrs.get("threshold") or 0.0
    program, size = call.program, call.program.size(call.x)
    if limit == 0.0:
        return program.add(LeakyStage((call.x,), size, program.frac(call.x)))
    kind = call.node.types.get("param")
    held = float(limit) if kind is None else float(kind.quantize(np.array(float(limit))))
    if held < 0:
        return None
    return program.add(Rising((call.x,), size, program.frac(call.x), lambda x: np.where(x > held, x, 0.0)))


def _leaky(call: RuleSite) -> int | None:
    slope, kind = call.node.attrs.get("slope"), call.node.types.get("param")
    if slope is None:
        return None
    held = float(slope) if kind is None else float(kind.quantize(np.array(float(slope))))
    if not 0 <= held <= 1:
        return None
    return call.program.add(LeakyStage((call.x,), call.program.size(call.x), None, held))


def _rising(function: Callable[[Floats], Floats]) -> Rule:
    def rule(call: RuleSite) -> int:
        return call.program.add(Rising((call.x,), call.program.size(call.x), None, function))

    return rule


def _binary(call: RuleSite) -> int | None:
    low = 0.0 if call.node.result.width == 1 else -1.0
    return _rising(lambda x: np.where(x >= 0, 1.0, low))(call)


def _ternary(call: RuleSite) -> int | None:
    if "threshold_hi" not in call.node.arrays:
        return None
    size = call.program.size(call.x)
    high, low = (np.resize(call.array(key), size) for key in ("threshold_hi", "threshold_lo"))  # type: ignore[arg-type]
    return _rising(lambda x: np.where(x > high, 1.0, np.where(x <= low, -1.0, 0.0)))(call)


def _hard(call: RuleSite, factor: float, shift: float) -> int | None:
    """``factor * clip(slope * x + shift', 0, 1) + shift``."""
    slope, offset = (call.node.attrs.get(name) for name in ("slope", "shift"))
    if slope is None or offset is None:
        return None
    kinds = [call.node.types.get(name) for name in ("slope", "shift")]
    a, b = (
        float(value) if kind is None else float(kind.quantize(np.array(float(value))))
        for value, kind in zip((slope, offset), kinds, strict=True)
    )
    if a < 0:
        return None
    return _rising(lambda x: factor * np.clip(a * x + b, 0.0, 1.0) + shift)(call)


def _joined(call: RuleSite) -> tuple[list[int], Index]:
    """Values of two inputs beside each other, and where each pair lies; a shorter one repeats."""
    first, second = (prod(shape) for shape in call.shapes)
    size = prod(call.node.shape)
    pairs = np.stack([np.resize(np.arange(first), size), first + np.resize(np.arange(second), size)], axis=-1)
    return [*call.sources], pairs


def _sum(one: float, other: float) -> Rule:
    def rule(call: RuleSite) -> int | None:
        if len(call.sources) != 2:
            return None
        sources, pairs = _joined(call)
        both = call.program.gather(sources, pairs)
        index = np.arange(pairs.size).reshape(pairs.shape)
        return call.program.linear(both, index, np.array([[one], [other]]), np.zeros(1), None)

    return rule


def _extreme(sign: float) -> Rule:
    def rule(call: RuleSite) -> int | None:
        if len(call.sources) != 2:
            return None
        program, (sources, pairs) = call.program, _joined(call)
        both = program.gather(sources, pairs)
        turned = program.scale(both, np.array([sign]), np.zeros(1)) if sign < 0 else both
        index = np.arange(pairs.size).reshape(pairs.shape)
        found = program.add(Largest((turned,), len(index), program.frac(turned), index))
        return program.scale(found, np.array([sign]), np.zeros(1)) if sign < 0 else found

    return rule


def _multiply(call: RuleSite) -> int | None:
    if len(call.sources) != 2:
        return None
    program, (sources, pairs) = call.program, _joined(call)
    both = program.gather(sources, pairs.T)
    fracs = [program.frac(place) for place in sources]
    known = [frac for frac in fracs if frac is not None]
    return program.add(Times((both,), len(pairs), sum(known) if len(known) == 2 else None))


def _moved(order: Callable[[RuleSite], Index | None]) -> Rule:
    def rule(call: RuleSite) -> int | None:
        index = order(call)
        return None if index is None else call.program.gather(call.sources, index)

    return rule


def _concatenated(call: RuleSite) -> Index:
    starts = np.cumsum([0, *(prod(shape) for shape in call.shapes)])
    parts = [
        start + np.arange(prod(shape)).reshape(shape)
        for start, shape in zip(starts, call.shapes, strict=False)
    ]
    return np.concatenate(parts, axis=int(call.node.attrs.get("axis", -1)))


def _padded(call: RuleSite) -> Index | None:
    pads = call.pads(len(call.shape) - 1)
    return None if pads is None else np.pad(call.places, [*pads, (0, 0)], constant_values=-1)


def _cropped(call: RuleSite) -> Index:
    kept = [
        slice(a, size - b)
        for (a, b), size in zip(call.node.attrs["cropping"], call.places.shape, strict=False)
    ]
    return call.places[tuple(kept)]


def _repeated(call: RuleSite) -> Index:
    places = call.places
    for axis, count in enumerate(call.node.attrs["factors"]):
        places = np.repeat(places, int(count), axis=axis)
    return places


RULES: dict[str, Rule] = {
    "dense": _dense,
    **dict.fromkeys(("conv1d", "conv2d"), _convolution),
    **dict.fromkeys(("depthwise_conv1d", "depthwise_conv2d"), _depthwise),
    "batchnorm": _batchnorm,
    **dict.fromkeys(("quantize", "clone", "reshape"), _same),
    "relu": _relu,
    "leaky_relu": _leaky,
    "binary_tanh": _binary,
    "ternary_tanh": _ternary,
    "hard_sigmoid": lambda call: _hard(call, 1.0, 0.0),
    "hard_tanh": lambda call: _hard(call, 2.0, -1.0),
    **dict.fromkeys(TABLE_REACH, of_formula),
    "lookup": of_raw_bits,
    "softmax": stable_softmax,
    "add": _sum(1.0, 1.0),
    "subtract": _sum(1.0, -1.0),
    "average": _sum(0.5, 0.5),
    "maximum": _extreme(1.0),
    "minimum": _extreme(-1.0),
    "multiply": _multiply,
    "concatenate": _moved(_concatenated),
    "transpose": _moved(lambda call: np.transpose(call.places, [int(a) for a in call.node.attrs["perm"]])),
    **dict.fromkeys(("cropping1d", "cropping2d"), _moved(_cropped)),
    "upsampling2d": _moved(_repeated),
    **dict.fromkeys(("zero_padding1d", "zero_padding2d"), _moved(_padded)),
    **dict.fromkeys([f"{w}max_pooling{r}d" for w in ("", "global_") for r in (1, 2)], largest_of_windows),
    **dict.fromkeys([f"{w}average_pooling{r}d" for w in ("", "global_") for r in (1, 2)], mean_of_windows),
}
