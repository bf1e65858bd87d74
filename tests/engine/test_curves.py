"""Curves of a classifier: what the metrics count, drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pquant_hls.engine.curves import binned, class_curves, confusion, histograms, roc, value_curves
from pquant_hls.train.metrics import efficiency_at, roc_auc


@pytest.fixture
def sides() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores of three classes by two sides, and labels."""
    draw = np.random.default_rng(7)
    labels = draw.integers(0, 3, 900)
    floating = draw.normal(size=(900, 3))
    floating[np.arange(900), labels] += 1.5
    return {"float": floating, "csim": np.round(floating * 4) / 4}, labels


def test_a_curve_holds_the_efficiencies_that_the_metrics_give() -> None:
    draw = np.random.default_rng(1)
    score, signal = draw.normal(size=500), draw.random(500) < 0.4
    shares, efficiencies = roc(score + signal, signal)
    assert shares == sorted(shares)
    assert (shares[-1], efficiencies[-1]) == (1.0, 1.0)
    for share, efficiency in zip(shares, efficiencies, strict=True):
        wanted = efficiency_at(score + signal, signal, min(1.0, share + 1e-3)).value
        assert efficiency == pytest.approx(wanted, abs=1e-3)


def test_each_class_has_its_figures_by_side(sides: tuple[dict[str, np.ndarray], np.ndarray]) -> None:
    scores, labels = sides
    found = class_curves(scores, labels, ("g", "q", "t"), rates=(0.02,))
    assert [row["name"] for row in found] == ["g", "q", "t"]
    assert list(found[0]["efficiency"]) == ["0.01", "0.02", "0.1"]
    area = roc_auc(scores["csim"][:, 2], labels == 2)
    assert found[2]["auc"]["csim"] == [area.value, area.error]
    assert set(found[1]["roc"]) == {"float", "csim"}
    assert json.loads(json.dumps(found)) == found


def test_a_class_without_events_is_left_out(sides: tuple[dict[str, np.ndarray], np.ndarray]) -> None:
    scores, labels = sides
    found = class_curves(scores, np.minimum(labels, 1), ())
    assert [row["name"] for row in found] == ["0", "1"]


def test_one_column_is_the_signal(sides: tuple[dict[str, np.ndarray], np.ndarray]) -> None:
    scores, labels = sides
    (found,) = class_curves({"csim": scores["csim"][:, 1:2]}, (labels == 1).astype(int), ("b", "s"))
    assert found["name"] == "s"


def test_histograms_hold_every_event_once() -> None:
    score = np.concatenate([np.linspace(-1, 1, 4000), [-50.0, 90.0]])
    found = histograms({"float": score, "csim": score}, score > 0)
    assert found["edges"][-1] < 2, "two stray values do not set the range"
    for name in ("signal:float", "background:csim"):
        assert sum(found[name]) == pytest.approx(1.0, abs=1e-3)


def test_equal_scores_have_a_histogram() -> None:
    assert sum(histograms({"csim": np.zeros(4)}, np.array([True, False, True, False]))["signal:csim"]) == 1.0


def test_confusion_counts_decisions() -> None:
    assert confusion(
        np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), np.array([0, 0, 1]), 2, threshold=0.0
    ) == [
        [1, 1],
        [1, 0],
    ]
    assert confusion(np.array([[0.2], [0.7]]), np.array([1, 1]), 2, threshold=0.5) == [[0, 0], [1, 1]]


def test_residuals_of_values_have_their_bias_and_resolution_by_bins_of_the_truth() -> None:
    draw = np.random.default_rng(2)
    truth = draw.uniform(0, 100, (4000, 2))
    (first, second) = value_curves({"csim": truth + draw.normal(3.0, 2.0, truth.shape)}, truth)
    assert (first["name"], second["name"]) == ("0", "1")
    assert first["bias:csim"][0] == pytest.approx(3.0, abs=4 * first["bias:csim"][1])
    assert first["resolution:csim"][0] == pytest.approx(2.0, abs=4 * first["resolution:csim"][1])
    assert len(first["truth"]) == len(first["means:csim"]) == 8
    assert first["truth"] == sorted(first["truth"])
    assert max(first["means:csim"]) < 3.6


def test_a_true_value_that_never_moves_has_no_bins() -> None:
    (only,) = value_curves({"csim": np.array([[1.0], [2.0]])}, np.array([[1.0], [1.0]]))
    assert (only["truth"], only["bias:csim"][0]) == ([], 0.5)


def test_bins_hold_every_event() -> None:
    found = binned({"float": np.arange(100.0), "csim": np.arange(100.0) + 0.5})
    assert sum(found["float"]) == pytest.approx(1.0, abs=1e-3)
    assert len(found["csim"]) == len(found["edges"]) - 1


def test_a_turn_on_curve_holds_every_event_of_a_bin() -> None:
    truth = np.random.default_rng(3).uniform(0.0, 40.0, (2000, 1))
    sharp = {"csim": truth, "float": truth + 100.0}
    (row,) = value_curves(sharp, truth, (20.0,))
    (curve,) = row["turn_on"]
    below = [share for at, (share, _) in zip(curve["truth"], curve["csim"], strict=True) if at < 20]
    above = [share for at, (share, _) in zip(curve["truth"], curve["csim"], strict=True) if at > 20]
    assert below
    assert above
    assert (set(below), set(above)) == ({0.0}, {1.0})
    assert {share for share, _ in curve["float"]} == {1.0}
    steps = np.diff(curve["truth"])
    assert steps[len(steps) // 2] < steps[0]  # narrow where it turns
    assert json.loads(json.dumps(row)) == row


def test_values_that_are_all_the_same_have_a_curve_of_one_bin() -> None:
    (row,) = value_curves({"csim": np.full((5, 1), 2.0)}, np.full((5, 1), 1.0), (1.5,))
    assert row["turn_on"][0]["csim"][0][0] == 1.0
