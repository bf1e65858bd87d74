"""The tables and sections that the tools draw with ``+---+`` and ``|``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pquant_hls.readers import values
from pquant_hls.readers.values import Spot

_BORDER = re.compile(r"\s*\+[-+]+\+\s*\Z")
_HEADING = re.compile(r"== (?P<name>.+?)\s*\Z")


@dataclass(frozen=True)
class Table:
    """Column titles and rows of cells (stripped text); ``line`` is the first line's number in the file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line: int

    def index(self, title: str, spot: Spot) -> int:
        """Position of the only column of this title."""
        found = [index for index, name in enumerate(self.columns) if name == title]
        if len(found) != 1:
            raise spot.at(f"table at line {self.line}").error(
                f"{len(found)} columns {title!r} instead of one"
            )
        return found[0]

    def cell(self, row: Sequence[str], title: str, spot: Spot) -> str:
        return row[self.index(title, spot)]

    def row(self, label: str, spot: Spot) -> tuple[str, ...] | None:
        """The only row whose first cell is ``label``, None where there is none."""
        found = [row for row in self.rows if row[0] == label]
        if len(found) > 1:
            raise spot.at(f"table at line {self.line}").error(f"the row {label!r} stands {len(found)} times")
        return found[0] if found else None


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a file; ``start`` is the number of the first one, from 0."""

    lines: tuple[str, ...]
    start: int = 0

    def after(self, pattern: str, spot: Spot, stop: str | None = None) -> Block | None:
        """Lines after the only line that ``pattern`` matches, up to one that ``stop`` matches."""
        hits = [index for index, line in enumerate(self.lines) if re.match(pattern, line)]
        if not hits:
            return None
        if len(hits) > 1:
            raise spot.at(f"line {self.start + hits[1] + 1}").error("this part stands a second time")
        first = hits[0] + 1
        last = len(self.lines)
        if stop is not None:
            last = next((i for i in range(first, last) if re.match(stop, self.lines[i])), last)
        return Block(self.lines[first:last], self.start + first)


def sections(block: Block, spot: Spot) -> dict[str, Block]:
    """Parts under ``== Name`` headings; a heading that stands twice is an error."""
    lines = enumerate(block.lines)
    hits = [(index, found["name"]) for index, line in lines if (found := _HEADING.match(line))]
    found_sections: dict[str, Block] = {}
    for (index, name), (following, _) in pairwise([*hits, (len(block.lines), "")]):
        if name in found_sections:
            raise spot.at(f"line {block.start + index + 1}").error(f"a second section {name!r}")
        found_sections[name] = Block(block.lines[index + 1 : following], block.start + index + 1)
    return found_sections


def fields_in(block: Block, spot: Spot, mark: str = "") -> dict[str, str]:
    """The ``Name:  value`` lines that begin with ``mark``; a name that stands twice is an error."""
    found: dict[str, str] = {}
    for number, line in enumerate(block.lines, start=block.start + 1):
        text = line.strip()
        pair = values.field(text.removeprefix(mark)) if text.startswith(mark) else None
        if pair is None:
            continue
        if pair[0] in found:
            raise spot.at(f"line {number}").error(f"a second {pair[0]!r}")
        found[pair[0]] = pair[1]
    return found


def table_in(block: Block | None, spot: Spot) -> Table | None:
    """The table that starts at the first line which is not blank; None where there is none."""
    if block is None:
        return None
    first = next((index for index, line in enumerate(block.lines) if line.strip()), None)
    if first is None or not block.lines[first].strip().startswith(("+", "|")):
        return None
    place = spot.at(f"line {block.start + first + 1}")
    if not _BORDER.match(block.lines[first]):
        raise place.error("a table without its upper border")
    header, rows = _split(block, first, place)
    if not header:
        return None
    columns = _titles(block.lines[first], header, place)
    cells = tuple(_cells(line, len(columns), spot.at(f"line {number}")) for number, line in rows)
    return Table(columns, cells, block.start + first + 1)


def _split(block: Block, first: int, spot: Spot) -> tuple[list[str], list[tuple[int, str]]]:
    """Header lines (between the first two borders) and numbered rows (until the table ends)."""
    header: list[str] = []
    rows: list[tuple[int, str]] = []
    borders = 1
    for index in range(first + 1, len(block.lines)):
        line = block.lines[index]
        if _BORDER.match(line):
            borders += 1
        elif not line.strip().startswith(("|", "+")):
            break
        elif borders == 1:
            header.append(line)
        else:
            rows.append((block.start + index + 1, line))
    if rows and borders < 2:
        raise spot.error("a table without its header")
    return (header, rows) if borders > 1 else ([], [])


def _titles(border: str, header: Sequence[str], spot: Spot) -> tuple[str, ...]:
    """Column titles; a heading that spans columns counts for each of them."""
    edges = [index for index, sign in enumerate(border) if sign == "+"]
    for line in header:
        bars = [index for index, sign in enumerate(line) if sign == "|"]
        if not set(bars) <= set(edges) or bars[:1] != edges[:1] or bars[-1:] != edges[-1:]:
            raise spot.error("a table header that does not fit its border")
    titles = []
    for left, right in pairwise(edges):
        parts = [_over(line, (left + right) // 2) for line in header]
        titles.append(" ".join(part for part in parts if part))
    return tuple(titles)


def _over(line: str, position: int) -> str:
    """The cell that covers a position."""
    left, right = line.rfind("|", 0, position + 1), line.find("|", position)
    return " ".join(line[left + 1 : right].split())


def _cells(line: str, columns: int, spot: Spot) -> tuple[str, ...]:
    text = line.strip()
    cells = [cell.strip() for cell in text[1:-1].split("|")]
    if len(cells) != columns or not (text.startswith("|") and text.endswith("|")):
        raise spot.error(f"a row that does not have {columns} cells")
    return tuple(cells)
