"""What the loop cannot take is said before any work, with the layer's name."""

from __future__ import annotations

import keras
import pytest

from pquant_hls.engine.run import check_model
from pquant_hls.errors import UnsupportedModel


def test_a_model_inside_the_model_is_named() -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="inner")
    check_model(inner)
    outer = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])
    with pytest.raises(UnsupportedModel, match=r"inner: is a model inside the model \(put its layers"):
        check_model(outer)
