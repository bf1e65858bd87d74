"""A run as one JSON object, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.recorded import figures_of, ranges_of
from pquant_hls.reporting.run import RunReport


def to_record(run: RunReport) -> dict[str, Any]:
    """Verdict, checks, record, lines and, where they were recorded, the figures behind the page's pictures."""
    return {
        "schema_version": 1,
        "verdict": str(run.verdict),
        "recorded_verdict": run.recorded,
        "status": run.status,
        "reason": run.reason,
        "basis": run.basis,
        "checks": [str(check) for check in run.checks],
        "test_split": None if run.on_test is None else str(run.on_test),
        "qor": run.qor,
        "lines": [_plain(line) for line in run.lines],
        "figures": {**figures_of(run), "ranges": [found.model_dump() for found in ranges_of(run)]},
    }


def _plain(line: Line) -> dict[str, Any]:
    """A line as JSON: its first figure of merit, where it is no accuracy, as ``{name: figure}``."""
    headline = None if line.headline is None else {line.headline[0]: line.headline[1].model_dump()}
    return {**asdict(line), "headline": headline}
