"""What the loop cannot take is said before any work, with the layer's name."""

from __future__ import annotations

import keras

from pquant_hls.engine.run import check_model


def test_a_model_inside_the_model_is_taken() -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="inner")
    check_model(inner)
    outer = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])
    check_model(outer)
