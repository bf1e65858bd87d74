"""Curves of an output for the page of a run: float beside csim, as JSON. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.train.metrics import BACKGROUND_RATES, Proportion, decisions, one_against_rest
from pquant_hls.train.regression import turn_on

Table = NDArray[np.float64]
Labels = NDArray[np.int64]

POINTS = 61
BINS = 40
SLICES = 8
"""Bins of the true value, each with as many events as the others."""
TURNS = np.linspace(-1.0, 1.0, 13)
"""Borders of the bins of a turn-on curve, before they are drawn towards the threshold."""
COLUMNS = 6
"""The most columns of an output that are drawn one by one."""


def class_curves(
    sides: Mapping[str, Table], labels: Labels, classes: Sequence[str], rates: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Each class against the rest.

    sides : scores (events, classes) or (events, 1) by who gave them (``float``, ``csim``), higher meaning more alike.
    labels : class numbers (events,). rates : background shares to quote efficiencies at, beside 1 % and 10 %.

    Returns name, AUC, efficiencies by rate, ROC and histograms of the scores, each by side; figures are [value, error].
    Classes that have no events, or all of them, are left out.
    """
    return [
        against_rest(
            classes[number] if number < len(classes) else str(number),
            {side: scores[:, column] for side, scores in sides.items()},
            labels == number,
            rates,
        )
        for column, number in _signals(sides, labels)
    ]


def against_rest(
    name: str, scores: Mapping[str, Table], signal: NDArray[np.bool_], rates: Sequence[float] = ()
) -> dict[str, Any]:
    """One score (events,) by who gave it, for the signal against all others: AUC, efficiencies, ROC and histograms."""
    at = tuple(sorted({*BACKGROUND_RATES, *rates}))
    found = {side: one_against_rest(name, score, signal, at) for side, score in scores.items()}
    return {
        "name": name,
        "auc": {side: _pair(row.auc) for side, row in found.items()},
        "efficiency": {
            f"{rate:g}": {side: _pair(row.efficiency[rate]) for side, row in found.items()} for rate in at
        },
        "roc": {side: roc(score, signal) for side, score in scores.items()},
        "scores": histograms(scores, signal),
    }


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


def value_curves(
    sides: Mapping[str, Table], truth: Table, thresholds: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Of values to be met, column by column: residuals (found - truth), their mean and standard deviation, and both in bins
    of the true value.

    sides : values (events, columns) by who gave them. truth : the same, as they should be. thresholds : on the values; for each
        a turn-on curve, the share above it with its error, in bins of the true value, the narrower the nearer to it.
    """
    found = []
    for column in range(min(truth.shape[1], COLUMNS)):
        wanted = truth[:, column]
        left = {side: values[:, column] - wanted for side, values in sides.items()}
        cuts = np.unique(np.quantile(wanted, np.linspace(0, 1, SLICES + 1)))
        ends = [*cuts[1:-1], np.inf] if len(cuts) > 1 else []  # the last bin holds the largest value too
        slices = [(wanted >= low) & (wanted < high) for low, high in zip(cuts, ends, strict=False)]
        chosen = [part for part in slices if part.sum() > 1]
        row: dict[str, Any] = {
            "name": str(column),
            **binned(left),
            "truth": [_short(wanted[part].mean()) for part in chosen],
        }
        for side, residuals in left.items():
            row[f"bias:{side}"] = [
                _short(residuals.mean()),
                _short(residuals.std() / np.sqrt(len(residuals))),
            ]
            row[f"resolution:{side}"] = [
                _short(residuals.std()),
                _short(residuals.std() / np.sqrt(2 * len(residuals))),
            ]
            row[f"means:{side}"] = [_short(residuals[part].mean()) for part in chosen]
            row[f"widths:{side}"] = [_short(residuals[part].std()) for part in chosen]
        row["turn_on"] = [
            _turn_on({s: v[:, column] for s, v in sides.items()}, wanted, t) for t in thresholds
        ]
        found.append(row)
    return found


def _turn_on(values: Mapping[str, Table], truth: Table, threshold: float) -> dict[str, Any]:
    """The share above ``threshold`` of the events in each bin of the truth, narrow around the threshold."""
    spread = float(np.quantile(truth, 0.95) - np.quantile(truth, 0.05)) / 2 or 1.0
    steps = np.sign(TURNS) * np.abs(TURNS) ** 2
    edges = np.unique([truth.min(), *(threshold + spread * steps), np.nextafter(truth.max(), np.inf)])
    edges = edges[(edges >= truth.min()) & (edges <= np.nextafter(truth.max(), np.inf))]
    curves = {side: turn_on(found, truth, threshold, edges) for side, found in values.items()}
    within = [(low, high) for low, high in pairwise(edges) if ((truth >= low) & (truth < high)).any()]
    return {
        "threshold": _short(threshold),
        "truth": [_short(truth[(truth >= low) & (truth < high)].mean()) for low, high in within],
        **{
            side: [[_short(each.value), _short(each.error)] for each in found.values()]
            for side, found in curves.items()
        },
    }


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def binned(values: Mapping[str, Table]) -> dict[str, Any]:
    """Shares of events by bins that all sides have in common; the outermost hold what lies beyond 0.1 % on either end."""
    edges = _edges(values)
    held = {
        side: np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] / len(each)
        for side, each in values.items()
    }
    return {
        "edges": [_short(edge) for edge in edges],
        **{side: [float(f"{x:.4g}") for x in shares] for side, shares in held.items()},
    }


def _edges(values: Mapping[str, Table]) -> Table:
    low, high = np.percentile(np.concatenate(list(values.values())), [0.1, 99.9])
    return np.asarray(np.linspace(low, high if high > low else low + 1.0, BINS + 1), np.float64)


def histograms(scores: Mapping[str, Table], signal: NDArray[np.bool_]) -> dict[str, Any]:
    """Shares of signal and of background by bins that all sides have in common; the outermost hold what lies beyond
    0.1 % on either end."""
    edges = _edges(scores)
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
