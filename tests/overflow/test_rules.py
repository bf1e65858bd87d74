"""Stages of operations that random graphs seldom draw: tables, softmax, thresholds, merges."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.measure.proof import _looked_up
from pquant_hls.overflow import TypeVerdict, decide, program_of
from pquant_hls.overflow.curves import Rising, Times
from pquant_hls.overflow.stages import Box
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import emulate

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


@pytest.mark.parametrize(
    ("op", "shape", "parts"),
    [
        ("dense", (2,), {}),
        ("conv1d", (2, 2), {}),
        ("conv2d", (2, 2, 2), {}),
        ("depthwise_conv2d", (2, 2, 2), {}),
        ("batchnorm", (3,), {}),
        ("leaky_relu", (3,), {}),
        ("leaky_relu", (3,), {"attrs": {"slope": -0.5}}),
        ("relu", (3,), {"attrs": {"threshold": -1.0}}),
        ("hard_sigmoid", (3,), {}),
        ("hard_sigmoid", (3,), {"attrs": {"slope": -0.5, "shift": 0.5}}),
        ("ternary_tanh", (3,), {}),
        ("add", (3,), {}),
        ("maximum", (3,), {}),
        ("multiply", (3,), {}),
        ("zero_padding1d", (5,), {"attrs": {"padding": "same"}}),
        ("max_pooling1d", (2,), {"attrs": {"pool_size": 2, "padding": "same"}}),
        ("average_pooling1d", (2,), {"attrs": {"pool_size": 2, "padding": "same"}}),
    ],
)
def test_what_a_graph_does_not_say_is_undecided(
    op: str, shape: tuple[int, ...], parts: dict[str, object]
) -> None:
    nodes = (
        Node("x", "input", (), (3,), SOURCE),
        Node("y", op, ("x",), shape, FixedType(8, 2), **parts),  # type: ignore[arg-type]
    )
    found = decide(FixedPointGraph(nodes, ("y",)))[-1]
    assert (found.status, found.reason) == ("undecided", f"y: no exact rule for {op!r}")


@pytest.mark.parametrize(
    ("op", "source", "shape", "attrs"),
    [
        ("upsampling2d", (2, 2, 2), (4, 6, 2), {"factors": [2, 3]}),
        ("cropping2d", (4, 5, 2), (3, 2, 2), {"cropping": [[1, 0], [1, 2]]}),
        ("cropping1d", (4, 2), (2, 2), {"cropping": [[1, 1]]}),
        ("transpose", (2, 3), (3, 2), {"perm": [1, 0]}),
        ("zero_padding2d", (2, 2, 1), (3, 5, 1), {"padding": [[1, 0], [1, 2]]}),
    ],
)
def test_values_are_moved_where_the_emulator_moves_them(
    op: str, source: tuple[int, ...], shape: tuple[int, ...], attrs: dict[str, object]
) -> None:
    nodes = (Node("x", "input", (), source, SOURCE), Node("y", op, ("x",), shape, SOURCE, attrs=attrs))
    graph = FixedPointGraph(nodes, ("y",))
    x = np.random.default_rng(0).integers(-128, 128, (20, *source)) / 16
    program = program_of(graph, None)
    found = program.run(x.reshape(20, -1))[program.places["y"]]
    assert np.array_equal(np.asarray(found), np.asarray(emulate(graph, x)).reshape(20, -1))
    assert last(graph).status == "proven"


def test_a_type_saturating_alike_on_both_sides_loses_its_lowest_value() -> None:
    low = FixedType(8, 4, saturation="SAT_SYM")
    program = program_of(one("relu", FixedType(8, 4)), None)
    place = program.store(program.places["x"], [low], ("x", "held"))
    assert (program.boxes[place].low.min(), program.boxes[place].high.max()) == (-low.high, low.high)


@pytest.mark.parametrize("step", [0.25, 1.0])
def test_a_rising_function_is_searched_by_its_differences(step: float) -> None:
    stage = Rising((0,), 3, None, lambda x: np.floor(x / step) * step)
    x = np.array([[0.0, 0.5, 1.0]])
    assert np.array_equal(stage.interval(Box(x[0], x[0] + 1)).high, stage.forward(x[0] + 1))
    assert (stage.slope(np.ones((1, 3)), x) >= 0).all()


def test_a_product_is_bounded_by_its_corners_whatever_is_wanted() -> None:
    stage = Times((0,), 2, None)
    box = Box(np.array([-2.0, 1.0, -3.0, 2.0]), np.array([1.0, 2.0, 1.0, 4.0]))
    drawn = np.random.default_rng(1).uniform(box.low, box.high, (200, 4))
    values = stage.forward(drawn)
    wanted = np.array([[1.0, -1.0], [-2.0, 0.5]])
    linear, constant = stage.back(wanted, box)
    assert not linear.any()
    assert (values @ wanted.T <= constant + 1e-12).all()
    near = (stage.forward(drawn + 1e-6) - values).sum(axis=-1)
    assert np.allclose(stage.slope(np.ones_like(values), drawn).sum(axis=-1) * 1e-6, near, atol=1e-9)


def test_a_table_of_our_own_gives_what_it_holds_for_the_values_that_come() -> None:
    kind = FixedType(16, 4)
    square = np.roll((np.arange(-128, 128) / 16) ** 2 / 16, 128)
    table = FixedArray(np.round(square * 2**12).astype(np.int64), 12)
    held = one("lookup", kind, arrays={"table": table})
    assert (last(held).status, last(held).low, last(held).high) == ("proven", 0.0, 4.0)
    assert last(one("lookup", FixedType(16, 3, signed=False), arrays={"table": table})).status == "proven"
    assert last(one("lookup", FixedType(16, 3), arrays={"table": table})).status == "wraps"
    program = program_of(held, None)
    x = np.arange(-128, 128).reshape(-1, 1).repeat(3, axis=1) / 16
    found = program.run(x)[program.places["y"]]
    assert found is not None
    assert np.array_equal(found, emulate(held, x))
    short = {"table": FixedArray(np.zeros(8, np.int64), 0)}
    assert last(one("lookup", kind, arrays=short)).reason == "y: no exact rule for 'lookup'"
