"""Fewer layers: the loop's turn of depth, its floor, and the smaller architecture that is named or trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Check, Judgement, Limit, Sparsity, Verdict, shallower
from pquant_hls.decide.depth import fewer_layers
from pquant_hls.engine import Ending, closed_loop
from pquant_hls.engine.bench import Point
from pquant_hls.engine.forecast import at_end, floor_ns, imagine
from pquant_hls.engine.loop import LoopResult, knobs_of
from pquant_hls.estimate import estimate, mlp_graph
from pquant_hls.qor import Target
from pquant_hls.spec import HlsSpec, Recipe
from tests.helpers import known, latency_of
from tests.pipelines.instant import InstantBench, Law, Toy

DEPTH = "steps.0.dropped_layers"
STEPS: list[dict[str, Any]] = [
    {"step": "prune_layers", "dropped_layers": 0},
    {"step": "prune", "sparsity": 0.2},
    {"step": "quantize", "bits": 8},
]
FAST = Target(part="xcvu13p-flga2577-2-e", clock_ns=2.0, clock_uncertainty_ns=0.54)


@dataclass
class Watched(InstantBench):
    """Remembers what each step was given."""

    given: list[tuple[Toy, Any]] = field(default_factory=list)

    def apply(self, point: Point, step: Any, *, hls: Any = None) -> Point:
        self.given.append((point.model, step))
        return super().apply(point, step, hls=hls)


def recipe(steps: list[dict[str, Any]], ns: float, loss: float | None = None, **loop: Any) -> Recipe:
    limits: dict[str, Any] = {"max_rounds": 40, **loop}
    budget = {"latency_ns": ns} if loss is None else {"latency_ns": ns, "max_accuracy_loss": loss}
    return Recipe.parse({"steps": steps, "budget": budget, "loop": limits})


def run(made: Recipe, law: Law | None = None, **more: Any) -> tuple[Watched, LoopResult]:
    bench = Watched(law or Law(interval=0), budget=made.budget)
    return bench, closed_loop(bench, bench.start(Toy()), made, **more)


def test_what_no_tightening_reaches_a_layer_less_does() -> None:
    assert run(recipe(STEPS[1:], 10))[1].verdict is Verdict.MISSED
    _, found = run(recipe(STEPS, 10))
    assert found.verdict is Verdict.MET
    assert found.rounds[-1].knobs[DEPTH] >= 1
    assert any(done.move is not None and done.move.knob == DEPTH for done in found.rounds)


def test_a_turn_of_depth_starts_from_the_originals_weights_other_turns_do_not() -> None:
    bench, found = run(recipe(STEPS, 10))
    dropping = [model for model, step in bench.given if step.step == "prune_layers"]
    turned = [done.move is None or done.move.knob == DEPTH for done in found.rounds]
    assert [model == Toy() for model in dropping] == turned
    assert not all(turned)


def test_no_more_layers_go_than_the_model_can_lose() -> None:
    bench, found = run(recipe(STEPS, 5, dropped_layers={"max": 9}), Law(interval=0, layer_cycles=0))
    assert {done.knobs[DEPTH] for done in found.rounds} == {0, 1, 2}
    assert f"dropped_layers is at its end, {2}" in found.action.reason
    assert {step.reference for _, step in bench.given if step.step == "prune_layers"} == {
        ("fc1", "fc2", "output")
    }


def test_a_closed_ladder_leaves_the_layers_alone() -> None:
    _, found = run(recipe(STEPS, 10, dropped_layers=None))
    assert {done.knobs[DEPTH] for done in found.rounds} == {0}


def test_a_layer_is_given_back_where_the_budget_has_slack() -> None:
    steps = [{**STEPS[0], "dropped_layers": 1}, *STEPS[1:]]
    bench, found = run(recipe(steps, 1000, relax=True, sparsity=None, bits=None))
    assert [done.knobs[DEPTH] for done in found.rounds] == [1], (
        "of a design that nobody forecasts none is given back"
    )
    assert found.verdict is Verdict.MET
    assert len(bench.given) == 3


def test_layers_that_other_steps_name_stay() -> None:
    steps = [
        STEPS[0],
        {"step": "prune", "sparsity": 0.2, "exclude": ["fc2"]},
        {**STEPS[2], "activations": {"x": 8}},
    ]
    bench, _ = run(recipe(steps, 10))
    assert {step.exclude for _, step in bench.given if step.step == "prune_layers"} == {("fc2",)}
    bench, _ = run(recipe([{**STEPS[0], "exclude": ["fc1"]}, *steps[1:]], 10))
    assert {step.exclude for _, step in bench.given if step.step == "prune_layers"} == {("fc1", "fc2")}


def test_named_layers_are_no_knob() -> None:
    made = recipe([{"step": "prune_layers", "layers": ["fc1"]}, *STEPS[1:]], 10)
    assert list(knobs_of(made.steps, made.loop, HlsSpec())) == ["steps.1.sparsity", "steps.2.bits"]


def test_a_recipe_without_the_step_is_what_it_was() -> None:
    made = recipe(STEPS[1:], 10)
    assert set(made.model_dump()["loop"]) == {"max_rounds", "sparsity", "bits", "relax"}
    assert [
        type(knobs_of(made.steps, made.loop, HlsSpec()).knob(path)) for path in ("steps.0.sparsity",)
    ] == [Sparsity]
    opened = Recipe.parse({**made.model_dump(mode="json"), "loop": {"dropped_layers": {"max": 1}}})
    assert "dropped_layers" in opened.model_dump()["loop"]


def test_a_loop_behind_another_counts_its_rounds_on() -> None:
    law = Law(per_sparsity=0.2, per_bit=0.0, interval=0)
    _, found = run(recipe(STEPS[1:], 5, 0.05), law, after=5)
    assert [entry.number for entry in found.entries] == list(range(5, 6 + len(found.rounds)))
    told = [entry.reason for entry in found.entries if "back to round" in entry.reason]
    assert told
    numbers = [int(text.partition("back to round ")[2].partition(";")[0]) for text in told]
    assert min(numbers) > 5


def test_the_floor_counts_the_fewest_layers_that_are_allowed() -> None:
    graph = mlp_graph((16, 64, 32, 32, 5), 6)
    now = {DEPTH: 0, "steps.2.bits": 6}
    floors = [known(floor_ns(graph, FAST, now, {DEPTH: depth, "steps.2.bits": 4})) for depth in range(4)]
    assert floors == sorted(floors, reverse=True)
    assert floors[0] == floor_ns(graph, FAST, {"steps.2.bits": 6}, {"steps.2.bits": 4})
    assert floors[2] < floors[0]
    for depth, least in enumerate(floors):
        for each in shallower(graph, depth):
            assert least <= known(latency_of(estimate(each, FAST)).worst_ns_lo)


def test_a_turn_of_depth_is_forecast_on_the_graph_without_the_layer() -> None:
    graph = mlp_graph((16, 64, 32, 32, 5), 6)
    found = imagine(graph, {DEPTH: 0}, {DEPTH: 2})
    assert [node.name for node in found.nodes] == [node.name for node in fewer_layers(graph, 2).nodes]
    assert imagine(graph, {DEPTH: 1}, {DEPTH: 1}) is graph
    ends = known(at_end(graph, FAST, {DEPTH: 0}, {DEPTH: 2}, {DEPTH: 2}, estimate(graph, FAST)))
    assert known(latency_of(ends).cycles_max) < known(latency_of(estimate(graph, FAST)).cycles_max)


def ended(check: Check, limit: Limit | None) -> LoopResult:
    """A loop that ended with one limit of its design as ``check`` says."""
    _, found = run(recipe(STEPS[1:], 10))
    done = replace(found.rounds[-1], judgement=Judgement.of([check]))
    return replace(
        found, rounds=(*found.rounds[:-1], done), action=replace(found.action, limit=limit, best=None)
    )


LATE = Check("latency", 40, 50, 60, "ns", value=55)


@pytest.mark.parametrize(
    ("check", "limit", "short"),
    [
        (LATE, Limit.ARCHITECTURE, True),
        (LATE, Limit.BITS, True),
        (LATE, Limit.ACCURACY, True),
        (LATE, Limit.ROUNDS, True),
        (Check("latency", 40, 30, 60, "ns", value=35), Limit.ESTIMATE, True),
        (LATE, Limit.MISMATCH, False),
        (LATE, Limit.UNDECIDED, False),
        (Check("latency", 40, 30, 39, "ns", value=35), None, False),
        (Check("accuracy", 0.7, 0.6, 0.6, at_least=True, quality=True), Limit.ACCURACY, False),
    ],
)
def test_fewer_layers_are_asked_for_where_a_design_is_too_large(
    check: Check, limit: Limit | None, short: bool
) -> None:
    from pquant_hls.engine.smaller import architecture_is_short

    assert architecture_is_short(ended(check, limit), recipe(STEPS[1:], 40)) is short


def test_how_the_smaller_one_is_made() -> None:
    from pquant_hls.engine.smaller import smaller_that_fits, steps_towards
    from pquant_hls.network import build_mlp

    model, stopped = build_mlp(16, (64, 32, 32), 5), ended(LATE, Limit.BITS)
    made = recipe(STEPS[1:], 20, smaller={"epochs": 7, "distillation": 0.25})
    fits, words = smaller_that_fits(model, made, stopped)
    assert list(known(fits).widths) == ["fc1"]
    assert words == known(fits).words
    assert words.startswith("by the estimate, not trained, 16-")
    assert "`--smaller` (`loop: {smaller: {}}`) trains it from this one" in words
    (shorter,) = steps_towards(known(fits), made)
    assert shorter.model_dump()["layers"] == ("fc2", "fc3")
    assert (shorter.model_dump()["epochs"], shorter.model_dump()["distillation"]) == (7, 0.25)
    plain = made.with_(steps=({"step": "quantize", "bits": 6},))
    shorter, narrow = steps_towards(known(fits), plain)
    assert narrow.model_dump()["keep"] == known(fits).widths
    assert narrow.model_dump()["epochs"] == 7
    nothing, words = smaller_that_fits(model, recipe(STEPS[1:], 5), stopped)
    assert (nothing, words) == (None, "by the estimate none of its networks with fewer layers fits either")


def with_smaller(
    monkeypatch: pytest.MonkeyPatch, made: Recipe, law: Law, **more: Any
) -> tuple[Watched, Ending]:
    """The loop and then a network without fc1, which is said to fit."""
    from pquant_hls.engine.smaller import Smaller, loop_then_smaller

    fits = Smaller(("fc1",), "without fc1 it would fit", "by the estimate it would fit", **more)
    monkeypatch.setattr("pquant_hls.engine.smaller.smaller_that_fits", lambda *_: (fits, fits.words))
    bench = Watched(law, budget=made.budget)
    return bench, loop_then_smaller(bench, bench.start(Toy()), made)


def test_a_smaller_one_that_does_better_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe(STEPS[1:], 20, max_rounds=3, smaller={"epochs": 3})
    bench, found = with_smaller(monkeypatch, made, Law(interval=0))
    assert [entry.number for entry in found.history] == [0, 1, 2, 3, 3, 4], "its float row, then its rounds"
    assert found.handed_over == 4
    assert found.best.model.dropped == 1
    assert known(found.history[4].parent) == known(found.history[0].digest), "made of the original"
    assert found.reason.startswith(
        "every limit of the budget holds; the rounds from 4 on are of a network of fewer layers"
    )
    (taught,) = [step for _, step in bench.given if step.step == "prune_layers"]
    assert (taught.layers, taught.epochs) == (("fc1",), 3)


def test_one_that_does_no_better_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe(STEPS[1:], 10, max_rounds=3, smaller={})
    _, found = with_smaller(monkeypatch, made, Law(interval=0, layer_cycles=0, per_layer=0.1))
    assert known(found.handed_over) <= 3
    assert found.best.model.dropped == 0
    assert "trained from it in the rounds from 4 on, did no better" in found.reason


@pytest.mark.parametrize(
    ("loop", "more", "said"),
    [
        ({}, {}, "by the estimate it would fit"),
        ({"smaller": {}}, {"reuses": False}, "by the estimate it would fit"),
        ({"smaller": {}}, {}, "by the estimate it would fit, but the recipe names fc1, which it would lack"),
    ],
)
def test_it_is_only_named_where_it_may_not_be_trained(
    monkeypatch: pytest.MonkeyPatch, loop: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    prune = {**STEPS[1], "exclude": ["fc1"]} if "lack" in said else STEPS[1]
    made = recipe([prune, STEPS[2]], 10, max_rounds=3, **loop)
    bench, found = with_smaller(monkeypatch, made, Law(interval=0), **more)
    assert found.reason.endswith(f"; {said}")
    assert "prune_layers" not in {step.step for _, step in bench.given}


def image() -> Any:
    """Two convolutions that keep the image's size, a pool, a dense layer."""
    import keras

    layers = keras.layers
    conv = [layers.Conv1D(4, 3, padding="same", activation="relu", name=f"c{number}") for number in (1, 2)]
    return keras.Sequential(
        [keras.Input((8, 2)), *conv, layers.Flatten(name="flat"), layers.Dense(3, name="out")]
    )


