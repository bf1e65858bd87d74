"""Designs with fewer layers: which can be left out of a graph, what is imagined of it, and the knob that asks for it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import (
    Bits,
    Check,
    Depth,
    Judgement,
    Knobs,
    Round,
    Sparsity,
    next_action,
    relaxations,
    shallower,
    tightenings,
)
from pquant_hls.decide.depth import MOST_WAYS, fewer_layers, spans
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.spec import LoopSpec

TYPE = FixedType(8, 4)
PATH = "steps.0.dropped_layers"
LATE = Judgement.of([Check("latency", 40, 50, 60, "ns", value=55)])
FITS = Judgement.of([Check("latency", 40, 30, 39, "ns", value=35)])


def dense(name: str, feed: str, rows: int, columns: int, seed: int = 0) -> Node:
    codes = np.random.default_rng(seed).integers(1, 9, (rows, columns)).astype(np.int64)
    arrays = {"weight": FixedArray(codes, 4)}
    return Node(name, "dense", (feed,), (columns,), TYPE, {"weight": TYPE}, arrays, {"n_in": rows})


def chain(*sizes: int) -> FixedPointGraph:
    """Dense layers d1, d2, ... with a relu rN behind each but the last."""
    nodes, feed = [Node("x", "input", (), (sizes[0],), TYPE)], "x"
    for number, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        nodes.append(dense(f"d{number}", feed, n_in, n_out, number))
        feed = f"d{number}"
        if number < len(sizes) - 1:
            nodes.append(Node(f"r{number}", "relu", (feed,), (n_out,), TYPE))
            feed = f"r{number}"
    return FixedPointGraph(tuple(nodes), (feed,))


def layers(graph: FixedPointGraph) -> dict[str, tuple[int, ...]]:
    return {node.name: node.arrays["weight"].codes.shape for node in graph.nodes if node.kind.weighted}


def test_a_layer_goes_with_what_stands_behind_it_and_its_reader_reads_on() -> None:
    graph = chain(4, 8, 6, 3)
    assert [span.layer.name for span in spans(graph)] == ["d1", "d2"]
    found = fewer_layers(graph, 1)
    assert [node.name for node in found.nodes] == ["x", "d2", "r2", "d3"]
    assert found.node("d2").inputs == ("x",)
    assert layers(found) == {"d2": (4, 6), "d3": (6, 3)}
    assert found.node("d2").attrs["n_in"] == 4
    assert found.node("d2").result == graph.node("d2").result


def test_most_multiplications_go_first() -> None:
    assert layers(fewer_layers(chain(16, 64, 32, 32, 5), 1)) == {
        "d2": (16, 32),
        "d3": (32, 32),
        "d4": (32, 5),
    }
    assert layers(fewer_layers(chain(4, 8, 64, 3), 1)) == {"d1": (4, 8), "d3": (8, 3)}
    assert [span.saves for span in spans(chain(4, 8, 6, 3))] == [32 + 48 - 24, 48 + 18 - 24]


def test_the_reader_gets_the_product_on_its_own_grid() -> None:
    graph = chain(4, 8, 6, 3)
    first, second = (graph.node(name).arrays["weight"].codes for name in ("d1", "d2"))
    found = fewer_layers(graph, 1).node("d2").arrays["weight"]
    product = first @ second
    wanted = np.rint(product * (second.max() / product.max()))
    np.testing.assert_array_equal(found.codes, wanted)
    assert found.frac_bits == 4


def test_silent_layers_leave_a_silent_product() -> None:
    graph = chain(4, 8, 3)
    nodes = [
        replace(node, arrays={"weight": FixedArray(np.zeros((4, 8), np.int64), 4)})
        if node.name == "d1"
        else node
        for node in graph.nodes
    ]
    found = fewer_layers(replace(graph, nodes=tuple(nodes)), 1)
    assert not found.node("d2").arrays["weight"].codes.any()


def image(stride: int = 1) -> FixedPointGraph:
    """x (6, 6, 2) -> conv (3x3, 4) -> relu -> pool -> flat -> out (2)."""
    rng = np.random.default_rng(0)
    weight = FixedArray(rng.integers(1, 5, (3, 3, 2, 4)).astype(np.int64), 4)
    side = 6 // stride
    nodes = (
        Node("x", "input", (), (6, 6, 2), TYPE),
        Node("conv", "conv2d", ("x",), (side, side, 4), TYPE, {"weight": TYPE}, {"weight": weight}),
        Node("relu", "relu", ("conv",), (side, side, 4), TYPE),
        Node("pool", "max_pooling2d", ("relu",), (3, 3, 4), TYPE),
        Node("flat", "reshape", ("pool",), (36,), TYPE),
        Node("grid", "quantize", ("flat",), (36,), TYPE),
        dense("out", "grid", 36, 2),
    )
    return FixedPointGraph(nodes, ("out",))


def test_a_convolution_goes_and_the_pool_behind_it_stays() -> None:
    found = fewer_layers(image(), 1)
    assert [(node.name, node.shape, node.inputs) for node in found.nodes[1:]] == [
        ("pool", (3, 3, 2), ("x",)),
        ("flat", (18,), ("pool",)),
        ("out", (2,), ("flat",)),
    ]
    assert layers(found) == {"out": (18, 2)}


def test_what_changes_an_image_or_is_read_twice_stays() -> None:
    assert spans(image(stride=2)) == []
    graph = chain(4, 4, 4, 3)
    added = Node("sum", "add", ("r1", "r2"), (4,), TYPE)
    nodes = (*graph.nodes[:-1], added, dense("d3", "sum", 4, 3))
    assert spans(FixedPointGraph(nodes, ("d3",))) == []
    seen = FixedPointGraph(graph.nodes, ("d3", "r1"))
    assert [span.layer.name for span in spans(seen)] == ["d2"], "what leaves the firmware stays"


@pytest.mark.parametrize(
    ("op", "taps", "goes"), [("quantize", 1, True), ("relu", 1, False), ("quantize", 3, False)]
)
def test_a_strided_convolution_goes_into_a_pointwise_one(op: str, taps: int, goes: bool) -> None:
    def conv(name: str, feed: str, shape: tuple[int, ...], places: int) -> Node:
        arrays = {"weight": FixedArray(np.ones(shape, np.int64), 4)}
        return Node(name, "conv1d", (feed,), (places, shape[-1]), TYPE, {"weight": TYPE}, arrays)

    nodes = (
        Node("x", "input", (), (8, 2), TYPE),
        conv("first", "x", (3, 2, 4), 4),
        Node("between", op, ("first",), (4, 4), TYPE),
        conv("second", "between", (taps, 4, 5), 4),
    )
    graph = FixedPointGraph(nodes, ("second",))
    assert [span.layer.name for span in spans(graph)] == (["first"] if goes else [])
    if goes:
        assert layers(fewer_layers(graph, 1)) == {"second": (1, 2, 5)}


def test_a_layer_whose_weights_are_not_known_stays() -> None:
    graph = chain(4, 8, 3)
    bare = replace(graph.node("d1"), arrays={})
    nodes = tuple(bare if node.name == "d1" else node for node in graph.nodes)
    assert spans(replace(graph, nodes=nodes)) == []


def test_every_way_to_leave_layers_out_is_there_once() -> None:
    graph = chain(4, 8, 6, 5, 3)
    found = {tuple(layers(each)) for each in shallower(graph, 2)}
    assert found == {("d3", "d4"), ("d2", "d4"), ("d1", "d4")}
    assert shallower(graph, 0) == [graph]
    assert [tuple(layers(each)) for each in shallower(graph, 9)] == [("d4",)]


def test_of_too_many_ways_the_one_without_any_layer_stands_for_all() -> None:
    graph = chain(*[3] * 14)
    assert [tuple(layers(each)) for each in shallower(graph, 6)] == [("d13",)]
    assert len(shallower(graph, 1)) == 12 < MOST_WAYS


@given(st.lists(st.integers(1, 9), min_size=3, max_size=6), st.integers(0, 6))
def test_as_many_go_as_are_asked_for_and_there_are(sizes: list[int], count: int) -> None:
    found = fewer_layers(chain(*sizes), count)
    assert len(layers(found)) == max(1, len(sizes) - 1 - count)
    assert found.nodes[-1].shape == (sizes[-1],)
    shapes = list(layers(found).values())
    assert shapes[0][0] == sizes[0]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(shapes))


def knob(value: float = 0, most: float | None = None) -> Depth:
    return Depth(PATH, value, most=most)


@pytest.mark.parametrize(
    ("value", "most", "wanted"),
    [(0, None, 1), (1, None, 2), (2, None, None), (0, 0, None), (0, 1, 1), (1, 1, None), (5, 1, None)],
)
def test_one_layer_more_a_turn_as_far_as_ladder_and_model_go(
    value: float, most: float | None, wanted: float | None
) -> None:
    assert knob(value, most).tighter(LoopSpec(), LATE) == wanted


def test_a_layer_is_given_back_and_the_end_is_what_the_model_can_lose() -> None:
    loop = LoopSpec.parse({"dropped_layers": {"max": 3}})
    assert [knob(value).looser(loop) for value in (0, 1, 3)] == [None, 0, 2]
    assert [knob(0, most).end(loop) for most in (None, 1, 9)] == [3, 1, 3]
    assert knob(5).end(loop) == 5
    shut = LoopSpec.parse({"dropped_layers": None})
    assert (knob(1).tighter(shut), knob(1).looser(shut), knob(1).end(shut)) == (None, None, 1)


def test_the_bound_stays_with_the_knob_when_it_is_turned() -> None:
    knobs = Knobs([knob(0, 1)]).turned(PATH, 1)
    assert tightenings([Round(knobs, LATE)], LoopSpec()) == ()
    assert [str(move) for move in relaxations([Round(knobs, FITS)], LoopSpec())] == ["dropped_layers 1 -> 0"]


def test_of_several_the_largest_holds() -> None:
    assert Depth.ruling([knob(1), Depth("steps.2.dropped_layers", 2)]) == 2


def test_a_layer_goes_first_where_it_gains_most_unless_another_turn_would_do() -> None:
    history = [Round(Knobs([knob(), Sparsity("steps.1.sparsity", 0.2), Bits("steps.2.bits", 8)]), LATE)]
    late = Judgement.of([Check("latency", 40, 40, 50, "ns", value=45)])
    sparsity, bits, depth = tightenings(history, LoopSpec())
    assert depth.knob == PATH

    def chosen(*outlooks: Judgement) -> str:
        moves = [replace(m, outlook=o) for m, o in zip((sparsity, bits, depth), outlooks, strict=True)]
        move = next_action(history, LoopSpec(), moves).move
        return "" if move is None else move.knob

    assert chosen(late, late, FITS) == PATH
    assert chosen(late, FITS, FITS) == "steps.2.bits", "what costs least of those that fit"
    less = Judgement.of([Check("latency", 40, 20, 25, "ns", value=22)])
    assert chosen(late, FITS, less) == "steps.2.bits"
    assert chosen(LATE, late, Judgement.of([Check("latency", 40, 40, 45, "ns", value=42)])) == PATH
