"""One design, measured by the evaluator its budget asks for, or a project folder by what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pquant_hls.errors import ReportError, SpecError, ToolFailed, ToolNotFound
from pquant_hls.hls import HlsProject
from pquant_hls.measure.by_reports import offers_reports
from pquant_hls.measure.by_tool import has_synthesis, with_error
from pquant_hls.measure.evaluator import (
    EVALUATORS,
    Design,
    Golden,
    OnLine,
    measured_by,
    measured_or_reason,
)
from pquant_hls.qor import QoR
from pquant_hls.spec import AUTO, Budget, HlsSpec


def measure_design(
    project: HlsProject,
    budget: Budget,
    folder: Path,
    on_line: OnLine | None = None,
    golden: Golden | None = None,
) -> QoR:
    """Latency and resources of one of this package's projects, by the evaluator ``budget.measure`` names.

    ``auto`` is C synthesis where its tool is on PATH, else the estimator. What it cannot tell is None, with the
    reason in ``notes``. Its files go into ``folder``. ``golden`` holds inputs (n, *shape) and csim's outputs for
    them, which the Verilog must give too.
    """
    if project.spec is None:
        return QoR(notes=("a project of another tool: its target is not known",))
    design = Design(
        project.path, given=project, folder=folder, golden=golden, on_line=on_line, thorough=False
    )
    return _whole(measured_or_reason(source_of(budget, project.spec), design), project, project.spec)


def _whole(qor: QoR, project: HlsProject, spec: HlsSpec) -> QoR:
    """With the part, and with the estimator's resources where an evaluator tells none: whether a design fits its part
    is always judged."""
    named = qor if qor.part is not None else qor.with_(part=spec.part)
    if named.resources is not None or named.design != "hls" or named.latency is None:
        return named
    guess = estimated(project).resources
    note = f"{named.source} tells no resources: those here are the estimator's"
    return named if guess is None else named.with_(resources=guess, notes=(*named.notes, note))


def source_of(budget: Budget, spec: HlsSpec) -> str:
    """The evaluator that a budget means for a design of ``spec``; the tool may come and go between designs."""
    if budget.measure != AUTO:
        return budget.measure
    if budget.deliver == "rtl":
        return "rtl"
    return "csynth" if has_synthesis(spec) else "estimate"


def check_source(budget: Budget, spec: HlsSpec) -> None:
    """Refuse a budget whose evaluator is for another design, or lacks what it needs here, before work is done.

    Raises
    ------
    SpecError : there is no such evaluator, or its figures describe another design than ``budget.deliver``.
    ToolNotFound : what it needs is not here.
    """
    name = source_of(budget, spec)
    evaluator = EVALUATORS.find(name, where="budget.measure")
    if evaluator.describes != budget.deliver:
        raise SpecError(
            f"{name} describes the {evaluator.describes} design, and {budget.deliver} is delivered",
            where="budget.measure",
        )
    missing = evaluator.missing(spec)
    if missing is not None:
        raise ToolNotFound(
            missing, where="budget.measure", mend="install it, set hls.tool_prefix, or measure: auto"
        )


def measure_better(project: HlsProject, qor: QoR, on_line: OnLine | None = None) -> QoR | None:
    """The same design by the next better source there is: C synthesis after an estimate. None when there is none.

    Where the tool fails the estimate stays, as open as it was, with the tool's words among its notes.
    """
    if qor.source != "estimate" or project.spec is None or not has_synthesis(project.spec):
        return None
    try:
        return with_error(measured_by("csynth", Design(project.path, given=project, on_line=on_line)), qor)
    except (ToolFailed, ReportError) as cause:
        return qor.with_(notes=(*qor.notes, f"left open, as the synthesis failed: {cause}"))


def estimated(project: HlsProject) -> QoR:
    """The estimator's record; without latency, and with the reason, where it cannot take the design."""
    return measured_or_reason("estimate", Design(project.path, given=project))


def measure_project(
    path: str | Path,
    using: str = AUTO,
    *,
    work: Path | None = None,
    prefix: Sequence[str] = (),
    on_line: OnLine | None = None,
    top: str | None = None,
    spec: HlsSpec | None = None,
) -> QoR:
    """QoR of a project folder or of one report file.

    Parameters
    ----------
    using : an evaluator's name. ``report`` reads what the tools left; ``csynth``, ``cosim`` and ``vsynth`` run
        them; ``estimate`` and ``rtl`` work from the fixed-point graph, of a project without one from that of its
        sources, once csim has borne it out; further ones come from other packages;
        ``auto`` reads reports where there are any, else estimates.
    work : where an evaluator may write, as ``rtl`` its Verilog project; left out: the project itself.
    top : the function whose reports are read, where the folder does not tell it.
    prefix : command that runs the vendor's tool elsewhere, e.g. ``("ssh", "build01")``.
    spec : backend, part and clock of a firmware whose own files do not tell them.

    Raises
    ------
    SpecError : there is no such evaluator; the known ones are named.
    ReportError, ToolNotFound, ToolFailed, UnsupportedModel : see the source.
    NotMeasured : the folder offers nothing to this source.
    """
    path = Path(path)
    if using == AUTO:
        using = "report" if offers_reports(path) else "estimate"
    return measured_by(
        using, Design(path, folder=work, prefix=tuple(prefix), top=top, asked=spec, on_line=on_line)
    )
