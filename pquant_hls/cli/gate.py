"""``gate``: one record of a design against limits, or against its last record, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.measure import RESOURCES, Clock, Part
from pquant_hls.cli.plain import echo

if TYPE_CHECKING:
    from pquant_hls.cli.closing import Closing
    from pquant_hls.decide import Check, Judgement
    from pquant_hls.qor import QoR
    from pquant_hls.reporting import RunReport
    from pquant_hls.spec import Budget, HlsSpec

QOR = Path("handover", "qor.json")
LIMITS = (
    "latency_ns",
    "latency_cycles",
    "ii_cycles",
    *RESOURCES,
    "part_share",
    "timing",
    "min_accuracy",
    "max_accuracy_loss",
    "exact",
    "accept_wide",
)


Record = Annotated[Path, typer.Argument(help="run folder, qor.json, project folder, or a report file")]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        help=f"name=value, such as latency_ns='60 ns'; may be repeated: {', '.join(LIMITS)}, or a figure of merit "
        "of the record with what it may lose, such as mse='5 %'",
    ),
]
OfRecipe = Annotated[str | None, typer.Option("--recipe", help="the budget of this recipe")]
Against = Annotated[
    Path | None, typer.Option("--against", help="an older record of the same kind: no figure may grow")
]
Tolerance = Annotated[str, typer.Option("--tolerance", help="growth allowed with --against")]
Locked = Annotated[
    Path | None,
    typer.Option(
        "--lock",
        help="types, zeros and digits of a first training, kept there if there is no such file, else demanded",
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", help="write JUnit XML, a test case a limit")]


def register(app: typer.Typer) -> None:
    app.command()(gate)


def gate(
    design: Record,
    limit: Limit = None,
    recipe: OfRecipe = None,
    against: Against = None,
    tolerance: Tolerance = "0%",
    lock: Locked = None,
    junit: Junit = None,
    part: Part = None,
    clock: Clock = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Judge a design by limits and by its last record: exit 0 met, 1 missed, 4 not known.

    A run folder alone is judged by its own budget.
    """
    from pquant_hls.cli.compress import EXIT_OF_VERDICT
    from pquant_hls.cli.console import output_console, print_json
    from pquant_hls.cli.life import busy
    from pquant_hls.cli.measure import target_asked
    from pquant_hls.reporting import checks_to_junit
    from pquant_hls.store import write_bytes

    spec = target_asked(part, clock, None)
    older = None if against is None else (against, tolerance)
    with busy(f"measuring {design}"):
        closing = _judged(design, limit or [], recipe, older, lock, spec)
    found, qor = closing.judgement, closing.qor
    if junit is not None:
        text = checks_to_junit(str(design), str(found.verdict), f"source: {qor.source}", found.checks)
        write_bytes(junit, text.encode())
    if json:
        print_json(_as_json(found, qor))
    else:
        closing.show(output_console())
    return EXIT_OF_VERDICT[str(found.verdict)]


def _judged(
    design: Path,
    limits: Sequence[str],
    recipe: str | None,
    older: tuple[Path, str] | None,
    lock: Path | None,
    spec: HlsSpec | None,
) -> Closing:
    """By what is asked: limits, growth since an ``older`` record and a tolerance, a structure; a run alone by its own budget."""
    from pquant_hls.cli.closing import Closing
    from pquant_hls.decide import Judgement, drift
    from pquant_hls.reporting import read_run

    run = read_run(design) if (design / "run.json").is_file() else None
    if run is not None and not limits and recipe is None and older is None and lock is None:
        return Closing.of_run(run)
    budget = budget_of(limits, recipe, needed=older is None and lock is None)
    qor = record_of(design, spec)
    checks = _checks(qor, budget)
    if older is not None:
        record, tolerance = older
        checks += drift(record_of(record, spec), qor, _share(tolerance)).checks
    if lock is not None:
        checks += _locked(design, lock)
    return _closing(Judgement.of(checks), qor, budget, run)


def _locked(design: Path, lock: Path) -> Sequence[Check]:
    """What a kept structure says of a design; without one it is kept now, which the design meets."""
    from pquant_hls.cli.runs import project_in
    from pquant_hls.decide import Lock
    from pquant_hls.errors import SpecError
    from pquant_hls.hls import load_project
    from pquant_hls.measure import prove
    from pquant_hls.store import read_json, write_json

    place = project_in(design) or design
    if not place.is_dir() or (place / QOR).is_file():
        raise SpecError("has no weights to lock", where=design, mend="give a run folder or a project")
    project = load_project(place)
    graph = None if project.edited() else project.graph
    graph = prove(project).graph if graph is None else graph
    if not lock.exists():
        write_json(lock, Lock.of(graph).record())
        echo(f"{lock}: the structure of {design} is kept, {len(graph.nodes)} layers", err=True)
    return Lock.of_record(read_json(lock), lock).checks(graph)


