"""A run's rounds or trials as a pandas frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pquant_hls.errors import NotMeasured
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.run import RunReport
from pquant_hls.spec.model import short_names
from pquant_hls.store import Entry

if TYPE_CHECKING:
    from pandas import DataFrame

FIGURES = (
    "accuracy",
    "accuracy_error",
    "loss",
    "loss_error",
    "ratio",
    "weights",
    "ns_low",
    "worst_ns",
    "source",
    "outcome",
)


def frame(run: RunReport, kinds: Collection[str] = ()) -> DataFrame:
    """A ``pandas.DataFrame`` with a row for each entry of a run, only those of some ``kinds`` where they are given.

    Columns: ``step``; a column for each knob or parameter, by its short name; accuracy and loss with their errors (shares),
    ``ratio``, ``weights``, ``cycles``, ``ns_low`` and ``worst_ns`` (ns), ``lut``, ``source``, ``outcome``, ``broke`` and
    ``why``. What was not measured is missing (NaN or None). ``attrs`` hold the run's folder and budget.

    Raises
    ------
    NotMeasured : pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as cause:
        raise NotMeasured("frames need pandas", mend="pip install 'pquant_hls[data]'") from cause
    chosen = [entry for entry in run.records if entry.kind != "step" and (not kinds or entry.kind in kinds)]
    lines = dict(zip((id(entry) for entry in run.records if entry.kind != "step"), run.lines, strict=True))
    found = pd.DataFrame([_row(entry, lines[id(entry)]) for entry in chosen])
    found.attrs = {"folder": str(run.folder), "budget": run.budget}
    return found


def _row(entry: Entry, line: Line) -> dict[str, Any]:
    asked: Mapping[str, Any] = entry.settings.get("knobs") or {}
    named = {short_names(asked)[path]: value for path, value in asked.items()} | dict(
        entry.settings.get("params") or {}
    )
    latency, resources = _of_record(entry, "latency"), _of_record(entry, "resources")
    figures = {name: getattr(line, name) for name in FIGURES}
    figures["cycles"] = latency.get("cycles_max", entry.figures.get("cycles"))
    figures["lut"] = resources.get("lut", entry.figures.get("lut"))
    return {"step": line.step, **named, **figures, "broke": ", ".join(line.broke), "why": line.why}


def _of_record(entry: Entry, part: str) -> Mapping[str, Any]:
    return (entry.figures.get("qor") or {}).get(part) or {}
