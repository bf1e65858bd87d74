"""Small random FixedPointGraphs: types of all kinds, every layer the room takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS

GRID_ROUNDINGS = ("TRN", "RND", "RND_MIN_INF")


@st.composite
def fixed_types(
    draw: st.DrawFn,
    *,
    width: tuple[int, int] = (1, 10),
    roundings: Sequence[str] = ROUNDINGS,
    saturations: Sequence[str] = SATURATIONS,
) -> FixedType:
    bits = draw(st.integers(*width))
    return FixedType(
        bits,
        draw(st.integers(-2, bits + 2)),
        draw(st.booleans()),
        draw(st.sampled_from(roundings)),
        draw(st.sampled_from(saturations)),
    )


INPUT = fixed_types(width=(1, 8), roundings=("TRN", "RND", "RND_CONV"), saturations=("WRAP", "SAT"))
WRAPPING = fixed_types(width=(4, 16), saturations=("WRAP",))


def integers(rng: np.random.Generator, shape: tuple[int, ...], bits: int, frac: int) -> FixedArray:
    codes = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape) * (rng.random(shape) < 0.7)
    return FixedArray(codes.astype(np.int64), frac)


@st.composite
def weighted(
    draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...], n_bias: int, name: str = "weight"
) -> dict[str, FixedArray]:
    frac = draw(st.integers(-1, 6))
    arrays = {name: integers(rng, shape, draw(st.integers(1, 8)), frac)}
    if n_bias:
        arrays["bias"] = integers(rng, (n_bias,), 7, draw(st.integers(0, 6)))
    return arrays


def chain(*nodes: Node, io_type: str = "io_parallel") -> FixedPointGraph:
    return FixedPointGraph(nodes, (nodes[-1].name,), io_type)


@st.composite
def windowed(
    draw: st.DrawFn, size: tuple[int, ...], *, pool: bool = False
) -> tuple[list[int], dict[str, Any], tuple[int, ...]]:
    """Attributes of a sliding window over ``size``, and the output's spatial shape."""
    kernel = [draw(st.integers(1, min(3, n))) for n in size]
    strides = [draw(st.integers(1, 2)) for _ in size]
    dilation = [
        1 if pool or (k - 1) * 2 + 1 > n else draw(st.integers(1, 2))
        for k, n in zip(kernel, size, strict=True)
    ]
    pads = [[draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))] for k in kernel]
    out = [
        (n + sum(p) - (k - 1) * d - 1) // s + 1
        for n, p, k, d, s in zip(size, pads, kernel, dilation, strides, strict=True)
    ]
    return kernel, {"strides": strides, "padding": pads, "dilation": dilation}, tuple(out)


@st.composite
def dense_graph(draw: st.DrawFn) -> FixedPointGraph:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_in, n_out = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    arrays = draw(weighted(rng, (n_in, n_out), draw(st.sampled_from([0, n_out]))))
    return chain(
        Node("x", "input", (), (n_in,), draw(INPUT)),
        Node("d", "dense", ("x",), (n_out,), draw(fixed_types()), {"accum": draw(WRAPPING)}, arrays),
        Node("r", "relu", ("d",), (n_out,), draw(fixed_types())),
    )


@st.composite
def conv_graph(draw: st.DrawFn) -> FixedPointGraph:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank, channels, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    size = tuple(draw(st.integers(2, 4)) for _ in range(rank))
    kernel, attrs, out = draw(windowed(size))
    if draw(st.booleans()):
        op, shape = f"conv{rank}d", (*kernel, channels, filters)
    else:
        op, shape, filters = f"depthwise_conv{rank}d", (*kernel, channels, 1), channels
    return chain(
        Node("x", "input", (), (*size, channels), draw(INPUT)),
        Node(
            "c",
            op,
            ("x",),
            (*out, filters),
            draw(fixed_types()),
            {"accum": draw(WRAPPING)},
            draw(weighted(rng, shape, filters)),
            attrs,
        ),
    )


@st.composite
def pool_graph(draw: st.DrawFn) -> FixedPointGraph:
    rank, channels = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size = tuple(draw(st.integers(2, 4)) for _ in range(rank))
    kernel, attrs, out = draw(windowed(size, pool=True))
    kind = draw(st.sampled_from(["max", "average"]))
    shape: tuple[int, ...] = (channels,)
    if draw(st.booleans()):
        op, attrs = f"global_{kind}_pooling{rank}d", {}
    else:
        op, shape = f"{kind}_pooling{rank}d", (*out, channels)
        attrs = {**attrs, "pool": kernel, "count_pad": draw(st.booleans())}
    accum = draw(fixed_types(width=(4, 16), roundings=GRID_ROUNDINGS, saturations=("WRAP",)))
    return chain(
        Node("x", "input", (), (*size, channels), draw(INPUT)),
        Node("p", op, ("x",), shape, draw(fixed_types()), {"accum": accum}, {}, attrs),
    )


@st.composite
def pointwise_graph(draw: st.DrawFn) -> FixedPointGraph:
    size = draw(st.integers(1, 3))
    op = draw(
        st.sampled_from(
            [
                "quantize",
                "relu",
                "leaky_relu",
                "binary_tanh",
                "ternary_tanh",
                "hard_sigmoid",
                "hard_tanh",
                "clone",
            ]
        )
    )
    attrs = {
        "leaky_relu": {"slope": 0.3125},
        "hard_sigmoid": {"slope": 0.5, "shift": 0.5},
        "hard_tanh": {"slope": 0.5, "shift": 0.5},
    }
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = {"scale": integers(rng, (size,), 5, 3), "bias": integers(rng, (size,), 6, 2)}
    thresholds = {f"threshold_{side}": integers(rng, (size,), 5, 2) for side in ("hi", "lo")}
    fused = op == "ternary_tanh" and draw(st.booleans())
    attrs["relu"] = {"threshold": draw(st.sampled_from([0.0, 0.0, 0.625]))}
    return chain(
        Node("x", "input", (), (size,), draw(INPUT)),
        Node("b", "batchnorm", ("x",), (size,), draw(fixed_types()), {}, scale),
        Node(
            "a", op, ("b",), (size,), draw(fixed_types()), {}, thresholds if fused else {}, attrs.get(op, {})
        ),
    )


@st.composite
def merge_graph(draw: st.DrawFn) -> FixedPointGraph:
    first, second = draw(INPUT), draw(INPUT)
    op = draw(
        st.sampled_from(["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"])
    )
    rows = draw(st.integers(1, 3))
    shape = (2 * rows, 2) if op == "concatenate" else (rows, 2)
    merged = Node("m", op, ("x", "y"), shape, draw(fixed_types()), {}, {}, {"axis": 0})
    turned = Node("t", "transpose", ("m",), shape[::-1], merged.result, {}, {}, {"perm": [1, 0]})
    padded = Node(
        "z", "zero_padding1d", ("t",), (3, shape[0]), draw(fixed_types()), {}, {}, {"padding": [[0, 1]]}
    )
    flat = Node("f", "reshape", ("z",), (3 * shape[0],), padded.result)
    inputs = (Node("x", "input", (), (rows, 2), first), Node("y", "input", (), (rows, 2), second))
    return FixedPointGraph((*inputs, merged, turned, padded, flat), ("f", "m"))
