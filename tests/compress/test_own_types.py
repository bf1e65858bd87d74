"""Steps and counts on models whose single values have types of their own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.compress import account
from pquant_hls.compress.channels import trace_channels
from pquant_hls.compress.surgery import remove
from pquant_hls.network import FixedPointQuantizer, keras_predict
from pquant_hls.network.graph import flat
from pquant_hls.network.paths import kernels_of, live_outputs, useful_weights

KERNEL = np.array([[0.5, 0.375, 0.0], [-0.625, 0.0, 0.25], [0.25, 0.75, 0.5]], np.float32)
ENCLOSED = (1 + 2, 2 + 0 + 1, 1 + 2 + 1)
"""Bits from the highest to the lowest of each row's weights, together: 0.625 is 101, so 3 of row 1."""


def bits(width: int, integer: int = 0) -> Any:
    return qkeras.quantized_bits(width, integer, alpha=1)


def dense(units: int, name: str) -> Any:
    return qkeras.QDense(units, kernel_quantizer=bits(4), bias_quantizer=bits(4), name=name)


@pytest.fixture
def model() -> Any:
    """Three inputs of 2, 0 and 5 bits, three sums of which the second keeps nothing, two outputs."""
    first = FixedPointQuantizer([2, 0, 5], 2, True, "RND", "SAT", name="first")
    inner = FixedPointQuantizer([3, 0, 4], 2, [True, True, False], "RND", "SAT", name="inner")
    found = keras.Sequential([keras.Input((3,)), first, dense(3, "a"), inner, dense(2, "b")])
    found.get_layer("a").set_weights([KERNEL, np.array([0.25, 0.5, -0.25])])
    found.get_layer("b").set_weights([np.full((3, 2), 0.5), np.zeros(2)])
    return found


def test_multiplications_count_the_bits_of_their_own_input(model: Any) -> None:
    first = 1 * 2 + (3 + 1) * 0 + (1 + 1) * 5  # the second sum keeps nothing: its weights lead nowhere
    second = 2 * 1 * 3 + 2 * 1 * 0 + 2 * 1 * 4
    assert account(model).ebops == first + second


def test_types_of_channels_count_at_every_place() -> None:
    layers = [FixedPointQuantizer([[1, 2], [3, 6]], 2, True, "RND", "SAT"), dense(1, "a")]
    model = keras.Sequential([keras.Input((2, 2)), *layers])
    model.get_layer("a").set_weights([np.array([[0.5], [0.75]]), np.zeros(1)])
    assert account(model).ebops == 1 * (1 + 3) + 2 * (2 + 6)


def test_what_has_no_bits_is_on_no_path(model: Any) -> None:
    graph = flat(model)
    useful = useful_weights(graph, kernels_of(graph))
    assert useful["a", 0].tolist() == [[True, False, False], [False, False, False], [True, False, True]]
    assert useful["b", 0].tolist() == [[True, True], [False, False], [True, True]]
    silent = FixedPointQuantizer([4, 0], 2, True, "RND", "SAT")
    cut = keras.Sequential([keras.Input((3,)), *model.layers, silent])
    assert [end.tolist() for end in live_outputs(flat(cut), kernels_of(flat(cut)))] == [[True, False]]


def test_removed_units_take_their_types_along(model: Any) -> None:
    x = np.random.default_rng(0).normal(0, 1.5, (200, 3))
    channels = trace_channels(model)
    gone = {int(channels.made["a"][1])}  # the unit of which nothing is kept
    smaller = remove(model, channels, gone)
    assert smaller.get_layer("inner").grid.width.tolist() == [3, 4]
    assert smaller.get_layer("inner").grid.signed.tolist() == [True, False]
    assert np.array_equal(keras_predict(smaller, x), keras_predict(model, x))


def test_one_type_for_all_stays_one() -> None:
    layer = FixedPointQuantizer(4, 2)
    assert layer.kept(np.array([True, False])) == {"width": 4, "integer": 2, "signed": True}
    column = FixedPointQuantizer([[4], [3]], 2)
    assert column.kept(np.array([True, False]))["width"] == [[4], [3]]
