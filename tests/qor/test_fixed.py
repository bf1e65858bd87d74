"""Fixed-point types: text, range, rounding and overflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import SpecError
from pquant_hls.qor import FixedType
from pquant_hls.qor.fixed import ROUNDINGS, SATURATIONS, enclosed_bits, fraction_bits

types = st.builds(
    FixedType,
    st.integers(2, 24),
    st.integers(-4, 12),
    signed=st.booleans(),
    rounding=st.sampled_from(ROUNDINGS),
    saturation=st.sampled_from(SATURATIONS),
)


@given(types)
def test_text_reads_back(kind: FixedType) -> None:
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
def test_reads_the_forms_hls4ml_writes(text: str, width: int, integer: int, signed: bool) -> None:
    kind = FixedType.parse(text)
    assert (kind.width, kind.integer, kind.signed) == (width, integer, signed)


@pytest.mark.parametrize("text", ["float", "ap_fixed<16>", "ap_fixed<0,0>", "ap_fixed<8,3,UP>", ""])
def test_refuses_what_is_no_type(text: str) -> None:
    with pytest.raises(SpecError):
        FixedType.parse(text)


@given(types, st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_codes_stay_in_range_and_are_a_fixed_point(kind: FixedType, values: list[float]) -> None:
    codes = kind.to_codes(np.array(values))
    assert codes.min() >= kind.code_min
    assert codes.max() <= kind.code_max
    assert np.array_equal(
        kind.to_codes(np.asarray(codes * kind.lsb, np.float64)),
        np.where(_symmetric_edge(kind, codes), -kind.code_max, codes),
    )


def _symmetric_edge(kind: FixedType, codes: np.ndarray) -> np.ndarray:
    return np.asarray((kind.saturation == "SAT_SYM") & kind.signed & (codes == kind.code_min))


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("TRN", [-2, -2, -1, 0, 1, 2, -1, 0]),
        ("TRN_ZERO", [-1, -1, 0, 0, 1, 2, 0, 0]),
        ("RND", [-2, -1, 0, 1, 2, 3, 0, 1]),
        ("RND_ZERO", [-2, -1, 0, 0, 1, 2, 0, 1]),
        ("RND_INF", [-2, -2, -1, 1, 2, 3, 0, 1]),
        ("RND_MIN_INF", [-2, -2, -1, 0, 1, 2, 0, 1]),
        ("RND_CONV", [-2, -2, 0, 0, 2, 2, 0, 1]),
    ],
)
def test_rounding_modes_on_halves(rounding: str, expected: list[int]) -> None:
    """One value off the half, the halves around zero, as UG1399 tabulates them, and values nearer to one side."""
    values = np.array([-1.75, -1.5, -0.5, 0.5, 1.5, 2.5, -0.25, 0.75])
    assert FixedType(8, 8, rounding=rounding).to_codes(values).tolist() == expected


def test_overflow_modes() -> None:
    assert FixedType(4, 4).to_codes(np.array([9.0, -9.0])).tolist() == [-7, 7]
    assert FixedType(4, 4, saturation="SAT").to_codes(np.array([9.0, -9.0])).tolist() == [7, -8]
    assert FixedType(4, 4, saturation="SAT_SYM").to_codes(np.array([9.0, -9.0])).tolist() == [7, -7]
    assert FixedType(4, 4, saturation="SAT_ZERO").to_codes(np.array([9.0, -8.0])).tolist() == [0, -8]


@pytest.mark.parametrize(
    ("low", "high", "frac", "text"),
    [
        (0, 0, 0, "ap_ufixed<1,1>"),
        (0, 3.75, 2, "ap_ufixed<4,2>"),
        (-4, 3, 0, "ap_fixed<3,3>"),
        (-1, 4, 0, "ap_fixed<4,4>"),
        (-0.5, 0.25, 4, "ap_fixed<4,0>"),
        (-48, 16, -4, "ap_fixed<3,7>"),
        (-8, -5, 0, "ap_fixed<4,4>"),
        (-3, 0, 0, "ap_fixed<3,3>"),
        (-2, 0, 0, "ap_fixed<2,2>"),
        (-1, 0, 0, "ap_fixed<1,1>"),
        (-1, -1, 0, "ap_fixed<1,1>"),
        (0, 1, 0, "ap_ufixed<1,1>"),
        (0.25, 0.25, 0, "ap_ufixed<1,1>"),
    ],
)
def test_the_narrowest_type_of_a_range(low: float, high: float, frac: int, text: str) -> None:
    assert str(FixedType.covering(low, high, frac)) == text


@given(st.lists(types, min_size=1, max_size=4))
def test_a_union_holds_every_value_of_its_types_and_no_narrower_one_does(kinds: list[FixedType]) -> None:
    union = FixedType.union(kinds)
    ends = np.array([end for kind in kinds for end in (kind.low, kind.high, kind.lsb)])
    assert np.array_equal(union.quantize(ends), ends)
    assert union.frac == max(kind.frac for kind in kinds)
    if union.width > 1:
        narrower = FixedType(union.width - 1, union.integer - 1, union.signed)
        assert not np.array_equal(narrower.quantize(ends), ends)


def test_no_types_have_no_union() -> None:
    with pytest.raises(SpecError):
        FixedType.union([])


@given(st.lists(st.tuples(st.integers(-(2**20), 2**20), st.integers(-30, 30)), min_size=1))
def test_fraction_and_enclosed_bits_are_those_of_the_binary_digits(parts: list[tuple[int, int]]) -> None:
    values = np.array([code * 2.0**-frac for code, frac in parts])
    digits = [bin(abs(code))[2:].strip("0") for code, _ in parts]
    assert enclosed_bits(values).tolist() == [len(text) for text in digits]
    trailing = [frac - ((code & -code).bit_length() - 1) for code, frac in parts if code]
    assert fraction_bits(values) == max(trailing, default=0)
