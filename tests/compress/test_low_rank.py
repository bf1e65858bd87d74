"""Factorized layers: what they cost, what they keep, and when they are refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import DesignCost, LowRankCompression, account
from pquant_hls.errors import DataError, NoGain, SpecError, UnsupportedModel
from pquant_hls.qor import QoR
from pquant_hls.train import predict, scores
from tests.compress.random_graphs import batch, randomise
from tests.helpers import latency_of

L = keras.layers
COST = DesignCost()


def test_given_rank_reduces_multiplications(tagger: keras.Model) -> None:
    result = LowRankCompression(rank=3).compress(tagger)
    assert result.record.after.multiplications == 3 * (8 + 16) + 3 * (16 + 12) + 36
    assert result.model.get_layer("fc2_basis").units == 3
    assert any(
        note.startswith("output: rank 3 takes 45 multiplications, the layer itself 36")
        for note in result.record.notes
    )


def low_rank_model() -> keras.Model:
    """Dense and Conv2D kernels that are of rank 2 exactly, in the schemes that find it."""
    entry = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="spatial")(entry)
    x = L.Conv2D(8, 1, name="point")(x)
    model = keras.Model(entry, L.Dense(10, name="dense")(L.Flatten()(x)))
    randomise(model, 2)
    rng = np.random.default_rng(0)
    kernel = np.einsum("hir,rwo->hwio", rng.normal(size=(3, 3, 2)), rng.normal(size=(2, 3, 8)))
    for name, array in (
        ("spatial", kernel),
        ("point", (rng.normal(size=(8, 2)) @ rng.normal(size=(2, 8))).reshape(1, 1, 8, 8)),
        ("dense", rng.normal(size=(128, 2)) @ rng.normal(size=(2, 10))),
    ):
        layer = model.get_layer(name)
        layer.set_weights([array, *layer.get_weights()[1:]])
    return model


def test_kernels_of_low_rank_are_kept_exactly() -> None:
    model = low_rank_model()
    result = LowRankCompression(energy=1 - 1e-9).compress(model)
    assert [note.split(" keeps")[0] for note in result.record.notes] == [
        "spatial: spatial rank 2",
        "point: channel rank 2",
        "dense: channel rank 2",
    ]
    one, other = predict(model, batch(model))[0], predict(result.model, batch(model))[0]
    np.testing.assert_allclose(other, one, atol=1e-4 * np.abs(one).max())
    assert result.record.after.multiplications < account(model).multiplications


def test_a_factorization_that_only_costs_cycles_gains_nothing(tagger: keras.Model) -> None:
    with pytest.raises(
        NoGain, match=r"no layer gains: fc1: .*rolled back, 8 cycles instead of 6; fc2: .*rolled back"
    ):
        LowRankCompression(rank=3, cost=COST).compress(tagger)


def test_roll_back_can_be_forbidden(tagger: keras.Model) -> None:
    result = LowRankCompression(rank=3, roll_back=False, cost=COST).compress(tagger)
    assert result.record.after.units["fc2_basis"] == 3


def test_full_energy_keeps_the_outputs(tagger: keras.Model, data: Any) -> None:
    """A factorization of full rank saves nothing, so the layer's exact kernel is what stays."""
    with pytest.raises(SpecError, match="no layer gains"):
        LowRankCompression(energy=1.0).compress(tagger)
    kept = LowRankCompression(energy=0.8, roll_back=False).compress(tagger).model
    assert np.mean(scores(kept, data.x_val).argmax(1) == scores(tagger, data.x_val).argmax(1)) > 0.7


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rank": 64}, r"fc1: a kernel of \(8, 16\) has at most rank 8"),
        ({"layers": {"fc1": 9}}, "rank 9 is out of range"),
        ({"layers": {"fc1": 6}}, "rank 6 takes 144 multiplications, the layer itself 128"),
        ({"rank": 0}, "rank"),
        ({"layers": {"fc": 2}}, "unknown layer, did you mean 'fc"),
        ({"rank": 2, "energy": 0.9}, "one rule chooses"),
    ],
)
def test_useless_ranks_are_refused_with_the_numbers(
    settings: dict[str, Any], text: str, tagger: keras.Model
) -> None:
    with pytest.raises(SpecError, match=text):
        LowRankCompression(**settings).compress(tagger)


def test_quantized_layers_are_factorized_before(quantized_tagger: keras.Model) -> None:
    with pytest.raises(UnsupportedModel, match="fc1: is quantized: factorize before"):
        LowRankCompression(layers={"fc1": 2}).compress(quantized_tagger)


def test_a_quantized_network_says_why_nothing_gains(quantized_tagger: keras.Model) -> None:
    with pytest.raises(SpecError, match="no layer gains: fc1 is quantized: factorize before quantizing; fc2"):
        LowRankCompression(rank=2).compress(quantized_tagger)


def test_gain_takes_the_rank_of_fewest_cycles(tagger: keras.Model) -> None:
    """An estimator that likes rank 3 of fc1 and nothing else; energies below min_energy are not tried."""
    seen = []

    def cost(model: keras.Model) -> QoR:
        ranks = {layer.name: layer.units for layer in model.layers if layer.name.endswith("_basis")}
        seen.append(ranks.get("fc1_basis"))
        cycles = 5 if ranks == {"fc1_basis": 3} else 9 if ranks else 7
        found = COST(model)
        spread = dict.fromkeys(("cycles_max", "cycles_max_lo", "cycles_max_hi"), cycles)
        return found.with_(latency=latency_of(found).model_copy(update={"cycles_min": 0, **spread}))

    result = LowRankCompression(gain=True, min_energy=0.5, cost=cost).compress(tagger)
    assert {name: count for name, count in result.record.after.units.items() if "basis" in name} == {
        "fc1_basis": 3
    }
    assert {rank for rank in seen if rank is not None} >= {3, 4}
    assert "5 cycles instead of 7" in result.record.notes[0]
    assert all("rolled back, 9 cycles instead of 5" in note for note in result.record.notes if "fc2:" in note)


def seen_in_two_directions() -> tuple[keras.Model, np.ndarray]:
    """A dense layer of full rank that reads 12 numbers, float32 (400, 12), which vary in two directions."""
    entry = keras.Input((12,))
    model = keras.Model(entry, L.Dense(4, name="out")(L.Dense(16, activation="relu", name="wide")(entry)))
    randomise(model, 3)
    rng = np.random.default_rng(4)
    return model, (rng.normal(size=(400, 2)) @ rng.normal(size=(2, 12))).astype(np.float32)


def test_a_rank_may_keep_what_the_data_shows_in_place_of_the_kernel() -> None:
    model, x = seen_in_two_directions()
    wanted = predict(model, [x])[0]
    error = {}
    for kept in ("weights", "outputs"):
        small = LowRankCompression(rank=2, error=kept, exclude=["out"]).compress(model, x).model
        assert small.get_layer("wide_basis").units == 2
        error[kept] = float(np.abs(predict(small, [x])[0] - wanted).max() / np.abs(wanted).max())
    assert error["outputs"] < 1e-3
    assert error["weights"] > 0.1


def test_what_is_kept_of_the_outputs_is_told_as_energy() -> None:
    model, x = seen_in_two_directions()
    notes = LowRankCompression(rank=2, error="outputs", exclude=["out"]).compress(model, x).record.notes
    assert notes[0].startswith("wide: channel rank 2 keeps 1.0000 of the energy")


def test_outputs_cannot_be_kept_without_data() -> None:
    model, _ = seen_in_two_directions()
    with pytest.raises(DataError, match="set error: weights"):
        LowRankCompression(rank=2, error="outputs").compress(model)
