"""The generator: the same for the same seed, and wide enough to hold every construct by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pquant_hls.testing.constructs import CONSTRUCTS, constructs
from pquant_hls.testing.networks import draw, rails, sketch_inputs
from pquant_hls.testing.sketch import Quantizer, Sketch, SketchNode, keras_model

PRECISION = (2.0**-10, -32.0, 32.0 - 2.0**-10)


def test_a_seed_gives_the_same_network_and_the_same_inputs() -> None:
    one, two = draw(11), draw(11)
    assert str(one) == str(two)
    for a, b in zip(keras_model(one).get_weights(), keras_model(two).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(sketch_inputs(one, 20, PRECISION), sketch_inputs(two, 20, PRECISION), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_construct_is_drawn_often_enough() -> None:
    """At least 3 % of networks hold each, so 1,000 hold it 30 times; 300 seeds leave room for chance."""
    found = Counter(name for seed in range(300) for name in constructs(draw(seed)))
    assert {name: found[name] for name in CONSTRUCTS if found[name] < 4} == {}


@pytest.mark.parametrize("seed", range(3))
def test_parts_can_be_left_out(seed: int) -> None:
    left_out = ("nested model", "operator with a constant", "saved as .h5", "an output twice")
    assert not constructs(draw(seed, without=left_out)) & set(left_out)


def test_inputs_reach_the_rails_what_lies_beyond_and_ties() -> None:
    quantizer = Quantizer("quantized_bits", {"bits": 4, "integer": 1, "symmetric": 1, "alpha": 1})
    nodes = (
        SketchNode(0, "Input", (), {"shape": (3,), "name": "x"}),
        SketchNode(1, "QActivation", (0,), {"activation": quantizer}),
    )
    [x] = sketch_inputs(Sketch(0, nodes, (1,)), 2000, PRECISION)
    assert quantizer.grid == (0.25, -1.75, 1.75)
    assert {-1.75, 1.75, -2.0, 2.0, 1.875, -1.875, 0.125, -0.125} <= set(x.ravel().tolist())


def test_inputs_that_nothing_rounds_lie_on_the_ports_grid() -> None:
    nodes = (SketchNode(0, "Input", (), {"shape": (3,), "name": "x"}), SketchNode(1, "Flatten", (0,), {}))
    [x] = sketch_inputs(Sketch(0, nodes, (1,)), 200, PRECISION)
    np.testing.assert_array_equal(x * 1024, np.round(x * 1024))
    assert x.min() >= -32
    assert x.max() < 32


def test_rails_of_an_unsigned_type_lie_beyond_zero_too() -> None:
    found = rails((0.25, 0.0, 3.75))
    assert {-0.125, 3.875, 4.0, 0.0} <= set(found.tolist())


def test_emptied_layers_keep_what_they_say() -> None:
    kernel = Quantizer("quantized_bits", {"bits": 8, "integer": 0, "alpha": 1})
    entry = SketchNode(0, "Input", (), {"shape": (20,), "name": "x"})
    layer = SketchNode(
        1, "QDense", (0,), {"units": 5, "use_bias": False, "kernel_quantizer": kernel}, "zeros"
    )
    assert not np.any(keras_model(Sketch(0, (entry, layer), (1,))).get_weights()[0])
    least = keras_model(Sketch(0, (entry, replace(layer, weights="lsb")), (1,))).get_weights()[0]
    assert 0 < np.abs(np.round(least * 128)).max() <= 3
