"""Charts of one row a thing: bars with intervals, and ranges of values against their types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pquant_hls.qor import FixedType
from pquant_hls.qor.ranges import ValueRange
from pquant_hls.qor.words import number
from pquant_hls.reporting.figure import Draw
from pquant_hls.reporting.svg import (
    AxisScale,
    cut_to,
    legend,
    line,
    rect,
    round_values,
    text,
    width_of,
)

BESIDE = 500
"""Least width of a picture that has names beside its rows, not above them."""
THICK = 13.0
Limit = tuple[float, str]


@dataclass(frozen=True)
class Bar:
    """One bar from 0 to ``value`` with the interval it may lie in; ``said`` stands behind it. None was not measured."""

    name: str
    value: float | None
    said: str
    low: float | None = None
    high: float | None = None
    kind: str = "bar"


@dataclass(frozen=True)
class Frame:
    """Where rows lie: a name on the left, figures on the right; in a narrow picture both above."""

    width: float
    names: Sequence[str]
    said: Sequence[str]
    top: float

    @property
    def beside(self) -> bool:
        return self.width >= BESIDE

    @property
    def start(self) -> float:
        longest = max((width_of(name) for name in self.names), default=0.0)
        return min(longest + 10, 0.3 * self.width) if self.beside else 4.0

    @property
    def end(self) -> float:
        longest = max((width_of(said) for said in self.said), default=0.0)
        return self.width - min(longest + 12, 0.4 * self.width) if self.beside else self.width - 4.0

    @property
    def pitch(self) -> float:
        return 24.0 if self.beside else 42.0

    @property
    def bottom(self) -> float:
        return self.top + self.pitch * len(self.names)

    def middle(self, row: int) -> float:
        """Height of a row's bar."""
        return self.top + self.pitch * row + (12.0 if self.beside else 30.0)

    def words(self, row: int) -> str:
        y = self.middle(row) + 4 if self.beside else self.middle(row) - 14
        name, said = self.names[row], self.said[row]
        if self.beside:
            ends = cut_to(name, self.start - 8), cut_to(said, self.width - self.end - 8)
            return text(0, y, ends[0]) + text(self.end + 8, y, ends[1], "soft")
        said = cut_to(said, 0.62 * self.width)
        name = cut_to(name, self.width - width_of(said) - 10)
        return text(0, y, name) + text(self.width, y, said, "soft", "end")

    def grid(self, scale: AxisScale, labels: Sequence[tuple[float, str]], unit: str) -> str:
        """Lines of the axis, its values below, as many as have room, and the unit at its end."""
        found, free = [], -1.0
        for value, said in labels:
            x = scale(value)
            found.append(line((x, self.top), (x, self.bottom), "grid"))
            left = min(max(x - width_of(said) / 2, 0.0), self.width - width_of(said))
            if left > free:
                found.append(text(left, self.bottom + 14, said, "soft"))
                free = left + width_of(said) + 6
        return "".join(found) + text(self.end, self.bottom + 30, unit, "soft", "end")


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from 0, each with its interval; ``limit`` is a line across them. The axis reaches ``to`` at least."""

    rows: Sequence[Bar]
    unit: str
    limit: Limit | None = None
    to: float = 0.0

    @property
    def most(self) -> float:
        """What the axis must reach."""
        ends = [value for row in self.rows for value in (row.value, row.high) if value is not None]
        return max([self.to, *ends, *([self.limit[0]] if self.limit else [])])

    def __call__(self, width: float) -> tuple[float, str]:
        keys, head = legend([("limit red", self.limit[1])] if self.limit else [], width)
        frame = Frame(width, [row.name for row in self.rows], [row.said for row in self.rows], keys + 4)
        ticks = round_values(0.0, self.most)
        scale = AxisScale(0.0, ticks[-1], frame.start, frame.end)
        body = [head, frame.grid(scale, [(tick, number(tick, 10)) for tick in ticks], self.unit)]
        for index, row in enumerate(self.rows):
            body += [frame.words(index), _bar(row, scale, frame.middle(index))]
        if self.limit is not None:
            x = scale(self.limit[0])
            body.append(line((x, frame.top), (x, frame.bottom), "limit"))
        return frame.bottom + 38, "".join(body)


def on_one_scale(draws: Sequence[Draw]) -> Sequence[Draw]:
    """Bars of one unit that stand side by side, so that equal lengths are equal values; other pictures as they are."""
    found = [draw for draw in draws if isinstance(draw, Bars)]
    if len(found) < len(draws) or len({draw.unit for draw in found}) != 1:
        return draws
    return [replace(draw, to=max(other.most for other in found)) for draw in found]


def _bar(row: Bar, scale: AxisScale, y: float) -> str:
    if row.value is None:
        return ""
    told = f"{row.name}: {row.said}"
    found = rect(scale(0), y - THICK / 2, scale(row.value) - scale(0), THICK, row.kind, told)
    if row.low is None or row.high is None or row.low == row.high:
        return found
    low, high = scale(row.low), scale(row.high)
    ends = [line((x, y - 3.5), (x, y + 3.5), "whisker") for x in (low, high)]
    return found + line((low, y), (high, y), "whisker") + "".join(ends)


SUPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw_ranges(found: Sequence[ValueRange]) -> Draw:
    """Sizes of values, by powers of two, over the reach of their types: a pale box from the least step of the type to its
    largest value, on it the values from least to largest and the middle half of them."""

    def draw(width: float) -> tuple[float, str]:
        items = [
            ("box", "reach of the type"),
            ("within", "middle half of the values"),
            ("over", "values cut"),
        ]
        keys, head = legend([(f"{kind} swatch", said) for kind, said in items], width)
        frame = Frame(width, [_name(row) for row in found], [said_of(row) for row in found], keys + 4)
        low, high = _reach(found)
        scale = AxisScale(low, high, frame.start + 2, frame.end - 2, log=2)
        labels = [(tick, f"2{str(round(math.log2(tick))).translate(SUPER)}") for tick in scale.ticks()]
        body = [head, frame.grid(scale, labels, "size of the values")]
        for index, row in enumerate(found):
            body += [frame.words(index), _range(row, scale, frame.middle(index))]
        return frame.bottom + 38, "".join(body)

    return draw


def _name(row: ValueRange) -> str:
    return f"{row.layer} {row.what}"


def said_of(row: ValueRange) -> str:
    """The type, and what is amiss with it: values cut, or bits that no value moves."""
    kind = FixedType.parse(row.type)
    head = f"{'' if kind.signed else 'u'}<{kind.width},{kind.integer}>"
    cut = row.beyond if row.beyond is not None else row.at_ends
    if row.saturates and cut is not None:
        return f"{head} {share_text(cut)} cut"
    return f"{head} {row.spare} spare" if row.spare > 0 else head


def share_text(value: float) -> str:
    """A share in percent, small ones with a digit that tells them from none."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def _reach(found: Sequence[ValueRange]) -> tuple[float, float]:
    kinds = [FixedType.parse(row.type) for row in found]
    low = min(kind.lsb for kind in kinds)
    return low, max(2 * low, *(_top(kind) for kind in kinds))


def _top(kind: FixedType) -> float:
    """The largest size that a type holds, its sign left out, as a power of two."""
    return 2.0 ** (kind.integer - int(kind.signed))


def _range(row: ValueRange, scale: AxisScale, y: float) -> str:
    kind = FixedType.parse(row.type)
    left, right = scale(kind.lsb), scale(_top(kind))
    label = f"{_name(row)}: {row.type}, {number(row.low)} to {number(row.high)}"
    found = rect(left, y - THICK / 2, right - left, THICK, "box", label)
    if not row.magnitudes:
        return found
    least, _, lower, median, upper, _, largest = (scale(size) for size in row.magnitudes)
    found += line((least, y), (largest, y), "whisker")
    found += rect(lower, y - 4, max(upper - lower, 2.0), 8, "full" if row.saturates else "within")
    found += line((median, y - 6), (median, y + 6), "whisker")
    return found + (rect(right - 4, y - THICK / 2, 4, THICK, "over") if row.saturates else "")
