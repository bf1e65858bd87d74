"""One run as one HTML file: verdict, a picture of latency and accuracy, the table of rounds."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from pquant_hls.reporting.run import RunReport, latency_of

WIDTH, HEIGHT, MARGIN = 640, 240, 48
STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:right;vertical-align:top}"
    "td:last-child,th:last-child{text-align:left;max-width:30em}.MET{color:#176b2c}.MISSED{color:#a31515}.UNKNOWN{color:#8a5a00}"
)


def to_html(run: RunReport) -> str:
    """A page without outside parts: it can be mailed or kept as a CI artefact."""
    name = escape(str(run.recipe.get("name", run.folder.name)))
    verdict = run.verdict or run.status
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}: {escape(verdict)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{name}</h1>"
        f'<p><strong class="{escape(verdict)}">{escape(verdict)}</strong> {escape(run.reason)}</p>'
        f"<p>{escape(_limits(run))}</p>{_picture(run)}{_table(run.rounds)}</body></html>\n"
    )


def _limits(run: RunReport) -> str:
    hls, budget = run.recipe.get("hls", {}), run.recipe.get("budget", {})
    limits = [
        f"{key} {value}"
        for key, value in budget.items()
        if value not in (None, {}, False) and not isinstance(value, dict)
    ]
    return f"{hls.get('backend')}, {hls.get('part')}, {hls.get('clock_ns')} ns clock. Budget: {', '.join(limits)}"


def _picture(run: RunReport) -> str:
    """Latency intervals of the rounds in ns, with the budget as a line, as inline SVG."""
    spans = [(record, latency_of(record)) for record in run.rounds]
    known = [
        (r["round"], found.worst_ns_lo, found.worst_ns_hi)
        for r, found in spans
        if found is not None and found.worst_ns_hi is not None
    ]
    if not known:
        return "<p>No latency was measured.</p>"
    top = 1.1 * max([high for _, _, high in known if high is not None] + [run.budget_ns or 0.0])
    step = (WIDTH - 2 * MARGIN) / max(len(known), 1)

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 1.5 * MARGIN) * value / top

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="latency by round">']
    for index, (number, low, high) in enumerate(known):
        x = MARGIN + step * (index + 0.5)
        floor = y(low if low is not None else high)
        parts.append(
            f'<rect x="{x - 8:.1f}" y="{y(high):.1f}" width="16" height="{max(floor - y(high), 2):.1f}" fill="#4a78b5"/>'
        )
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle" font-size="12">{number or "float"}</text>'
        )
        parts.append(
            f'<text x="{x:.1f}" y="{y(high) - 5:.1f}" text-anchor="middle" font-size="11">{high:.0f}</text>'
        )
    if run.budget_ns is not None:
        line = f'x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(run.budget_ns):.1f}" y2="{y(run.budget_ns):.1f}"'
        parts.append(f'<line {line} stroke="#a31515" stroke-dasharray="6 4"/>')
        text = f"budget {run.budget_ns:g} ns"
        parts.append(
            f'<text x="{MARGIN}" y="{y(run.budget_ns) + 14:.1f}" font-size="12" fill="#a31515">{text}</text>'
        )
    parts.append(f'<text x="{MARGIN}" y="16" font-size="12">latency, ns: interval of each round</text></svg>')
    return "".join(parts)


def _table(rounds: Sequence[dict[str, Any]]) -> str:
    heads = (
        "round",
        "weights kept",
        "bits",
        "csim accuracy, %",
        "cycles",
        "ns",
        "source",
        "verdict",
        "next action, and why",
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(record)) + "</tr>" for record in rounds
    )
    return f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(record: dict[str, Any]) -> list[str]:
    qor, account, found = record.get("qor") or {}, record.get("account") or {}, latency_of(record)
    accuracy, bits = qor.get("accuracy"), record.get("knobs", {}).get("bits")
    cycles = "-" if found is None else span(found.cycles_max_lo, found.cycles_max, found.cycles_max_hi)
    ns = "-" if found is None else span(found.worst_ns_lo, found.worst_ns, found.worst_ns_hi)
    return [
        str(record["round"] or "float"), span(None, account.get("nonzero_weights"), None), span(None, bits, None),
        "-" if accuracy is None else f"{100 * accuracy:.2f}", cycles, ns, qor.get("source") or "-", record.get("verdict") or "-",
        f"{record['action']}: {record['reason']}" if record.get("action") else "",
    ]  # fmt: skip


def span(low: float | None, value: float | None, high: float | None) -> str:
    """``12 [11..13]``; a dash for what was not measured."""
    if value is None:
        return "-"
    return f"{value:g}" if low is None or high is None or low == high else f"{value:g} [{low:g}..{high:g}]"
