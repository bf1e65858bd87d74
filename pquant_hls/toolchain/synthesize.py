"""Run an HLS project of hls4ml through the vendors' tools and read what they report."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pquant_hls.errors import ReportError, ToolFailed, ToolNotFound, UnsupportedModel
from pquant_hls.files import write_bytes
from pquant_hls.programs import Executable, OnLine, RunResult, ask, require, run
from pquant_hls.qor import QoR
from pquant_hls.readers import From, ProjectReports, compose, find_reports
from pquant_hls.spec.backends import OPTIONS, SCRIPT, SETTINGS, Backend, backend_of
from pquant_hls.toolchain.explain import explain

Step = Literal["csim", "csynth", "cosim", "export", "vsynth"]
STEPS: tuple[Step, ...] = ("csim", "csynth", "cosim", "export", "vsynth")
LOG = "synthesis.log"
_WHICH_S = 60.0
_SETTING = re.compile(r'\s*set (?P<name>\w+) "?(?P<value>[^"\s]+)"?\s*\Z')


def synthesize(
    project_dir: str | Path,
    *,
    steps: Sequence[str] = ("csynth",),
    timeout_s: float | None = None,
    on_line: OnLine | None = None,
    prefix: Sequence[str] = (),
    source: From = "csynth",
) -> QoR:
    """Run ``steps`` on a project and return what its new reports say.

    The project is hls4ml's: ``project.tcl`` names top and backend, ``build_prj.tcl`` does the work. The tool is
    the backend's (``spec.Backend``): ``vivado_hls`` for Vivado, ``vitis_hls`` or else ``vitis-run --mode hls``
    for Vitis. Its output goes to ``synthesis.log`` in the project and by line to ``on_line``. ``source`` says which
    report decides (see ``read_project``); those that the run did not write are never taken for its own.
    ``timeout_s`` left out is the backend's own limit, four hours.

    Raises
    ------
    UnsupportedModel : the folder is not such a project, or a step is unknown.
    SpecError : its backend is unknown.
    ToolNotFound : the tool is not on PATH.
    ToolFailed : it failed, hung or died, or left no new report; with its own words and the mend.
    ReportError : it left a damaged report.
    NotMeasured : co-simulation did not pass, where ``source`` is ``cosim``.
    """
    project = Path(project_dir).absolute()
    ordered = _ordered(steps)
    backend = backend_of_project(project)
    path, program = _program(backend, prefix)
    for step in ordered:
        if step in backend.needs and not prefix:
            require(backend.needs[step].name, mend=backend.install)
    command = _command(project, path, program, ordered)
    limits = backend.limits if timeout_s is None else replace(backend.limits, time_s=timeout_s)
    before = _snapshot(project)
    result = run(command, project, limits, project / LOG, on_line, prefix)
    new = {path for path, stamp in _snapshot(project).items() if before.get(path) != stamp}
    if not result.ok:
        raise _failure(project, result)
    if backend.read is not None:
        return backend.read(project)
    return compose(_fresh(project, new, ordered, result), source)


def _ordered(steps: Sequence[str]) -> tuple[Step, ...]:
    unknown = [step for step in steps if step not in STEPS]
    if unknown or not steps:
        raise UnsupportedModel(f"unknown steps {unknown}", mend=f"some of {', '.join(STEPS)}")
    return tuple(step for step in STEPS if step in steps)


def _command(project: Path, path: str, program: Executable, steps: tuple[Step, ...]) -> list[str]:
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
    settings: tuple[str, ...] = (" ".join(f"{name}={int(value)}" for name, value in flags.items()),)
    if OPTIONS in script.read_text(encoding="utf-8", errors="replace"):
        _write_options(project / OPTIONS, flags)
        settings = ()
    given = ((word,) if word != SETTINGS else settings for word in program.arguments)
    return [path, *itertools.chain.from_iterable(given)]


def command_of(project: Path) -> str:
    """The command that runs C synthesis of a project, for a machine that has the tool; its option file is set so."""
    program = backend_of_project(project).programs[0]
    return shlex.join(_command(project, program.name, program, ("csynth",)))


def backend_of_project(project: Path) -> Backend:
    """The backend that ``project.tcl`` names.

    Raises
    ------
    UnsupportedModel : it names none, or there is no such file. SpecError : one that is not known.
    """
    word = read_settings(project).get("backend")
    if word is None:
        raise UnsupportedModel("project.tcl names no backend", where=project, mend="give a project of hls4ml")
    return backend_of(word)


def _program(backend: Backend, prefix: Sequence[str]) -> tuple[str, Executable]:
    """The backend's program, and where it is: on this machine, or on the far side of the prefix."""
    names = backend.program_names
    if not prefix:
        path = require(*names, mend=backend.install)
        return str(path), backend.programs[names.index(path.name)]
    said = ""
    for program in backend.programs:
        answer = (ask([*prefix, "which", program.name], _WHICH_S) or "no answer").strip()
        if answer.endswith(f"/{program.name}"):
            return program.name, program
        said = answer.splitlines()[-1][:200] if answer else "nothing"
    raise ToolNotFound(
        f"none of {', '.join(names)} behind {shlex.join(prefix)}, which says: {said}", mend=backend.install
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
    write_bytes(path, "\n".join(lines).encode())


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
