"""``*_cosim.rpt``: result of C/RTL co-simulation."""

from __future__ import annotations

import re

from pquant_hls.readers import checks, values
from pquant_hls.readers.records import CosimReport, CosimRun
from pquant_hls.readers.tables import Block
from pquant_hls.readers.values import Spot

_TITLE = re.compile(r"\+\s+RTL\s+\+\s+Status\s+\+")
_TRIPLE = re.compile(r"\|" + r"\s+\|" * 2 + (r"\s+min\s+\|\s+avg\s+\|\s+max\s+\|" * 2) + r"(\s+\|)?\s*\Z")
_GROUPS = re.compile(r"\|\s+\|\s+\|\s+Latency(\(Clock Cycles\))?\s+\|\s+Interval(\(Clock Cycles\))?\s+\|")
_STATUS = ("NA", "Pass", "Fail")


def recognises(block: Block) -> bool:
    return any(_TITLE.match(line) for line in block.lines)


def read(block: Block, spot: Spot) -> CosimReport:
    """Rows of both languages; the heading must be the known one, or no figure can be told from another."""
    titles = [[line for line in block.lines if pattern.match(line)] for pattern in (_GROUPS, _TITLE, _TRIPLE)]
    if [len(found) for found in titles] != [1, 1, 1]:
        raise spot.error("the heading of the table is damaged")
    columns = len(_cells(titles[2][0]))
    rows: dict[str, CosimRun] = {}  # VHDL first, as all versions print them
    for number, line in enumerate(block.lines, start=block.start + 1):
        cells = _cells(line)
        if not line.startswith("|") or cells[0] not in ("VHDL", "Verilog"):
            continue
        place = spot.at(f"line {number}")
        if (
            cells[0] in rows
            or (cells[0] == "VHDL" and rows)
            or len(cells) != columns
            or not line.rstrip().endswith("|")
        ):
            raise place.error(f"not one whole row for {cells[0]}")
        rows[cells[0]] = _run(cells[1:], place)
    return CosimReport(kind="cosim", file=spot.file, verilog=rows.get("Verilog"), vhdl=rows.get("VHDL"))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _run(cells: list[str], spot: Spot) -> CosimRun:
    if cells[0] not in _STATUS:
        raise spot.error(f"{cells[0][:40]!r} is not a result", mend=f"one of {', '.join(_STATUS)}")
    low, mean, high, ii_low, ii_mean, ii_high = (values.cycles(cell, spot) for cell in cells[1:7])
    total = values.cycles(cells[7], spot) if len(cells) == 8 else None
    for triple, name in (((low, mean, high), "latency"), ((ii_low, ii_mean, ii_high), "interval")):
        checks.check_order(triple[0], triple[1], spot.at(name))
        checks.check_order(triple[1], triple[2], spot.at(name))
        checks.check_order(triple[0], triple[2], spot.at(name))
    checks.check_order(1, ii_low, spot.at("interval"))
    checks.check_order(high, total, spot.at("latency within total time"))
    return CosimRun(
        status=cells[0],
        latency_min=low,
        latency_avg=mean,
        latency_max=high,
        ii_min=ii_low,
        ii_avg=ii_mean,
        ii_max=ii_high,
        total_cycles=total,
    )
