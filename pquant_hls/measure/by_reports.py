"""``report``: what the tools left behind, nothing is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.measure.evaluator import Design, Evaluator
from pquant_hls.qor import QoR
from pquant_hls.readers import AnyReport, CsynthReport, has_reports, read_project, read_report
from pquant_hls.toolchain import backend_of_project


class ByReports(Evaluator):
    """The reports in a project folder, or one report file; a backend with a reader of its own is read by that."""

    def measure(self, design: Design) -> QoR:
        if is_file(design.path):
            return report_qor(read_report(design.path), design.path)
        own = _own_reader(design.path)
        return read_project(design.path, top=design.top) if own is None else own(design.path)


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
