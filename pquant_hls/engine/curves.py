"""A classifier's curves for the page of a run: float beside csim, class by class, as JSON. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.train.metrics import BACKGROUND_RATES, Proportion, class_metrics, decisions

Table = NDArray[np.float64]
Labels = NDArray[np.int64]

POINTS = 61
BINS = 40


def class_curves(
    sides: Mapping[str, Table], labels: Labels, classes: Sequence[str], rates: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Each class against the rest.

    sides : scores (events, classes) or (events, 1) by who gave them (``float``, ``csim``), higher meaning more alike.
    labels : class numbers (events,). rates : background shares to quote efficiencies at, beside 1 % and 10 %.

    Returns name, AUC, efficiencies by rate, ROC and histograms of the scores, each by side; figures are [value, error].
    Classes that have no events, or all of them, are left out.
    """
    found: dict[str, dict[str, Any]] = {}
    at = tuple(sorted({*BACKGROUND_RATES, *rates}))
    for side, scores in sides.items():
        for metrics in class_metrics(scores, labels, classes, at):
            row = found.setdefault(metrics.name, {"name": metrics.name, "auc": {}, "efficiency": {}})
            row["auc"][side] = _pair(metrics.auc)
            for rate, share in metrics.efficiency.items():
                row["efficiency"].setdefault(f"{rate:g}", {})[side] = _pair(share)
    for column, number in _signals(sides, labels):
        name = classes[number] if number < len(classes) else str(number)
        signal = labels == number
        scores_of = {side: scores[:, column] for side, scores in sides.items()}
        found[name]["roc"] = {side: roc(score, signal) for side, score in scores_of.items()}
        found[name]["scores"] = histograms(scores_of, signal)
    return list(found.values())


def _pair(share: Proportion) -> list[float]:
    return [share.value, share.error]


def _signals(sides: Mapping[str, Table], labels: Labels) -> list[tuple[int, int]]:
    """(column of the scores, class number) of each class with events on both sides."""
    width = next(iter(sides.values())).shape[1]
    pairs = [(0, 1)] if width == 1 else [(number, number) for number in range(width)]
    return [(column, number) for column, number in pairs if 0 < int((labels == number).sum()) < len(labels)]


def roc(score: Table, signal: NDArray[np.bool_]) -> list[list[float]]:
    """[background shares, signal efficiencies]: at most POINTS of them, evenly in the logarithm of the share.

    score : (events,). signal : (events,). As ``train.metrics.efficiency_at`` counts: the lowest threshold that at most
    this share of the background exceeds.
    """
    background, passed = np.sort(score[~signal])[::-1], np.sort(score[signal])
    shares = np.geomspace(1 / len(background), 1.0, POINTS)
    counts = np.unique(np.floor(shares * len(background) + 1e-9).astype(int))
    limits = np.append(background, -np.inf)[counts]
    efficiency = 1 - np.searchsorted(passed, limits, "right") / len(passed)
    exact = counts / len(background)
    return [[float(f"{x:.4g}") for x in exact], [float(f"{y:.4g}") for y in efficiency]]


def histograms(scores: Mapping[str, Table], signal: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of signal and of background by bins that all sides have in common; the outermost hold what lies beyond
    0.1 % on either end."""
    low, high = np.percentile(np.concatenate(list(scores.values())), [0.1, 99.9])
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    found: dict[str, Any] = {"edges": [float(f"{edge:.5g}") for edge in edges]}
    for side, score in scores.items():
        for name, chosen in (("signal", signal), ("background", ~signal)):
            held, _ = np.histogram(np.clip(score[chosen], edges[0], edges[-1]), edges)
            found[f"{name}:{side}"] = [float(f"{share:.4g}") for share in held / chosen.sum()]
    return found


def confusion(scores: Table, labels: Labels, count: int, *, threshold: float) -> list[list[int]]:
    """Events by true class (rows) and decided class (columns), (count, count)."""
    cells = np.zeros((count, count), int)
    np.add.at(cells, (labels, decisions(scores, threshold=threshold)), 1)
    return [[int(cell) for cell in row] for row in cells]
