"""Steps of a recipe: what they take, what they fill in, what they refuse, what a study may vary."""

from __future__ import annotations

from typing import Any

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe
from pquant_hls.spec.steps import (
    FineTuneConfig,
    LowRankConfig,
    PruneConfig,
    PruneLayersConfig,
    QuantizeConfig,
)

STEPS = (PruneLayersConfig, PruneConfig, LowRankConfig, QuantizeConfig, FineTuneConfig)


def recipe(*steps: dict[str, Any], **more: Any) -> Recipe:
    return Recipe.parse({"steps": list(steps), "budget": {"latency_ns": 60}, **more})


@pytest.mark.parametrize(
    ("step", "where", "message"),
    [
        ({"step": "prune", "sparsity": 1.0}, "steps.0.sparsity", r"\[0, 1\)"),
        ({"step": "prune", "sparsity": -0.1}, "steps.0.sparsity", r"\[0, 1\)"),
        ({"step": "prune", "layers": {"fc1": 1.5}}, "steps.0.layers.fc1", r"\[0, 1\)"),
        ({"step": "prune", "keep": {"fc1": 0}}, "steps.0.keep.fc1", "greater than or equal to 1"),
        ({"step": "prune", "method": "magnitude", "sparsity_of": "units"}, "steps.0", "removes weights"),
        ({"step": "prune", "method": "magnitude", "keep": {"fc1": 2}}, "steps.0", "removes no units"),
        ({"step": "prune", "method": "n_m", "latency_aware": True}, "steps.0", "removes no units"),
        ({"step": "prune", "method": "n_m", "n": 4}, "steps.0", "fewer than m"),
        ({"step": "prune", "method": "n_m", "sparsity": 0.6}, "steps.0", "2:4 is a sparsity of 0.5, got 0.6"),
        ({"step": "quantize", "bits": 1}, "steps.0.bits", "use kernel 'binary'"),
        ({"step": "quantize", "bits": 17}, "steps.0.bits", r"2\.\.16, got 17"),
        ({"step": "quantize", "min_bits": 6, "max_bits": 5}, "steps.0", "min_bits 6 exceeds max_bits 5"),
        ({"step": "quantize", "bits": 2, "min_bits": 8}, "steps.0", "min_bits 8 exceeds max_bits 6"),
        ({"step": "quantize", "kernel": "binary", "layers": {"fc1": 4}}, "steps.0", "one width"),
        ({"step": "quantize", "kernel": "ternary", "allocation": "sensitivity"}, "steps.0", "one width"),
        ({"step": "low_rank", "rank": 4, "energy": 0.9}, "steps.0", "rank and energy"),
        ({"step": "low_rank", "rank": 4, "gain": True}, "steps.0", "rank and gain"),
        ({"step": "low_rank", "energy": 0.0}, "steps.0.energy", "greater than 0"),
        ({"step": "fine_tune", "epochs": -1}, "steps.0.epochs", "greater than or equal to 0"),
        ({"step": "fine_tune", "learning_rate": 0}, "steps.0.learning_rate", "greater than 0"),
    ],
)
def test_a_wrong_step_names_its_key(step: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as found:
        recipe(step)
    assert found.value.where == where


@pytest.mark.parametrize(
    ("step", "index"), [({"step": "prune", "sparsty": 0.5}, 1), ({"step": "quantise", "bits": 6}, 1)]
)
def test_the_place_of_a_step_is_counted_from_zero(step: dict[str, Any], index: int) -> None:
    with pytest.raises(SpecError, match="did you mean"):
        recipe({"step": "fine_tune"}, step)


def test_zeroing_methods_count_weights() -> None:
    assert PruneConfig.parse({"method": "magnitude"}).sparsity_of == "weights"
    assert PruneConfig.parse({"method": "n_m", "n": 1, "m": 4}).sparsity == 0.75
    assert PruneConfig.parse({"method": "n_m"}).sparsity == 0.5
    assert PruneConfig.parse({}).sparsity_of == "units"


def test_widths_that_are_left_out() -> None:
    found = QuantizeConfig.parse({"bits": 6})
    assert (found.default_activation_bits, found.default_input_bits, found.top_bits) == (6, 8, 10)
    found = QuantizeConfig.parse({"bits": 14, "activation_bits": 10})
    assert (found.default_activation_bits, found.default_input_bits, found.top_bits) == (10, 10, 16)
    found = QuantizeConfig.parse({"bits": 4, "activation_bits": 5, "input_bits": 6, "max_bits": 7})
    assert (found.default_activation_bits, found.default_input_bits, found.top_bits) == (5, 6, 7)


@pytest.mark.parametrize("config", STEPS)
def test_every_search_range_holds_values_that_the_step_takes(config: Any) -> None:
    for name, declared in config.search_space().items():
        ends = declared.get("choices") or [declared["low"], declared["high"]]
        for value in ends:
            assert getattr(config.parse({name: value}), name) == value
        if "low" in declared:
            assert declared["low"] < declared["high"]
            assert not declared["log"] or declared["low"] > 0


@pytest.mark.parametrize("config", STEPS)
def test_a_step_reads_back_and_tells_every_parameter(config: Any) -> None:
    step = config.parse({})
    assert config.parse(step.model_dump(mode="json")) == step
    missing = [
        name for name, field in config.model_fields.items() if name != "step" and not field.description
    ]
    assert missing == []


def test_a_step_cannot_be_changed_only_copied() -> None:
    step = PruneConfig.parse({"sparsity": 0.3})
    with pytest.raises(Exception, match="frozen"):
        step.sparsity = 0.5  # type: ignore[misc]  # refused is what is tested
    assert step.with_(sparsity=0.5).sparsity == 0.5
    assert step.sparsity == 0.3
    with pytest.raises(SpecError, match="sparsity"):
        step.with_(sparsity=2)


def test_steps_keep_their_order_and_repeat() -> None:
    found = recipe({"step": "quantize", "bits": 8}, {"step": "fine_tune"}, {"step": "quantize", "bits": 6})
    assert [step.step for step in found.steps] == ["quantize", "fine_tune", "quantize"]
    assert [step.bits for step in found.steps if isinstance(step, QuantizeConfig)] == [8, 6]
