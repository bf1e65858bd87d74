"""Pictures of the trainings on the way to the design, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pquant_hls.qor.words import count, fixed, number
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.plane import Axis, Curve, Mark, Plane
from pquant_hls.reporting.recorded import epochs_of, missing
from pquant_hls.reporting.run import RunReport
from pquant_hls.reporting.style import series

MOST = 100
"""Epochs of a training that a picture and its table show: a page stays below 2 MB, and a reader can see no more."""
HEADS = ("training", "epoch", "loss", "validation loss", "validation accuracy")
Epochs = Sequence[Mapping[str, Any]]


def learning_figure(run: RunReport, what: str) -> Picture:
    """``loss`` or ``val_accuracy`` epoch by epoch, training after training on the way to the design."""
    trainings = list(epochs_of(run))
    curves, rows, begin = list[Curve](), list[tuple[str, ...]](), 0
    for index, (name, epochs) in enumerate(trainings):
        label, shown = f"{index + 1}. {name}", thinned(epochs)
        curves += _curves(label, shown, what, begin, series(index))
        rows += (_row(label, row) for row in shown)
        begin += len(epochs)
    values = [point[1] for curve in curves for point in curve.points]
    if not values:
        raise missing("learning curves")
    title = "Loss" if what == "loss" else "Accuracy on the validation split"
    spent = f"{count(begin)} epochs of {len({row[0] for row in rows})} trainings"
    return Picture(
        title,
        f"{title} over {spent}, {number(values[0])} to {number(values[-1])}.",
        TextTable(HEADS, tuple(rows)),
        Plane(
            Axis.over("epoch", [0, begin]),
            Axis.over("loss" if what == "loss" else "accuracy, %", values),
            curves,
            [mark for curve in curves for mark in _dots(curve)],
            keys=_keys(curves, what),
        ).draw,
        _left_out([len(epochs) for _, epochs in trainings]),
    )


def thinned(epochs: Epochs) -> Epochs:
    """The first, and of all up to the last so many that are equally far apart."""
    last, stride = len(epochs) - 1, _stride(len(epochs))
    return (
        [epochs[place] for place in sorted({0, *range(last % stride, len(epochs), stride)})] if epochs else []
    )


def _stride(epochs: int) -> int:
    return max(1, math.ceil(epochs / MOST))


def _left_out(lengths: Sequence[int]) -> str:
    longest = max(lengths)
    if longest <= MOST:
        return ""
    return f"Of {count(longest)} epochs one in {_stride(longest)} is shown; all are in the run's epochs.json."


def _curves(label: str, epochs: Epochs, what: str, begin: int, colour: str) -> Iterator[Curve]:
    """The training split's thin, the validation split's solid."""
    for key, style in (("loss", "thin"), ("val_loss", "solid")) if what == "loss" else ((what, "solid"),):
        points = [
            (begin + row["epoch"], _scaled(row[key], key)) for row in epochs if row.get(key) is not None
        ]
        yield Curve(label, points, f"{style} {colour}")


def _row(label: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        label,
        count(row["epoch"]),
        *(fixed(row.get(key), 4) for key in ("loss", "val_loss", "val_accuracy")),
    )


def _dots(curve: Curve) -> Iterator[Mark]:
    """A dot for each epoch on the validation split, so that a training of one epoch is seen too."""
    style, colour = curve.kind.split()
    if style == "solid":
        for x, y in curve.points:
            yield Mark(x, y, f"fill {colour}", f"{curve.label}, epoch {count(x)}: {number(y)}")


def _keys(curves: Sequence[Curve], what: str) -> list[tuple[str, str]]:
    solid = {curve.label: curve.kind for curve in curves if curve.kind.startswith("solid")}
    keys = [(kind, label) for label, kind in solid.items()]
    return [*keys, ("thin grey", "on the training split")] if what == "loss" else keys


def _scaled(value: float, key: str) -> float:
    return 100 * value if key == "val_accuracy" else value
