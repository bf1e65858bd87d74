"""Operators on tensors and layers used twice: one reading, which every room understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.compress import (
    LowRankCompression,
    PruningCompression,
    QuantizationCompression,
    account,
    tensor_types,
)
from pquant_hls.csim import build
from pquant_hls.csim import predict as csim
from pquant_hls.hls import convert
from pquant_hls.lint import lint
from pquant_hls.network import calls, clone, keras_predict, load_model, model_digest, rebuild, save_model
from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.graph import topology
from pquant_hls.spec import HlsSpec
from pquant_hls.train import predict

L = keras.layers


def randomised(model: keras.Model, seed: int = 5) -> keras.Model:
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.6, array.shape).astype(np.float32) for array in model.get_weights()])
    return model


def shared() -> keras.Model:
    """Two inputs by name through one layer and one activation, joined by operators, two outputs by name."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    first, relu, second = L.Dense(6, name="first"), L.ReLU(name="relu"), L.Dense(6, name="second")
    x, y = relu(first(a)), relu(first(b))
    z = second(x) + y
    ends = {"kind": L.Dense(3, name="kind")(z), "mass": L.Dense(1, name="mass")(x - y)}
    return randomised(keras.Model({"b": b, "a": a}, ends))


@pytest.fixture
def inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(50, 4)).astype(np.float32) for _ in range(2)]


def same(one: keras.Model, other: keras.Model, inputs: list[np.ndarray], atol: float = 0.0) -> None:
    for x, y in zip(predict(one, inputs), predict(other, inputs), strict=True):
        np.testing.assert_allclose(x, y, atol=atol, rtol=0)


def test_every_use_of_a_layer_is_a_call() -> None:
    table = {call.output: call for call in calls(shared())}
    assert {"first", "first/2", "relu", "relu/2"} < set(table)
    assert {table["relu"].inputs, table["relu/2"].inputs} == {("first",), ("first/2",)}
    kinds = {call.kind for call in table.values()}
    assert {"ops.Add", "ops.Subtract"} < kinds


def test_a_topology_knows_who_reads_and_who_makes() -> None:
    graph = topology(shared())
    assert [call.name for call in graph.uses["first"]] == ["first", "first"]
    assert {call.kind for call in graph.consumers("relu")} <= {"Dense", "ops.Add", "ops.Subtract"}
    add = next(call for call in graph.calls if call.kind == "ops.Add")
    assert {source.name for source in graph.sources(add)} == {"second", "relu"}
    assert graph.producer("first/2").inputs[0] in graph.inputs


def test_a_clone_shares_what_the_original_shares(inputs: list[np.ndarray], tmp_path: Path) -> None:
    model = shared()
    copy = clone(model)
    assert (set(copy.input), set(copy.output)) == ({"a", "b"}, {"kind", "mass"})
    assert len(copy.get_weights()) == len(model.get_weights())
    assert model_digest(copy) == model_digest(model)
    same(copy, model, inputs)
    again = load_model(save_model(copy, tmp_path / "model.keras"))
    assert model_digest(again) == model_digest(model)


def test_constants_of_operators_count_in_the_digest() -> None:
    def scaled(by: float) -> keras.Model:
        entry = keras.Input((3,), name="x")
        end = entry * by
        end._keras_history.operation.name = "scaled"
        return keras.Model(entry, end)

    assert model_digest(scaled(2.0)) == model_digest(scaled(2.0))
    assert model_digest(scaled(2.0)) != model_digest(scaled(3.0))
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(predict(clone(scaled(3.0)), x)[0], 3 * x)


def test_a_shared_layer_is_asked_for_once_and_stays_one() -> None:
    asked = []
    rebuild(shared(), lambda call: asked.append(call.name))
    assert sorted(asked) == sorted(set(asked))


def test_weights_count_once_and_multiplications_each_time() -> None:
    counted = account(shared())
    assert counted.parameters == (4 + 1) * 6 + (6 + 1) * 6 + (6 + 1) * 3 + (6 + 1)
    assert counted.multiplications == 2 * 24 + 36 + 18 + 6


def test_pruning_cuts_every_use_alike(inputs: list[np.ndarray]) -> None:
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(shared()).model
    assert smaller.get_layer("first").units == smaller.get_layer("second").units == 3
    assert predict(smaller, inputs)[0].shape == (50, 3)


