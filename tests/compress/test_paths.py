"""Every output keeps a path from some input, however much is cut; where it cannot, the record names it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pquant_hls.compress import LowRankCompression, PruningCompression, QuantizationCompression
from pquant_hls.compress.zeros import by_fan
from pquant_hls.network import build_mlp, clone
from pquant_hls.network.graph import flat
from pquant_hls.network.paths import best_paths, cut_off, kernels_of, live_outputs, useful_weights
from tests.compress.random_graphs import batch, random_model

L = keras.layers


def live(model: keras.Model) -> list[np.ndarray]:
    graph = flat(model)
    return live_outputs(graph, kernels_of(graph))


def depends(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Whether each output value really moves with the inputs: positive weights, inputs and slopes cancel nothing."""
    twin = clone(model)
    for layer in twin.layers:
        if isinstance(layer, L.Activation):
            layer.activation = keras.activations.linear
        if isinstance(layer, L.BatchNormalization):  # a slope below 0 would hide values behind a maximum
            arrays = {weight.name: np.asarray(weight) for weight in layer.weights}
            spread = arrays["moving_variance"]
            layer.set_weights([np.abs(arrays["gamma"]), 0 * spread, 0 * spread, spread])
        else:
            layer.set_weights(
                [np.abs(array) if array.ndim > 1 else 0 * array for array in layer.get_weights()]
            )
    at, far = batch(twin, 1, seed), batch(twin, 1, seed + 1)
    low = keras.tree.flatten(twin([np.abs(part) for part in at]))
    high = keras.tree.flatten(
        twin([np.abs(part) + np.abs(more) + 1 for part, more in zip(at, far, strict=True)])
    )
    return [np.asarray(b - a)[0] > 1e-12 for a, b in zip(low, high, strict=True)]


@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sparsity=st.sampled_from([0.3, 0.8, 0.95, 0.99, 0.999]),
    ranking=st.sampled_from(["layer", "global", "fan"]),
    importance=st.sampled_from(["l1", "random"]),
)
def test_every_output_keeps_a_path(seed: int, sparsity: float, ranking: str, importance: str) -> None:
    model = random_model(seed)
    step = PruningCompression(
        method="magnitude", sparsity=sparsity, ranking=ranking, importance=importance, seed=seed
    )
    result = step.compress(model)
    assert all(end.all() for end in depends(result.model, seed))
    assert not any("cut off" in note for note in result.record.notes)
    asked = round((1 - sparsity) * result.record.before.kernel_weights)
    paths = len(kernels_of(flat(result.model))) * sum(end.size for end in live(model))
    assert result.record.after.nonzero_weights <= asked + paths


@settings(max_examples=4, deadline=None)
@example(seed=487, share=0.5)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 0.97))
def test_live_is_what_moves_with_the_inputs(seed: int, share: float) -> None:
    """Zeros anywhere: the reading of the graph agrees with the network itself."""
    model, rng = random_model(seed), np.random.default_rng(seed)
    for layer in model.layers:
        if not isinstance(layer, L.BatchNormalization):
            layer.set_weights([a * (rng.random(a.shape) > share) for a in layer.get_weights()])
    for found, moved in zip(live(model), depends(model, seed), strict=True):
        np.testing.assert_array_equal(found, moved)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 2))
def test_blocks_keep_a_path_too(seed: int, n: int) -> None:
    """Also of a model that already has zeros, where the largest of a block may lead nowhere."""
    model = (
        PruningCompression(method="magnitude", sparsity=0.5, ranking="global")
        .compress(random_model(seed))
        .model
    )
    result = PruningCompression(method="n_m", n=n, m=4).compress(model)
    told = any("cut off" in note for note in result.record.notes)
    assert told != all(end.all() for end in live(result.model))


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000), sparsity=st.sampled_from([0.5, 0.9]))
def test_removing_units_keeps_every_output(seed: int, sparsity: float) -> None:
    result = PruningCompression(sparsity=sparsity, importance="l1", min_units=1).compress(random_model(seed))
    assert all(end.all() for end in live(result.model))


@pytest.mark.parametrize("ranking", ["layer", "global", "fan"])
def test_a_strongly_cut_tagger_keeps_its_five_classes(ranking: str) -> None:
    """Two of five were cut off by the old shares at 0.95, eight of the output layer's 160 weights being left."""
    model = build_mlp(16, (64, 32, 32), 5, seed=0)
    kernel, bias = model.get_layer("output").get_weights()
    kernel[:, :2] *= 0.01
    model.get_layer("output").set_weights([kernel, bias])
    result = PruningCompression(method="magnitude", sparsity=0.95, ranking=ranking).compress(model)
    assert all(end.all() for end in live(result.model))
    kernels = kernels_of(flat(result.model)).values()
    assert sum(np.count_nonzero(kernel) for kernel in kernels) == pytest.approx(0.05 * 4256, abs=1)
    assert result.record.after.weight_sparsity >= 0.95, "some of them may lead nowhere"


