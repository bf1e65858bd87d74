"""A convolution proven at one place computes what the whole one does."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.measure.places import at_one_place, window_values
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import emulate

KIND = FixedType(6, 3)


def graph(
    op: str, shape: tuple[int, ...], weight: np.ndarray, result: tuple[int, ...], **attrs: object
) -> FixedPointGraph:
    arrays = {"weight": FixedArray(weight, 2), "bias": FixedArray(np.arange(result[-1]), 2)}
    types = {"weight": FixedType(5, 3), "bias": FixedType(5, 3), "accum": FixedType(12, 8)}
    nodes = (
        Node("x", "input", (), shape, KIND),
        Node("conv", op, ("x",), result, FixedType(9, 6), types, arrays, attrs),
    )
    return FixedPointGraph(nodes, ("conv",))


@pytest.mark.parametrize(
    ("op", "shape", "kernel", "result", "attrs"),
    [
        ("conv1d", (6, 2), (1, 2, 3), (6, 3), {}),
        ("conv1d", (7, 2), (3, 2, 3), (4, 3), {"padding": [[1, 1]], "strides": [2]}),
        ("conv2d", (5, 4, 2), (2, 3, 2, 2), (4, 4, 2), {"padding": [[0, 0], [1, 1]]}),
        ("conv2d", (6, 6, 1), (2, 2, 1, 2), (4, 4, 2), {"dilation": [2, 2]}),
        ("depthwise_conv2d", (5, 5, 2), (2, 2, 2, 1), (4, 4, 2), {}),
    ],
)
def test_every_window_gives_its_place(
    op: str,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    result: tuple[int, ...],
    attrs: dict[str, object],
) -> None:
    rng = np.random.default_rng(3)
    rank = len(shape) - 1
    plain = {"padding": [[0, 0]] * rank, "strides": [1] * rank, "dilation": [1] * rank}
    whole = graph(op, shape, rng.integers(-8, 8, kernel), result, **{**plain, **attrs})
    x = KIND.quantize(rng.uniform(-4, 4, (20, *shape)))
    node = whole.node("conv")
    found = np.asarray(emulate(at_one_place(whole, node), window_values(node, x)))
    assert np.array_equal(found.reshape(20, *result), np.asarray(emulate(whole, x)))
