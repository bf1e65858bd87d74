"""Figures of a classifier's scores: accuracy, cross entropy, AUC and efficiency at fixed background, with
errors.

Pure numpy. ``scores`` are (events, classes) or (events, 1), higher meaning more alike; probabilities unless
said otherwise. ``y`` are int labels (events,), 0 to classes - 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError
from pquant_hls.train.figures import Figure, checked_weights

BACKGROUND_RATES = (0.01, 0.1)
"""False-positive rates at which efficiencies are quoted."""
CLOSE = 1e-12
"""Shares this close to 0 or 1 are those of none or of all events, but for the rounding of weights."""


@dataclass(frozen=True, slots=True)
class Proportion(Figure):
    """A figure between 0 and 1; fields as in ``Figure``."""

    def below(self, other: Proportion, *, sigmas: float = 1.0) -> bool:
        """Whether this is lower than ``other`` by more than ``sigmas`` combined errors."""
        return other.value - self.value > sigmas * math.hypot(self.error, other.error)


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class against all others: AUC, and signal efficiency by background rate."""

    name: str
    auc: Proportion
    efficiency: Mapping[float, Proportion]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        rows = {f"{rate:g}": [found.value, found.error] for rate, found in self.efficiency.items()}
        return {"class": self.name, "auc": self.auc.value, "auc_error": self.auc.error, "efficiency": rows}


def decisions(scores: ArrayLike, *, threshold: float = 0.5) -> NDArray[np.int64]:
    """Class of each event: the highest score, or score > threshold where there is one column."""
    table = _table(scores)
    if table.shape[1] == 1:
        return (table[:, 0] > threshold).astype(np.int64)
    return np.asarray(np.argmax(table, axis=1), np.int64)


def accuracy(
    scores: ArrayLike, y: ArrayLike, *, threshold: float = 0.5, weights: ArrayLike | None = None
) -> Proportion:
    """Share of events whose decision is their label, with its binomial error; the error of a difference is then
    McNemar's. ``weights`` (events,) count events more or less, and the error follows from them."""
    right = decisions(scores, threshold=threshold) == np.asarray(y).reshape(-1)
    if weights is not None:
        return _share(right, checked_weights(weights, right.size))
    found = proportion(int(right.sum()), int(right.size))
    return replace(found, influence=(right - found.value) / right.size)


def _share(passed: NDArray[np.bool_], weights: NDArray[np.float64]) -> Proportion:
    value = float(weights[passed].sum() / weights.sum())
    influence = weights * (passed - value) / weights.sum()
    at_end = not CLOSE < value < 1 - CLOSE
    error = _end_error(_effective(weights)) if at_end else math.sqrt(float((influence**2).sum()))
    return Proportion(value, error, int(passed.size), influence=influence)


def proportion(passed: int, events: int) -> Proportion:
    """``passed / events`` with the binomial error sqrt(p (1 - p) / n); raises DataError for no events.

    Where none or all pass, p is half an event in n + 1, as under Jeffreys' prior (Brown, Cai and DasGupta,
    Statist. Sci. 16 (2001) 101): an error of 0 would call a few events a certainty.
    """
    if events < 1:
        raise DataError("a share of no events is not defined")
    value = passed / events
    return Proportion(value, math.sqrt(value * (1 - value) / events) or _end_error(events), events)


def _end_error(events: float) -> float:
    """The error of a share of none or all events."""
    p = 0.5 / (events + 1)
    return math.sqrt(p * (1 - p) / events)


def _effective(weights: NDArray[np.float64]) -> float:
    """As many events without weights have the same statistical power."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def cross_entropy(scores: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean of -ln p of the true class; ``scores`` are probabilities."""
    table = np.clip(_table(scores), 1e-7, 1 - 1e-7)
    labels = np.asarray(y, np.int64).reshape(-1)
    if table.shape[1] == 1:
        table = np.concatenate([1 - table, table], axis=1)
    each = -np.log(table[np.arange(len(labels)), labels])
    return float(
        each.mean() if weights is None else np.average(each, weights=checked_weights(weights, len(each)))
    )


def roc_auc(score: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None) -> Proportion:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half.

    The error is that of Hanley and McNeil, Radiology 143 (1982) 29, the influence that of DeLong et al., Biometrics 44
    (1988) 837; with ``weights`` (events,) the error is that of the influences. At an area of 0 or 1 it is
    that of a share of all events of the smaller class. Raises DataError without signal or background.
    """
    values, signal = np.asarray(score, np.float64).reshape(-1), np.asarray(is_signal, bool).reshape(-1)
    n_signal, n_background = _counts(signal)
    w = checked_weights(weights, len(values))
    behind, ahead = _below(values, values[~signal], w[~signal]), 1 - _below(values, values[signal], w[signal])
    auc = float(np.average(behind[signal], weights=w[signal]))
    influence = np.empty(len(values))
    influence[signal] = w[signal] * (behind[signal] - auc) / w[signal].sum()
    influence[~signal] = w[~signal] * (ahead[~signal] - auc) / w[~signal].sum()
    if weights is not None:
        error = math.sqrt(float((influence**2).sum()))
    else:
        q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        spread = auc * (1 - auc) + (n_signal - 1) * (q1 - auc**2) + (n_background - 1) * (q2 - auc**2)
        error = math.sqrt(max(0.0, spread) / (n_signal * n_background))
    if not CLOSE < auc < 1 - CLOSE:
        error = max(_end_error(_effective(w[kind])) for kind in (signal, ~signal))
    return Proportion(auc, error, len(values), influence=influence)


def _below(
    values: NDArray[np.float64], others: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted share of ``others`` that lie below each value, ties counted half."""
    order = np.argsort(others)
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    low, high = (np.searchsorted(others[order], values, side) for side in ("left", "right"))
    return np.asarray((sums[low] + sums[high]) / (2 * sums[-1]), np.float64)


