"""One file to one record, its kind told by its content and never by its name."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from pquant_hls.errors import ReportError
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

MAX_BYTES = 64 * 1024 * 1024
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
        if found.st_size > MAX_BYTES:
            raise spot.error(f"more than {MAX_BYTES // 2**20} MB, no report is that long")
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
    block = Block(
        tuple(line.rstrip("\r\n") for line in text.splitlines(keepends=True) if line.endswith("\n"))
    )
    if any(summary.TITLE.match(line) for line in block.lines):
        return summary.read(block, spot)
    if any(csynth_rpt.TITLE.match(line) for line in block.lines):
        return csynth_rpt.read(block, spot)
    if cosim.recognises(block):
        return cosim.read(block, spot)
    if csim.recognises(block):
        return csim.read(block, spot)
    if export.recognises(block):
        return export.read(block, spot)
    if export.recognises_run(block):
        return export.read_run(block, spot)
    return _read_vivado(block, spot)


def _read_xml(text: str, spot: Spot) -> AnyReport:
    root = xml.parse(text, spot)
    if csynth_xml.recognises(root):
        return csynth_xml.read(root, spot)
    if project_files.recognises_app(root):
        return project_files.read_app(root, spot)
    if project_files.recognises_aps(root):
        return project_files.read_aps(root, spot)
    raise spot.error(f"XML of a kind that is not known ({root.tag[:60]})", mend=f"known: {_KNOWN}")


def _read_vivado(block: Block, spot: Spot) -> AnyReport:
    command = vivado.command(block, spot)
    if command == "report_utilization":
        return vivado.read_utilization(block, spot)
    if command == "report_timing_summary":
        return vivado.read_timing(block, spot)
    raise spot.error("not a report that is known", mend=f"known: {_KNOWN}")
