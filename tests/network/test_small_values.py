"""Layers of tables whose values are far below one: the address is what firmware stores, which has no range below one."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pquant_hls.hls import fixed_graph
from pquant_hls.network.layernorm import FixedPointLayerNorm
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
