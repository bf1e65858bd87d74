"""Fixed-point types against exact fractions: every mode, widths up to 52 bits, values off the grid and out of range."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import SpecError
from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS
from tests.qor.exact import every, stored

SHAPES = (
    (4, 2, True),
    (3, 3, True),
    (4, 1, False),
    (3, 5, True),
    (3, -1, False),
    (1, 1, True),
    (1, 0, False),
)
MODES = list(product(ROUNDINGS, SATURATIONS))


@pytest.mark.parametrize(("rounding", "saturation"), MODES)
def test_every_quarter_step_through_and_beyond_the_range(rounding: str, saturation: str) -> None:
    for width, integer, signed in SHAPES:
        kind = FixedType(width, integer, signed, rounding, saturation)
        steps = np.arange(-5 * 2**width, 5 * 2**width) / 4.0
        values = steps * 2.0 ** (integer - width)
        wanted = [stored(Fraction(value), kind) for value in values]
        assert [Fraction(value) for value in kind.quantize(values)] == wanted, kind


@given(
    st.integers(1, 52),
    st.integers(-8, 24),
    st.booleans(),
    st.sampled_from(MODES),
    st.floats(-1e6, 1e6),
)
def test_any_value_in_any_type(
    width: int, integer: int, signed: bool, modes: tuple[str, str], value: float
) -> None:
    kind = FixedType(width, integer, signed, *modes)
    if abs(value) * 2.0**kind.frac < 2.0**52:  # beyond it a float holds no fraction of a step
        assert Fraction(float(kind.quantize(np.array(value)))) == stored(Fraction(value), kind)


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_step_and_parts_of_a_type(shape: tuple[int, int, bool]) -> None:
    kind = FixedType(*shape)
    values = every(kind)
    assert kind.low == kind.code_min * kind.lsb == float(values[0])
    assert kind.high == kind.code_max * kind.lsb == float(values[-1])
    assert kind.frac == kind.width - kind.integer
    keep, integer, fraction = kind.kif
    assert (keep, keep + integer + fraction) == (kind.signed, kind.width)
    assert fraction == kind.frac
    if len(values) > 2:
        assert kind.lsb == values[1] - values[0]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FixedType(16, 6), "ap_fixed<16,6>"),
        (FixedType(8, 0, signed=False), "ap_ufixed<8,0>"),
        (FixedType(8, 3, rounding="RND"), "ap_fixed<8,3,AP_RND,AP_WRAP>"),
        (FixedType(8, 3, saturation="SAT"), "ap_fixed<8,3,AP_TRN,AP_SAT>"),
    ],
)
def test_a_type_in_hls_words(kind: FixedType, text: str) -> None:
    assert kind.text == str(kind) == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0}, "at least one bit, got width 0"),
        ({"rounding": "UP"}, "rounding 'UP'"),
        ({"saturation": "CLIP"}, "mode 'CLIP'"),
    ],
)
def test_a_type_that_there_is_not(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        FixedType(**{"width": 8, "integer": 3, **values})
