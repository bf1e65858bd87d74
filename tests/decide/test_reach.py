"""What can be reached: limits that fail by value or by width, floors, moves ranked by what fails, the smallest design."""

from __future__ import annotations

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
    next_action,
    tightenings,
)
from pquant_hls.spec import LoopSpec
from tests.helpers import known

LOOP = LoopSpec(max_rounds=9)
START = {"sparsity": 0.2, "bits": 8.0}


def ns(value: float, low: float, high: float, limit: float = 200.0) -> Check:
    return Check("latency", limit, low, high, unit="ns", value=value)


def dsp(value: float, low: float, high: float, limit: float = 300.0) -> Check:
    return Check("dsp", limit, low, high, resource=True, value=value)


def floor(value: float) -> Check:
    return Check("accuracy", 0.7, value, value, at_least=True, quality=True)


def seen(*checks: Check, accuracy: float = 0.75, **more: Any) -> Round:
    found = Judgement.of((*checks, floor(accuracy)))
    return Round(START, found, accuracy=accuracy, **more)


def moves(*ahead: Judgement | None) -> list[Move]:
    made = tightenings([seen(ns(300, 290, 310))], LOOP)
    return [replace(move, outlook=found) for move, found in zip(made, ahead, strict=True)]


def test_an_interval_that_no_tightening_closes_stops_at_once_and_keeps_the_accuracy() -> None:
    history = [seen(ns(162, 112, 290))]
    ends = Judgement.of([ns(120, 80, 230)])
    action = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(budget_ns=200.0, at_end=ends))
    assert action.kind == "stop"
    assert action.limit is Limit.ESTIMATE
    assert action.reason == (
        "the estimate cannot tell on this part: latency: expected 162 ns, best 112, worst 290 (limit 200)"
    )
    assert action.best == 0


@pytest.mark.parametrize(
    ("now", "ends", "why"),
    [
        (ns(210, 112, 290), ns(120, 80, 230), "the value fails too: tightening brings it within"),
        (ns(162, 112, 290), ns(110, 80, 150), "the smallest design's interval fits"),
        (ns(210, 205, 290), ns(120, 80, 230), "missed for sure"),
    ],
)
def test_else_it_tightens(now: Check, ends: Check, why: str) -> None:
    history = [seen(now)]
    action = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=Judgement.of([ends])))
    assert action.kind == "tighten", why


def test_width_alone_must_fail_everywhere_for_the_estimate_to_be_blamed() -> None:
    history = [seen(ns(162, 112, 290), dsp(400, 390, 410))]
    ends = Judgement.of([ns(120, 80, 230), dsp(200, 190, 210)])
    assert next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=ends)).kind == "tighten"


def test_a_resource_that_the_smallest_design_exceeds_is_the_architectures() -> None:
    history = [seen(dsp(676, 600, 700))]
    ends = Judgement.of([dsp(400, 350, 450)])
    action = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=ends))
    assert action.limit is Limit.ARCHITECTURE
    assert "with every knob at its end dsp 350..450 (limit <= 300" in action.reason


def test_moves_are_ranked_by_the_limit_that_fails() -> None:
    history = [seen(ns(100, 90, 110), dsp(600, 590, 610))]
    by_ns = Judgement.of([ns(40, 35, 50), dsp(590, 580, 600)])
    by_dsp = Judgement.of([ns(99, 90, 109), dsp(320, 310, 330)])
    for ahead, wanted in (((by_ns, by_dsp), 1), ((by_dsp, by_ns), 0), ((None, by_dsp), 1)):
        offered = moves(*ahead)
        assert known(next_action(history, LOOP, offered).move).knob == offered[wanted].knob
    late = [seen(ns(300, 290, 310), dsp(100, 90, 110))]
    offered = moves(by_dsp, by_ns)
    assert known(next_action(late, LOOP, offered).move).knob == offered[1].knob


def test_what_is_expected_to_fit_is_handed_over_before_what_is_fast() -> None:
    wide = seen(ns(162, 112, 290), accuracy=0.76)
    fast = seen(ns(150, 100, 270), accuracy=0.72)
    beyond = seen(ns(230, 150, 300), accuracy=0.79)
    assert best_round([beyond, wide, fast]) == 1
    assert best_round([beyond]) == 0
    lost = seen(ns(100, 90, 110), accuracy=0.5)
    assert best_round([wide, lost]) == 0, "its accuracy fell below the floor"


