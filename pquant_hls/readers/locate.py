"""Where a project folder keeps its reports, in every layout that Vivado HLS, Vitis HLS and Vitis have used.

Solution layout: ``<name>_prj/solution1/{syn,sim,impl}/report``. Unified flow (UG1399, Output of C Synthesis):
``<component>/hls/{syn,sim,impl}/report``, with copies in ``<component>/reports``. hls4ml's own Vivado step writes
``vivado_synth.rpt`` beside ``project.tcl``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pquant_hls.errors import ReportError
from pquant_hls.readers.files import read_report
from pquant_hls.readers.records import AppReport
from pquant_hls.readers.values import date

_SKIP = frozenset(
    {".autopilot", "firmware", "weights", "tb_data", "csim", "verilog", "vhdl", "ip", ".git", "systemc"}
)
_DATE = re.compile(r"\s*\* Date:\s+(?P<date>\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})\s*\Z")
_TITLE = re.compile(r"== (?:Synthesis Summary Report of|(?:Vivado|Vitis) HLS Report for) '(?P<top>[^']+)'")
_PROJECT_NAME = re.compile(r'\s*set project_name "?(?P<name>\w+)"?\s*\Z')
_CONFIG_TOP = re.compile(r"\s*(?:syn\.)?top\s*=\s*(?P<name>\w+)\s*\Z")
_WRAPPED = re.compile(r"(?P<inner>\w+?)_(?:axi|wrapper|top)\Z")
_DEPTH = 6
_ENDINGS = ("csynth.xml", "csynth.rpt")
_COPY = "hls_compile.rpt"
_SUMMARIES = ("csynth.rpt", _COPY)
_HEAD_BYTES = 65536


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
    ReportError : no such folder, no synthesis report in it, several designs in it, or several functions and none
        known as the top.
    """
    root = Path(project_dir)
    try:
        return _find(root, top)
    except OSError as cause:
        raise ReportError(f"cannot be read: {cause.strerror}", where=cause.filename or root) from cause


def _find(root: Path, top: str | None) -> ProjectReports:
    if not root.is_dir():
        raise ReportError("no such project folder", where=root)
    solutions = list(_solutions(root))
    if not solutions:
        return _vivado_only(root)
    _check_one_design(root, solutions)
    solution = _newest(solutions)
    found_top, design = _names(root, solution, top)
    found = _collect(root, solution, found_top, design)
    if len(solutions) == 1:
        return found
    note = f"{len(solutions)} runs of the tool in this folder, the newest taken: {_inside(root, solution)}"
    return replace(found, notes=(note,))


def has_reports(root: Path) -> bool:
    """Whether ``find_reports`` has a run of C synthesis to look at; it says what it cannot read."""
    try:
        return any(True for _ in _solutions(root))
    except OSError:
        return True


def _solutions(root: Path) -> Iterator[Path]:
    """Folders with reports in ``syn/report``, or ``root`` itself when it is one or is the report folder.

    Where there are none, folders of copies that vitis-run makes (UG1399).
    """
    if _csynth_files(root):
        yield root
        return
    folders = list(_folders(root))
    found = [here for here in folders if _csynth_files(here / "syn" / "report")]
    yield from found or [here for here in folders if _report_folder(here) is not None]


def _folders(root: Path) -> Iterator[Path]:
    base = len(root.parts)
    for folder, names, _ in os.walk(root):
        names[:] = sorted(name for name in names if name not in _SKIP)
        if len(Path(folder).parts) - base >= _DEPTH:
            names.clear()
        yield Path(folder)


def _csynth_files(folder: Path) -> list[Path]:
    return [path for ending in _ENDINGS for path in sorted(folder.glob(f"*{ending}")) if path.is_file()]


def _report_folder(solution: Path) -> Path | None:
    """Where the reports of C synthesis of a run are."""
    for folder in (solution / "syn" / "report", solution):
        if _csynth_files(folder) or (folder / _COPY).is_file():
            return folder
    return None


def _files(solution: Path) -> list[Path]:
    folder = _report_folder(solution) or solution
    return [*_csynth_files(folder), *(path for path in [folder / _COPY] if path.is_file())]


def _check_one_design(root: Path, solutions: list[Path]) -> None:
    """Runs of two projects or of two functions have no newest: nobody asked which of them."""
    designs: dict[tuple[Path, str], Path] = {}
    for solution in solutions if len(solutions) > 1 else ():
        try:
            name = _names(root, solution)[1]
        except ReportError:
            name = ""  # told when the run is chosen
        designs.setdefault((_project(root, solution), name), solution)
    if len(designs) > 1:
        listed = ", ".join(_inside(root, solution) for solution in designs.values())
        raise ReportError(
            f"{len(designs)} designs in this folder: {listed[:300]}",
            where=root,
            mend="name the folder of one",
        )


