"""What a model's answers are worth: the figures of its tasks with errors, and what was lost of them.

A loss smaller than its own statistical error is not called a loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pquant_hls.qor import Quality
from pquant_hls.train.figures import Figure
from pquant_hls.train.metrics import BACKGROUND_RATES
from pquant_hls.train.tasks import Classes, Evidence, Sample

PLAIN = ("accuracy",)
"""The figure that searches go by where nothing else is told."""


@dataclass(frozen=True)
class Score:
    """Figures of one model on one split, by name; ``headlines`` are those that searches go by.

    Of classes: ``accuracy``; ``auc:<class>`` and ``efficiency@<background rate>:<class>`` (each class against the rest).
    ``auc`` and ``efficiency@<rate>`` without a class are the worst class's. Of other tasks as docs/tasks.md says, of several
    outputs with the output's name and a dot before.
    """

    figures: Mapping[str, Figure]
    headlines: tuple[str, ...] = PLAIN

    def value(self, name: str = "accuracy") -> float | None:
        """A figure, of accuracy and efficiencies a share; None where it was not measured."""
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
    found = np.asarray(scores)
    seen = Evidence(Sample(found, found, labels), classes=classes, threshold=threshold, usual=rates)
    return Score(Classes().figures(seen))


def errors_of(now: Score, before: Score | None, prefix: str = "") -> dict[str, float | None]:
    """Metrics of a QoR: ``accuracy_error`` and ``loss_error`` (shares) with the ``events`` they rest on."""
    found = now.figures.get("accuracy")
    if found is None:
        return {}
    fallen = None if before is None else loss(before, now, "accuracy")
    metrics = {
        "accuracy_error": found.error,
        "loss_error": None if fallen is None else fallen[1],
        "events": found.events,
    }
    return {f"{prefix}{name}": value for name, value in metrics.items()}


def merit(before: Score | None, now: Score) -> float | None:
    """One number for how good a model is, higher is better: its figure where searches go by one that should be high; else
    the mean over the figures they go by of the share of the original's quality that is kept. None where one is missing.
    """
    found = [now.figures.get(name) for name in now.headlines]
    if len(found) == 1 and found[0] is not None and not found[0].lower_is_better:
        return found[0].value
    kept = []
    for name, figure in zip(now.headlines, found, strict=True):
        old = None if before is None else before.figures.get(name)
        if figure is None or old is None:
            return None
        pair = (old.value, figure.value) if figure.lower_is_better else (figure.value, old.value)
        kept.append(pair[0] / pair[1] if pair[1] > 0 else 1.0)
    return sum(kept) / len(kept)


def loss(before: Score, now: Score, name: str | None = None) -> tuple[float, float] | None:
    """(what a figure lost, its statistical error); None where either score lacks it.

    A difference, or a share of the original's where the figure says so (errors of values); positive is worse. Without a
    name that of the figures which searches go by, their mean where there are several. Of two models on the same events
    only what moves one of the figures and not the other enters: McNemar's error for accuracies, DeLong's for areas, the
    threshold's too for efficiencies (``Figure.influence``); of others the quadratic sum of their own errors.
    """
    names = now.headlines if name is None else (name,)
    found = [_lost(before.figures.get(each), now.figures.get(each)) for each in names]
    known = [pair for pair in found if pair is not None]
    if len(known) < len(names):
        return None
    each = [influence for _, influence, _ in known]
    middle = sum(fallen for fallen, _, _ in known) / len(known)
    if any(moved is None for moved in each) or len({len(moved) for moved in each if moved is not None}) > 1:
        return middle, math.hypot(*(error for _, _, error in known)) / len(known)
    total = sum(moved for moved in each if moved is not None) / len(known)
    return middle, math.sqrt(float(np.sum(np.asarray(total) ** 2)))


def _lost(old: Figure | None, new: Figure | None) -> tuple[float, Any, float] | None:
    """(loss, each event's share in it or None, its error where the events are others)."""
    if old is None or new is None or (new.relative and old.value == 0):
        return None
    scale = (1.0 if new.lower_is_better else -1.0) / (abs(old.value) if new.relative else 1.0)
    error = abs(scale) * math.hypot(old.error, new.error)
    paired = (
        old.influence is not None and new.influence is not None and len(old.influence) == len(new.influence)
    )
    moved = scale * (new.influence - old.influence) if paired else None  # type: ignore[operator]  # asked: both are there
    return scale * (new.value - old.value), moved, error


def dropped(before: Score, now: Score, name: str | None = None) -> bool:
    """Whether a figure got worse by more than the error of its difference."""
    found = loss(before, now, name)
    return found is not None and found[0] > found[1]


def qualities(now: Score, before: Score | None, names: Iterable[str]) -> dict[str, Quality]:
    """The named figures as a record keeps them, with what they lost against the original."""
    found = {name: now.figures[name] for name in dict.fromkeys(names) if name in now.figures}
    return {name: _quality(name, figure, now, before) for name, figure in found.items()}


def _quality(name: str, figure: Figure, now: Score, before: Score | None) -> Quality:
    old = None if before is None else before.figures.get(name)
    lost = None if before is None else _lost(old, figure)
    scale = abs(old.value) if old is not None and figure.relative else 1.0
    error = None if before is None or lost is None else (loss(before, now, name) or (0.0, 0.0))[1] * scale
    return Quality(
        value=figure.value,
        error=figure.error,
        events=figure.events,
        original=None if old is None else old.value,
        loss_error=error,
        unit=figure.unit,
        lower_is_better=figure.lower_is_better,
        relative=figure.relative,
        above=figure.above,
        headline=name in now.headlines,
    )
