"""Pictures of a search: its rounds or trials one by one, its front, what mattered, and how trainings went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pquant_hls.qor.words import interval, percent
from pquant_hls.reporting.figure import Figure, TextTable
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.plane import Axis, Curve, Mark, Plane, columns
from pquant_hls.reporting.recorded import epochs_of, figures_of, missing
from pquant_hls.reporting.rows import Bar, bars
from pquant_hls.reporting.run import RunReport
from pquant_hls.reporting.style import series

MOST = 60
"""The most entries that are drawn one by one; of more the last ones, and the table has all."""


def latency_figure(run: RunReport) -> Figure:
    """The interval of the latency of each round or trial, and the budget."""
    found = [line for line in run.lines if line.worst_ns is not None][-MOST:]
    if not found:
        raise missing("latency by round")
    marks = [
        _mark(line, line.worst_ns or 0.0, line.worst_ns if line.ns_low is None else line.ns_low)
        for line in found
    ]
    limit = run.budget.get("latency_ns")
    ends = [end for mark in marks for end in (mark.low, mark.high) if end is not None] + (
        [limit] if limit else []
    )
    plane = Plane(
        Axis("", 0, 1),
        Axis.over("worst latency, ns", ends, zero=True),
        limits=_limit(limit),
        keys=_keys(limit, "budget", "ns"),
    )
    table = TextTable(
        ("step", "ns", "cycles", "outcome"),
        tuple((line.step, line.ns, line.cycles, line.outcome) for line in found),
        frozenset({"outcome"}),
    )
    alt = f"Worst latency of {len(found)} rounds or trials, from {_span([mark.y for mark in marks])} ns" + (
        f"; the budget is {limit:g} ns." if limit else "."
    )
    return Figure("Latency, one by one", alt, table, columns([short(line) for line in found], marks, plane))


def accuracy_figure(run: RunReport) -> Figure:
    """The accuracy of each round or trial with its error, and the floor."""
    found = [line for line in run.lines if line.accuracy is not None][-MOST:]
    if not found:
        raise missing("accuracy by round")
    marks = []
    for line in found:
        value, error = 100 * (line.accuracy or 0.0), 100 * (line.accuracy_error or 0.0)
        marks.append(_mark(line, value, value - error, value + error))
    limit = floor_of(run)
    ends = [end for mark in marks for end in (mark.low, mark.high) if end is not None] + (
        [limit] if limit else []
    )
    plane = Plane(
        Axis("", 0, 1), Axis.over("accuracy, %", ends), limits=_limit(limit), keys=_keys(limit, "floor", "%")
    )
    table = TextTable(
        ("step", "accuracy", "outcome"),
        tuple((line.step, percent(line.accuracy, line.accuracy_error), line.outcome) for line in found),
        frozenset({"outcome"}),
    )
    alt = f"Accuracy of {len(found)} rounds or trials, from {_span([mark.y for mark in marks])} %" + (
        f"; the floor is {limit:.2f} %." if limit else "."
    )
    return Figure("Accuracy, one by one", alt, table, columns([short(line) for line in found], marks, plane))


def _mark(line: Line, value: float, low: float | None, high: float | None = None) -> Mark:
    kind = "left" if line.kept is False else "best"
    told = f"{line.step}: {line.ns} ns, {percent(line.accuracy, line.accuracy_error)}, {line.outcome}"
    return Mark(0.0, value, kind, told, low=low, high=value if high is None else high)


def short(line: Line) -> str:
    """The number of a round or a trial, else the name of what was done."""
    return line.step.removeprefix("round ").removeprefix("trial ")


def _span(values: Sequence[float]) -> str:
    return f"{min(values):.4g} to {max(values):.4g}"


def _limit(value: float | None) -> list[tuple[str, float]]:
    return [] if value is None else [("y", value)]


def _keys(limit: float | None, name: str, unit: str) -> list[tuple[str, str]]:
    return [] if limit is None else [("limit red", f"{name} {limit:.6g} {unit}")]


def floor_of(run: RunReport) -> float | None:
    """The least accuracy that the budget takes, in percent; None where it asks for none."""
    asked, base = run.budget, run.baseline_accuracy
    loss = asked.get("max_accuracy_loss")
    floors = [] if loss is None or base is None else [100 * (base - float(loss))]
    floors += [] if asked.get("min_accuracy") is None else [100 * float(asked["min_accuracy"])]
    return max(floors, default=None)


def front_figure(run: RunReport) -> Figure:
    """Accuracy over latency, every round or trial: the front, what it dominates, and what breaks a limit."""
    found = [line for line in run.lines if line.worst_ns is not None and line.accuracy is not None]
    if len(found) < 2:
        raise missing("a front, which needs two measured designs")
    allowed = [line for line in found if not broken(line)]
    best = front(allowed)
    marks = [_on_front(line, best) for line in found]
    budget, floor = run.budget.get("latency_ns"), floor_of(run)
    xs = [mark.x for mark in marks] + ([budget] if budget else [])
    ys = [mark.y for mark in marks] + ([floor] if floor else [])
    plane = Plane(
        Axis.over("worst latency, ns", xs, zero=True),
        Axis.over("accuracy, %", ys),
        [Curve("front", list(_steps(best)), "front")],
        sorted(marks, key=lambda mark: mark.kind == "best"),
        [*([("x", budget)] if budget else []), *([("y", floor)] if floor else [])],
        _front_keys(found, best, budget, floor),
    )
    rows = tuple(_front_row(line, best) for line in sorted(found, key=lambda line: line.worst_ns or 0.0))
    table = TextTable(
        ("design", "worst ns", "accuracy", "standing", "limit that broke"),
        rows,
        frozenset({"standing", "limit that broke"}),
    )
    alt = f"Accuracy over worst latency of {len(found)} designs; {len(best)} are on the front"
    alt += f", {len(found) - len(allowed)} break a limit."
    return Figure("Pareto front", alt, table, plane.draw)


def broken(line: Line) -> str:
    """The limits that a design broke, in words; empty for one that is allowed."""
    if line.broke:
        return ", ".join(line.broke)
    return "not recorded which" if line.outcome in {"over budget", "MISSED"} else ""


def front(found: Sequence[Line]) -> list[Line]:
    """Those that no other of them beats in latency and accuracy both, the fastest first."""
    best: list[Line] = []
    for line in sorted(found, key=lambda line: (line.worst_ns or 0.0, -(line.accuracy or 0.0))):
        if not best or (line.accuracy or 0.0) > (best[-1].accuracy or 0.0):
            best.append(line)
    return best


def _steps(best: Sequence[Line]) -> Iterator[tuple[float, float]]:
    """The front's outline: what a latency buys stays until the next design."""
    for index, line in enumerate(best):
        place = line.worst_ns or 0.0, 100 * (line.accuracy or 0.0)
        if index > 0:
            yield place[0], 100 * (best[index - 1].accuracy or 0.0)
        yield place


