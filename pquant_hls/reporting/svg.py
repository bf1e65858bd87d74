"""The few elements of SVG that pictures are made of. What a thing is, is its class; its colour is the style's alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pquant_hls.programs.quoting import html

FONT = 12.0
WIDEST = 0.62
"""Mean width of a character, as a share of the font's size, of the widest of the usual sans-serif fonts (DejaVu Sans)."""
Point = tuple[float, float]
RESOLUTION = 1e-6
"""Least range of an axis."""


def width_of(said: str) -> float:
    """Room that a text needs."""
    return WIDEST * FONT * len(said)


def cut_to(said: str, room: float) -> str:
    """The text, cut with an ellipsis where it is longer than the room; its table has it whole."""
    most = max(2, int(room / (WIDEST * FONT)))
    return said if len(said) <= most else f"{said[: most - 1]}…"


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    of = f' class="{kind}"' if kind else ""
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{of}{end}>{html(said)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, told: str = "") -> str:
    body = f' x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f'<rect class="{kind}"{body}{_titled(told, "rect")}'


def dot(x: float, y: float, kind: str, told: str = "", radius: float = 4.0) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{_titled(told, "circle")}'


def cross(x: float, y: float, kind: str, told: str = "", arm: float = 3.5) -> str:
    shape = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:g} {2 * arm:g}m0 {-2 * arm:g}l{-2 * arm:g} {2 * arm:g}"
    return f'<path class="{kind}" d="{shape}"{_titled(told, "path")}'


def line(start: Point, end: Point, kind: str) -> str:
    ends = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f'<line class="{kind}" {ends}/>'


def path(points: Iterable[Point], kind: str) -> str:
    return f'<path class="{kind}" d="M{" ".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def _titled(told: str, name: str) -> str:
    return f"><title>{html(told)}</title></{name}>" if told else "/>"


@dataclass(frozen=True)
class AxisScale:
    """Values to places: ``low`` lies at ``start``, ``high`` at ``end``; by logarithm where ``log`` is the base."""

    low: float
    high: float
    start: float
    end: float
    log: float | None = None

    def __call__(self, value: float) -> float:
        if self.log is None:
            share = (value - self.low) / (self.high - self.low)
        else:
            value = min(max(value, self.low), self.high)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 8) -> list[float]:
        """Round values that the axis spans, no more than ``most`` of a logarithm's."""
        if self.log is None:
            slack = RESOLUTION * (self.high - self.low)
            return [
                tick
                for tick in round_values(self.low, self.high)
                if self.low - slack <= tick <= self.high + slack
            ]
        powers = powers_within(self.low, self.high, self.log)
        return powers[:: 1 + (len(powers) - 1) // most]


def round_values(low: float, high: float) -> list[float]:
    """Round values, 1, 2 or 5 times a power of ten apart, from at most ``low`` to at least ``high``; 1 in all around
    values that differ by rounding alone."""
    span = high - low if high - low > RESOLUTION else 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 4)
    first, last = math.floor(low / step + RESOLUTION), math.ceil(high / step - RESOLUTION)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


def powers_within(low: float, high: float, base: float) -> list[float]:
    """The powers of ``base`` from ``low`` to ``high``."""
    first = math.ceil(math.log(low, base) - RESOLUTION)
    last = math.floor(math.log(high, base) + RESOLUTION)
    return [float(base) ** number for number in range(first, last + 1)]


def legend(items: Sequence[tuple[str, str]], width: float) -> tuple[float, str]:
    """(height, elements) of a legend of (class, label), in as many lines as it needs."""
    x, y, found = 0.0, 12.0, []
    for kind, label in items:
        said = cut_to(label, width - 22)
        room = 22 + width_of(said) + 14
        if x > 0 and x + room - 14 > width:
            x, y = 0.0, y + 18
        found.append(line((x, y - 4), (x + 16, y - 4), f"key {kind}"))
        found.append(text(x + 22, y, said))
        x += room
    return (y + 12, "".join(found)) if items else (0.0, "")
