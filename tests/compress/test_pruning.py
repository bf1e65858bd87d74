"""How much goes, of what, and where; zeros that stay zero."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import (
    DesignCost,
    FineTuning,
    LowRankCompression,
    PruningCompression,
    QuantizationCompression,
    account,
    units,
)
from pquant_hls.compress.pruning import ramp
from pquant_hls.compress.zeros import block_mask, keep_largest
from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network import clone
from pquant_hls.qor import QoR
from pquant_hls.spec.steps import PruneConfig
from pquant_hls.train import scores
from tests.helpers import cycles_of, known, latency_of

L = keras.layers


def test_sparsity_of_units_goes_from_every_layer(tagger: keras.Model) -> None:
    result = PruningCompression(sparsity=0.5, importance="l2").compress(tagger)
    assert units(result.model) == {"fc1": 8, "fc2": 6, "output": 3}
    assert "fc1: 8 of 16 units removed" in result.record.notes


def test_a_cut_too_fine_to_remove_a_unit_says_so(tagger: keras.Model) -> None:
    result = PruningCompression(sparsity=0.01, importance="l1").compress(tagger)
    assert units(result.model) == units(tagger)
    assert result.record.notes == (
        "no unit removed: the share is less than one, or every layer is at its least",
    )


def test_sparsity_of_weights_by_removing_units(tagger: keras.Model) -> None:
    result = PruningCompression(sparsity=0.7, sparsity_of="weights", importance="l2").compress(tagger)
    left = result.record.after.kernel_weights / account(tagger).kernel_weights
    assert 0.2 < left <= 0.3


def test_global_ranking_reaches_the_same_total(tagger: keras.Model) -> None:
    smaller = PruningCompression(sparsity=0.5, ranking="global", importance="l2").compress(tagger).model
    kept = units(smaller)
    assert kept["fc1"] + kept["fc2"] == 14


def test_sparsity_counts_from_the_reference(tagger: keras.Model) -> None:
    first = PruningCompression(sparsity=0.25, importance="l1").compress(tagger).model
    again = PruningCompression(sparsity=0.5, importance="l1", reference=units(tagger)).compress(first).model
    assert units(again) == {"fc1": 8, "fc2": 6, "output": 3}
    same = PruningCompression(sparsity=0.25, importance="l1", reference=units(tagger)).compress(first).model
    assert units(same) == units(first)


@pytest.mark.parametrize("ranking", ["layer", "global"])
def test_layers_that_the_original_has_not_keep_their_units(tagger: keras.Model, ranking: str) -> None:
    factored = LowRankCompression(rank=4, exclude=["output"]).compress(tagger).model
    step = PruningCompression(sparsity=0.5, importance="l1", reference=units(tagger), ranking=ranking)
    once = step.compress(factored).model
    assert units(once)["fc1_basis"] == units(once)["fc2_basis"] == 4
    assert units(once)["fc1"] + units(once)["fc2"] == 14, "half of the 28 that the original has"
    assert units(step.compress(once).model) == units(once)


def test_single_layers_have_their_own_share(tagger: keras.Model) -> None:
    step = PruningCompression(sparsity=0.5, layers={"fc1": 0.75}, exclude=("fc2",), importance="l1")
    assert units(step.compress(tagger).model) == {"fc1": 4, "fc2": 12, "output": 3}


def test_every_layer_keeps_min_units(tagger: keras.Model) -> None:
    smaller = (
        PruningCompression(sparsity=0.99, min_units=3, ranking="global", importance="l1")
        .compress(tagger)
        .model
    )
    assert units(smaller) == {"fc1": 3, "fc2": 3, "output": 3}


@pytest.mark.parametrize("importance", ["l1", "l2", "taylor", "random"])
def test_importance_finds_the_dead_units(importance: str, tagger: keras.Model, data: Any) -> None:
    """Units whose weights are zero go first, except by chance."""
    model = clone(tagger)
    kernel, bias = model.get_layer("fc1").get_weights()
    kernel[:, ::2], bias[::2] = 0, 0
    model.get_layer("fc1").set_weights([kernel, bias])
    smaller = (
        PruningCompression(layers={"fc1": 0.5}, sparsity=0, importance=importance).compress(model, data).model
    )
    alive = int(np.any(smaller.get_layer("fc1").get_weights()[0] != 0, axis=0).sum())
    assert (alive < 8) if importance == "random" else (alive == 8)


def test_batchnorm_scale_ranks_units() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), L.Dense(6, name="d"), L.BatchNormalization(name="b"), L.ReLU(), L.Dense(2)]
    )
    gamma = np.array([1, 0.1, 2, 0.2, 3, 0.3])
    model.get_layer("b").set_weights([gamma, *model.get_layer("b").get_weights()[1:]])
    smaller = PruningCompression(sparsity=0.5, importance="batchnorm").compress(model).model
    np.testing.assert_allclose(smaller.get_layer("b").get_weights()[0], [1, 2, 3])


def test_batchnorm_scale_needs_a_batchnorm(tagger: keras.Model) -> None:
    with pytest.raises(UnsupportedModel, match="fc1"):
        PruningCompression(importance="batchnorm").compress(tagger)


def test_an_excluded_layer_needs_no_batchnorm() -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(6, name="d"),
            L.BatchNormalization(),
            L.ReLU(),
            L.Dense(5, name="bare"),
            L.Dense(2),
        ]
    )
    step = PruningCompression(sparsity=0.5, importance="batchnorm", exclude=("bare",))
    assert units(step.compress(model).model)["d"] == 3


def test_refitting_recovers_what_pruning_broke(tagger: keras.Model, data: Any) -> None:
    wanted = scores(tagger, data.x_val)
    distance = {}
    for refit in (False, True):
        smaller = (
            PruningCompression(sparsity=0.4, importance="l1", reconstruct=refit).compress(tagger, data).model
        )
        distance[refit] = float(((scores(smaller, data.x_val) - wanted) ** 2).mean())
    assert distance[True] < 0.7 * distance[False]


def test_refitting_leaves_a_model_that_lost_nothing(tagger: keras.Model, data: Any) -> None:
    model = clone(tagger)
    kernel, bias = model.get_layer("fc2").get_weights()
    kernel[:8] = 0
    model.get_layer("fc2").set_weights([kernel, bias])
    smaller = PruningCompression(keep={"fc1": 8}, sparsity=0, importance="taylor").compress(model, data).model
    np.testing.assert_allclose(scores(smaller, data.x_val), scores(model, data.x_val), atol=1e-5)


def test_latency_in_view_saves_cycles_where_they_are(quantized_tagger: keras.Model) -> None:
    """An estimator that charges fan-in of fc2 alone: units of fc1 go first."""

    def cost(model: keras.Model) -> QoR:
        real = DesignCost()(model)
        fan_in = model.get_layer("fc2").kernel.shape[0]
        return real.with_(
            latency=latency_of(real).model_copy(
                update={
                    "cycles_max": fan_in,
                    "cycles_max_hi": fan_in,
                    "cycles_max_lo": fan_in,
                    "cycles_min": 0,
                }
            )
        )

    step = PruningCompression(sparsity=0.3, latency_aware=True, importance="l1", cost=cost)
    kept = units(step.compress(quantized_tagger).model)
    assert kept["fc1"] + kept["fc2"] == 20
    assert kept["fc2"] == 12


def test_latency_in_view_works_with_the_estimator(quantized_tagger: keras.Model) -> None:
    step = PruningCompression(sparsity=0.5, latency_aware=True, importance="l1", cost=DesignCost())
    result = step.compress(quantized_tagger)
    assert result.record.after.cycles == cycles_of(DesignCost()(result.model))
    assert known(result.record.after.cycles) <= known(result.record.before.cycles)


@pytest.mark.parametrize("ranking", ["layer", "global", "fan"])
def test_magnitude_sets_the_smallest_weights_to_zero(ranking: str, tagger: keras.Model) -> None:
    result = PruningCompression(method="magnitude", sparsity=0.6, ranking=ranking).compress(tagger)
    assert result.record.after.weight_sparsity == pytest.approx(0.6, abs=0.01)
    assert units(result.model) == units(tagger)


def test_blocks_keep_n_of_m(tagger: keras.Model) -> None:
    sparse = PruningCompression(method="n_m", n=1, m=4).compress(tagger).model
    for name in ("fc1", "fc2", "output"):
        kernel = sparse.get_layer(name).get_weights()[0]
        blocks = kernel.T.reshape(kernel.shape[1], -1, 4)
        assert (np.count_nonzero(blocks, axis=-1) == 1).all()


def test_a_short_last_block_keeps_its_largest() -> None:
    rank = np.array([[1.0], [2.0], [3.0], [9.0], [8.0]])
    assert block_mask(rank, 1, 3)[:, 0].tolist() == [False, False, True, True, False]


def test_ties_are_cut_to_the_exact_number() -> None:
    assert keep_largest(np.ones((4, 5)), 13).sum() == 13


def test_sparsity_rises_round_by_round() -> None:
    cubic = ramp(PruneConfig(method="magnitude", rounds=4))
    assert cubic[-1] == 1
    assert cubic == sorted(cubic)
    assert ramp(PruneConfig(method="magnitude", rounds=2, ramp="linear")) == [0.5, 1.0]


def test_zeros_stay_zero_through_training_and_quantization(tagger: keras.Model, data: Any) -> None:
    sparse = PruningCompression(method="magnitude", sparsity=0.7, rounds=2, epochs=1, batch_size=64).compress(
        tagger, data
    )
    zeros = {layer.name: layer.get_weights()[0] == 0 for layer in sparse.model.layers if layer.get_weights()}
    assert np.mean(np.concatenate([z.ravel() for z in zeros.values()])) == pytest.approx(0.7, abs=0.01)
    tuned = FineTuning(epochs=2, batch_size=64, learning_rate=1e-2).compress(sparse.model, data).model
    quantized = (
        QuantizationCompression(bits=5, epochs=2, batch_size=64, learning_rate=1e-2)
        .compress(tuned, data)
        .model
    )
    for model in (tuned, quantized):
        for name, mask in zeros.items():
            kernel = model.get_layer(name).get_weights()[0]
            assert not kernel[mask].any()
            assert kernel[~mask].any()


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"sparsity": 1.0}, "sparsity"),
        ({"sparsity": -0.1}, "sparsity"),
        ({"layers": {"fc1": 1}}, "layers.fc1"),
        ({"method": "n_m", "n": 4, "m": 4}, None),
        ({"method": "magnitude", "sparsity_of": "units"}, None),
        ({"min_units": 0}, "min_units"),
        ({"method": "magnitude", "latency_aware": True}, None),
        ({"sparsty": 0.1}, "sparsty"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], where: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        PruningCompression(**settings)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"exclude": ("fc9",)}, SpecError, "unknown layer, did you mean"),
        ({"keep": {"fc1": 17}}, SpecError, "17 units asked"),
        ({"keep": {"fc1": 7}, "exclude": ("fc1",)}, SpecError, "keep.fc1: the layer is excluded as well"),
        ({"layers": {"output": 0.5}}, UnsupportedModel, "output"),
        ({"epochs": 1}, DataError, "need data"),
        ({"importance": "taylor"}, DataError, "needs data"),
    ],
)
def test_what_does_not_fit_the_model_is_named(
    settings: dict[str, Any], error: type[Exception], text: str, tagger: keras.Model
) -> None:
    with pytest.raises(error, match=text):
        PruningCompression(**{"importance": "l1", **settings}).compress(tagger)
