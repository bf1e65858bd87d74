"""Looking into models and rebuilding them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network import (
    NewLayer,
    build_mlp,
    calls,
    clone,
    copy_layer,
    has_softmax_head,
    head_of,
    input_shapes,
    layer_table,
    load_model,
    model_digest,
    n_outputs,
    operation,
    rebuild,
)
from pquant_hls.network.graph import Call
from pquant_hls.train import predict

L = keras.layers


def forked() -> keras.Model:
    """Two inputs (given as a dict), a sum, a concatenation, two outputs."""
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x, y = L.Dense(5, activation="relu", name="x")(a), L.Dense(5, name="y")(b)
    total = L.Add(name="sum")([x, y])
    both = L.Concatenate(name="both")([total, y])
    return keras.Model({"a": a, "b": b}, [L.Dense(2, name="one")(both), L.Dense(3, name="two")(total)])


def test_clone_shares_nothing() -> None:
    model = forked()
    copy = clone(model)
    inputs = [np.ones((2, 4), np.float32), np.ones((2, 3), np.float32)]
    before = predict(model, inputs)
    for one, other in zip(before, predict(copy, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
    copy.set_weights([0 * array for array in copy.get_weights()])
    np.testing.assert_array_equal(predict(model, inputs)[0], before[0])


def test_calls_follow_their_inputs() -> None:
    seen: set[str] = set()
    for call in calls(forked()):
        assert set(call.inputs) <= seen
        seen.add(call.name)
    assert seen == {"a", "b", "x", "y", "sum", "both", "one", "two"}


def test_rebuild_exchanges_drops_and_inserts() -> None:
    model = build_mlp(4, (6,), 3)

    def change(call: Call) -> list[NewLayer] | None:
        if call.name == "relu1":
            return []
        if call.name == "features":
            return [NewLayer(L.Rescaling(2.0, name="twice"))]
        return None

    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    (k1, b1), (k2, b2) = model.get_layer("fc1").get_weights(), model.get_layer("output").get_weights()
    logits = (2 * x @ k1 + b1) @ k2 + b2
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    changed = rebuild(model, change)
    assert isinstance(changed, keras.Sequential)
    np.testing.assert_allclose(predict(changed, x)[0], expected, rtol=1e-5)


def test_digest_sees_weights_and_structure_only() -> None:
    model = build_mlp(4, (6,), 3, seed=1, name="one")
    assert model_digest(build_mlp(4, (6,), 3, seed=1, name="two")) == model_digest(model)
    assert model_digest(build_mlp(4, (6,), 3, seed=2)) != model_digest(model)
    wider = rebuild(
        model,
        lambda call: [NewLayer(copy_layer(call.layer, activation="tanh"))] if call.name == "relu1" else None,
    )
    assert model_digest(wider) != model_digest(model)


def test_table_tells_each_layer() -> None:
    rows = {row.name: row for row in layer_table(build_mlp(4, (6,), 3))}
    assert (rows["fc1"].operation, rows["fc1"].parameters, rows["fc1"].units) == ("dense", 30, 6)
    assert rows["fc1"].nonzero == 24
    assert rows["softmax"].activation == "softmax"
    assert rows["relu1"].inputs == ("fc1",)


@pytest.mark.parametrize(("outputs", "head"), [(3, "softmax"), (1, "sigmoid")])
def test_heads_and_shapes(outputs: int, head: str) -> None:
    model = build_mlp(4, (6,), outputs)
    assert (head_of(model), has_softmax_head(model)) == (head, head == "softmax")
    assert (n_outputs(model), input_shapes(model)) == (outputs, ((4,),))


class Own(keras.Model):  # type: ignore[misc]  # Keras has no types
    def call(self, x: Any) -> Any:
        return x


def unbuilt() -> keras.Model:
    return keras.Sequential([L.Dense(3)])


@pytest.mark.parametrize("build", [Own, unbuilt])
def test_models_without_a_graph_are_refused(build: Callable[[], keras.Model]) -> None:
    with pytest.raises(UnsupportedModel, match="without a fixed graph"):
        calls(build())


def test_a_model_inside_the_model_is_read_layer_by_layer() -> None:
    entry = keras.Input((3,))
    found = calls(keras.Model(entry, build_mlp(3, (2,), 2, name="inner")(entry)))
    assert [call.name for call in found[1:]] == ["fc1", "relu1", "output", "softmax"]


def test_foreign_layers_are_unknown() -> None:
    class Dense(keras.layers.Dense):  # type: ignore[misc]  # Keras has no types
        pass

    assert operation(Dense(3)) == "other"
    assert operation(L.Dense(3)) == "dense"


def test_a_copy_keeps_the_upper_bound_that_qkeras_forgets(tmp_path: Path) -> None:
    layer = qkeras.QActivation(qkeras.quantized_relu(6, 2, is_quantized_clip=False, relu_upper_bound=1.5))
    x = np.array([[0.5, 1.4, 3.0]], np.float32)
    wanted = np.asarray(layer(x))
    assert wanted.max() == 1.5
    assert np.array_equal(copy_layer(layer)(x), wanted)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save(tmp_path / "model.keras")
    assert np.array_equal(load_model(tmp_path / "model.keras")(x), wanted)


def test_a_batch_normalized_dense_layer_is_made_of_what_it_writes() -> None:
    layer = qkeras.QDenseBatchnorm(3, kernel_quantizer=qkeras.quantized_bits(6, 0, alpha=1), name="fc")
    made = copy_layer(layer)
    assert (made.units, made.name) == (3, "fc")
