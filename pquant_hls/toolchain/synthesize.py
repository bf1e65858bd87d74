"""Run an HLS project of hls4ml through the vendors' tools and read what they report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pquant_hls.errors import ReportError, ToolFailed, ToolNotFound, UnsupportedModel
from pquant_hls.programs import Limits, OnLine, RunResult, ask, require, run
from pquant_hls.qor import QoR
from pquant_hls.readers import From, ProjectReports, compose, find_reports
from pquant_hls.toolchain.explain import explain

Step = Literal["csim", "csynth", "cosim", "export", "vsynth"]
STEPS: tuple[Step, ...] = ("csim", "csynth", "cosim", "export", "vsynth")
SCRIPT = "build_prj.tcl"
OPTIONS = "build_opt.tcl"
LOG = "synthesis.log"
_WHICH_S = 60.0
_SETTING = re.compile(r'\s*set (?P<name>\w+) "?(?P<value>[^"\s]+)"?\s*\Z')
_INSTALL = "source the tool's settings64.sh, or give a command prefix for a machine that has it"


def synthesize(
    project_dir: str | Path,
    *,
    steps: Sequence[Step] = ("csynth",),
    timeout_s: float = 4 * 3600.0,
    on_line: OnLine | None = None,
    prefix: Sequence[str] = (),
    source: From = "csynth",
) -> QoR:
    """Run ``steps`` on a project and return what its new reports say.

    The project is hls4ml's: ``project.tcl`` names top and backend, ``build_prj.tcl`` does the work. The tool
    is ``vivado_hls`` for the backend Vivado, ``vitis_hls`` or else ``vitis-run --mode hls`` for Vitis. Its
    output goes to ``synthesis.log`` in the project and by line to ``on_line``. ``source`` says which report
    decides (see ``read_project``); those that the run did not write are never taken for its own.

    Raises
    ------
    UnsupportedModel : the folder is not such a project, or a step is unknown.
    ToolNotFound : the tool is not on PATH.
    ToolFailed : it failed, hung or died, or left no new report; with its own words and the mend.
    ReportError : it left a damaged report.
    NotMeasured : co-simulation did not pass, where ``source`` is ``cosim``.
    """
    project = Path(project_dir).absolute()
    ordered = _ordered(steps)
    settings = read_settings(project)
    tool = _program(settings.get("backend", "vitis"), prefix)
    if "vsynth" in ordered and not prefix:
        require("vivado", mend=_INSTALL)
    command = _command(project, tool, ordered)
    before = _snapshot(project)
    result = run(command, project, Limits(timeout_s), project / LOG, on_line, prefix)
    new = {path for path, stamp in _snapshot(project).items() if before.get(path) != stamp}
    if not result.ok:
        raise _failure(project, result)
    return compose(_fresh(project, new, ordered, result), source)


def _ordered(steps: Sequence[Step]) -> tuple[Step, ...]:
    unknown = [step for step in steps if step not in STEPS]
    if unknown or not steps:
        raise UnsupportedModel(f"unknown steps {unknown}", mend=f"some of {', '.join(STEPS)}")
    return tuple(step for step in STEPS if step in steps)


def _command(project: Path, program: str, steps: tuple[Step, ...]) -> list[str]:
    """The tool's command line; writes the project's option file where its script reads one."""
    script = project / SCRIPT
    if not script.is_file():
        raise UnsupportedModel(f"no {SCRIPT} in this folder", where=project, mend="give a project of hls4ml")
    flags = {
        "reset": "csynth" in steps,
        "csim": "csim" in steps,
        "synth": "csynth" in steps,
        "cosim": "cosim" in steps,
        "validation": False,
        "export": "export" in steps,
        "vsynth": "vsynth" in steps,
        "fifo_opt": False,
    }
    if OPTIONS in script.read_text(encoding="utf-8", errors="replace"):
        _write_options(project / OPTIONS, flags)
        arguments = []
    else:
        arguments = [" ".join(f"{name}={int(value)}" for name, value in flags.items())]
    if Path(program).name == "vitis-run":
        return [program, "--mode", "hls", "--tcl", SCRIPT]
    return [program, "-f", SCRIPT, *arguments]


def _program(backend: str, prefix: Sequence[str]) -> str:
    """The tool of this backend, on this machine or on the far side of the prefix."""
    names = ("vivado_hls",) if backend.startswith("vivado") else ("vitis_hls", "vitis-run")
    if not prefix:
        return str(require(*names, mend=_INSTALL))
    said = ""
    for name in names:
        answer = (ask([*prefix, "which", name], _WHICH_S) or "no answer").strip()
        if answer.endswith(f"/{name}"):
            return name
        said = answer.splitlines()[-1][:200] if answer else "nothing"
    raise ToolNotFound(
        f"none of {', '.join(names)} behind {shlex.join(prefix)}, which says: {said}", mend=_INSTALL
    )


def read_settings(project: Path) -> dict[str, str]:
    """``set name value`` lines of ``project.tcl``."""
    path = project / "project.tcl"
    if not path.is_file():
        raise UnsupportedModel(
            "no project.tcl in this folder", where=project, mend="give a project of hls4ml"
        )
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found["name"]: found["value"] for line in lines if (found := _SETTING.match(line))}


def _write_options(path: Path, flags: dict[str, bool]) -> None:
    lines = ["array set opt {", *(f"    {name:<10} {int(value)}" for name, value in flags.items()), "}", ""]
    part = path.with_suffix(".part")
    part.write_text("\n".join(lines))
    part.replace(path)


def _snapshot(project: Path) -> dict[Path, tuple[int, int, int]]:
    """Reports under the project with what changes when they are written again; no clock is compared."""
    found = {}
    for path in project.rglob("*"):
        if path.name.endswith((".rpt", ".xml", "_csim.log")) and path.is_file():
            stat = path.stat()
            found[path] = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
    return found


def _failure(project: Path, result: RunResult) -> ToolFailed:
    cause = explain(result)
    return ToolFailed(
        f"{cause.kind}: {cause.message}", where=project, mend=f"{cause.mend}; log: {result.log}"
    )


def _fresh(project: Path, new: set[Path], steps: tuple[Step, ...], result: RunResult) -> ProjectReports:
    """The reports of this run alone."""
    try:
        found = find_reports(project)
    except ReportError as error:
        if new:
            raise
        raise _failure(project, result) from error
    reports = replace(
        found,
        xml=found.xml if found.xml in new else None,
        text=found.text if found.text in new else None,
        summary=found.summary if found.summary in new else None,
        cosim=found.cosim if found.cosim in new else None,
        csim=found.csim if found.csim in new else None,
        exports=tuple(path for path in found.exports if path in new),
        utilization=tuple(path for path in found.utilization if path in new),
        timing=tuple(path for path in found.timing if path in new),
    )
    written = {
        "csynth": bool(reports.csynth),
        "cosim": reports.cosim is not None,
        "vsynth": bool(reports.utilization),
    }
    absent = [step for step in steps if not written.get(step, True)]
    if absent:
        cause = explain(result)
        words = f"no new report of {', '.join(absent)} after the run; {cause.kind}: {cause.message}"
        raise ToolFailed(words, where=project, mend=f"{cause.mend}; log: {result.log}")
    if "csynth" not in steps:
        return replace(reports, xml=found.xml, text=found.text, summary=found.summary)
    return reports
