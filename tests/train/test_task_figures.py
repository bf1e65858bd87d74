"""Figures of values, anomaly scores and weighted events: against their definitions, and their errors against resampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pquant_hls.errors import DataError, SpecError
from pquant_hls.train.anomaly import (
    efficiency_on,
    latent_score,
    rank_correlation,
    rate_at_threshold,
    reconstruction_score,
    score_mse,
)
from pquant_hls.train.figures import Figure, all_asked, asked, mean_of, worst_of
from pquant_hls.train.metrics import accuracy, efficiency_at, roc_auc
from pquant_hls.train.regression import error_figures, rate_above, turn_on
from pquant_hls.train.tasks import TASKS, Evidence, Sample


def momenta(n: int = 4000, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """True values from 2 to 60 and what a network makes of them, 10 % wide and 1 too high."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(2, 60, n)
    return truth * rng.normal(1.0, 0.1, n) + 1, truth


def test_errors_of_values_are_what_they_are_called() -> None:
    found, truth = momenta()
    figures, left = error_figures(found, truth, unit="GeV"), found - truth
    assert figures["mse"].value == pytest.approx((left**2).mean())
    assert figures["rmse"].value == pytest.approx(math.sqrt((left**2).mean()))
    assert figures["mae"].value == pytest.approx(np.abs(left).mean())
    assert figures["bias"].value == pytest.approx(left.mean())
    assert figures["resolution"].value == pytest.approx(left.std())
    assert (figures["rmse"].unit, figures["mse"].unit) == ("GeV", "GeV^2")
    bins = [name for name in figures if name.startswith("resolution:")]
    assert len(bins) == 5
    assert figures[bins[-1]].value > 2 * figures[bins[0]].value  # a tenth of a larger value


def test_a_bias_to_either_side_is_one() -> None:
    found, truth = momenta()
    assert error_figures(truth - 2, truth)["bias"].value == pytest.approx(2)
    assert error_figures(truth + 2, truth)["bias"].value == pytest.approx(2)
    assert error_figures(found, truth)["bias"].lower_is_better


KINDS: dict[str, Callable[[np.ndarray, np.ndarray], Figure]] = {
    "rmse": lambda found, truth: error_figures(found, truth)["rmse"],
    "bias": lambda found, truth: error_figures(found, truth)["bias"],
    "resolution": lambda found, truth: error_figures(found, truth)["resolution"],
    "rank": rank_correlation,
    "score": score_mse,
}


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_those_of_samples_drawn_again(kind: str) -> None:
    found, truth = momenta(1500)
    rng = np.random.default_rng(0)
    drawn = [
        KINDS[kind](found[rows], truth[rows]).value for rows in rng.integers(0, len(truth), (300, len(truth)))
    ]
    assert KINDS[kind](found, truth).error == pytest.approx(np.std(drawn), rel=0.2)


def test_the_difference_of_two_models_on_the_same_events_is_known_better_than_either() -> None:
    found, truth = momenta()
    now = error_figures(found + np.random.default_rng(1).normal(0, 0.3, len(found)), truth)["rmse"]
    before = error_figures(found, truth)["rmse"]
    assert now.influence is not None
    assert before.influence is not None
    paired = math.sqrt(float(((now.influence - before.influence) ** 2).sum()))
    assert paired < 0.2 * before.error


def test_a_turn_on_curve_rises_at_its_threshold() -> None:
    found, truth = momenta()
    curve = turn_on(found, truth, 20, edges=[0, 10, 18, 22, 40, 60])
    shares = [share.value for share in curve.values()]
    assert list(curve) == ["[0,10)", "[10,18)", "[18,22)", "[22,40)", "[40,60)"]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.3 < shares[2] < 0.9
    assert shares[-1] == 1