SMALLEST = Reach(smallest=True)


def test_without_a_limit_on_the_design_the_smallest_that_holds_its_quality_is_wanted() -> None:
    history = [seen(size=900.0)]
    action = next_action(history, LOOP, tightenings(history, LOOP), reach=SMALLEST)
    assert action.kind == "tighten"
    assert "for a smaller design" in action.reason
    history += [seen(size=500.0, accuracy=0.71), seen(size=300.0, accuracy=0.6)]
    end = next_action(history, LOOP, [], reach=SMALLEST)
    assert (end.kind, end.best) == ("stop", 1)
    assert end.reason == "no smaller design holds the quality; round 2 is the smallest that does"
    full = next_action(history, LOOP.with_(max_rounds=3), moves(None, None), reach=SMALLEST)
    assert "3 rounds spent" in full.reason


def test_a_first_proposal_below_its_floor_ends_the_search_for_the_smallest() -> None:
    history = [seen(size=900.0, accuracy=0.5)]
    action = next_action(history, LOOP, moves(None, None), reach=SMALLEST)
    assert action.limit is Limit.ACCURACY
    assert "accuracy 0.5" in action.reason


spans = st.tuples(st.floats(1, 400), st.floats(0, 200), st.floats(0, 200))


@given(spans, spans)
def test_it_never_goes_on_where_every_value_fits_and_no_end_does(now: Any, then: Any) -> None:
    """The loop spends accuracy only where a value fails or an interval can be brought within the limit."""
    value, below, above = now
    check = ns(value, max(0.0, value - below), value + above)
    end = ns(then[0], max(0.0, then[0] - then[1]), then[0] + then[2])
    history = [seen(check)]
    action = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=Judgement.of([end])))
    if check.verdict is Verdict.UNKNOWN and check.centre is Verdict.MET and end.verdict is not Verdict.MET:
        assert action.kind == "stop"
    if action.kind == "tighten":
        assert check.verdict is not Verdict.MET
        assert end.verdict is not Verdict.MISSED


ROOM = Check(
    "room of the part", 1.0, None, None, resource=True, why="the resources of xc9 are not known here"
)


def test_what_nobody_can_measure_is_no_reason_to_tighten() -> None:
    """A part that nobody knows, a latency that no rule gives: smaller designs would stay as unknown."""
    for unknown in (ROOM, Check("latency", 200.0, None, None, unit="ns")):
        history = [seen(unknown)]
        action = next_action(history, LOOP, tightenings(history, LOOP))
        assert (action.kind, action.limit, action.best) == ("stop", Limit.UNDECIDED, 0)
        assert unknown.text in action.reason


def test_an_unknown_part_hides_neither_a_miss_nor_a_width() -> None:
    history = [seen(ROOM, ns(300, 290, 310))]
    assert next_action(history, LOOP, tightenings(history, LOOP)).kind == "tighten", (
        "300 ns is to be mended first"
    )
    history = [seen(ROOM, ns(162, 112, 290))]
    ends = Judgement.of([ns(120, 80, 230)])
    found = next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=ends))
    assert (found.limit, found.best) == (Limit.ESTIMATE, 0)
    tighter = seen(ROOM, ns(100, 90, 110), accuracy=0.72)
    assert best_round([seen(ROOM, ns(300, 290, 310), accuracy=0.76), tighter]) == 1
    assert best_round([seen(ROOM, ns(150, 140, 160), accuracy=0.76), tighter]) == 0


def test_a_design_of_which_nothing_would_be_left_is_no_miss_of_the_architecture() -> None:
    """With every knob at its end little is left of a small network; its real end is seen when it is made."""
    gone = Check("logic that was built", 1.0, 0.0, 0.0, at_least=True)
    history = [seen(ns(300, 290, 310))]
    ends = Judgement.of([ns(0, 0, 50), gone])
    assert next_action(history, LOOP, tightenings(history, LOOP), reach=Reach(at_end=ends)).kind == "tighten"
