"""What a run did, one line for each entry of its ledger, for terminals and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pquant_hls.qor import Latency, Quality
from pquant_hls.qor.words import (
    fixed,
    headline_texts,
    interval,
    number,
    percent,
    points,
    source_text,
    trial_outcome,
)
from pquant_hls.spec.model import short_names
from pquant_hls.store import Entry

PROBES = {"rank": "a quarter of the rank", "sparsity": "half of the units", "bits": "4 bits"}
ASKED = ("sparsity", "rank", "energy", "bits", "nm")
OUTCOMES = {"kept": "kept", "rolled_back": "rolled back", "left_out": "rolled back", "idle": "rolled back"}


@dataclass(frozen=True)
class Line:
    """One line. Shares for accuracy and loss, each with its statistical error; ``loss`` counts from the original.
    ``quality`` and ``lost`` are the same in words, of whatever figures the run goes by; ``headline`` is the first of
    them with its name, where it is no accuracy.

    ``worst_ns`` is the upper end; ``ns_low`` the lower one, where the record has it. ``outcome`` is a verdict, or
    ``kept`` or ``rolled back``; ``kept`` is None for what is no attempt. ``broke`` names the limits that do not hold, or
    that are open. None is what was not measured.
    """

    step: str
    what: str = ""
    accuracy: float | None = None
    accuracy_error: float | None = None
    loss: float | None = None
    loss_error: float | None = None
    quality: str = ""
    lost: str = ""
    ratio: float | None = None
    weights: int | None = None
    cycles: str = "-"
    ns: str = "-"
    ns_low: float | None = None
    worst_ns: float | None = None
    source: str | None = None
    outcome: str = ""
    why: str = ""
    kept: bool | None = None
    broke: tuple[str, ...] = ()
    headline: tuple[str, Quality] | None = None


def lines(entries: Iterable[Entry], baseline: float | None = None) -> list[Line]:
    """The entries a reader cares for, in their order; ``baseline`` is the original's accuracy (share)."""
    return [_line(entry, baseline) for entry in entries if entry.kind != "step"]


def _line(entry: Entry, baseline: float | None) -> Line:
    found, qor, account = entry.figures, entry.figures.get("qor") or {}, entry.figures.get("account") or {}
    errors = qor.get("metrics") or {}
    own = found.get("accuracy")
    accuracy = own if qor.get("accuracy") is None else qor["accuracy"]
    loss = found.get("degradation")
    if accuracy is not None and baseline is not None and (loss is None or accuracy != own):
        loss = baseline - accuracy
    accuracy_error = errors.get("accuracy_error", found.get("accuracy_error") if accuracy == own else None)
    loss_error = errors.get("loss_error", found.get("degradation_error") if accuracy == own else None)
    figures = headline_texts(qor.get("quality") or found.get("quality"))
    quality, lost = figures or (percent(accuracy, accuracy_error), points(loss, loss_error))
    return Line(
        step=entry.name,
        what=_what(entry),
        accuracy=accuracy,
        accuracy_error=accuracy_error,
        loss=loss,
        loss_error=loss_error,
        quality=quality,
        lost=lost,
        ratio=found.get("compression_ratio"),
        weights=account.get("nonzero_weights"),
        **_latency(found),
        source=source_text(qor) if "qor" in found else None,
        outcome=_outcome(entry),
        why=_why(entry),
        kept=None if entry.status is None else entry.status == "kept",
        broke=tuple(_broke(entry)),
        headline=next(_headlines(qor.get("quality") or found.get("quality") or {}), None),
    )


def _headlines(told: Mapping[str, Any]) -> Iterator[tuple[str, Quality]]:
    """Figures that searches go by, as they were recorded."""
    for name, each in told.items():
        found = Quality.model_validate(each)
        if found.headline:
            yield name, found


def _broke(entry: Entry) -> Iterator[str]:
    """Limits that a trial is expected to break, or that the checks of a round do not show to hold."""
    yield from entry.figures.get("broke") or ()
    yield from (f"{name} (open)" for name in entry.figures.get("open") or ())
    for check in entry.checks:
        if check.verdict != "MET":
            yield str(check.record["name"]) + (" (open)" if check.verdict == "UNKNOWN" else "")


