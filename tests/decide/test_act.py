"""What comes after a round: each rule of tightening, relaxing and stopping, by its own small history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import (
    Check,
    Judgement,
    Limit,
    Move,
    Reach,
    Round,
    Verdict,
    best_round,
    judge,
    next_action,
    relaxations,
    tightenings,
    trades,
)
from pquant_hls.decide.act import costliest
from pquant_hls.decide.knobs import REUSE_PATH
from pquant_hls.decide.moves import base_of
from pquant_hls.qor import Latency, LayerQoR, QoR
from pquant_hls.spec import BitsLadder, Budget, LoopSpec, SparsityLadder
from pquant_hls.spec.recipe import ReuseLadder
from tests.helpers import PART, SMALL

BUDGET = Budget(latency_ns=50, max_accuracy_loss=0.02)
BASELINE = 0.76
LOOP = LoopSpec(max_rounds=9, sparsity=SparsityLadder(step=0.25, max=0.9), bits=BitsLadder(step=2, min=3))
START = {"sparsity": 0.2, "bits": 8.0}
GOOD, POOR = 0.75, 0.70
LAYERS = (
    LayerQoR(name="fc1", op="dense", cycles=2),
    LayerQoR(name="fc2", op="dense", cycles=7),
    LayerQoR(name="relu", op="relu", cycles=0),
    LayerQoR(name="fc3", op="dense", cycles=1),
    LayerQoR(name="odd", op="other"),
)


def done(
    cycles: int | None,
    accuracy: float | None = GOOD,
    knobs: Mapping[str, float] = START,
    *,
    low: int | None = None,
    match: float = 1.0,
    **more: Any,
) -> Round:
    """A round of so many cycles of 5 ns: the budget of 50 ns is 10 of them."""
    latency = None
    if cycles is not None:
        ends = {"cycles_max_lo": low, "cycles_max_hi": cycles} if low is not None else {}
        latency = Latency(cycles_max=cycles, clock_target_ns=5, clock_estimated_ns=4, **ends)
    qor = QoR(part=PART, resources=SMALL, latency=latency, accuracy=accuracy, csim_match=match)
    worst = None if latency is None else latency.worst_ns_hi
    judgement = judge(qor, BUDGET, baseline_accuracy=BASELINE)
    return Round(dict(knobs), judgement, worst_ns=worst, accuracy=accuracy, **more)


def test_what_no_tightening_decides_stops_the_loop() -> None:
    """An interval without content, or a floor within its error: a smaller design removes neither."""
    open_one = Judgement.of([Check("latency", 50, 0.0, 50.0, "ns", value=20.0)])
    few = Judgement.of([Check("auc", 0.5, 0.45, 0.6, at_least=True, quality=True, value=0.52, events=30)])
    for found in (open_one, few):
        history = [done(20), Round(START, found, worst_ns=50.0, accuracy=GOOD)]
        action = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(budget_ns=50))
        assert (action.kind, action.limit, action.best) == ("stop", Limit.UNDECIDED, 1)
        assert action.reason.startswith("cannot be told: ")


def test_an_interval_that_smaller_designs_narrow_is_gone_after() -> None:
    wide, narrow = (Check("ff", 100, low, high, value=40.0) for low, high in ((20.0, 90.0), (20.0, 45.0)))
    floor = Check("accuracy", 0.7, GOOD, GOOD, at_least=True, quality=True)
    assert (wide.verdict, narrow.verdict) == (Verdict.UNKNOWN, Verdict.MET)
    for checks, end, kind in (
        ([wide, floor], narrow, "tighten"),
        ([wide, floor], wide, "stop"),
        ([wide], narrow, "stop"),  # nothing says how much accuracy it may cost
    ):
        history = [Round(START, Judgement.of(checks), accuracy=GOOD)]
        reach = Reach(at_end=Judgement.of([end]))
        assert next_action(history, LOOP, tightenings(history, LOOP), reach=reach).kind == kind


FEW = Check("accuracy", 0.5, 0.45, 0.6, at_least=True, quality=True, value=0.52, events=30)


def open_by_events(**more: Any) -> Round:
    found = Judgement.of([Check("latency", 50, 40.0, 40.0, "ns"), FEW])
    return Round(START, found, worst_ns=40.0, accuracy=0.52, **more)


def ahead(move: Move, ns: float) -> Move:
    return replace(move, predicted_ns=ns, outlook=Judgement.of([Check("latency", 50, ns, ns, "ns")]))


def test_a_turn_that_breaks_what_holds_comes_last_even_where_it_costs_no_accuracy() -> None:
    """A higher reuse factor frees DSPs, and misses the latency that holds."""
    now = Judgement.of([Check("latency", 50, 40.0, 40.0, "ns"), Check("dsp", 10, 30.0, 30.0, resource=True)])
    history = [Round({"bits": 8.0, REUSE_PATH: 2.0}, now, worst_ns=40.0, accuracy=GOOD)]
    loop = LOOP.with_(reuse_factor=ReuseLadder())
    moves = {move.knob: move for move in tightenings(history, loop)}
    fewer = Check("dsp", 10, 5.0, 5.0, resource=True)
    for ns, chosen in ((90.0, "bits"), (50.0, REUSE_PATH)):
        turned_up = replace(
            moves[REUSE_PATH], outlook=Judgement.of([Check("latency", 50, ns, ns, "ns"), fewer])
        )
        lower = replace(
            moves["bits"], outlook=Judgement.of([Check("latency", 50, 40.0, 40.0, "ns"), now.checks[1]])
        )
        action = next_action(history, loop, [turned_up, lower])
        assert action.move is not None
        assert action.move.knob == chosen


def test_quality_within_its_error_is_given_back_while_the_design_fits() -> None:
    history = [done(20), open_by_events()]
    sparsity, bits = (ahead(move, ns) for move, ns in zip(relaxations(history, LOOP), (60, 48), strict=True))
    action = next_action(history, LOOP, [sparsity, bits])
    assert (action.kind, action.move, action.start) == ("relax", bits, 1)
    assert "would decide" in action.reason
    assert "the design has room: bits" in action.reason
    for moves, loop in (([sparsity], LOOP), ([bits], LOOP.with_(max_rounds=2))):
        assert next_action(history, loop, moves).limit is Limit.UNDECIDED


def test_what_was_given_back_too_far_leaves_the_round_before() -> None:
    history = [done(20), open_by_events(), done(12, 0.76, phase="relax", move=Move("bits", 8, 10))]
    action = next_action(history, LOOP, relaxations(history, LOOP))
    assert (action.kind, action.limit, action.best) == ("stop", Limit.UNDECIDED, 1)
    assert "would decide" in action.reason


def turned(knob: str, old: float, new: float, accuracy: float = GOOD, cycles: int = 20) -> Round:
    return done(cycles, accuracy, {**START, knob: new}, move=Move(knob, old, new))


def rungs(moves: tuple[Move, ...]) -> list[tuple[str, float, float]]:
    return [(move.knob, move.old, move.new) for move in moves]


def test_a_rung_takes_a_share_of_what_is_left_and_a_step_of_bits() -> None:
    assert rungs(tightenings([done(20)], LOOP)) == [("sparsity", 0.2, 0.4), ("bits", 8.0, 6.0)]


@pytest.mark.parametrize(
    ("knobs", "moves"),
    [
        ({"sparsity": 0.88}, [("sparsity", 0.88, 0.9)]),
        ({"sparsity": 0.8995}, []),
        ({"sparsity": 0.9}, []),
        ({"sparsity": 0.95}, []),
        ({"sparsity": 1 / 3}, [("sparsity", 1 / 3, 0.5)]),
        ({"sparsity": 0.123}, [("sparsity", 0.123, 0.3422)]),
        ({"bits": 4.0}, [("bits", 4.0, 3)]),
        ({"bits": 3.0}, []),
        ({"bits": 2.0}, []),
        ({}, []),
    ],
)
def test_ladders_end_at_their_ends(knobs: dict[str, float], moves: list[tuple[str, float, float]]) -> None:
    assert rungs(tightenings([done(20, knobs=knobs)], LOOP)) == moves


def test_a_ladder_that_the_recipe_forbids_is_not_climbed() -> None:
    assert rungs(tightenings([done(20)], LOOP.with_(sparsity=None))) == [("bits", 8.0, 6.0)]
    assert rungs(tightenings([done(20)], LOOP.with_(bits=None))) == [("sparsity", 0.2, 0.4)]


def test_a_knob_that_cost_too_much_is_spent() -> None:
    history = [done(20), turned("sparsity", 0.2, 0.4, POOR)]
    assert rungs(tightenings(history, LOOP)) == [("bits", 8.0, 6.0)]
    assert tightenings([*history, turned("bits", 8.0, 6.0, POOR)], LOOP) == ()
    assert tightenings([done(20, POOR)], LOOP) == ()


def test_what_relaxing_lost_spends_no_knob() -> None:
    lost = done(20, POOR, {**START, "bits": 10.0}, move=Move("bits", 8.0, 10.0), phase="relax")
    assert rungs(tightenings([done(20), lost], LOOP)) == [("sparsity", 0.2, 0.4), ("bits", 8.0, 6.0)]


def test_relaxing_gives_back_half_a_rung_and_never_twice() -> None:
    met = done(9, knobs={"sparsity": 0.4, "bits": 6.0})
    moves = relaxations([met], LOOP)
    assert {move.knob: move.new for move in moves} == {"bits": 8.0, "sparsity": 0.3143}
    tried = done(12, knobs={"sparsity": 0.4, "bits": 8.0})
    assert rungs(relaxations([tried, met], LOOP)) == [("sparsity", 0.4, 0.3143)]
    tried = done(12, knobs={"sparsity": 0.3143, "bits": 6.0})
    assert rungs(relaxations([tried, met], LOOP)) == [("bits", 6.0, 8.0)]


@pytest.mark.parametrize(("sparsity", "new"), [(0.125, None), (0.05, None), (0.1255, None), (0.14, 0.0171)])
def test_sparsity_is_not_relaxed_to_nothing(sparsity: float, new: float | None) -> None:
    moves = relaxations([done(9, knobs={"sparsity": sparsity})], LOOP)
    assert [move.new for move in moves] == ([] if new is None else [new])


def test_a_ladder_that_is_not_there_is_not_relaxed() -> None:
    assert relaxations([done(9)], LOOP.with_(sparsity=None, bits=None)) == ()
    assert relaxations([done(9, knobs={})], LOOP) == ()


def test_a_met_budget_stops_the_loop() -> None:
    action = next_action([done(20), done(10)], LOOP, [Move("bits", 8, 10, 45.0)], reach=Reach(budget_ns=50.0))
    assert (action.kind, action.limit, action.best, action.move) == ("stop", None, 1, None)
    assert action.reason == "every limit of the budget holds"


RELAX = LOOP.with_(relax=True)


@pytest.mark.parametrize(
    ("moves", "chosen"),
    [
        ([Move("bits", 8, 10, 50.0)], 0),
        ([Move("bits", 8, 10, 50.1)], None),
        ([Move("bits", 8, 10, None)], None),
        ([], None),
        ([Move("sparsity", 0.4, 0.3, 41.0), Move("bits", 8, 10, 49.0)], 1),
        ([Move("sparsity", 0.4, 0.3, 41.0), Move("bits", 8, 10, 55.0)], 0),
    ],
)
def test_accuracy_is_given_back_where_the_prediction_fits(moves: list[Move], chosen: int | None) -> None:
    action = next_action([done(20), done(8)], RELAX, moves, reach=Reach(budget_ns=50.0))
    if chosen is None:
        assert (action.kind, action.best) == ("stop", 1)
        return
    assert (action.kind, action.move) == ("relax", moves[chosen])
    assert action.start == (None if moves[chosen].knob == "sparsity" else 1), (
        "removed units are not in these weights"
    )
    assert f"predicted to stay at {moves[chosen].predicted_ns:.1f} ns" in action.reason


def test_nothing_is_given_back_without_a_budget_in_ns_or_a_round_left() -> None:
    moves = [Move("bits", 8, 10, 40.0)]
    assert next_action([done(8)], RELAX, moves).kind == "stop"
    assert (
        next_action([done(20), done(8)], RELAX.with_(max_rounds=2), moves, reach=Reach(budget_ns=50.0)).kind
        == "stop"
    )
    assert (
        next_action([done(20), done(8)], RELAX.with_(max_rounds=3), moves, reach=Reach(budget_ns=50.0)).kind
        == "relax"
    )


def test_a_relaxation_that_fails_ends_the_loop_at_the_round_before() -> None:
    history = [done(20), done(9), done(12, 0.76, phase="relax", move=Move("bits", 8, 10))]
    action = next_action(history, RELAX, tightenings(history, RELAX), reach=Reach(budget_ns=50.0))
    assert (action.kind, action.limit, action.best) == ("stop", None, 1)
    assert "the round before it is kept" in action.reason


def test_csim_that_differs_stops_the_loop_and_says_what_to_do() -> None:
    action = next_action([done(20, match=0.99)], LOOP, tightenings([done(20)], LOOP))
    assert (action.kind, action.limit, action.best) == ("stop", Limit.MISMATCH, 0)
    assert action.reason.startswith("csim differs from Keras: csim match 0.99")
    assert "csim diff" in action.reason


@pytest.mark.parametrize(
    ("floor", "budget", "stops"),
    [(50.1, 50.0, True), (50.0, 50.0, False), (None, 50.0, False), (60.0, None, False), (0.0, 50.0, False)],
)
def test_a_floor_above_the_budget_stops_at_once(
    floor: float | None, budget: float | None, stops: bool
) -> None:
    history = [done(20)]
    action = next_action(
        history,
        LOOP,
        tightenings(history, LOOP),
        reach=Reach(budget_ns=budget, floor_ns=floor),
        layers=LAYERS,
    )
    assert (action.limit is Limit.ARCHITECTURE) == stops
    if stops:
        assert "gets below 50.1 ns, the budget is 50.0 ns; most cycles in fc2 7 of 10" in action.reason
        assert action.best == 0


@pytest.mark.parametrize(
    ("predictions", "chosen"),
    [
        ((40.0, 45.0), "sparsity"),
        ((45.0, 40.0), "bits"),
        ((None, 45.0), "bits"),
        ((45.0, None), "sparsity"),
        ((None, None), "sparsity"),
    ],
)
def test_the_move_with_the_best_forecast_is_taken(predictions: tuple[float | None, ...], chosen: str) -> None:
    moves = [Move("sparsity", 0.2, 0.4, predictions[0]), Move("bits", 8, 6, predictions[1])]
    action = next_action([done(20)], LOOP, moves, layers=LAYERS)
    assert action.move is not None
    assert (action.kind, action.move.knob, action.start) == ("tighten", chosen, 0)
    assert ("(predicted" in action.reason) == (action.move.predicted_ns is not None)


def test_of_equal_forecasts_the_knob_turned_less_often_is_taken() -> None:
    moves = [Move("sparsity", 0.4, 0.55, 45.0), Move("bits", 8, 6, 45.0)]
    assert next_action([done(20), turned("sparsity", 0.2, 0.4)], LOOP, moves).move == moves[1]
    both = [done(20), turned("sparsity", 0.2, 0.4), turned("bits", 8, 6)]
    assert next_action(both, LOOP, moves).move == moves[0]


def test_a_reason_names_what_fails_and_what_it_costs() -> None:
    history = [done(20)]
    action = next_action(history, LOOP, [Move("sparsity", 0.2, 0.4, 45.4)], layers=LAYERS)
    failing = "latency 100 ns (limit <= 50): MISSED"
    assert (
        action.reason
        == f"{failing}; most cycles in fc2 7 of 10, fc1 2 of 10: sparsity 0.20 -> 0.40 (predicted 45 ns)"
    )


LOST = [
    done(20),
    turned("sparsity", 0.2, 0.4),
    done(12, POOR, {"sparsity": 0.4, "bits": 6.0}, move=Move("bits", 8, 6)),
    done(12, POOR, {"sparsity": 0.55, "bits": 8.0}, move=Move("sparsity", 0.4, 0.55)),
]


def test_a_turn_that_lost_too_much_is_made_where_the_other_knobs_took_less() -> None:
    """Neither knob goes further from round 2; from round 1 the bits may, and are predicted to do."""
    assert not tightenings(LOST, LOOP)
    ((start, move),) = trades(LOST)[:1]
    assert (start, move) == (0, Move("bits", 8, 6, afresh=True))
    fits = Judgement.of([Check("latency", 50, 40.0, 45.0, "ns")])
    action = next_action(LOST, LOOP, (), swaps=[(start, replace(move, outlook=fits))])
    assert (action.kind, action.start) == ("tighten", 0)
    assert action.move is not None
    assert action.move.afresh
    assert action.reason.endswith("MISSED; with the other knobs as in round 1: bits 8 -> 6 afresh")
    missed = Judgement.of([Check("latency", 50, 55.0, 60.0, "ns")])
    assert next_action(LOST, LOOP, (), swaps=[(start, replace(move, outlook=missed))]).limit is Limit.ACCURACY


def test_one_trade_is_made_after_a_round_that_holds() -> None:
    traded = Move("bits", 8, 6, afresh=True)
    lost = done(12, POOR, {"sparsity": 0.2, "bits": 6.0}, move=traded)
    assert trades([*LOST, lost]) == ()
    held = [*LOST, done(12, GOOD, {"sparsity": 0.2, "bits": 6.0}, move=traded)]
    assert base_of(held) == len(LOST), "the loop goes on from it"
    tried = [dict(seen.knobs) for seen in held]
    assert all({**held[i].knobs, move.knob: move.new} not in tried for i, move in trades(held))


def test_after_a_round_that_lost_too_much_the_loop_goes_back() -> None:
    history = [done(20), turned("bits", 8, 6), turned("sparsity", 0.2, 0.4, POOR)]
    action = next_action(history, LOOP, tightenings(history, LOOP))
    assert (action.kind, action.start) == ("tighten", 1)
    assert action.move is not None
    assert (action.move.knob, action.move.old, action.move.new) == ("bits", 6.0, 4.0)
    assert action.reason.startswith("accuracy 0.7 (limit >= 0.74): MISSED, so back to round 2; latency")


def test_rounds_are_limited() -> None:
    history = [done(20), turned("bits", 8, 6)]
    moves = tightenings(history, LOOP)
    action = next_action(history, LOOP.with_(max_rounds=2), moves)
    assert (action.kind, action.limit) == ("stop", Limit.ROUNDS)
    assert "2 rounds spent" in action.reason
    assert next_action(history, LOOP.with_(max_rounds=3), moves).kind == "tighten"


def test_a_first_proposal_below_the_floor_ends_the_loop() -> None:
    action = next_action([done(20, POOR)], LOOP, [])
    assert (action.kind, action.limit, action.best) == ("stop", Limit.ACCURACY, 0)
    assert "already the first proposal falls below it: accuracy 0.7 (limit >= 0.74): MISSED" in action.reason


def test_without_a_move_left_the_ends_are_named() -> None:
    at_end = done(20, knobs={"sparsity": 0.9, "bits": 3.0})
    action = next_action([at_end], LOOP, [])
    assert (action.limit, action.best) == (Limit.BITS, 0)
    assert action.reason == "bits floor: sparsity is at its end, 0.9; bits is at its end, 3"
    assert "no step the loop may turn" in next_action([done(20, knobs={})], LOOP, []).reason


def test_without_a_move_left_the_knob_that_cost_too_much_is_named() -> None:
    first = done(20, knobs={"sparsity": 0.2, "bits": 3.0})
    lost = done(12, POOR, {"sparsity": 0.4, "bits": 3.0}, move=Move("sparsity", 0.2, 0.4))
    action = next_action([first, lost], LOOP, [])
    assert (action.limit, action.best) == (Limit.ACCURACY, 0)
    assert "sparsity 0.20 -> 0.40 fell below it (accuracy 0.7 (limit >= 0.74): MISSED)" in action.reason
    assert "bits is at its end, 3" in action.reason
    assert "sparsity is at its end" not in action.reason


def test_the_round_handed_over() -> None:
    assert best_round([done(9, 0.75), done(5, 0.745), done(20, 0.76)]) == 0, "the most accurate that is MET"
    assert best_round([done(9, 0.75), done(5, 0.75)]) == 1, "of equal ones the fastest"
    assert best_round([done(30), done(20, POOR), done(25)]) == 2, "none MET: the fastest whose accuracy holds"
    assert best_round([done(20, 0.75), done(20, 0.76)]) == 1, "of equal ones the most accurate"
    assert best_round([done(None), done(20)]) == 1, "a latency that is not known is not fast"
    assert best_round([done(20, POOR), done(15, POOR)]) == 1, "all lost: the fastest"
    assert best_round([done(20, low=9)]) == 0
    assert best_round([]) is None


def test_an_accuracy_that_is_not_known_is_none_to_choose_by() -> None:
    met = Judgement.of([Check("latency", 50, 40, 40)])
    assert best_round([Round({}, met), Round({}, met, accuracy=0.1)]) == 1
    assert best_round([done(20, None), done(20, GOOD)]) == 1


def test_the_costliest_layers() -> None:
    assert costliest(LAYERS) == "most cycles in fc2 7 of 10, fc1 2 of 10"
    assert costliest(LAYERS, most=1) == "most cycles in fc2 7 of 10"
    assert costliest(LAYERS[2:3]) == costliest(()) == "cycles per layer are not known"
    assert costliest(LAYERS[2:4]) == "most cycles in fc3 1 of 1"
    flat = [LayerQoR(name=f"fc{n}", op="dense", cycles=n) for n in (0, 1, 5)]
    assert costliest(flat) == "most cycles in fc5 5 of 6, fc1 1 of 6", (
        "a layer of no cycle costs less than one"
    )


def test_a_move_says_what_it_turns() -> None:
    assert str(Move("bits", 8.0, 6.0)) == "bits 8 -> 6"
    assert str(Move("sparsity", 0.2, 0.36)) == "sparsity 0.20 -> 0.36"


accuracies = st.sampled_from([None, 0.70, 0.745, 0.75, 0.76])
rounds = st.builds(done, st.none() | st.integers(0, 30), accuracies)


@given(st.lists(rounds, min_size=1, max_size=6))
def test_what_is_handed_over_is_never_worse_than_what_was_seen(history: list[Round]) -> None:
    best = best_round(history)
    assert best is not None
    chosen = history[best]
    met = [seen for seen in history if seen.judgement.verdict is Verdict.MET]
    if met:
        assert chosen in met
        assert chosen.accuracy == max(seen.accuracy or 0.0 for seen in met)
    held = [seen for seen in history if seen.judgement.accuracy_verdict is not Verdict.MISSED]
    if held:
        assert chosen in held
    known = [seen.worst_ns for seen in (met or held or history) if seen.worst_ns is not None]
    if not met and known:
        assert chosen.worst_ns == min(known)


@given(st.lists(rounds, min_size=1, max_size=6), st.floats(0, 0.95), st.integers(2, 16))
def test_open_moves_tighten_from_a_round_that_holds(history: list[Round], sparsity: float, bits: int) -> None:
    history = [Round({"sparsity": sparsity, "bits": float(bits)}, r.judgement) for r in history]
    for move in tightenings(history, LOOP):
        low, high = (0.0, 0.9) if move.knob == "sparsity" else (3, 16)
        assert low <= move.new <= high
        assert (move.new > move.old) == (move.knob == "sparsity")
    for move in relaxations(history, LOOP):
        assert (move.new < move.old) == (move.knob == "sparsity")


def test_the_floor_that_was_broken_is_named_by_its_figure() -> None:
    def lost(name: str) -> Round:
        check = Check(name, 0.1, 0.3, 0.3, quality=True)
        return Round({"steps.0.bits": 8}, Judgement(Verdict.MISSED, (check,)))

    assert next_action([lost("accuracy loss")], LOOP, ()).limit is Limit.ACCURACY
    assert next_action([lost("mse")], LOOP, ()).limit is Limit.QUALITY