def test_a_rate_is_the_share_above_times_the_total() -> None:
    found = rate_above(np.arange(1000), 989.5, 40.08e6)
    assert found.value == pytest.approx(0.01 * 40080)
    assert found.error == pytest.approx(40080 * math.sqrt(0.01 * 0.99 / 1000))
    assert (found.unit, found.above) == ("kHz", 10)


def test_scores_of_an_encoder_and_of_a_reconstruction() -> None:
    assert latent_score([[3.0, 4.0], [0.0, 1.0]]).tolist() == [25, 1]
    assert reconstruction_score([[1.0, 1.0]], [[0.0, 3.0]]).tolist() == [2.5]
    with pytest.raises(DataError, match="a reconstruction of shape"):
        reconstruction_score(np.ones((3, 2)), np.ones((3, 4)))


def test_an_original_that_says_nothing_cannot_be_followed() -> None:
    with pytest.raises(DataError, match="same score"):
        score_mse(np.arange(5.0), np.ones(5))
    assert rank_correlation(np.ones(5), np.arange(5.0)).value == 0


def test_ranks_are_what_counts() -> None:
    score = np.random.default_rng(5).normal(size=500)
    assert rank_correlation(np.exp(score), score).value == pytest.approx(1)
    assert rank_correlation(-score, score).value == pytest.approx(-1)


def test_the_rate_at_the_originals_threshold_tells_how_far_scores_moved() -> None:
    score = np.random.default_rng(2).normal(size=20_000)
    same = rate_at_threshold(score, score, 400e3, 40.08e6)
    assert same.value == pytest.approx(400, rel=0.01)
    assert rate_at_threshold(1.2 * score, score, 400e3, 40.08e6).value > 1.5 * same.value


def test_a_signal_is_found_at_a_fixed_share_of_the_background() -> None:
    rng = np.random.default_rng(4)
    background, signal = rng.normal(size=10_000), rng.normal(3, 1, 2000)
    assert efficiency_on(signal, background, 0.01).value == pytest.approx(0.75, abs=0.03)


WEIGHED: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray | None], Figure]] = {
    "accuracy": lambda s, y, w: accuracy(s[:, None], y, threshold=0.5, weights=w),
    "auc": lambda s, y, w: roc_auc(s, y == 1, w),
    "efficiency": lambda s, y, w: efficiency_at(s, y == 1, 0.1, w),
    "rmse": lambda s, y, w: error_figures(s, y, w)["rmse"],
}


def test_weights_count_as_that_many_events() -> None:
    rng = np.random.default_rng(6)
    score, label = rng.normal(size=400), rng.integers(0, 2, 400)
    score[label == 1] += 1
    weights = rng.integers(0, 4, 400).astype(float)
    often = np.repeat(np.arange(400), weights.astype(int))
    for kind, figure in WEIGHED.items():
        weighted, repeated = figure(score, label, weights), figure(score[often], label[often], None)
        assert weighted.value == pytest.approx(repeated.value, abs=1e-12), kind
    assert mean_of(score, weights).value == pytest.approx(score[often].mean())


def evidence(task: str, weights: np.ndarray | None, rows: np.ndarray) -> Evidence:
    """What a task's figures are read from: some rows of 400 drawn events."""
    rng = np.random.default_rng(8)
    found, truth = rng.normal(20, 8, (400, 1)), rng.normal(20, 8, (400, 1))
    if task == "classes":
        truth = (truth[:, 0] > 20).astype(int)
        found = np.stack([found[:, 0], 20 + 9 * truth], axis=1)
    if task == "flags":
        truth = (truth > 20).astype(int)
    zero_bias = rng.normal(15, 8, (300, found.shape[1]))
    has_background = task not in ("autoencoder", "encoder", "score")
    return Evidence(
        Sample(found[rows], found[rows] + 1, truth[rows], weights),
        Sample(zero_bias, zero_bias, hz=40e6) if has_background else None,
        {"hh": Sample(found[:50] + 9, found[:50] + 9, truth[:50])},
        ("a", "b"),
        asked=all_asked(
            ["turn_on@20", "rate@20", "rate@9MHz", "efficiency@9MHz"]
            + (["efficiency@9MHz:20"] if task == "regression" else ["efficiency@9MHz:b"])
        ),
        bins=("[10,20)",),
    )


