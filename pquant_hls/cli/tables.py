"""Tables for a terminal of any width: no figure, rule or name is broken, no column is without width, nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pquant_hls.qor.words import count, fixed, headline_texts, latency_texts, percent, points, source_text

if TYPE_CHECKING:
    from pquant_hls.reporting.lines import Line
    from pquant_hls.store import Entry

ROUNDS = (
    "round",
    "weights kept",
    "units kept",
    "bits",
    "csim accuracy",
    "loss",
    "cycles",
    "ns",
    "source",
    "verdict",
    "next action, and why",
)
LINES = ("step", "what", "accuracy", "loss", "ratio", "cycles", "ns", "outcome", "why")
WRAPPED = 24
"""Columns of a terminal that a wrapped column takes at most, and the last one at least."""
ACCURACY, QUALITY = "csim accuracy", "csim quality"
"""What the column is called of runs that go by accuracy, and of others, whose cells name their figures."""
FIGURES = frozenset(
    {
        "weights kept",
        "units kept",
        "bits",
        ACCURACY,
        QUALITY,
        "accuracy",
        "loss",
        "ratio",
        "cycles",
        "ns",
        "round",
        "II",
        "LUT",
        "FF",
        "DSP",
        "BRAM_18K",
        "reuse",
        "tokens",
        "places now",
        "places that do",
    }
)
"""Columns of figures, which are never wrapped."""
BENEATH = ("units kept", "weights kept", "ratio", "bits", "what", "source")
"""What stands beneath on a narrow terminal."""
SPARE = (
    "op",
    "written by",
    "II",
    "strategy",
    "reuse",
    "BRAM_18K",
    "DSP",
    "FF",
    "tokens",
    "cycles",
    "each value",
    "loss",
    ACCURACY,
    QUALITY,
    "accuracy",
)
"""What else stands there, one by one, until the rest has room: what a verdict is about stays above."""
GAP = 2


Cells = Sequence[Mapping[str, str]]


def fitting_table(
    console: Console, names: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", **looks: Any
) -> Table | Group:
    """A table of one cell of ``rows`` a column, whose last column takes what the others leave; on a narrow console two lines a
    row, the figures above, the rest with its names beneath. A column without a word is left out.

    rich is told every width: left alone, it takes figures down to nothing and breaks words.
    """
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    shown = [name for name in names if any(row[name] for row in cells)] or list(names)
    width = {name: _width(name, cells) for name in shown}
    last = shown[-1]
    width[last] = min(_longest(last, cells), WRAPPED)
    left = console.width - 3 * len(shown) - 1 - sum(width.values()) + width[last]
    if left < width[last]:
        return _narrow(console, shown, cells, title)
    width[last] = min(left, _longest(last, cells))
    table = Table(title=title or None, title_justify="left", **looks)
    for name in shown:
        table.add_column(name, justify=_side(name), width=width[name], overflow="fold")
    for row in cells:
        table.add_row(*(_coloured(name, row[name]) for name in shown))
    return table


def _longest(name: str, cells: Cells) -> int:
    texts = (name, *(row[name] for row in cells))
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def _width(name: str, cells: Cells) -> int:
    """What a column needs: figures all of it, others so much that no word is broken."""
    longest = _longest(name, cells)
    words = (word for text in (name, *(row[name] for row in cells)) for word in text.split())
    return longest if name in FIGURES else max(min(longest, WRAPPED), *map(cell_len, words))


def _narrow(console: Console, names: Sequence[str], cells: Cells, title: str) -> Group:
    """Two lines a row: the first for what a verdict is about, with as many of the columns as the console has room for."""
    sentence = "" if names[-1] in FIGURES else names[-1]
    spare = [name for name in SPARE if name in names]
    above = [name for name in names if name not in (*BENEATH, sentence)]
    while spare and sum(_longest(name, cells) + GAP for name in above) - GAP > console.width:
        above.remove(spare.pop(0))
    beneath = [name for name in names if name not in (*above, sentence)]
    rows = []
    for row in cells:
        told = ", ".join(f"{name} {row[name]}" for name in beneath if row[name] not in ("", "-"))
        rest = "; ".join(part for part in (told, row.get(sentence, "")) if part not in ("", "-"))
        rows.append(([row[name] for name in above], [rest] if rest else []))
    return stacked(console, title, above, rows)


def stacked(
    console: Console, title: str, names: Sequence[str], rows: Iterable[tuple[Sequence[str], Sequence[str]]]
) -> Group:
    """Rows of short cells under their names, beneath each its sentences, as wide as the console."""
    found = list(rows)
    cells = [dict(zip(names, row, strict=True)) for row, _ in found]
    widths = _narrowed([_longest(name, cells) for name in names], console.width - GAP * (len(names) - 1))

    def line(texts: Sequence[str | Text], style: str = "") -> Table:
        grid = Table.grid(padding=(0, GAP, 0, 0))
        for name, width in zip(names, widths, strict=True):
            grid.add_column(justify=_side(name), width=width, overflow="fold", style=style)
        grid.add_row(*texts)
        return grid

    parts: list[Any] = [title] if title else []
    parts += [line(names, "bold"), "─" * min(console.width, sum(widths) + GAP * (len(widths) - 1))]
    for row, (_, sentences) in zip(cells, found, strict=True):
        parts.append(line([_coloured(name, text) for name, text in row.items()]))
        parts += [Padding(sentence, (0, 0, 0, GAP), expand=False) for sentence in sentences]
    return Group(*parts)


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    """Widths that fit into ``room``: the widest give what is missing."""
    found = list(widths)
    while sum(found) > max(room, len(found)):
        found[found.index(max(found))] -= 1
    return found


COLOURS = {
    "MET": "green",
    "within budget": "green",
    "MISSED": "red",
    "failed": "red",
    "error": "red",
    "UNKNOWN": "yellow",
    "not known": "yellow",
    "warning": "yellow",
}


def _coloured(name: str, text: str) -> str | Text:
    """A verdict in its colour, which says no more than its word."""
    colour = COLOURS.get(text) if name in ("verdict", "outcome", "severity") else None
    return text if colour is None else Text(text, style=colour)


def _side(name: str) -> Literal["right", "left"]:
    return "right" if name in FIGURES else "left"


def rounds_table(
    console: Console, entries: Iterable[Entry], baseline_accuracy: float | None, limit: str
) -> Table | Group:
    """One row for each round: size, bits, accuracy and its loss, latency with interval and source, verdict, next action."""
    found = list(entries)
    named = any(headline_texts((entry.figures.get("qor") or {}).get("quality")) for entry in found)
    columns = [QUALITY if named and name == ACCURACY else name for name in ROUNDS]
    rows = [_row(entry, baseline_accuracy) for entry in found]
    return fitting_table(console, columns, rows, f"budget: {limit}", show_lines=True)


def _row(entry: Entry, baseline_accuracy: float | None) -> list[str]:
    qor, account = entry.figures.get("qor") or {}, entry.figures.get("account") or {}
    accuracy = qor.get("accuracy")
    errors = qor.get("metrics") or {}
    fallen = None if accuracy is None or baseline_accuracy is None else baseline_accuracy - accuracy
    told = headline_texts(qor.get("quality"))
    quality, loss = told or (
        percent(accuracy, errors.get("accuracy_error")),
        points(fallen, errors.get("loss_error")),
    )
    cycles, ns = latency_texts(qor)
    knobs = entry.settings.get("knobs") or {}
    bits = [f"{value:.0f}" for path, value in knobs.items() if path.rpartition(".")[2] == "bits"]
    action = (
        f"compress: this is the float model, converted at hls.precision{f', {entry.reason}' if entry.reason else ''}"
        if entry.kind == "float"
        else f"{entry.settings.get('action')}: {entry.reason}"
    )
    return [
        "float" if entry.kind == "float" else str(entry.number),
        *_sizes(account),
        ", ".join(bits) or "-",
        quality,
        loss,
        cycles,
        ns,
        source_text(qor),
        entry.verdict or "-",
        action,
    ]


def _sizes(account: Mapping[str, Any]) -> tuple[str, str]:
    units = account.get("units")
    return count(account.get("nonzero_weights")), "-".join(map(str, units.values())) if units else "-"


def lines_table(console: Console, found: Iterable[Line]) -> Table | Group:
    """One row for each thing a pipeline or a study did."""
    return fitting_table(console, LINES, map(_line, found))


def _line(line: Line) -> list[str]:
    return [
        line.step,
        line.what,
        line.quality,
        line.lost,
        fixed(line.ratio, 2),
        line.cycles,
        line.ns,
        line.outcome,
        line.why,
    ]
