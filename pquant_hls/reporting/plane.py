"""Charts of two axes: curves, points of a front, intervals in their order, and cells of a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pquant_hls.qor.words import number
from pquant_hls.reporting.figure import Draw
from pquant_hls.reporting.svg import (
    AxisScale,
    Point,
    cross,
    cut_to,
    dot,
    legend,
    line,
    path,
    rect,
    round_values,
    text,
    width_of,
)

HEIGHT = 270.0


@dataclass(frozen=True)
class Axis:
    """What an axis counts, and from where to where; ``log`` is the base of a logarithm."""

    label: str
    low: float
    high: float
    log: float | None = None

    @classmethod
    def over(cls, label: str, values: Sequence[float], *, zero: bool = False) -> Axis:
        """From a round value to a round value around ``values``."""
        ticks = round_values(0.0 if zero else min(values), max(values))
        return cls(label, ticks[0], ticks[-1])


@dataclass(frozen=True)
class Curve:
    """A line through points (x, y); ``kind`` is its class, ``area`` fills it down to the axis."""

    label: str
    points: Sequence[Point]
    kind: str
    area: bool = False


@dataclass(frozen=True)
class Mark:
    """A point: ``kind`` is its class, ``told`` what a pointer over it is told; crossed marks are what is not allowed."""

    x: float
    y: float
    kind: str
    told: str = ""
    crossed: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Plane:
    """What is drawn between two axes. ``limits`` are (x or y, value); ``keys`` the legend, (class, label)."""

    x: Axis
    y: Axis
    curves: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    limits: Sequence[tuple[str, float]] = ()
    keys: Sequence[tuple[str, str]] = ()
    names: Sequence[tuple[float, str]] | None = None
    height: float = HEIGHT

    def draw(self, width: float) -> tuple[float, str]:
        """(height, elements)."""
        keys, head = legend(self.keys, width)
        labels = [number(tick, 6) for tick in self._y(0, 1).ticks()]
        left = max((width_of(said) for said in labels), default=0.0) + 8
        top, bottom = keys + 22, keys + 22 + self.height
        x = AxisScale(self.x.low, self.x.high, left, width - 10, self.x.log)
        y = self._y(bottom, top)
        body = [head, text(0, top - 10, cut_to(self.y.label, width), "soft")]
        body += [self._rows(y, x, left), self._columns(x, bottom, top, width)]
        body += [_curve(curve, x, y, bottom) for curve in self.curves]
        body += [_limit(which, value, x, y) for which, value in self.limits]
        body += [_mark(mark, x, y) for mark in self.marks]
        if not self.x.label:
            return bottom + 24, "".join(body)
        body.append(text(width - 10, bottom + 32, cut_to(self.x.label, width - 20), "soft", "end"))
        return bottom + 40, "".join(body)

    def _y(self, start: float, end: float) -> AxisScale:
        return AxisScale(self.y.low, self.y.high, start, end, self.y.log)

    def _rows(self, y: AxisScale, x: AxisScale, left: float) -> str:
        found = ""
        for tick in y.ticks():
            found += line((left, y(tick)), (x.end, y(tick)), "grid")
            found += text(left - 6, y(tick) + 4, number(tick, 6), "soft", "end")
        return found

    def _columns(self, x: AxisScale, bottom: float, top: float, width: float) -> str:
        """Grid and values of the horizontal axis: as many as have room, evenly."""
        ticks = [(tick, number(tick, 6)) for tick in x.ticks()] if self.names is None else self.names
        found = line((x.start, bottom), (x.end, bottom), "axis")
        room = max((width_of(said) for _, said in ticks), default=0.0) + 8
        every = math.ceil(room * len(ticks) / (x.end - x.start)) if ticks else 1
        for value, said in ticks[:: max(1, every)]:
            place = x(value)
            found += line((place, top), (place, bottom), "grid") if self.names is None else ""
            start = max(0.0, min(place - width_of(said) / 2, width - width_of(said)))
            found += text(start, bottom + 16, said, "soft")
        return found


def _curve(curve: Curve, x: AxisScale, y: AxisScale, bottom: float) -> str:
    if not curve.points:
        return ""
    places = [(x(one), y(other)) for one, other in curve.points]
    if not curve.area:
        return path(places, curve.kind)
    closed = [(places[0][0], bottom), *places, (places[-1][0], bottom)]
    return path(closed, f"area {curve.kind.split()[-1]}") + path(places, curve.kind)


def _limit(which: str, value: float, x: AxisScale, y: AxisScale) -> str:
    if which == "x":
        return line((x(value), y.start), (x(value), y.end), "limit")
    return line((x.start, y(value)), (x.end, y(value)), "limit")


def _mark(mark: Mark, x: AxisScale, y: AxisScale) -> str:
    place = x(mark.x), y(mark.y)
    found = ""
    if mark.low is not None and mark.high is not None:
        found = line((place[0], y(mark.low)), (place[0], y(mark.high)), "whisker")
    shape: Callable[..., str] = cross if mark.crossed else dot
    return found + shape(*place, mark.kind, mark.told)


def stairs(edges: Sequence[float], shares: Sequence[float]) -> list[Point]:
    """A histogram's outline: two points a bin."""
    return [
        (edge, share)
        for start, end, share in zip(edges[:-1], edges[1:], shares, strict=True)
        for edge in (start, end)
    ]