@pytest.mark.parametrize("task", TASKS)
def test_weights_count_in_every_figure_of_a_task(task: str) -> None:
    weights = np.random.default_rng(6).integers(0, 4, 400).astype(float)
    often = np.repeat(np.arange(400), weights.astype(int))
    weighted = TASKS[task].figures(evidence(task, weights, np.arange(400)))
    repeated = TASKS[task].figures(evidence(task, None, often))
    in_own_bins = {
        name for name in weighted if "[" in name and not name.endswith("[10,20)")
    }  # of equal numbers
    assert set(repeated) >= set(weighted) - in_own_bins
    for name in set(weighted) - in_own_bins:
        assert weighted[name].value == pytest.approx(repeated[name].value, abs=1e-9), name


@pytest.mark.parametrize("task", ["classes", "flags", "regression"])
def test_figures_of_no_events_that_count_are_left_out(task: str) -> None:
    seen = evidence(task, None, np.arange(400))
    truth = np.asarray(seen.events.truth).reshape(-1)
    nothing = replace(seen.events, weights=(truth < (20 if task == "regression" else 1)).astype(float))
    found = TASKS[task].figures(replace(seen, events=nothing))
    assert TASKS[task].name == "flags" or TASKS[task].headline in found
    assert not {"turn_on@20", "efficiency@9MHz:20", "efficiency@9MHz:b", "auc"} & set(found)


def test_bins_that_a_limit_names() -> None:
    seen = evidence("regression", None, np.arange(400))
    figures = TASKS["regression"].figures(replace(seen, bins=("[10,20)", "[900,901)", "hh")))
    truth = np.asarray(seen.events.truth)[:, 0]
    chosen = (truth >= 10) & (truth < 20)
    left = (seen.events.found[:, 0] - truth)[chosen]
    assert figures["resolution:[10,20)"].value == pytest.approx(left.std())
    assert figures["bias:[10,20)"].value == pytest.approx(abs(left.mean()))
    assert figures["turn_on@20:[10,20)"].value == pytest.approx((seen.events.found[chosen] > 20).mean())
    assert not {"resolution:[900,901)", "resolution:hh"} & set(figures)
    with pytest.raises(SpecError, match="'muon' is no true value in the unit of the labels"):
        TASKS["regression"].figures(replace(seen, asked=all_asked(["efficiency@9MHz:muon"])))


@pytest.mark.parametrize("weights", [[1.0, -1.0], [np.nan, 1.0], [0.0, 0.0], [1.0]])
def test_weights_that_cannot_weigh(weights: list[float]) -> None:
    with pytest.raises(DataError, match="weights"):
        mean_of([1.0, 2.0], weights)


def test_what_a_name_asks_for() -> None:
    found = asked("efficiency@30kHz:signal")
    assert found is not None
    assert (found.kind, found.number, found.hz, found.of) == ("efficiency", 30, 30e3, "signal")
    assert asked("rmse:[1,2)") is None
    named = asked("jet.id.efficiency@0.01:top")
    assert named is not None
    assert (named.kind, named.number, named.of) == ("efficiency", 0.01, "top")
    plain = asked("turn_on@20")
    assert plain is not None
    assert plain.hz is None
    with pytest.raises(SpecError, match="got rate 'often'"):
        asked("efficiency@often")


def test_the_worst_is_the_lowest_or_the_highest() -> None:
    assert worst_of([Figure(1, 0, 5), Figure(2, 0, 5)]).value == 1
    assert worst_of([Figure(1, 0, 5, lower_is_better=True), Figure(2, 0, 5, lower_is_better=True)]).value == 2