def _on_front(line: Line, best: Sequence[Line]) -> Mark:
    why = broken(line)
    told = f"{line.step}: {line.ns} ns, {percent(line.accuracy)}, {why or line.outcome}; {line.what}"
    kind = "broke" if why else "best" if line in best else "dominated"
    return Mark(line.worst_ns or 0.0, 100 * (line.accuracy or 0.0), kind, told, crossed=bool(why))


def _front_keys(
    found: Sequence[Line], best: Sequence[Line], budget: float | None, floor: float | None
) -> list[tuple[str, str]]:
    counts = {
        "best": len(best),
        "dominated": sum(not broken(line) and line not in best for line in found),
        "broke": sum(bool(broken(line)) for line in found),
    }
    words = {"best": "on the front", "dominated": "dominated", "broke": "breaks a limit"}
    keys = [(f"{kind} swatch", f"{words[kind]} ({count})") for kind, count in counts.items() if count]
    limits = [*([f"{budget:g} ns"] if budget else []), *([f"{floor:.2f} %"] if floor else [])]
    return [*keys, *([("limit red", f"limits {', '.join(limits)}")] if limits else [])]


def _front_row(line: Line, best: Sequence[Line]) -> tuple[str, ...]:
    why = broken(line)
    standing = "not allowed" if why else "on the front" if line in best else "dominated"
    return line.step, line.ns, percent(line.accuracy, line.accuracy_error), standing, why or "-"


