"""Latency and accuracy, line by line, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pquant_hls.programs.quoting import html
from pquant_hls.reporting.lines import Line

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 720, 220, 56, 110, 34, 40
BLUE, RED, GREY = "#4a78b5", "#a31515", "#999"
MOST_LABELS = 16
RESOLUTION = 1e-6
"""Least range of values, in percent or ns."""


@dataclass(frozen=True)
class Mark:
    """One entry: an interval, its label below and the text above it; grey for what was not kept."""

    label: str
    low: float
    high: float
    text: str
    colour: str = BLUE


def _colour(line: Line) -> str:
    return GREY if line.kept is False else BLUE


def latency_picture(found: Sequence[Line], budget_ns: float | None) -> str:
    """The latency interval of each measured line, in ns, and the budget; empty where nothing was measured."""
    marks = []
    for line in found:
        if line.worst_ns is not None:
            low = line.worst_ns if line.ns_low is None else line.ns_low
            marks.append(Mark(_label(line), low, line.worst_ns, f"{line.worst_ns:.0f}", _colour(line)))
    limit = None if budget_ns is None else (budget_ns, f"budget {budget_ns:g} ns")
    return _draw("latency, ns", marks, limit, from_zero=True)


def accuracy_picture(found: Sequence[Line], floor: float | None) -> str:
    """The accuracy of each scored line in percent, with its error where known, and the floor."""
    marks = []
    for line in found:
        if line.accuracy is not None:
            error = line.accuracy_error or 0.0
            low, high = 100 * (line.accuracy - error), 100 * (line.accuracy + error)
            marks.append(Mark(_label(line), low, high, f"{100 * line.accuracy:.1f}", _colour(line)))
    limit = None if floor is None else (100 * floor, f"floor {100 * floor:.2f} %")
    return _draw("accuracy, %", marks, limit, from_zero=False)


def _label(line: Line) -> str:
    return line.step.removeprefix("round ").removeprefix("trial ")


def _draw(title: str, marks: Sequence[Mark], limit: tuple[float, str] | None, *, from_zero: bool) -> str:
    if not marks:
        return ""
    values = [value for mark in marks for value in (mark.low, mark.high)] + (
        [] if limit is None else [limit[0]]
    )
    ticks = _ticks(0.0 if from_zero else min(values), max(values))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_text(0, 12, title, anchor="start")]
    for value in ticks:
        parts.append(_line(y(value), "#eee"))
        parts.append(_text(LEFT - 6, y(value) + 4, f"{value:g}", anchor="end", colour=GREY))
    parts += [part for index, mark in enumerate(marks) for part in _bar(index, mark, len(marks), y)]
    if limit is not None:
        parts.append(_line(y(limit[0]), RED, 'stroke-dasharray="6 4"'))
        parts.append(_text(WIDTH - RIGHT + 6, y(limit[0]) + 4, limit[1], anchor="start", colour=RED))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def _bar(index: int, mark: Mark, count: int, y: Callable[[float], float]) -> list[str]:
    """The bar, the text above it and, where there is room, the label below."""
    x = LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / count
    top, height = y(mark.high), max(y(mark.low) - y(mark.high), 3.0)
    bar = f'<rect x="{x - 7:.1f}" y="{top:.1f}" width="14" height="{height:.1f}" fill="{mark.colour}"/>'
    every = 1 + count // MOST_LABELS
    texts = [_text(x, top - 5, mark.text), _text(x, HEIGHT - BOTTOM + 16, mark.label)]
    return [bar, *texts] if index % every == 0 else [bar]


def _ticks(low: float, high: float) -> list[float]:
    """Round values, 1, 2 or 5 times a power of ten apart, from at most ``low`` to at least ``high``; 1 in all around
    values that differ by rounding alone."""
    span = high - low if high - low > RESOLUTION else 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


def _line(y: float, colour: str, more: str = "") -> str:
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="{colour}">{html(text)}</text>'
