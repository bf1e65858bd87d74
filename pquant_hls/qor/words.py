"""Figures as people read them: thousands marked, a dash for what was not measured, an interval where there is one.

Tables and sentences take their numbers from here, JSON and CSV take them plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pquant_hls.qor.records import RESOURCE_NAMES, Latency, QoR, Quality


def number(value: float | None, digits: int = 4) -> str:
    """So many significant digits, every digit of a larger whole part: ``0.1235``, ``304.6``, ``12,345``."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:,.{digits}g}"


def exact(value: float | None) -> str:
    """A figure that somebody chose, such as a limit, with all its digits: ``40``, ``2.5``, ``1,234,567``."""
    return number(value, 15)


def fixed(value: float | None, places: int) -> str:
    """So many decimals: ``75.0``, ``1,390.0``."""
    return "-" if value is None else f"{value:,.{places}f}"


def count(value: float | None) -> str:
    """A whole number."""
    return fixed(value, 0)


def counted(number: int, one: str) -> str:
    """``1 round``, ``1,200 rounds``."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def trial_outcome(status: str | None, figures: Mapping[str, Any]) -> str:
    """What became of a trial, by its status and figures: ``not known`` where no limit breaks, but some are open."""
    undecided = figures.get("open") and not figures.get("broke")
    over = "not known" if undecided else "over budget"
    return {"kept": "within budget", "rolled_back": over, "failed": "failed"}.get(status or "", "")


def interval(low: float | None, value: float | None, high: float | None, places: int = 0) -> str:
    """``12 [11..13]``; only the value where it has no interval, ``-`` where it was not measured."""
    text = fixed(value, places)
    if value is None or low is None or high is None or low == high:
        return text
    return f"{text} [{fixed(low, places)}..{fixed(high, places)}]"


def percent(share: float | None, error: float | None = None) -> str:
    """A share as ``74.46 %``, with its statistical error where that is known."""
    if share is None:
        return "-"
    return f"{100 * share:.2f} %" if error is None else f"{100 * share:.2f} ± {100 * error:.2f} %"


def points(loss: float | None, error: float | None = None) -> str:
    """A loss in points of accuracy, signed: ``+0.78``."""
    if loss is None:
        return "-"
    return f"{100 * loss:+.2f}" if error is None else f"{100 * loss:+.2f} ± {100 * error:.2f}"


def figure_text(found: Quality, *, with_error: bool = True) -> str:
    """A figure with its error and unit: ``0.0123 ± 0.0002``, ``3.1 ± 0.2 GeV``."""
    error = f" ± {number(found.error, 2)}" if with_error and found.error > 0 else ""
    return f"{number(found.value)}{error}{f' {found.unit}' if found.unit else ''}"


def loss_text(found: Quality) -> str:
    """What a figure lost against the original's, signed, worse positive: ``+5.2 ± 0.3 %``, or in points of a share."""
    if found.loss is None:
        return "-"
    lost, error = found.loss
    unit = "%" if found.relative else "points"
    if not found.relative and (found.unit or found.lower_is_better):
        sign = "+" if lost >= 0 else ""
        return f"{sign}{number(lost, 3)} ± {number(error, 2)} {found.unit}".rstrip()
    return f"{100 * lost:+.2f} ± {100 * error:.2f} {unit}"


def quality_text(name: str, found: Quality) -> str:
    """A figure, the original's and what was lost: ``rmse 0.40 ± 0.01, the original's 0.33 (+21 ± 1 %)``."""
    before = (
        "" if found.original is None else f", the original's {number(found.original)} ({loss_text(found)})"
    )
    return f"{name} {figure_text(found)}{before}"