def importance_figure(run: RunReport) -> Figure:
    """What share of the spread of a study's scores each parameter explains."""
    found: Mapping[str, float] = (figures_of(run).get("study") or {}).get("importance") or {}
    if not found:
        raise missing("importance of parameters")
    rows = [
        Bar(name, 100 * value, f"{100 * value:.0f} %")
        for name, value in sorted(found.items(), key=lambda item: -item[1])
    ]
    table = TextTable(("parameter", "importance"), tuple((row.name, row.said) for row in rows))
    alt = f"Importance of {len(rows)} parameters; {rows[0].name} has the largest, {rows[0].said}."
    return Figure(
        "Importance of parameters",
        alt,
        table,
        bars(rows, "%"),
        "As Optuna's PED-ANOVA finds it among the trials.",
    )


def learning_figure(run: RunReport, what: str) -> Figure:
    """``loss`` or ``val_accuracy`` epoch by epoch, training after training on the way to the design."""
    curves, rows, begin = [], [], 0
    for index, (name, epochs) in enumerate(epochs_of(run)):
        label = f"{index + 1}. {name}"
        for key, style in (("loss", "thin"), ("val_loss", "solid")) if what == "loss" else ((what, "solid"),):
            points = [
                (begin + row["epoch"], _scaled(row[key], key)) for row in epochs if row.get(key) is not None
            ]
            curves.append(Curve(label, points, f"{style} {series(index)}"))
        rows += [
            (label, str(row["epoch"]), *(_said(row.get(key)) for key in ("loss", "val_loss", "val_accuracy")))
            for row in epochs
        ]
        begin += len(epochs)
    values = [point[1] for curve in curves for point in curve.points]
    if not values:
        raise missing("learning curves")
    title = "Loss" if what == "loss" else "Accuracy on the validation split"
    return Figure(
        title,
        f"{title} over {begin} epochs of {len({row[0] for row in rows})} trainings, {values[0]:.4g} to {values[-1]:.4g}.",
        TextTable(("training", "epoch", "loss", "validation loss", "validation accuracy"), tuple(rows)),
        Plane(
            Axis.over("epoch", [0, begin]),
            Axis.over("loss" if what == "loss" else "accuracy, %", values),
            curves,
            [mark for curve in curves for mark in _epochs(curve)],
            keys=_learning_keys(curves, what),
        ).draw,
    )


def _epochs(curve: Curve) -> Iterator[Mark]:
    """A dot for each epoch on the validation split, so that a training of one epoch is seen too."""
    style, colour = curve.kind.split()
    if style == "solid":
        yield from (
            Mark(x, y, f"fill {colour}", f"{curve.label}, epoch {x:g}: {y:.4g}") for x, y in curve.points
        )


def _learning_keys(curves: Sequence[Curve], what: str) -> list[tuple[str, str]]:
    solid = {curve.label: curve.kind for curve in curves if curve.kind.startswith("solid")}
    keys = [(kind, label) for label, kind in solid.items()]
    return [*keys, ("thin grey", "on the training split")] if what == "loss" else keys


def _scaled(value: float, key: str) -> float:
    return 100 * value if key == "val_accuracy" else value


def _said(value: float | None) -> str:
    return interval(None, value, None, "{:.4f}")
