"""A golden that could see nothing is not recorded; what it would overlook is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import GoldenError
from pquant_hls.golden import Golden, Rule, Vectors, blind_spots, label_accuracy, record
from pquant_hls.golden.sight import sees_nothing
from pquant_hls.hls import load_project
from pquant_hls.qor import FixedType

KIND = FixedType(8, 4)


def vectors(name: str, codes: list[list[int]]) -> Vectors:
    array = np.array(codes, np.int64)
    return Vectors(name, (array.shape[1],), array, 4, KIND)


def golden(
    outputs: list[list[int]], inputs: list[list[int]] | None = None, labels: list[int] | None = None
) -> Golden:
    x = [[i] for i in range(len(outputs))] if inputs is None else inputs
    known = None if labels is None else np.array(labels)
    return Golden("p", (vectors("x", x),), (vectors("y", outputs),), Rule(), "0", {}, labels=known)


def test_outputs_that_never_move_are_named() -> None:
    still = golden([[205, 205]] * 12)
    assert sees_nothing(still)
    assert "output y is 12.8125 on every input" in blind_spots(still)[0]
    half = golden([[i, 7] for i in range(12)])
    assert not sees_nothing(half)
    assert blind_spots(half) == ("output y: 1 of 2 channels never move (1)",)
    assert blind_spots(golden([[i, -i] for i in range(12)])) == ()


def test_one_input_says_nothing_of_movement() -> None:
    assert not sees_nothing(golden([[5, 5]]))
    assert blind_spots(golden([[5, 5]])) == ()


def test_inputs_of_few_values_are_named() -> None:
    few = golden([[i] for i in range(20)], [[i % 3] for i in range(20)])
    assert blind_spots(few) == ("input x takes 3 values of the 256 of its type",)
    narrow = replace(
        few, inputs=(replace(few.inputs[0], type=FixedType(1, 1, False), codes=few.inputs[0].codes % 2),)
    )
    assert blind_spots(narrow) == ()


def test_inputs_that_never_move_are_named() -> None:
    fixed = golden([[i] for i in range(20)], [[i, 3, 4] for i in range(20)])
    assert blind_spots(fixed) == ("input x: 2 of 3 values never move (1, 2)",)
    assert blind_spots(golden([[1]] * 9, [[5]] * 9))[1] == "input x: 1 of 1 values never move (0)"


def test_the_accuracy_of_labels() -> None:
    assert label_accuracy(golden([[1, 2], [3, 0], [0, 5]], labels=[1, 0, 0])) == pytest.approx(2 / 3)
    assert label_accuracy(golden([[1], [-3], [4]], labels=[1, 0, 0])) == pytest.approx(2 / 3)
    assert label_accuracy(golden([[1], [2]])) is None


@pytest.mark.gxx
def test_a_project_that_gives_one_value_is_recorded_only_by_force(
    mini_project: Path, csim_cache: Path
) -> None:
    kind = load_project(mini_project).inputs[0].type
    assert kind is not None
    below = (
        np.arange(7).repeat(3).reshape(7, 3) * kind.lsb / 16
    )  # kept apart in the golden, one value in csim
    with pytest.raises(GoldenError, match="on every input") as caught:
        record(mini_project, below, cache=csim_cache)
    assert "saturated softmax" in (caught.value.mend or "")
    assert record(mini_project, below, cache=csim_cache, force=True).count == 7
    assert record(mini_project, np.zeros((2, 3)), cache=csim_cache).count == 2
