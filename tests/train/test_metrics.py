"""Figures of scores against brute force and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from pquant_hls.errors import DataError
from pquant_hls.train.metrics import (
    Proportion,
    accuracy,
    class_metrics,
    cross_entropy,
    efficiency_at,
    roc_auc,
)

SCORES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=60).filter(
    lambda rows: 0 < sum(signal for _, signal in rows) < len(rows)
)


@given(SCORES)
def test_auc_is_that_of_sklearn_with_ties(rows: list[tuple[int, bool]]) -> None:
    score, signal = np.array(rows).T
    found = roc_auc(score, signal)
    assert found.value == pytest.approx(roc_auc_score(signal, score))
    assert 0 <= found.error <= 0.5


@given(SCORES, st.floats(0.01, 0.9))
def test_efficiency_never_lets_too_much_background_in(rows: list[tuple[int, bool]], rate: float) -> None:
    score, signal = np.array(rows)[:, 0], np.array(rows)[:, 1].astype(bool)
    found = efficiency_at(score, signal, rate)
    allowed = [t for t in (-1, *score) if (score[~signal] > t).mean() <= rate + 1e-9]
    best = max((score[signal] > t).mean() for t in allowed)
    assert found.value == pytest.approx(best)
    assert found.error == pytest.approx(math.sqrt(found.value * (1 - found.value) / signal.sum()))


def test_classes_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=500)
    table = rng.random((500, 3)) + np.eye(3)[y]
    rows = class_metrics(table, y, ("g", "q", "t"), (0.1,))
    assert [row.name for row in rows] == ["g", "q", "t"]
    assert rows[2].auc.value == pytest.approx(roc_auc_score(y == 2, table[:, 2]))
    told: Any = rows[0].as_dict()
    assert told["efficiency"]["0.1"][0] == rows[0].efficiency[0.1].value


def test_one_column_is_the_signal() -> None:
    rows = class_metrics([[0.1], [0.9], [0.4], [0.6]], [0, 1, 0, 1], ("b", "s"), (0.5,))
    assert [(row.name, row.auc.value) for row in rows] == [("s", 1.0)]


def test_accuracy_and_cross_entropy() -> None:
    probability = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.1, 0.9]])
    y = np.array([0, 1, 1, 1])
    assert accuracy(probability, y) == Proportion(0.75, math.sqrt(0.75 * 0.25 / 4), 4)
    assert cross_entropy(probability, y) == pytest.approx(log_loss(y, probability))
    assert accuracy([0.2, 0.7], [0, 1]).value == 1.0


def test_a_drop_inside_the_error_is_no_drop() -> None:
    before = Proportion(0.80, 0.01, 1600)
    assert not Proportion(0.79, 0.01, 1600).below(before)
    assert Proportion(0.78, 0.01, 1600).below(before)


@pytest.mark.parametrize("signal", [[0, 0], [1, 1]])
def test_one_sided_samples_are_refused(signal: list[int]) -> None:
    with pytest.raises(DataError, match="signal and background are both needed"):
        roc_auc([0.1, 0.2], signal)
