"""Figures of scores against brute force and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
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
    binomial = math.sqrt(found.value * (1 - found.value) / signal.sum())
    assert found.error >= binomial - 1e-12, "the threshold has an error of its own"


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


def two_models(
    seed: int, n_background: int, n_signal: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Scores of two models that see the same events with a little noise each, and which are signal."""
    rng = np.random.default_rng([seed, n_background])
    signal = np.arange(n_background + n_signal) >= n_background
    seen = rng.normal(size=signal.size) + 1.5 * signal
    first, second = (seen + width * rng.normal(size=signal.size) for width in (0.3, 0.35))
    return first, second, signal


@pytest.mark.parametrize(("n_background", "rate"), [(800, 0.05), (4000, 0.01), (800, 0.0125)])
def test_an_efficiencys_error_is_what_it_scatters_by(n_background: int, rate: float) -> None:
    """The threshold is set by background events, and their number scatters too; of two models it does alike."""
    found = []
    for seed in range(150):
        first, second, signal = two_models(seed, n_background, 800)
        one, other = efficiency_at(first, signal, rate), efficiency_at(second, signal, rate)
        assert one.influence is not None
        assert other.influence is not None
        paired = np.sqrt(((one.influence - other.influence) ** 2).sum())
        found.append((one.value, one.error, one.value - other.value, paired))
    values, errors, differences, paired_errors = np.transpose(found)
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)
    assert paired_errors.mean() == pytest.approx(differences.std(), rel=0.25)
    binomial = np.sqrt(values.mean() * (1 - values.mean()) / 800)
    assert errors.mean() > 1.25 * binomial, "the binomial error of the signal alone is too small"


def test_an_efficiency_counts_the_background_that_sets_its_threshold() -> None:
    first, _, signal = two_models(0, 800, 100)
    assert [efficiency_at(first, signal, rate).above for rate in (7.5e-4, 0.01, 0.1, 1.0)] == [0, 8, 80, 800]
    assert efficiency_at(first, signal, 1.0).error == 0.0, "every event passes, whatever the sample"


def test_an_areas_difference_has_delongs_error() -> None:
    found = []
    for seed in range(150):
        first, second, signal = two_models(seed, 500, 300)
        one, other = roc_auc(first, signal), roc_auc(second, signal)
        assert one.influence is not None
        assert other.influence is not None
        assert np.sqrt((one.influence**2).sum()) == pytest.approx(one.error, rel=0.2), (
            "that of Hanley and McNeil"
        )
        paired = np.sqrt(((one.influence - other.influence) ** 2).sum())
        found.append((one.value - other.value, paired))
    differences, paired_errors = np.transpose(found)
    assert paired_errors.mean() == pytest.approx(differences.std(), rel=0.25)


def test_ties_weigh_half() -> None:
    found = roc_auc([1, 1, 1, 1], np.array([True, False, True, False]))
    assert found.value == 0.5
    assert found.influence is not None
    assert not found.influence.any(), "all alike: no event moves it"


@pytest.mark.parametrize("weighted", [False, True])
def test_a_figure_at_its_end_is_no_certainty(weighted: bool) -> None:
    """40 of 40 right is no error of 0; that of a share of 39.5 of 40 is 0.02."""
    y = np.arange(80) % 2
    weights = np.ones(80) * 3.0 if weighted else None
    right = np.stack([1.0 - y, y + 0.0], axis=1)
    figures = [
        accuracy(right, y, weights=weights),
        accuracy(right[:, ::-1], y, weights=weights),
        roc_auc(y + 0.0, y == 1, weights),
        roc_auc(-y, y == 1, weights),
        efficiency_at(y + 0.0, y == 1, 0.1, weights),
    ]
    for found in figures:
        assert found.value in (pytest.approx(0, abs=1e-12), pytest.approx(1))
        assert 0.004 < found.error < 0.025