def _checks(qor: QoR, budget: Budget | None) -> list[Check]:
    """Those of a budget; without one growth alone is asked about, and a design that is known not to fit its part is none all
    the same."""
    from pquant_hls.decide import judge
    from pquant_hls.spec import Budget

    if budget is None:
        return [check for check in judge(qor, Budget(exact=False)).checks if check.low is not None]
    return list(judge(qor, budget, baseline_accuracy=qor.metrics.get("baseline_accuracy")).checks)


def _closing(found: Judgement, qor: QoR, budget: Budget | None, run: RunReport | None) -> Closing:
    """The closing block by limits that are not the run's own, and of what is no run."""
    from dataclasses import replace

    from pquant_hls.cli.closing import Closing

    failing = "; ".join(map(str, found.failing())) or "every limit holds"
    reason = f"{failing} (source: {qor.source or 'not measured'}, {qor.design} design)"
    if run is None:
        return Closing(str(found.verdict), reason, found, qor, budget)
    return replace(
        Closing.of_run(run), outcome=str(found.verdict), reason=reason, judgement=found, budget=budget
    )


def record_of(path: Path, spec: HlsSpec | None = None) -> QoR:
    """A QoR kept as JSON (a run's ``qor.json``, ``measure --json``), or what a project or report says; ``spec`` is what a
    firmware without build files is built for."""
    from pquant_hls.errors import SpecError
    from pquant_hls.measure import measure_project
    from pquant_hls.reporting import read_qor
    from pquant_hls.store import read_json

    if not path.exists():
        mend = "`pquant-hls measure PROJECT --json > FILE` writes a record"
        raise SpecError("no such file or folder", where=path, mend=mend)
    if (path / QOR).is_file():
        path = path / QOR
    elif (path / "run.json").is_file():
        raise SpecError("this run has handed no design over", where=path, mend="finish it with --resume")
    if path.suffix != ".json":
        return measure_project(path, spec=spec)
    return read_qor(read_json(path), path)


def budget_of(limits: Sequence[str], recipe: str | None, *, needed: bool) -> Budget | None:
    """The recipe's budget with the limits in place; None where neither is given and none is ``needed``."""
    from pquant_hls.errors import SpecError
    from pquant_hls.spec import Budget, Recipe

    if not limits and recipe is None:
        if needed:
            raise SpecError(
                "nothing to judge by", where="gate", mend="give --limit, --recipe, --against or --lock"
            )
        return None
    # Alone, limits demand what they say: csim's match is asked for by exact=true.
    values: dict[str, Any] = {"exact": False} if recipe is None else Recipe.load(recipe).budget.model_dump()
    for text in limits:
        name, value = _limit(text)
        if name in RESOURCES:
            values["resources"] = {**values.get("resources", {}), name: value}
        elif name in LIMITS:
            values[name] = value
        else:
            values["quality"] = {**values.get("quality", {}), name: value}
    return Budget.parse(values, path="--limit")


def _limit(text: str) -> tuple[str, str]:
    """(name, value) of a limit; SpecError for what is none."""
    from pquant_hls.errors import SpecError

    name, _, value = text.partition("=")
    if name in LIMITS:
        if not value.strip():
            mend = f"{name}=..., such as latency_ns='60 ns'"
            raise SpecError(f"{name} needs a value", where="--limit", mend=mend)
    elif not _limits_a_figure(name, value):
        raise SpecError(f"unknown limit {text!r}", where="--limit", mend=f"name=value of {', '.join(LIMITS)}")
    return name, value


def _limits_a_figure(name: str, value: str) -> bool:
    """Whether this says what a figure of merit may lose, such as ``mse='5 %'``."""
    from pquant_hls.errors import SpecError
    from pquant_hls.spec.quality import Allowance

    try:
        Allowance.parse(value, name)
    except SpecError:
        return False
    return True


def _share(text: str) -> float:
    from pquant_hls.errors import SpecError

    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as cause:
        raise SpecError(f"is no share such as 5% or 0.05: {text!r}", where="--tolerance") from cause


def _as_json(found: Judgement, qor: QoR) -> dict[str, Any]:
    checks = [
        {
            "name": c.name,
            "verdict": str(c.verdict),
            "limit": c.limit,
            "low": c.low,
            "high": c.high,
            "unit": c.unit,
            "at_least": c.at_least,
        }
        for c in found.checks
    ]
    return {
        "schema_version": 1,
        "verdict": str(found.verdict),
        "source": qor.source,
        "design": qor.design,
        "checks": checks,
    }
