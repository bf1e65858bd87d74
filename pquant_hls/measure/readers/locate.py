"""Where a project folder keeps its reports, in every layout that Vivado HLS, Vitis HLS and Vitis have used.

Solution layout: ``<name>_prj/solution1/{syn,sim,impl}/report``. Unified flow (UG1399, Output of C Synthesis):
``<component>/hls/{syn,sim,impl}/report``. hls4ml's own Vivado step writes ``vivado_synth.rpt`` beside
``project.tcl``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pquant_hls.errors import ReportError
from pquant_hls.measure.readers.files import read_report
from pquant_hls.measure.readers.records import AppReport

_SKIP = frozenset(
    {".autopilot", "firmware", "weights", "tb_data", "csim", "verilog", "vhdl", "ip", ".git", "systemc"}
)
_DATE = re.compile(r"\s*\* Date:\s+(?P<date>\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})\s*\Z")
_TITLE = re.compile(r"== (?:Synthesis Summary Report of|(?:Vivado|Vitis) HLS Report for) '(?P<top>[^']+)'")
_PROJECT_NAME = re.compile(r'\s*set project_name "?(?P<name>\w+)"?\s*\Z')
_CONFIG_TOP = re.compile(r"\s*(?:syn\.)?top\s*=\s*(?P<name>\w+)\s*\Z")
_WRAPPED = re.compile(r"(?P<inner>\w+?)_(?:axi|wrapper|top)\Z")
_DEPTH = 6


@dataclass(frozen=True)
class ProjectReports:
    """Report files of one tool run; None or empty where there is none.

    ``design`` is the network's own function, ``top`` what was synthesised: they differ where a wrapper (AXI,
    kernel) surrounds the network. ``xml`` and ``text`` are reports of ``design``.
    """

    root: Path
    solution: Path
    top: str
    design: str
    xml: Path | None = None
    text: Path | None = None
    summary: Path | None = None
    wrapper: Path | None = None
    cosim: Path | None = None
    csim: Path | None = None
    exports: tuple[Path, ...] = ()
    utilization: tuple[Path, ...] = ()
    timing: tuple[Path, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def csynth(self) -> tuple[Path, ...]:
        """Reports of C synthesis of the design, the best to read first."""
        return tuple(path for path in (self.xml, self.text, self.summary) if path is not None)


def find_reports(project_dir: str | Path, top: str | None = None) -> ProjectReports:
    """The reports of the newest tool run under ``project_dir``.

    ``top`` names the function when it cannot be told.

    Raises
    ------
    ReportError : no such folder, no synthesis report in it, or several functions and none known as the top.
    """
    root = Path(project_dir)
    if not root.is_dir():
        raise ReportError("no such project folder", where=root)
    solutions = list(_solutions(root))
    if not solutions:
        return _vivado_only(root)
    solution = _newest(solutions)
    folder = _report_folder(solution)
    stems = {path.name[: -len("_csynth.xml")] for path in folder.glob("*_csynth.xml")}
    stems |= {path.name[: -len("_csynth.rpt")] for path in folder.glob("*_csynth.rpt")}
    told, names = _told(root, solution, folder)
    found_top = top or _top(stems, told, folder)
    design = top or _design(found_top, stems, names)
    return _collect(root, solution, found_top, design)


def _solutions(root: Path) -> Iterator[Path]:
    """Folders that hold ``syn/report``, or ``root`` itself when it is one or is the report folder."""
    base = len(root.parts)
    if any(root.glob("*csynth.rpt")) or any(root.glob("*csynth.xml")):
        yield root
        return
    for folder, names, _ in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if name not in _SKIP)
        if len(here.parts) - base >= _DEPTH:
            names.clear()
        report = here / "syn" / "report"
        if any(report.glob("*csynth.rpt")) or any(report.glob("*csynth.xml")):
            yield here


def _report_folder(solution: Path) -> Path:
    folder = solution / "syn" / "report"
    return folder if folder.is_dir() else solution


def _newest(solutions: list[Path]) -> Path:
    """By the dates inside the reports where all have one, else by the files' own times."""
    dates = [_date(solution) for solution in solutions]
    if all(date is not None for date in dates):
        return max(zip(solutions, dates, strict=True), key=lambda pair: (pair[1], _mtime(pair[0])))[0]
    return max(solutions, key=_mtime)


def _mtime(solution: Path) -> float:
    return max(path.stat().st_mtime for path in _report_folder(solution).glob("*csynth.*"))


def _date(solution: Path) -> datetime | None:
    """Newest date that a text report of this solution states, in the local time of its machine."""
    found = []
    for path in _report_folder(solution).glob("*csynth.rpt"):
        for line in _head(path):
            hit = _DATE.match(line)
            if hit:
                found.append(datetime.strptime(" ".join(hit["date"].split()), "%a %b %d %H:%M:%S %Y"))
    return max(found, default=None)


