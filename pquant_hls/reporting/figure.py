"""A picture with the table behind it: drawn in SVG for any width, shown by a page and by a notebook alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.errors import OutputError
from pquant_hls.programs.quoting import html, xml
from pquant_hls.reporting.style import STYLE
from pquant_hls.store import write_bytes

WIDE, NARROW = 640.0, 340.0
"""Widths that a picture is drawn for; the page shows the one that fits its reader's window."""
FEW = 6
"""Columns of a table that half a page has room for."""
Draw = Callable[[float], tuple[float, str]]
"""(height, elements) of a picture of a width."""


@dataclass(frozen=True)
class TextTable:
    """Rows of texts under their heads; the first column names the row. ``texts`` are the heads of columns of words."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[str] = frozenset()

    def html(self) -> str:
        """A table that a narrow window shows as one block a row."""
        marks = ["" if head not in self.texts else ' class="text"' for head in self.heads]
        heads = "".join(
            f'<th role="columnheader" scope="col"{mark}>{html(head)}</th>'
            for head, mark in zip(self.heads, marks, strict=True)
        )
        rows = "".join(self._row(row, marks) for row in self.rows)
        kinds = {2: "slim", 3: "stack pair"}
        kind = kinds.get(len(self.heads), "stack" if len(self.heads) <= FEW else "stack broad")
        return (
            f'<div class="fit"><table role="table" class="{kind}"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
            f'<tbody role="rowgroup">{rows}</tbody></table></div>'
        )

    def _row(self, row: Sequence[str], marks: Sequence[str]) -> str:
        first = f'<th role="rowheader" scope="row">{html(row[0])}</th>'
        cells = "".join(
            f'<td role="cell"{mark} data-head="{html(head)}">{html(cell)}</td>'
            for head, mark, cell in zip(self.heads[1:], marks[1:], row[1:], strict=True)
        )
        return f'<tr role="row">{first}{cells}</tr>'

    def markdown(self) -> str:
        """As a table of GitHub's Markdown."""
        left = {self.heads[0], *self.texts}
        lines = [self.heads, tuple("---" if head in left else "---:" for head in self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in lines)


def _cell(said: str) -> str:
    return " ".join(xml(said).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


@dataclass(frozen=True)
class Picture:
    """A picture: ``alt`` says what it shows in a sentence, ``table`` has its figures."""

    title: str
    alt: str
    table: TextTable
    draw: Draw
    note: str = ""

    def svg(self, width: float = WIDE, kind: str = "") -> str:
        """The picture alone, ``width`` units wide."""
        height, body = self.draw(width)
        return (
            f'<svg class="picture {kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'aria-label="{html(f"{self.title}. {self.alt}")}">{body}</svg>'
        )

    def html(self, of: str = "") -> str:
        """The picture, ``of`` one of several runs, for wide and for narrow windows, its caption, and the table to unfold."""
        note = f'<p class="note">{html(self.note)}</p>' if self.note else ""
        return (
            f'<figure class="fit"><figcaption>{html(f"{of}: {self.title}" if of else self.title)}</figcaption>'
            f"{self.svg(WIDE, 'wide')}{self.svg(NARROW, 'narrow')}"
            f"{note}<details><summary>figures</summary>{self.table.html()}</details></figure>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f'<div class="pquant"><style>{STYLE}</style>{self.html()}</div>'

    def _repr_svg_(self) -> str:
        """For viewers of notebooks that show no HTML."""
        return self._alone(WIDE)

    def _alone(self, width: float) -> str:
        """The picture as a file of its own; the style's rules are for what stands inside of ``pquant``."""
        drawn = self.svg(width).replace(
            '<svg class="', '<svg xmlns="http://www.w3.org/2000/svg" class="pquant ', 1
        )
        head, _, body = drawn.removesuffix("</svg>").partition(">")
        return f'{head}><style>{STYLE}</style><g class="picture">{body}</g></svg>'

    def save(self, path: str | Path, width: float = WIDE) -> Path:
        """Write the picture as ``.svg``, or with its table as ``.html``; returns the path.

        Raises
        ------
        OutputError : the name ends in neither, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix == ".svg":
            whole = self._alone(width)
        elif path.suffix == ".html":
            whole = (
                f'<!doctype html><meta charset="utf-8"><title>{html(self.title)}</title>{self._repr_html_()}'
            )
        else:
            raise OutputError("a figure is saved as .svg or .html", where=path)
        write_bytes(path, f"{whole}\n".encode())
        return path
