"""The emulator asked in exact fractions: small types, graphs of one operation, a comparison value by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import emulate
from tests.qor.exact import stored

SOURCES = (
    FixedType(5, 2),
    FixedType(5, 1, signed=False),
    FixedType(4, 6),  # steps of four
    FixedType(4, -1),  # all bits behind the point
    FixedType(1, 1, signed=False),
    FixedType(2, 1),
)
RESULTS = (
    FixedType(8, 4),
    FixedType(4, 2, rounding="RND_CONV", saturation="SAT"),
    FixedType(3, 3, rounding="RND", saturation="SAT_SYM"),
    FixedType(3, 1, signed=False, rounding="TRN_ZERO", saturation="SAT_ZERO"),
    FixedType(3, 4, rounding="RND_INF"),
    FixedType(1, 1, signed=False, rounding="RND_ZERO", saturation="SAT"),
)
SUMS = (
    FixedType(20, 10),  # holds every sum
    FixedType(7, 4),  # wraps, and drops bits of each product
    FixedType(6, 3, rounding="RND"),
    FixedType(6, 4, rounding="RND_CONV"),
    FixedType(8, 5, rounding="TRN_ZERO"),
)

Values = NDArray[np.object_]
"""Fractions, any shape."""


def fractions(values: Any) -> Values:
    """Numbers of any shape as Fractions; floats are taken as they are."""
    found = np.asarray(values, dtype=object)
    return np.array([Fraction(value) for value in found.ravel()] + [None], dtype=object)[:-1].reshape(
        found.shape
    )


def cast(values: Any, kind: FixedType) -> Values:
    """Each value as the type stores it."""
    found = fractions(values)
    return np.array([stored(value, kind) for value in found.ravel()] + [None], dtype=object)[:-1].reshape(
        found.shape
    )


def weights(
    rng: np.random.Generator, shape: Sequence[int], bits: int, frac: int
) -> tuple[FixedArray, Values]:
    """Random integers with both ends among them, as a graph holds them and as Fractions."""
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int64)
    codes.ravel()[: min(2, codes.size)] = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)[: codes.size]
    return FixedArray(codes, frac), fractions(codes) / Fraction(2) ** frac


def rows(kinds: Iterable[Sequence[Fraction]], size: int, rng: np.random.Generator, most: int = 200) -> Values:
    """Rows of ``size`` values: all combinations of these choices for the first places, random ones behind."""
    chosen = [list(values) for values in kinds]
    table = list(product(*chosen[:size]))
    picks = rng.permutation(len(table))[:most]
    behind = [
        [Fraction(rng.choice(np.array(chosen[-1], dtype=object))) for _ in range(size - len(chosen[:size]))]
        for _ in picks
    ]
    return np.array([[*table[pick], *rest] for pick, rest in zip(picks, behind, strict=True)], dtype=object)


def emulated(graph: FixedPointGraph, *inputs: Values) -> list[Values]:
    """What the emulator gives, as Fractions; one array an output."""
    given = [values.astype(np.float64) for values in inputs]
    found = emulate(graph, given if len(given) > 1 else given[0])
    return [fractions(array) for array in (found if isinstance(found, list) else [found])]


def one(
    op: str, source: FixedType, result: FixedType, shape: Sequence[int], out: Sequence[int], **parts: Any
) -> FixedPointGraph:
    """A graph of one operation on one input."""
    nodes = (Node("x", "input", (), tuple(shape), source), Node("y", op, ("x",), tuple(out), result, **parts))
    return FixedPointGraph(nodes, ("y",))


def assert_same(found: Values, wanted: Values, where: object) -> None:
    """Every value equal; says the first that is not."""
    assert found.shape == wanted.shape, where
    wrong = [index for index in np.ndindex(found.shape) if found[index] != wanted[index]]
    first = wrong[0] if wrong else ()
    assert not wrong, (
        f"{where}: {len(wrong)} of {found.size} differ, {first}: {found[first]}, not {wanted[first]}"
    )


def named(kind: Any) -> str | None:
    return kind.text.replace("ap_", "") if isinstance(kind, FixedType) else None
