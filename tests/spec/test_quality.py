"""What a budget says of figures of merit: which words are taken, what they mean, that old recipes stay what they were."""

from __future__ import annotations

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget, Recipe
from pquant_hls.spec.quality import Allowance

STEPS = [{"step": "quantize", "bits": 6}]


@pytest.mark.parametrize(
    ("text", "original", "lower", "limit"),
    [
        ("5 %", 0.2, True, 0.21),
        ("5%", 0.8, False, 0.76),
        ("1 point", 0.8, False, 0.79),
        ("2 points", 0.8, True, 0.82),
        (">= 0.9", 0.95, False, 0.9),
        ("<= 90 %", 0.95, True, 0.9),
        ("0 %", 3.0, True, 3.0),
    ],
)
def test_what_may_be_lost(text: str, original: float, lower: bool, limit: float) -> None:
    found = Allowance.parse(text)
    assert found.limit_of(original, lower_is_better=lower) == pytest.approx(limit)


@pytest.mark.parametrize("text", ["5", 0.05, "much", "-1 %", "5 % more", "> 3", "", None, "1e999 %"])
def test_words_that_say_nothing(text: object) -> None:
    with pytest.raises(SpecError, match=r"mse: (says neither a loss nor a limit|a loss is at least 0)"):
        Budget.parse({"quality": {"mse": text}}, path="budget")


@pytest.mark.parametrize("given", ["mse", ["mse"], {"": "5 %"}, {3: "5 %"}, {"a\nb": "5 %"}])
def test_figures_that_are_none(given: object) -> None:
    with pytest.raises(SpecError, match=r"budget\.quality"):
        Budget.parse({"quality": given}, path="budget")


def test_a_ceiling_on_what_should_be_high_is_known() -> None:
    assert "wrong way" in Allowance.parse("<= 0.9").problem(lower_is_better=False, is_share=True)
    assert not Allowance.parse(">= 0.9").problem(lower_is_better=False, is_share=True)
    assert not Allowance.parse("5 %").problem(lower_is_better=True, is_share=False)


@pytest.mark.parametrize("text", ["1 point", "<= 5 %"])
def test_points_and_limits_in_percent_are_of_shares(text: str) -> None:
    assert "is no share" in Allowance.parse(text).problem(lower_is_better=True, is_share=False)
    assert not Allowance.parse(text).problem(lower_is_better=True, is_share=True)


def test_quality_alone_asks_for_the_smallest_design() -> None:
    assert Budget.parse({"quality": {"mse": "5 %"}}).wants_smallest
    assert not Budget.parse({"latency_ns": 50}).judges_quality


def test_what_is_not_named_stays_out_of_the_identity() -> None:
    recipe = Recipe.parse({"steps": STEPS, "budget": {"latency_ns": 50}})
    told = recipe.model_dump(mode="json")
    assert "task" not in told
    assert "quality" not in told["budget"]
    named = Recipe.parse(
        {"steps": STEPS, "budget": {"latency_ns": 50, "quality": {"mse": "5  %"}}, "task": "autoencoder"}
    )
    again = Recipe.parse(named.model_dump(mode="json"))
    assert again == named
    assert again.budget.quality == {"mse": "5 %"}


def test_tasks_are_told_for_all_outputs_or_by_name() -> None:
    told = {"steps": STEPS, "budget": {"latency_ns": 50}, "task": {"pt": "regression"}}
    assert Recipe.parse(told).task == {"pt": "regression"}
    with pytest.raises(SpecError, match="task"):
        Recipe.parse({**told, "task": "regressions"})
