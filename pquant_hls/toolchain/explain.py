"""Why a vendor tool failed, from its own log, and what the user can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pquant_hls.programs import MORE_MEMORY, RunResult, Status


@dataclass(frozen=True)
class Cause:
    """``kind`` is one of license, part, syntax, memory, size, cosim, vivado, error, died, timeout, silent."""

    kind: str
    message: str
    mend: str


_LICENSE = (
    "point XILINXD_LICENSE_FILE or LM_LICENSE_FILE to a license for this feature and part, "
    "or take a part that the free edition covers"
)
_PART = "install the part's family with the AMD installer (Add Design Tools or Devices), or set another part"
_SYNTAX = "see the C++ file and line; after hand edits write the project again"
_SIZE = "raise the reuse factor, use io_stream, or prune: the unrolled design is too large for the tool"
_MEMORY = "use a machine with more memory, or a smaller design (higher reuse factor, io_stream)"
_COSIM = "compare the csim and RTL outputs in tb_data; look at FIFO depths and at out-of-range reads"
_VIVADO = "source Vivado's settings64.sh, so that vivado is on PATH"
# Kind, what a line of the log says, mend. The first kind that any line matches wins, so particular ones stand
# before general ones.
_KNOWN: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "license",
        (
            r"\[Common 17-34[58]\]",
            r"no(t a)? valid licen[sc]e",
            r"licen[sc]e (was not found|check ?out failed)",
            r"fail\w* to (get|obtain|check ?out)\b.*licen[sc]e",
        ),
        _LICENSE,
    ),
    (
        "part",
        (
            r"\[HLS 200-1023\]",
            r"\[Coretcl 2-106\]",
            r"part '[^']*' is not installed",
            r"no parts matched",
            r"'set_part'.*requires a value",
            r'can\'t read "lib_specifications"',
        ),
        _PART,
    ),
    ("syntax", (r"ERROR: \[HLS 207-\d+\]", r"\S+\.(cpp|cc|c|h|hpp):\d+(:\d+)?: (fatal )?error:"), _SYNTAX),
    ("memory", (r"std::bad_alloc", r"out of memory", r"cannot allocate memory"), _MEMORY),
    ("size", (r"\[HLS 200-70\] Pre-synthesis failed", r"\[XFORM 203-(504|1403)\]"), _SIZE),
    ("vivado", (r"couldn't execute \"vivado\"",), _VIVADO),
    ("cosim", (r"co-simulation finished: FAIL", r"ERROR: \[COSIM 212-\d+\]", r"ERROR: Test failed"), _COSIM),
    ("syntax", (r"compilation errors?\b",), _SYNTAX),
    ("error", (r"^\s*ERROR\b",), "see the log"),
)
_CONTEXT = 300


def explain(result: RunResult, lines: Iterable[str] | None = None) -> Cause:
    """The likeliest cause of a failed run: a known failure in its log, else how the process ended."""
    log = _lines(result.log) if lines is None else list(lines)
    known = _known(log)
    if known is not None and (result.status is not Status.TIMEOUT or known.kind != "error"):
        return known
    if result.status is Status.TIMEOUT:
        return Cause(
            "timeout", f"{result.reason}; last line: {_last(log)}", "allow more time, or a smaller design"
        )
    if result.status is Status.MEMORY:
        return Cause("memory", f"{result.reason}; last line: {_last(log)}", MORE_MEMORY)
    if result.status is Status.DIED:
        mend = _MEMORY if "SIGKILL" in result.reason else "see the log; the tool itself crashed"
        return Cause("died", f"{result.reason}; last line: {_last(log)}", mend)
    if result.status is Status.FAILED:
        return Cause("error", f"{result.reason}; last line: {_last(log)}", "see the log")
    return Cause("silent", "ended without an error and without a report", "see the log")


def _known(log: Sequence[str]) -> Cause | None:
    for kind, texts, mend in _KNOWN:
        pattern = re.compile("|".join(texts), re.IGNORECASE)
        for line in log:
            if pattern.search(line):
                return Cause(kind, line.strip()[:_CONTEXT], mend)
    return None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _last(log: Sequence[str]) -> str:
    return next((line.strip()[:_CONTEXT] for line in reversed(log) if line.strip()), "none")
