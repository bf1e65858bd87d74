"""A run, or two side by side, as one HTML file without script and outside parts: it can be mailed, and kept by CI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pquant_hls.errors import NotMeasured
from pquant_hls.programs.quoting import html
from pquant_hls.qor.words import limits
from pquant_hls.reporting import facts
from pquant_hls.reporting.figure import Picture, TextTable
from pquant_hls.reporting.pair import differences, together
from pquant_hls.reporting.plots import Plots
from pquant_hls.reporting.recorded import epochs_of
from pquant_hls.reporting.rows import on_one_scale
from pquant_hls.reporting.run import RunReport
from pquant_hls.reporting.style import PAGE, STYLE

LONG = 16
"""Rows of a table that a page shows without being asked."""
Make = Callable[[Plots], Picture | Sequence[Picture]]


@dataclass(frozen=True)
class Section:
    """A part of the page: pictures, and a table that each run has one of."""

    title: str
    pictures: Sequence[Make] = ()
    table: Callable[[RunReport], TextTable | None] | None = None

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")


def _of_training(plots: Plots) -> Sequence[Picture]:
    """The loss, and the accuracy where the trainings had one."""
    scored = any(row.get("val_accuracy") is not None for _, epochs in epochs_of(plots.run) for row in epochs)
    return [plots.loss(), *([plots.learning()] if scored else [])]


def _of_study(plots: Plots) -> Sequence[Picture]:
    """What only a study has."""
    return [plots.importance()] if "study" in plots.run.identity else []


SECTIONS = (
    Section("Where time and logic go", (Plots.layers, Plots.logic)),
    Section("Rounds", (Plots.rounds, Plots.accuracies), facts.lines_of),
    Section("Bits and sparsity", (Plots.bits,)),
    Section("Ranges", (lambda plots: plots.ranges("weights"), lambda plots: plots.ranges("activations"))),
    Section("Physics", (Plots.physics,), facts.efficiency_table),
    Section("Training", (_of_training,)),
    Section("Search", (Plots.fronts, _of_study)),
)


def to_html(run: RunReport, beside: RunReport | None = None, *, unlike: bool = False) -> str:
    """The page of a run, or of two side by side.

    Raises
    ------
    SpecError : two runs on other data, parts or clocks, unless ``unlike`` says to show them all the same.
    """
    runs = together(run, beside, unlike=unlike)
    title = " and ".join(f"{one.name}: {facts.outcome(one)}" for one in runs)
    body = "".join(
        [_head(runs), _contents(), _handed_over(runs), *(_section(part, runs) for part in SECTIONS)]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{html(title)}</title><style>{STYLE}{PAGE}</style></head>"
        f'<body class="pquant"><main>{body}{_provenance(runs)}</main></body></html>\n'
    )


def result_html(run: RunReport) -> str:
    """The head of a run's page for a notebook: verdict, figures and where the nanoseconds go."""
    words: list[str] = []
    figures = "".join(_of_all(Plots.layers, (run,), words))
    table = facts.designs_table((run,))
    body = f"<h1>{html(run.name)}</h1>{_top(run)}{figures}{'' if table is None else table.html()}"
    return f'<div class="pquant"><style>{STYLE}</style>{body}</div>'


def _side(parts: Sequence[str]) -> str:
    return (
        f'<div class="side">{"".join(f"<div>{part}</div>" for part in parts)}</div>'
        if len(parts) > 1
        else parts[0]
    )


def _head(runs: Sequence[RunReport]) -> str:
    title = " and ".join(html(run.name) for run in runs)
    unlike = "; ".join(differences(runs))
    note = f'<p class="note">Not alike: {html(unlike)}.</p>' if unlike else ""
    heads = [f"<p><strong>{html(run.label)}</strong></p>" if len(runs) > 1 else "" for run in runs]
    tops = [head + _top(run) for head, run in zip(heads, runs, strict=True)]
    return f"<header><h1>{title}</h1>{note}{_side(tops)}</header>"


