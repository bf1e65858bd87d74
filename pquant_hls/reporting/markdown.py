"""A run, or two, as Markdown: for merge requests and logbooks. The figures of the page without its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pquant_hls.errors import NotMeasured
from pquant_hls.programs.quoting import xml
from pquant_hls.qor.words import limits
from pquant_hls.reporting import facts
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.pair import differences, together
from pquant_hls.reporting.plots import Plots
from pquant_hls.reporting.run import RunReport

FIGURES: tuple[Callable[[Plots], Picture | Sequence[Picture]], ...] = (
    Plots.layers,
    Plots.part,
    Plots.bits,
    Plots.ranges,
    Plots.physics,
    Plots.fronts,
    Plots.importance,
)
LONGEST = 30
"""Rows of a table beyond which it is for the page alone, as those of a histogram."""


def to_markdown(run: RunReport, beside: RunReport | None = None, *, unlike: bool = False) -> str:
    """Verdict, tables and provenance of a run, or of two.

    Raises
    ------
    SpecError : two runs on other data, parts or clocks, unless ``unlike`` says to show them all the same.
    """
    runs = together(run, beside, unlike=unlike)
    parts = [f"# {' and '.join(_text(one.name) for one in runs)}"]
    parts += [f"Not alike: {_text('; '.join(found))}." for found in [differences(runs)] if found]
    for one in runs:
        parts += _verdict(one, len(runs) > 1)
    for title, further in (("Handed over", False), ("Further figures", True)):
        table = facts.designs_table(runs, further=further)
        parts += [] if table is None else [f"## {title}", table.markdown()]
    for one in runs:
        parts += _tables(one, f" of {one.label}" if len(runs) > 1 else "")
    return "\n\n".join(parts) + "\n"


def _verdict(run: RunReport, several: bool) -> Iterator[str]:
    head = f"{run.label}: " if several else ""
    yield f"{head}**{facts.outcome(run)}** {_text(run.reason)}"
    yield _text(" · ".join(facts.what(run)))
    asked = f"Budget: {limits(run.budget) or 'none'}. Target: {facts.target(run)}."
    said = [
        asked,
        *([f"The verdict {run.basis}."] if run.basis else []),
        *(f"{check}." for check in run.judgement.failing()),
    ]
    said += [f"On the test split, which decided nothing: {check}." for check in run.seen_on_test]
    yield "\n".join(f"* {_text(line)}" for line in said)
    notes: Sequence[str] = (run.qor or {}).get("notes") or ()
    if notes:
        yield "\n".join(f"* {_text(note)}" for note in notes)


def _tables(run: RunReport, of: str) -> Iterator[str]:
    rounds = facts.lines_of(run)
    if rounds is not None:
        yield from _titled(f"Rounds{of}", rounds)
    for make in FIGURES:
        try:
            made = make(Plots(run))
        except NotMeasured:
            continue
        for figure in [made] if isinstance(made, Picture) else made:
            if len(figure.table.rows) <= LONGEST:
                yield from _titled(f"{figure.title}{of}", figure.table)
    yield from _titled(f"Provenance{of}", facts.provenance(run))
    command, note = facts.command_of_run(run)
    yield f"    {_text(command)}"
    if note:
        yield _text(note.replace("below ", ""))


def _titled(title: str, table: TextTable) -> Iterator[str]:
    yield f"## {_text(title)}"
    yield table.markdown()


def _text(said: str) -> str:
    """One line, in which no character is a mark of Markdown or HTML."""
    return "".join(
        f"\\{letter}" if letter in "\\`*_[]<>" else letter for letter in " ".join(xml(said).split())
    )
