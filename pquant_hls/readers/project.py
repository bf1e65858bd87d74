"""All reports of one project folder as one QoR record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeVar

from pquant_hls.errors import NotMeasured, ReportError
from pquant_hls.qor import RESOURCE_NAMES, Latency, QoR, Resources
from pquant_hls.readers.files import read_report
from pquant_hls.readers.layers import layer_names
from pquant_hls.readers.locate import ProjectReports, find_reports
from pquant_hls.readers.records import (
    AnyReport,
    CosimReport,
    CsimReport,
    CsynthReport,
    ExportReport,
    TimingReport,
    UtilizationReport,
)

From = Literal["csynth", "cosim", "vsynth"]
SLACK_S = 60.0
"""Files of one run, or of one copy of a project, may differ by so much in time."""
HABIT_SHARE, HABIT_COUNT = 0.001, 8
"""A summary may count a module's LUT and FF otherwise than the module's own report by so much: Vitis HLS 2023.1
states 339,118 LUT beside 339,116 for one run of an io_stream design."""
RUN_S = 3600.0
"""Texts of one run are written within an hour of each other; their dates are of one machine's clock."""
R = TypeVar("R", bound=AnyReport)
_STATES = (
    "Routed",
    "Physopt postRoute",
    "Fully Routed",
    "Fully Placed",
    "Placed",
    "Optimized",
    "Synthesized",
)


def read_project(project_dir: str | Path, *, source: From = "csynth", top: str | None = None) -> QoR:
    """QoR of an HLS project folder from the reports in it.

    ``source`` says where the deciding figures come from: ``csynth`` takes those of C synthesis;
    ``cosim`` takes the cycles that RTL simulation counted, with csynth's clock; ``vsynth`` takes Vivado's
    resources and, where a timing report is there, its achieved clock. All others stand in ``metrics``
    (``cosim_cycles_max``, ``vsynth_lut``, ``wns_ns``...). ``top`` names the function when it cannot be told.

    Raises
    ------
    ReportError : no reports, or one is damaged, or two of one run contradict each other.
    NotMeasured : the folder has no report of ``source``.
    """
    return compose(find_reports(project_dir, top), source)


def compose(reports: ProjectReports, source: From = "csynth") -> QoR:
    """As ``read_project`` for reports already found."""
    found = [_read(path, CsynthReport) for path in reports.csynth]
    csynth = _csynth(reports, found)
    names = layer_names(reports.root / "firmware" / f"{reports.design}.cpp")
    qor = QoR(source="report") if csynth is None else csynth.to_qor(names)
    cosim = None if reports.cosim is None else _read(reports.cosim, CosimReport)
    utilization, timing = _best_utilization(reports), _best_timing(reports)
    exports = sorted((_read(path, ExportReport) for path in reports.exports), key=_is_implemented)
    qor = qor.with_(
        metrics={
            **qor.metrics,
            **_cosim_metrics(cosim),
            **_vivado_metrics(utilization, timing, exports),
        },
        notes=(
            *qor.notes,
            *(note for report in found[1:] for note in report.gaps),
            *_habits(found),
            *_notes(reports, cosim, utilization),
        ),
    )
    if source == "cosim":
        return _from_cosim(qor, cosim, reports)
    if source == "vsynth":
        return _from_vsynth(qor, utilization, timing, reports)
    if csynth is None:
        raise NotMeasured("no report of C synthesis", where=reports.root, mend="run C synthesis first")
    return qor


def _read(path: Path, kind: type[R]) -> R:
    report = read_report(path)
    if not isinstance(report, kind):
        raise ReportError(f"is a {report.kind} report, not what its name says", where=path)
    return report


