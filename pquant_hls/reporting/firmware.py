"""One firmware as one HTML file: its ports, its figures with their source, each layer, what lint says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pquant_hls.programs.quoting import html
from pquant_hls.qor import RESOURCE_NAMES, QoR
from pquant_hls.qor.words import count, interval, latency_texts
from pquant_hls.reporting.style import PAGE, STYLE

Rows = Sequence[Sequence[str]]


def firmware_html(name: str, ports: Rows, qor: QoR, remarks: Iterable[str]) -> str:
    """A page without outside parts, to be kept as a CI artefact.

    ``ports`` are rows of direction, name, shape and type; ``remarks`` lines of lint. A figure that is not known is a dash.
    """
    target = f"{qor.part or 'part not known'}, {qor.source or 'not measured'}"
    figures = [list(row) for row in _figures(qor)]
    layers = [[one.name, one.op, *map(count, (one.cycles, one.lut, one.ff, one.dsp))] for one in qor.layers]
    said = "".join(f"<li>{html(text)}</li>" for text in remarks) or "<li>nothing</li>"
    notes = "".join(f"<li>{html(note)}</li>" for note in qor.notes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{html(name)}</title>'
        f'<style>{STYLE}{PAGE}</style></head><body class="pquant"><main>'
        f"<h1>{html(name)}</h1><p>{html(target)}</p>"
        f"{_table(('port', 'name', 'shape', 'type'), ports)}"
        f"<h2>Figures</h2>{_table(('figure', 'value'), figures)}"
        f"{f'<ul>{notes}</ul>' if notes else ''}"
        + (
            f"<h2>Layers</h2>{_table(('layer', 'operation', 'cycles', 'LUT', 'FF', 'DSP'), layers)}"
            if layers
            else ""
        )
        + f"<h2>Lint</h2><ul>{said}</ul></main></body></html>\n"
    )


def _figures(qor: QoR) -> Iterable[tuple[str, str]]:
    cycles, ns = latency_texts(qor.model_dump(mode="json"))
    yield "latency, cycles", cycles
    yield "worst latency, ns", ns
    if qor.latency is not None:
        yield "initiation interval, cycles", count(qor.latency.ii_cycles)
    for name in RESOURCE_NAMES if qor.resources is not None else ():
        value = getattr(qor.resources, name)
        low, high = (None, None) if qor.resources is None else qor.resources.intervals.get(name, (None, None))
        yield name.upper(), interval(low, value, high)


def _table(heads: Sequence[str], rows: Rows) -> str:
    top = "".join(f"<th>{html(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
