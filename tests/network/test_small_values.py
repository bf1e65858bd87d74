"""Layers of tables whose values are far below one: the address is what firmware stores, which has no range below one."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import fixed_graph
from pquant_hls.network.layernorm import FixedPointLayerNorm
from pquant_hls.network.lookup import FixedPointTable
from pquant_hls.qor import FixedType
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec


@pytest.mark.parametrize(("integer", "spread"), [(-3, -6), (-1, -2), (0, 0)])
def test_small_values_are_normalized_as_firmware_does(integer: int, spread: int) -> None:
    from qkeras import QActivation, quantized_bits

    model = keras.Sequential(
        [
            keras.Input((8,)),
            QActivation(quantized_bits(10, 0, alpha=1), name="q_in"),
            FixedPointLayerNorm(integer, spread, 1e-3, name="norm"),
            QActivation(quantized_bits(8, 2, alpha=1), name="q_out"),
        ]
    )
    x = np.random.default_rng(0).normal(0, 2.0**integer / 2, (200, 8)).astype(np.float32)
    expected = np.asarray(model(x), np.float64)
    assert np.array_equal(np.asarray(emulate(fixed_graph(model, HlsSpec()), x)), expected)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("integer", [-3, -1, 0, 2])
def test_a_table_of_any_addresses_is_read_at_them(integer: int, signed: bool) -> None:
    """QKeras has no unsigned quantizer for values below one: the address gets a sign bit, its table a lower half."""
    from qkeras import QActivation, quantized_bits

    kind = FixedType(6, integer, signed, "RND_CONV", "SAT")
    table = np.random.default_rng(1).integers(-64, 64, 64) / 16.0
    model = keras.Sequential(
        [
            keras.Input((8,)),
            QActivation(quantized_bits(12, 3, alpha=1), name="q_in"),
            FixedPointTable(6, integer, table, signed, name="table"),
        ]
    )
    drawn = np.random.default_rng(0).normal(0, 2.0**integer, (200, 8)).astype(np.float32)
    x = np.round(drawn * 256) / 256
    codes = np.clip(np.rint(x / kind.lsb), kind.code_min, kind.code_max).astype(int)
    expected = table[codes - kind.code_min]
    assert np.array_equal(np.asarray(model(x)), expected)
    assert np.array_equal(np.asarray(emulate(fixed_graph(model, HlsSpec()), x)), expected)


def test_addresses_that_no_quantizer_makes_are_refused() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), FixedPointTable(12, -1, np.zeros(4096), False, name="table")]
    )
    with pytest.raises(UnsupportedModel, match="need a sign bit more"):
        fixed_graph(model, HlsSpec())