def _csynth(reports: ProjectReports, found: list[CsynthReport]) -> CsynthReport | None:
    """The best report of the design, with the modules of the first that lists them; one run's must agree."""
    if not found:
        return None
    for report in found:
        if report.top not in (None, reports.design):
            raise ReportError(f"is of {report.top}, not of {reports.design} as it should", where=report.file)
        _check_same_run(found[0], report)
    _check_dates([report for report in found if report.date is not None])
    modules = next((report.modules for report in found[1:] if report.modules), found[0].modules)
    return found[0].model_copy(update={"modules": modules})


def _differing(first: CsynthReport, other: CsynthReport) -> dict[str, tuple[float, float]]:
    """Resources that two reports of one function state differently, as (first, other)."""
    pairs = {
        name: (getattr(first.resources, name), getattr(other.resources, name)) for name in RESOURCE_NAMES
    }
    return {name: pair for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]}


def _is_habit(first: CsynthReport, other: CsynthReport, name: str, pair: tuple[float, float]) -> bool:
    summaries = {first.kind, other.kind} & {"csynth_summary"}
    most = max(HABIT_COUNT, HABIT_SHARE * max(pair))
    return len(summaries) == 1 and name in ("lut", "ff") and abs(pair[0] - pair[1]) <= most


def _habits(found: Sequence[CsynthReport]) -> Iterator[str]:
    """What the files of one run state differently, as the tools do, and which figure was taken."""
    for other in found[1:]:
        for name, (one, two) in _differing(found[0], other).items():
            yield (
                f"{name.upper()} {one:,.0f} as {Path(found[0].file).name} has it; "
                f"{Path(other.file).name} of the same run says {two:,.0f}"
            )


def _check_same_run(first: CsynthReport, other: CsynthReport) -> None:
    """Not the interval: Vivado HLS 2019.1 prints one more in the XML than in the text."""
    pairs = [
        ("top", first.top, other.top),
        ("part", first.part, other.part),
        ("version", first.version, other.version),
        *(
            (name, getattr(first.latency, name), getattr(other.latency, name))
            for name in (
                "cycles_min",
                "cycles_max",
                "clock_target_ns",
                "clock_estimated_ns",
                "clock_uncertainty_ns",
            )
        ),
        *(
            (name, *pair)
            for name, pair in _differing(first, other).items()
            if not _is_habit(first, other, name, pair)
        ),
    ]
    for what, one, two in pairs:
        if one is not None and two is not None and one != two:
            raise _two_runs(what, one, two, first, other)


def _check_dates(dated: Sequence[CsynthReport]) -> None:
    for first, other in pairwise(dated):
        if first.date and other.date and abs((first.date - other.date).total_seconds()) > RUN_S:
            raise _two_runs("date", first.date, other.date, first, other)


def _two_runs(what: str, one: object, two: object, first: CsynthReport, other: CsynthReport) -> ReportError:
    return ReportError(
        f"{what} {two} contradicts {one} in {Path(first.file).name}: reports of two runs",
        where=other.file,
        mend="keep the files of one run: delete those of the other, or run C synthesis into an empty solution",
    )


def _best_utilization(reports: ProjectReports) -> UtilizationReport | None:
    """The report of the latest stage: routed before placed before synthesised."""
    found = [_read(path, UtilizationReport) for path in reports.utilization]
    return min(found, key=lambda report: _rank(report.state), default=None)


def _best_timing(reports: ProjectReports) -> TimingReport | None:
    found = [_read(path, TimingReport) for path in reports.timing]
    return min(found, key=lambda report: _rank(report.state), default=None)


def _is_implemented(report: ExportReport) -> bool:
    return report.clock_post_implementation_ns is not None


def _rank(state: str | None) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)


def _cosim_metrics(cosim: CosimReport | None) -> dict[str, float | None]:
    run = None if cosim is None else cosim.run
    if run is None:
        return {}
    return _known(
        cosim_passed=float(run.status == "Pass"),
        cosim_cycles_min=run.latency_min,
        cosim_cycles_avg=run.latency_avg,
        cosim_cycles_max=run.latency_max,
        cosim_ii_max=run.ii_max,
    )


