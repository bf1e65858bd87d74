"""Grids: what a quantizer means, and the narrowest types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pquant_hls.network.freeze import Weights
from pquant_hls.network.frontend import standard
from pquant_hls.network.grids import accumulator, holding, hull, type_for_range, union
from pquant_hls.network.quantizers import quantizer_type
from pquant_hls.network.types import tensor_types
from pquant_hls.qor import FixedType

CODES = arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(-300, 300))

QUANTIZERS = {
    "quantized_bits(6, 1, alpha=1)": "ap_fixed<6,2,AP_RND_CONV,AP_SAT>",
    "quantized_bits(6, 1, symmetric=1, alpha=1)": "ap_fixed<6,2,AP_RND_CONV,AP_SAT_SYM>",
    "quantized_bits(4, 0, keep_negative=0, alpha=1)": "ap_ufixed<4,0,AP_RND_CONV,AP_SAT>",
    "quantized_linear(6, 1, symmetric=0)": "ap_fixed<6,2,AP_RND_CONV,AP_SAT>",
    "quantized_linear(6, 1)": "ap_fixed<6,2,AP_RND_CONV,AP_SAT_SYM>",
    "quantized_relu(6, 2)": "ap_ufixed<6,2,AP_RND_CONV,AP_SAT>",
    "quantized_tanh(5)": "ap_fixed<5,1,AP_RND_CONV,AP_SAT>",
    "quantized_tanh(5, symmetric=1)": "ap_fixed<5,1,AP_RND_CONV,AP_SAT_SYM>",
    "quantized_sigmoid(5)": "ap_ufixed<5,0,AP_RND_CONV,AP_SAT>",
    "binary(alpha=1)": "ap_fixed<2,2>",
    "binary(use_01=True, alpha=1)": "ap_ufixed<1,1>",
    "ternary(alpha=1)": "ap_fixed<2,2>",
    "stochastic_ternary(alpha=1)": "ap_fixed<2,2>",
    "quantized_po2(4)": None,
}


@pytest.mark.parametrize(("text", "wanted"), QUANTIZERS.items())
def test_a_quantizer_has_one_type(text: str, wanted: str | None) -> None:
    """The same for the steps, which read the user's model, as for the conversion, which reads the type."""
    kind = quantizer_type(qkeras.get_quantizer(text))
    assert (None if kind is None else kind.text) == wanted
    entry = keras.Input((3,))
    model = keras.Model(entry, qkeras.QActivation(text, name="act")(entry))
    assert tensor_types(model)["act"] == kind


@pytest.mark.parametrize("text", [text for text, kind in QUANTIZERS.items() if kind is not None])
def test_every_value_of_a_quantizer_lies_in_its_type(text: str) -> None:
    quantizer: Any = qkeras.get_quantizer(text)
    kind = quantizer_type(quantizer)
    assert kind is not None
    x = np.linspace(-9, 9, 2001, dtype=np.float32)
    values = np.asarray(quantizer(x), np.float64)
    np.testing.assert_allclose(kind.quantize(values), values, atol=2e-6)


@given(CODES, st.integers(-3, 6), st.sampled_from(["tensor", "channel", "element"]))
def test_a_grid_holds_its_values_and_so_does_its_hull(codes: Any, frac: int, per: Any) -> None:
    values = codes * 2.0**-frac
    grid = holding(values, per)
    np.testing.assert_array_equal(grid.quantize(values[None])[0], values)
    np.testing.assert_array_equal(hull(grid).quantize(values), values)
    assert grid.width.shape == {"tensor": (1, 1), "channel": (1, codes.shape[1]), "element": codes.shape}[per]


@given(CODES, st.integers(-3, 6))
def test_no_type_of_a_grid_can_lose_a_bit(codes: Any, frac: int) -> None:
    values = codes * 2.0**-frac
    grid = holding(values, "channel")
    for below, above in ((1, 0), (0, 1)):
        narrow = replace(
            grid, width=np.maximum(grid.width - below - above, 0), integer=grid.integer - above
        ).quantize(values[None])[0]
        lost = (narrow != values).any(axis=0)
        assert np.all(lost | (grid.width[0] == 0))


def test_each_channel_has_a_width_of_its_own() -> None:
    grid = holding(np.array([[0.5, 3.0, 0.0], [0.25, -4.0, 0.0]]), per="channel")
    assert grid.width.tolist() == [[3, 3, 0]]
    assert grid.integer.tolist() == [[1, 3, 0]]
    assert hull(grid).text == "ap_fixed<5,3,AP_RND_CONV,AP_SAT>"


@given(st.integers(-99, 99), st.integers(0, 99), st.integers(-2, 5))
def test_a_range_fits_and_nothing_narrower_holds_it(low: int, more: int, frac: int) -> None:
    kind = type_for_range(low * 2.0**-frac, (low + more) * 2.0**-frac, frac)
    assert kind.code_min <= low <= low + more <= kind.code_max
    half = FixedType(max(kind.width - 1, 1), kind.integer - 1, kind.signed)
    assert kind.width == 1 or not (half.code_min <= low and low + more <= half.code_max)


def test_a_union_holds_all() -> None:
    assert union([FixedType(4, 2), FixedType(6, 1, signed=False)]) == FixedType(7, 2)


@given(
    arrays(np.int64, (3, 2), elements=st.integers(-8, 7)), arrays(np.int64, 2, elements=st.integers(-8, 7))
)
def test_no_input_leaves_the_accumulator(weights: Any, bias: Any) -> None:
    source = FixedType(3, 1)
    kind = accumulator(source, weights / 8.0, bias / 4.0)
    assert kind is not None
    codes = np.stack(np.meshgrid(*[np.arange(-4, 4)] * 3), -1).reshape(-1, 3)
    sums = codes * source.lsb @ (weights / 8.0) + bias / 4.0
    np.testing.assert_array_equal(kind.quantize(sums), sums)


@given(arrays(np.int64, (2, 3), elements=st.integers(-3, 3)), st.integers(-2, 4))
@example(
    np.array([[-1, 0, 0], [0, -1, 0]]), 0
)  # one bit would hold these, but means two other values in QKeras
@example(np.zeros((2, 3), np.int64), 0)
def test_the_quantizer_in_place_of_a_scaled_one_keeps_every_weight(codes: Any, frac: int) -> None:
    values = codes * 2.0**-frac
    grid = Weights("kernel", "kernel_quantizer", qkeras.quantized_bits(4, 0, alpha="auto_po2"), values).grid
    assert grid is not None
    quantizer = standard().make("linear", grid.width, grid.integer - 1)
    np.testing.assert_array_equal(np.asarray(quantizer(values.astype(np.float32))), values)
