"""The emulator's sums of products and its pooling, value by value, against exact fractions.

Written as the C++ loops are: each product, and each sum, stored in the accumulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedArray, FixedType
from pquant_hls.qor.fixed import SATURATIONS
from pquant_hls.rtl.bridge import bridge
from tests.qor.exact import ZERO, edges, every, stored
from tests.rtl.exact import (
    RESULTS,
    SOURCES,
    SUMS,
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


def products(
    values: Sequence[Fraction], factors: Sequence[Fraction], bias: Fraction, accum: FixedType
) -> Fraction:
    """A sum as the C++ loop makes it: the bias, then each product, each stored in the accumulator."""
    total = stored(bias, accum)
    for value, factor in zip(values, factors, strict=True):
        total = stored(total + stored(value * factor, accum), accum)
    return total


@pytest.mark.parametrize("accum", SUMS, ids=named)
@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_dense(source: FixedType, accum: FixedType, rng: np.random.Generator) -> None:
    (weight, w), (bias, b) = weights(rng, (3, 4), 4, 2), weights(rng, (4,), 5, 3)
    x = rows([edges(source)] * 3, 3, rng)
    for result in RESULTS[:4]:
        parts = {"types": {"accum": accum}, "arrays": {"weight": weight, "bias": bias}}
        (found,) = emulated(one("dense", source, result, (3,), (4,), **parts), x)
        wanted = [[products(row, list(w[:, k]), b[k], accum) for k in range(4)] for row in x]
        assert_same(found, cast(wanted, result), (source, accum, result))


def test_dense_without_bias_acts_on_the_last_axis(rng: np.random.Generator) -> None:
    weight, w = weights(rng, (2, 3), 4, 2)
    x = rows([every(SOURCES[0])] * 2, 4, rng, 60).reshape(-1, 2, 2)
    parts = {"types": {"accum": SUMS[1]}, "arrays": {"weight": weight}}
    graph = one("dense", SOURCES[0], RESULTS[0], (2, 2), (2, 3), **parts)
    wanted = [[[products(step, list(w[:, k]), ZERO, SUMS[1]) for k in range(3)] for step in row] for row in x]
    assert_same(emulated(graph, x)[0], cast(wanted, RESULTS[0]), "dense over steps")


@pytest.mark.parametrize("saturation", SATURATIONS[1:])
def test_a_saturating_sum_is_taken_only_where_it_cannot_saturate(
    saturation: str, rng: np.random.Generator
) -> None:
    weight, w = weights(rng, (3, 2), 4, 2)
    x, wide = rows([edges(SOURCES[0])] * 3, 3, rng), FixedType(14, 7, saturation=saturation)
    parts = {"types": {"accum": wide}, "arrays": {"weight": weight}}
    wanted = [[products(row, list(w[:, k]), ZERO, wide) for k in range(2)] for row in x]
    assert_same(emulated(one("dense", SOURCES[0], wide, (3,), (2,), **parts), x)[0], cast(wanted, wide), wide)
    parts["types"] = {"accum": FixedType(7, 3, saturation=saturation)}
    with pytest.raises(NotMeasured, match=r"y: .*may saturate"):
        emulated(one("dense", SOURCES[0], wide, (3,), (2,), **parts), x)


def test_a_chain_of_dense_layers_takes_wider_weights_than_alkaids_matrices() -> None:
    """As arrays; its Verilog is refused as that of other layers."""
    wide = {"weight": FixedArray(np.array([[2**25 + 1]], np.int64), 25)}
    source = FixedType(8, 4)
    layer = one("dense", source, FixedType(40, 8), (1,), (1,), arrays=wide)
    ((found,),) = emulated(layer, fractions(np.array([[1.5]])))[0]
    assert found == Fraction(3, 2) * (1 + Fraction(1, 2**25))
    with pytest.raises(NotMeasured, match=r"y: .*weight"):
        bridge(layer)


@pytest.mark.parametrize("op", ["conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d"])
def test_a_weight_wider_than_alkaids_matrices_is_refused(op: str) -> None:
    rank = int(op[-2])
    shape = (*(1,) * rank, 1, 1)
    wide = FixedArray(np.full(shape, 2**25 + 1, np.int64), 0)
    inside = (*(1,) * rank, 1)
    with pytest.raises(NotMeasured, match=r"y: .*weight"):
        emulated(
            one(op, SOURCES[0], RESULTS[0], inside, inside, arrays={"weight": wide}),
            fractions(np.zeros((1, *inside))),
        )


WINDOWS = [  # size, kernel, strides, padding, dilation
    ((5,), (3,), (1,), ((0, 0),), (1,)),
    ((5,), (2,), (2,), ((0, 1),), (1,)),
    ((6,), (3,), (1,), ((1, 1),), (2,)),
    ((5,), (3,), (3,), ((2, 2),), (1,)),
    ((3, 4), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    ((4, 3), (3, 2), (2, 1), ((1, 1), (0, 1)), (1, 1)),
    ((4, 5), (2, 2), (1, 2), ((0, 0), (1, 0)), (2, 1)),
]


def windows(
    image: Values,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[Sequence[int]],
    dilation: Sequence[int],
    fill: Fraction | None,
) -> tuple[tuple[int, ...], list[list[Any]]]:
    """(shape of the positions, cells of each window as values of all channels; None where padded by nothing)."""
    size = image.shape[:-1]
    counts = tuple(
        (n + sum(pad) - (k - 1) * d - 1) // s + 1
        for n, pad, k, d, s in zip(size, pads, kernel, dilation, strides, strict=True)
    )
    found = []
    for position in product(*map(range, counts)):
        cells = []
        for cell in product(*map(range, kernel)):
            place = [
                p * s + c * d - pad[0]
                for p, s, c, d, pad in zip(position, strides, cell, dilation, pads, strict=True)
            ]
            inside = all(0 <= at < n for at, n in zip(place, size, strict=True))
            cells.append(
                image[tuple(place)]
                if inside
                else None
                if fill is None
                else np.full(image.shape[-1], fill, object)
            )
        found.append(cells)
    return counts, found


@pytest.mark.parametrize("accum", SUMS[:3], ids=named)
@pytest.mark.parametrize("source", SOURCES[:3], ids=named)
@pytest.mark.parametrize("shape", WINDOWS, ids=str)
@pytest.mark.parametrize("depthwise", [False, True], ids=["conv", "depthwise"])
def test_convolutions(
    depthwise: bool, shape: Any, source: FixedType, accum: FixedType, rng: np.random.Generator
) -> None:
    size, kernel, strides, padding, dilation = shape
    channels, filters = 2, 2 if depthwise else 3
    weight, w = weights(rng, (*kernel, channels, 1 if depthwise else filters), 4, 2)
    bias, b = weights(rng, (filters,), 5, 3)
    x = rows([edges(source)], int(np.prod(size)) * channels, rng, 6).reshape(-1, *size, channels)
    counts = windows(x[0], kernel, strides, padding, dilation, ZERO)[0]
    parts = {
        "types": {"accum": accum},
        "arrays": {"weight": weight, "bias": bias},
        "attrs": {
            "strides": list(strides),
            "padding": [list(pad) for pad in padding],
            "dilation": list(dilation),
        },
    }
    op = f"{'depthwise_' if depthwise else ''}conv{len(size)}d"
    (found,) = emulated(one(op, source, RESULTS[0], (*size, channels), (*counts, filters), **parts), x)
    flat = w.reshape(-1, *w.shape[-2:])
    wanted = []
    for image in x:
        for cells in windows(image, kernel, strides, padding, dilation, ZERO)[1]:
            for k in range(filters):
                if depthwise:
                    terms = [(cell[k], flat[n, k, 0]) for n, cell in enumerate(cells)]
                else:
                    terms = [
                        (cell[c], flat[n, c, k]) for n, cell in enumerate(cells) for c in range(channels)
                    ]
                wanted.append(products([v for v, _ in terms], [f for _, f in terms], b[k], accum))
    assert_same(found, cast(wanted, RESULTS[0]).reshape(found.shape), op)


@pytest.mark.parametrize("source", SOURCES, ids=named)
@pytest.mark.parametrize("shape", [window for window in WINDOWS if set(window[4]) == {1}], ids=str)
def test_max_pooling(shape: Any, source: FixedType, rng: np.random.Generator) -> None:
    """Padding is the type's top bit: the least value of a signed type, half the range of an unsigned one."""
    size, pool, strides, padding, dilation = shape
    fill = stored(-(Fraction(2) ** 40), FixedType(source.width, source.integer, True, saturation="SAT"))
    fill = fill if source.signed else Fraction(2) ** (source.integer - 1)
    x = rows([edges(source)], int(np.prod(size)) * 2, rng, 8).reshape(-1, *size, 2)
    counts = windows(x[0], pool, strides, padding, dilation, fill)[0]
    attrs = {"pool": list(pool), "strides": list(strides), "padding": [list(pad) for pad in padding]}
    for accum, result in product((source, FixedType(12, 6)), RESULTS[:2]):
        parts = {"attrs": attrs, "types": {"accum": accum}}
        (found,) = emulated(
            one(f"max_pooling{len(size)}d", source, result, (*size, 2), (*counts, 2), **parts), x
        )
        wanted = [
            stored(max(cell[c] for cell in cells), accum)
            for image in x
            for cells in windows(image, pool, strides, padding, dilation, fill)[1]
            for c in (0, 1)
        ]
        assert_same(found, cast(wanted, result).reshape(found.shape), (accum, result))


