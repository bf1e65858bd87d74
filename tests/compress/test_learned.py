"""Widths that are trained: their gradient, the designs that come of them, the price, the front."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
import tensorflow as tf

from pquant_hls.compress import DesignCost, FineTuning, PruningCompression, QuantizationCompression, account
from pquant_hls.compress.learned import Front, FrontPoint, Learned
from pquant_hls.compress.learned.elements import LearnedElements
from pquant_hls.compress.learned.price import Steering, ramp_price
from pquant_hls.compress.learned.quantizer import bits_of, bits_shape, enclosed, rounded_at
from pquant_hls.csim import build
from pquant_hls.csim import predict as csim
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.hls import convert
from pquant_hls.lint import lint
from pquant_hls.network import FixedPointQuantizer
from pquant_hls.network.freeze import weights_of
from pquant_hls.network.normal import normal_form
from pquant_hls.qor.fixed import enclosed_bits
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.quantize import Price
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.train import predict

L = keras.layers
SHORT: dict[str, Any] = {"allocation": "learned", "epochs": 30, "batch_size": 250, "learning_rate": 1e-2}


def learner(**settings: Any) -> QuantizationCompression:
    return QuantizationCompression(**{**SHORT, **settings})


@pytest.fixture(scope="module")
def learned(tagger: keras.Model, data: Any) -> Learned:
    return learner(price={"start": 1e-5, "end": 3e-3}).learn(tagger, data)


@pytest.fixture(scope="module")
def elements(tagger: keras.Model, data: Any) -> Learned:
    """Activations, too, learn their bits, one width an element."""
    return learner(price={"start": 1e-5, "end": 3e-3}, activation_granularity="element").learn(tagger, data)


def slope(values: Any, fraction: Any) -> tuple[Any, Any]:
    """Derivatives of the summed rounding error |values - stored|."""
    x, f = tf.constant(values, tf.float32), tf.constant(fraction, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([x, f])
        error = tf.reduce_sum(tf.abs(tf.stop_gradient(x) - rounded_at(x, f)))
    return tuple(map(np.asarray, tape.gradient(error, [x, f])))  # type: ignore[return-value]


def test_bits_have_the_slope_of_the_expected_rounding_error() -> None:
    values = np.linspace(-50, 50, 200_001)

    def expected(fraction: float) -> float:
        step = 2.0**-fraction
        return float(np.abs(np.round(values / step) * step - values).sum())

    wanted = (expected(3.05) - expected(2.95)) / 0.1
    assert float(slope(values, 3.0)[1]) == pytest.approx(wanted, rel=0.02)


def test_values_pass_their_gradient_on() -> None:
    x = tf.constant([0.3, -1.2, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(rounded_at(x, tf.constant([2.0])) * [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(np.asarray(tape.gradient(total, x)), [1, 2, 3])


@pytest.mark.parametrize("granularity", ["weight", "channel", "layer"])
def test_shared_bits_get_the_sum_of_the_slopes(granularity: Any) -> None:
    values = np.random.default_rng(1).normal(0, 1, (5, 3)).astype(np.float32)
    shape = bits_shape(values.shape, granularity)
    single = slope(values, np.full(values.shape, 2.0))[1]
    axes = {"weight": (), "channel": (0,), "layer": (0, 1)}[granularity]
    found = slope(values, np.full(shape, 2.0))[1]
    np.testing.assert_allclose(found, single.sum(axis=axes).reshape(shape), rtol=1e-5)


def test_a_grid_is_idempotent_and_holds_whole_steps() -> None:
    rng = np.random.default_rng(2)
    values, fraction = rng.normal(0, 2, 500).astype(np.float32), rng.uniform(-2, 6, 500).astype(np.float32)
    once = rounded_at(values, fraction)
    np.testing.assert_array_equal(rounded_at(once, fraction), once)
    steps = np.asarray(once) / 2.0 ** -np.round(fraction)
    np.testing.assert_array_equal(steps, np.round(steps))


def test_bits_are_counted_to_the_grid_and_to_the_lowest_one() -> None:
    values = np.array([0, 0.5, 0.75, 3, -2, 0.24], np.float32)
    assert np.asarray(bits_of(values, np.full(6, 2.0, np.float32))).tolist() == [0, 2, 2, 4, 4, 1]
    assert np.asarray(bits_of(values, np.full(6, 0.0, np.float32))).tolist() == [0, 0, 1, 2, 2, 0]
    stored = np.round(np.random.default_rng(3).normal(0, 1, 1000) * 64).astype(np.float32) / 64
    np.testing.assert_array_equal(np.asarray(enclosed(stored)), enclosed_bits(stored.astype(np.float64)))


def test_the_price_of_a_bit_falls_on_widths_and_magnitudes() -> None:
    w, f = tf.constant([0.5, -2.0, 0.01, 1e-4]), tf.constant([3.0, 3.0, 3.0, 14.0])
    with tf.GradientTape() as tape:
        tape.watch([w, f])
        bits = tf.reduce_sum(bits_of(w, f))
    of_weights, of_widths = tape.gradient(bits, [w, f])
    np.testing.assert_array_equal(np.asarray(of_widths), [1, 1, 0, 1])
    np.testing.assert_allclose(np.asarray(of_weights) * np.log(2), [2, -0.5, 0, 64], rtol=1e-6)


@pytest.mark.parametrize("which", ["learned", "elements"])
def test_every_design_computes_what_was_trained(
    which: str, data: Any, request: pytest.FixtureRequest
) -> None:
    found: Learned = request.getfixturevalue(which)
    assert len(found.front.points) > 3
    for point, design in found:
        trained = found.search.twin.model
        for one, other in zip(predict(design, data.x_val), predict(trained, data.x_val), strict=True):
            np.testing.assert_array_equal(one, other)
        counted = account(design).ebops
        assert counted is not None
        assert counted <= point.ebops * (1.0 if which == "learned" else 1.3)  # a batch's ranges
        assert all(finding.severity == "note" for finding in lint(design))


def test_types_of_elements_hold_what_the_data_gives(elements: Learned, data: Any) -> None:
    design = elements.design(elements.front.points[0])
    layers = [layer for layer in design.layers if isinstance(layer, FixedPointQuantizer)]
    assert [layer.name for layer in layers] == ["features_q", "relu1", "relu2"]
    assert all(layer.grid.width.shape == tuple(layer.output.shape[1:]) for layer in layers)
    assert len({int(width) for layer in layers for width in layer.grid.width}) > 2
    inner = keras.Model(design.inputs, [layer.output for layer in layers])
    before = keras.Model(design.inputs, [layer.input for layer in layers])
    inputs = [data.x_train]
    for layer, stored, given in zip(layers, inner(inputs), before(inputs), strict=True):
        frac = (layer.grid.width - layer.grid.integer).astype(float)
        used = layer.grid.width > 0
        step = 2.0**-frac
        cut = np.floor(np.asarray(given, np.float64) / step) * step
        np.testing.assert_array_equal(np.asarray(stored)[:, used], cut[:, used])


def test_the_ends_of_single_types_may_saturate(elements: Learned, data: Any) -> None:
    twin = elements.search.twin
    found = [twin.hardened([data.x_train], end) for end in ("WRAP", "SAT")]
    far = 50 * data.x_val
    wrapped, held = (predict(model, far)[0] for model in found)
    near = [predict(model, data.x_train)[0] for model in found]
    np.testing.assert_array_equal(near[0], near[1])
    assert np.any(wrapped != held)
    assert {layer.grid.saturation for layer in found[1].layers if isinstance(layer, FixedPointQuantizer)} == {
        "SAT"
    }


def test_the_price_of_activations_falls_on_their_bits(elements: Learned) -> None:
    twin = elements.search.twin
    layer = next(layer for layer in twin.model.layers if isinstance(layer, LearnedElements))
    with tf.GradientTape() as tape:
        cost = twin.cost()
    found = np.asarray(tape.gradient(cost, layer.fraction.value))
    term = next(term for term in twin.terms if term.layer.name == "fc1")
    bits = np.asarray(term.kernel.bits(term.layer.kernel)).sum(axis=1)
    np.testing.assert_allclose(found, np.where(np.asarray(layer.used) > 0, bits, 0))


def test_weights_lie_on_the_grids_of_their_layers(learned: Learned) -> None:
    design = learned.design(learned.front.points[0])
    for name in ("fc1", "fc2", "output"):
        for weights, array in zip(
            weights_of(design.get_layer(name)), design.get_layer(name).get_weights(), strict=True
        ):
            assert weights.is_plain
            np.testing.assert_array_equal(weights.values, array)


def test_the_front_rises_and_the_price_prunes(learned: Learned, quantized_tagger: keras.Model) -> None:
    points = learned.front.points
    costs, scores = [point.ebops for point in points], [point.standing for point in points]
    assert costs == sorted(costs)
    assert scores == sorted(scores)
    assert costs[0] < 0.5 * (account(quantized_tagger).ebops or 0)
    assert 0 < account(learned.design(points[0])).nonzero_weights < 8 * 16 + 16 * 12 + 12 * 3


def test_the_step_takes_the_cheapest_within_the_tolerance(learned: Learned) -> None:
    point, _, notes = learned.chosen()
    best = max(each.score for each in learned.front)
    cheaper = [each for each in learned.front if each.ebops < point.ebops]
    assert notes == ()
    assert point.score >= best * (1 - 0.005)
    assert all(each.score < best * (1 - 0.005) for each in cheaper)


def test_a_target_in_ebops_is_reached(tagger: keras.Model, data: Any) -> None:
    found = learner(epochs=80, target={"ebops": 2000}, price=1e-5).learn(tagger, data)
    last = float(found.search.count())
    assert last == pytest.approx(2000, rel=0.3)
    point, design, notes = found.chosen()
    assert notes == ()
    assert 1400 <= (account(design).ebops or 0) <= 2000
    assert point.standing == max(p.standing for p in found.front if p.ebops <= 2000)


def test_a_target_of_the_design_is_measured_on_it(tagger: keras.Model, data: Any) -> None:
    cost = DesignCost(HlsSpec())
    step = learner(epochs=40, target={"lut": 2500}, price=1e-5, cost=cost)
    design, record = step.compress(tagger, data)
    used = cost(design).resources
    assert used is not None
    assert used.lut is not None
    assert used.lut <= 2500
    assert record.figures["best_epoch"] > 0


def test_what_cannot_be_reached_is_said(tagger: keras.Model, data: Any) -> None:
    record = learner(epochs=2, target={"ebops": 1}).compress(tagger, data).record
    assert any("no design on the way took 1 ebops" in note for note in record.notes)


def test_without_labels_and_from_a_pruned_model(tagger: keras.Model, data: Any, unlabelled: Any) -> None:
    pruned = PruningCompression(method="magnitude", sparsity=0.7).compress(tagger, data).model
    step = learner(epochs=6, distillation=1.0, batch_size=50, teacher=tagger)
    design = step.compress(pruned, unlabelled).model
    for name in ("fc1", "fc2", "output"):
        gone = pruned.get_layer(name).get_weights()[0] == 0
        assert np.all(design.get_layer(name).get_weights()[0][gone] == 0)


@pytest.mark.parametrize("share", ["fixed", "channel", "element"])
def test_a_convolution_with_several_outputs(share: str) -> None:
    entry = keras.Input((6, 6, 1), name="image")
    x = L.Conv2D(4, 3, activation="relu", use_bias=False, name="c")(entry)
    x = L.Flatten(name="f")(L.DepthwiseConv2D(2, activation="relu", name="d")(x))
    model = keras.Model(entry, [L.Dense(2, name="kind")(x), L.Dense(1, name="mass")(x)])
    rng = np.random.default_rng(0)
    x_train = rng.standard_normal((200, 6, 6, 1)).astype(np.float32)
    data = SimpleNamespace(
        x_train=x_train, y_train={"kind": rng.integers(2, size=200), "mass": x_train.mean(axis=(1, 2, 3))}
    )
    settings = {"granularity": "channel", "activation_granularity": share}
    found = learner(epochs=3, batch_size=100, price=1e-5, **settings).learn(model, data)
    _, design, _ = found.chosen()
    for one, other in zip(predict(design, x_train), predict(found.search.twin.model, x_train), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.gxx
@pytest.mark.slow
@pytest.mark.parametrize("which", ["learned", "elements"])
def test_firmware_computes_a_learned_design(
    which: str, data: Any, tmp_path: Path, csim_cache: Path, request: pytest.FixtureRequest
) -> None:
    """csim, bit for bit."""
    found: Learned = request.getfixturevalue(which)
    design = found.design(found.front.points[0])
    outputs = csim(build(convert(design, HlsSpec(), tmp_path / "project"), cache=csim_cache), data.x_val)
    np.testing.assert_array_equal(outputs, predict(normal_form(design, keep_softmax=False), data.x_val)[0])


def test_training_goes_on_from_a_learned_design(learned: Learned, data: Any) -> None:
    """Weights grow beyond the range of the quantizers that they began with, and nothing clips them afterwards."""
    designs = [design for _, design in learned]
    layers = [design.get_layer(name) for design in designs for name in ("fc1", "fc2", "output")]
    for layer in layers:
        kernel = layer.kernel.value
        np.testing.assert_allclose(layer.kernel_constraint(kernel), kernel, rtol=2e-2)
    tuned = FineTuning(epochs=1).compress(designs[0], data).model
    assert account(tuned).nonzero_weights <= account(designs[0]).nonzero_weights


@pytest.mark.parametrize(
    "settings", [{"mode": "ptq"}, {**SHORT, "epochs": 2, "activation_granularity": "channel"}]
)
def test_types_of_elements_make_way_for_new_ones(
    elements: Learned, data: Any, settings: dict[str, Any]
) -> None:
    before = elements.design(elements.front.points[-1])
    after = QuantizationCompression(**settings).compress(before, data).model
    quantizers = [
        layer for layer in after.layers if isinstance(layer, FixedPointQuantizer | qkeras.QActivation)
    ]
    assert len(quantizers) == 3
    assert after.get_layer("fc1").kernel.shape == before.get_layer("fc1").kernel.shape


def test_only_what_is_not_beaten_is_kept() -> None:
    front = Front()
    for score, ebops in ((0.7, 100), (0.8, 200), (0.75, 300), (0.8, 150), (0.6, 100), (0.9, 400)):
        front.add(FrontPoint((0.0, score), ebops, 1, []))
    assert [(point.score, point.ebops) for point in front] == [(0.7, 100), (0.8, 150), (0.9, 400)]
    assert front.cheapest(0.2).ebops == 150
    assert front.cheapest(0.0).ebops == 400


def test_floors_come_before_the_score() -> None:
    front = Front([FrontPoint((-0.1, 0.9), 100, 1, []), FrontPoint((0.0, 0.8), 200, 2, [])])
    assert front.cheapest(0.5).ebops == 200


def test_a_ramp_rises_by_equal_factors() -> None:
    price = Price(start=1e-6, end=1e-2)
    assert ramp_price(price, 0.0) == ramp_price(price, 0.1) == pytest.approx(1e-6)
    assert ramp_price(price, 0.55) == pytest.approx(1e-4)
    assert ramp_price(price, 1.0) == pytest.approx(1e-2)
    assert ramp_price(Price.parse({"start": 3e-5, "end": 3e-5}), 0.7) == pytest.approx(3e-5)


def test_the_controller_brings_a_sluggish_cost_to_its_target() -> None:
    """A cost that follows the price with a delay, as that of a network does."""
    steering = Steering(1000.0, price=1e-6)
    cost, price, epochs = 50_000.0, 1e-6, 500
    for epoch in range(1, epochs + 1):
        price = steering.after(cost, epoch / epochs)
        cost += 0.2 * (50_000 / (1 + price / 1e-6) - cost)
    assert cost == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "where", "words"),
    [
        ({"target": {"lut": 10, "ns": 5}}, "target", "one of ebops, lut and ns, got lut, ns"),
        ({"target": {}}, "target", "got none"),
        ({"target": {"dsp": 3}}, "target.dsp", "ebops, lut, ns"),
        ({"target": {"ebops": -1}}, "target.ebops", "greater than 0"),
        ({"price": {"start": 1e-3, "end": 1e-5}}, "price", "a price rises"),
        ({"price": 0}, "price.start", "greater than 0"),
        ({"granularity": "bit"}, "granularity", "weight"),
        ({"mode": "ptq"}, None, "mode='ptq'"),
        ({"epochs": 0}, None, "epochs=0"),
        ({"patience": 3}, None, "patience=3"),
        ({"kernel": "ternary"}, None, "ternary"),
        ({"layers": {"fc1": 3}}, None, "layers"),
    ],
)
def test_bad_settings_are_refused_by_their_path(
    settings: dict[str, Any], where: str | None, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        QuantizeConfig.parse({"allocation": "learned", **settings})
    assert caught.value.where == where
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "name", ["granularity", "activation_granularity", "overflow", "price", "target", "tolerance"]
)
def test_words_of_learning_belong_to_it(name: str) -> None:
    words = {"granularity": "layer", "overflow": "saturate", "activation_granularity": "element"}
    given = {**words, "price": 1e-5, "target": {"lut": 5}, "tolerance": 0.1}[name]
    with pytest.raises(SpecError, match=f"{name} belongs to allocation 'learned'"):
        QuantizeConfig.parse({name: given})


def test_one_design_has_no_front(tagger: keras.Model, data: Any) -> None:
    with pytest.raises(SpecError, match="set it to learned"):
        QuantizationCompression().learn(tagger, data)


def test_a_model_without_weights_is_refused(data: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), L.ReLU(name="r")])
    with pytest.raises(UnsupportedModel):
        learner().learn(model, data)
