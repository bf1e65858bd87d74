"""``report``: what the tools left behind, nothing is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pquant_hls.errors import ReportError, SpecError, UnsupportedModel
from pquant_hls.measure.evaluator import Design, Evaluator
from pquant_hls.qor import QoR
from pquant_hls.qor.parts import same_part
from pquant_hls.readers import AnyReport, CsynthReport, has_reports, read_project, read_report
from pquant_hls.spec import HlsSpec
from pquant_hls.toolchain import backend_of_project

CLOCK_TOLERANCE = 0.005
"""Reports print a clock with two or three digits."""


class ByReports(Evaluator):
    """The reports in a project folder, or one report file; a backend with a reader of its own is read by that.

    Reports of another part or clock than the project's own are refused: they are of another design.
    """

    def measure(self, design: Design) -> QoR:
        if is_file(design.path):
            found = report_qor(read_report(design.path), design.path)
        else:
            own = _own_reader(design.path)
            found = read_project(design.path, top=design.top) if own is None else own(design.path)
        spec = _spec_of(design)
        if spec is not None:
            _check_own(found, spec, design.path)
        return found


def _spec_of(design: Design) -> HlsSpec | None:
    """What the project was built for; None for a folder or file that does not tell."""
    try:
        return design.project.spec
    except UnsupportedModel:
        return None


def _check_own(found: QoR, spec: HlsSpec, path: Path) -> None:
    """ReportError for figures of another part or clock than the project's."""
    clock = None if found.latency is None else found.latency.clock_target_ns
    pairs = []
    if found.part is not None and not same_part(found.part, spec.part):
        pairs.append((f"part {found.part}", spec.part))
    if clock is not None and abs(clock - spec.clock_ns) > CLOCK_TOLERANCE * spec.clock_ns:
        pairs.append((f"a clock of {clock:g} ns", f"{spec.clock_ns:g} ns"))
    for told, wanted in pairs:
        raise ReportError(
            f"describes {told}, the project is for {wanted}",
            where=path,
            mend="synthesize this very project again, or give the report of it",
        )


def offers_reports(path: Path) -> bool:
    """Whether there is anything to read."""
    return is_file(path) or has_reports(path)


def is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - False where Path.is_file would raise PermissionError


def _own_reader(folder: Path) -> Callable[[Path], QoR] | None:
    """The reader of the project's backend; None for AMD's reports and for a folder of reports alone."""
    try:
        return backend_of_project(folder).read
    except (UnsupportedModel, SpecError):
        return None


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
