"""Knobs: rungs both ways, which of several rules, and the design that a turn is imagined to give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import (
    KINDS,
    Bits,
    Check,
    Depth,
    Distributed,
    Judgement,
    Knob,
    Knobs,
    Rank,
    ReuseFactor,
    Round,
    Sparsity,
    judge,
    next_action,
    relaxations,
    tightenings,
)
from pquant_hls.decide.imagine import coarser, thinner_factors, with_reuse, without_units, without_weights
from pquant_hls.decide.knobs import DISTRIBUTED_PATH
from pquant_hls.errors import SpecError
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, QoR
from pquant_hls.spec import Budget, LoopSpec, RankLadder, ResourceLimits, ReuseLadder
from pquant_hls.spec.model import short_names

OPEN = LoopSpec(rank=RankLadder(), reuse_factor=ReuseLadder())
LATE = Judgement.of([Check("latency", 40, 50, 60, "ns")])
BIG = Judgement.of([Check("lut", 40, 50, 60, resource=True)])
BOTH = Judgement.of([*LATE.checks, *BIG.checks])
FLOOR = Check("accuracy", 0.7, 0.6, 0.6, at_least=True, quality=True)
MATCH = Check("csim match", 1.0, None, None, at_least=True, exactness=True)
TYPE = FixedType(8, 4, True)


def dense(name: str, feed: str, rows: int, columns: int) -> Node:
    codes = np.arange(1, rows * columns + 1, dtype=np.int64).reshape(rows, columns)
    weight = FixedArray(codes, 4)
    return Node(name, "dense", (feed,), (columns,), TYPE, {"weight": TYPE}, {"weight": weight})


def graph() -> FixedPointGraph:
    """x (4) -> a (4, 8) -> grid -> b (8, 4) -> relu -> c (4, 2)."""
    nodes = (
        Node("x", "input", (), (4,), TYPE),
        dense("a", "x", 4, 8),
        Node("grid", "quantize", ("a",), (8,), TYPE),
        dense("b", "grid", 8, 4),
        Node("relu", "relu", ("b",), (4,), TYPE),
        dense("c", "relu", 4, 2),
    )
    return FixedPointGraph(nodes, ("c",))


def zeros(found: FixedPointGraph) -> dict[str, tuple[int, int]]:
    """Rows and columns that are wholly zero, by layer."""
    weights = {node.name: node.arrays["weight"].codes for node in found.nodes if "weight" in node.arrays}
    return {
        name: (int((codes == 0).all(axis=1).sum()), int((codes == 0).all(axis=0).sum()))
        for name, codes in weights.items()
    }


def test_units_go_from_hidden_layers_and_their_readers() -> None:
    assert zeros(without_units(graph(), 0.5)) == {"a": (0, 4), "b": (4, 2), "c": (2, 0)}
    assert zeros(without_units(graph(), 0.0)) == {"a": (0, 0), "b": (0, 0), "c": (0, 0)}


def test_rows_of_the_first_layer_stay_whatever_stands_before_it() -> None:
    nodes = graph().nodes
    grid = Node("first", "quantize", ("x",), (4,), TYPE)
    behind = FixedPointGraph((nodes[0], grid, dense("a", "first", 4, 8), *nodes[2:]), ("c",))
    assert zeros(without_units(behind, 0.5))["a"] == (0, 4)


def same(one: FixedPointGraph, other: FixedPointGraph) -> bool:
    """Whether both have the same weights, widths and reuse."""
    return all(
        a.types == b.types
        and (a.result, a.reuse_factor, a.strategy) == (b.result, b.reuse_factor, b.strategy)
        and all(np.array_equal(a.arrays[name].codes, b.arrays[name].codes) for name in a.arrays)
        for a, b in zip(one.nodes, other.nodes, strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "now", "then", "wanted"),
    [
        (Sparsity, 0.2, 0.6, without_units(graph(), 0.5)),
        (Sparsity, 0.0, 0.25, without_units(graph(), 0.25)),
        (Sparsity, 0.6, 0.2, graph()),
        (Sparsity, 1.0, 1.0, graph()),
        (Rank, 8.0, 6.0, thinner_factors(graph(), 0.25)),
        (Rank, 6.0, 8.0, graph()),
        (Bits, 8.0, 6.0, coarser(graph(), 2)),
        (Bits, 6, 6, graph()),
        (ReuseFactor, 1, 4, with_reuse(graph(), 4)),
        (ReuseFactor, 1, 1, graph()),
    ],
)
def test_each_kind_imagines_its_own_turn(
    kind: type[Knob], now: float, then: float, wanted: FixedPointGraph
) -> None:
    assert same(kind.imagine(graph(), now, then), wanted)


def test_of_each_layer_the_smallest_weights_go_and_one_stays() -> None:
    found = without_weights(graph(), 0.5)
    for name in ("a", "b", "c"):
        before, after = (made.node(name).arrays["weight"].codes for made in (graph(), found))
        assert (after != 0).sum() == before.size / 2
        assert (before[after == 0] < before[after != 0].min()).all()
        again = without_weights(found, 0.5).node(name).arrays["weight"].codes
        assert (again != 0).sum() == before.size / 4
    assert all(
        (node.arrays["weight"].codes != 0).sum() == 1 for node in _weighted(without_weights(graph(), 1))
    )


def _weighted(made: FixedPointGraph) -> list[Node]:
    return [node for node in made.nodes if node.kind.weighted]


def test_what_a_knapsack_saves_is_imagined_weight_by_weight() -> None:
    """Beside units that another method removes."""
    now = [Sparsity("a.sparsity", 0.0, "structured"), Sparsity("b.sparsity", 0.2, "knapsack")]
    packed = [now[0], Sparsity("b.sparsity", 0.6, "knapsack")]
    cut = [Sparsity("a.sparsity", 0.5, "structured"), now[1]]
    assert same(Sparsity.redrawn(graph(), now, packed), without_weights(graph(), 0.5))
    assert same(Sparsity.redrawn(graph(), now, cut), without_units(graph(), 0.5))


def test_which_kinds_are_open_cost_nothing_and_start_over() -> None:
    assert {kind for kind in KINDS.values() if kind.opened} == {Sparsity, Bits, Depth}
    assert {kind for kind in KINDS.values() if kind.free} == {ReuseFactor}
    assert {kind for kind in KINDS.values() if kind.restarts} == {Sparsity, Rank, Depth}
    assert {kind for kind in KINDS.values() if kind.afresh} == {Rank, Depth}
    assert {kind for kind in KINDS.values() if kind.last_resort} == {Depth}


def test_what_costs_no_accuracy_is_turned_first() -> None:
    history = [Round(Knobs([Bits("steps.0.bits", 8), ReuseFactor("hls.reuse_factor", 4)]), LATE)]
    moves = [
        replace(move, predicted_ns=ns) for move, ns in zip(tightenings(history, OPEN), (10, 20), strict=True)
    ]
    assert [move.knob for move in moves] == ["steps.0.bits", "hls.reuse_factor"]
    action = next_action(history, OPEN, moves)
    assert action.move == moves[1]


def test_ranks_go_between_layers_with_nothing_but_a_grid_between() -> None:
    assert zeros(thinner_factors(graph(), 0.25)) == {"a": (0, 2), "b": (2, 0), "c": (0, 0)}


def test_fewer_bits_narrow_weights_and_grids() -> None:
    found = coarser(graph(), 2)
    assert found.node("a").arrays["weight"].codes.max() == 8
    assert (found.node("a").types["weight"].width, found.node("a").result.width) == (6, 8)
    assert (found.node("grid").result.width, found.node("relu").result.width) == (6, 6)


def test_reuse_reaches_every_layer_with_weights() -> None:
    found = with_reuse(graph(), 4)
    assert {(n.strategy, n.reuse_factor) for n in found.nodes if n.op == "dense"} == {("resource", 4)}
    assert found.node("relu").reuse_factor == 1
    assert with_reuse(graph(), 1).node("a").strategy == "latency"
    assert with_reuse(graph(), 2).node("a").strategy == "resource"


@pytest.mark.parametrize("strategy", ["resource", "distributed_arithmetic"])
@pytest.mark.parametrize("factor", [1, 4])
def test_a_strategy_that_was_chosen_is_kept(strategy: str, factor: int) -> None:
    layer = replace(dense("a", "x", 4, 8), attrs={"strategy": strategy, "reuse_factor": 2, "n": 3})
    found = with_reuse(FixedPointGraph((graph().nodes[0], layer), ("a",)), factor).node("a")
    assert dict(found.attrs) == {"strategy": strategy, "reuse_factor": factor, "n": 3}


@given(st.sampled_from(list(KINDS.values())), st.integers(2, 16))
def test_rungs_lead_to_the_end_and_never_beyond(kind: type[Knob], start: int) -> None:
    value = 1 - 1 / start if kind is Sparsity else float(start) if kind is not Depth else 0.0
    seen = [value]
    while (new := kind("steps.0.x", seen[-1]).tighter(OPEN, LATE)) is not None:
        seen.append(new)
    assert len(seen) < 60
    assert seen == sorted(seen, reverse=kind not in (Sparsity, Depth))
    end = kind("steps.0.x", value).end(OPEN)
    assert seen[-1] == pytest.approx(end, abs=1e-3)


def test_a_closed_ladder_has_no_rung() -> None:
    shut = LoopSpec(sparsity=None, bits=None, dropped_layers=None)
    for kind in KINDS.values():
        knob = kind("steps.0.x", 0.5 if kind is Sparsity else 8)
        assert knob.tighter(shut, LATE) is None
        assert knob.looser(shut) is None
        assert knob.end(shut) == knob.value


@pytest.mark.parametrize(
    ("found", "value", "new"),
    [
        (Judgement.of([*LATE.checks, FLOOR]), 4, 2),
        (Judgement.of([*LATE.checks, MATCH]), 4, 2),
        (Judgement.of([FLOOR]), 4, None),
        (LATE, 4, 2),
        (LATE, 1, None),
        (BIG, 4, 8),
        (BIG, 64, None),
        (BOTH, 4, None),
        (Judgement.of([]), 4, None),
    ],
)
def test_reuse_goes_down_for_cycles_and_up_for_resources(
    found: Judgement, value: int, new: int | None
) -> None:
    assert ReuseFactor("hls.reuse_factor", value).tighter(OPEN, found) == new


def test_distributed_arithmetic_is_turned_to_once_and_only_where_it_is_opened() -> None:
    loop = LoopSpec(distributed_arithmetic=True)
    knob = Distributed(DISTRIBUTED_PATH, 0.0)
    assert (knob.tighter(loop, LATE), knob.tighter(OPEN, LATE), knob.looser(loop)) == (1.0, None, None)
    assert Distributed(DISTRIBUTED_PATH, 1.0).tighter(loop, LATE) is None
    assert (knob.end(loop), knob.least(loop)) == (0.0, 0.0)
    assert [dict(each) for each in Distributed.either(Knobs([knob]))] == [{knob.path: 0.0}, {knob.path: 1.0}]
    turned = Knobs([Distributed(DISTRIBUTED_PATH, 1.0), Bits("steps.0.bits", 4)])
    assert len(list(Distributed.either(turned))) == 1


def test_distributed_arithmetic_is_imagined_where_no_multiplier_is_shared() -> None:
    found = Distributed.imagine(graph(), 0, 1)
    assert {node.strategy for node in found.nodes if node.op == "dense"} == {"distributed_arithmetic"}
    assert Distributed.imagine(graph(), 0, 0) is not None
    shared = Distributed.imagine(with_reuse(graph(), 4), 0, 1)
    assert {node.strategy for node in shared.nodes if node.op == "dense"} == {"resource"}


def test_a_turn_to_distributed_arithmetic_must_have_the_best_forecast() -> None:
    loop = LoopSpec(distributed_arithmetic=True, sparsity=None, dropped_layers=None)
    knobs = Knobs([Bits("steps.0.bits", 6), Distributed(DISTRIBUTED_PATH, 0.0)])
    moves = tightenings([Round(knobs, BIG)], loop)
    for best in range(2):
        told = [
            replace(
                move, outlook=Judgement.of([Check("lut", 40, 50, 50 if at == best else 90, resource=True)])
            )
            for at, move in enumerate(moves)
        ]
        action = next_action([Round(knobs, BIG)], loop, told)
        assert action.move == told[best]


def test_a_judgement_tells_resources_exactness_and_quality_apart() -> None:
    budget = Budget(latency_ns=50, resources=ResourceLimits(lut=10), max_accuracy_loss=0.1)
    found = judge(QoR(), budget, baseline_accuracy=0.7).checks
    assert [check.name for check in found if check.resource] == ["lut", "room of the part"]
    assert [check.name for check in found if check.exactness] == ["csim match"]
    assert [check.name for check in found if check.quality] == ["accuracy"]
    always = ["room of the part", "csim match"]
    assert [check.name for check in judge(QoR(), None).checks] == always, "asked or not"


def test_reuse_is_not_turned_to_and_fro() -> None:
    history = [Round(Knobs([ReuseFactor("hls.reuse_factor", 1)]), BIG)]
    (move,) = tightenings(history, OPEN)
    assert (move.old, move.new, str(move)) == (1, 2, "reuse_factor 1 -> 2")
    history.append(Round(Knobs([ReuseFactor("hls.reuse_factor", 2)]), LATE, move))
    assert tightenings(history, OPEN) == (), "back to 1 was tried"


def test_of_several_quantizations_the_last_one_is_turned() -> None:
    knobs = Knobs([Bits("steps.0.bits", 8), Bits("steps.2.bits", 6)])
    assert Bits.ruling(knobs.of_kind(Bits)) == 6
    moves = tightenings([Round(knobs, LATE)], LoopSpec())
    assert [str(move) for move in moves] == ["steps.2.bits 6 -> 5"]
    assert [str(move) for move in relaxations([Round(knobs, LATE)], LoopSpec())] == ["steps.2.bits 6 -> 7"]


def test_of_one_method_the_largest_sparsity_is_turned_two_methods_each_have_their_own() -> None:
    same = Knobs(
        [Sparsity("steps.0.sparsity", 0.2, "structured"), Sparsity("steps.1.sparsity", 0.5, "structured")]
    )
    assert Sparsity.ruling(same.of_kind(Sparsity)) == 0.5
    assert [move.knob for move in tightenings([Round(same, LATE)], LoopSpec())] == ["steps.1.sparsity"]
    two = Knobs(
        [Sparsity("steps.0.sparsity", 0.2, "structured"), Sparsity("steps.1.sparsity", 0.5, "magnitude")]
    )
    assert Sparsity.ruling(two.of_kind(Sparsity)) == pytest.approx(0.6)
    assert len(tightenings([Round(two, LATE)], LoopSpec())) == 2


def test_the_smallest_rank_rules() -> None:
    knobs = Knobs([Rank("steps.0.rank", 8), Rank("steps.1.rank", 4)])
    assert [str(move) for move in tightenings([Round(knobs, LATE)], OPEN)] == ["steps.1.rank 4 -> 3"]
    assert [Rank("steps.0.rank", rank).looser(OPEN) for rank in (2, 8, 32)] == [3, 9, 36]


def test_widths_are_not_given_back_beyond_what_a_step_takes() -> None:
    assert Bits("steps.0.bits", 16).looser(LoopSpec()) is None
    assert Bits("steps.0.bits", 15).looser(LoopSpec()) == 16


def test_knobs_are_a_mapping_and_old_records_have_theirs_by_name() -> None:
    old = Knobs.of({"sparsity": 0.2, "bits": 6})
    assert old == {"sparsity": 0.2, "bits": 6}
    assert Knobs.of(old) is old
    assert (len(old), list(old)) == (2, ["sparsity", "bits"])
    assert isinstance(old.knob("bits"), Bits)
    assert old.turned("bits", 5) == {"sparsity": 0.2, "bits": 5}
    with pytest.raises(SpecError, match="no ladder 'colour'"):
        Knobs.of({"steps.1.colour": 3})


def test_names_are_short_where_that_is_enough() -> None:
    assert short_names(["steps.0.bits", "steps.1.sparsity", "steps.2.bits"]) == {
        "steps.0.bits": "steps.0.bits",
        "steps.1.sparsity": "sparsity",
        "steps.2.bits": "steps.2.bits",
    }


def test_the_fewest_resources_are_at_the_largest_reuse_and_the_end_of_all_else() -> None:
    loop = LoopSpec.parse({"reuse_factor": {"min": 1, "max": 16}})
    knobs = Knobs([Bits("steps.0.bits", 8), ReuseFactor("hls.reuse_factor", 4)])
    fast, small = knobs.at_end(loop), knobs.at_least(loop)
    assert (fast["hls.reuse_factor"], small["hls.reuse_factor"]) == (1, 16)
    assert fast["steps.0.bits"] == small["steps.0.bits"]
    assert knobs.at_least(LoopSpec())["hls.reuse_factor"] == 4, "a shut ladder moves nothing"