def _head(path: Path, lines: int = 60) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return [line for _, line in zip(range(lines), stream, strict=False)]


def _told(root: Path, solution: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Names of the top function by project file, summary and configuration; names of the hls4ml project."""
    told = []
    for name in ("hls.app", "vivado_hls.app"):
        told += _app_top(solution.parent / name)
    if (folder / "csynth.rpt").is_file():
        told += [hit["top"] for line in _head(folder / "csynth.rpt") if (hit := _TITLE.match(line))]
    told += [
        name for config in sorted(solution.parent.glob("*.cfg")) for name in _matches(config, _CONFIG_TOP)
    ]
    told.append(solution.parent.name.removesuffix("_prj"))
    parents = (root, solution.parent, solution.parent.parent)
    names = [name for parent in parents for name in _matches(parent / "project.tcl", _PROJECT_NAME)]
    return told, names


def _app_top(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        report = read_report(path)
    except ReportError:
        return []  # empty and dummy project files are common; other files name the top as well
    return [report.top] if isinstance(report, AppReport) and report.top else []


def _matches(path: Path, pattern: re.Pattern[str]) -> list[str]:
    return (
        [hit["name"] for line in _head(path, 400) if (hit := pattern.match(line))] if path.is_file() else []
    )


def _top(stems: set[str], told: list[str], folder: Path) -> str:
    for name in told:
        if name in stems:
            return name
    if not stems:
        return told[0]  # a synthesis summary alone, which names its function
    if len(stems) == 1:
        return next(iter(stems))
    inside = {module for path in folder.glob("*_csynth.rpt") for module in _modules(path)}
    free = sorted(stems - inside)
    around = [name for name in free if (hit := _WRAPPED.match(name)) and hit["inner"] in free]
    if len(free) == 1 or (len(free) == 2 and len(around) == 1):
        return (around or free)[0]
    raise ReportError(
        f"cannot tell the top function among {', '.join(free or sorted(stems))[:200]}",
        where=folder,
        mend="name it with top=",
    )


def _modules(path: Path) -> set[str]:
    report = read_report(path)
    return {module.module for module in getattr(report, "modules", ())}


def _design(top: str, stems: set[str], names: list[str]) -> str:
    """The network inside the top: hls4ml's project name, or the top's name without a wrapper's ending."""
    for name in names:
        if name in stems:
            return name
    wrapped = _WRAPPED.match(top)
    if wrapped and wrapped["inner"] in stems:
        return wrapped["inner"]
    return top


def _collect(root: Path, solution: Path, top: str, design: str) -> ProjectReports:
    folder = _report_folder(solution)
    is_wrapped = top != design
    return ProjectReports(
        root=root,
        solution=solution,
        top=top,
        design=design,
        xml=_first(folder / f"{design}_csynth.xml", *([] if is_wrapped else [folder / "csynth.xml"])),
        text=_first(folder / f"{design}_csynth.rpt"),
        summary=None if is_wrapped else _first(folder / "csynth.rpt"),
        wrapper=_first(folder / f"{top}_csynth.xml", folder / f"{top}_csynth.rpt") if is_wrapped else None,
        cosim=_first(*(solution / "sim" / "report" / f"{name}_cosim.rpt" for name in (top, design))),
        csim=_first(*(solution / "csim" / "report" / f"{name}_csim.log" for name in (top, design))),
        exports=_sorted(
            [*solution.glob("impl/report/*/*_export.rpt"), *solution.glob("impl/report/*/export_*.rpt")]
        ),
        utilization=_vivado_reports(root, solution, "utilization"),
        timing=_vivado_reports(root, solution, "timing"),
    )


def _vivado_only(root: Path) -> ProjectReports:
    utilization, timing = _vivado_reports(root, root, "utilization"), _vivado_reports(root, root, "timing")
    if not utilization and not timing:
        raise ReportError("no synthesis report in this folder", where=root, mend="run C synthesis first")
    return ProjectReports(root=root, solution=root, top="", design="", utilization=utilization, timing=timing)


def _vivado_reports(root: Path, solution: Path, what: str) -> tuple[Path, ...]:
    """Vivado's reports by name: hls4ml's ``vivado_synth.rpt``, and those of the implementation runs."""
    found = [path for folder in {root, solution} for path in folder.glob(f"*{what}*.rpt")]
    found += solution.glob(f"impl/report/*/*{what}*.rpt")
    found += solution.glob(f"impl/*/project.runs/*/*{what}*.rpt")
    if what == "utilization" and (root / "vivado_synth.rpt").is_file():
        found.append(root / "vivado_synth.rpt")
    return _sorted(path for path in found if "hierarch" not in path.name)


def _sorted(paths: Iterator[Path] | list[Path]) -> tuple[Path, ...]:
    return tuple(sorted(set(paths)))


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