def _vivado_metrics(
    utilization: UtilizationReport | None, timing: TimingReport | None, exports: list[ExportReport]
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if utilization is not None:
        used = utilization.resources
        found |= _known(**{f"vsynth_{name}": getattr(used, name) for name in RESOURCE_NAMES})
    if timing is not None:
        found |= _known(wns_ns=timing.wns_ns, tns_ns=timing.tns_ns, whs_ns=timing.whs_ns)
    for export in exports:
        found |= _known(
            export_lut=export.lut,
            export_ff=export.ff,
            export_dsp=export.dsp,
            export_bram=export.bram,
            export_clock_post_synthesis_ns=export.clock_post_synthesis_ns,
            export_clock_post_implementation_ns=export.clock_post_implementation_ns,
        )
    return found


def _known(**figures: float | None) -> dict[str, float | None]:
    return {name: value for name, value in figures.items() if value is not None}


def _notes(
    reports: ProjectReports, cosim: CosimReport | None, utilization: UtilizationReport | None
) -> tuple[str, ...]:
    found = list(reports.notes)
    if reports.top != reports.design:
        found.append(
            f"{reports.design} inside the wrapper {reports.top}: figures are those of {reports.design}"
        )
    csim = None if reports.csim is None else _read(reports.csim, CsimReport)
    if csim is not None and csim.passed is not True:
        found.append(csim.said)
    if cosim is not None and cosim.run is not None and cosim.run.status == "Fail":
        found.append("co-simulation failed: the RTL does not do what the C++ does")
    if utilization is not None and utilization.design not in (None, reports.top, reports.design):
        found.append(
            f"{Path(utilization.file).name} is of {utilization.design}, not of {reports.design} alone"
        )
    newest = max((path.stat().st_mtime for path in reports.csynth), default=None)
    if newest is None:
        return tuple(found)
    if utilization is not None and Path(utilization.file).stat().st_mtime < newest - SLACK_S:
        found.append(f"{Path(utilization.file).name} is older than the C synthesis")
    sources = (reports.root / "firmware").rglob("*")
    if any(path.suffix in {".cpp", ".h"} and path.stat().st_mtime > newest + SLACK_S for path in sources):
        found.append("the firmware is newer than its reports: they may be of an older design")
    return tuple(found)


def _from_cosim(qor: QoR, cosim: CosimReport | None, reports: ProjectReports) -> QoR:
    run = None if cosim is None else cosim.run
    if run is None or run.status != "Pass" or run.latency_max is None:
        raise NotMeasured(
            "no co-simulation that passed and counted cycles", where=reports.root, mend="run cosim"
        )
    clock = qor.latency or Latency()
    latency = Latency(
        cycles_min=run.latency_min,
        cycles_max=run.latency_max,
        ii_cycles=run.ii_max,
        clock_target_ns=clock.clock_target_ns,
        clock_estimated_ns=clock.clock_estimated_ns,
        clock_uncertainty_ns=clock.clock_uncertainty_ns,
    )
    return qor.with_(source="cosim", latency=latency)


def _from_vsynth(
    qor: QoR, utilization: UtilizationReport | None, timing: TimingReport | None, reports: ProjectReports
) -> QoR:
    if utilization is None:
        raise NotMeasured("no Vivado utilization report", where=reports.root, mend="run vsynth")
    resources: Resources = utilization.resources
    achieved = None if timing is None else timing.achieved_ns
    latency = qor.latency
    if latency is not None and achieved is not None:
        latency = Latency(**{**latency.model_dump(), "clock_estimated_ns": max(achieved, 0.0)})
    part = qor.part or utilization.part
    tool = ", ".join(text for text in (qor.tool, utilization.tool_text) if text)
    found = {"state": utilization.state, "resources": resources, "latency": latency, "part": part}
    return qor.with_(source="vsynth", tool=tool or None, **found)
