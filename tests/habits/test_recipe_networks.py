"""Every shipped recipe has a network of its kind that it is run on, and in short asks for the same."""

from __future__ import annotations

import pytest
from recipes import KINDS, shortened

from pquant_hls.spec import Recipe, recipe_names


def test_each_recipe_has_its_network_and_no_network_lacks_a_recipe() -> None:
    assert sorted(KINDS) == recipe_names()


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_what_it_is_for_and_what_must_be_kept(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.budget.latency_ns is not None
    assert recipe.budget.judges_quality


@pytest.mark.parametrize("name", recipe_names())
def test_in_short_it_trains_less_and_asks_for_the_same(name: str) -> None:
    recipe = Recipe.load(name)
    short = shortened(recipe)
    assert (short.budget, short.hls) == (recipe.budget, recipe.hls)
    assert [step.step for step in short.steps] == [step.step for step in recipe.steps]
    assert short.loop.max_rounds == 2
    epochs = [
        (a.model_dump()["epochs"], b.model_dump()["epochs"])
        for a, b in zip(short.steps, recipe.steps, strict=True)
    ]
    assert all(a <= b for a, b in epochs)
    assert sum(a for a, _ in epochs) < sum(b for _, b in epochs)
