"""hls4ml's layers: which operation each is, read from an object that answers as hls4ml's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import SpecError
from pquant_hls.hls import LayerRule, register_layer
from pquant_hls.hls.layers import row_of
from pquant_hls.qor import OPS, FixedType


class Layer:
    """A layer of a ModelGraph: its class and its attributes."""

    def __init__(self, class_name: str, **attrs: Any) -> None:
        self.class_name, self._attrs = class_name, attrs

    def get_attr(self, name: str, default: Any = None) -> Any:
        return self._attrs.get(name, default)


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (Layer("PointwiseConv2D"), "conv2d"),
        (Layer("ApplyAlpha"), "batchnorm"),
        (Layer("Activation", activation="ReLU"), "relu"),
        (Layer("ParametrizedActivation", activation="leakyrelu"), "leaky_relu"),
        (Layer("HardActivation", activation="hard_tanh"), "hard_tanh"),
        (Layer("Activation", activation="swish"), "other"),
        (Layer("Merge", op="Maximum"), "maximum"),
        (Layer("Merge", op="dot1d"), "other"),
        (Layer("Pooling1D", pool_op="Average"), "average_pooling1d"),
        (Layer("GlobalPooling2D", pool_op="Max"), "global_max_pooling2d"),
        (Layer("BatchNormalizationQuantizedTanh", quantize=3), "ternary_tanh"),
        (Layer("BatchNormalizationQuantizedTanh", quantize=2), "other"),
        (Layer("GarNet"), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.class_name,
)
def test_a_layer_is_read_by_its_class_and_function(layer: Layer, op: str) -> None:
    assert row_of(layer).op == op
    assert op in OPS


def test_attributes_and_kernels_are_read_by_the_row() -> None:
    row = row_of(Layer("DepthwiseConv2D"))
    layer = Layer(
        "DepthwiseConv2D",
        **dict.fromkeys(("pad_left", "pad_right", "pad_top", "dilation_width"), 1),
        pad_bottom=0,
        stride_width=3,
        stride_height=2,
        filt_width=3,
        filt_height=2,
        n_chan=4,
    )
    attrs = {"strides": [2, 3], "padding": [[1, 0], [1, 1]], "dilation": [1, 1]}
    assert row.attrs(layer) == attrs
    assert row.weights(layer, np.zeros(24)).shape == (2, 3, 4, 1)


def test_a_missing_number_has_a_default_and_a_zero_is_a_number() -> None:
    ternary = row_of(Layer("TernaryTanh"))
    assert ternary.attrs(Layer("TernaryTanh")) == {"threshold": 0.5}
    assert ternary.attrs(Layer("TernaryTanh", threshold=0.0)) == {"threshold": 0.0}


@pytest.mark.parametrize(("word", "ends"), [("sigmoid", (0, 255)), ("tanh", (-256, 255))])
def test_tables_cover_the_range_of_hls4ml(word: str, ends: tuple[int, int]) -> None:
    table = row_of(Layer("Activation", activation=word)).table
    assert table is not None
    codes = table(FixedType(10, 2, saturation="SAT"), 1024)
    assert len(codes) == 1024
    assert (codes[0], codes[-1], codes[512]) == (*ends, 128 if word == "sigmoid" else 0)


def test_a_layer_is_read_by_one_row_only() -> None:
    with pytest.raises(SpecError, match=r"Dense: there are two hls4ml layers of this name"):
        register_layer(LayerRule("conv1d"), "Dense")
