"""Stages of operations that random graphs seldom draw: tables, softmax, thresholds, merges."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.measure.proof import _looked_up
from pquant_hls.overflow import TypeVerdict, decide, program_of
from pquant_hls.qor import FixedPointGraph, FixedType, Node

SOURCE = FixedType(8, 4)


def one(op: str, result: FixedType, **parts: object) -> FixedPointGraph:
    nodes = (
        Node("x", "input", (), (3,), SOURCE),
        Node("y", op, ("x",), (3,), result, **parts),  # type: ignore[arg-type]
    )
    return FixedPointGraph(nodes, ("y",))


def last(graph: FixedPointGraph) -> TypeVerdict:
    return decide(graph)[-1]


@pytest.mark.parametrize("op", ["sigmoid", "tanh"])
def test_a_table_is_looked_up_as_the_proof_does(op: str) -> None:
    kind, result = FixedType(18, 8), FixedType(12, 3)
    reach = {"sigmoid": 8.0, "tanh": 4.0}[op]
    points = (np.arange(64) - 32) * 2 * reach / 64
    table = kind.to_codes(1 / (1 + np.exp(-points)) if op == "sigmoid" else np.tanh(points))
    graph = one(op, result, types={"table": kind}, attrs={"table": table.tolist(), "table_size": 64})
    x = np.arange(-128, 128).reshape(-1, 1).repeat(3, axis=1) / 16
    program = program_of(graph, None)
    found = program.run(x)[program.places["y"]]
    assert found is not None
    assert np.array_equal(found, _looked_up(graph.node("y"), x))
    assert (last(graph).status, last(graph).high) == ("proven", float(np.max(table)) * kind.lsb)
    assert last(one(op, FixedType(8, 0), types={"table": kind}, attrs={"table_size": 64})).status == "wraps"
    assert last(one(op, result)).reason == f"y: no exact rule for {op!r}"


def test_a_stable_softmax_gives_shares_and_others_are_not_told() -> None:
    kinds = {"exp_table": FixedType(18, 8), "inv_table": FixedType(18, 8), "inv_inp": FixedType(18, 8)}
    stable = one("softmax", FixedType(16, 6), types=kinds, attrs={"implementation": "stable"})
    assert (last(stable).status, last(stable).low, last(stable).high) == ("proven", 0.0, 1.0)
    latency = one("softmax", FixedType(16, 6), types=kinds, attrs={"implementation": "latency"})
    assert last(latency).reason == "y: no exact rule for 'softmax'"
    narrow = {**kinds, "exp_table": FixedType(18, 0)}
    open_ = one("softmax", FixedType(16, 6), types=narrow, attrs={"implementation": "stable"})
    assert last(open_).status == "undecided"


@pytest.mark.parametrize(
    ("op", "attrs", "fits", "over"),
    [
        ("relu", {"threshold": 2.0}, FixedType(8, 4), FixedType(8, 3)),
        ("leaky_relu", {"slope": 0.25}, FixedType(10, 4), FixedType(10, 3)),
        ("hard_sigmoid", {"slope": 0.5, "shift": 0.5}, FixedType(8, 2), FixedType(8, 0)),
        ("hard_tanh", {"slope": 0.5, "shift": 0.5}, FixedType(8, 2), FixedType(8, 1)),
        ("binary_tanh", {}, FixedType(2, 2), FixedType(4, 0)),
    ],
)
def test_activations_reach_their_ends(
    op: str, attrs: dict[str, float], fits: FixedType, over: FixedType
) -> None:
    assert last(one(op, fits, attrs=attrs)).status == "proven"
    assert last(one(op, over, attrs=attrs)).status == "wraps"


@pytest.mark.parametrize(
    ("op", "integer"),
    [("add", 5), ("subtract", 5), ("average", 4), ("maximum", 4), ("minimum", 4), ("multiply", 8)],
)
def test_merges_reach_what_their_inputs_can(op: str, integer: int) -> None:
    def graph(kind: FixedType) -> FixedPointGraph:
        ports = (Node("a", "input", (), (2,), SOURCE), Node("b", "input", (), (2,), SOURCE))
        return FixedPointGraph((*ports, Node("y", op, ("a", "b"), (2,), kind)), ("y",))

    assert last(graph(FixedType(20, integer))).status == "proven"
    assert last(graph(FixedType(20, integer - 1))).status == "wraps"
