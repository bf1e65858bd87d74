"""The emulator, operation by operation, against exact fractions: every value of small types, every mode of a result.

The reference (``exact``) shares nothing with the package but the types' records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from operator import add, mul, sub
from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import OPS, FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS
from tests.qor.exact import ONE, ZERO, edges, every, stored
from tests.rtl.exact import (
    RESULTS,
    SOURCES,
    Values,
    assert_same,
    cast,
    emulated,
    fractions,
    named,
    one,
    rows,
    weights,
)

SHAPES = (
    (4, 2, True),
    (3, 3, True),
    (4, 1, False),
    (3, 5, True),
    (3, -1, False),
    (1, 1, False),
    (1, 1, True),
    (9, 5, True),
)
KNOWN = frozenset(OPS)
"""Before any test adds one of its own."""

PAIRS = tuple(product(SOURCES, RESULTS))
POINTWISE, MERGES, WEIGHTED, POOLED, SHAPED = (
    {
        "quantize",
        "clone",
        "relu",
        "leaky_relu",
        "binary_tanh",
        "ternary_tanh",
        "hard_sigmoid",
        "hard_tanh",
        "batchnorm",
        "lookup",
    },
    {"add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"},
    {"dense", "conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d"},
    {
        f"{whole}{kind}_pooling{n}d"
        for whole in ("", "global_")
        for kind in ("max", "average")
        for n in (1, 2)
    },
    {"reshape", "transpose", "zero_padding1d", "zero_padding2d", "cropping1d", "cropping2d", "upsampling2d"},
)


def test_every_operation_is_in_this_matrix_or_refused() -> None:
    own = {"logic"}  # a program of single values: tests/intake
    for op in KNOWN - {"input"} - own - POINTWISE - MERGES - WEIGHTED - POOLED - SHAPED:
        with pytest.raises(NotMeasured, match=r"y: .*no exact RTL"):
            emulated(one(op, SOURCES[0], SOURCES[0], (2,), (2,)), fractions([[0, 1]]))


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_quantize_in_every_mode(source: FixedType) -> None:
    """224 result types on every value of a source."""
    kinds = [
        FixedType(width, integer, signed, rounding, saturation)
        for (width, integer, signed), rounding, saturation in product(SHAPES, ROUNDINGS, SATURATIONS)
    ]
    nodes = [Node(f"y{n}", "quantize", ("x",), (1,), kind) for n, kind in enumerate(kinds)]
    graph = FixedPointGraph(
        (Node("x", "input", (), (1,), source), *nodes), tuple(node.name for node in nodes)
    )
    x = fractions(every(source))[:, None]
    for kind, found in zip(kinds, emulated(graph, x), strict=True):
        assert_same(found, cast(x, kind), kind)


@pytest.mark.parametrize(("rounding", "saturation"), list(product(ROUNDINGS, SATURATIONS)))
def test_an_input_is_stored_in_its_type(rounding: str, saturation: str) -> None:
    """Values off the grid, on halves of it, and out of range."""
    x = fractions(
        [[n / 8] for n in range(-60, 61)] + [[n / 2 + 1e-9] for n in range(-9, 9)] + [[-1e6], [1e6]]
    )
    for width, integer, signed in SHAPES[:6]:
        kind = FixedType(width, integer, signed, rounding, saturation)
        (found,) = emulated(one("clone", kind, kind, (1,), (1,)), x)
        assert_same(found, cast(x, kind), kind)


SIGMOID = {"slope": 0.3125, "shift": 0.5}


def hard_sigmoid(x: Fraction) -> Fraction:
    return min(max(x * Fraction(5, 16) + Fraction(1, 2), ZERO), ONE)


UNARY: dict[str, tuple[str, dict[str, Any], Callable[[Fraction, FixedType, FixedType], Fraction]]] = {
    "clone": ("clone", {}, lambda x, source, result: x),
    "relu": ("relu", {}, lambda x, source, result: max(x, ZERO)),
    "relu above 0.625": ("relu", {"threshold": 0.625}, lambda x, s, r: x if x > Fraction(5, 8) else ZERO),
    "relu above -1": ("relu", {"threshold": -1.0}, lambda x, s, r: x if x > -1 else ZERO),
    "leaky relu": ("leaky_relu", {"slope": 0.3125}, lambda x, s, r: x if x > 0 else x * Fraction(5, 16)),
    "binary tanh": ("binary_tanh", {}, lambda x, s, r: ONE if x >= 0 else ZERO if r.width == 1 else -ONE),
    "hard sigmoid": ("hard_sigmoid", SIGMOID, lambda x, s, r: hard_sigmoid(x)),
    "hard tanh": ("hard_tanh", SIGMOID, lambda x, s, r: 2 * hard_sigmoid(x) - 1),
    "ternary tanh": ("ternary_tanh", {}, lambda x, s, r: ternary(stored(2 * x, s))),
}


def ternary(doubled: Fraction) -> Fraction:
    """1 above 1, -1 up to -1, else 0."""
    return ONE if doubled > 1 else ZERO if doubled > -1 else -ONE


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize(("source", "result"), PAIRS, ids=named)
def test_activations(name: str, source: FixedType, result: FixedType) -> None:
    op, attrs, rule = UNARY[name]
    x = fractions(every(source))[:, None]
    (found,) = emulated(one(op, source, result, (1,), (1,), attrs=attrs), x)
    wanted = cast([[rule(value, source, result)] for value in x[:, 0]], result)
    assert_same(found, wanted, op)


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_a_parameter_is_stored_in_its_own_type(source: FixedType) -> None:
    kind, result = FixedType(4, 2, rounding="RND"), FixedType(16, 8)
    graph = one("leaky_relu", source, result, (1,), (1,), attrs={"slope": 0.3}, types={"param": kind})
    x = fractions(every(source))[:, None]
    wanted = cast([[v if v > 0 else v * Fraction(1, 4)] for v in x[:, 0]], result)
    assert_same(emulated(graph, x)[0], wanted, "slope 0.3 in steps of a quarter")


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_ternary_fused_with_a_scale_has_two_thresholds(source: FixedType) -> None:
    arrays = {
        "threshold_hi": FixedArray(np.array([3, -2]), 2),
        "threshold_lo": FixedArray(np.array([-3, -4]), 2),
    }
    graph = one("ternary_tanh", source, FixedType(2, 2), (2,), (2,), arrays=arrays)
    x = fractions([[value, value] for value in every(source)])
    limits = [(Fraction(3, 4), Fraction(-3, 4)), (Fraction(-1, 2), Fraction(-1))]
    wanted = [
        [ONE if v > high else -ONE if v <= low else ZERO for v, (high, low) in zip(row, limits, strict=True)]
        for row in x
    ]
    assert_same(emulated(graph, x)[0], fractions(wanted), source)


@pytest.mark.parametrize(("source", "result"), PAIRS, ids=named)
def test_batchnorm_is_stored_once(source: FixedType, result: FixedType, rng: np.random.Generator) -> None:
    (scale, s), (bias, b) = weights(rng, (3,), 5, 3), weights(rng, (3,), 6, 4)
    x = fractions([[value] * 3 for value in every(source)])
    graph = one("batchnorm", source, result, (3,), (3,), arrays={"scale": scale, "bias": bias})
    assert_same(emulated(graph, x)[0], cast(x * s + b, result), "batchnorm")


RULES: dict[str, Callable[[Any, Any], Any]] = {
    "add": add,
    "subtract": sub,
    "multiply": mul,
    "average": lambda a, b: (a + b) / 2,
    "maximum": max,
    "minimum": min,
}


def merged(
    op: str,
    kinds: Sequence[FixedType],
    result: FixedType,
    shapes: Sequence[Sequence[int]],
    out: Sequence[int],
    **attrs: Any,
) -> FixedPointGraph:
    x, y = (
        Node(name, "input", (), tuple(shape), kind)
        for name, shape, kind in zip("xy", shapes, kinds, strict=True)
    )
    return FixedPointGraph((x, y, Node("m", op, ("x", "y"), tuple(out), result, attrs=attrs)), ("m",))


@pytest.mark.parametrize("op", RULES)
@pytest.mark.parametrize("result", RESULTS[:4], ids=named)
@pytest.mark.parametrize(
    "kinds", list(product(SOURCES[:4], SOURCES)), ids=lambda pair: " ".join(map(str, map(named, pair)))
)
def test_merges_of_all_pairs(op: str, result: FixedType, kinds: tuple[FixedType, FixedType]) -> None:
    pairs = fractions(list(product(edges(kinds[0]), every(kinds[1]))))
    x, y = pairs[:, :1], pairs[:, 1:]
    (found,) = emulated(merged(op, kinds, result, [(1,), (1,)], (1,)), x, y)
    wanted = cast([[RULES[op](a, b)] for a, b in pairs], result)
    assert_same(found, wanted, op)


@pytest.mark.parametrize("op", RULES)
def test_a_shorter_input_repeats(op: str, rng: np.random.Generator) -> None:
    x, y = (rows([every(SOURCES[0])] * 2, size, rng, 40) for size in (6, 2))
    graph = merged(op, (SOURCES[0], SOURCES[0]), FixedType(12, 6), [(3, 2), (2,)], (3, 2))
    wanted = [
        [[RULES[op](row[2 * i + j], short[j]) for j in (0, 1)] for i in range(3)]
        for row, short in zip(x, y, strict=True)
    ]
    assert_same(emulated(graph, x.reshape(-1, 3, 2), y)[0], cast(wanted, FixedType(12, 6)), op)


@pytest.mark.parametrize(
    ("axis", "shapes", "out"),
    [(0, [(2, 2), (1, 2)], (3, 2)), (1, [(2, 1), (2, 2)], (2, 3)), (-1, [(2, 1), (2, 2)], (2, 3))],
)
def test_concatenate(
    axis: int, shapes: list[tuple[int, ...]], out: tuple[int, ...], rng: np.random.Generator
) -> None:
    kinds, result = (SOURCES[0], SOURCES[1]), RESULTS[1]
    x, y = (
        rows([every(kind)] * 2, int(np.prod(shape)), rng, 30).reshape(-1, *shape)
        for kind, shape in zip(kinds, shapes, strict=True)
    )
    graph = merged("concatenate", kinds, result, shapes, out, axis=axis)
    wanted = np.concatenate([x, y], axis=axis if axis < 0 else axis + 1)
    assert_same(emulated(graph, x, y)[0], cast(wanted, result), axis)


@pytest.mark.parametrize(
    ("op", "attrs", "out", "rule"),
    [
        ("reshape", {}, (6,), lambda x: x.reshape(-1, 6)),
        ("reshape", {}, (3, 2), lambda x: x.reshape(-1, 3, 2)),
        ("transpose", {"perm": [1, 0]}, (3, 2), lambda x: x.transpose(0, 2, 1)),
        ("transpose", {"perm": [0, 1]}, (2, 3), lambda x: x),
        (
            "zero_padding1d",
            {"padding": [[1, 2]]},
            (5, 3),
            lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0)), constant_values=0),
        ),
    ],
)
@pytest.mark.parametrize("result", RESULTS, ids=named)
def test_changes_of_shape(
    op: str,
    attrs: dict[str, Any],
    out: tuple[int, ...],
    rule: Callable[[Values], Values],
    result: FixedType,
    rng: np.random.Generator,
) -> None:
    x = rows([every(SOURCES[0])] * 2, 6, rng, 40).reshape(-1, 2, 3)
    (found,) = emulated(one(op, SOURCES[0], result, (2, 3), out, attrs=attrs), x)
    assert_same(found, cast(rule(x), result), op)


def test_padding_of_images(rng: np.random.Generator) -> None:
    x = rows([every(SOURCES[1])] * 2, 8, rng, 40).reshape(-1, 2, 2, 2)
    graph = one(
        "zero_padding2d", SOURCES[1], RESULTS[0], (2, 2, 2), (3, 5, 2), attrs={"padding": [[1, 0], [2, 1]]}
    )
    wanted = np.pad(x, ((0, 0), (1, 0), (2, 1), (0, 0)), constant_values=0)
    assert_same(emulated(graph, x)[0], cast(wanted, RESULTS[0]), "zero_padding2d")


def test_transpose_of_three_axes(rng: np.random.Generator) -> None:
    x = rows([every(SOURCES[0])] * 2, 12, rng, 40).reshape(-1, 2, 3, 2)
    graph = one("transpose", SOURCES[0], RESULTS[0], (2, 3, 2), (3, 2, 2), attrs={"perm": [1, 2, 0]})
    assert_same(emulated(graph, x)[0], cast(x.transpose(0, 2, 3, 1), RESULTS[0]), "transpose")


def test_every_output_of_a_graph_comes_in_its_order(rng: np.random.Generator) -> None:
    x = rows([every(SOURCES[0])] * 2, 2, rng, 40)
    nodes = (
        Node("x", "input", (), (2,), SOURCES[0]),
        Node("a", "relu", ("x",), (2,), RESULTS[0]),
        Node("b", "subtract", ("a", "x"), (2,), RESULTS[0]),
    )
    found = emulated(FixedPointGraph(nodes, ("b", "x", "a")), x)
    relu = cast(x * (x > ZERO), RESULTS[0])
    for got, want in zip(found, (cast(relu - x, RESULTS[0]), x, relu), strict=True):
        assert_same(got, want, "outputs")


@pytest.mark.parametrize("source", SOURCES, ids=named)
@pytest.mark.parametrize("constant", [True, False])
def test_a_table_gives_the_entry_at_the_raw_bits(source: FixedType, constant: bool) -> None:
    """Entries of values below zero stand behind the others."""
    entries = np.full(1 << source.width, 3) if constant else np.arange(1 << source.width) * 5 % 11 - 4
    result = FixedType(8, 4)
    table = {"table": FixedArray(entries.astype(np.int64), 2)}
    x = fractions(every(source))[:, None]
    raw = [int(value / Fraction(source.lsb)) % (1 << source.width) for value in x[:, 0]]
    wanted = cast([[Fraction(int(entries[place]), 4)] for place in raw], result)
    assert_same(emulated(one("lookup", source, result, (1,), (1,), arrays=table), x)[0], wanted, "lookup")


def test_rows_and_columns_are_left_out_or_repeated() -> None:
    kind = SOURCES[1]
    x = np.resize(fractions(every(kind)), (3, 2, 3, 2))
    cases = {
        "cropping2d": ({"cropping": [[1, 0], [0, 2]]}, x[:, 1:, :1]),
        "upsampling2d": ({"factors": [2, 3]}, x.repeat(2, axis=1).repeat(3, axis=2)),
    }
    for op, (attrs, wanted) in cases.items():
        graph = one(op, kind, kind, (2, 3, 2), wanted.shape[1:], attrs=attrs)
        assert_same(emulated(graph, x)[0], wanted, op)
    rows = x[:, 0]
    graph = one("cropping1d", kind, kind, (3, 2), (2, 2), attrs={"cropping": [[0, 1]]})
    assert_same(emulated(graph, rows)[0], rows[:, :2], "cropping1d")
