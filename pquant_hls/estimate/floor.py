"""What no tightening of an architecture gets below: every layer left, each at the least latency that the rules know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pquant_hls.estimate.compose import cycles_span, point_estimate
from pquant_hls.estimate.products import operands_of
from pquant_hls.estimate.weights import UNIT_BITS, Codes
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target

WEIGHTS = ("weight", "recurrent_weight", "scale")


@dataclass(frozen=True)
class Floor:
    """The least latency that an architecture can be estimated at: ``cycles`` and ``ns`` (lower ends of intervals), and
    the cycles that each node adds to them at least, by name (``added``).
    """

    cycles: int
    ns: float
    added: dict[str, int]


def floor(graph: FixedPointGraph, target: Target, *, bits: int = 1, sparsity: float = 1.0) -> Floor:
    """The least cycles and ns that any tightening of ``graph``'s architecture can reach on ``target``.

    Every layer stays, with its strategy and reuse factor. All else is at its end: weights and quantized results have
    ``bits`` bits, every weight is a power of two, and of each layer's inputs a share of 1 - ``sparsity`` is still
    summed, one at least. As estimates never fall below this, a budget under ``ns`` needs fewer layers, another clock,
    strategy or part.

    Parameters
    ----------
    bits : the smallest width that weights and quantized results may get (a sign included).
    sparsity : the largest share of a layer's inputs that its longest sum may lose, 0 to 1, of those in ``graph``; an
        input that is always zero is lost like one without a weight.

    Raises
    ------
    ValueError : ``bits`` below 1, or ``sparsity`` outside 0 to 1.
    NotMeasured : as ``estimate`` does.
    """
    if bits < 1 or not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"bits must be at least 1 and sparsity 0 to 1, not {bits} and {sparsity}")
    forms = (False, True) if any(_may_fold(graph, node) for node in graph.nodes) else (False,)
    found = [_least(graph, target, _Ends(bits, sparsity, folds)) for folds in forms]
    return min(found, key=lambda one: one.cycles)


@dataclass(frozen=True)
class _Ends:
    """How far a tightening may go; ``folds``: to accumulators that take a product's sign as a subtraction."""

    bits: int
    sparsity: float
    folds: bool


def _may_fold(graph: FixedPointGraph, node: Node) -> bool:
    """Whether a narrower product may come to have just the accumulator's width, and its sign be folded in."""
    if not node.kind.weighted:
        return False
    return operands_of(node, graph.node(node.inputs[0]).result).sign_room >= 0


def _least(graph: FixedPointGraph, target: Target, ends: _Ends) -> Floor:
    least = replace(graph, nodes=tuple(_leanest(graph, ends)))
    point = point_estimate(least, target)
    rule, _, rest = point.key.partition("/")
    unseen = any(node.kind.weighted and "weight" not in node.arrays for node in graph.nodes)
    keys = (
        {point.key, f"unseen_weights{rule[rule.find('@') :] if '@' in rule else ''}/{rest}"}
        if unseen
        else {point.key}
    )
    cycles = min(cycles_span(least, target, replace(point, key=key))[0] for key in keys)
    return Floor(cycles, cycles * target.clock_ns, dict(point.added))


def _leanest(graph: FixedPointGraph, ends: _Ends) -> list[Node]:
    """The nodes in order, as the width of a sum follows from its input's."""
    made: dict[str, Node] = {}
    for node in graph.nodes:
        source = made[node.inputs[0]] if node.inputs else None
        made[node.name] = node if source is None else _lean(node, source, ends)
    return list(made.values())


def _lean(node: Node, source: Node, ends: _Ends) -> Node:
    """The node with the fewest bits and terms; its clipping and rounding stay."""
    shapes = {name: node.arrays[name].codes.shape for name in WEIGHTS if name in node.arrays}
    if node.kind.weighted and "weight" not in shapes:
        shapes["weight"] = (int(node.attrs.get("n_in", 1)), int(node.attrs.get("n_out", node.shape[-1])))
    kept = {name: array for name, array in node.arrays.items() if name not in ("bias", *WEIGHTS)}
    arrays = {**kept, **{name: _thin(node, name, shape, ends) for name, shape in shapes.items()}}
    types = {
        name: _at_most(kind, ends.bits) if name in WEIGHTS else kind for name, kind in node.types.items()
    }
    result = _at_most(node.result, ends.bits)
    if node.grid is not None:
        result = replace(result, rounding=node.grid.rounding, saturation=node.grid.saturation)
    if node.kind.weighted:
        arrays["bias"] = FixedArray(np.zeros(_sums(node, arrays["weight"].codes).shape[1], np.int64), 0)
        terms = int((_sums(node, arrays["weight"].codes) != 0).sum(axis=0).max())
        types |= {
            "weight": FixedType(ends.bits, ends.bits),
            "accum": _accumulator(source.result, terms, ends),
        }
        result = replace(types["accum"], width=min(types["accum"].width, node.result.width))
    return replace(node, arrays=arrays, types=types, result=result, grid=None)


def _thin(node: Node, name: str, shape: tuple[int, ...], ends: _Ends) -> FixedArray:
    """Ones for the first inputs, that must stay, in every sum; zeros elsewhere."""
    codes = np.zeros(shape, np.int64)
    if name == "scale":
        return FixedArray(codes + 1, 0)
    sums = _sums(node, codes)
    sums[: max(1, math.ceil(round((1.0 - ends.sparsity) * len(sums), 9)))] = 1
    return FixedArray(sums.reshape(codes.shape), 0)


def _sums(node: Node, codes: Codes) -> Codes:
    """(terms of one sum, sums) from the stored shape."""
    terms = math.prod(codes.shape[: -2 if node.kind.depthwise else -1])
    return codes.reshape(max(1, terms), -1)


def _accumulator(data: FixedType, terms: int, ends: _Ends) -> FixedType:
    """Wide enough for the sums, and as narrow as a product where signs are folded into it."""
    unit = ends.bits <= UNIT_BITS
    width = data.width + (1 if unit else ends.bits)
    if not ends.folds:
        width += 2 + math.ceil(math.log2(max(terms, 1)))
    return FixedType(width, width - data.frac)


def _at_most(kind: FixedType, bits: int) -> FixedType:
    return replace(kind, width=min(kind.width, max(bits, 1 + int(kind.signed))))