def test_of_other_networks_it_is_the_design_without_as_few_layers_as_need_be() -> None:
    from pquant_hls.compress import QuantizationCompression
    from pquant_hls.engine.smaller import smaller_that_fits, steps_towards
    from pquant_hls.hls import fixed_graph

    model = image()
    x = np.random.default_rng(0).standard_normal((64, 8, 2)).astype(np.float32)
    small = QuantizationCompression(bits=4, mode="ptq").compress(model, x).model
    hls = HlsSpec()
    graph = fixed_graph(small, hls)
    stopped = ended(LATE, Limit.BITS)
    point = replace(
        stopped.best, project=cast(Any, SimpleNamespace(graph=graph)), qor=estimate(graph, hls.target)
    )
    stopped = replace(stopped, points=(*stopped.points[:-1], point))
    highs = [
        min(known(latency_of(estimate(each, hls.target)).worst_ns_hi) for each in shallower(graph, count))
        for count in (0, 1, 2)
    ]
    assert highs[0] > highs[1] > highs[2]
    fits, words = smaller_that_fits(model, recipe(STEPS[1:], highs[1]), stopped)
    assert len(known(fits).layers) == 1
    assert words.startswith(
        f"by the estimate, not trained, without {known(fits).layers[0]} it would fit, at most"
    )
    (shorter,) = steps_towards(known(fits), recipe(STEPS[1:], highs[1]))
    assert shorter.model_dump()["layers"] == known(fits).layers
    tight = recipe(STEPS[1:], highs[2])
    tight = tight.with_(budget=tight.budget.with_(accept_wide=True))
    both, _ = smaller_that_fits(model, tight, stopped)
    assert known(both).layers == ("c1", "c2")
    assert smaller_that_fits(model, recipe(STEPS[1:], 5), stopped)[0] is None
    bare = replace(stopped, points=tuple(replace(each, project=None) for each in stopped.points))
    assert smaller_that_fits(model, tight, bare)[0] is None