def _top(run: RunReport) -> str:
    """What was run, the verdict and what it rests on."""
    verdict = facts.outcome(run)
    asked = f"Budget: {limits(run.budget) or 'none'}. Target: {facts.target(run)}."
    more = [f"The verdict {run.basis}."] if run.basis else []
    more += [f"{check}." for check in run.judgement.failing()]
    more += [f"On the test split, which decided nothing: {check}." for check in run.seen_on_test]
    said = "".join(f"<p>{html(line)}</p>" for line in (asked, *more))
    return (
        f'<p class="facts">{html(" · ".join(facts.what(run)))}</p><div class="verdict {html(verdict)}">'
        f"<p><strong>{html(verdict)}</strong> {html(run.reason)}</p>{said}</div>"
    )


def _contents() -> str:
    titles = ["Handed over", *(part.title for part in SECTIONS), "Provenance"]
    links = "".join(f'<li><a href="#{title.lower().replace(" ", "-")}">{title}</a></li>' for title in titles)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _titled(title: str, body: str) -> str:
    return f'<section id="{title.lower().replace(" ", "-")}"><h2>{title}</h2>{body}</section>'


def _handed_over(runs: Sequence[RunReport]) -> str:
    """The figures of the designs, each with its source, and what was dropped or substituted."""
    table = facts.designs_table(runs)
    notes = [note for run in runs for note in (run.qor or {}).get("notes") or ()]
    said = f"<ul>{''.join(f'<li>{html(note)}</li>' for note in dict.fromkeys(notes))}</ul>" if notes else ""
    further = facts.designs_table(runs, further=True)
    more = f"<details><summary>further figures</summary>{further.html()}</details>" if further else ""
    if table is None:
        return _titled("Handed over", '<p class="missing">Nothing was handed over.</p>')
    words: list[str] = []
    parts = list(_of_all(Plots.part, runs, words))
    body = (
        _side([table.html() + more, parts[0] + said])
        if len(runs) == 1 and parts
        else f'{table.html()}{more}{said}<div class="side">{"".join(parts)}</div>'
    )
    return _titled("Handed over", body)


def _section(part: Section, runs: Sequence[RunReport]) -> str:
    words: list[str] = []
    figures = [figure for make in part.pictures for figure in _of_all(make, runs, words)]
    pictures = f'<div class="side">{"".join(figures)}</div>' if figures else ""
    tables = "" if part.table is None else "".join(_tables(part.table, runs))
    left = f'<p class="missing">{html("; ".join(dict.fromkeys(words)))}.</p>' if words else ""
    return _titled(part.title, f"{pictures}{tables}{left}")


def _of_all(make: Make, runs: Sequence[RunReport], words: list[str]) -> Iterator[str]:
    """The pictures of one kind, of every run, bars on one scale; what was not recorded is left out with a word."""
    found: list[tuple[str, Picture]] = []
    for run in runs:
        of = run.label if len(runs) > 1 else ""
        try:
            made = make(Plots(run))
        except NotMeasured as cause:
            words.append(f"{of}: {cause.message}" if of else cause.message)
            continue
        found += [(of, picture) for picture in ([made] if isinstance(made, Picture) else made)]
    draws = on_one_scale([picture.draw for _, picture in found])
    for (of, picture), draw in zip(found, draws, strict=True):
        yield replace(picture, draw=draw).html(of)


def _tables(make: Callable[[RunReport], TextTable | None], runs: Sequence[RunReport]) -> Iterator[str]:
    for run in runs:
        table = make(run)
        if table is not None:
            yield (f"<h3>{html(run.label)}</h3>" if len(runs) > 1 else "") + _folded(table)


def _folded(table: TextTable) -> str:
    """A table as it is; a long one to unfold."""
    if len(table.rows) <= LONG:
        return table.html()
    return f"<details><summary>all {len(table.rows)} rows</summary>{table.html()}</details>"


def _provenance(runs: Sequence[RunReport]) -> str:
    """What made the run, and the command that makes it again."""
    parts = []
    for run in runs:
        command, note = facts.command_of_run(run)
        recipe = facts.asked_text(run)
        folded = f"<details><summary>what was asked, as {recipe[0]}</summary><pre>{html(recipe[1])}</pre></details>"
        again = f"<pre>{html(command)}</pre>{f'<p class=note>{html(note)}</p>' if note else ''}"
        parts.append(f"{facts.provenance(run).html()}<p>To repeat it:</p>{again}{folded}")
    return _titled("Provenance", _side(parts))
