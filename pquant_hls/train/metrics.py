"""Figures of a classifier's scores: accuracy, cross entropy, AUC and efficiency at fixed background, with
errors.

Pure numpy. ``scores`` are (events, classes) or (events, 1), higher meaning more alike; probabilities unless
said otherwise. ``y`` are int labels (events,), 0 to classes - 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError

BACKGROUND_RATES = (0.01, 0.1)
"""False-positive rates at which efficiencies are quoted."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """A figure between 0 and 1, its statistical error (one standard deviation), and the events behind it.

    ``influence`` is how far each event moves the figure, float64 (events of the split,): the error of the difference of
    two figures of the same events is the root of the sum of squares of the difference of theirs, so that what both have in
    common drops out. ``above`` is the number of background events above an efficiency's threshold.
    """

    value: float
    error: float
    events: int
    above: int | None = None
    influence: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

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


def accuracy(scores: ArrayLike, y: ArrayLike, *, threshold: float = 0.5) -> Proportion:
    """Share of events whose decision is their label, with its binomial error; the error of a difference is then
    McNemar's."""
    right = decisions(scores, threshold=threshold) == np.asarray(y).reshape(-1)
    found = proportion(int(right.sum()), int(right.size))
    return replace(found, influence=(right - found.value) / right.size)


def proportion(passed: int, events: int) -> Proportion:
    """``passed / events`` with the binomial error sqrt(p (1 - p) / n); raises DataError for no events."""
    if events < 1:
        raise DataError("a share of no events is not defined")
    value = passed / events
    return Proportion(value, math.sqrt(value * (1 - value) / events), events)


def cross_entropy(scores: ArrayLike, y: ArrayLike) -> float:
    """Mean of -ln p of the true class; ``scores`` are probabilities."""
    table = np.clip(_table(scores), 1e-7, 1 - 1e-7)
    labels = np.asarray(y, np.int64).reshape(-1)
    if table.shape[1] == 1:
        table = np.concatenate([1 - table, table], axis=1)
    return float(-np.log(table[np.arange(len(labels)), labels]).mean())


def roc_auc(score: ArrayLike, is_signal: ArrayLike) -> Proportion:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half.

    The error is that of Hanley and McNeil, Radiology 143 (1982) 29, the influence that of DeLong et al., Biometrics 44
    (1988) 837. Raises DataError without signal or background.
    """
    values, signal = np.asarray(score, np.float64).reshape(-1), np.asarray(is_signal, bool).reshape(-1)
    n_signal, n_background = _counts(signal)
    ranks = _ranks(values)
    auc = (ranks[signal].sum() - n_signal * (n_signal + 1) / 2) / (n_signal * n_background)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_signal - 1) * (q1 - auc**2) + (n_background - 1) * (q2 - auc**2)
    error = math.sqrt(max(0.0, float(spread)) / (n_signal * n_background))
    influence = np.empty(len(values))
    influence[signal] = ((ranks[signal] - _ranks(values[signal])) / n_background - auc) / n_signal
    beaten = 1 - (ranks[~signal] - _ranks(values[~signal])) / n_signal
    influence[~signal] = (beaten - auc) / n_background
    return Proportion(float(auc), error, len(values), influence=influence)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], np.float64)


def efficiency_at(score: ArrayLike, is_signal: ArrayLike, background_rate: float) -> Proportion:
    """Share of signal above the lowest threshold that at most ``background_rate`` of the background exceeds.

    The error is the binomial one of the signal and that of the threshold, which the background sets: the slope of the
    ROC curve there, over one standard deviation of the background above it, times the binomial error of that. Raises
    DataError without signal or background.
    """
    values, signal = np.asarray(score, np.float64).reshape(-1), np.asarray(is_signal, bool).reshape(-1)
    n_signal, n_background = _counts(signal)
    allowed = math.floor(background_rate * n_background + 1e-9)
    background, passed = np.sort(values[~signal])[::-1], np.sort(values[signal])

    def threshold(count: int) -> float:
        return float(background[count]) if count < n_background else -math.inf

    def efficiency(count: int) -> float:
        return 1 - float(np.searchsorted(passed, threshold(count), "right")) / n_signal

    reach = max(1, round(math.sqrt(allowed)))
    low, high = max(0, allowed - reach), min(n_background, allowed + reach)
    slope = (efficiency(high) - efficiency(low)) * n_background / (high - low)
    found, above = efficiency(allowed), values > threshold(allowed)
    rate = float(above[~signal].mean())
    influence = np.where(signal, (above - found) / n_signal, -slope * (above - rate) / n_background)
    error = math.sqrt(float((influence**2).sum()))
    return Proportion(found, error, n_signal, int(above[~signal].sum()), influence)


def _counts(signal: NDArray[np.bool_]) -> tuple[int, int]:
    n_signal = int(signal.sum())
    n_background = int(signal.size) - n_signal
    if n_signal == 0 or n_background == 0:
        raise DataError(f"signal and background are both needed, got {n_signal} and {n_background} events")
    return n_signal, n_background


def class_metrics(
    scores: ArrayLike, y: ArrayLike, classes: Sequence[str] = (), rates: Sequence[float] = BACKGROUND_RATES
) -> tuple[ClassMetrics, ...]:
    """Each class against the rest; one column of scores means one class, the signal (label 1).

    Classes without events on either side are left out.
    """
    table, labels = _table(scores), np.asarray(y).reshape(-1)
    signals = [1] if table.shape[1] == 1 else range(table.shape[1])
    found = []
    for column, signal in enumerate(signals):
        chosen = labels == signal
        if not chosen.any() or chosen.all():
            continue
        name = classes[signal] if signal < len(classes) else str(signal)
        score = table[:, column]
        at = {float(rate): efficiency_at(score, chosen, rate) for rate in rates}
        found.append(ClassMetrics(name, roc_auc(score, chosen), at))
    return tuple(found)


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, np.float64)
    return table.reshape(-1, 1) if table.ndim == 1 else table.reshape(-1, table.shape[-1])
