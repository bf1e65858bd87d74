"""One file to one record, its kind told by its content and never by its name."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable
from pathlib import Path

from pquant_hls.errors import ReportError
from pquant_hls.errors.bounds import REPORT_BYTES, REPORT_LINE
from pquant_hls.readers import (
    cosim,
    csim,
    csynth_rpt,
    csynth_xml,
    export,
    project_files,
    summary,
    vivado,
    xml,
)
from pquant_hls.readers.records import AnyReport
from pquant_hls.readers.tables import Block
from pquant_hls.readers.values import Spot

_KNOWN = "csynth (.xml, .rpt, summary), cosim, csim log, export, Vivado utilization and timing, hls.app, .aps"


def read_report(path: str | Path) -> AnyReport:
    """Read one report file of Vivado HLS, Vitis HLS or Vivado.

    Raises
    ------
    ReportError : the file is missing, empty, damaged, contradicts itself, or is no report that is known here.
    """
    path = Path(path)
    spot = Spot(str(path))
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise spot.error("not a file")  # reading a pipe would wait for its writer
        if found.st_size > REPORT_BYTES:
            raise spot.error(f"more than {REPORT_BYTES // 2**20} MB, no report is that long")
        data = path.read_bytes()
    except OSError as cause:
        raise ReportError(f"cannot be read: {cause.strerror}", where=path) from cause
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what PowerShell's ">" writes
    return read_text(data.decode("utf-16" if is_utf16 else "utf-8-sig", errors="replace"), str(path))


def read_text(text: str, file: str) -> AnyReport:
    """As ``read_report`` for text already in memory; ``file`` names it in errors.

    A last line without its line end is left out: it may have lost digits.
    """
    spot = Spot(file)
    if not text.strip():
        raise spot.error("empty file", mend="run the tool again")
    if text.lstrip().startswith("<"):
        return _read_xml(text, spot)
    block = Block(tuple(line.rstrip() for line in text.splitlines(keepends=True) if line.endswith("\n")))
    for number, line in enumerate(block.lines, start=1):
        if len(line) > REPORT_LINE:
            raise spot.at(f"line {number}").error(f"{len(line)} characters, no report has such a line")
    found = _kinds(block)
    if not found:
        raise spot.error("not a report that is known", mend=f"known: {_KNOWN}")
    (name, read), *others = found
    if name in [other for other, _ in others]:
        raise spot.error(f"two {name} reports in one file", mend="keep each report in a file of its own")
    report = read(block, spot)
    remarks = tuple(f"{file}: holds a {other} report too, which is not read" for other, _ in others)
    return report.model_copy(update={"remarks": remarks}) if remarks else report


def _kinds(block: Block) -> list[tuple[str, Callable[[Block, Spot], AnyReport]]]:
    """The reports in a text, the one to read first: printed by a tool, several stand one after the other.

    What C simulation printed stands in front of many reports and is passed over there.
    """
    commands = vivado.commands(block)
    found: list[tuple[str, Callable[[Block, Spot], AnyReport], int]] = [
        ("synthesis summary", summary.read, any(summary.TITLE.match(line) for line in block.lines)),
        ("synthesis", csynth_rpt.read, any(csynth_rpt.TITLE.match(line) for line in block.lines)),
        ("co-simulation", cosim.read, cosim.recognises(block)),
        ("export", export.read, export.recognises(block)),
        ("export", export.read_implementation, export.recognises_run(block)),
        ("utilization", vivado.read_utilization, commands.count("report_utilization")),
        ("timing", vivado.read_timing, commands.count("report_timing_summary")),
    ]
    reports = [(name, read) for name, read, count in found for _ in range(count)]
    return reports or ([("C simulation", csim.read)] if csim.recognises(block) else [])


def _read_xml(text: str, spot: Spot) -> AnyReport:
    root = xml.parse(text, spot)
    if csynth_xml.recognises(root):
        return csynth_xml.read(root, spot)
    if project_files.recognises_app(root):
        return project_files.read_app(root, spot)
    if project_files.recognises_aps(root):
        return project_files.read_aps(root, spot)
    raise spot.error(f"XML of a kind that is not known ({root.tag[:60]})", mend=f"known: {_KNOWN}")
