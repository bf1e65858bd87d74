"""Fixed-point types: text, range, rounding and overflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import SpecError
from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS

types = st.builds(
    FixedType,
    st.integers(2, 24),
    st.integers(-4, 12),
    signed=st.booleans(),
    rounding=st.sampled_from(ROUNDINGS),
    saturation=st.sampled_from(SATURATIONS),
)


@given(types)
def test_text_reads_back(kind):
    assert FixedType.parse(kind.text) == kind


@pytest.mark.parametrize(
    ("text", "width", "integer", "signed"),
    [
        ("ap_fixed<16,6>", 16, 6, True),
        ("ufixed<8,0,RND_CONV,SAT,0>", 8, 0, False),
        ("ap_int<5>", 5, 5, True),
        ("fixed<8,-1>", 8, -1, True),
    ],
)
def test_reads_the_forms_hls4ml_writes(text, width, integer, signed):
    kind = FixedType.parse(text)
    assert (kind.width, kind.integer, kind.signed) == (width, integer, signed)


@pytest.mark.parametrize("text", ["float", "ap_fixed<16>", "ap_fixed<0,0>", "ap_fixed<8,3,UP>", ""])
def test_refuses_what_is_no_type(text):
    with pytest.raises(SpecError):
        FixedType.parse(text)


@given(types, st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_codes_stay_in_range_and_are_a_fixed_point(kind, values):
    codes = kind.to_codes(np.array(values))
    assert codes.min() >= kind.code_min
    assert codes.max() <= kind.code_max
    assert np.array_equal(
        kind.to_codes(codes * kind.lsb), np.where(_symmetric_edge(kind, codes), -kind.code_max, codes)
    )


def _symmetric_edge(kind, codes):
    return (kind.saturation == "SAT_SYM") & kind.signed & (codes == kind.code_min)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("TRN", [-2, -2, -1, 0, 1, 2]),
        ("TRN_ZERO", [-1, -1, 0, 0, 1, 2]),
        ("RND", [-2, -1, 0, 1, 2, 3]),
        ("RND_ZERO", [-2, -1, 0, 0, 1, 2]),
        ("RND_INF", [-2, -2, -1, 1, 2, 3]),
        ("RND_MIN_INF", [-2, -2, -1, 0, 1, 2]),
        ("RND_CONV", [-2, -2, 0, 0, 2, 2]),
    ],
)
def test_rounding_modes_on_halves(rounding, expected):
    """One value off the half, then the halves around zero, as UG1399 tabulates them."""
    values = np.array([-1.75, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert FixedType(8, 8, rounding=rounding).to_codes(values).tolist() == expected


def test_overflow_modes():
    assert FixedType(4, 4).to_codes(np.array([9.0, -9.0])).tolist() == [-7, 7]
    assert FixedType(4, 4, saturation="SAT").to_codes(np.array([9.0, -9.0])).tolist() == [7, -8]
    assert FixedType(4, 4, saturation="SAT_SYM").to_codes(np.array([9.0, -9.0])).tolist() == [7, -7]
    assert FixedType(4, 4, saturation="SAT_ZERO").to_codes(np.array([9.0, -8.0])).tolist() == [0, -8]
