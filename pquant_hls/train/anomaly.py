"""Figures of anomaly scores: how alike they are to the original's, what they find at a fixed rate. Pure numpy.

Scores are float (events,), higher meaning stranger.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pquant_hls.errors import DataError
from pquant_hls.train.figures import Figure, Floats, checked_weights, mean_of, with_influence
from pquant_hls.train.metrics import efficiency_at, roc_auc
from pquant_hls.train.regression import rate_above

PairOfWeights = tuple[ArrayLike | None, ArrayLike | None]
"""Event weights of a signal and of a background sample, None for one that has none."""
UNWEIGHTED: PairOfWeights = (None, None)


def reconstruction_score(found: ArrayLike, truth: ArrayLike) -> Floats:
    """Mean squared distance of a reconstruction from its input, float64 (events,)."""
    one, other = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    if one.shape != other.shape:
        raise DataError(f"a reconstruction of shape {one.shape} of inputs of shape {other.shape}")
    each: Floats = ((one - other) ** 2).reshape(len(one), -1).mean(axis=1)
    return each


def latent_score(found: ArrayLike) -> Floats:
    """Sum of squares of the latent means mu, the score of a variational encoder without its decoder (Govorkova et al.,
    Nature Machine Intelligence 4 (2022) 154), float64 (events,)."""
    mu = np.asarray(found, np.float64)
    each: Floats = (mu**2).reshape(len(mu), -1).sum(axis=1)
    return each


def score_mse(score: ArrayLike, original: ArrayLike, weights: ArrayLike | None = None) -> Figure:
    """Mean squared distance of scores from the original's, as a share of the variance of those."""
    now, before = np.asarray(score, np.float64), np.asarray(original, np.float64)
    w = checked_weights(weights, len(before))
    middle = np.average(before, weights=w)
    variance = float(np.average((before - middle) ** 2, weights=w))
    if variance == 0:
        raise DataError("the original gives every event the same score: nothing can be told from it")
    return mean_of((now - before) ** 2 / variance, w, lower_is_better=True)


def rank_correlation(score: ArrayLike, original: ArrayLike, weights: ArrayLike | None = None) -> Figure:
    """Spearman's correlation of scores with the original's, with its influence function (Croux, Dehon, Statistical Methods
    and Applications 19 (2010) 497). A score that never moves has none with anything: 0."""
    w = checked_weights(weights, np.size(original))
    values = [np.asarray(each, np.float64).reshape(-1) for each in (score, original)]
    one, other = (_ranks(each, w) for each in values)
    widths = [float(np.average((rank - 0.5) ** 2, weights=w)) for rank in (one, other)]
    scale = math.sqrt(widths[0] * widths[1])
    if scale == 0:
        return with_influence(0.0, np.zeros(len(w)))
    moved = one * other + (_above(values[0], w * other) + _above(values[1], w * one)) / w.sum()
    influence = w * (moved - np.average(moved, weights=w)) / (scale * w.sum())
    return with_influence(float(np.average((one - 0.5) * (other - 0.5), weights=w)) / scale, influence)


def _ranks(values: Floats, w: Floats) -> Floats:
    """Weighted share of events below, ties counted half: mean 0.5."""
    return np.asarray(0.5 + (_above(-values, w) - _above(values, w)) / (2 * w.sum()), np.float64)


def _above(values: Floats, mass: Floats) -> Floats:
    """For each event the sum of ``mass`` at its value or above."""
    order = np.argsort(-values)
    sums = np.cumsum(mass[order])
    return np.asarray(sums[np.searchsorted(-values[order], -values, "right") - 1], np.float64)


def efficiency_on(
    signal: ArrayLike, background: ArrayLike, share: float, weights: PairOfWeights = UNWEIGHTED
) -> Figure:
    """Efficiency of a signal sample where ``share`` of the background lies above the threshold."""
    return efficiency_at(*_joined(signal, background), share, _joined_weights(signal, background, weights))


def auc_of(signal: ArrayLike, background: ArrayLike, weights: PairOfWeights = UNWEIGHTED) -> Figure:
    """Area under the ROC curve of a signal sample against the background."""
    return roc_auc(*_joined(signal, background), _joined_weights(signal, background, weights))


def _joined(signal: ArrayLike, background: ArrayLike) -> tuple[Floats, np.ndarray]:
    one, other = (np.asarray(part, np.float64).reshape(-1) for part in (signal, background))
    return np.concatenate([one, other]), np.arange(len(one) + len(other)) < len(one)


def _joined_weights(signal: ArrayLike, background: ArrayLike, weights: PairOfWeights) -> Floats | None:
    """Weights of both samples; None where neither has any, whose errors are binomial."""
    if all(each is None for each in weights):
        return None
    samples = zip(weights, (signal, background), strict=True)
    return np.concatenate([checked_weights(each, np.size(sample)) for each, sample in samples])


def rate_at_threshold(
    score: ArrayLike,
    original: ArrayLike,
    rate_hz: float,
    total_hz: float,
    weights: ArrayLike | None = None,
) -> Figure:
    """The rate (kHz) of a zero-bias sample above the threshold at which the original's is ``rate_hz``: what happens to
    the trigger's rate where its threshold stays as it was set for the original."""
    before = np.asarray(original, np.float64).reshape(-1)
    w, order = checked_weights(weights, len(before)), np.argsort(-before, kind="stable")
    passing = np.cumsum(w[order]) / w.sum()
    allowed = int(np.searchsorted(passing, min(1.0, rate_hz / total_hz) + 1e-9 / len(before), "right"))
    threshold = float(before[order][allowed]) if allowed < len(before) else -math.inf
    return rate_above(score, threshold, total_hz, weights)
