"""One loop in detail on the instant bench: what it compares with, where each round starts, what it forecasts and keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Action, Check, Judgement, Limit, Move, Round, Verdict
from pquant_hls.decide.knobs import DISTRIBUTED_PATH, REUSE_PATH
from pquant_hls.engine import closed_loop
from pquant_hls.engine.bench import Point
from pquant_hls.engine.forecast import floor_ns, imagine
from pquant_hls.engine.loop import (
    LoopResult,
    View,
    knobs_of,
    look_at_float,
    reusing,
    round_entry,
    targeted,
    turned,
)
from pquant_hls.errors import SpecError
from pquant_hls.estimate import estimate
from pquant_hls.qor import (
    FixedArray,
    FixedPointGraph,
    FixedType,
    Latency,
    LayerQoR,
    Node,
    QoR,
    Resources,
    Target,
)
from pquant_hls.spec import HlsSpec, LoopSpec, Recipe
from tests.helpers import known
from tests.pipelines.instant import InstantBench, Law, Toy

STEPS: list[dict[str, Any]] = [{"step": "prune", "sparsity": 0.2}, {"step": "quantize", "bits": 8}]
WIDE, SUM = FixedType(16, 6), FixedType(36, 14)


def network() -> FixedPointGraph:
    """x (16) -> a (16, 64) -> relu -> b (64, 5); half of a's units are small, so that a turn may save cycles."""
    rng = np.random.default_rng(3)

    def dense(name: str, feed: str, rows: int, columns: int) -> Node:
        codes = rng.integers(-(2**15), 2**15, (rows, columns))
        codes[:, : columns // 2] //= 64
        types = {"weight": FixedType(16, 1), "accum": SUM}
        return Node(name, "dense", (feed,), (columns,), SUM, types, {"weight": FixedArray(codes, 15)})

    nodes = (
        Node("x", "input", (), (16,), WIDE),
        dense("a", "x", 16, 64),
        Node("relu", "relu", ("a",), (64,), FixedType(16, 6, signed=False)),
        dense("b", "relu", 64, 5),
    )
    return FixedPointGraph(nodes, ("b",))


GRAPH = network()


@dataclass
class Looked(InstantBench):
    """Remembers how each design was looked at; its projects hold ``graph``."""

    graph: FixedPointGraph | None = None
    looks: list[tuple[str, bool, HlsSpec]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)
    judged: list[bool] = field(default_factory=list)

    def apply(self, point: Point, step: Any, *, hls: Any = None) -> Point:
        self.started.append(point.digest)
        self.steps.append(step)
        return super().apply(point, step)

    def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        self.looks.append(("sketch", exact, known(hls)))
        project: Any = SimpleNamespace(spec=hls, graph=self.graph)
        return replace(super().sketch(point, exact=exact, hls=hls), project=project)

    def measure(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
        found = super().measure(point, exact=exact, hls=hls)
        self.looks[-1] = ("measure", exact, known(hls))
        return found

    def judge(self, point: Point, *, exact: bool = True) -> Judgement:
        self.judged.append(exact)
        return super().judge(point, exact=exact)


def recipe(
    budget: dict[str, Any] | None = None, steps: list[dict[str, Any]] | None = None, **loop: Any
) -> Recipe:
    return Recipe.parse({"steps": steps or STEPS, "budget": budget or {"latency_ns": 40}, "loop": loop})


def run(made: Recipe, law: Law | None = None, graph: FixedPointGraph | None = None, **more: Any) -> Any:
    bench = Looked(law or Law(), budget=made.budget, graph=graph)
    return bench, closed_loop(bench, bench.start(Toy()), made, **more)


# What the loop hands over


def ended(best: int | None) -> LoopResult:
    points = tuple(Point(Toy(), name) for name in ("first", "second", "third"))
    verdicts = (Verdict.MISSED, Verdict.MET, Verdict.UNKNOWN)
    rounds = tuple(Round({}, Judgement(verdict, ())) for verdict in verdicts)
    return LoopResult(Verdict.MET, Action("stop", "", best=best), rounds, points, points[0], ())


@pytest.mark.parametrize(
    ("best", "digest", "verdict"), [(None, "third", "UNKNOWN"), (0, "first", "MISSED"), (1, "second", "MET")]
)
def test_the_best_point_is_the_actions_and_else_the_last(best: int | None, digest: str, verdict: str) -> None:
    found = ended(best)
    assert (found.best.digest, str(found.judgement.verdict)) == (digest, verdict)


# What it compares with


@pytest.mark.parametrize(("deliver", "kept"), [("hls", True), ("rtl", False)])
def test_the_float_model_is_looked_at_as_hls4ml_converts_it(deliver: str, kept: bool) -> None:
    """Its softmax is in the HLS project; Verilog has none, so that there it is left out of the comparison as well."""
    bench, found = run(recipe({"latency_ns": 1000, "deliver": deliver}))
    how, exact, hls = bench.looks[0]
    assert (how, exact, hls.keep_softmax) == ("measure", False, kept)
    assert not any(hls.keep_softmax for _, _, hls in bench.looks[1:])
    assert bench.judged == [False] + [True] * len(found.rounds)
    first = found.entries[0]
    assert not any("csim" in check.text for check in first.checks), "floats are not held to exactness"
    assert (first.kind, first.name, first.number, first.status, first.reason) == (
        "float",
        "float",
        0,
        None,
        "",
    )
    assert found.baseline.digest == Toy().digest
    assert known(found.baseline.qor).csim_match is None


def test_without_a_budget_the_float_model_keeps_its_softmax() -> None:
    class Unbudgeted(Looked):
        def judge(self, point: Point, *, exact: bool = True) -> Judgement:
            return Judgement(Verdict.MET, ())

    bench = Unbudgeted(Law())
    bench.budget = cast("Any", None)
    closed_loop(bench, bench.start(Toy()), recipe())
    assert bench.looks[0][2].keep_softmax


def test_each_round_is_looked_at_exactly_on_the_loops_own_target() -> None:
    other = HlsSpec(clock_ns=4.0)
    bench, _ = run(recipe(max_rounds=3), hls=other)
    assert {hls.clock_ns for _, _, hls in bench.looks} == {4.0}
    assert [(how, exact) for how, exact, _ in bench.looks[1:]] == [("measure", True)] * (len(bench.looks) - 1)
    bench, _ = run(recipe(max_rounds=3), fidelity="sketch")
    assert {how for how, _, _ in bench.looks} == {"sketch"}
    assert bench.judged == [False] * len(bench.judged), "csim comes at hand-over"
    assert {hls.clock_ns for _, _, hls in bench.looks} == {HlsSpec().clock_ns}, "the bench's by default"


def test_a_view_looks_at_another_target_where_it_is_told() -> None:
    bench, other = Looked(Law()), HlsSpec(clock_ns=3.0)
    view = View(HlsSpec(clock_ns=6.0), "sketch")
    point = bench.start(Toy())
    view.at(bench, point)
    view.at(bench, point, exact=False, hls=other)
    assert [(exact, hls.clock_ns) for _, exact, hls in bench.looks] == [(True, 6.0), (False, 3.0)]


# Where a round starts


def test_rounds_start_at_the_weights_that_the_decision_names() -> None:
    """Removed units need the original's weights? No: tightening goes on from the round it tightens."""
    bench, found = run(recipe({"latency_ns": 10}, max_rounds=4))
    original = Toy().digest
    assert bench.started[0] == original
    starts = bench.started[:: len(STEPS)]
    assert starts[1:] == [point.digest for point in found.points[: len(starts) - 1]]
    assert [entry.number for entry in found.entries] == list(range(len(found.rounds) + 1))
    assert [entry.name for entry in found.entries[1:]] == [f"round {n + 1}" for n in range(len(found.rounds))]


def test_after_a_lost_round_the_loop_turns_back_to_the_one_that_held() -> None:
    made = recipe({"latency_ns": 10, "max_accuracy_loss": 0.08}, max_rounds=3)
    law = Law(per_sparsity=0.3, per_bit=0.0, interval=0, cycles=40)
    bench, found = run(made, law)
    lost = [entry.status == "rolled_back" for entry in found.entries[1:]]
    assert lost[:2] == [False, True], "the first turn is one too many"
    held = found.points[0].digest
    assert bench.started[2 * len(STEPS)] == held, "not from the lost weights"
    assert found.rounds[2].knobs["steps.0.sparsity"] == 0.2
    assert found.rounds[2].knobs["steps.1.bits"] < 8


def test_relaxing_sparsity_starts_from_the_original() -> None:
    """Units that were removed are not in the weights of the round before."""
    steps = [{"step": "prune", "sparsity": 0.5}]
    made = recipe({"latency_ns": 65}, steps, relax=True, max_rounds=2)
    bench, found = run(made, graph=GRAPH)
    assert [done.phase for done in found.rounds] == ["tighten", "relax"]
    assert found.rounds[1].knobs["steps.0.sparsity"] < 0.5
    assert bench.started == [Toy().digest] * 2
    assert found.rounds[1].move is not None
    assert found.entries[2].settings["step"] == "relax"
    assert found.entries[1]["action"] == "relax"


def test_a_round_without_a_measurement_is_an_error() -> None:
    class Blind(Looked):
        def sketch(self, point: Point, *, exact: bool = True, hls: HlsSpec | None = None) -> Point:
            return replace(super().sketch(point, exact=exact, hls=hls), qor=None)

    bench = Blind(Law(), budget=recipe().budget)
    with pytest.raises(SpecError, match="a round ended without a measurement"):
        closed_loop(bench, bench.start(Toy()), recipe(), fidelity="sketch")


# What a round holds


def test_a_round_holds_its_figures_and_blind_ones_hold_none() -> None:
    _, found = run(recipe({"latency_ns": 1000}))
    done, qor = found.rounds[0], known(found.points[0].qor)
    assert (done.accuracy, done.worst_ns) == (qor.accuracy, known(qor.latency).worst_ns_hi)
    assert (done.move, done.phase) == (None, "tighten")
    _, blind = run(recipe({"latency_ns": 1000}, max_rounds=2), Law(measured=False))
    assert [done.worst_ns for done in blind.rounds] == [None]
    assert blind.action.limit is Limit.UNDECIDED, "a smaller design would be as unknown"
    assert blind.verdict is Verdict.UNKNOWN


def test_the_reason_names_the_layers_that_cost_the_cycles() -> None:
    _, found = run(recipe({"latency_ns": 40}, max_rounds=2), Law(cycles=40))
    layers = known(found.points[0].qor).layers
    assert f"most cycles in {layers[0].name} {layers[0].cycles} of" in found.entries[1].reason


def test_the_verdict_is_met_if_any_round_is_and_else_that_of_the_point_handed_over() -> None:
    assert run(recipe({"latency_ns": 1000}))[1].verdict is Verdict.MET
    missed = run(recipe({"latency_ns": 5}), Law(interval=0))[1]
    assert (missed.verdict, missed.action.kind) == (Verdict.MISSED, "stop")
    # 8 +- 4 cycles at first: 20..60 ns, so that 40 ns may hold
    open_one = run(recipe({"latency_ns": 40}, max_rounds=1), Law(interval=4))[1]
    assert (open_one.verdict, open_one.action.limit) == (Verdict.UNKNOWN, Limit.ROUNDS)
    assert open_one.judgement.verdict is Verdict.UNKNOWN


# Forecasts


def forecast_ns(
    graph: FixedPointGraph, target: Target, now: Mapping[str, float], then: Mapping[str, float]
) -> float:
    """Upper end of the estimated latency in ns of the graph as the turn imagines it."""
    return known(known(estimate(imagine(graph, now, then), target).latency).worst_ns_hi)


def test_a_forecast_is_what_was_measured_less_what_the_estimator_says_a_turn_saves() -> None:
    made, law = recipe({"latency_ns": 40}, max_rounds=2), Law(cycles=40)
    bench, found = run(made, law, GRAPH)
    move, start = known(found.rounds[1].move), found.rounds[0].knobs
    measured = known(known(known(found.points[0].qor).latency).worst_ns_hi)
    target = bench.hls.target
    before = forecast_ns(GRAPH, target, start, start)
    after = forecast_ns(GRAPH, target, start, {**start, move.knob: move.new})
    assert before != after
    assert move.predicted_ns == pytest.approx(measured + after - before)
    assert f"(predicted {move.predicted_ns:.0f} ns)" in found.entries[1].reason
    _, unseen = run(made, law)
    assert known(unseen.rounds[1].move).predicted_ns is None, "no graph, no forecast"


def test_after_a_lost_round_a_forecast_counts_from_the_one_that_held() -> None:
    made = recipe({"latency_ns": 30, "max_accuracy_loss": 0.08}, max_rounds=3)
    bench, found = run(made, Law(per_sparsity=0.3, per_bit=0.0, interval=0, cycles=40), GRAPH)
    move, start, target = known(found.rounds[2].move), found.rounds[0].knobs, bench.hls.target
    assert [entry.status for entry in found.entries[1:3]] == ["kept", "rolled_back"]
    held, lost = (known(done.worst_ns) for done in found.rounds[:2])
    assert held > lost
    saved = forecast_ns(GRAPH, target, start, {**start, move.knob: move.new}) - (
        forecast_ns(GRAPH, target, start, start)
    )
    assert move.predicted_ns == pytest.approx(held + saved)


def test_what_has_no_rule_is_not_forecast() -> None:
    odd = Node("odd", "other", ("b",), (5,), SUM, attrs={"op_name": "Odd"})
    ruleless = FixedPointGraph((*GRAPH.nodes, odd), ("odd",))
    assert known(run(recipe(max_rounds=2), Law(cycles=40), ruleless)[1].rounds[1].move).predicted_ns is None


def test_a_latency_without_a_clock_is_not_known_and_nothing_is_tightened_for_it() -> None:
    class Clockless(Looked):
        def _qor(self, model: Toy, hls: HlsSpec) -> QoR:
            return QoR(source="estimate", latency=Latency(cycles_max=9), resources=Resources(lut=1))

    made = recipe({"latency_ns": 40}, max_rounds=2)
    bench = Clockless(Law(), budget=made.budget, graph=GRAPH)
    found = closed_loop(bench, bench.start(Toy()), made)
    assert (found.action.limit, len(found.rounds)) == (Limit.UNDECIDED, 1)
    assert found.rounds[0].worst_ns is None


def test_an_architecture_whose_floor_is_above_the_budget_stops_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = recipe({"latency_ns": 5})
    bench, found = run(made, Law(), GRAPH)
    now = found.rounds[0].knobs
    limits = knobs_of(made.steps, made.loop, made.hls).at_end(made.loop)
    floor = known(floor_ns(GRAPH, bench.hls.target, now, limits))
    assert (found.action.limit, len(found.rounds)) == (Limit.ARCHITECTURE, 1)
    assert "with every knob at its end latency" in found.action.reason
    assert found.entries[1].settings["floor_ns"] == floor, "stated from the start"
    monkeypatch.setattr("pquant_hls.engine.loop.floor_ns", lambda *_: 12.5)
    above = run(made, Law(), GRAPH)[1].action
    assert "no tightening of this architecture gets below 12.5 ns, the budget is 5.0 ns" in above.reason


@pytest.mark.parametrize(
    ("budget", "graph"), [({"latency_ns": 5, "deliver": "rtl"}, GRAPH), ({"latency_ns": 5}, None)]
)
def test_the_floor_of_an_hls_project_says_nothing_of_verilog_or_of_what_is_not_known(
    budget: dict[str, Any], graph: FixedPointGraph | None
) -> None:
    assert run(recipe(budget, max_rounds=2), graph=graph)[1].action.limit is not Limit.ARCHITECTURE


# Turns


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from(["latency", "resource"]))
def test_reuse_above_one_takes_the_strategy_that_can(now: int, then: int, strategy: Any) -> None:
    hls = HlsSpec(reuse_factor=now, strategy=strategy)
    found = reusing(hls, then)
    assert found.reuse_factor == then
    assert found.strategy == ("resource" if then > 1 and then != now else strategy)
    assert found.with_(reuse_factor=now, strategy=strategy) == hls


def test_an_opened_reuse_factor_starts_at_the_recipes() -> None:
    made = recipe({"resources": {"lut": 100_000}}, reuse_factor={"max": 8})
    bench, _ = run(made, hls=HlsSpec(reuse_factor=4, strategy="resource"))
    assert [hls.reuse_factor for _, _, hls in bench.looks] == [4, 4]
    shut = recipe({"resources": {"lut": 100_000}})
    bench, _ = run(shut, hls=HlsSpec(reuse_factor=4, strategy="resource"))
    assert [hls.reuse_factor for _, _, hls in bench.looks] == [4, 4], "also where it is no knob"


def test_a_shut_ladder_is_still_a_knob_where_its_kind_is_open_without_being_named() -> None:
    made = recipe()
    loop = LoopSpec(sparsity=None, bits=None)
    assert dict(knobs_of(made.steps, loop, made.hls)) == {"steps.0.sparsity": 0.2, "steps.1.bits": 8}


def test_knobs_of_other_steps_are_not_given_to_a_step() -> None:
    made = recipe(steps=[*STEPS, {"step": "fine_tune"}])
    found = turned(made.steps, {"steps.1.bits": 5, "hls.reuse_factor": 2, "steps.7.bits": 3}, {})
    assert [step.step for step in found] == ["prune", "quantize", "fine_tune"]
    assert [getattr(step, "bits", None) for step in found] == [None, 5, None]
    assert found[0] == made.steps[0], "a step without a turned knob is the recipe's own"


def test_the_originals_units_are_what_sparsity_counts_from() -> None:
    bench, made = Looked(Law(), budget=recipe().budget), recipe(max_rounds=2)
    closed_loop(bench, bench.start(Toy()), made)
    assert {tuple(step.reference.items()) for step in bench.steps if step.step == "prune"} == {
        (("fc1", 64), ("fc2", 32), ("output", 5))
    }
    bench.steps.clear()
    closed_loop(bench, replace(bench.start(Toy()), account=None), made)
    assert {len(step.reference) for step in bench.steps if step.step == "prune"} == {0}


# The ledger's entry


LOST = Check("accuracy", 0.7, 0.6, 0.6, at_least=True, quality=True)
LATE = Check("latency", 40, 50, 50, "ns")


def test_an_entry_tells_the_round_and_leaves_layers_out() -> None:
    bench = Looked(Law())
    start = bench.start(Toy())
    qor = QoR(latency=Latency(cycles_max=9), layers=(LayerQoR(name="fc1", op="dense", cycles=3),))
    point = replace(start, digest="now", parent="then", qor=qor)
    done = Round({"steps.0.bits": 6}, Judgement.of([LATE]), Move("steps.0.bits", 8, 6, label="bits"))
    entry = round_entry(bench, 3, point, done, Action("tighten", "too late"))
    assert (entry.kind, entry.name, entry.number) == ("round", "round 3", 3)
    assert (entry.parent, entry.digest, entry.status, entry.reason) == ("then", "now", "kept", "too late")
    assert entry.settings == {
        "step": "tighten",
        "knobs": {"steps.0.bits": 6},
        "move": "bits 8 -> 6",
        "action": "tighten",
    }
    assert entry.verdict == "MISSED"
    assert [(check.text, check.verdict) for check in entry.checks] == [(LATE.text, "MISSED")]
    assert entry.figures["qor"]["latency"]["cycles_max"] == 9
    assert "layers" not in entry.figures["qor"]
    assert entry.figures["account"]["units"] == {"fc1": 64, "fc2": 32, "output": 5}


def test_an_entry_of_a_lost_round_is_rolled_back_and_one_without_figures_has_none() -> None:
    bench = Looked(Law())
    bench.start(Toy())
    done = Round({}, Judgement.of([LOST]))
    entry = round_entry(bench, 1, Point(Toy(), "now"), done, Action("stop", "no more"))
    assert (entry.status, entry.settings["move"]) == ("rolled_back", None)
    assert (entry.figures["qor"], entry.figures["account"]) == (None, None)


def test_the_loop_turns_the_target_as_its_knobs_say() -> None:
    hls = HlsSpec()
    assert targeted(hls, {DISTRIBUTED_PATH: 1.0}).strategy == "distributed_arithmetic"
    assert targeted(hls, {DISTRIBUTED_PATH: 0.0}) == hls
    assert targeted(hls, {DISTRIBUTED_PATH: 1.0, REUSE_PATH: 4}).strategy == "resource"
    loop = LoopSpec(distributed_arithmetic=True)
    assert dict(knobs_of((), loop, hls)) == {DISTRIBUTED_PATH: 0.0}
    assert dict(knobs_of((), LoopSpec(), hls)) == {}


def opened(**budget: Any) -> Recipe:
    shut = {"sparsity": None, "bits": None, "dropped_layers": None}
    return recipe(budget or None, distributed_arithmetic=True, **shut)


def test_a_loop_asks_for_the_package_of_what_it_may_turn_to_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    bench = Looked(Law(), budget=opened().budget)
    with pytest.raises(SpecError, match=r"loop\.distributed_arithmetic: .*pip install 'pquant_hls\[da\]'"):
        closed_loop(bench, bench.start(Toy()), opened())
    assert bench.looks == []


def test_a_loop_builds_by_shared_adders_where_nothing_else_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    bench, found = run(opened(latency_ns=20), graph=GRAPH)
    built = [hls.strategy for _, exact, hls in bench.looks if exact]
    assert found.verdict is not Verdict.MET
    assert built == ["latency", "distributed_arithmetic"]


def test_a_float_model_is_looked_at_with_multipliers_where_adders_are_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    bench = Looked(Law())
    shared = View(HlsSpec(strategy="distributed_arithmetic"))
    _, entry = look_at_float(bench, bench.start(Toy()), shared)
    assert [hls.strategy for _, exact, hls in bench.looks if not exact] == ["latency"]
    assert entry.reason == "strategy latency"