def columns(labels: Sequence[str], marks: Sequence[Mark], plane: Plane) -> Draw:
    """Marks with intervals, one beside the other; mark ``n`` stands at x = ``n``."""
    names = [(float(index), label) for index, label in enumerate(labels)]
    axis = replace(plane.x, low=-0.5, high=len(labels) - 0.5)
    placed = [replace(mark, x=float(index)) for index, mark in enumerate(marks)]
    return replace(plane, x=axis, marks=placed, names=names).draw


@dataclass(frozen=True)
class Cells:
    """A matrix: shares (rows, columns) from 0 to 1 set the colour, ``said`` stands in the cell. None is an empty cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    shares: Sequence[Sequence[float | None]]
    said: Sequence[Sequence[str]]
    across: str
    down: str

    def draw(self, width: float) -> tuple[float, str]:
        """(height, elements). Cells of little room have no text; the table has it."""
        left = min(max(width_of(row) for row in self.rows) + 10, 0.3 * width)
        side = (width - left - 2) / len(self.columns)
        tall, top = min(max(side * 0.55, 26.0), 40.0), 44.0
        body = [text(left, 14, cut_to(self.across, width - left), "soft")]
        for index, column in enumerate(self.columns):
            middle = left + (index + 0.5) * side
            body.append(text(middle, 34, cut_to(column, side - 4), "", "middle"))
        for index, row in enumerate(self.rows):
            y = top + tall * index
            body.append(text(0, y + tall / 2 + 4, cut_to(row, left - 8)))
            body += [
                self._cell(index, column, (left + column * side, y), (side, tall))
                for column in range(len(self.columns))
            ]
        return top + tall * len(self.rows) + 24, "".join(body) + text(
            0, top + tall * len(self.rows) + 16, cut_to(self.down, width), "soft"
        )

    def _cell(self, row: int, column: int, place: Point, size: Point) -> str:
        share, said = self.shares[row][column], self.said[row][column]
        if share is None:
            return ""
        level = min(4, int(5 * share))
        told = f"{self.rows[row]}, {self.columns[column]}: {said}"
        found = rect(*place, size[0] - 1.5, size[1] - 1.5, f"heat h{level}", told)
        if width_of(said) + 4 > size[0]:
            return found
        x, y = place[0] + size[0] / 2, place[1] + size[1] / 2 + 4
        return found + text(x, y, said, f"heat t{level}", "middle")
