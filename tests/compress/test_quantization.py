"""Bits, integer bits, folding, sensitivity, the guard on sums."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.compress import QuantizationCompression, fold_batchnorm
from pquant_hls.compress.calibration import integer_bits, reaching
from pquant_hls.compress.guard import guarded, overflows
from pquant_hls.compress.rewritten import separated
from pquant_hls.compress.sensitivity import Sensitivity, spend
from pquant_hls.errors import DataError, SpecError, UnsupportedModel
from pquant_hls.lint import errors, lint
from pquant_hls.network import calls, layer_table, operation
from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.types import sum_types, tensor_types
from pquant_hls.qor import FixedType
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.train import evaluate, predict, scores
from tests.helpers import known

L = keras.layers


def widths(model: keras.Model) -> dict[str, int]:
    return {
        call.name: call.layer.kernel_quantizer_internal.bits
        for call in calls(model)
        if operation(call.layer) == "dense"
    }


def test_every_number_gets_a_type(quantized_tagger: keras.Model) -> None:
    kinds = tensor_types(quantized_tagger)
    assert [name for name, kind in kinds.items() if kind is None] == ["features", "softmax"]
    rows = {row.name: row for row in layer_table(quantized_tagger)}
    assert known(rows["features_q"].activation).startswith("quantized_bits(8")
    assert known(rows["relu1"].activation).startswith("quantized_relu(6")
    assert widths(quantized_tagger) == {"fc1": 6, "fc2": 6, "output": 6}


def test_wide_quantization_changes_little(tagger: keras.Model, data: Any) -> None:
    wide = QuantizationCompression(bits=14, mode="ptq").compress(tagger, data).model
    np.testing.assert_allclose(scores(wide, data.x_val), scores(tagger, data.x_val), atol=0.02)


def test_training_helps_at_few_bits(tagger: keras.Model, data: Any) -> None:
    ptq = QuantizationCompression(bits=2, mode="ptq").compress(tagger, data).model
    qat = (
        QuantizationCompression(bits=2, epochs=4, batch_size=64, learning_rate=3e-3)
        .compress(tagger, data)
        .model
    )
    assert (
        evaluate(qat, data.x_val, data.y_val)["accuracy"] > evaluate(ptq, data.x_val, data.y_val)["accuracy"]
    )


def test_fewer_bits_start_from_the_same_weights(quantized_tagger: keras.Model, data: Any) -> None:
    again = QuantizationCompression(bits=4, mode="ptq").compress(quantized_tagger, data).model
    assert widths(again) == {"fc1": 4, "fc2": 4, "output": 4}
    assert [layer.name for layer in again.layers] == [layer.name for layer in quantized_tagger.layers]
    for name in widths(again):
        for one, other in zip(
            again.get_layer(name).get_weights(), quantized_tagger.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_single_layers_have_their_own_width(tagger: keras.Model, data: Any) -> None:
    step = QuantizationCompression(
        bits=5, layers={"fc2": 3}, activations={"relu1": 4}, input_bits=7, mode="ptq"
    )
    model = step.compress(tagger, data).model
    assert widths(model) == {"fc1": 5, "fc2": 3, "output": 5}
    bits = {row.name: str(row.activation) for row in layer_table(model) if row.kind == "QActivation"}
    assert bits["relu1"].startswith("quantized_relu(4")
    assert bits["relu2"].startswith("quantized_relu(5")
    assert bits["features_q"].startswith("quantized_bits(7")


@pytest.mark.parametrize("kernel", ["binary", "ternary"])
def test_binary_and_ternary_weights(kernel: str, tagger: keras.Model, data: Any) -> None:
    result = QuantizationCompression(kernel=kernel, mode="ptq").compress(tagger, data)
    assert type(result.model.get_layer("fc1").kernel_quantizer_internal).__name__ == kernel
    biases = 31 * 6
    per_weight = {"binary": 1, "ternary": 2}[kernel]
    assert result.record.after.weight_bits <= per_weight * result.record.after.nonzero_weights + biases


@given(st.floats(1e-3, 1e3), st.integers(2, 16), st.booleans())
def test_max_calibration_holds_the_largest_value(top: float, bits: int, signed: bool) -> None:
    integer = reaching(top, bits, signed=signed)
    kind = FixedType(bits, integer + int(signed), signed, "RND_CONV", "SAT")
    assert abs(float(kind.quantize(np.array(top))) - top) <= kind.lsb / 2 * (1 + 1e-9)


@pytest.mark.parametrize("calibration", ["mse", "percentile", "max"])
def test_calibrations_differ_in_outliers_only(calibration: str) -> None:
    values = np.concatenate([np.random.default_rng(0).normal(0, 0.4, 10_000), [3.0]])
    found = integer_bits(values, 6, QuantizeConfig(calibration=calibration, percentile=99), signed=True)
    assert found == (2 if calibration == "max" else 1)


def normalised(order: str) -> keras.Model:
    """BatchNormalization behind a layer, before one, and behind convolutions."""
    if order == "conv":
        entry = keras.Input((6, 6, 2))
        x = L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(entry))
        x = L.ReLU()(L.BatchNormalization()(L.Conv2D(3, 3, use_bias=False)(x)))
        return keras.Model(entry, L.Dense(2)(L.Flatten()(x)))
    x = entry = keras.Input((5,))
    for _ in range(2):
        x = L.Dense(6)(x)
        x = (
            L.BatchNormalization()(x)
            if order == "behind"
            else L.BatchNormalization()(L.Activation("relu")(x))
        )
        x = L.Activation("relu")(x) if order == "behind" else x
    return keras.Model(entry, L.Dense(2, use_bias=order == "behind")(x))


@pytest.mark.parametrize("order", ["behind", "before", "conv"])
def test_batchnorm_is_folded_exactly(order: str) -> None:
    from tests.compress.random_graphs import batch, randomise

    model = normalised(order)
    randomise(model, 5)
    folded = fold_batchnorm(model)
    assert not [call for call in calls(folded) if operation(call.layer) == "batchnorm"]
    for one, other in zip(predict(model, batch(model, 64)), predict(folded, batch(model, 64)), strict=True):
        np.testing.assert_allclose(other, one, atol=2e-6 * max(1.0, np.abs(one).max()), rtol=0)


def test_batchnorm_that_no_kernel_takes_in_becomes_a_scale() -> None:
    entry = keras.Input((6, 6, 2))
    x = L.BatchNormalization(name="odd")(L.ReLU()(L.Conv2D(3, 3, padding="same")(entry)))
    model = keras.Model(entry, L.Conv2D(2, 3, padding="same")(x))
    for variable in model.get_layer("odd").weights:
        variable.assign(np.random.default_rng(1).uniform(0.5, 2.0, variable.shape))
    folded = fold_batchnorm(model)
    assert isinstance(folded.get_layer("odd"), FixedPointScale)
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-4, atol=1e-4)


def test_sums_never_leave_their_type(quantized_tagger: keras.Model) -> None:
    """Inputs at both ends of their range, in every combination that makes a sum largest."""
    kernel = quantized_tagger.get_layer("fc1").get_weights()[0]
    extreme = np.concatenate([np.sign(kernel.T), -np.sign(kernel.T)]).astype(np.float32) * 1e3
    assert overflows(quantized_tagger, [extreme]) == []
    kinds = sum_types(quantized_tagger)
    narrow = {name: FixedType(kind.width - 3, kind.integer - 3) for name, kind in kinds.items()}
    assert "fc1" in {found.layer for found in overflows(quantized_tagger, [extreme], narrow)}


def test_the_guard_stops_a_model_whose_sums_overflow(quantized_tagger: keras.Model, data: Any) -> None:
    with pytest.raises(UnsupportedModel, match=r"fc1: .* sums between"):
        guarded(quantized_tagger, [data.x_val], {"fc1": FixedType(4, 2)})


def test_sums_too_wide_for_keras_are_told(tagger: keras.Model, data: Any) -> None:
    notes = QuantizationCompression(bits=16, mode="ptq").compress(tagger, data).record.notes
    assert any("exceed float32's 24" in note for note in notes)


def test_sensitivity_spends_no_more_than_uniform_bits(tagger: keras.Model, data: Any) -> None:
    uniform = QuantizationCompression(bits=4, mode="ptq").compress(tagger, data)
    spent = QuantizationCompression(bits=4, mode="ptq", allocation="sensitivity", layers={"fc2": 3}).compress(
        tagger, data
    )
    assert known(spent.record.after.ebops) <= known(uniform.record.after.ebops)
    assert widths(spent.model)["fc2"] == 3
    assert "EBOPs" in spent.record.notes[0]


def test_bits_go_where_they_are_felt() -> None:
    """Two layers of equal cost, one of them ten times as sensitive."""
    span = range(2, 9)
    losses = {
        ("weights", "a"): {b: 10 * 4.0**-b for b in span},
        ("weights", "b"): {b: 4.0**-b for b in span},
        ("activations", "x"): dict.fromkeys(span, 0.0),
    }
    cost = {name: {b: 100 * b for b in span} for name in "ab"}
    measured = Sensitivity(losses, cost, {"a": "x", "b": "x"})
    uniform = dict.fromkeys(losses, 5)
    found = spend(measured, uniform, {("activations", "x")})
    assert found["weights", "a"] > found["weights", "b"]
    assert measured.ebops(found) <= measured.ebops(uniform)


@pytest.mark.parametrize(
    ("settings", "where"),
    [({"bits": 1}, "bits"), ({"bits": 17}, "bits"), ({"layers": {"a": 1}}, "layers.a"), ({"bit": 3}, "bit")],
)
def test_widths_out_of_range_are_named(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(SpecError) as caught:
        QuantizationCompression(**settings)
    assert caught.value.where == where


def test_a_layer_without_a_quantized_twin_is_named(data: Any) -> None:
    model = keras.Sequential(
        [keras.Input((8,)), L.Dense(4), L.UnitNormalization(axis=0, name="odd"), L.Dense(3)]
    )
    with pytest.raises(UnsupportedModel, match="odd: a UnitNormalization has no exact"):
        QuantizationCompression(bits=6).compress(model, data)


@pytest.mark.parametrize(
    "activation",
    [
        L.ReLU(max_value=6.0),
        L.ReLU(negative_slope=0.1),
        L.ReLU(threshold=0.5),
        L.PReLU(),
        L.Activation("gelu"),
        L.Activation("sigmoid"),
    ],
    ids=["bounded", "leaky", "above a threshold", "a slope each", "gelu", "sigmoid"],
)
def test_other_functions_become_what_firmware_holds_exactly(activation: Any, data: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), L.Dense(4), activation, L.Dense(3)])
    made = QuantizationCompression(bits=8, mode="ptq").compress(model, data).model
    assert errors(lint(made)) == []
    x = data.x_val[:200]
    apart = np.abs(np.asarray(made(x)) - np.asarray(model(x)))
    assert apart.mean() < 0.05 * np.asarray(model(x)).std()


@pytest.mark.parametrize(
    "activation",
    ["quantized_relu(6, 2, negative_slope=0.25)", "quantized_relu_po2(4)"],
)
def test_quantizers_that_hls4ml_gets_wrong_are_named(activation: str, data: Any) -> None:
    model = keras.Sequential(
        [keras.Input((8,)), L.Dense(4), qkeras.QActivation(activation, name="odd"), L.Dense(3)]
    )
    with pytest.raises(UnsupportedModel, match=r"odd: activation 'quantized_.*' has no exact quantized twin"):
        QuantizationCompression(bits=6).compress(model, data)


@pytest.mark.parametrize("more", [{"layers": {"fc1": 4}}, {"allocation": "sensitivity"}])
def test_binary_weights_have_one_width(more: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="a binary kernel has one width"):
        QuantizationCompression(kernel="binary", **more)


def test_widths_of_layers_without_weights_are_refused(tagger: keras.Model, data: Any) -> None:
    with pytest.raises(SpecError, match="layers: unknown layer"):
        QuantizationCompression(layers={"relu1": 4}).compress(tagger, data)


def image_model() -> keras.Model:
    """Separable convolution, pooling by mean, names that C++ would not take."""
    entry = keras.Input((6, 6, 2))
    x = L.SeparableConv2D(4, 3, activation="relu", depth_multiplier=2, name="sep.conv")(entry)
    x = L.GlobalAveragePooling2D(name="2nd")(x)
    return keras.Model(entry, L.Dense(3, name="out")(x))


def test_convolutions_are_quantized_whole() -> None:
    from types import SimpleNamespace

    from tests.compress.random_graphs import batch, randomise

    model = image_model()
    randomise(model, 1)
    inputs = batch(model, 200)
    sample = SimpleNamespace(x_train=inputs[0], y_train=None)
    result = QuantizationCompression(bits=12, mode="ptq").compress(model, sample)
    assert [
        call.name for call in calls(result.model) if operation(call.layer) in ("conv", "depthwise_conv")
    ] == [
        "sep_conv_depthwise",
        "sep_conv",
    ]
    assert "l_2nd" in [call.name for call in calls(result.model)]
    wanted = predict(model, inputs)[0]
    np.testing.assert_allclose(predict(result.model, inputs)[0], wanted, atol=0.02 * np.abs(wanted).max())
    assert known(result.record.after.ebops) > 0


def test_calibration_needs_inputs(tagger: keras.Model) -> None:
    with pytest.raises(DataError, match="calibration needs inputs"):
        QuantizationCompression(bits=6).compress(tagger)


@pytest.mark.parametrize("seed", [0, 5, 7])
def test_what_the_step_emits_passes_the_linter(seed: int) -> None:
    """Depthwise with a multiplier, separable in one dimension, averages: written out, then quantized."""
    from types import SimpleNamespace

    from pquant_hls.lint import lint
    from tests.compress.random_graphs import batch, random_model

    model = random_model(seed)
    inputs = batch(model, 100)
    for one, other in zip(predict(model, inputs), predict(separated(model), inputs), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6 * max(1.0, np.abs(one).max()))
    sample = SimpleNamespace(x_train=inputs if len(inputs) > 1 else inputs[0], y_train=None)
    made = QuantizationCompression(bits=6, mode="ptq").compress(model, sample).model
    assert [found for found in lint(made) if found.severity != "note"] == []


def test_relus_of_small_values_keep_integer_bits_of_zero(data: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), L.Dense(4, activation="relu", name="d"), L.Dense(3)])
    model.get_layer("d").set_weights([0.01 * array for array in model.get_layer("d").get_weights()])
    made = QuantizationCompression(bits=8, mode="ptq").compress(model, data).model
    assert made.get_layer("d_relu").activation.integer == 0
