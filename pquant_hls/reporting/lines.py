"""What a run did, one line for each thing: rounds of the loop, stages of a pipeline, trials of a study.

Every policy writes records of its own kind; here they get one form, for terminals and pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pquant_hls.qor import Latency
from pquant_hls.qor.words import interval, source_text

Record = Mapping[str, Any]
PROBES = {"rank": "a quarter of the rank", "sparsity": "half of the units", "bits": "4 bits"}
KNOBS = ("sparsity", "rank", "energy", "bits", "nm")


@dataclass(frozen=True)
class Line:
    """One line. Shares for accuracy and loss, each with its statistical error; ``loss`` counts from the original.

    ``worst_ns`` is the upper end; ``ns_low`` the lower one, where the record has it. ``outcome`` is a verdict, or
    ``kept`` or ``rolled back``. None is what was not measured.
    """

    step: str
    what: str = ""
    accuracy: float | None = None
    accuracy_error: float | None = None
    loss: float | None = None
    loss_error: float | None = None
    ratio: float | None = None
    weights: int | None = None
    cycles: str = "-"
    ns: str = "-"
    ns_low: float | None = None
    worst_ns: float | None = None
    source: str | None = None
    outcome: str = ""
    why: str = ""


def lines(records: Iterable[Record], baseline: float | None = None) -> list[Line]:
    """The records a reader cares for, in their order; ``baseline`` is the original's accuracy (share)."""
    found = (_READ[record["kind"]](record) for record in records if record.get("kind") in _READ)
    return [_with_loss(line, baseline) for line in found]


def _with_loss(line: Line, baseline: float | None) -> Line:
    if line.loss is not None or line.accuracy is None or baseline is None:
        return line
    return replace(line, loss=baseline - line.accuracy)


def _round(record: Record) -> Line:
    qor, account = record.get("qor") or {}, record.get("account") or {}
    if not qor and "accuracy" in record:  # a pipeline's own summary of a round
        return _flat(
            record, f"round {record['number']}", _knobs(record.get("knobs", {}), record.get("units"))
        )
    accuracy = qor.get("accuracy")
    units = account.get("units")
    is_float = record["kind"] == "float"
    why = "" if is_float or not record.get("action") else f"{record['action']}: {record['reason']}"
    return Line(
        "float" if is_float else f"round {record['round']}",
        "what hls4ml makes of the float model" if is_float else _knobs(record.get("knobs", {}), units),
        accuracy,
        ratio=record.get("compression_ratio"),
        weights=account.get("nonzero_weights"),
        **_latency(qor),
        source=source_text(qor),
        outcome=record.get("verdict") or "",
        why=why,
    )


def _latency(qor: Mapping[str, Any]) -> dict[str, Any]:
    if qor.get("latency") is None:
        return {}
    found = Latency.model_validate(qor["latency"])
    return {
        "cycles": interval(found.cycles_max_lo, found.cycles_max, found.cycles_max_hi),
        "ns": interval(found.worst_ns_lo, found.worst_ns, found.worst_ns_hi, "{:.1f}"),
        "ns_low": found.worst_ns_lo,
        "worst_ns": found.worst_ns_hi,
    }


def _flat(record: Record, step: str, what: str, outcome: str | None = None, why: str | None = None) -> Line:
    """A record with its figures side by side, as ``pipelines.walk.figures`` writes them."""
    cycles, worst = record.get("cycles"), record.get("worst_ns")
    kept = record.get("kept")
    told = record.get("verdict") or ("" if kept is None else "kept" if kept else "rolled back")
    return Line(
        step,
        what,
        record.get("accuracy"),
        record.get("accuracy_error"),
        record.get("degradation"),
        record.get("degradation_error"),
        record.get("compression_ratio"),
        None,
        interval(None, cycles, None),
        "-" if worst is None else f"<= {worst:.1f}",
        None,
        worst,
        None,
        told if outcome is None else outcome,
        str(record.get("reason") or "") if why is None else why,
    )


def _stage(record: Record) -> Line:
    why = str(record.get("reason") or "").removeprefix("rolled back: ")
    settings = "; ".join(filter(None, (_settings(values) for values in record.get("settings", ()))))
    return _flat(
        record, str(record.get("stage", record.get("step"))), settings, why="" if why == "kept" else why
    )


def _sensitivity(record: Record) -> Line:
    probe = PROBES.get(record["probe"], record["probe"])
    return Line(
        "sensitivity",
        f"{record['layer']}: {probe}",
        loss=record["degradation"],
        loss_error=record.get("degradation_error"),
    )


def _target(record: Record) -> Line:
    hls = record.get("target") or {}
    what = f"{hls.get('clock_ns', 0):g} ns clock, {hls.get('strategy')} strategy, reuse {hls.get('reuse_factor')}"
    return _flat(record, "target", what)


def _relax(record: Record) -> Line:
    return _flat(record, "relax", str(record.get("move", "")))


def _trial(record: Record) -> Line:
    excess, value = record.get("excess"), record.get("value")
    feasible = excess is not None and excess <= 0
    what = ", ".join(f"{name} {_short(value)}" for name, value in record.get("params", {}).items())
    why = record.get("error") or ("" if value is None else f"score {value:.4f}")
    outcome = "failed" if record.get("error") else "within budget" if feasible else "over budget"
    return _flat(record, f"trial {record.get('number')}", what, outcome, str(why))


def _stop(record: Record) -> Line:
    return Line("stop", outcome=str(record.get("verdict") or ""), why=str(record.get("reason") or ""))


def _note(record: Record) -> Line:
    return Line(str(record.get("step", "note")), why=str(record.get("reason") or ""))


_READ: dict[str, Callable[[Record], Line]] = {
    "float": _round,
    "round": _round,
    "stage": _stage,
    "sensitivity": _sensitivity,
    "target": _target,
    "relax": _relax,
    "trial": _trial,
    "stop": _stop,
    "note": _note,
}


def _knobs(knobs: Mapping[str, float], units: Mapping[str, int] | None) -> str:
    parts = ["-".join(map(str, units.values()))] if units else []
    parts += [f"{name} {_short(value)}" for name, value in knobs.items()]
    return ", ".join(parts)


def _settings(values: Mapping[str, Any]) -> str:
    """What was asked of a step: its knobs, and for how many layers it was set apart."""
    parts = []
    for name in KNOBS:
        if values.get(name) is not None:
            of = f" of {values['sparsity_of']}" if name == "sparsity" and "sparsity_of" in values else ""
            parts.append(f"{name} {_short(values[name])}{of}")
    if values.get("layers"):
        parts.append(", ".join(f"{layer} {_short(value)}" for layer, value in values["layers"].items()))
    return ", ".join(parts)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
