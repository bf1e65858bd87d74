"""Verdicts and actions: properties that must hold for any history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from pquant_hls.decide import (
    Action,
    Limit,
    Reach,
    Round,
    Verdict,
    best_round,
    combine,
    judge,
    next_action,
    relaxations,
    tightenings,
)
from pquant_hls.qor import Latency, LayerQoR, QoR, Resources
from pquant_hls.spec import BitsLadder, Budget, LoopSpec, ResourceLimits, SparsityLadder
from tests.decide.worlds import World
from tests.helpers import PART, SMALL, known, latency_of

BUDGET = Budget(latency_ns=50, max_accuracy_loss=0.02)
optional = st.none() | st.integers(0, 30)


def qor(
    lo: int | None = None, hi: int | None = None, accuracy: float = 0.75, match: float = 1.0, **more: Any
) -> QoR:
    latency = None
    if lo is not None:
        latency = Latency(
            cycles_max=hi, cycles_max_lo=lo, cycles_max_hi=hi, clock_target_ns=5, clock_estimated_ns=4
        )
    return QoR(part=PART, resources=SMALL, latency=latency, accuracy=accuracy, csim_match=match, **more)


def test_met_needs_the_whole_interval() -> None:
    assert judge(qor(9, 10), BUDGET, baseline_accuracy=0.76).verdict is Verdict.MET
    assert judge(qor(10, 11), BUDGET, baseline_accuracy=0.76).verdict is Verdict.UNKNOWN
    assert judge(qor(11, 12), BUDGET, baseline_accuracy=0.76).verdict is Verdict.MISSED


def test_a_slow_clock_misses_the_budget_that_cycles_alone_would_meet() -> None:
    slow = qor().with_(latency=Latency(cycles_max=10, clock_target_ns=5, clock_estimated_ns=6))
    assert judge(slow, BUDGET, baseline_accuracy=0.76).verdict is Verdict.MISSED


def test_accuracy_and_mismatch_are_limits_too() -> None:
    assert judge(qor(9, 10, accuracy=0.7), BUDGET, baseline_accuracy=0.76).verdict is Verdict.MISSED
    assert judge(qor(9, 10, match=0.999), BUDGET, baseline_accuracy=0.76).verdict is Verdict.MISSED
    assert judge(qor(9, 10), BUDGET).verdict is Verdict.UNKNOWN, "no baseline: the loss is not known"


def test_figures_of_the_rtl_never_decide_on_the_hls_project() -> None:
    assert judge(qor(1, 1, design="rtl"), BUDGET, baseline_accuracy=0.75).verdict is Verdict.UNKNOWN


@given(
    latency=st.none()
    | st.builds(
        Latency,
        cycles_max=optional,
        ii_cycles=optional,
        clock_target_ns=st.none() | st.just(5.0),
        clock_estimated_ns=st.none() | st.just(4.0),
    ),
    resources=st.none() | st.builds(Resources, lut=optional, ff=optional, dsp=optional, bram_18k=st.just(0)),
    part=st.none() | st.just(PART),
    accuracy=st.none() | st.just(0.9),
    match=st.none() | st.just(1.0),
    limits=st.builds(ResourceLimits, lut=optional, dsp=optional),
    ii=st.none() | st.integers(1, 5),
    cycles=optional,
    loss=st.none() | st.just(0.1),
    baseline=st.none() | st.just(0.9),
    timing=st.booleans(),
)
@settings(max_examples=300)
def test_a_missing_metric_never_yields_met(
    latency: Latency | None,
    resources: Resources | None,
    part: str | None,
    accuracy: float | None,
    match: float | None,
    limits: ResourceLimits,
    ii: int | None,
    cycles: int | None,
    loss: float | None,
    baseline: float | None,
    timing: bool,
) -> None:
    budget = Budget(
        latency_ns=100,
        latency_cycles=cycles,
        ii_cycles=ii,
        resources=limits,
        max_accuracy_loss=loss,
        timing=timing,
    )
    found = QoR(part=part, latency=latency, resources=resources, accuracy=accuracy, csim_match=match)
    judgement = judge(found, budget, baseline_accuracy=baseline)
    needed = [match, None if latency is None else latency.worst_ns]
    needed += [accuracy, baseline] if loss is not None else []
    needed += [None if latency is None else latency.ii_cycles] if ii is not None else []
    needed += [None if latency is None else latency.cycles_max] if cycles is not None else []
    needed += [None if latency is None else latency.timing_met] if timing else []
    needed += [None if resources is None else getattr(resources, name) for name in ("lut", "ff", "dsp")]
    needed.append(None if part is None else 1)
    if judgement.verdict is Verdict.MET:
        assert None not in needed
    if None in needed:
        assert judgement.verdict is not Verdict.MET
        assert judgement.failing()


def test_nothing_checked_is_not_met() -> None:
    assert combine([]) is Verdict.UNKNOWN


LOOPS = st.builds(
    LoopSpec,
    max_rounds=st.integers(1, 12),
    relax=st.booleans(),
    sparsity=st.none() | st.builds(SparsityLadder, step=st.floats(0.05, 0.5), max=st.floats(0, 0.95)),
    bits=st.none() | st.builds(BitsLadder, step=st.integers(1, 3), min=st.integers(2, 6)),
)


Knobs = dict[str, float]
Outcome = Callable[[Knobs], tuple[int | None, int | None, float]]


def play(
    loop: LoopSpec, start: Knobs, outcome: Outcome, forecast: Callable[[Knobs], float] | None = None
) -> tuple[list[Round], list[Action]]:
    """Run a loop on an instant backend: ``outcome(knobs)`` gives (cycles lo, hi, accuracy)."""
    history: list[Round] = []
    actions: list[Action] = []
    knobs = dict(start)
    action: Action | None = None
    for _ in range(200):
        lo, hi, accuracy = outcome(knobs)
        found = qor(lo, hi, accuracy)
        phase: Literal["relax", "tighten"] = (
            "relax" if action is not None and action.kind == "relax" else "tighten"
        )
        move = None if action is None else action.move
        worst = None if found.latency is None else found.latency.worst_ns_hi
        judgement = judge(found, BUDGET, baseline_accuracy=0.76)
        history.append(Round(dict(knobs), judgement, move, phase, worst, accuracy))
        met = judgement.verdict is Verdict.MET
        moves = relaxations(history, loop) if met else tightenings(history, loop)
        if forecast is not None:
            moves = tuple(replace(m, predicted_ns=forecast({**knobs, m.knob: m.new})) for m in moves)
        action = next_action(history, loop, moves, reach=Reach(budget_ns=50.0))
        actions.append(action)
        if action.kind == "stop":
            return history, actions
        base, turned = history[-1 if action.start is None else action.start].knobs, known(action.move)
        knobs = {**base, turned.knob: turned.new}
    raise AssertionError("the loop did not end")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Knobs, World]:
    """(first knobs, a backend)."""
    start = {"sparsity": draw(st.floats(0, 0.8)), "bits": float(draw(st.integers(3, 10)))}
    for name in draw(st.lists(st.sampled_from(["sparsity", "bits"]), max_size=2)):
        start.pop(name, None)
    return start, draw(st.builds(World, st.integers(0, 1000), st.booleans()))


@given(LOOPS, worlds(), st.booleans())
@settings(max_examples=300)
def test_every_loop_ends_and_tightening_is_monotone(
    loop: LoopSpec, world: tuple[Knobs, World], foresight: bool
) -> None:
    start, outcome = world[0], world[1].outcome
    history, actions = play(
        loop, start, outcome, (lambda k: 5.0 * (outcome(k)[1] or 0)) if foresight else None
    )
    assert len(history) <= loop.max_rounds
    last = actions[-1]
    for before, action in zip(history, actions, strict=False):
        if action.kind == "tighten":
            move = known(action.move)
            assert move.new > move.old if move.knob == "sparsity" else move.new < move.old
            assert action.reason
        if action.kind == "relax":
            assert before.judgement.verdict is Verdict.MET
            assert known(known(action.move).predicted_ns) <= 50
    any_met = any(done.judgement.verdict is Verdict.MET for done in history)
    assert (last.limit is None) == any_met
    assert last.best is not None
    if any_met:
        assert history[last.best].judgement.verdict is Verdict.MET


@given(LOOPS, worlds())
@settings(max_examples=100)
def test_what_is_handed_over_holds_its_accuracy_if_any_round_did(
    loop: LoopSpec, world: tuple[Knobs, World]
) -> None:
    history, actions = play(loop, world[0], world[1].outcome)
    held = [done for done in history if done.judgement.accuracy_verdict is Verdict.MET]
    if held:
        assert history[known(actions[-1].best)].judgement.accuracy_verdict is Verdict.MET


def test_each_limit_is_named() -> None:
    loop = LoopSpec(max_rounds=20, bits=BitsLadder(min=6), sparsity=SparsityLadder(max=0.4))
    start = {"sparsity": 0.2, "bits": 8.0}
    assert play(loop, start, lambda k: (20, 20, 0.75))[1][-1].limit is Limit.BITS
    assert play(loop, start, lambda k: (20, 20, 0.70))[1][-1].limit is Limit.ACCURACY
    assert play(loop.with_(max_rounds=2), start, lambda k: (20, 20, 0.75))[1][-1].limit is Limit.ROUNDS
    drops = play(loop, start, lambda k: (20, 20, 0.75 if k == start else 0.70))
    assert drops[1][-1].limit is Limit.ACCURACY
    assert drops[1][-1].best == 0, "the only round whose accuracy holds is handed over"


def test_a_knob_that_costs_too_much_is_left_and_the_other_is_turned_from_the_last_good_round() -> None:
    loop = LoopSpec(sparsity=SparsityLadder(step=0.25), bits=BitsLadder(min=4))
    history, _ = play(
        loop, {"sparsity": 0.2, "bits": 8.0}, lambda k: (20, 20, 0.70 if k["sparsity"] > 0.2 else 0.75)
    )
    assert [round(done.knobs["sparsity"], 2) for done in history].count(0.4) == 1
    assert history[-1].knobs == {"sparsity": 0.2, "bits": 4.0}


def test_latency_floor_of_the_architecture_stops_at_once() -> None:
    judgement = judge(qor(20, 22), BUDGET, baseline_accuracy=0.76)
    history = [Round({"bits": 8.0}, judgement)]
    layers = (LayerQoR(name="dense_1", op="dense", cycles=7), LayerQoR(name="dense_2", op="dense", cycles=2))
    action = next_action(
        history,
        LoopSpec(),
        tightenings(history, LoopSpec()),
        reach=Reach(budget_ns=50, floor_ns=65),
        layers=layers,
    )
    assert action.limit is Limit.ARCHITECTURE
    assert "65.0 ns" in action.reason
    assert "dense_1 7 of 9" in action.reason


def test_mismatch_stops_the_loop() -> None:
    history = [Round({"bits": 8.0}, judge(qor(20, 22, match=0.5), BUDGET, baseline_accuracy=0.76))]
    assert next_action(history, LoopSpec(), tightenings(history, LoopSpec())).limit is Limit.MISMATCH


def test_best_round_is_the_most_accurate_met_one() -> None:
    def done(hi: int, accuracy: float) -> Round:
        found = qor(hi, hi, accuracy)
        return Round(
            {},
            judge(found, BUDGET, baseline_accuracy=0.76),
            worst_ns=latency_of(found).worst_ns,
            accuracy=accuracy,
        )

    assert best_round([done(9, 0.75), done(5, 0.745), done(20, 0.76)]) == 0
    assert best_round([done(30, 0.75), done(20, 0.70), done(25, 0.745)]) == 2