def divided(values: Sequence[Fraction], count: int, accum: FixedType) -> Fraction:
    """The mean as ap_fixed makes it: summed in the accumulator, the code divided towards zero."""
    total = ZERO
    for value in values:
        total = stored(total + stored(value, accum), accum)
    code = total * Fraction(2) ** (accum.width - accum.integer)
    quotient = abs(int(code)) // count * (1 if code >= 0 else -1)
    return stored(Fraction(quotient) / Fraction(2) ** (accum.width - accum.integer), accum)


def pooled(kind: str, values: Sequence[Fraction], accum: FixedType) -> Fraction:
    return stored(max(values), accum) if kind == "max" else divided(values, len(values), accum)


MEANS = (FixedType(14, 8), FixedType(6, 4), FixedType(7, 4, rounding="RND"))


@pytest.mark.parametrize("count_pad", [False, True])
@pytest.mark.parametrize("source", [*SOURCES[:2], SOURCES[3]], ids=named)
@pytest.mark.parametrize("shape", [window for window in WINDOWS if set(window[4]) == {1}], ids=str)
def test_average_pooling(shape: Any, source: FixedType, count_pad: bool, rng: np.random.Generator) -> None:
    size, pool, strides, padding, dilation = shape
    x = rows([edges(source)], int(np.prod(size)) * 2, rng, 8).reshape(-1, *size, 2)
    seen = [windows(image, pool, strides, padding, dilation, None) for image in x]
    if not all(any(cell is not None for cell in cells) for cells in seen[0][1]):
        pytest.skip("a window lies wholly in the padding")
    attrs = {
        "pool": list(pool),
        "strides": list(strides),
        "padding": [list(pad) for pad in padding],
        "count_pad": count_pad,
    }
    for accum in MEANS:
        parts = {"attrs": attrs, "types": {"accum": accum}}
        graph = one(
            f"average_pooling{len(size)}d", source, FixedType(12, 6), (*size, 2), (*seen[0][0], 2), **parts
        )
        wanted = []
        for cells in (cells for _, found in seen for cells in found):
            inside = [cell for cell in cells if cell is not None]
            count = len(cells) if count_pad else len(inside)
            wanted += [divided([cell[c] for cell in inside], count, accum) for c in (0, 1)]
        (found,) = emulated(graph, x)
        assert_same(found, cast(wanted, FixedType(12, 6)).reshape(found.shape), accum)


@pytest.mark.parametrize("source", SOURCES, ids=named)
@pytest.mark.parametrize("size", [(3,), (5,), (2, 3)], ids=str)
def test_global_pooling(size: tuple[int, ...], source: FixedType, rng: np.random.Generator) -> None:
    x = rows([edges(source)], int(np.prod(size)) * 2, rng, 20).reshape(-1, *size, 2)
    cells = x.reshape(len(x), -1, 2)
    for accum in MEANS:
        parts = {"types": {"accum": accum}}
        for kind in ("max", "average"):
            graph = one(f"global_{kind}_pooling{len(size)}d", source, RESULTS[0], (*size, 2), (2,), **parts)
            wanted = [[pooled(kind, list(row[:, c]), accum) for c in (0, 1)] for row in cells]
            assert_same(emulated(graph, x)[0], cast(wanted, RESULTS[0]), (kind, accum))
