"""What a model's decisions are worth: accuracy and trigger figures with errors, and floors (gates) on them.

A loss smaller than its own statistical error is not called a loss.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pquant_hls.decide import Check, floor_check
from pquant_hls.errors import SpecError
from pquant_hls.spec.model import unknown_key
from pquant_hls.train.metrics import (
    BACKGROUND_RATES,
    Proportion,
    accuracy,
    class_metrics,
    efficiency_at,
)

HERTZ = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6}
_RATE = re.compile(r"(?P<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+) ?(?P<unit>Hz|kHz|MHz)?", re.ASCII)
LEAST_ABOVE = 10
"""Background events above a threshold below which its efficiency decides nothing."""

LHC_CROSSING_HZ = 40.08e6
"""LHC bunch crossings a second, all slots counted (LHC design report, CERN-2004-003)."""


@dataclass(frozen=True)
class Score:
    """Figures of one model on one split, by name.

    ``accuracy``; ``auc:<class>`` and ``efficiency@<background rate>:<class>`` (each class against the rest).
    ``auc`` and ``efficiency@<rate>`` without a class are the worst class's.
    """

    figures: Mapping[str, Proportion]

    def value(self, name: str = "accuracy") -> float | None:
        """A figure, a share; None where it was not measured."""
        found = self.figures.get(name)
        return None if found is None else found.value

    def plain(self) -> dict[str, list[float]]:
        """``{name: [value, error]}`` for JSON."""
        return {name: [found.value, found.error] for name, found in self.figures.items()}


def score_of(
    scores: Any,
    labels: Any,
    classes: Sequence[str] = (),
    rates: Sequence[float] = BACKGROUND_RATES,
    *,
    threshold: float = 0.5,
) -> Score:
    """The Score of outputs (events, classes), higher meaning more alike, against integer labels (events,).

    ``threshold`` is that of a single column: 0.5 for probabilities, 0 for logits.
    """
    figures = {"accuracy": accuracy(scores, labels, threshold=threshold)}
    for found in class_metrics(scores, labels, classes, rates):
        figures[f"auc:{found.name}"] = found.auc
        figures.update(
            {f"efficiency@{rate:g}:{found.name}": share for rate, share in found.efficiency.items()}
        )
    for name in {name.split(":")[0] for name in figures} - {"accuracy"}:
        figures[name] = min(
            (figures[key] for key in figures if key.startswith(f"{name}:")), key=lambda share: share.value
        )
    return Score(figures)


def at_rates(
    gates: Sequence[Gate], scores: Any, labels: Any, classes: Sequence[str], zero_bias: Any, total_hz: float
) -> dict[str, Proportion]:
    """Efficiencies of the gates that name a rate in Hz.

    scores, zero_bias : outputs (events, classes) of the labelled events and of the zero-bias sample, which
    arrive at ``total_hz`` together and set the threshold.
    """
    found, numbers = {}, np.asarray(labels).reshape(-1)
    for gate in gates:
        name = gate.metric.partition(":")[2]
        if gate.rate_hz is None or name not in classes:
            continue
        column, chosen = min(classes.index(name), np.shape(scores)[1] - 1), numbers == classes.index(name)
        seen = np.concatenate([np.asarray(scores)[chosen, column], np.asarray(zero_bias)[:, column]])
        is_signal = np.arange(len(seen)) < chosen.sum()
        found[gate.metric] = efficiency_at(seen, is_signal, min(1.0, gate.rate_hz / total_hz))
    return found


def decided(scores: Any, labels: Any, threshold: float) -> Score:
    """The Score of decisions alone, of outputs (events, k) that are no probabilities; empty without labels."""
    if labels is None:
        return Score({})
    return Score({"accuracy": accuracy(scores, labels, threshold=threshold)})


def errors_of(now: Score, before: Score | None, prefix: str = "") -> dict[str, float | None]:
    """Metrics of a QoR: ``accuracy_error`` and ``loss_error`` (shares) with the ``events`` they rest on."""
    found = now.figures.get("accuracy")
    if found is None:
        return {}
    fallen = None if before is None else loss(before, now)
    metrics = {
        "accuracy_error": found.error,
        "loss_error": None if fallen is None else fallen[1],
        "events": found.events,
    }
    return {f"{prefix}{name}": value for name, value in metrics.items()}


def loss(before: Score, now: Score, name: str = "accuracy") -> tuple[float, float] | None:
    """(drop of a figure, its statistical error), both shares; None where either score lacks it.

    Of two models on the same events only what moves one of the figures and not the other enters: McNemar's error for
    accuracies, DeLong's for areas, the threshold's too for efficiencies (``Proportion.influence``); of others the
    quadratic sum of their own errors.
    """
    old, new = before.figures.get(name), now.figures.get(name)
    if old is None or new is None:
        return None
    if old.influence is None or new.influence is None or len(old.influence) != len(new.influence):
        return old.value - new.value, math.hypot(old.error, new.error)
    return old.value - new.value, math.sqrt(float(((old.influence - new.influence) ** 2).sum()))


def dropped(before: Score, now: Score, name: str = "accuracy") -> bool:
    """Whether a figure fell by more than the error of its difference."""
    found = loss(before, now, name)
    return found is not None and found[0] > found[1]


@dataclass(frozen=True)
class Gate:
    """A floor on one figure of a Score: at most ``max_loss`` below the original's, or at least ``minimum``
    (shares).

    ``metric`` is a Score's name, e.g. ``auc``, ``efficiency@0.01:top`` at a share of the background, or
    ``efficiency@30kHz:top`` at a rate of the data's zero-bias sample. Where the floor lies within the figure's
    statistical error the check is UNKNOWN and says how many events would decide; searches go by the figure itself, and
    call no loss what is within its error. An efficiency whose threshold fewer than ten background events set is UNKNOWN.
    """

    metric: str
    max_loss: float | None = None
    minimum: float | None = None

    def __post_init__(self) -> None:
        if self.max_loss is None and self.minimum is None:
            raise SpecError("a gate needs max_loss or minimum", where=self.metric)
        limits = [limit for limit in (self.max_loss, self.minimum) if limit is not None]
        if not all(0 <= limit <= 1 for limit in limits):
            raise SpecError(f"limits of a gate are shares in 0..1, got {limits}", where=self.metric)

    @classmethod
    def at_rate(
        cls,
        rate_hz: float,
        *,
        input_hz: float = LHC_CROSSING_HZ,
        signal: str = "",
        zero_bias: bool = False,
        **limits: float,
    ) -> Gate:
        """A floor on the signal efficiency at a trigger rate in Hz: of background arriving at ``input_hz``, or with
        ``zero_bias`` of the data's zero-bias sample, whose own rate is known."""
        if not 0 < rate_hz < input_hz:
            raise SpecError(
                f"a rate lies between 0 and the input's {input_hz:g} Hz, got {rate_hz:g}", where="rate_hz"
            )
        rate = f"{rate_hz:g}Hz" if zero_bias else f"{rate_hz / input_hz:g}"
        return cls(f"efficiency@{rate}{f':{signal}' if signal else ''}", **limits)

    @property
    def background_rate(self) -> float | None:
        """The share of background let through at which the efficiency is read; None for other figures."""
        rate = self._rate()
        return None if rate is None or rate[1] else rate[0]

    @property
    def rate_hz(self) -> float | None:
        """The rate of the zero-bias sample at which the efficiency is read; None for other figures."""
        rate = self._rate()
        return None if rate is None or not rate[1] else rate[0] * HERTZ[rate[1]]

    def _rate(self) -> tuple[float, str] | None:
        """(number, unit) behind ``efficiency@``; the unit is empty for a share of the background."""
        kind, _, rate = self.metric.split(":")[0].partition("@")
        if kind != "efficiency" or not rate:
            return None
        found = _RATE.fullmatch(rate)
        if found is None:
            raise SpecError(
                f"is not a figure such as 'efficiency@0.01:top' or 'efficiency@30kHz:top', got rate {rate!r}",
                where=self.metric,
            )
        return float(found["number"]), found["unit"] or ""

    def check(self, before: Score | None, now: Score | None) -> Check:
        """The gate as a check; UNKNOWN where a figure it needs is missing."""
        found = None if now is None else now.figures.get(self.metric)
        old = None if before is None else before.value(self.metric)
        if now is None or found is None or (self.max_loss is not None and (before is None or old is None)):
            return Check(self.metric, self.minimum or 0.0, None, None, at_least=True, quality=True)
        if found.above is not None and found.above < LEAST_ABOVE:
            return self._unset(found)
        floors: list[tuple[float, float | None]] = []
        if self.minimum is not None:
            floors.append((self.minimum, found.error))
        if self.max_loss is not None and before is not None and old is not None:
            fallen = loss(before, now, self.metric)
            floors.append((old - self.max_loss, None if fallen is None else fallen[1]))
        original = old if self.max_loss is not None else None
        return floor_check(self.metric, found.value, floors, found.events, original)

    def _unset(self, found: Proportion) -> Check:
        """Too few background events to set the threshold: their number's own error is a third of it or more."""
        share = self.background_rate
        needed = "" if not share else f", {math.ceil(LEAST_ABOVE / share):,} are needed"
        why = f"{found.above} background events lie above the threshold, too few to set it{needed}"
        floor, value = self.minimum or 0.0, found.value
        return Check(self.metric, floor, None, None, at_least=True, quality=True, value=value, why=why)


def check_gates(gates: Sequence[Gate], baseline: Score) -> None:
    """Raise SpecError for a gate on a figure that the original's score does not have: it could never hold."""
    for gate in gates:
        if gate.rate_hz is not None and gate.metric not in baseline.figures:
            raise SpecError(
                "needs a class and the data's zero-bias sample",
                where=f"gates.{gate.metric}",
                mend="write efficiency@30kHz:CLASS, and put x_zero_bias and zero_bias_hz into the data",
            )
        if gate.metric not in baseline.figures:
            raise SpecError(
                unknown_key(gate.metric, baseline.figures, "figure"), where=f"gates.{gate.metric}"
            )


def rates_of(gates: Sequence[Gate]) -> tuple[float, ...]:
    """Background rates at which efficiencies are read: the usual ones and the gates' own."""
    wanted = {rate for gate in gates if (rate := gate.background_rate) is not None}
    return tuple(sorted({*BACKGROUND_RATES, *wanted}))