@pytest.mark.gxx
@pytest.mark.slow
def test_the_smaller_one_is_trained_and_a_killed_run_goes_on(
    small_tagger: Any, few_jets: Dataset, tmp_path: Path
) -> None:
    from pquant_hls.engine import Event, compress_model
    from pquant_hls.store import read_ledger

    steps = [{"step": "prune", "sparsity": 0.25}, {"step": "quantize", "bits": 6, "mode": "ptq"}]
    made = recipe(steps, 20, max_rounds=1, smaller={"epochs": 3, "seed": 2})

    def interrupt(event: Event) -> None:
        if event.kind == "epoch" and event.values["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress_model(small_tagger, few_jets, made, tmp_path / "run", listen=interrupt)
    before = [entry.name for entry in read_ledger(tmp_path / "run")]
    assert before == ["float", "prune", "quantize", "round 1"], "killed while the smaller one learned"
    result = compress_model(small_tagger, few_jets, made, tmp_path / "run", resume=True)
    assert result.verdict is Verdict.MET
    entries = list(read_ledger(tmp_path / "run"))
    after = ["prune_layers", "float", "prune", "quantize", "round 2"]
    assert [entry.name for entry in entries] == [*before, *after]
    assert known(entries[4].parent) == known(entries[0].digest), "the original is what it is made of"
    assert [entry.parent for entry in entries[6:8]] == [entries[4].digest, entries[6].digest]
    units = [entry.figures["units"] for entry in result.history]
    assert units[2:] == [{"fc1": 12, "output": 5}, {"fc1": 9, "output": 5}]
    assert result.reason.startswith(
        "every limit of the budget holds; the rounds from 2 on are of a network of fewer layers"
    )
    assert "whose loop stopped: round limit" in result.reason
    again = compress_model(small_tagger, few_jets, made, tmp_path / "run", resume=True)
    assert (again.qor, again.reason) == (result.qor, result.reason)