def test_more_is_left_than_asked_where_less_would_cut_off() -> None:
    """Five classes behind four layers need eight weights; a share of 0.999 would leave four."""
    result = PruningCompression(method="magnitude", sparsity=0.999).compress(build_mlp(16, (64, 32, 32), 5))
    assert all(end.all() for end in live(result.model))
    assert 8 <= result.record.after.nonzero_weights <= 20
    assert "instead of 0.9991: less would cut outputs off" in result.record.notes[0]


def test_what_a_cut_disconnects_is_named() -> None:
    """A kernel of two blocks: rank 1 keeps only the heavier one."""
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, name="out")])
    kernel = np.zeros((4, 4), np.float32)
    kernel[:2, :2], kernel[2:, 2:] = 1.0, 0.1
    model.get_layer("out").set_weights([kernel, np.zeros(4)])
    notes = LowRankCompression(rank=1).compress(model).record.notes
    assert "output 'out' is cut off: each of the values 2, 3 of 4 depends on no input any more" in notes


def test_low_rank_that_may_choose_cuts_nothing_off() -> None:
    model = keras.Sequential([keras.Input((8,)), L.Dense(8, name="out")])
    kernel = np.zeros((8, 8), np.float32)
    kernel[:4, :4], kernel[4:, 4:] = 1.0, 0.01
    model.get_layer("out").set_weights([kernel, np.zeros(8)])
    result = LowRankCompression(energy=0.9).compress(model)
    assert all(end.all() for end in live(result.model))


def test_weights_that_quantization_rounds_away_are_named() -> None:
    model = keras.Sequential([keras.Input((3,)), L.Dense(2, name="out")])
    model.get_layer("out").set_weights([np.array([[1, 1e-4], [0.5, 1e-4], [0.2, 0]]), np.zeros(2)])
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    result = QuantizationCompression(bits=4, mode="ptq").compress(model, x)
    assert "output 'out' is cut off: value 1 of 2 depends on no input any more" in result.record.notes


def test_a_tap_that_meets_padding_alone_is_no_path() -> None:
    model = keras.Sequential([keras.Input((2, 1)), L.Conv1D(1, 3, padding="same"), L.Flatten(), L.Dense(2)])
    model.layers[0].set_weights([np.array([1.0, 0, 0]).reshape(3, 1, 1), np.zeros(1)])
    model.layers[2].set_weights([np.eye(2), np.zeros(2)])
    assert live(model)[0].tolist() == [False, True]


def test_a_strongest_path_is_one_weight_a_layer() -> None:
    graph = flat(build_mlp(6, (5, 4), 3, seed=2))
    stored = kernels_of(graph)
    ends = [np.array([True, False, False])]
    found = best_paths(graph, {key: np.abs(kernel) for key, kernel in stored.items()}, ends)
    assert [int(mask.sum()) for mask in found.values()] == [1, 1, 1]
    left = {key: kernel * found[key] for key, kernel in stored.items()}
    assert live_outputs(graph, left)[0].tolist() == [True, False, False]


def test_weights_that_lead_nowhere_are_not_useful() -> None:
    model = build_mlp(2, (2,), 1)
    model.get_layer("output").set_weights([np.array([[1.0], [0.0]]), np.zeros(1)])
    graph = flat(model)
    found = useful_weights(graph, kernels_of(graph))
    assert found["fc1", 0].tolist() == [[True, False], [True, False]]
    assert found["output", 0].tolist() == [[True], [False]]


def test_layers_that_are_not_known_pass_everything() -> None:
    model = keras.Sequential([keras.Input((4, 3)), L.LSTM(2), L.Dense(2, name="out")])
    assert live(model)[0].all()
    other = clone(model)
    other.get_layer("out").set_weights([np.array([[1.0, 0], [0, 0]]), np.zeros(2)])
    assert cut_off(model, other) == ("output 'out' is cut off: value 1 of 2 depends on no input any more",)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=5),
    share=st.floats(0, 1),
)
def test_shares_by_fan_use_up_what_there_is(sizes: list[tuple[int, int]], share: float) -> None:
    ranks: Any = {("a", i): np.ones(size) for i, size in enumerate(sizes)}
    whole = sum(rank.size for rank in ranks.values())
    kept = by_fan(ranks, round(share * whole))
    assert abs(sum(kept.values()) - round(share * whole)) <= len(sizes)
    assert all(0 <= kept[key] <= rank.size for key, rank in ranks.items())


def test_cut_outputs_change_nothing_else() -> None:
    """Recovery and refits see the same network as before: a cut of nothing is the network itself."""
    model = random_model(3)
    same = PruningCompression(method="magnitude", sparsity=0).compress(model).model
    for a, b in zip(scores_of(same), scores_of(model), strict=True):
        np.testing.assert_array_equal(a, b)


def scores_of(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(found) for found in keras.tree.flatten(model(batch(model)))]
