"""Weights and adders of programs of adders."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.firmware.sums import adders_of, sums_of
from pquant_hls.qor.logic import Code, Logic, LogicOp


def given(place: int, low: int = -8, high: int = 7, frac: int = 1) -> LogicOp:
    return LogicOp(Code.INPUT, (), (place,), low, high, frac)


PROGRAM = Logic(
    3,
    (
        given(0),
        given(2),
        LogicOp(Code.ADD, (0, 1), (2,), -64, 63, 1),  # x0 + 4 x2
        LogicOp(Code.NEGATE, (1,), (), -8, 8, 1),
        LogicOp(Code.SUBTRACT, (3, 0), (-1,), -32, 31, 2),  # -x2 - x0 / 2
        LogicOp(Code.ADD_CONSTANT, (2,), (-3, 2), -256, 255, 2),  # x0 + 4 x2 - 0.75
        LogicOp(Code.QUANTIZE, (4,), (3,), -32, 31, -1),  # -8 x2 - 4 x0
        LogicOp(Code.CONSTANT, (), (5,), 5, 5, 3),
    ),
    ((5, 0, False), (6, 1, True), (-1, 0, False), (7, 0, True)),
)


def test_weights_and_biases_are_told_of_sums() -> None:
    found = sums_of(PROGRAM)
    assert found is not None
    np.testing.assert_array_equal(found[0], [[1, 8, 0, 0], [0, 0, 0, 0], [4, 16, 0, 0]])
    np.testing.assert_array_equal(found[1], [-0.75, 0, 0, -0.625])


def test_adders_are_the_sums_in_order() -> None:
    assert adders_of(PROGRAM).tolist() == [[-1, -1, 7], [-1, -1, 6], [0, -1, 9]]


@pytest.mark.parametrize(
    "last",
    [
        LogicOp(Code.ADD, (0, 1), (0,), -8, 7, 1),
        LogicOp(Code.QUANTIZE, (0,), (0,), -4, 3, 0),
        LogicOp(Code.RELU, (0,), (), 0, 7, 1),
        LogicOp(Code.PRODUCT, (0, 1), (), -64, 64, 2),
    ],
    ids=["wraps", "cuts", "relu", "product"],
)
def test_what_is_more_than_a_sum_has_no_weights(last: LogicOp) -> None:
    assert sums_of(Logic(2, (given(0), given(1), last), ((2, 0, False),))) is None
