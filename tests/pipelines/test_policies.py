"""Properties of the policies on an instant bench: they end, roll back to the exact weights, and never lie."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pquant_hls.decide import Verdict
from pquant_hls.engine import Bench, Ending, Gate, conclude
from pquant_hls.errors import NotMeasured
from pquant_hls.pipelines import (
    AdaptivePipeline,
    CompressionPipeline,
    StandardCompressionPipeline,
    ValidationPipeline,
)
from pquant_hls.pipelines.learned import learned_epochs, learning
from pquant_hls.pipelines.tagger import TaggerPipeline, TaggerPlan
from pquant_hls.pipelines.trigger import TriggerPipeline, TriggerPlan
from pquant_hls.spec import Budget, StudySpec
from pquant_hls.tune import OBJECTIVES
from pquant_hls.tune.study import Search
from tests.helpers import known, latency_of
from tests.pipelines.instant import Folder, InstantBench, Law, Toy

MOST_STEPS = 200
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

laws = st.builds(
    Law,
    base=st.floats(0.55, 0.95),
    per_sparsity=st.floats(0, 0.3),
    per_bit=st.floats(0, 0.05),
    per_rank=st.floats(0, 0.3),
    training=st.floats(-0.01, 0.02),
    floor_cycles=st.integers(0, 8),
    cycles=st.integers(8, 30),
    interval=st.integers(0, 4),
    wide_interval=st.none() | st.integers(0, 2),
    measured=st.booleans(),
    match=st.sampled_from([1.0, 1.0, 1.0, 0.99, None]),
    refuses=st.frozensets(st.sampled_from(["low_rank", "prune"]), max_size=2),
    no_gain=st.frozensets(st.just("low_rank"), max_size=1),
)

SHARING = {"strategy": "resource", "reuse_factor": 4}
"""A target on which zero weights save nothing."""

STEPS = (
    {"step": "prune", "sparsity": 0.5},
    {"step": "quantize", "bits": 6},
    {"step": "fine_tune"},
    {"step": "low_rank", "energy": 0.9},
    {"step": "quantize", "bits": 3},
    {"step": "prune", "sparsity": 0.9},
)


def ended(pipeline: Any, law: Law, budget: Budget | None = None) -> tuple[InstantBench, Ending, Any, Verdict]:
    hls = pipeline.setup.hls
    bench = InstantBench(law, hls=hls) if budget is None else InstantBench(law, budget, hls)
    ending = pipeline.policy(bench, bench.start(Toy()), pipeline.setup)
    final, judgement = conclude(bench, ending)
    return bench, ending, final, judgement.verdict


def check_best(bench: InstantBench, ending: Ending) -> None:
    """The point handed over holds exactly the weights it was made with, and is the last one kept."""
    assert bench.applied <= MOST_STEPS
    assert ending.best.model == bench.made[ending.best.digest]
    kept = [entry["digest"] for entry in ending.history if entry.get("kind") == "stage" and entry["kept"]]
    assert ending.best.digest == (kept[-1] if kept else Toy().digest)


@quick
@given(laws, st.floats(1.5, 60), st.floats(0.9, 1.0), st.sampled_from(["latency", "resource"]))
def test_standard_reaches_its_target_or_says_what_stopped_it(
    law: Law, target: float, preserve: float, strategy: str
) -> None:
    pipeline = StandardCompressionPipeline(target, preserve, hls={"strategy": strategy})
    bench, ending, final, verdict = ended(pipeline, law)
    check_best(bench, ending)
    baseline = known(known(bench.baseline).value())
    below = bench.lost(final) > max((1 - preserve) * baseline, 1e-9 + 2 * (0.25 / 10_000) ** 0.5)
    if verdict is Verdict.MET:
        assert final.ratio >= target
        assert final.qor.csim_match == 1.0
    assert not below
    if final.ratio < target:
        assert verdict is Verdict.MISSED
        assert "stopped at compression ratio" in ending.reason


@quick
@given(laws, st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), st.floats(0.005, 0.2))
def test_validation_hands_back_the_last_good_model(
    law: Law, steps: list[dict[str, Any]], allowed: float
) -> None:
    bench, ending, final, verdict = ended(ValidationPipeline(steps, allowed), law)
    check_best(bench, ending)
    error = 2 * (0.25 / 10_000) ** 0.5
    assert bench.lost(final) <= max(allowed, error) + 1e-9
    broken = [entry for entry in ending.history if not entry["kept"] and entry["digest"] != entry["parent"]]
    assert len(broken) <= 1, "nothing runs after a step that degraded too much"
    impossible = [entry for entry in ending.history if "not possible" in entry["reason"]]
    if broken or impossible:
        assert verdict is Verdict.MISSED


@quick
@given(laws, st.integers(3, 25), st.floats(0.0, 0.1), st.none() | st.floats(500, 20_000))
def test_adaptive_ends_within_its_floor(law: Law, cycles: int, allowed: float, lut: float | None) -> None:
    limits = {"latency_ns": 5.0 * cycles} if lut is None else {"resources": {"lut": lut}}
    pipeline = AdaptivePipeline(limits, allowed)
    bench, ending, final, verdict = ended(pipeline, law)
    check_best(bench, ending)
    if verdict is Verdict.MET:
        assert (
            final.qor.resources.lut <= lut
            if lut is not None
            else final.qor.latency.worst_ns_hi <= 5.0 * cycles
        )
    error = 2 * (0.25 / 10_000) ** 0.5
    assert bench.lost(final) <= max(allowed, error) + 1e-9


@quick
@given(laws, st.integers(1, 25), st.one_of(st.none(), st.floats(0, 0.1)), st.sampled_from([None, 0]))
def test_trigger_verdicts_come_from_the_measurement(
    law: Law, cycles: int, allowed: float | None, epochs: int | None
) -> None:
    if "prune" in law.refuses:
        return
    budget = Budget(latency_ns=5.0 * cycles, max_accuracy_loss=allowed)
    pipeline = TriggerPipeline(TriggerPlan(max_accuracy_loss=allowed, learned_epochs=epochs), budget=budget)
    bench, ending, final, verdict = ended(pipeline, law, budget)
    assert bench.applied <= MOST_STEPS
    assert ending.best.model == bench.made[ending.best.digest]
    latency = final.qor.latency
    if verdict is Verdict.MET:
        assert latency.worst_ns_hi <= 5.0 * cycles
    if latency is not None and latency.worst_ns_lo > 5.0 * cycles:
        assert verdict is Verdict.MISSED
        assert "cycles by layer" in ending.reason
    if allowed is not None and known(known(bench.baseline).value()) - final.qor.accuracy > allowed + 1e-9:
        assert verdict is Verdict.MISSED


@quick
@given(laws.map(lambda law: Law(**{**vars(law), "measured": False})), st.integers(1, 25))
def test_what_was_not_measured_is_never_met(law: Law, cycles: int) -> None:
    budget = Budget(latency_ns=5.0 * cycles)
    pipelines = [
        StandardCompressionPipeline(2.0, 0.9, budget=budget),
        AdaptivePipeline(budget, 0.1),
        CompressionPipeline(STEPS[1:3], budget=budget),
    ]
    for pipeline in pipelines:
        assert ended(pipeline, law)[3] is not Verdict.MET


def test_a_stage_that_falls_below_the_floor_is_tried_with_half_the_step() -> None:
    law = Law(per_sparsity=0.1, per_bit=0.0, per_rank=1.0, training=0.0)
    pipeline = StandardCompressionPipeline(8.0, 0.98, analyse=False, hls=SHARING)
    _, ending, final, verdict = ended(pipeline, law)
    stages = [entry["stage"] for entry in ending.history]
    assert stages[:2] == ["low rank", "low rank, milder"]
    assert verdict is Verdict.UNKNOWN, "the floor lies within the error of 10,000 events"
    assert final.ratio >= 8


def test_zeros_bits_and_zeros_again_where_zeros_save() -> None:
    pipeline = StandardCompressionPipeline(
        50, analyse=False, epochs=4, learned_epochs=0, training={"batch_size": 64}
    )
    bench, ending, final, verdict = ended(pipeline, Law(per_sparsity=0.005, per_bit=0.001))
    assert verdict is Verdict.MET
    assert 50 <= final.ratio < 55
    assert "reaches the target of 50" in ending.reason
    kept = [entry for entry in ending.history if entry["kept"]]
    assert [entry["stage"] for entry in kept] == [
        "pruning",
        "quantization",
        "further pruning",
        "fine-tuning",
    ]
    steps = [step for entry in kept for step in entry.settings["settings"]]
    assert [step.get("method") for step in steps] == ["magnitude", None, "magnitude", None, None]
    assert steps[1]["allocation"] == "sensitivity"
    assert {(step["distillation"], step["batch_size"]) for step in steps} == {(0.8, 64)}
    assert [step["epochs"] for step in steps] == [2, 8, 4, 8, 8]
    assert steps[0]["sparsity"] < steps[2]["sparsity"]
    assert len(bench.made) == 6, "the original and five steps, each made once"


def test_zeros_that_break_the_floor_are_fewer_then_and_bits_make_up_for_them() -> None:
    law = Law(per_sparsity=0.03, per_bit=0.0, training=0.0)  # 2 points lost at two thirds of zeros
    _, ending, final, _ = ended(StandardCompressionPipeline(50, 0.968, analyse=False, learned_epochs=0), law)
    outcomes = [(entry["stage"], entry["kept"]) for entry in ending.history if entry["kind"] == "stage"]
    assert outcomes[2:5] == [
        ("further pruning", False),
        ("further pruning, milder", True),
        ("fewer bits", True),
    ]
    assert final.ratio >= 50
    assert "reaches the target of 50" in ending.reason
    stuck = ended(StandardCompressionPipeline(120, 0.968, analyse=False), law)[1]
    assert "stopped at compression ratio" in stuck.reason
    assert "further pruning: accuracy" in stuck.reason


def test_widths_are_learned_first_and_stages_come_where_they_lose_accuracy() -> None:
    bench, ending, final, verdict = ended(StandardCompressionPipeline(4.0), Law(per_bit=0.0))
    assert verdict is Verdict.MET
    assert "by learned widths" in ending.reason
    assert [entry["stage"] for entry in ending.history] == ["learned widths"]
    assert final.ratio >= 4
    assert bench.lost(final) <= 0

    costly = Law(per_bit=0.01, per_sparsity=0.0)  # five bits lose more than zeros do
    _, ending, final, verdict = ended(StandardCompressionPipeline(6.0, 0.95, analyse=False), costly)
    assert verdict is Verdict.MET
    assert "by learned widths" not in ending.reason
    assert ending.history[0]["stage"] == "pruning"

    bare = Law(per_bit=0.01, per_sparsity=0.5)  # nothing else gets there
    _, ending, final, verdict = ended(StandardCompressionPipeline(6.0, 0.95, analyse=False), bare)
    assert "by learned widths" in ending.reason
    assert ending.best.digest == [entry for entry in ending.history if entry["kept"]][-1]["digest"]


def test_no_learned_design_of_the_ratio_is_a_line_of_history_that_says_so() -> None:
    _, ending, _, _ = ended(StandardCompressionPipeline(50, analyse=False), Law(per_sparsity=0.005))
    first = ending.history[0]
    assert (first["stage"], first.status) == ("learned widths", "rolled_back")
    assert "none of 5 designs has a ratio of 50" in first["reason"]


@pytest.mark.parametrize(("work", "epochs"), [(4_000, 2400), (10_000, 2400), (100_000, 240), (10**9, 160)])
def test_large_networks_learn_widths_for_fewer_epochs(work: int, epochs: int) -> None:
    account = known(InstantBench(Law()).start(Toy()).account)
    assert learned_epochs(8, account.model_copy(update={"multiplications": work})) == epochs


@pytest.mark.parametrize(
    ("asked", "events", "training", "epochs", "batch"),
    [
        (None, 30_000, {}, 2400, 2000),
        (None, 3_000, {}, 2400, 200),
        (None, 500, {}, 2400, 64),
        (None, 30_000, {"batch_size": 500}, 600, 500),
        (None, 30_000, {"batch_size": 2}, 160, 2),
        (30, 3_000, {"batch_size": 500}, 30, 500),
    ],
)
def test_learned_widths_take_as_many_steps_whatever_the_batch(
    asked: int | None, events: int, training: dict[str, int], epochs: int, batch: int
) -> None:
    bench, setup = InstantBench(Law(), events=events), StandardCompressionPipeline(training=training).setup
    bench.start(Toy())
    step = known(learning(asked, bench, setup))
    assert (step.epochs, step.batch_size, step.allocation) == (epochs, batch, "learned")
    assert learning(0, bench, setup) is None


def test_a_small_ratio_needs_no_zeros() -> None:
    _, _, final, verdict = ended(StandardCompressionPipeline(3.9, analyse=False), Law())
    assert verdict is Verdict.MET
    assert (final.model.kept, final.model.bits) == (1.0, 8)


def test_sensitivity_is_measured_for_each_layer_and_kind() -> None:
    for hls, output in ((SHARING, False), ({}, True)):
        _, ending, _, _ = ended(StandardCompressionPipeline(4.0, 0.95, hls=hls), Law())
        found = [entry for entry in ending.history if entry["kind"] == "sensitivity"]
        probed = {(entry["layer"], entry["probe"]) for entry in found}
        assert ("fc1", "sparsity") in probed
        assert (("output", "sparsity") in probed) is output, (
            "an output's units cannot be removed, weights can"
        )
        assert {kind for _, kind in probed} == {"rank", "sparsity", "bits"}


def test_a_drop_inside_its_error_is_no_drop() -> None:
    law = Law(per_sparsity=0.004, per_bit=0.0, training=0.0)  # 0.4 points; the error of the difference is 0.6
    _, ending, _, _ = ended(ValidationPipeline([{"step": "prune", "sparsity": 0.99}], 0.0), law)
    assert ending.history[0]["kept"]
    law = Law(per_sparsity=0.04, per_bit=0.0, training=0.0)
    _, ending, _, _ = ended(ValidationPipeline([{"step": "prune", "sparsity": 0.99}], 0.0), law)
    assert not ending.history[0]["kept"]


def test_adaptive_backs_off_and_says_why() -> None:
    law = Law(per_sparsity=0.2, per_bit=0.002, training=0.0, per_rank=0.3)
    _, ending, _, _ = ended(AdaptivePipeline(Budget(latency_ns=20), 0.02), law)
    prunings = [entry["stage"] for entry in ending.history if entry["stage"].startswith("pruning")]
    assert prunings[0] == "pruning by 0.25"
    assert "pruning by 0.125" in prunings, "half the size after a floor was broken"
    assert all("chosen from" in entry.get("reasoning", entry["reason"]) for entry in ending.history[1:])


def test_a_trigger_model_starts_from_a_tenth_of_the_weights_and_six_bits() -> None:
    budget = Budget(latency_ns=70)
    pipeline = TriggerPipeline(TriggerPlan(learned_epochs=0), budget=budget)
    _, ending, _, verdict = ended(pipeline, Law(per_sparsity=0.1), budget)
    assert verdict is Verdict.MET
    assert ending.history[0]["knobs"] == {"sparsity": 0.9, "bits": 6}


def test_learned_widths_that_keep_the_accuracy_need_no_loop() -> None:
    """The best of the designs that are met; the wider ones are too slow."""
    law, budget = Law(per_bit=0.001, interval=0), Budget(latency_ns=25)
    _, ending, final, verdict = ended(TriggerPipeline(TriggerPlan(), budget=budget), law, budget)
    assert verdict is Verdict.MET
    ((design, found),) = [(entry["knobs"]["design"], entry["verdict"]) for entry in ending.history]
    assert found == "MET", "the estimator tells which to look at"
    assert final.model.bits == design + 1 == 4
    assert ending.reason == f"design {design:.0f} of 5 is the best that meets every limit"


def test_learned_widths_that_lose_accuracy_are_weighed_against_the_loop() -> None:
    law, budget = Law(per_bit=0.03, interval=0), Budget(latency_ns=45)
    bench, ending, final, _ = ended(TriggerPipeline(TriggerPlan(), budget=budget), law, budget)
    rounds = [entry for entry in ending.history if entry["kind"] == "round"]
    assert {tuple(entry["knobs"]) for entry in rounds} >= {
        ("design",),
        ("sparsity", "bits"),
    }
    seen = [
        entry["accuracy"]
        for entry in ending.history
        if entry["kind"] != "stop" and entry.get("verdict") == "MET"
    ]
    assert bench.score(final).value() == max(seen)


def test_slack_is_given_back_as_accuracy_while_the_budget_stays_met() -> None:
    budget = Budget(latency_ns=40)
    bench, ending, final, verdict = ended(
        TriggerPipeline(TriggerPlan(learned_epochs=0), budget=budget), Law(per_sparsity=0.3), budget
    )
    assert verdict is Verdict.MET
    first = ending.history[0]
    assert first["verdict"] == "MET"
    assert bench.score(final).value() > first["accuracy"] + 0.1
    assert final.model.kept > 0.3
    worse = Budget(latency_ns=25)
    _, tight, _, verdict = ended(
        TriggerPipeline(TriggerPlan(learned_epochs=0), budget=worse), Law(per_sparsity=0.3), worse
    )
    assert verdict is Verdict.MET
    assert tight.best.model.kept < final.model.kept


def test_a_wide_interval_is_made_narrower_before_a_trigger_model_is_left_open() -> None:
    law, budget = Law(interval=4, wide_interval=1, floor_cycles=3), Budget(latency_ns=25)
    bench, ending, final, verdict = ended(
        TriggerPipeline(TriggerPlan(learned_epochs=0), budget=budget), law, budget
    )
    assert verdict is Verdict.MET
    assert bench.measured[-1].wide_accumulators, "what is handed over is what was judged"
    assert final.qor.latency.worst_ns_hi <= 25
    assert "wider accumulators" in [entry["step"] for entry in ending.history]
    stuck = ended(
        TriggerPipeline(TriggerPlan(learned_epochs=0), budget=budget), Law(interval=4, floor_cycles=3), budget
    )
    assert stuck[3] is Verdict.UNKNOWN, "nothing narrower exists: it stays open, and says so"
    assert "cycles by layer" in stuck[1].reason


@quick
@given(laws, st.integers(3, 25), st.floats(0.0, 0.1), st.sampled_from(list(OBJECTIVES)))
def test_a_study_sets_each_constraint_and_never_calls_an_excess_met(
    law: Law, cycles: int, allowed: float, objective: str
) -> None:
    spec = StudySpec.parse(
        {
            "space": {"bits": [3, 8], "sparsity": [0.0, 0.9]},
            "n_trials": 4,
            "tolerance": 0.1,
            "objective": objective,
            "budget": {"latency_ns": 5.0 * cycles, "max_accuracy_loss": allowed},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = InstantBench(law, budget=known(spec.budget), run=Folder(path=Path(folder)))
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
        search = Search(cast("Bench", bench), spec, bench.start(Toy()), OBJECTIVES[objective], study)
        search.run()
        constraints = [trial.system_attrs["constraints:budget"] for trial in study.trials]
        assert len(constraints) == 4
        assert all(math.isfinite(value) for value in constraints)
        if not study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
            assert all(value > 0 for value in constraints)
            with pytest.raises(NotMeasured):
                search.winner()
            return
        ending = search.winner()
        final, judgement = conclude(bench, ending)
    assert ending.best.model == bench.made[ending.best.digest]
    if judgement.verdict is Verdict.MET:
        assert known(latency_of(final.qor).worst_ns_hi) <= 5.0 * cycles
        assert known(known(bench.baseline).value()) - known(known(final.qor).accuracy) <= allowed + 1e-9
        assert ending.extra["results"]["score_final"] >= 0.9 * ending.extra["results"]["score_trial"] - 1e-9


@quick
@given(laws, st.floats(0, 0.1))
def test_a_tagger_keeps_its_floors_or_is_missed(law: Law, allowed: float) -> None:
    plan = TaggerPlan(preserve_rare_classes=False)
    pipeline = TaggerPipeline(plan, (), gates=[Gate("accuracy", max_loss=allowed)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pquant_hls.pipelines.tagger.useful_ranks", lambda model, most: {"fc1": most})
        bench, ending, final, verdict = ended(pipeline, law)
    check_best(bench, ending)
    if verdict is Verdict.MET:
        assert final.model.bits <= 16
        assert bench.lost(final) <= max(allowed, 0.01) + 1e-9
    if final.model.bits == 32:
        assert verdict is Verdict.MISSED


def test_other_targets_are_tried_only_when_allowed() -> None:
    law, budget = Law(floor_cycles=6, interval=0), Budget(latency_ns=20)
    plain = ended(TriggerPipeline(TriggerPlan(learned_epochs=0), budget=budget), law, budget)
    assert plain[3] is Verdict.MISSED
    assert not [entry for entry in plain[1].history if entry["kind"] == "target"]
    freed = ended(
        TriggerPipeline(TriggerPlan(allow=("clock",), clocks_ns=(2.5,), learned_epochs=0), budget=budget),
        law,
        budget,
    )
    assert [entry["verdict"] for entry in freed[1].history if entry["kind"] == "target"] == ["MET"]


def test_a_step_with_nothing_to_gain_is_left_out_and_named() -> None:
    law = Law(no_gain=frozenset({"low_rank"}))
    steps = [STEPS[3], STEPS[0], STEPS[1]]
    for pipeline in (CompressionPipeline(steps), ValidationPipeline(steps, 0.2)):
        _, ending, _, verdict = ended(pipeline, law)
        assert verdict is Verdict.MET
        assert [entry["kept"] for entry in ending.history] == [False, True, True]
        assert "left out: low_rank: no layer gains" in ending.history[0]["reason"]
        assert ending.history[0]["digest"] == Toy().digest
    assert "2 of 3 steps done; low_rank left out" in ended(CompressionPipeline(steps), law)[1].reason
    missed = ended(StandardCompressionPipeline(50, analyse=False, hls=SHARING), law)[1]
    assert "low rank: left out" in missed.reason


def test_a_float_model_is_not_called_met() -> None:
    _, ending, _, verdict = ended(CompressionPipeline([STEPS[0]]), Law(match=None))
    assert verdict is Verdict.UNKNOWN
    assert "add a quantize step" in ending.reason


def test_gates_enter_the_verdict() -> None:
    pipeline = CompressionPipeline([STEPS[1]], gates=[Gate("accuracy", minimum=0.99)])
    assert ended(pipeline, Law())[3] is Verdict.MISSED
    pipeline = CompressionPipeline([STEPS[1]], gates=[Gate("auc", minimum=0.5)])
    assert ended(pipeline, Law())[3] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "pipeline", [StandardCompressionPipeline(4.0), ValidationPipeline(STEPS[:2]), AdaptivePipeline(60)]
)
def test_policies_repeat_themselves(pipeline: Any) -> None:
    first, second = ended(pipeline, Law()), ended(pipeline, Law())
    assert first[1].history == second[1].history
    assert first[1].best.digest == second[1].best.digest