def efficiency_at(
    score: ArrayLike, is_signal: ArrayLike, background_rate: float, weights: ArrayLike | None = None
) -> Proportion:
    """Share of signal above the lowest threshold that at most ``background_rate`` of the background exceeds.

    The error is the binomial one of the signal and that of the threshold, which the background sets: the slope of the
    ROC curve there, over one standard deviation of the background above it, times the binomial error of that. Shares are
    those of the ``weights`` (events,) where there are any. Raises DataError without signal or background.
    """
    values, signal = np.asarray(score, np.float64).reshape(-1), np.asarray(is_signal, bool).reshape(-1)
    n_signal, n_background = _counts(signal)
    w = checked_weights(weights, len(values))
    order = np.argsort(-values[~signal], kind="stable")
    background, share = values[~signal][order], np.cumsum(w[~signal][order]) / w[~signal].sum()
    allowed = int(np.searchsorted(share, background_rate + 1e-9 / n_background, "right"))

    def threshold(count: int) -> float:
        return float(background[count]) if count < n_background else -math.inf

    def passing(count: int) -> float:
        return 0.0 if count == 0 else float(share[count - 1])

    def efficiency(count: int) -> float:
        return float(np.average(values[signal] > threshold(count), weights=w[signal]))

    reach = max(1, round(math.sqrt(allowed)))
    low, high = max(0, allowed - reach), min(n_background, allowed + reach)
    slope = (efficiency(high) - efficiency(low)) / max(passing(high) - passing(low), 1e-300)
    found, above = efficiency(allowed), values > threshold(allowed)
    rate = float(np.average(above[~signal], weights=w[~signal]))
    influence = np.where(
        signal, w * (above - found) / w[signal].sum(), -slope * w * (above - rate) / w[~signal].sum()
    )
    error = math.sqrt(float((influence**2).sum()))
    if (
        not CLOSE < found < 1 - CLOSE and allowed < n_background
    ):  # else every event passes, whatever the sample
        error = max(error, _end_error(_effective(w[signal])))
    return Proportion(found, error, n_signal, int(above[~signal].sum()), influence)


def _counts(signal: NDArray[np.bool_]) -> tuple[int, int]:
    n_signal = int(signal.sum())
    n_background = int(signal.size) - n_signal
    if n_signal == 0 or n_background == 0:
        raise DataError(f"signal and background are both needed, got {n_signal} and {n_background} events")
    return n_signal, n_background


def class_metrics(
    scores: ArrayLike,
    y: ArrayLike,
    classes: Sequence[str] = (),
    rates: Sequence[float] = BACKGROUND_RATES,
    weights: ArrayLike | None = None,
) -> tuple[ClassMetrics, ...]:
    """Each class against the rest; one column of scores means one class, the signal (label 1).

    Classes without events on either side are left out.
    """
    table, labels = _table(scores), np.asarray(y).reshape(-1)
    signals = [1] if table.shape[1] == 1 else range(table.shape[1])
    found = []
    for column, signal in enumerate(signals):
        chosen = labels == signal
        if not has_both_sides(chosen, weights):
            continue
        name = classes[signal] if signal < len(classes) else str(signal)
        found.append(one_against_rest(name, table[:, column], chosen, rates, weights))
    return tuple(found)


def has_both_sides(chosen: NDArray[np.bool_], weights: ArrayLike | None = None) -> bool:
    """Whether events that count, those of a weight above 0, are among the chosen ones and among the others."""
    counted = chosen if weights is None else chosen[np.asarray(weights, np.float64).reshape(-1) > 0]
    return bool(counted.any() and not counted.all())


def one_against_rest(
    name: str,
    score: ArrayLike,
    chosen: ArrayLike,
    rates: Sequence[float] = BACKGROUND_RATES,
    weights: ArrayLike | None = None,
) -> ClassMetrics:
    """AUC and efficiencies of one score (events,) for the chosen events (events,)."""
    at = {float(rate): efficiency_at(score, chosen, rate, weights) for rate in rates}
    return ClassMetrics(name, roc_auc(score, chosen, weights), at)


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, np.float64)
    return table.reshape(-1, 1) if table.ndim == 1 else table.reshape(-1, table.shape[-1])
