"""The program that Verilog is made of computes what the graph does, whatever alkaid's passes share."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import NotMeasured
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import Emulator, to_verilog
from pquant_hls.rtl.bridge import Program, bridge
from pquant_hls.spec import HlsSpec

TARGET = HlsSpec(part="xcvu13p-flga2577-2-e", clock_ns=5.0).target
ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")


def dense(name: str, source: str, weight: np.ndarray, kind: FixedType) -> Node:
    frac = 3
    codes = FixedArray(np.round(weight * 2**frac).astype(np.int64), frac)
    bias = FixedArray(np.zeros(weight.shape[1], np.int64), 0)
    types = {"accum": kind, "weight": FixedType(12, 12 - frac), "bias": FixedType(8, 8)}
    return Node(name, "dense", (source,), (weight.shape[1],), kind, types, {"weight": codes, "bias": bias})


def network(weights: list[np.ndarray], source: FixedType, kinds: list[FixedType]) -> FixedPointGraph:
    """Dense layers whose ReLUs store in ``kinds``."""
    nodes = [Node("x", "input", (), (len(weights[0]),), source)]
    for number, (weight, kind) in enumerate(zip(weights, kinds, strict=True)):
        nodes.append(dense(f"fc{number}", nodes[-1].name, weight, FixedType(30, 14)))
        nodes.append(Node(f"relu{number}", "relu", (nodes[-1].name,), nodes[-1].shape, kind))
    return FixedPointGraph(tuple(nodes), (nodes[-1].name,))


def differing(graph: FixedPointGraph, rows: np.ndarray) -> int:
    expected = Emulator(graph).of_stored(rows)
    found = bridge(graph).optimized().logic.predict(rows).reshape(expected.shape)
    return int((found != expected).any(axis=1).sum())


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("weight", [1.0, 2.0, 4.0, 8.0, 0.25])
def test_a_product_with_a_power_of_two_is_rounded_by_its_last_bit(rounding: str, weight: float) -> None:
    rows = (np.arange(-16, 16) / 16)[:, None]
    for frac in range(4):
        kind = FixedType(6, 6 - frac, signed=False, rounding=rounding, saturation="SAT")
        graph = network([np.array([[weight]])], FixedType(5, 1), [kind])
        assert differing(graph, rows) == 0, frac


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_random_chains_are_the_same_before_and_after_sharing(rounding: str) -> None:
    rng = np.random.default_rng(ROUNDINGS.index(rounding))
    for _ in range(12):
        sizes = rng.integers(1, 9, 4)
        shapes = itertools.pairwise(sizes)
        weights = [
            rng.choice([0, 0.125, -0.25, 0.5, 1, -2, 4, 1.375, -0.875], size=shape) for shape in shapes
        ]
        kinds = [
            FixedType(
                int(rng.integers(2, 7)),
                int(rng.integers(-1, 4)),
                signed=False,
                rounding=rounding,
                saturation=str(rng.choice(["SAT", "WRAP"])),
            )
            for _ in weights
        ]
        source = FixedType(6, 2)
        graph = network(weights, source, kinds)
        rows = rng.integers(source.code_min, -source.code_min, (500, sizes[0])) * source.lsb
        assert differing(graph, rows) == 0


def test_a_program_that_differs_from_the_graph_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = FixedType(6, 2, signed=False, rounding="RND_CONV", saturation="SAT")
    graph, other = (network([np.array([[weight]])], FixedType(5, 1), [kind]) for weight in (2.0, 1.0))
    monkeypatch.setattr(Program, "optimized", lambda self: Program(graph, bridge(other).logic))
    with pytest.raises(NotMeasured, match="differs from the emulator on"):
        to_verilog(graph, TARGET, tmp_path / "rtl")
    assert not (tmp_path / "rtl").exists()
