"""The closed loop on the instant bench: each step keeps its own value, and what is tried is what is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from pquant_hls.decide import Limit, Verdict
from pquant_hls.engine import closed_loop
from pquant_hls.engine.bench import Point
from pquant_hls.engine.loop import LoopResult, knobs_of, reusing, turned
from pquant_hls.errors import SpecError
from pquant_hls.qor import Resources
from pquant_hls.spec import HlsSpec, Recipe
from pquant_hls.spec.steps import PruneConfig
from tests.helpers import known
from tests.pipelines.instant import InstantBench, Law, Toy


@dataclass
class Recorded(InstantBench):
    """Remembers the steps it was given, and of which design's cost they were told."""

    given: list[Any] = field(default_factory=list)
    costed: list[int | None] = field(default_factory=list)

    def apply(self, point: Point, step: Any, *, hls: Any = None) -> Point:
        self.given.append(step)
        self.costed.append(None if hls is None else hls.reuse_factor)
        return super().apply(point, step)


def recipe(steps: list[dict[str, Any]], ns: float = 1000, **loop: Any) -> Recipe:
    return Recipe.parse({"steps": steps, "budget": {"latency_ns": ns}, "loop": loop})


def run(made: Recipe, law: Law | None = None, **more: Any) -> tuple[Recorded, LoopResult]:
    bench = Recorded(Law() if law is None else law, budget=made.budget)
    return bench, closed_loop(bench, bench.start(Toy()), made, **more)


REPEATED: tuple[tuple[list[dict[str, Any]], str, list[Any]], ...] = (
    (
        [{"step": "quantize", "bits": 8}, {"step": "fine_tune"}, {"step": "quantize", "bits": 6}],
        "bits",
        [8, None, 6],
    ),
    (
        [{"step": "prune", "sparsity": 0.2}, {"step": "prune", "method": "magnitude", "sparsity": 0.5}],
        "sparsity",
        [0.2, 0.5],
    ),
    ([{"step": "prune", "sparsity": 0.2}, {"step": "prune", "method": "n_m"}], "sparsity", [0.2, 0.5]),
)


@pytest.mark.parametrize(("steps", "name", "values"), REPEATED)
def test_a_step_that_is_repeated_keeps_its_own_value(
    steps: list[dict[str, Any]], name: str, values: list[Any]
) -> None:
    bench, found = run(recipe(steps))
    assert [getattr(step, name, None) for step in bench.given] == values
    assert found.verdict is Verdict.MET


def test_knobs_name_their_step_and_show_the_value_of_each() -> None:
    _, found = run(recipe(REPEATED[0][0]))
    assert dict(found.rounds[0].knobs) == {"steps.0.bits": 8, "steps.2.bits": 6}
    entry = found.entries[1]
    assert entry.settings["knobs"] == entry["knobs"] == {"steps.0.bits": 8, "steps.2.bits": 6}
    _, found = run(recipe([{"step": "prune", "sparsity": 0.2}, {"step": "quantize", "bits": 6}]))
    assert found.entries[1].settings["knobs"] == {"steps.0.sparsity": 0.2, "steps.1.bits": 6}
    assert found.entries[1]["knobs"] == {"sparsity": 0.2, "bits": 6}, "short where that is enough"


def test_only_the_quantization_that_sets_the_grids_is_turned() -> None:
    bench, found = run(recipe(REPEATED[0][0], ns=20), Law(interval=0))
    moves = {done.move.knob for done in found.rounds if done.move is not None}
    assert moves == {"steps.2.bits"}
    assert {step.bits for step in bench.given if step.step == "quantize" and step.bits > 6} == {8}
    assert found.action.limit is Limit.BITS


def test_n_m_and_layers_of_their_own_are_not_turned() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "prune", "method": "n_m"},
        {"step": "prune", "layers": {"fc1": 0.5}},
        {"step": "fine_tune"},
    ]
    made = recipe(steps)
    assert dict(knobs_of(made.steps, made.loop, made.hls)) == {}
    assert turned(made.steps, {}, {"fc1": 64}) == made.steps


def test_sparsity_counts_from_the_originals_units() -> None:
    made = recipe([{"step": "prune", "sparsity": 0.2}])
    (step,) = turned(made.steps, {"steps.0.sparsity": 0.4}, {"fc1": 64})
    assert isinstance(step, PruneConfig)
    assert (step.sparsity, step.reference) == (0.4, {"fc1": 64})


def test_a_value_that_a_step_does_not_take_is_named_by_its_path() -> None:
    made = recipe([{"step": "fine_tune"}, {"step": "quantize", "min_bits": 8, "max_bits": 8, "bits": 8}])
    with pytest.raises(SpecError, match=r"^steps\.1\.bits: bits lie in 2\.\.16"):
        turned(made.steps, {"steps.1.bits": 17}, {})
    with pytest.raises(SpecError, match=r"^steps\.0: 2:4 is a sparsity of 0\.5, got 0\.3"):
        recipe([{"step": "prune", "method": "n_m", "sparsity": 0.3}])


