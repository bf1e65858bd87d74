"""Readers: pure functions from report files of Vivado HLS, Vitis HLS and Vivado to records.

A figure is right, None, or a ReportError that names file and place: each reader checks what a report says
twice (cycles x period against ns, totals against rows, shares against counts) before it hands a figure out.
"""

from pquant_hls.readers.files import read_report, read_text
from pquant_hls.readers.locate import ProjectReports, find_reports, has_reports
from pquant_hls.readers.project import From, compose, read_project
from pquant_hls.readers.records import (
    AnyReport,
    AppReport,
    ApsReport,
    BlockRam,
    CosimReport,
    CosimRun,
    CsimReport,
    CsynthReport,
    ExportReport,
    Report,
    ReportModule,
    TimingReport,
    UtilizationReport,
)

__all__ = [
    "AnyReport",
    "AppReport",
    "ApsReport",
    "BlockRam",
    "CosimReport",
    "CosimRun",
    "CsimReport",
    "CsynthReport",
    "ExportReport",
    "From",
    "ProjectReports",
    "Report",
    "ReportModule",
    "TimingReport",
    "UtilizationReport",
    "compose",
    "find_reports",
    "has_reports",
    "read_project",
    "read_report",
    "read_text",
]
