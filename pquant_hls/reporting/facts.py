"""What a report says of a run in words and tables, whatever its form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from pquant_hls.qor import RESOURCE_NAMES, QoR
from pquant_hls.qor.words import (
    count,
    figure_text,
    interval,
    latency_texts,
    loss_text,
    lost_of,
    lost_on_test,
    number,
    percent,
    points,
)
from pquant_hls.reporting.figure import TextTable
from pquant_hls.reporting.lines import Line
from pquant_hls.reporting.of_classes import efficiencies
from pquant_hls.reporting.recorded import curves_of, figures_of
from pquant_hls.reporting.run import RunReport
from pquant_hls.reporting.verdict import read_qor


def outcome(run: RunReport) -> str:
    """The verdict; of a run that did not end its status."""
    return str(run.verdict) if run.status == "finished" else run.status


def target(run: RunReport) -> str:
    """Tool, part, clock and reuse in a line."""
    hls = run.hls
    if not hls:
        return "not stated"
    clock = hls.get("clock_ns")
    told = f"{clock:.4g} ns clock" if isinstance(clock, int | float) else "clock not stated"
    return f"{hls.get('backend')}, {hls.get('part')}, {told}, reuse {hls.get('reuse_factor')}"


def what(run: RunReport) -> list[str]:
    """Model, data, events, part, clock and date, those that are known."""
    found, hls = figures_of(run), run.hls
    model, data = found.get("model") or {}, found.get("data") or {}
    said = []
    if model:
        said.append(f"model {model['name']}, {model['parameters']:,} parameters before")
    if data:
        events = ", ".join(f"{number:,} {which}" for which, number in data["events"].items())
        said.append(f"data {data['name'] or 'without a name'}: {events} events")
    said += [f"part {hls['part']}"] if hls.get("part") else []
    said += [f"clock {hls['clock_ns']:g} ns"] if hls.get("clock_ns") else []
    said += [str(found["date"]).replace("T", " ").replace("+00:00", " UTC")] if "date" in found else []
    return said if found else [*said, "model, data set and date: not recorded by this run"]


def designs_table(runs: Sequence[RunReport], *, further: bool = False) -> TextTable | None:
    """The figures of the designs, one column a run: what searches went by and what a limit names, or the ``further`` figures
    of their tasks. None where there are none."""
    make = _further if further else _figures
    columns = [dict(make(read_qor(run.qor), run)) if run.qor is not None else {} for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    heads = ("figure", *(run.label if len(runs) > 1 else "value" for run in runs))
    rows = tuple((name, *(column.get(name, "-") for column in columns)) for name in names)
    return TextTable(heads, rows) if names else None


def _figures(qor: QoR, run: RunReport) -> Iterable[tuple[str, str]]:
    cycles, ns = latency_texts(qor.model_dump(mode="json"))
    source = qor.source or "not measured"
    yield f"latency, cycles ({source})", cycles
    yield f"worst latency, ns ({source})", ns
    if qor.latency is not None:
        yield f"initiation interval, cycles ({source})", count(qor.latency.ii_cycles)
    yield from _resources(qor, source)
    yield from _qualities(qor, run)
    yield "outputs on which csim equals Keras", percent(qor.csim_match)
    yield "project, sha256", (qor.digest or "-")[:16]


def _further(qor: QoR, run: RunReport) -> Iterable[tuple[str, str]]:
    """Figures of single classes, bins and thresholds, and others that decided nothing."""
    return (row for row, named in _of_tasks(qor, run) if not named)


def _of_tasks(qor: QoR, run: RunReport) -> Iterable[tuple[tuple[str, str], bool]]:
    """((name, figure) of each figure of merit, whether a search went by it or a limit names it)."""
    limited = run.budget.get("quality") or {}
    for split, found in (("validation", qor.quality), ("test split", qor.quality_test)):
        for name, each in found.items():
            known = each.original is not None
            before = f"; the original's {number(each.original)}, lost {loss_text(each)}" if known else ""
            yield (f"{name}, {split}", f"{figure_text(each)}{before}"), each.headline or name in limited


def _qualities(qor: QoR, run: RunReport) -> Iterable[tuple[str, str]]:
    """Figures of merit of the tasks, and the accuracy, where that is one."""
    yield from (row for row, named in _of_tasks(qor, run) if named)
    if qor.accuracy is None and qor.quality:
        return
    errors = qor.metrics
    accuracy = percent(qor.accuracy, errors.get("accuracy_error"))
    yield f"accuracy, validation ({qor.accuracy_source or 'not measured'})", accuracy
    yield "accuracy of the original, validation (keras)", percent(run.baseline_accuracy)
    yield "loss, validation, points", points(*lost_of(qor, run.baseline_accuracy))
    tested = percent(errors.get("test_accuracy"), errors.get("test_accuracy_error"))
    yield "accuracy, test split (csim)", tested
    yield "accuracy of the original, test split (keras)", percent(errors.get("test_accuracy_float"))
    yield "loss, test split, points", points(*lost_on_test(qor))


def _resources(qor: QoR, source: str) -> Iterable[tuple[str, str]]:
    if qor.resources is None:
        return
    for name in RESOURCE_NAMES:
        value, share = getattr(qor.resources, name), qor.resources.percent(name)
        low, high = qor.resources.intervals.get(name, (None, None))
        if value is not None:
            part = "" if share is None else f", {share:.2g} % of the part"
            yield f"{name.upper()} ({source})", interval(low, value, high) + part


TEXTS = frozenset({"what", "source", "outcome", "why"})
HEADS = (
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


def lines_of(run: RunReport) -> TextTable | None:
    """Every line of the run; None where there is none. A column that is empty throughout is left out."""
    rows = [_cells(line) for line in run.lines]
    kept = [index for index in range(len(HEADS)) if any(row[index] not in {"", "-"} for row in rows)]
    if not rows:
        return None
    if any(line.headline is not None for line in run.lines):
        heads = {"accuracy": "quality", "loss, points": "lost"}
        rows = [tuple(cell.replace("\n", "; ") for cell in row) for row in rows]
        return TextTable(
            tuple(heads.get(HEADS[i], HEADS[i]) for i in kept),
            tuple(tuple(row[i] for i in kept) for row in rows),
            TEXTS | {"quality", "lost"},
        )
    texts = TEXTS
    return TextTable(tuple(HEADS[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows), texts)


def _cells(line: Line) -> tuple[str, ...]:
    return (
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


def efficiency_table(run: RunReport) -> TextTable | None:
    """AUC and efficiencies by class of every output of classes; None where they were not recorded."""
    outputs = [output for output in curves_of(run) if output.get("classes")]
    return efficiencies(outputs) if outputs else None


def provenance(run: RunReport) -> TextTable:
    """Versions and digests behind a run."""
    versions = (run.qor or {}).get("versions") or {}
    rows = [("run folder", run.folder.name), ("recorded verdict", run.recorded or "-")]
    rows += [
        (f"{name}, sha256", str(run.identity[name])[:16])
        for name in ("model", "data")
        if name in run.identity
    ]
    rows += [("project, sha256", str((run.qor or {}).get("digest") or "-")[:16])]
    rows += [(name, str(version)) for name, version in versions.items()]
    return TextTable(("made by", "what"), tuple(rows))


def command_of_run(run: RunReport) -> tuple[str, str]:
    """(the command that repeats the run, a word where it was not the one given)."""
    told = figures_of(run).get("command")
    if told:
        return str(told), ""
    word = "tune" if "study" in run.identity else "compress"
    if "pipeline" in run.identity:
        word += f" --pipeline {run.identity['pipeline']}"
    option = "study.yaml" if "study" in run.identity else "recipe.yaml"
    made = f"pquant-hls {word} --model MODEL --data DATA --{option.removesuffix('.yaml')} {option} --out OUT"
    return (
        made,
        f"The command was not recorded: this one does the same, with what was asked below kept as {option}.",
    )


def asked_text(run: RunReport) -> tuple[str, str]:
    """(recipe, study or pipeline; what was asked as YAML)."""
    kind = next((name for name in ("recipe", "study") if name in run.identity), "settings of the pipeline")
    told: Any = run.identity.get(kind, run.identity)
    return kind, yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
