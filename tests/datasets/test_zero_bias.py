"""A zero-bias sample beside the labelled events: what it must hold, and that it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pquant_hls.datasets.assemble import assemble
from pquant_hls.errors import DataError


def test_a_zero_bias_sample_comes_with_its_rate() -> None:
    x, y = np.zeros((20, 3), np.float32), np.arange(20) % 2
    whole = {"x": x, "y": y, "x_zero_bias": np.ones((7, 3)), "zero_bias_hz": 4e7}
    found = assemble(whole, name="d", where="d", seed=0)
    assert found.zero_bias is not None
    assert (found.zero_bias.x.shape, found.zero_bias.hz) == ((7, 3), 4e7)
    assert not found.notes, "it is read, not left over"
    other = assemble({**whole, "zero_bias_hz": 3e7}, name="d", where="d", seed=0)
    plain = assemble({"x": x, "y": y}, name="d", where="d", seed=0)
    assert len({found.digest, other.digest, plain.digest}) == 3


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"x_zero_bias": np.ones((7, 3))}, "holds x_zero_bias but no zero_bias_hz"),
        ({"zero_bias_hz": 4e7}, "holds zero_bias_hz but no x_zero_bias"),
        ({"x_zero_bias": np.ones((7, 2)), "zero_bias_hz": 4e7}, r"has shape \(7, 2\), the inputs are"),
        ({"x_zero_bias": np.ones((0, 3)), "zero_bias_hz": 4e7}, r"has shape \(0, 3\)"),
        ({"x_zero_bias": np.ones((7, 3)), "zero_bias_hz": 0}, "not one rate in Hz above 0"),
        ({"x_zero_bias": np.ones((7, 3)), "zero_bias_hz": [1.0, 2.0]}, "not one rate"),
        ({"x_zero_bias": np.full((7, 3), np.nan), "zero_bias_hz": 4e7}, "NaN or infinity"),
    ],
)
def test_a_zero_bias_sample_that_is_none(given: dict[str, Any], text: str) -> None:
    x, y = np.zeros((20, 3), np.float32), np.arange(20) % 2
    with pytest.raises(DataError, match=text):
        assemble({"x": x, "y": y, **given}, name="d", where="d", seed=0)
