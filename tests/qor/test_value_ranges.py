"""Values against their types: what overflows, which bits no value moves."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.ranges import PERCENTILES, value_range, weight_ranges

BYTE = FixedType.parse("ap_fixed<8,4,AP_RND,AP_SAT>")


def test_a_range_says_which_bits_are_spare() -> None:
    found = value_range("fc", "result", BYTE, [[0.0, 1.0], [-1.5, 0.0]])
    assert (found.low, found.high, found.values, found.zeros) == (-1.5, 1.0, 4, 0.5)
    assert (found.spare_high, found.spare_low, found.spare) == (2, 3, 5), "-1.5 and 1 need ap_fixed<3,2>"
    assert (found.at_ends, found.beyond, found.saturates) == (0.0, 0.0, False)
    assert found.magnitudes == tuple(np.percentile([1.0, 1.5], PERCENTILES))


def test_a_sign_that_no_value_has_is_a_spare_bit() -> None:
    assert value_range("fc", "result", BYTE, [7.9375, 0.0625]).spare == 1


def test_values_beyond_the_type_are_counted() -> None:
    found = value_range("x", "input", BYTE, [9.0, -100.0, 1.0, 0.0])
    assert (found.beyond, found.at_ends, found.saturates) == (0.5, 0.5, True)
    assert (found.low, found.high) == (-8.0, 7.9375)
    assert (found.spare_high, found.spare_low) == (0, 0)


@pytest.mark.parametrize(("modes", "saturates"), [("AP_RND,AP_SAT", True), ("AP_TRN,AP_WRAP", False)])
def test_a_type_that_wraps_may_be_full_without_loss(modes: str, saturates: bool) -> None:
    kind = FixedType.parse(f"ap_fixed<8,4,{modes}>")
    found = value_range("fc", "result", kind, [kind.high, 0.5]).with_(beyond=None)
    assert (found.at_ends, found.saturates) == (0.5, saturates)


def test_an_unsigned_types_zero_is_no_end() -> None:
    assert value_range("relu", "result", FixedType.parse("ap_ufixed<4,2>"), [0.0, 1.0]).at_ends == 0.0


def test_zeros_alone_use_no_bit() -> None:
    found = value_range("fc", "bias", BYTE, [0.0, 0.0])
    assert (found.zeros, found.magnitudes, found.spare_high, found.spare_low) == (1.0, (), 8, 0)


def test_the_weights_of_a_graph_are_read_off_it() -> None:
    types = {"weight": FixedType.parse("ap_fixed<6,2>"), "accum": FixedType.parse("ap_fixed<16,6>")}
    arrays = {
        "weight": FixedArray(np.array([[8, -4], [0, 2]]), 4),
        "adders": FixedArray(np.zeros((1, 3), int), 0),
    }
    nodes = (
        Node("x", "input", (), (2,), BYTE),
        Node("fc", "dense", ("x",), (2,), BYTE, types=types, arrays=arrays),
    )
    (found,) = weight_ranges(FixedPointGraph(nodes, ("fc",)))
    assert (found.layer, found.what, found.type) == ("fc", "weight", "ap_fixed<6,2>")
    assert (found.low, found.high, found.zeros, found.beyond) == (-0.25, 0.5, 0.25, None)
    assert (found.spare_high, found.spare_low) == (1, 1)
