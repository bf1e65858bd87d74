"""Figures counted by hand on a model small enough for it."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.compress import (
    DesignCost,
    PruningCompression,
    QuantizationCompression,
    StepRecord,
    account,
    compression_ratio,
    fixed_graph,
    step_class,
    step_from_config,
)
from pquant_hls.errors import SpecError
from pquant_hls.network import model_digest
from pquant_hls.spec.steps import FineTuneConfig, PruneConfig, QuantizeConfig, StepConfig
from tests.helpers import cycles_of

L = keras.layers


def by_hand() -> keras.Model:
    """Inputs of 5 bits; 3 x 2 weights of 4 bits, of which one is 0; biases of 6 bits, one 0."""
    fixed = partial(qkeras.quantized_bits, alpha=1.0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            qkeras.QActivation(fixed(5, 1), name="q"),
            qkeras.QDense(2, kernel_quantizer=fixed(4, 0), bias_quantizer=fixed(6, 1), name="d"),
        ]
    )
    model.get_layer("d").set_weights(
        [np.array([[0.5, 0.375], [-0.625, 0.0], [0.25, 0.75]]), np.array([0.25, 0.0])]
    )
    return model


def test_bits_and_ebops_by_hand() -> None:
    counted = account(by_hand())
    assert (counted.parameters, counted.kernel_weights, counted.nonzero_weights, counted.nonzero) == (
        8,
        6,
        5,
        6,
    )
    assert counted.weight_bits == 5 * 4 + 1 * 6
    assert counted.multiplications == 5
    assert counted.ebops == (1 + 2 + 3 + 1 + 2) * 5
    assert compression_ratio(counted, counted) == 32 * 8 / 26


def test_what_leads_nowhere_is_not_counted() -> None:
    """3 -> 4 -> 2: unit 2 is read by nothing, unit 3 reads nothing and is a constant."""
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, "relu", name="a"), L.Dense(2, name="b")])
    first, second = np.ones((3, 4)), np.ones((4, 2))
    first[:, 3], second[2] = 0, 0
    model.set_weights([first, np.ones(4), second, np.ones(2)])
    counted = account(model)
    assert counted.kernel_weights == 20
    assert counted.nonzero_weights == counted.multiplications == 3 * 2 + 2 * 2
    assert counted.nonzero == 3 * 2 + 2 + 2 * 2 + 2
    assert counted.weight_bits == 32 * counted.nonzero


def test_biases_of_convolutions_go_with_their_filters() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            L.DepthwiseConv2D(2, depth_multiplier=2),
            L.SeparableConv2D(3, 2),
            L.Flatten(),
        ]
    )
    model.build((None, 6, 6, 2))
    arrays = [np.ones(array.shape) for array in model.get_weights()]
    arrays[0][:, :, 1, 0] = 0  # channel 2 of the four that the depthwise convolution makes
    arrays[3][..., 1] = 0  # the second filter
    model.set_weights(arrays)
    counted = account(model)
    assert counted.nonzero_weights == 4 * 3 + 4 * 3 + 3 * 2
    assert counted.nonzero == counted.nonzero_weights + 3 + 2


def test_float_operands_leave_ebops_open(tagger: keras.Model) -> None:
    counted = account(tagger)
    assert counted.ebops is None
    assert counted.weight_bits == 32 * counted.nonzero


def test_every_position_of_a_convolution_counts() -> None:
    model = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(3, 3), L.DepthwiseConv2D(2)])
    assert account(model).multiplications == 16 * (9 * 2 * 3) + 9 * (4 * 3)


def test_ratio_is_measured_not_promised(tagger: keras.Model, data: Any) -> None:
    pruned = PruningCompression(sparsity=0.5, importance="l1").compress(tagger)
    quantized = QuantizationCompression(bits=6, mode="ptq").compress(pruned.model, data)
    bits = quantized.record.after.weight_bits
    assert (
        compression_ratio(pruned.record.before, quantized.record.after)
        == 32 * account(tagger).parameters / bits
    )
    assert quantized.record.parent == pruned.record.child == model_digest(pruned.model)


def test_cycles_are_none_unless_estimated(quantized_tagger: keras.Model) -> None:
    cost = DesignCost()
    blind = PruningCompression(sparsity=0.2, importance="l1").compress(quantized_tagger).record
    seen = PruningCompression(sparsity=0.2, importance="l1", cost=cost).compress(quantized_tagger).record
    assert (blind.before.cycles, blind.after.cycles) == (None, None)
    assert seen.before.cycles == cycles_of(cost(quantized_tagger))
    assert set(seen.after.layer_cycles) >= {"fc1", "fc2", "output"}


def test_graph_holds_the_quantized_integers(quantized_tagger: keras.Model) -> None:
    graph = fixed_graph(quantized_tagger)
    layer = quantized_tagger.get_layer("fc1")
    expected = np.asarray(layer.kernel_quantizer_internal(layer.kernel))
    np.testing.assert_array_equal(graph.node("fc1").arrays["weight"].values, expected)
    assert graph.inputs[0].result.text == "ap_fixed<8,4,AP_RND_CONV,AP_SAT>"
    assert [node.op for node in graph.nodes] == ["input", "dense", "relu", "dense", "relu", "dense"]


def test_record_survives_json(tagger: keras.Model) -> None:
    record = PruningCompression(sparsity=0.5, importance="l1").compress(tagger).record
    assert StepRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize(
    "config", [PruneConfig(sparsity=0.1), QuantizeConfig(bits=4), FineTuneConfig(epochs=1)]
)
def test_recipes_find_their_steps(config: StepConfig) -> None:
    step = step_from_config(config)
    assert step.config == config


def test_unknown_steps_are_refused() -> None:
    with pytest.raises(SpecError, match="step: unknown step, known are"):
        step_class("polish")


def test_a_configuration_of_another_step_is_refused() -> None:
    with pytest.raises(SpecError, match="PruningCompression takes PruneConfig, got QuantizeConfig"):
        PruningCompression(QuantizeConfig())  # type: ignore[arg-type]  # refused is what is tested


def test_every_parameter_has_help_and_a_sound_range() -> None:
    for config in (PruneConfig, QuantizeConfig, FineTuneConfig):
        assert all(field.description for name, field in config.model_fields.items() if name != "step")
        for name, search in config.search_space().items():
            values = search.get("choices") or [search["low"], search["high"]]
            for value in values:
                assert (
                    getattr(config.parse({"step": config.model_fields["step"].default, name: value}), name)
                    == value
                )
