"""A structure is kept as it was, and what breaks it is named: layer, weight, digits, types."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pquant_hls.decide import Lock, Verdict
from pquant_hls.errors import DataError
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.qor.digits import digit_pattern, within

CODES = np.array([[4, -3, 0], [11, 1, -8]])
"""1, -2, none; 3, 1, -1 digits: 11 is 16 - 4 - 1."""


def graph(codes: np.ndarray = CODES, **types: str) -> FixedPointGraph:
    kinds = {"weight": "ap_fixed<6,2>", "accum": "ap_fixed<14,6>", **types}
    dense = Node(
        "fc1",
        "dense",
        ("x",),
        (3,),
        FixedType.parse(kinds.pop("result", "ap_fixed<12,6>")),
        {role: FixedType.parse(kind) for role, kind in kinds.items()},
        {"weight": FixedArray(codes.astype(np.int64), 4)},
    )
    return FixedPointGraph((Node("x", "input", (), (2,), FixedType(8, 4)), dense), ("fc1",))


def told(lock: Lock, now: FixedPointGraph) -> str:
    """What the layer's check says, empty where the lock holds."""
    found = {check.name: check for check in lock.checks(now)}["lock of fc1"]
    assert (found.verdict is Verdict.MET) == (found.why == "")
    return found.why


def test_patterns_are_digits_with_signs() -> None:
    assert digit_pattern(CODES).tolist() == [[1, -2, 0], [3, 1, -1]]
    old, new = np.array([3, 3, -2, -2, 0, 0, 1]), np.array([2, 0, -1, 2, 0, 1, 2])
    assert within(new, old).tolist() == [True, True, True, False, True, False, False]


def test_fewer_digits_and_other_values_hold() -> None:
    lock = Lock.of(graph())
    assert told(lock, graph()) == ""
    assert told(lock, graph(np.array([[1, -5, 0], [19, 0, -16]]))) == ""


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ((0, 0), 5, "weight[0, 0] is 0.3125: 2 digits, 1 digit before"),
        ((0, 1), 3, "weight[0, 1] is 0.1875: 2 digits, negative, 2 digits before"),
        ((0, 2), 1, "weight[0, 2] is 0.0625: 1 digit, zero before"),
        ((1, 0), 43, "weight[1, 0] is 2.6875: 4 digits, 3 digits before"),
    ],
)
def test_a_weight_that_breaks_it_is_named(place: tuple[int, int], code: int, said: str) -> None:
    codes = CODES.copy()
    codes[place] = code
    assert told(Lock.of(graph()), graph(codes)) == said


def test_many_are_counted_and_three_are_told() -> None:
    found = Lock.of(graph(np.zeros((2, 3)))).checks(graph(np.ones((2, 3))))
    check = next(check for check in found if check.name == "lock of fc1")
    assert (check.low, check.verdict) == (6.0, Verdict.MISSED)
    assert check.why.count("zero before") == 3
    assert check.why.endswith(", and 3 more")


def test_wider_types_break_it_and_narrower_ones_do_not() -> None:
    lock = Lock.of(graph())
    assert told(lock, graph(accum="ap_fixed<13,6>", result="ap_fixed<11,5>")) == ""
    assert told(lock, graph(accum="ap_fixed<15,7>")) == "accum is ap_fixed<15,7>, ap_fixed<14,6> before"
    assert told(lock, graph(accum="ap_fixed<14,6,AP_RND,AP_SAT>")).startswith("accum is ap_fixed<14,6,AP_RND")
    assert told(lock, graph(table="ap_fixed<8,2>")) == "table is ap_fixed<8,2>, not there before"


def test_other_layers_and_shapes_break_it() -> None:
    lock, now = Lock.of(graph()), graph()
    other = replace(now, nodes=(now.nodes[0], replace(now.nodes[1], name="fc2")), outputs=("fc2",))
    found = {check.name: check.why for check in lock.checks(other)}
    assert found["lock of fc1"] == "is not there any more"
    assert found["lock of fc2"] == "was not there"
    assert told(lock, graph(np.ones((2, 2)))) == "weight has the shape (2, 2), (2, 3) before"


def test_a_record_is_read_back_and_a_damaged_one_refused() -> None:
    lock = Lock.of(graph())
    record: dict[str, Any] = json.loads(json.dumps(lock.record()))
    assert record["layers"]["fc1"]["digits"]["weight"] == {"shape": [2, 3], "pattern": "1-2031-1"}
    again = Lock.of_record(record, "lock.json")
    assert told(again, graph()) == ""
    assert told(again, graph(CODES + 1)) == told(lock, graph(CODES + 1))
    damaged: list[Any] = [
        [],
        {"schema_version": 2, "layers": {}},
        {"schema_version": 1},
        {"schema_version": 1, "layers": {"a": {"types": {"result": "float"}, "digits": {}}}},
        {
            "schema_version": 1,
            "layers": {"a": {"types": {}, "digits": {"w": {"shape": [3], "pattern": "1"}}}},
        },
        {
            "schema_version": 1,
            "layers": {"a": {"types": {}, "digits": {"w": {"shape": [1], "pattern": "?"}}}},
        },
    ]
    for bad in damaged:
        with pytest.raises(DataError, match=r"lock|schema") as caught:
            Lock.of_record(bad, "lock.json")
        assert "lock.json" in str(caught.value)
