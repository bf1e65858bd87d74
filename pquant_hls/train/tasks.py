"""What is asked of an output, and the figures of merit that tell how well it is done: one small class a task.

A task says what training is towards, which figures a verdict may rest on, and which of them searches go by. To add one
write a class and put it into ``TASKS``; docs/tasks.md describes all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import SpecError
from pquant_hls.train.anomaly import (
    PairOfWeights,
    auc_of,
    efficiency_on,
    latent_score,
    rank_correlation,
    rate_at_threshold,
    reconstruction_score,
    score_mse,
)
from pquant_hls.train.figures import LHC_CROSSING_HZ, AskedFigure, Figure, Floats, mean_of, worst_of
from pquant_hls.train.metrics import (
    BACKGROUND_RATES,
    ClassMetrics,
    accuracy,
    class_metrics,
    has_both_sides,
    one_against_rest,
)
from pquant_hls.train.regression import asked_bins, error_figures, passing, rate_above, root, turn_on

Array = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """What a model says of some events, at one output.

    found : float64 (n, *output shape), as it is meant: values, or scores whose order counts. original : the same of the
    original model. truth : labels, or what should be met; None where there is none. weights : float64 (n,). hz : the rate
    of all events together, of a zero-bias sample.
    """

    found: Array
    original: Array
    truth: Array | None = None
    weights: Array | None = None
    hz: float | None = None


@dataclass(frozen=True)
class Evidence:
    """All that a task's figures are read from.

    classes : names of classes or of columns. threshold : of one column of scores, 0.5 of probabilities and 0 of logits.
    asked : figures with a number in their names that a limit needs.
    """

    events: Sample
    zero_bias: Sample | None = None
    signals: Mapping[str, Sample] = field(default_factory=dict)
    classes: Sequence[str] = ()
    threshold: float = 0.5
    unit: str = ""
    asked: Sequence[AskedFigure] = ()
    usual: Sequence[float] = BACKGROUND_RATES
    """Shares of the background at which every efficiency is read."""
    bins: Sequence[str] = ()
    """Bins of the true value that a limit names, such as ``[10,20)``."""

    def rates(self, kind: str = "efficiency") -> tuple[float, ...]:
        """Shares of the background at which efficiencies are read: the usual ones and those that are asked for."""
        wanted = {found.number for found in self.asked if found.kind == kind and found.hz is None}
        return tuple(sorted({*self.usual, *(share for share in wanted if 0 < share < 1)}))

    def asks(self, kind: str) -> Iterator[AskedFigure]:
        return (found for found in self.asked if found.kind == kind)


class OutputTask(ABC):
    """What is asked of one output. ``towards`` is what training takes its labels for, ``headline`` the figure that searches
    go by and pipelines put their floors on. ``truth`` : where what should be met comes from. ``has_background`` : whether
    its figures always need the zero-bias sample and the signals."""

    name: ClassVar[str]
    towards: ClassVar[str]
    headline: ClassVar[str]
    truth: ClassVar[Literal["labels", "inputs", "original"]] = "labels"
    has_background: ClassVar[bool] = False

    @abstractmethod
    def figures(self, seen: Evidence) -> dict[str, Figure]:
        """Figures by name, the headline first."""

    def kinds(self, truth: Array, width: int) -> NDArray[np.bool_]:
        """Which labels are of each class or column, bool (labels, kinds), of an output of ``width`` columns; values have no
        kinds."""
        del width
        return np.zeros((len(truth), 0), bool)


class Classes(OutputTask):
    """One class of several, or yes and no by one column: accuracy, AUC and efficiencies of each class against the rest.

    ``auc`` and ``efficiency@<rate>`` without a class are the worst class's.
    """

    name, towards, headline = "classes", "classes", "accuracy"

    def kinds(self, truth: Array, width: int) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = np.reshape(truth, (-1, 1)) == np.arange(max(2, width))
        return found

    def figures(self, seen: Evidence) -> dict[str, Figure]:
        events, labels = seen.events, np.asarray(seen.events.truth)
        found: dict[str, Figure] = {
            "accuracy": accuracy(events.found, labels, threshold=seen.threshold, weights=events.weights)
        }
        rows = class_metrics(events.found, labels, seen.classes, seen.rates(), events.weights)
        return found | _with_worst(rows) | self._at_rates(seen)

    def _at_rates(self, seen: Evidence) -> dict[str, Figure]:
        """Efficiencies at a rate in Hz of the zero-bias sample."""
        if seen.zero_bias is None or seen.zero_bias.hz is None:
            return {}
        found, numbers = {}, np.asarray(seen.events.truth).reshape(-1)
        for wanted in seen.asks("efficiency"):
            if wanted.hz is None or wanted.of not in seen.classes:
                continue
            column = min(seen.classes.index(wanted.of), np.shape(seen.events.found)[1] - 1)
            chosen = numbers == seen.classes.index(wanted.of)
            if not mean_weights(seen.events)[chosen].any():
                continue
            signal, background = seen.events.found[chosen, column], seen.zero_bias.found[:, column]
            share, weights = min(1.0, wanted.hz / seen.zero_bias.hz), _weights_of(seen.events, chosen)
            found[wanted.name] = efficiency_on(signal, background, share, (weights, None))
        return found


class Flags(OutputTask):
    """A yes or no for each column: accuracy of all columns together, AUC and efficiencies of each.

    ``auc`` and ``efficiency@<rate>`` without a column are the worst column's.
    """

    name, towards, headline = "flags", "flags", "auc"

    def kinds(self, truth: Array, width: int) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = np.reshape(truth, (-1, width)) == 1
        return found

    def figures(self, seen: Evidence) -> dict[str, Figure]:
        table = np.asarray(seen.events.found).reshape(len(seen.events.found), -1)
        truth = np.asarray(seen.events.truth).reshape(table.shape)
        names = [seen.classes[i] if i < len(seen.classes) else str(i) for i in range(table.shape[1])]
        rows = [
            one_against_rest(name, table[:, column], truth[:, column] == 1, seen.rates(), seen.events.weights)
            for column, name in enumerate(names)
            if has_both_sides(truth[:, column] == 1, seen.events.weights)
        ]
        right = ((table > seen.threshold) == (truth == 1)).mean(axis=1)
        return _with_worst(rows) | {"accuracy": mean_of(right, seen.events.weights)}


class Regression(OutputTask):
    """Values to be met: errors, bias and resolution, a turn-on curve and rates where a threshold is asked for.

    ``turn_on@20`` is the share of events whose true value is at least 20 that lie above 20, ``turn_on@20:[a,b)`` the curve;
    ``rate@20`` the zero-bias rate above 20; ``efficiency@30kHz:20`` the share of events of at least 20 above the threshold
    that lets 30 kHz of the zero-bias sample through.
    """

    name, towards, headline = "regression", "values", "rmse"

    def figures(self, seen: Evidence) -> dict[str, Figure]:
        events = seen.events
        truth: Any = events.truth
        found = error_figures(events.found, truth, events.weights, seen.unit, seen.bins)
        return found | {name: figure for ask in seen.asked for name, figure in self._asked(ask, seen)}

    def _asked(self, ask: AskedFigure, seen: Evidence) -> Iterator[tuple[str, Figure]]:
        events, zero_bias = seen.events, seen.zero_bias
        score, truth = (np.asarray(each, np.float64).reshape(-1) for each in (events.found, events.truth))
        if len(score) != len(events.found):
            return  # several columns have no one threshold
        w = mean_weights(events)
        if ask.kind == "turn_on":
            head, high = f"turn_on@{ask.number:g}", truth >= ask.number
            if w[high].any():
                yield head, passing(score > ask.number, high, w)
            for name, figure in turn_on(score, truth, ask.number, weights=w).items():
                yield f"{head}:{name}", figure
            for name, chosen in asked_bins(truth, seen.bins):
                if w[chosen].any():
                    yield f"{head}:{name}", passing(score > ask.number, chosen, w)
        elif ask.kind == "rate" and zero_bias is not None and zero_bias.hz is not None:
            yield ask.name, rate_above(zero_bias.found, ask.number, zero_bias.hz)
        elif ask.kind == "efficiency" and ask.hz is not None and zero_bias is not None and ask.of:
            share, chosen = min(1.0, ask.hz / (zero_bias.hz or LHC_CROSSING_HZ)), truth >= _number(ask)
            if w[chosen].any():
                weights = _weights_of(events, chosen)
                yield ask.name, efficiency_on(score[chosen], zero_bias.found, share, (weights, None))


def _number(ask: AskedFigure) -> float:
    """The true value behind the colon of ``efficiency@30kHz:20``; SpecError where it is none."""
    try:
        return float(ask.of)
    except ValueError as cause:
        raise SpecError(
            f"{ask.of!r} is no true value in the unit of the labels",
            where=ask.name,
            mend="write efficiency@30kHz:20",
        ) from cause


def mean_weights(events: Sample) -> Floats:
    """Weights of a sample, ones where it has none."""
    return np.ones(len(events.found)) if events.weights is None else np.asarray(events.weights, np.float64)


def _weights_of(events: Sample, chosen: NDArray[np.bool_]) -> Floats | None:
    """Weights of some events; None where the sample has none, whose errors are binomial."""
    return None if events.weights is None else mean_weights(events)[chosen]


class Anomaly(OutputTask):
    """A score of strangeness: what became of the original's scores, what is found of named signals at a fixed rate.

    The background is the zero-bias sample, or where there is none the events themselves at the LHC's 40.08 MHz.
    ``efficiency@30kHz:<signal>`` is a signal's efficiency where 30 kHz of the background lie above the threshold,
    ``rate@30kHz`` the background's rate at the threshold that gives 30 kHz of it in the original.
    """

    towards, headline = "values", "rank_correlation"
    truth: ClassVar[Literal["labels", "inputs", "original"]] = "original"
    has_background = True

    @abstractmethod
    def score(self, found: Array, truth: Array | None) -> Floats:
        """The score of each event, float64 (n,), higher meaning stranger."""

    def figures(self, seen: Evidence) -> dict[str, Figure]:
        now, before = self._scores(seen.events)
        weights = seen.events.weights
        found = {
            "rank_correlation": rank_correlation(now, before, weights),
            "score_mse": score_mse(now, before, weights),
        }
        background = seen.events if seen.zero_bias is None else seen.zero_bias
        scores = self._scores(background)
        hz = background.hz or LHC_CROSSING_HZ
        found |= {
            ask.name: rate_at_threshold(*scores, ask.hz, hz, background.weights)
            for ask in seen.asks("rate")
            if ask.hz is not None
        }
        each: dict[str, Figure] = {}
        for name, signal in seen.signals.items():
            pair = self._scores(signal)[0], scores[0]
            each |= _found(name, pair, (signal.weights, background.weights), (hz, seen))
        return found | worst_by_kind(each) | each

    def _scores(self, sample: Sample) -> tuple[Floats, Floats]:
        return self.score(sample.found, sample.truth), self.score(sample.original, sample.truth)


def _found(
    name: str, pair: tuple[Floats, Floats], weights: PairOfWeights, how: tuple[float, Evidence]
) -> dict[str, Figure]:
    """AUC and efficiencies of one signal. ``pair`` : scores of the signal and of the background, whose rate in Hz is the
    first of ``how``."""
    hz, seen = how
    figures = {f"auc:{name}": auc_of(*pair, weights)}
    for share in seen.rates():
        figures[f"efficiency@{share:g}:{name}"] = efficiency_on(*pair, share, weights)
    for ask in seen.asks("efficiency"):
        if ask.hz is not None and ask.of in ("", name):
            found = efficiency_on(*pair, min(1.0, ask.hz / hz), weights)
            figures[f"{ask.name.partition(':')[0]}:{name}"] = found
    return figures


class Autoencoder(Anomaly):
    """A network that gives its inputs back: the reconstruction error, which is the score of an event."""

    name, headline = "autoencoder", "rmse"
    truth: ClassVar[Literal["labels", "inputs", "original"]] = "inputs"

    def score(self, found: Array, truth: Array | None) -> Floats:
        return reconstruction_score(found, truth)  # type: ignore[arg-type]  # the inputs are the truth

    def figures(self, seen: Evidence) -> dict[str, Figure]:
        each = self.score(seen.events.found, seen.events.truth)
        mse = mean_of(each, seen.events.weights, lower_is_better=True, relative=True)
        return {"rmse": root(mse), "mse": mse, **super().figures(seen)}


class Encoder(Anomaly):
    """The encoder of a variational autoencoder, whose outputs are the means mu: the score is the sum of their squares."""

    name = "encoder"

    def score(self, found: Array, truth: Array | None) -> Floats:
        del truth
        return latent_score(found)


class AnomalyScore(Anomaly):
    """One column that is the score itself, as of a student that learned it from a teacher (CICADA)."""

    name = "score"

    def score(self, found: Array, truth: Array | None) -> Floats:
        del truth
        return np.asarray(np.reshape(found, (len(found), -1)).sum(axis=1), np.float64)


TASKS: Mapping[str, OutputTask] = {
    task.name: task for task in (Classes(), Flags(), Regression(), Autoencoder(), Encoder(), AnomalyScore())
}


def _with_worst(rows: Sequence[ClassMetrics]) -> dict[str, Figure]:
    """AUC and efficiencies by class, and of the worst class under the bare name, first."""
    found: dict[str, Figure] = {}
    for row in rows:
        found[f"auc:{row.name}"] = row.auc
        found |= {f"efficiency@{rate:g}:{row.name}": share for rate, share in row.efficiency.items()}
    return worst_by_kind(found) | found


def worst_by_kind(found: Mapping[str, Figure]) -> dict[str, Figure]:
    """Of figures ``<kind>:<what>`` the worst of each kind, by the kind."""
    kinds: dict[str, list[Figure]] = {}
    for name, figure in found.items():
        kinds.setdefault(name.partition(":")[0], []).append(figure)
    return {kind: worst_of(figures) for kind, figures in kinds.items()}
