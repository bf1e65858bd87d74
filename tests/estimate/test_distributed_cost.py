"""Layers of distributed arithmetic are estimated by the adders that the graph tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.estimate import estimate
from pquant_hls.estimate.adders import imagined_adders, told_adders
from pquant_hls.estimate.compose import point_estimate
from pquant_hls.estimate.operators import operators
from pquant_hls.estimate.products import operands_of
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target
from pquant_hls.qor.graph import ADDERS, ADDERS_OF, weights_key
from tests.helpers import resources_of

VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
DELAY = operators(VU13P)
BUDGET = VU13P.budget_ns
STEP = float(DELAY.add_ns(12))
PER_STAGE = int(BUDGET / STEP + 1e-6)


def layer(codes: list[list[int]], adders: list[list[int]] | None = None) -> FixedPointGraph:
    weight = FixedArray(np.array(codes, np.int64), 3)
    arrays, attrs = {"weight": weight}, {"strategy": "distributed_arithmetic"}
    if adders is not None:
        arrays[ADDERS] = FixedArray(np.array(adders, np.int64).reshape(-1, 3), 0)
        attrs[ADDERS_OF] = weights_key(weight)  # type: ignore[assignment]
    types = {"weight": FixedType(8, 5), "accum": FixedType(24, 12)}
    shape = (len(codes[0]),)
    node = Node("d", "dense", ("x",), shape, FixedType(24, 12), types, arrays, attrs)
    return FixedPointGraph((Node("x", "input", (), (len(codes),), FixedType(8, 4)), node), ("d",))


def chain(length: int) -> list[list[int]]:
    return [[row - 1, -1, 12] for row in range(length)]


@given(st.integers(1, 40))
def test_a_chain_fills_each_stage_with_the_adders_that_fit(length: int) -> None:
    found = told_adders(np.array(chain(length)), DELAY, BUDGET)
    stages, rest = divmod(length - 1, PER_STAGE)
    assert abs(found.end_ns - (stages * BUDGET + (rest + 1) * STEP)) < 1e-9


def test_registers_hold_a_sum_until_its_last_reader_and_results_until_the_end() -> None:
    long = chain(PER_STAGE + 1)
    early = [*long, [-1, -1, 10]]  # a result of the first stage, beside one of the second
    held = told_adders(np.array(early), DELAY, BUDGET).live_bits
    assert held == 12 + 10
    kept = [*long, [0, PER_STAGE, 12]]  # the first sum is read again in the second stage
    assert told_adders(np.array(kept), DELAY, BUDGET).live_bits == 12 + 12


def test_the_adders_of_the_graph_are_what_is_counted() -> None:
    codes = [[5, 7], [3, 0], [7, 1]]
    few, many = layer(codes, chain(3)), layer(codes, [*chain(3), [-1, -1, 20]])
    counts = [point_estimate(graph, VU13P).modules[1].counts["add_bits"] for graph in (few, many)]
    assert counts == [36.0, 56.0]
    assert point_estimate(few, VU13P).modules[1].rule == "adders"
    assert point_estimate(few, VU13P).total("dsp") == 0


def test_adders_of_other_weights_are_not_counted() -> None:
    graph = layer([[5], [3]], chain(30))
    node = graph.node("d")
    other = FixedArray(np.array([[1], [0]]), 3)
    stale = replace(graph, nodes=(graph.nodes[0], replace(node, arrays={**node.arrays, "weight": other})))
    assert point_estimate(stale, VU13P).modules[1].rule == "distributed"
    assert point_estimate(stale, VU13P).modules[1].counts["add_bits"] < 12  # a bias at most, not 30 adders


def test_told_adders_have_the_narrower_interval() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-31, 32, (16, 8)).tolist()
    told = estimate(layer(codes, [[-1, -1, 12]] * 200), VU13P)
    blind = estimate(layer(codes), VU13P)
    ratio = {
        name: np.divide(*resources_of(qor).intervals["lut"][::-1])
        for name, qor in (("told", told), ("blind", blind))
    }
    assert ratio["told"] < 3 < ratio["blind"]
    assert "wider than those of trees" in told.notes[0]


@given(st.integers(0, 2**32 - 1))
def test_imagined_adders_never_grow_when_weights_go(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-63, 64, (8, 4))
    less = np.where(rng.random(codes.shape) < 0.4, 0, codes)
    found = []
    for weights in (codes, less):
        graph = layer(weights.tolist())
        schedule, counts = imagined_adders(operands_of(graph.node("d"), graph.nodes[0].result), DELAY, BUDGET)
        found.append((schedule.end_ns, counts["add_bits"]))
    assert found[1][0] <= found[0][0] + 1e-9
    assert found[1][1] <= found[0][1] + 1e-9