def headline_texts(told: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """(figures, losses) of a record's ``quality`` that searches go by, a line each; None where there are none."""
    found = {name: Quality.model_validate(each) for name, each in (told or {}).items()}
    shown = {name: each for name, each in found.items() if each.headline}
    if not shown:
        return None
    return (
        "\n".join(f"{name} {figure_text(each)}" for name, each in shown.items()),
        "\n".join(loss_text(each) for each in shown.values()),
    )


def lost_of(qor: QoR, baseline: float | None) -> tuple[float | None, float | None]:
    """(loss of accuracy on the validation split, its statistical error), shares; None for what is not known."""
    known = qor.accuracy is not None and baseline is not None
    return (baseline or 0.0) - (qor.accuracy or 0.0) if known else None, qor.metrics.get("loss_error")


def lost_on_test(qor: QoR) -> tuple[float | None, float | None]:
    """The same on the test split."""
    seen = qor.with_(
        accuracy=qor.metrics.get("test_accuracy"), metrics={"loss_error": qor.metrics.get("test_loss_error")}
    )
    return lost_of(seen, qor.metrics.get("test_accuracy_float"))


def latency_texts(qor: Mapping[str, Any] | None) -> tuple[str, str]:
    """(cycles, ns) of a QoR record as texts, with their intervals."""
    if qor is None or qor.get("latency") is None:
        return "-", "-"
    found = Latency.model_validate(qor["latency"])
    cycles = interval(found.cycles_max_lo, found.cycles_max, found.cycles_max_hi)
    return cycles, interval(found.worst_ns_lo, found.worst_ns, found.worst_ns_hi, 1)


def source_text(qor: Mapping[str, Any] | None) -> str:
    """Where latency and resources come from; after a synthesis also how far off the estimate was."""
    found = qor or {}
    error = (found.get("metrics") or {}).get("estimate_error_cycles")
    source = found.get("source") or "-"
    return source if error is None else f"{source}\n(estimate {error:+.0f})"


def figures_said(qor: QoR) -> Iterator[tuple[str, str]]:
    """(name, figure) of all that a record knows, for people."""
    cycles, ns = latency_texts(qor.model_dump(mode="json"))
    if qor.latency is not None:
        yield "cycles", cycles
        yield "worst latency, ns", ns
        yield "initiation interval, cycles", count(qor.latency.ii_cycles)
    yield from resources_said(qor)
    if qor.accuracy is not None:
        yield f"accuracy ({qor.accuracy_source})", percent(qor.accuracy, qor.metrics.get("accuracy_error"))
    if qor.csim_match is not None:
        yield "outputs on which csim equals Keras", percent(qor.csim_match)


def resources_said(qor: QoR) -> Iterator[tuple[str, str]]:
    """(name, count with its interval and share of the part) of each resource that a record knows."""
    used = qor.resources
    if used is None:
        return
    for name in RESOURCE_NAMES:
        value, share = getattr(used, name), used.percent(name)
        low, high = used.intervals.get(name, (None, None))
        if value is not None:
            part = "" if share is None else f", {share:.2g} % of the part"
            yield name.upper(), interval(low, value, high) + part


STAGES = {
    "estimate": "estimated",
    "rtl": "estimated, as after routing",
    "csynth": "after C synthesis",
    "cosim": "after C synthesis, cycles by co-simulation",
}
STATES = {
    "Synthesized": "after logic synthesis",
    "Optimized": "after logic synthesis",
    "Placed": "after placing",
    "Fully Placed": "after placing",
    "Physopt postPlace": "after placing",
    "Routed": "after routing",
}


def stage_text(qor: QoR) -> str:
    """Whether figures are estimated or of which stage of a tool; empty where the source does not say."""
    if qor.source == "vsynth":
        unknown = "by Vivado, at a stage that its report does not state"
        return STATES.get(qor.state or "", f"by Vivado: {qor.state}" if qor.state else unknown)
    return STAGES.get(qor.source or "", "")


def limits(budget: Mapping[str, Any]) -> str:
    """A budget's limits in words; empty where it sets none."""
    parts = [] if budget.get("latency_ns") is None else [f"latency <= {exact(budget['latency_ns'])} ns"]
    for name, text in (("latency_cycles", "latency <= {} cycles"), ("ii_cycles", "II <= {}")):
        if budget.get(name) is not None:
            parts.append(text.format(exact(budget[name])))
    parts += [
        f"{name} <= {exact(limit)}"
        for name, limit in budget.get("resources", {}).items()
        if limit is not None
    ]
    if budget.get("max_accuracy_loss") is not None:
        parts.append(f"accuracy loss <= {100 * budget['max_accuracy_loss']:g} points")
    if budget.get("timing"):
        parts.append("timing met")
    if budget.get("part_share", 1) != 1:
        parts.append(f"at most {100 * budget['part_share']:g} % of the part")
    if budget.get("min_accuracy") is not None:
        parts.append(f"accuracy >= {100 * budget['min_accuracy']:g} %")
    for name, text in (budget.get("quality") or {}).items():
        parts.append(f"{name} {text}" if text[0] in "<>" else f"{name} loss <= {text}")
    return ", ".join(parts)