def test_pruning_dead_units_changes_nothing(inputs: list[np.ndarray]) -> None:
    model = shared()
    for name in ("first", "second"):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[:, ::2], bias[::2] = 0, 0
        model.get_layer(name).set_weights([kernel, bias])
    data = {"x_train": inputs}
    smaller = PruningCompression(sparsity=0.5, importance="taylor").compress(model, data).model
    assert smaller.get_layer("first").units == 3
    same(smaller, model, inputs, atol=1e-6)


def test_a_factor_for_each_channel_goes_with_its_channel() -> None:
    entry = keras.Input((4,))
    model = keras.Model(entry, L.Dense(2)(L.Dense(4, name="first")(entry) * np.arange(4, dtype=np.float32)))
    kernel = np.array([[1, 0, 9, 8]] * 4, np.float32)
    model.get_layer("first").set_weights([kernel, np.zeros(4)])
    smaller = PruningCompression(sparsity=0.5, importance="l1").compress(model).model
    scale = next(layer for layer in smaller.layers if isinstance(layer, FixedPointScale))
    np.testing.assert_array_equal(scale.scales, [2, 3])
    assert LowRankCompression(rank=1).compress(model).record.notes


def test_low_rank_factorizes_a_shared_layer_once(inputs: list[np.ndarray]) -> None:
    model = shared()
    left, sizes, right = np.linalg.svd(model.get_layer("first").get_weights()[0])
    model.get_layer("first").kernel.assign((left[:, :2] * sizes[:2]) @ right[:2])
    thin = LowRankCompression(layers={"first": 2}, exclude=("second", "kind", "mass")).compress(model).model
    assert thin.get_layer("first_basis").units == 2
    same(thin, model, inputs, atol=1e-5)


def test_a_normalization_shared_with_its_layer_is_folded(inputs: list[np.ndarray]) -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense, norm = L.Dense(5, name="d"), L.BatchNormalization(name="n")
    model = keras.Model([a, b], L.Dense(2)(norm(dense(a)) + norm(dense(b))))
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.3, 0.9, array.shape) for array in model.get_weights()])
    from pquant_hls.compress import fold_batchnorm

    folded = fold_batchnorm(model)
    assert "n" not in {call.name for call in calls(folded)}
    same(folded, model, inputs, atol=1e-5)


def test_a_normalization_on_one_use_of_a_layer_stays_out_of_it(inputs: list[np.ndarray]) -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense = L.Dense(5, name="d")
    model = keras.Model([a, b], L.ReLU()(L.BatchNormalization(name="n")(dense(a))) + dense(b))
    from pquant_hls.compress import fold_batchnorm

    folded = fold_batchnorm(model)
    assert isinstance(folded.get_layer("n"), FixedPointScale)
    same(folded, model, inputs, atol=1e-5)


@pytest.fixture(scope="module")
def quantized() -> Any:
    rng = np.random.default_rng(0)
    data = {"x_train": [rng.normal(size=(300, 4)).astype(np.float32) for _ in range(2)]}
    return QuantizationCompression(bits=6, mode="ptq").compress(shared(), data)


def test_quantization_keeps_the_sharing(quantized: Any) -> None:
    uses = topology(quantized.model).uses
    assert (len(uses["first"]), len(uses["relu"])) == (2, 2)
    assert isinstance(uses["first"][0].layer, qkeras.QDense)
    kinds = tensor_types(quantized.model)
    assert all(kinds[name] is not None for name in ("first", "first/2", "kind", "mass"))
    assert quantized.record.after.ebops is not None


@pytest.mark.gxx
def test_the_firmware_of_a_shared_layer_computes_what_keras_does(
    quantized: Any, inputs: list[np.ndarray], tmp_path: Path, csim_cache: Path
) -> None:
    """Lint, conversion and csim of the quantized model: equal in every bit."""
    assert {found.severity for found in lint(quantized.model)} <= {"note"}
    library = build(convert(quantized.model, HlsSpec(), tmp_path / "project"), cache=csim_cache)
    for one, other in zip(csim(library, inputs), keras_predict(quantized.model, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
