"""What surrounds alkaid, piece by piece: words of a port, windows over images, what routing makes of a design."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import NotMeasured, ToolFailed
from pquant_hls.qor import FixedType, Node, Target
from pquant_hls.rtl._windows import padded, pads, sizes, windows
from pquant_hls.rtl.routed import LUT_PER_COST, routed
from pquant_hls.rtl.timing import UNIT_NS, unit_ns
from pquant_hls.rtl.vectors import from_hex, pack, to_hex, unpack
from pquant_hls.rtl.verilog import VerilogPort, verilog_identifier

KIND = FixedType(8, 3)
kinds = st.builds(FixedType, st.integers(1, 12), st.integers(-3, 8), st.booleans())


def port(kind: FixedType, *shape: int) -> VerilogPort:
    return VerilogPort("p", "t", shape, kind)


# Words


@given(st.lists(st.tuples(kinds, st.integers(1, 3)), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_words_hold_every_value_of_their_ports(ports: list[tuple[FixedType, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [port(kind, size) for kind, size in ports]
    columns = [
        rng.integers(kind.code_min, kind.code_max + 1, 5) * kind.lsb
        for kind, size in ports
        for _ in range(size)
    ]
    rows = np.stack(columns, axis=1).astype(np.float64)
    words = pack(made, rows)
    assert np.array_equal(unpack(made, words), rows)
    bits = sum(kind.width * size for kind, size in ports)
    assert all(0 <= word < 2**bits for word in words)
    assert from_hex(to_hex(words, bits), "here") == words
    assert {len(line) for line in to_hex(words, bits).split()} == {-(-bits // 4)}


def test_the_first_value_has_the_lowest_bits() -> None:
    ports = [port(FixedType(4, 4), 2), port(FixedType(4, 4, signed=False), 1)]
    assert pack(ports, np.array([[1.0, -1.0, 10.0]])) == [0xAF1]
    assert unpack(ports, [0xAF1]).tolist() == [[1.0, -1.0, 10.0]]
    assert ports[0].size == 2


def test_undefined_bits_are_none_and_other_words_are_an_error() -> None:
    assert from_hex("0f\nx1\n0Z\n10\n", "here") == [15, None, None, 16]
    assert from_hex("", "here") == []
    with pytest.raises(ToolFailed, match=r"sim\.log: the simulator wrote something that is not hexadecimal"):
        from_hex("0f\nhello\n", "sim.log")


# Windows


def node(**attrs: Any) -> Node:
    return Node("pool", "max_pooling2d", ("x",), (1,), KIND, attrs=attrs)


@pytest.mark.parametrize(
    ("attrs", "default", "found"),
    [
        ({}, None, (1, 1)),
        ({}, (3, 2), (3, 2)),
        ({"strides": 2}, (3, 2), (2, 2)),
        ({"strides": [2, 1]}, None, (2, 1)),
        ({"strides": (2.0, 1.0)}, None, (2, 1)),
    ],
)
def test_a_size_is_given_once_or_for_each_axis(
    attrs: dict[str, Any], default: tuple[int, ...] | None, found: tuple[int, ...]
) -> None:
    assert sizes(node(**attrs), "strides", 2, default) == found


@pytest.mark.parametrize(
    ("padding", "rank", "found"),
    [
        (None, 2, ((0, 0), (0, 0))),
        ([[1, 0], [2, 1]], 2, ((1, 0), (2, 1))),
        ([1, 2], 1, ((1, 2),)),
        ([[1, 2]], 1, ((1, 2),)),
    ],
)
def test_padding_is_a_pair_for_each_axis(padding: Any, rank: int, found: Any) -> None:
    assert pads(node(padding=padding), rank) == found


def test_padding_in_words_is_refused() -> None:
    with pytest.raises(NotMeasured, match="pool: padding 'same' is not given as numbers"):
        pads(node(padding="same"), 2)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=2))
def test_padding_surrounds_the_places_and_not_the_channels(amounts: list[tuple[int, int]]) -> None:
    image = np.arange(12).reshape(2, 3, 2).astype(object)
    found = padded(image, amounts, -1)
    assert np.array_equal(found, np.pad(image, [*amounts, (0, 0)], constant_values=-1))


@given(*[st.tuples(st.integers(1, 3), st.integers(1, 3)) for _ in range(3)])
def test_windows_are_those_that_fit_whole(
    kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]
) -> None:
    image = np.arange(8 * 7 * 2).reshape(8, 7, 2).astype(object)
    found = windows(image, kernel, strides, dilation)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    corners = [range(0, size - r + 1, s) for size, r, s in zip((8, 7), reach, strides, strict=True)]
    assert found.shape == (*map(len, corners), *kernel, 2)
    for (i, row), (j, column) in product(enumerate(corners[0]), enumerate(corners[1])):
        part = image[row : row + reach[0] : dilation[0], column : column + reach[1] : dilation[1]]
        assert np.array_equal(found[i, j], part)


# Routing and clocks


VU13P = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)
LARGE, SMALL = 100_000.0, 10_000.0


def to(part: str) -> Target:
    return VU13P.model_copy(update={"part": part})


def test_inside_the_study_a_design_has_its_figures_without_a_remark() -> None:
    found = routed(LARGE, 2.0, 10, VU13P, 0.53)
    assert found.lut == LUT_PER_COST * LARGE
    assert found.period_ns == pytest.approx(2.0 * 0.53 + 0.276 + 0.0233 * (LARGE / 10) ** 0.5)
    assert (found.lut_low, found.lut_high) == (0.95 * LARGE, 1.16 * LARGE)
    assert found.period_high_ns == pytest.approx(1.2 * found.period_ns)
    assert "wider" not in found.note


@pytest.mark.parametrize(
    ("cost", "part", "words", "margin"),
    [
        (SMALL, VU13P.part, "smaller (10,600 LUT)", 0.22),
        (300_000.0, VU13P.part, "larger (318,000 LUT)", 0.30),
        (LARGE, "xcvu9p-flgb2104-2-e", "for xcvu9p-flgb2104-2-e", 0.30),
        (SMALL, "xc7z020clg400-1", "for xc7z020clg400-1 and smaller (10,600 LUT)", 0.40),
    ],
)
def test_beyond_the_study_intervals_widen_and_the_remark_says_how(
    cost: float, part: str, words: str, margin: float
) -> None:
    found = routed(cost, 2.0, 10, to(part), 0.53)
    assert f"this one is {words}: wider intervals" in found.note
    assert found.period_high_ns == pytest.approx((1 + margin) * found.period_ns)
    assert (found.lut_low, found.lut_high) == (0.80 * cost, 1.35 * cost)


@given(st.floats(1.0, 1e6), st.floats(0.1, 8.0), st.integers(1, 50))
def test_intervals_hold_what_they_are_around_and_stages_shorten_wires(
    cost: float, units: float, stages: int
) -> None:
    found = routed(cost, units, stages, VU13P, 0.53)
    assert found.lut_low < found.lut < found.lut_high
    assert 0 < found.period_ns < found.period_high_ns
    assert routed(cost, units, stages + 1, VU13P, 0.53).period_ns < found.period_ns


def test_a_familys_unit_or_a_refusal() -> None:
    assert unit_ns(VU13P) == UNIT_NS["ultrascale+"]
    assert unit_ns(to("xc7z020clg400-1")) > unit_ns(to("xcku115-flvb2104-2-e")) > unit_ns(VU13P)
    with pytest.raises(NotMeasured, match="no delays are known for the family 'versal'"):
        unit_ns(to("xcvc1902-vsva2197-2MP-e-S"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fc1_relu", "fc1_relu"),
        ("a.b", "a_b"),
        ("x; $finish", "x___finish"),
        ("é", "_"),
        ("1st", "m_1st"),
        ("module", "m_module"),
        ("", "m_"),
    ],
)
def test_any_name_is_one_identifier_in_verilog(text: str, name: str) -> None:
    assert verilog_identifier(text) == name
