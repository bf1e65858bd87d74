"""``*_export.rpt`` and ``export_impl.rpt``/``export_syn.rpt``: what Vivado made of the exported RTL."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pquant_hls.measure.readers import checks, values
from pquant_hls.measure.readers.records import ExportReport
from pquant_hls.measure.readers.tables import Block
from pquant_hls.measure.readers.values import Spot

_FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z -]*):\s+(?P<value>\S.*?)\s*\Z")
_STAGE = re.compile(r"#=== (?P<stage>Post-\w+) Resource usage ===\s*\Z")
_TOOL = re.compile(r"(?:Xilinx|AMD) Vivado v\.(?P<version>\S+)\Z")
_RESOURCES = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM": "bram", "URAM": "uram", "SRL": "srl"}
_PERIODS = {
    "CP required": "clock_required_ns",
    "CP achieved post-synthesis": "clock_post_synthesis_ns",
    "CP achieved post-implementation": "clock_post_implementation_ns",
}
_VERDICTS = {"Timing met": True, "Timing not met": False, "No Sequential Path": None}


def recognises(block: Block) -> bool:
    return any(line.startswith("Implementation tool:") for line in block.lines[:20])


def read(block: Block, spot: Spot) -> ExportReport:
    fields: dict[str, str] = {}
    for number, line in enumerate(block.lines, start=block.start + 1):
        found = _FIELD.match(line)
        if found is None:
            continue
        if found["name"] in fields:
            raise spot.at(f"line {number}").error(f"a second {found['name']!r}")
        fields[found["name"]] = found["value"]
    tool = _TOOL.match(fields.get("Implementation tool", ""))
    report = ExportReport(
        kind="export",
        file=spot.file,
        tool=None if tool is None else "Vivado",
        version=None if tool is None else checks.check_version(tool["version"], spot),
        project=fields.get("Project"),
        part=fields.get("Device target"),
        stage=_stage(block, spot),
        timing_met=_verdict(block, spot),
        **_figures(fields, spot),
    )
    _check(report, spot)
    return report


def _stage(block: Block, spot: Spot) -> str | None:
    stages = [found["stage"] for line in block.lines if (found := _STAGE.match(line))]
    if len(stages) > 1:
        raise spot.error("resources of two stages")
    return stages[0] if stages else None


def _verdict(block: Block, spot: Spot) -> bool | None:
    verdicts = [line.strip() for line in block.lines if line.strip() in _VERDICTS]
    if len(verdicts) > 1:
        raise spot.error("two verdicts on timing")
    return _VERDICTS[verdicts[0]] if verdicts else None


def _figures(fields: Mapping[str, str], spot: Spot) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for title, name in _RESOURCES.items():
        found[name] = values.count(fields.get(title), spot.at(title))
    for title, name in _PERIODS.items():
        period = values.duration(fields.get(title), spot.at(title), "ns")
        found[name] = None if period is None else period.ns
    return found


def _check(report: ExportReport, spot: Spot) -> None:
    """The verdict is that of the last stage reached."""
    required = report.clock_required_ns
    if required is not None and not values.CLOCK_NS[0] <= required <= values.CLOCK_NS[1]:
        raise spot.at("CP required").error(f"{required:g} ns is no clock period of an FPGA")
    last = report.clock_post_implementation_ns
    achieved = report.clock_post_synthesis_ns if last is None else last
    if required is None or achieved is None:
        return
    if achieved > values.MAX_CLOCK_RATIO * required:
        raise spot.at("CP achieved").error(f"{achieved:g} ns is far beyond the required {required:g} ns")
    if report.timing_met is not None and report.timing_met != (achieved <= required):
        raise spot.at("timing").error(f"the verdict contradicts {achieved:g} ns of {required:g} ns")
