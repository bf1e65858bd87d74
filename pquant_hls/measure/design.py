"""One design, measured by the source its budget asks for, or a project folder by what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import NotMeasured, ReportError, SpecError, ToolFailed
from pquant_hls.estimate import estimate
from pquant_hls.hls import HlsProject, load_project
from pquant_hls.programs import locate
from pquant_hls.qor import QoR, Target
from pquant_hls.qor.parts import available
from pquant_hls.readers import AnyReport, CsynthReport, has_reports, read_project, read_report
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.toolchain import synthesize

Floats = NDArray[np.float64]
PROGRAMS = {"Vitis": ("vitis_hls", "vitis-run"), "Vivado": ("vivado_hls",)}
Using = Literal["auto", "report", "estimate", "rtl", "csynth", "cosim", "vsynth"]
OnLine = Callable[[str], None]
Golden = tuple[Floats, Floats]
RTL = "rtl"
"""Folder of the Verilog project, beside the HLS project it was made from."""
_ELSE = "run C synthesis and read its reports, or convert the model with this package"
FLOW: dict[str, tuple[Literal["csynth", "cosim", "export", "vsynth"], ...]] = {
    "csynth": ("csynth",),
    "cosim": ("csynth", "cosim"),
    "vsynth": ("csynth", "export", "vsynth"),
}
"""Steps of the vendor's tool behind each source."""


def target_of(spec: HlsSpec) -> Target:
    """The HLS options as the estimator takes them."""
    return spec.target


def has_synthesis(spec: HlsSpec) -> bool:
    """Whether the C synthesis tool of the backend is on PATH, or a prefix says where it is."""
    return bool(spec.tool_prefix) or any(locate(name) is not None for name in PROGRAMS[spec.backend])


def measure_design(
    project: HlsProject,
    budget: Budget,
    folder: Path,
    on_line: OnLine | None = None,
    golden: Golden | None = None,
) -> QoR:
    """Latency and resources of one of this package's projects, from the source ``budget.measure`` names.

    ``auto`` is C synthesis where its tool is on PATH, else the estimator. What no source can tell is None, with
    the reason in ``notes``. After a synthesis ``metrics`` hold the estimator's error on this very design
    (``estimate_error_cycles``, ``estimate_error_lut``...: estimated minus synthesised). Work goes into ``folder``.
    ``golden`` holds inputs (n, *shape) and csim's outputs for them, which the Verilog must give too.
    """
    if project.spec is None:
        return QoR(notes=("a project of another tool: its target is not known",))
    source = budget.measure
    if source == "auto":
        source = "rtl" if budget.deliver == "rtl" else "csynth" if has_synthesis(project.spec) else "estimate"
    if source == "estimate":
        return estimated(project)
    if source == "rtl":
        return _rtl_or_none(project, folder, golden)
    return _with_error(_synthesised(project, source, on_line), estimated(project))


def measure_better(project: HlsProject, qor: QoR, on_line: OnLine | None = None) -> QoR | None:
    """The same design by the next better source there is: C synthesis after an estimate. None when there is none.

    Where the tool fails the estimate stays, as open as it was, with the tool's words among its notes.
    """
    if qor.source != "estimate" or project.spec is None or not has_synthesis(project.spec):
        return None
    try:
        return _with_error(_synthesised(project, "csynth", on_line), qor)
    except (ToolFailed, ReportError) as cause:
        return qor.with_(notes=(*qor.notes, f"left open, as the synthesis failed: {cause}"))


def estimated(project: HlsProject) -> QoR:
    """The estimator's record; without latency, and with the reason, where it cannot take the design."""
    if project.graph is None or project.spec is None:
        return QoR(notes=("no fixed-point graph in this project: the estimator needs one",))
    try:
        return _of_the_part(estimate(project.graph, target_of(project.spec)))
    except NotMeasured as cause:
        return QoR(source="estimate", notes=(str(cause),))


def _synthesised(project: HlsProject, source: str, on_line: OnLine | None, prefix: Sequence[str] = ()) -> QoR:
    prefix = prefix or (() if project.spec is None else project.spec.tool_prefix)
    return synthesize(project.path, steps=FLOW[source], on_line=on_line, prefix=prefix, source=source)  # type: ignore[arg-type]


