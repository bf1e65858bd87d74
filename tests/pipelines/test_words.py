"""The words of the mission: configurations, spaces and results read as a user would write them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from pquant_hls.compress import FineTuning, LowRankCompression
from pquant_hls.decide import Verdict
from pquant_hls.engine import Workbench, closed_loop
from pquant_hls.errors import DataError, NoGain, SpecError
from pquant_hls.pipelines import AdaptivePipeline, CompressionPipeline, HEPCompressionPipeline
from pquant_hls.pipelines.tagger import TaggerPipeline, TaggerPlan
from pquant_hls.pipelines.walk import name_of, settings_of
from pquant_hls.spec import Budget, Recipe, StudySpec
from pquant_hls.spec.steps import LowRankConfig, QuantizeConfig
from tests.helpers import known
from tests.pipelines.instant import InstantBench, Law, Toy


def named(config: Any) -> list[tuple[str, dict[str, Any]]]:
    """Each step's name and what was asked of it."""
    return [
        (name_of(step), {key: value for key, value in settings_of(step).items() if key != "step"})
        for step in CompressionPipeline(config).steps
    ]


def test_a_configuration_without_methods_takes_its_own_order() -> None:
    assert named({"quantization": {"bits": 8}, "pruning": {"sparsity": 0.3}}) == [
        ("quantize", {"bits": 8}),
        ("prune", {"sparsity": 0.3}),
    ]
    assert [name for name, _ in named({"fine_tune": {}, "low_rank": {"rank": 4}})] == [
        "fine_tune",
        "low_rank",
    ]


