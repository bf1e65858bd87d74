"""Layers left out: what is merged computes the same, what is refitted learns, what cannot go is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.compress import LayerPruning, LowRankCompression
from pquant_hls.compress.bridge import _terms, bridge_of, bridges
from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.network import build_mlp, calls, layer_table, model_digest
from pquant_hls.network.graph import flat
from pquant_hls.train import scores

layers = keras.layers


def randomized(model: keras.Model, seed: int = 5) -> keras.Model:
    """Weights drawn anew, moving variances positive."""
    rng = np.random.default_rng(seed)
    model.set_weights([np.abs(rng.normal(0.4, 0.3, array.shape)) + 0.05 for array in model.get_weights()])
    return model


def names(model: keras.Model) -> list[str]:
    """Layers with units, in their order."""
    return [row.name for row in layer_table(model) if row.units is not None]


def accurate(model: keras.Model, data: Any) -> float:
    return float((scores(model, data.x_val).argmax(axis=1) == data.y_val).mean())


def dense_pair() -> list[Any]:
    return [
        layers.Dense(7, name="a"),
        layers.Dense(4, name="b", activation="relu"),
        layers.Dense(2, name="c"),
    ]


def with_normalization() -> list[Any]:
    norm = [layers.BatchNormalization(name="norm"), layers.Dropout(0.5), layers.Activation("linear")]
    return [
        layers.Dense(7, name="a", use_bias=False),
        *norm,
        layers.Dense(4, name="b", activation="relu"),
        layers.Dense(2, name="c"),
    ]


def strided_then_pointwise() -> list[Any]:
    conv = layers.Conv2D(5, 3, strides=2, padding="same", name="a")
    return [
        conv,
        layers.Conv2D(4, 1, name="b", activation="relu"),
        layers.Flatten(),
        layers.Dense(2, name="c"),
    ]


def pointwise_then_valid() -> list[Any]:
    conv = layers.Conv2D(4, 3, name="b", activation="relu")
    return [layers.Conv2D(5, 1, name="a"), conv, layers.Flatten(), layers.Dense(2, name="c")]


def dense_then_conv() -> list[Any]:
    conv = layers.Conv1D(4, 3, name="b", activation="relu")
    return [layers.Dense(5, name="a"), conv, layers.Flatten(), layers.Dense(2, name="c")]


def pointwise_then_dense() -> list[Any]:
    dense = layers.Dense(4, name="b", activation="relu")
    return [layers.Conv1D(5, 1, name="a"), dense, layers.Flatten(), layers.Dense(2, name="c")]


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        ((8, 3), dense_then_conv),
        ((8, 3), pointwise_then_dense),
        ((6,), dense_pair),
        ((3, 6), dense_pair),
        ((6,), with_normalization),
        ((8, 8, 2), strided_then_pointwise),
        ((8, 8, 2), pointwise_then_valid),
    ],
)
def test_two_linear_layers_become_one_that_computes_the_same(
    shape: tuple[int, ...], make: Callable[[], list[Any]]
) -> None:
    model = randomized(keras.Sequential([keras.Input(shape), *make()]))
    found, record = LayerPruning(dropped_layers=1).compress(model)
    assert names(found) == ["b", "c"]
    assert record.notes == ("a: merged into b, exactly",)
    x = np.random.default_rng(1).standard_normal((50, *shape)).astype(np.float32)
    wanted = np.asarray(model(x))
    np.testing.assert_allclose(np.asarray(found(x)), wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_what_low_rank_made_two_of_becomes_one_again(tagger: keras.Model, data: Any) -> None:
    thin = LowRankCompression(rank=3).compress(tagger).model
    found, record = LayerPruning(dropped_layers=1, layers=("fc1_basis",)).compress(thin)
    assert record.notes == ("fc1_basis: merged into fc1, exactly",)
    np.testing.assert_allclose(scores(found, data.x_val), scores(thin, data.x_val), atol=1e-6)


def test_a_student_with_a_layer_less_learns_what_the_teacher_knows(tagger: keras.Model, data: Any) -> None:
    whole = accurate(tagger, data)
    at_once = LayerPruning(dropped_layers=1, epochs=0).compress(tagger, data)
    taught = LayerPruning(dropped_layers=1, epochs=10, batch_size=64).compress(tagger, data)
    assert len(names(taught.model)) == 2
    assert accurate(at_once.model, data) > whole - 0.1, "least squares alone keep most of it"
    assert accurate(taught.model, data) >= accurate(at_once.model, data)
    assert accurate(taught.model, data) > whole - 0.03
    assert taught.record.figures["distance"] == at_once.record.figures["distance"]
    assert taught.record.figures["val_accuracy"] == pytest.approx(accurate(taught.model, data))


def test_without_labels_it_learns_from_the_teacher_alone(
    tagger: keras.Model, unlabelled: Any, data: Any
) -> None:
    found = LayerPruning(dropped_layers=1, distillation=1, epochs=5, batch_size=64).compress(
        tagger, unlabelled
    )
    assert accurate(found.model, data) > accurate(tagger, data) - 0.1


def test_the_layer_goes_whose_loss_is_felt_least(tagger: keras.Model, data: Any) -> None:
    far = {
        name: LayerPruning(layers=(name,), epochs=0).compress(tagger, data).record.figures["distance"]
        for name in ("fc1", "fc2")
    }
    chosen = LayerPruning(dropped_layers=1, epochs=0).compress(tagger, data).record
    assert chosen.figures["distance"] == min(far.values(), key=lambda one: one or 0.0)
    assert min(far, key=lambda name: far[name] or 0.0) not in chosen.after.units


def test_the_number_counts_from_the_original(tagger: keras.Model, data: Any) -> None:
    step = LayerPruning(dropped_layers=1, reference=("fc1", "fc2", "output"), epochs=0)
    once = step.compress(tagger, data).model
    again = step.compress(once, data)
    assert model_digest(again.model) == model_digest(once)
    assert again.record.notes == ("no layer is left out",)


def test_none_left_out_changes_nothing(tagger: keras.Model, quantized_tagger: keras.Model) -> None:
    for model in (tagger, quantized_tagger):
        found = LayerPruning(dropped_layers=0).compress(model)
        assert model_digest(found.model) == model_digest(model)


def test_how_many_can_go() -> None:
    model = build_mlp(8, (16, 12, 6), 3)
    assert LayerPruning().most(model) == {"dropped_layers": 3}
    assert LayerPruning(exclude=("fc1",)).most(model) == {"dropped_layers": 2}
    assert LayerPruning(reference=("fc2", "output")).most(model) == {"dropped_layers": 1}


def functional(make: Callable[[Any], Any], shape: tuple[int, ...] = (6,)) -> keras.Model:
    entry = keras.Input(shape, name="x")
    return keras.Model(entry, make(entry))


def residual(x: Any) -> Any:
    first = layers.Dense(6, name="first", activation="relu")(x)
    inner = layers.Dense(6, name="inner", activation="relu")(first)
    return layers.Dense(3, name="out")(layers.Add(name="sum")([first, inner]))


def shared(x: Any) -> Any:
    twice = layers.Dense(6, name="twice", activation="relu")
    return layers.Dense(3, name="out")(twice(twice(x)))


def joined(x: Any) -> Any:
    parts = [layers.Dense(4, name=name, activation="relu")(x) for name in ("left", "right")]
    return layers.Dense(3, name="out")(layers.Concatenate(name="both")(parts))


def striding(x: Any) -> Any:
    """A pointwise convolution that leaves every other place out."""
    conv = layers.Conv1D(4, 1, strides=2, name="conv")(x)
    return layers.Dense(3, name="out")(layers.Flatten()(layers.Conv1D(2, 3, name="last")(conv)))


def shrinking(x: Any) -> Any:
    conv = layers.Conv1D(4, 3, name="conv", activation="relu")(x)
    return layers.Dense(3, name="out")(
        layers.Flatten()(layers.Conv1D(2, 1, name="last", activation="relu")(conv))
    )


def then(*made: Any) -> keras.Model:
    return keras.Sequential([keras.Input((8, 2)), *made, layers.Flatten(), layers.Dense(2, name="c")])


@pytest.mark.parametrize(
    ("model", "exact"),
    [
        (then(layers.Conv1D(5, 1, name="a"), layers.Conv1D(4, 3, padding="same", name="b")), False),
        (then(layers.Conv1D(5, 3, padding="same", name="a"), layers.Dense(4, name="b")), False),
        (then(layers.Conv1D(5, 1, name="a"), layers.Conv1D(4, 3, strides=2, name="b")), True),
        (then(layers.Dense(5, name="a", activation="relu"), layers.Dense(4, name="b")), False),
    ],
)
def test_only_what_is_one_linear_map_is_merged(model: keras.Model, exact: bool) -> None:
    graph = flat(model)
    assert bridge_of(graph, graph.uses["a"][0]).exact is exact


@pytest.mark.parametrize(
    ("make", "shape", "name", "why"),
    [
        (residual, (6,), "first", "first: is read by inner, sum"),
        (residual, (6,), "inner", r"inner: its values enter sum \(Add\)"),
        (residual, (6,), "out", "out: makes an output"),
        (shared, (6,), "twice", "twice: is used more than once"),
        (joined, (6,), "left", r"left: its values enter both \(Concatenate\)"),
        (shrinking, (8, 2), "conv", r"conv: changes the positions \(8,\) to \(6,\)"),
        (striding, (8, 2), "conv", r"conv: changes the positions \(8,\) to \(4,\)"),
    ],
)
def test_what_cannot_go_is_refused_by_name(
    make: Callable[[Any], Any], shape: tuple[int, ...], name: str, why: str
) -> None:
    graph = flat(functional(make, shape))
    with pytest.raises(UnsupportedModel, match=why):
        bridge_of(graph, graph.uses[name][0])
    assert name not in [bridge.name for bridge in bridges(graph)]


def test_more_than_can_go_are_refused_with_every_reason() -> None:
    model = functional(residual)
    with pytest.raises(
        UnsupportedModel, match=r"first: is read by.*; inner: its values.*; out: makes an output"
    ):
        LayerPruning(dropped_layers=1).compress(model, (np.zeros((9, 6)), np.zeros(9, int)))


def test_quantized_layers_stay(quantized_tagger: keras.Model, data: Any) -> None:
    with pytest.raises(UnsupportedModel, match=r"fc1: is quantized \(leave layers out before quantizing\)"):
        LayerPruning(dropped_layers=1).compress(quantized_tagger, data)
    assert LayerPruning().most(quantized_tagger) == {"dropped_layers": 0}


def test_a_layer_of_one_of_several_inputs_goes() -> None:
    one, other = keras.Input((4,), name="one"), keras.Input((3,), name="other")
    hidden = layers.Dense(9, name="h1", activation="relu")(one)
    hidden = layers.Dense(5, name="h2", activation="relu")(hidden)
    out = layers.Dense(2, name="out")(layers.Concatenate()([hidden, layers.Dense(4, name="side")(other)]))
    model = keras.Model([one, other], out)
    rng = np.random.default_rng(3)
    x = [rng.standard_normal((300, size)).astype(np.float32) for size in (4, 3)]
    y = np.asarray(model(x)).argmax(axis=1)
    found = LayerPruning(dropped_layers=1, epochs=3).compress(model, {"x_train": x, "y_train": y})
    assert set(names(found.model)) == {"h2", "side", "out"}
    assert float((np.asarray(found.model(x)).argmax(axis=1) == y).mean()) > 0.8


@pytest.mark.parametrize(
    "conv",
    [
        layers.Conv1D(3, 3, padding="same", dilation_rate=2),
        layers.Conv1D(3, 2, strides=2),
        layers.Conv2D(3, (2, 3), padding="same", strides=2),
        layers.Conv2D(3, 3, dilation_rate=2),
    ],
)
def test_the_terms_of_a_convolution_add_up_to_it(conv: Any) -> None:
    shape = (9, 2) if isinstance(conv, layers.Conv1D) else (9, 8, 2)
    model = randomized(keras.Sequential([keras.Input(shape), conv]))
    x = np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32)
    call = calls(model)[-1]
    kernel, bias = call.weights
    wanted = np.asarray(model(x)).reshape(-1, 3)
    found = _terms(call, {call.inputs[0]: x}) @ kernel.reshape(-1, 3) + bias
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_convolution_before_a_pool_and_a_dense_layer_goes() -> None:
    image = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, padding="same", name="c1"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="act"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="out"),
        ]
    )
    x = np.random.default_rng(2).standard_normal((200, 6, 6, 2)).astype(np.float32)
    y = np.asarray(image(x)).argmax(axis=1)
    found, record = LayerPruning(dropped_layers=1, epochs=2).compress(image, (x, y))
    assert [layer.name for layer in found.layers] == ["pool", "flat", "out"]
    assert found.get_layer("out").kernel.shape == (3 * 3 * 2, 4)
    assert record.notes[0].startswith("c1: left out, out refitted")


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"layers": ("fc9",)}, SpecError, "layers: unknown layer"),
        ({"exclude": ("relu1",)}, SpecError, "exclude: unknown layer"),
        ({"dropped_layers": 1}, DataError, "leaving out a layer needs data"),
    ],
)
def test_bad_input_is_told(tagger: keras.Model, settings: dict[str, Any], error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        LayerPruning(**settings).compress(tagger)


def test_a_layer_cannot_both_go_and_stay() -> None:
    with pytest.raises(SpecError, match="'fc1' stands in layers and in exclude"):
        LayerPruning(layers=("fc1",), exclude=("fc1",))
