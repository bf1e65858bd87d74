"""Pictures of a search: its rounds or trials one by one, its front, what mattered, and how trainings went."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pquant_hls.qor.words import count, exact, number
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.plane import Axis, Curve, Mark, Plane, columns
from pquant_hls.reporting.recorded import figures_of, missing
from pquant_hls.reporting.rows import Bar, Bars
from pquant_hls.reporting.run import RunReport

MOST = 60
"""The most entries that are drawn one by one; of more the last ones, and the table has all."""


def latency_figure(run: RunReport) -> Picture:
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
        f"; the budget is {exact(limit)} ns." if limit else "."
    )
    return Picture("Latency, one by one", alt, table, columns([short(line) for line in found], marks, plane))


@dataclass(frozen=True)
class Merit:
    """The figure that a run goes by: accuracy in percent, else the first that its searches go by, in its own unit."""

    name: str
    label: str
    lower: bool = False

    @classmethod
    def of(cls, found: Sequence[Line]) -> Merit:
        """That of a run's lines; NotMeasured where there is none."""
        if any(line.accuracy is not None for line in found):
            return cls("accuracy", "accuracy, %")
        told = next((line.headline for line in found if line.headline is not None), None)
        if told is None:
            raise missing("accuracy by round")
        unit = f", {told[1].unit}" if told[1].unit else ""
        return cls(told[0], f"{told[0]}{unit}", told[1].lower_is_better)

    def of_line(self, line: Line) -> tuple[float, float] | None:
        """(value, error) of a line; None where it was not measured."""
        if self.name == "accuracy":
            return (
                None if line.accuracy is None else (100 * line.accuracy, 100 * (line.accuracy_error or 0.0))
            )
        return None if line.headline is None else (line.headline[1].value, line.headline[1].error)

    def beats(self, one: float, other: float) -> bool:
        return one < other if self.lower else one > other


def accuracy_figure(run: RunReport) -> Picture:
    """The accuracy, or whatever figure the run goes by, of each round or trial with its error, and the floor."""
    merit = Merit.of(run.lines)
    found = [(line, told) for line in run.lines if (told := merit.of_line(line)) is not None][-MOST:]
    marks = [_mark(line, value, value - error, value + error) for line, (value, error) in found]
    limit = floor_of(run) if merit.name == "accuracy" else None
    ends = [end for mark in marks for end in (mark.low, mark.high) if end is not None] + (
        [limit] if limit else []
    )
    plane = Plane(
        Axis("", 0, 1), Axis.over(merit.label, ends), limits=_limit(limit), keys=_keys(limit, "floor", "%")
    )
    table = TextTable(
        ("step", merit.name, "outcome"),
        tuple((line.step, line.quality, line.outcome) for line, _ in found),
        frozenset({"outcome"}),
    )
    alt = f"{merit.label} of {len(found)} rounds or trials, from {_span([mark.y for mark in marks])}"
    alt += f"; the floor is {limit:.2f} %." if limit else "."
    named = merit.name if "." in merit.name else f"{merit.name[:1].upper()}{merit.name[1:]}"
    title = f"{named}, one by one"
    return Picture(title, alt, table, columns([short(line) for line, _ in found], marks, plane))


def _mark(line: Line, value: float, low: float | None, high: float | None = None) -> Mark:
    kind = "left" if line.kept is False else "best"
    told = f"{line.step}: {line.ns} ns, {line.quality}, {line.outcome}"
    return Mark(0.0, value, kind, told, low=low, high=value if high is None else high)


def short(line: Line) -> str:
    """The number of a round or a trial, else the name of what was done."""
    return line.step.removeprefix("round ").removeprefix("trial ")


def _span(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}"


def _limit(value: float | None) -> list[tuple[str, float]]:
    return [] if value is None else [("y", value)]


def _keys(limit: float | None, name: str, unit: str) -> list[tuple[str, str]]:
    return [] if limit is None else [("limit red", f"{name} {number(limit, 6)} {unit}")]


def floor_of(run: RunReport) -> float | None:
    """The least accuracy that the budget takes, in percent; None where it asks for none."""
    asked, base = run.budget, run.baseline_accuracy
    loss = asked.get("max_accuracy_loss")
    floors = [] if loss is None or base is None else [100 * (base - float(loss))]
    floors += [] if asked.get("min_accuracy") is None else [100 * float(asked["min_accuracy"])]
    return max(floors, default=None)