def test_ranks_and_reuse_are_turned_only_where_the_recipe_opens_them() -> None:
    steps = [{"step": "low_rank", "rank": 8}, {"step": "quantize", "bits": 6}]
    closed, opened = recipe(steps), recipe(steps, rank={}, reuse_factor={"max": 8})
    assert list(knobs_of(closed.steps, closed.loop, closed.hls)) == ["steps.1.bits"]
    assert list(knobs_of(opened.steps, opened.loop, opened.hls)) == [
        "steps.0.rank",
        "steps.1.bits",
        "hls.reuse_factor",
    ]
    assert "rank" not in closed.model_dump()["loop"], "the identity of a recipe of 0.1.0 is what it was"
    assert recipe([{"step": "quantize"}]).loop.reuse_factor is None


def test_the_reuse_factor_is_raised_until_the_resources_fit() -> None:
    made = Recipe.parse(
        {
            "steps": [{"step": "quantize", "bits": 6, "mode": "ptq"}],
            "budget": {"resources": {"lut": 2000}},
            "loop": {"reuse_factor": {"max": 8}},
        }
    )

    class Sharing(Recorded):
        def _qor(self, model: Toy, hls: HlsSpec) -> Any:
            return (
                super()
                ._qor(model, hls)
                .with_(resources=Resources(lut=6000 / hls.reuse_factor, ff=0, dsp=0, bram_18k=0))
            )

    bench = Sharing(Law(), budget=made.budget)
    found = closed_loop(bench, bench.start(Toy()), made)
    assert found.verdict is Verdict.MET
    assert [int(done.knobs["hls.reuse_factor"]) for done in found.rounds] == [1, 2, 4]
    assert bench.costed == [1, 2, 4], "a step is told the cost of the design that its round makes"
    assert {done.knobs["steps.0.bits"] for done in found.rounds} == {6}, "what costs no accuracy goes first"
    assert [(hls.reuse_factor, hls.strategy) for hls in bench.measured[-2:]] == [
        (2, "resource"),
        (4, "resource"),
    ]
    assert reusing(made.hls, 1) is made.hls


def test_a_sketched_loop_leaves_csim_to_the_end() -> None:
    made = recipe([{"step": "quantize", "bits": 6}])
    bench, found = run(made, Law(match=None), fidelity="sketch", hls=HlsSpec(wide_accumulators=True))
    assert found.verdict is Verdict.MET
    assert bench.measured == []
    assert known(known(found.best.project).spec).wide_accumulators
    assert run(made, Law(match=None))[1].verdict is Verdict.UNKNOWN


def test_every_round_is_one_entry_and_a_lost_one_is_rolled_back() -> None:
    steps = [{"step": "prune", "sparsity": 0.2}, {"step": "quantize", "bits": 6}]
    made = Recipe.parse(
        {"steps": steps, "budget": {"latency_ns": 5, "max_accuracy_loss": 0.05}, "loop": {"max_rounds": 40}}
    )
    bench, found = run(made, Law(per_sparsity=0.2, per_bit=0.0, interval=0))
    assert [entry.kind for entry in found.entries] == ["float"] + ["round"] * len(found.rounds)
    assert bench.run.records == list(found.entries)
    lost = [entry.status == "rolled_back" for entry in found.entries[1:]]
    assert lost == [done.judgement.accuracy_verdict is Verdict.MISSED for done in found.rounds]
    assert any(lost)
    assert found.entries[0].status is None
    assert found.entries[-1]["action"] == "stop"


def test_a_turn_of_the_rank_starts_from_the_float_original() -> None:
    steps = [{"step": "low_rank", "rank": 8}, {"step": "quantize", "bits": 8}]
    made = Recipe.parse(
        {
            "steps": steps,
            "budget": {"max_accuracy_loss": 0.9},
            "loop": {"rank": {"step": 0.5}, "bits": {"min": 7}, "max_rounds": 5},
        }
    )
    _, found = run(made, Law(per_rank=0.0))
    turned_ranks = [
        point for done, point in zip(found.rounds, found.points, strict=True) if _turns(done, "rank")
    ]
    assert len(turned_ranks) == 2, "8 -> 4 -> 2"
    assert all(point.model.rank < 1 for point in turned_ranks), (
        "the factors are made, not left out as quantized"
    )
    assert not [entry for entry in found.entries if "left_out" in entry.settings and _names(entry, "rank")]
    bits = [point for done, point in zip(found.rounds, found.points, strict=True) if _turns(done, "bits")]
    assert all(point.model.rank < 1 for point in bits), "later turns keep the factors"


def _turns(done: Any, name: str) -> bool:
    return done.move is not None and done.move.knob.endswith(name)


def _names(entry: Any, name: str) -> bool:
    return name in str(entry.settings["move"])