def _project(root: Path, solution: Path) -> Path:
    """The folder of hls4ml's project around a run, ``root`` where there is none."""
    around = [folder for folder in solution.parents if folder == root or root in folder.parents]
    return next((folder for folder in around if (folder / "project.tcl").is_file()), root)


def _inside(root: Path, path: Path) -> str:
    return str(path.relative_to(root))


def _names(root: Path, solution: Path, top: str | None = None) -> tuple[str, str]:
    """What was synthesised, and the network in it."""
    folder = _report_folder(solution) or solution
    stems = {path.name[: -len("_csynth.xml")] for path in _csynth_files(folder) if "_csynth." in path.name}
    if top is not None and stems and top not in stems:
        raise ReportError(f"no report of {top}; there are {', '.join(sorted(stems))[:200]}", where=folder)
    told, names = _told(root, solution, folder)
    found = top or _top(stems, told, folder)
    return found, top or _design(found, stems, names)


def _newest(solutions: list[Path]) -> Path:
    """By the dates inside the reports where all have one, else by the files' own times."""
    dates = [_date(solution) for solution in solutions]
    if all(found is not None for found in dates):
        return max(zip(solutions, dates, strict=True), key=lambda pair: (pair[1], _mtime(pair[0])))[0]
    return max(solutions, key=_mtime)


def _mtime(solution: Path) -> float:
    return max(path.stat().st_mtime for path in _files(solution))


def _date(solution: Path) -> datetime | None:
    """Newest date that a text report of this solution states, in the local time of its machine."""
    lines = [line for path in _files(solution) if path.suffix == ".rpt" for line in _head(path)]
    dates = [date(hit["date"]) for line in lines if (hit := _DATE.match(line))]
    return max((found for found in dates if found is not None), default=None)


def _head(path: Path) -> list[str]:
    """The lines in the first 64 kB; a project's own files name it there."""
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").splitlines()


def _told(root: Path, solution: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Names of the top function by project file, summary and configuration; names of the hls4ml project."""
    told = []
    for name in ("hls.app", "vivado_hls.app"):
        told += _app_top(solution.parent / name)
    summaries = [path for name in _SUMMARIES if (path := folder / name).is_file()]
    told += [hit["top"] for path in summaries for line in _head(path) if (hit := _TITLE.match(line))]
    configs = [
        path for parent in (solution.parent, solution.parent.parent) for path in sorted(parent.glob("*.cfg"))
    ]
    told += [name for config in configs for name in _matches(config, _CONFIG_TOP)]
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
    return [hit["name"] for line in _head(path) if (hit := pattern.match(line))] if path.is_file() else []


def _top(stems: set[str], told: list[str], folder: Path) -> str:
    if not stems:
        return _named_inside(folder)
    for name in told:
        if name in stems:
            return name
    if len(stems) == 1:
        return next(iter(stems))
    texts = [path for path in _csynth_files(folder) if path.suffix == ".rpt" and path.name not in _SUMMARIES]
    inside = {module for path in texts for module in _modules(path)}
    free = sorted(stems - inside)
    around = [name for name in free if (hit := _WRAPPED.match(name)) and hit["inner"] in free]
    if len(free) == 1 or (len(free) == 2 and len(around) == 1):
        return (around or free)[0]
    raise ReportError(
        f"cannot tell the top function among {', '.join(free or sorted(stems))[:200]}",
        where=folder,
        mend="name it: top=, or --top on the command line",
    )


def _named_inside(folder: Path) -> str:
    """The function that a report under a general name (csynth.xml, csynth.rpt) is of."""
    for path in (folder / name for name in ("csynth.xml", *_SUMMARIES)):
        top = getattr(read_report(path), "top", None) if path.is_file() else None
        if isinstance(top, str):
            return top
    raise ReportError(
        "no report that names its function", where=folder, mend="name it: top=, or --top on the command line"
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
    folder = _report_folder(solution) or solution
    is_wrapped = top != design
    places = (solution / "sim" / "report", solution)
    cosims = [f"{top}_cosim.rpt", f"{design}_cosim.rpt", "hls_cosim.rpt"]
    return ProjectReports(
        root=root,
        solution=solution,
        top=top,
        design=design,
        xml=_first(folder / f"{design}_csynth.xml", *([] if is_wrapped else [folder / "csynth.xml"])),
        text=_first(folder / f"{design}_csynth.rpt"),
        summary=None if is_wrapped else _first(*(folder / name for name in _SUMMARIES)),
        wrapper=_first(folder / f"{top}_csynth.xml", folder / f"{top}_csynth.rpt") if is_wrapped else None,
        cosim=_first(*(place / name for place in places for name in cosims)),
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
