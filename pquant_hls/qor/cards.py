"""How records show themselves in a notebook: a title, a few figures, remarks. Colours are the notebook's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pquant_hls.programs.quoting import html

_CELL = 'style="text-align:left;padding:.15em 1em .15em 0;vertical-align:top"'


def card(title: str, rows: Iterable[tuple[str, str]], notes: Iterable[str] = ()) -> str:
    """HTML of (name, value) under a title; notes below."""
    body = "".join(
        f"<tr><th {_CELL}>{html(name)}</th><td {_CELL}>{html(value)}</td></tr>" for name, value in rows
    )
    said = "".join(f"<li>{html(note)}</li>" for note in notes)
    return (
        f"<div><strong>{html(title)}</strong><table>{body}</table>{f'<ul>{said}</ul>' if said else ''}</div>"
    )


def listing(heads: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    """HTML of a table with heads; ``empty`` in its place where there are no rows."""
    cells = [f"<tr>{''.join(f'<td {_CELL}>{html(cell)}</td>' for cell in row)}</tr>" for row in rows]
    if not cells:
        return f"<div>{html(empty)}</div>"
    top = "".join(f"<th {_CELL}>{html(head)}</th>" for head in heads)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(cells)}</tbody></table>"
