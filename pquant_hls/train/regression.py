"""Figures of values to be met: squared and absolute error, bias and resolution, turn-on curves and trigger rates.

Pure numpy. ``found`` and ``truth`` are float (events, k), in the unit of the labels; ``weights`` (events,) count events
more or less. The residual is found - truth.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import DataError
from pquant_hls.train.figures import Figure, Floats, checked_weights, mean_of, with_influence
from pquant_hls.train.metrics import Proportion

BINS = 5
"""Bins of the true value, each with as many events as the others."""
LEAST_IN_BIN = 20
"""Events of a bin below which its figures say nothing."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?"
_BIN = re.compile(rf"\[(?P<low>{_NUMBER}), ?(?P<high>{_NUMBER})(?P<end>[)\]])", re.ASCII)


def error_figures(
    found: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike | None = None,
    unit: str = "",
    bins: Iterable[str] = (),
) -> dict[str, Figure]:
    """``rmse``, ``mse``, ``mae``, ``bias`` and ``resolution``; of one column also bias and resolution in bins of the truth,
    of equal numbers and those asked for by name, such as ``[10,20)``.

    ``bias`` is the size of the mean residual, ``resolution`` the standard deviation of the residuals (of several columns
    the root of the mean of their squares). Squared units are named ``unit^2``.
    """
    left = residuals(found, truth)
    w = checked_weights(weights, len(left))
    squared = mean_of((left**2).mean(axis=1), w, lower_is_better=True, relative=True, unit=_squared(unit))
    figures = {
        "rmse": root(squared, unit),
        "mse": squared,
        "mae": mean_of(np.abs(left).mean(axis=1), w, lower_is_better=True, relative=True, unit=unit),
        **_spread(left, w, unit),
    }
    if left.shape[1] == 1:
        values = np.asarray(truth, np.float64).reshape(-1)
        chosen = dict(bins_of(values)) | dict(asked_bins(values, bins))
        figures |= _in_bins(left, chosen, w, unit)
    return figures


def residuals(found: ArrayLike, truth: ArrayLike) -> Floats:
    """found - truth, float64 (events, values of an event); DataError for other shapes."""
    one, other = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    if one.size != other.size or len(one) != len(other) or len(one) == 0:
        raise DataError(f"values of shape {one.shape} to be held against {other.shape}")
    left: Floats = (one.reshape(len(one), -1) - other.reshape(len(other), -1)).astype(np.float64)
    return left


def root(figure: Figure, unit: str = "") -> Figure:
    """The square root of a figure; errors by its derivative."""
    value = math.sqrt(max(figure.value, 0.0))
    slope = 1 / (2 * value) if value > 0 else 0.0
    moved = np.zeros(0) if figure.influence is None else slope * figure.influence
    told = {"lower_is_better": True, "relative": True, "unit": unit, "events": figure.events}
    return with_influence(value, moved, **told)


def _squared(unit: str) -> str:
    return f"{unit}^2" if unit else ""


def _spread(left: Floats, w: Floats, unit: str) -> dict[str, Figure]:
    """Bias and resolution of residuals (events, k)."""
    means = np.average(left, axis=0, weights=w)
    each = mean_of((left @ np.sign(means)) / left.shape[1], w, lower_is_better=True, unit=unit)
    width = root(mean_of(((left - means) ** 2).mean(axis=1), w), unit)
    return {"bias": each, "resolution": width}


def _in_bins(left: Floats, bins: Mapping[str, NDArray[np.bool_]], w: Floats, unit: str) -> dict[str, Figure]:
    found = {}
    for name, chosen in bins.items():
        if not w[chosen].any():
            continue
        for figure, value in _spread(left[chosen], w[chosen], unit).items():
            found[f"{figure}:{name}"] = spread_over(value, chosen)
    return found


def spread_over(figure: Figure, chosen: NDArray[np.bool_]) -> Figure:
    """A figure of the chosen events as one of all of them: the others do not move it."""
    influence = np.zeros(len(chosen))
    influence[chosen] = 0.0 if figure.influence is None else figure.influence
    told = {
        name: getattr(figure, name) for name in ("above", "unit", "lower_is_better", "relative", "events")
    }
    return with_influence(figure.value, influence, **told)


def bins_of(truth: Floats, count: int = BINS) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(``[low,high)``, which events) of bins of equal numbers; those of too few events are left out."""
    edges = np.unique(np.quantile(truth, np.linspace(0, 1, count + 1)))
    for low, high in pairwise(edges):
        last = high == edges[-1]
        chosen = (truth >= low) & ((truth <= high) if last else (truth < high))
        if chosen.sum() >= LEAST_IN_BIN:
            yield f"[{low:.4g},{high:.4g}{']' if last else ')'}", chosen


def asked_bins(truth: Floats, names: Iterable[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(name, which events) of bins by their names, ``[low,high)`` or ``[low,high]``; other names, and bins of too few events,
    are left out."""
    for name in names:
        found = _BIN.fullmatch(name)
        if found is None:
            continue
        low, high = float(found["low"]), float(found["high"])
        chosen = (truth >= low) & ((truth <= high) if found["end"] == "]" else (truth < high))
        if chosen.sum() >= LEAST_IN_BIN:
            yield name, chosen


def turn_on(
    found: ArrayLike,
    truth: ArrayLike,
    threshold: float,
    edges: Sequence[float] = (),
    weights: ArrayLike | None = None,
) -> dict[str, Figure]:
    """The turn-on curve: the share of events above ``threshold``, in bins of the true value.

    Parameters
    ----------
    edges : of the bins of the truth; none: bins of equal numbers.

    Returns
    -------
    One Proportion for each bin ``[low,high)`` with events in it.
    """
    passed = np.asarray(found, np.float64).reshape(-1) > threshold
    values = np.asarray(truth, np.float64).reshape(-1)
    w = checked_weights(weights, len(values))
    pairs = pairwise(edges)
    bins = [(f"[{low:.4g},{high:.4g})", (values >= low) & (values < high)) for low, high in pairs]
    return {
        name: passing(passed, chosen, w)
        for name, chosen in (bins or list(bins_of(values)))
        if w[chosen].sum() > 0
    }


def passing(passed: NDArray[np.bool_], chosen: NDArray[np.bool_], weights: Floats) -> Proportion:
    """Share of the chosen events that passed; the others do not move it."""
    each = mean_of(passed[chosen], weights[chosen])
    influence = np.zeros(len(chosen))
    influence[chosen] = 0.0 if each.influence is None else each.influence
    return Proportion(each.value, each.error, int(chosen.sum()), influence=influence)


def rate_above(
    score: ArrayLike, threshold: float, total_hz: float, weights: ArrayLike | None = None
) -> Figure:
    """The rate (kHz) at which events of a zero-bias sample lie above a threshold; ``total_hz`` is that of all of it."""
    above = np.asarray(score, np.float64).reshape(-1) > threshold
    w = checked_weights(weights, len(above))
    share, scale = float(np.average(above, weights=w)), total_hz / 1e3
    told = {"lower_is_better": True, "relative": True, "unit": "kHz", "above": int(above.sum())}
    return with_influence(scale * share, scale * w * (above - share) / w.sum(), **told)