def _with_error(qor: QoR, guess: QoR) -> QoR:
    """With the estimate's error on this design, estimated minus synthesised, for each figure both have."""
    pairs: dict[str, tuple[float | None, float | None]] = {"cycles": (_worst(guess), _worst(qor))}
    pairs |= {name: (_used(guess, name), _used(qor, name)) for name in ("lut", "ff", "dsp", "bram_18k")}
    errors = {
        f"estimate_error_{name}": round(one - other, 1)
        for name, (one, other) in pairs.items()
        if one is not None and other is not None
    }
    return qor.with_(metrics={**qor.metrics, **errors})


def _worst(qor: QoR) -> int | None:
    return None if qor.latency is None else qor.latency.cycles_max


def _used(qor: QoR, name: str) -> float | None:
    used: float | None = None if qor.resources is None else getattr(qor.resources, name)
    return used


def _rtl_or_none(project: HlsProject, folder: Path, golden: Golden | None) -> QoR:
    """The Verilog's record; without latency, and with the reason, for a layer that has no exact RTL."""
    try:
        return _rtl(project, folder, golden)
    except NotMeasured as cause:
        return QoR(design="rtl", source="rtl", notes=(str(cause),))


def _rtl(project: HlsProject, folder: Path, golden: Golden | None = None) -> QoR:
    from pquant_hls.rtl import measure_rtl

    if project.graph is None or project.spec is None:
        raise NotMeasured(
            "the Verilog is made from the fixed-point graph, which this project lacks",
            where=project.path,
            mend="convert the model with this package",
        )
    inputs, expected = (None, None) if golden is None else golden
    return _of_the_part(measure_rtl(project.graph, target_of(project.spec), folder / RTL, inputs, expected))


def _of_the_part(qor: QoR) -> QoR:
    """With what the part offers, so that shares of it can be given; unchanged for a part that is not known."""
    if qor.resources is None or qor.resources.available is not None:
        return qor
    return qor.with_(resources=qor.resources.model_copy(update={"available": available(qor.part)}))


def measure_project(
    path: str | Path,
    using: Using = "auto",
    *,
    work: Path | None = None,
    prefix: Sequence[str] = (),
    on_line: OnLine | None = None,
    top: str | None = None,
) -> QoR:
    """QoR of a project folder or of one report file.

    Parameters
    ----------
    using : ``report`` reads what the tools left; ``csynth``, ``cosim`` and ``vsynth`` run them; ``estimate`` and
        ``rtl`` work from the fixed-point graph; ``auto`` reads reports where there are any, else estimates.
    work : where ``rtl`` puts the Verilog project; left out: ``rtl/`` inside the project.
    top : the function whose reports are read, where the folder does not tell it.
    prefix : command that runs the vendor's tool elsewhere, e.g. ``("ssh", "build01")``.

    Raises
    ------
    ReportError, ToolNotFound, ToolFailed, UnsupportedModel : see the source.
    NotMeasured : the folder offers nothing to this source.
    """
    path = Path(path)
    if os.path.isfile(path):  # noqa: PTH113 - False where Path.is_file would raise PermissionError
        return report_qor(read_report(path), path)
    if using in {"auto", "report"} and (using == "report" or has_reports(path)):
        return read_project(path, top=top)
    project = load_project(path)
    if using in FLOW:
        return _with_error(_synthesised(project, using, on_line, prefix), estimated(project))
    if using == "rtl":
        return _rtl(project, path if work is None else work)
    qor = estimated(project)
    if qor.latency is None:
        raise NotMeasured("; ".join(qor.notes) or "nothing to measure", where=path, mend=_ELSE)
    return qor


def report_qor(report: AnyReport, path: Path) -> QoR:
    """One report as a QoR; SpecError for a kind that says nothing of latency or resources."""
    if isinstance(report, CsynthReport):
        return report.to_qor()
    to_qor = getattr(report, "to_qor", None)
    if to_qor is None:
        raise SpecError(
            f"a report of kind {type(report).__name__} holds no QoR",
            where=path,
            mend="give the csynth report",
        )
    found: QoR = to_qor()
    return found