def _latency(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The interval of a whole QoR, or the upper end that was written down beside the others."""
    if "qor" not in figures:
        cycles, worst = figures.get("cycles"), figures.get("worst_ns")
        ns = "-" if worst is None else f"<= {fixed(worst, 1)}"
        return {"cycles": interval(None, cycles, None), "ns": ns, "worst_ns": worst}
    latency = (figures["qor"] or {}).get("latency")
    if latency is None:
        return {}
    found = Latency.model_validate(latency)
    return {
        "cycles": interval(found.cycles_max_lo, found.cycles_max, found.cycles_max_hi),
        "ns": interval(found.worst_ns_lo, found.worst_ns, found.worst_ns_hi, 1),
        "ns_low": found.worst_ns_lo,
        "worst_ns": found.worst_ns_hi,
    }


def _outcome(entry: Entry) -> str:
    if entry.kind == "trial":
        return trial_outcome(entry.status, entry.figures)
    return entry.verdict or OUTCOMES.get(entry.status or "", "rolled back" if entry.status else "")


def _why(entry: Entry) -> str:
    """The reason; of a round its next action too, of a trial its score and the limits that it breaks."""
    action, value = entry.settings.get("action"), entry.figures.get("value")
    if entry.kind == "sensitivity":  # the line has its figures already
        return ""
    if value is not None:
        said = [f"score {value:.4f}"]
        said += [
            f"{word} {', '.join(names)}"
            for word, key in (("breaks", "broke"), ("open:", "open"))
            if (names := entry.figures.get(key))
        ]
        return "; ".join(said)
    if entry.kind == "trial":
        return entry.reason
    return f"{action}: {entry.reason}" if action else entry.why


def _what(entry: Entry) -> str:
    """What was asked, by whichever settings the entry has."""
    if entry.kind == "float":
        return "the float model, converted as it is"
    told = (
        say(entry.settings[name], entry)
        for name, say in _SAY.items()
        if entry.settings.get(name) is not None and not (name == "move" and "knobs" in entry.settings)
    )
    return ", ".join(filter(None, told))


def _knobs(knobs: Mapping[str, float], entry: Entry) -> str:
    units = (entry.figures.get("account") or {}).get("units") or entry.figures.get("units") or {}
    names = short_names(knobs)
    parts = ["-".join(map(str, units.values()))] if units else []
    return ", ".join([*parts, *(f"{names[path]} {_short(value)}" for path, value in knobs.items())])


def _settings(steps: Iterable[Mapping[str, Any]], entry: Entry) -> str:
    """What was asked of each step: its main parameters, and for how many layers it was set apart."""
    del entry
    return "; ".join(filter(None, map(_step, steps)))


def _step(values: Mapping[str, Any]) -> str:
    parts = []
    for name in ASKED:
        if values.get(name) is not None:
            of = f" of {values['sparsity_of']}" if name == "sparsity" and "sparsity_of" in values else ""
            parts.append(f"{name} {_short(values[name])}{of}")
    if values.get("layers"):
        parts.append(", ".join(f"{layer} {_short(value)}" for layer, value in values["layers"].items()))
    return ", ".join(parts)


def _layer(layer: str, entry: Entry) -> str:
    probe = entry.settings["probe"]
    return f"{layer}: {PROBES.get(probe, probe)}"


def _target(hls: Mapping[str, Any], entry: Entry) -> str:
    del entry
    clock, strategy, reuse = hls.get("clock_ns", 0), hls.get("strategy"), hls.get("reuse_factor")
    return f"{clock:g} ns clock, {strategy} strategy, reuse {reuse}"


def _params(params: Mapping[str, Any], entry: Entry) -> str:
    del entry
    return ", ".join(f"{name} {_short(value)}" for name, value in params.items())


_SAY: Mapping[str, Callable[[Any, Entry], str]] = {
    "knobs": _knobs,
    "settings": _settings,
    "layer": _layer,
    "target": _target,
    "move": lambda move, _: str(move),
    "params": _params,
}


def _short(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