def test_what_all_trainings_share_stands_beside_them() -> None:
    config = {"methods": ["low_rank", "pruning", "quantization"], "preserve_rare_classes": True, "epochs": 3}
    found = dict(named({**config, "pruning": {"epochs": 0}}))
    assert found["low_rank"] == {}, "it does not train"
    assert found["prune"] == {"preserve_rare_classes": True, "epochs": 0}, "its own setting holds"
    assert found["quantize"] == {"preserve_rare_classes": True, "epochs": 3}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "methods: no step is named"),
        ({"preserve_rare_clases": True, "pruning": {}}, "did you mean 'preserve_rare_classes'"),
        ({"prunning": {"sparsity": 0.5}}, "did you mean 'pruning'"),
        ({"methods": ["pruning"], "quantization": {"bits": 6}}, "quantization: unknown"),
        ({"quantization": {"method": "ptq", "mode": "qat"}}, "method and mode are the same"),
        ({"quantization": {"method": "magnitude"}}, r"quantization\.mode|methods\.0\.mode"),
    ],
)
def test_a_wrong_word_is_named(config: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        CompressionPipeline(config)


def test_ptq_is_a_method() -> None:
    (step,) = CompressionPipeline({"quantization": {"bits": 8, "method": "ptq"}}).steps
    assert isinstance(step, QuantizeConfig)
    assert step.mode == "ptq"


def space(**given: Any) -> StudySpec:
    return StudySpec.parse({"space": given})


def test_a_space_keeps_the_names_it_was_given() -> None:
    spec = space(bits=[4, 8], **{"prune.sparsity": [0, 0.5]})
    assert set(spec.parameters) == {"quantize.bits", "prune.sparsity"}
    assert spec.as_given({"quantize.bits": 5, "prune.sparsity": 0.2, "bits.fc1": 3}) == {
        "bits": 5,
        "prune.sparsity": 0.2,
        "bits.fc1": 3,
    }
    assert spec.identity() == space(**{"quantize.bits": [4, 8], "prune.sparsity": [0, 0.5]}).identity()
    with pytest.raises(SpecError, match=r"bits and quantize\.bits are the same parameter"):
        space(bits=True, **{"quantize.bits": True})


def test_low_high_step() -> None:
    found = space(rank=(32, 128, 16)).space["rank"]
    assert (found.low, found.high, found.step) == (32, 128, 16)
    assert space(sparsity={"low": 0.1, "high": 0.5, "step": 0.2}).space["sparsity"].step == 0.2
    for choices in ((4, 6, 8), (2, 3, 8), (8, 6, 4)):
        assert space(bits=choices).space["bits"].choices == choices, "three choices in order"
        assert space(bits=list(choices)).space["bits"].choices == choices


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([4, 8, 2], r"may be low, high, step or three choices"),
        ({"low": 4, "high": 8, "step": 0}, "greater than 0"),
        ({"low": 4, "high": 8, "step": 2, "log": True}, "not with log"),
        ({"choices": [4, 8], "step": 2}, "a step goes with low and high"),
    ],
)
def test_a_range_that_may_mean_two_things_is_refused(given: Any, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        space(bits=given)


def test_events_are_asked_for_where_a_step_trains(model: Any) -> None:
    with pytest.raises(DataError, match="step quantize trains and no events were given") as found:
        CompressionPipeline(["pruning", "quantization"]).compress(model)
    assert "ptq" in str(found.value.mend)
    with pytest.raises(DataError, match="without events to train on"):
        HEPCompressionPipeline().compress_trigger_model(model, 100, test=np.zeros((4, 6)))


@pytest.mark.parametrize(
    ("budget", "charged"),
    [
        (None, False),
        (Budget(max_accuracy_loss=0.1), False),
        (Budget.parse({"resources": {"dsp": 3}}), False),
        (Budget(latency_ns=50), True),
        (Budget(ii_cycles=1), True),
    ],
)
def test_cycles_are_charged_where_a_latency_is_the_goal(budget: Budget | None, charged: bool) -> None:
    assert LowRankConfig(rank=2).aimed(budget).roll_back is charged
    for own in (True, False):
        assert LowRankConfig(rank=2, roll_back=own).aimed(budget).roll_back is own
    assert QuantizeConfig().aimed(budget) == QuantizeConfig()


def test_a_taggers_results_hold_both_accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pquant_hls.pipelines.tagger.useful_ranks", lambda _model, most: {"fc1": most})
    bench = InstantBench(Law())
    pipeline = TaggerPipeline(TaggerPlan(preserve_rare_classes=False), ())
    ending = pipeline.policy(cast("Workbench", bench), bench.start(Toy()), pipeline.setup)
    results = ending.extra["results"]
    assert results["original"]["accuracy"] == known(bench.baseline).value()
    assert results["compressed"]["accuracy"] == bench.score(ending.best).value()


def test_a_factor_that_is_taken_back_is_no_step_done(model: Any) -> None:
    from pquant_hls.compress import DesignCost

    with pytest.raises(NoGain, match=r"rolled back, .* cycles instead of"):
        LowRankCompression(rank=3, cost=DesignCost(), roll_back=True).compress(model)


def test_steps_take_loaders(model: Any, train: Any) -> None:
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices(train).batch(64)
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 50, "seed": 3}
    by_loader = FineTuning(**settings).compress(model, batches)
    by_arrays = FineTuning(**settings).compress(model, train)
    assert by_loader.record.child == by_arrays.record.child, "the same events, the same weights"
    assert FineTuning(**settings).compress(model, list(batches)[0:0] or iter([train])).record.child
    with pytest.raises(DataError, match="gave no batches"):
        FineTuning(**settings).compress(model, iter(()))
    with pytest.raises(DataError, match="never ends"):
        FineTuning(**settings).compress(model, batches.repeat())


def test_the_loop_leaves_out_a_step_without_gain_and_says_so() -> None:
    steps = [{"step": "low_rank", "rank": 4}, {"step": "quantize", "bits": 6}]
    recipe = Recipe.parse({"steps": steps, "budget": {"latency_ns": 60}})
    bench = InstantBench(Law(no_gain=frozenset({"low_rank"}), interval=0), budget=recipe.budget)
    found = closed_loop(cast("Workbench", bench), bench.start(Toy()), recipe)
    assert found.verdict is Verdict.MET
    assert found.best.model.rank == 1.0
    assert found.entries[1].settings["left_out"] == ["low_rank left out: low_rank: no layer gains"]


def test_adaptive_makes_factors_of_the_float_layers() -> None:
    bench = InstantBench(Law(per_rank=0.0, per_sparsity=0.3, interval=0), budget=Budget(latency_ns=16))
    pipeline = AdaptivePipeline(bench.budget, 0.2)
    ending = pipeline.policy(cast("Workbench", bench), bench.start(Toy()), pipeline.setup)
    factored = [entry for entry in ending.history if entry.name.startswith("low rank")]
    assert [entry.status for entry in factored[:1]] == ["kept"]
    assert ending.best.model.rank < 1.0
    assert ending.best.model.bits <= 8, "and quantizes after them"