def front_figure(run: RunReport) -> Picture:
    """Accuracy, or whatever the run goes by, over latency, every round or trial: the front with its statistical errors, what
    it dominates, and what breaks a limit."""
    merit = Merit.of(run.lines)
    found = [line for line in run.lines if line.worst_ns is not None and merit.of_line(line) is not None]
    if len(found) < 2:
        raise missing("a front, which needs two measured designs")
    allowed = [line for line in found if not broken(line)]
    best = front(allowed, merit)
    marks = [_on_front(line, best, merit) for line in found]
    budget, floor = run.budget.get("latency_ns"), floor_of(run) if merit.name == "accuracy" else None
    xs = [mark.x for mark in marks] + ([budget] if budget else [])
    ends = [end for mark in marks for end in (mark.low, mark.high) if end is not None]
    ys = [mark.y for mark in marks] + ends + ([floor] if floor else [])
    plane = Plane(
        Axis.over("worst latency, ns", xs, zero=True),
        Axis.over(merit.label, ys),
        [Curve("front", list(_steps(best, merit)), "front")],
        sorted(marks, key=lambda mark: mark.kind == "best"),
        [*([("x", budget)] if budget else []), *([("y", floor)] if floor else [])],
        _front_keys(found, best, budget, floor),
    )
    rows = tuple(_front_row(line, best) for line in sorted(found, key=lambda line: line.worst_ns or 0.0))
    heads = ("design", "worst ns", merit.name, "standing", "limit that broke")
    alt = f"{merit.label} over worst latency of {len(found)} designs; {len(best)} are on the front"
    alt += f", {len(found) - len(allowed)} break a limit{_or_may(found)}."
    return Picture("Pareto front", alt, TextTable(heads, rows, frozenset(heads[3:])), plane.draw)


def broken(line: Line) -> str:
    """The limits that a design broke, in words; empty for one that is allowed."""
    if line.broke:
        return ", ".join(line.broke)
    return "not recorded which" if line.outcome in {"over budget", "MISSED"} else ""


def _or_may(found: Sequence[Line]) -> str:
    """Where of some designs it is not known whether they break a limit."""
    return " or may" if any(line.outcome in {"not known", "UNKNOWN"} for line in found) else ""


def front(found: Sequence[Line], merit: Merit) -> list[Line]:
    """Those that no other of them beats in latency and in the figure of merit both, the fastest first."""
    best: list[Line] = []
    for line in sorted(
        found, key=lambda line: (line.worst_ns or 0.0, _value(line, merit) * (1 if merit.lower else -1))
    ):
        if not best or merit.beats(_value(line, merit), _value(best[-1], merit)):
            best.append(line)
    return best


def _value(line: Line, merit: Merit) -> float:
    found = merit.of_line(line)
    return math.nan if found is None else found[0]


def _steps(best: Sequence[Line], merit: Merit) -> Iterator[tuple[float, float]]:
    """The front's outline: what a latency buys stays until the next design."""
    for before, line in zip([None, *best], best, strict=False):
        if before is not None:
            yield line.worst_ns or 0.0, _value(before, merit)
        yield line.worst_ns or 0.0, _value(line, merit)


def _on_front(line: Line, best: Sequence[Line], merit: Merit) -> Mark:
    why = broken(line)
    told = f"{line.step}: {line.ns} ns, {line.quality}, {why or line.outcome}; {line.what}"
    kind = "broke" if why else "best" if line in best else "dominated"
    value, error = merit.of_line(line) or (math.nan, 0.0)
    low, high = (value - error, value + error) if kind == "best" and error > 0 else (None, None)
    return Mark(line.worst_ns or 0.0, value, kind, told, crossed=bool(why), low=low, high=high)


def _front_keys(
    found: Sequence[Line], best: Sequence[Line], budget: float | None, floor: float | None
) -> list[tuple[str, str]]:
    counts = {
        "best": len(best),
        "dominated": sum(not broken(line) and line not in best for line in found),
        "broke": sum(bool(broken(line)) for line in found),
    }
    words = {"best": "on the front", "dominated": "dominated", "broke": f"breaks a limit{_or_may(found)}"}
    keys = [(f"{kind} swatch", f"{words[kind]} ({count(held)})") for kind, held in counts.items() if held]
    limits = [*([f"{exact(budget)} ns"] if budget else []), *([f"{floor:.2f} %"] if floor else [])]
    return [*keys, *([("limit red", f"limits {', '.join(limits)}")] if limits else [])]


def _front_row(line: Line, best: Sequence[Line]) -> tuple[str, ...]:
    why = broken(line)
    standing = "not allowed" if why else "on the front" if line in best else "dominated"
    return line.step, line.ns, line.quality, standing, why or "-"


def importance_figure(run: RunReport) -> Picture:
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
    return Picture(
        "Importance of parameters",
        alt,
        table,
        Bars(rows, "%"),
        "As Optuna's PED-ANOVA finds it among the trials.",
    )
