"""One run as one HTML file: verdict, what was handed over, pictures of latency and accuracy, every line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pquant_hls.programs.quoting import html
from pquant_hls.qor import RESOURCE_NAMES, QoR
from pquant_hls.qor.words import (
    count,
    figure_text,
    interval,
    latency_texts,
    limits,
    loss_text,
    lost_of,
    lost_on_test,
    percent,
    points,
)
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.picture import accuracy_picture, latency_picture
from pquant_hls.reporting.run import RunReport
from pquant_hls.reporting.verdict import read_qor

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:right;"
    "vertical-align:top}th{background:#f4f4f4}.text{text-align:left;max-width:26em}"
    ".MET,.kept{color:#176b2c}.MISSED{color:#a31515}.UNKNOWN{color:#8a5a00}svg{margin-right:2em}"
)
TEXT_COLUMNS = {"step", "what", "source", "outcome", "why"}


def to_html(run: RunReport) -> str:
    """A page without outside parts: it can be mailed or kept as a CI artefact."""
    verdict = str(run.verdict) if run.status == "finished" else run.status
    found = run.lines
    pictures = latency_picture(found, run.budget.get("latency_ns")) + accuracy_picture(found, _floor(run))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html(run.name)}: {html(verdict)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{html(run.name)}</h1><p><strong class="{html(verdict)}">{html(verdict)}</strong> '
        f"{html(run.reason)}</p><p>{_basis(run)}{html(_asked(run))}</p>{_handed_over(run)}"
        f"{pictures or '<p>Nothing was measured.</p>'}{_table(found)}{_made_by(run)}</body></html>\n"
    )


def _basis(run: RunReport) -> str:
    basis = f"The verdict {html(run.basis)}.<br>" if run.basis else ""
    test = f"On the test split, which decided nothing: {html(str(run.on_test))}.<br>" if run.on_test else ""
    return f"{basis}{_checks(run)}{test}"


def _checks(run: RunReport) -> str:
    """What decides against MET, or says how little decides for it."""
    return "".join(f"{html(str(check))}.<br>" for check in run.judgement.failing())


def _asked(run: RunReport) -> str:
    hls = run.hls
    target = f"{hls.get('backend')}, {hls.get('part')}, {hls.get('clock_ns')} ns clock, reuse {hls.get('reuse_factor')}"
    return f"Budget: {limits(run.budget) or 'none'}. Target: {target if hls else 'not stated'}."


def _floor(run: RunReport) -> float | None:
    loss = run.budget.get("max_accuracy_loss")
    return None if loss is None or run.baseline_accuracy is None else run.baseline_accuracy - float(loss)


def _handed_over(run: RunReport) -> str:
    """The figures of the design that was handed over, each with its source."""
    if run.qor is None:
        return ""
    qor = read_qor(run.qor)
    rows = [f"<tr><th>{html(name)}</th><td>{html(value)}</td></tr>" for name, value in _figures(qor, run)]
    notes = "".join(f"<li>{html(note)}</li>" for note in qor.notes)
    return f"<h2>Handed over</h2><table>{''.join(rows)}</table>{f'<ul>{notes}</ul>' if notes else ''}"


def _figures(qor: QoR, run: RunReport) -> Iterable[tuple[str, str]]:
    cycles, ns = latency_texts(qor.model_dump(mode="json"))
    source = qor.source or "not measured"
    yield f"latency, cycles ({source})", cycles
    yield f"worst latency, ns ({source})", ns
    if qor.latency is not None:
        yield f"initiation interval, cycles ({source})", count(qor.latency.ii_cycles)
    if qor.resources is not None:
        for name in RESOURCE_NAMES:
            value = getattr(qor.resources, name)
            low, high = qor.resources.intervals.get(name, (None, None))
            if value is not None:
                yield f"{name.upper()} ({source})", interval(low, value, high, "{:,.0f}")
    yield from _qualities(qor, run)
    yield "outputs on which csim equals Keras", percent(qor.csim_match)
    yield "project, sha256", (qor.digest or "-")[:16]


def _qualities(qor: QoR, run: RunReport) -> Iterable[tuple[str, str]]:
    """Accuracy, and whatever other figures of merit were measured."""
    for split, found in (("validation", qor.quality), ("test split", qor.quality_test)):
        for name, each in found.items():
            before = (
                ""
                if each.original is None
                else f"; the original's {each.original:.4g}, lost {loss_text(each)}"
            )
            yield f"{name}, {split}", f"{figure_text(each)}{before}"
    if qor.accuracy is None and qor.quality:
        return
    errors = qor.metrics
    accuracy = percent(qor.accuracy, errors.get("accuracy_error"))
    yield f"accuracy, validation ({qor.accuracy_source or 'not measured'})", accuracy
    yield "accuracy of the original, validation (keras)", percent(run.baseline_accuracy)
    yield "loss, validation, points", points(*lost_of(qor, run.baseline_accuracy))
    yield (
        "accuracy, test split (csim)",
        percent(errors.get("test_accuracy"), errors.get("test_accuracy_error")),
    )
    yield "accuracy of the original, test split (keras)", percent(errors.get("test_accuracy_float"))
    yield "loss, test split, points", points(*lost_on_test(qor))


def _table(found: Sequence[Line]) -> str:
    heads = (
        "step",
        "what",
        "weights",
        "accuracy",
        "loss, points",
        "ratio",
        "cycles",
        "ns",
        "source",
        "outcome",
        "why",
    )
    classes = ['class="text"' if head in TEXT_COLUMNS else "" for head in heads]
    cells = "".join(f"<th {kind}>{head}</th>" for head, kind in zip(heads, classes, strict=True))
    rows = "".join(_row(line, classes) for line in found)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _row(line: Line, classes: Sequence[str]) -> str:
    cells: tuple[Any, ...] = (
        line.step,
        line.what,
        count(line.weights),
        line.quality,
        line.lost,
        "-" if line.ratio is None else f"{line.ratio:.2f}",
        line.cycles,
        line.ns,
        line.source or "-",
        line.outcome or "-",
        line.why,
    )
    texts = (f"<td {kind}>{html(cell)}</td>" for cell, kind in zip(cells, classes, strict=True))
    return f"<tr>{''.join(texts)}</tr>"


def _made_by(run: RunReport) -> str:
    versions = {} if run.qor is None else run.qor.get("versions") or {}
    return (
        f"<p>{html(', '.join(f'{name} {version}' for name, version in versions.items()))}</p>"
        if versions
        else ""
    )
