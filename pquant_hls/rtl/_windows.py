"""Sliding windows over channels-last arrays, for convolutions and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import Node
from pquant_hls.rtl.arithmetic import Symbols

Ints = Sequence[int]


def sizes(node: Node, key: str, rank: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """An attribute given once or per axis, as one integer per spatial axis; else the default or ones."""
    value = node.attrs.get(key, default)
    if value is None:
        return (1,) * rank
    return tuple(int(item) for item in value) if isinstance(value, Sequence) else (int(value),) * rank


def pads(node: Node, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) of each spatial axis; none where nothing is said.

    Raises
    ------
    NotMeasured : the padding is a word, not numbers.
    """
    value: Any = node.attrs.get("padding") or ((0, 0),) * rank
    if isinstance(value, str):
        raise NotMeasured(f"padding {value!r} is not given as numbers", where=node.name)
    pairs = (value,) if isinstance(value[0], int) else value
    return tuple((int(before), int(after)) for before, after in pairs)


def padded(wires: Symbols, amounts: Sequence[tuple[int, int]], fill: object) -> Symbols:
    """Surround the spatial axes of (*spatial, channels) with ``fill``."""
    shape = [size + sum(pair) for size, pair in zip(wires.shape, amounts, strict=False)]
    out = np.full((*shape, wires.shape[-1]), fill, dtype=object)
    inside = [slice(before, before + size) for (before, _), size in zip(amounts, wires.shape, strict=False)]
    out[tuple(inside)] = wires
    return out


def windows(wires: Symbols, kernel: Ints, strides: Ints, dilation: Ints) -> Symbols:
    """Windows that fit whole: (*spatial, channels) -> (*positions, *kernel, channels)."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    counts = [(size - r) // s + 1 for size, r, s in zip(wires.shape, reach, strides, strict=False)]
    out = np.empty((*counts, *kernel, wires.shape[-1]), dtype=object)
    for position in product(*map(range, counts)):
        corner = [p * s for p, s in zip(position, strides, strict=True)]
        cut = [slice(c, c + r, d) for c, r, d in zip(corner, reach, dilation, strict=True)]
        out[position] = wires[tuple(cut)]
    return out
