"""On a layer that reads many numbers which vary in few directions the loop takes a rank by itself, and it pays."""

from __future__ import annotations

from typing import Any

import low_rank
import pytest

from pquant_hls.engine import Order, run_policy
from pquant_hls.network import build_mlp
from pquant_hls.pipelines import as_dataset
from pquant_hls.spec import Recipe
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit
from tests.helpers import known

pytestmark = [pytest.mark.slow, pytest.mark.gxx]


@pytest.fixture(scope="module")
def network() -> Any:
    """A float 64-24-4 network and its pulses."""
    x, y = low_rank.pulses(5000, seed=0)
    model = build_mlp(64, (24,), 4, seed=0)
    data = as_dataset(model, (x[:4000], y[:4000]), (x[4000:], y[4000:]))
    fit(model, data, FineTuneConfig(epochs=12, batch_size=128, learning_rate=5e-3))
    return model, data


def asked(*, factors: bool) -> Recipe:
    first = {"step": "low_rank", "rank": 16, "error": "outputs", "exclude": ["output"]}
    steps = [
        {"step": "prune", "sparsity": 0.0},
        {"step": "quantize", "bits": 6, "epochs": 3, "batch_size": 128},
    ]
    loop: dict[str, Any] = {"max_rounds": 5, "bits": None, "sparsity": {"step": 0.3}}
    if factors:
        steps.insert(1, first)
        loop["rank"] = {"step": 0.5, "min": 4}
    return Recipe.parse({"steps": steps, "budget": {"max_accuracy_loss": 0.03}, "loop": loop})


def test_the_loop_takes_a_rank_and_ends_with_a_smaller_design(network: Any, tmp_path: Any) -> None:
    model, data = network
    found = {}
    for factors in (True, False):
        recipe = asked(factors=factors)
        order = Order(recipe.hls, recipe.budget)
        found[factors] = run_policy(low_rank.Sketched(recipe), model, data, order, tmp_path / str(factors))
    small, plain = found[True], found[False]
    assert "fc1_basis" in [layer.name for layer in small.model.layers]
    assert small.model.get_layer("fc1_basis").units < 16, "the rank was turned, not only given"
    assert small.qor.csim_match == plain.qor.csim_match == 1.0
    assert known(known(small.qor.resources).lut) < known(known(plain.qor.resources).lut)
    assert known(small.qor.accuracy) > known(small.baseline_accuracy) - 0.03
