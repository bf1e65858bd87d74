"""``*_export.rpt``, ``export_syn.rpt`` and ``export_impl.rpt``: what Vivado made of the exported RTL."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pquant_hls.qor.parts import available
from pquant_hls.readers import checks, values
from pquant_hls.readers.csynth_rpt import version_of
from pquant_hls.readers.records import ExportReport
from pquant_hls.readers.tables import Block, fields_in, sections, table_in
from pquant_hls.readers.values import Spot

_STAGE = re.compile(r"#=== (?P<stage>Post-\w+) Resource usage ===\s*\Z")
_TOOL = re.compile(r"(?:Xilinx|AMD) Vivado v\.(?P<version>\S+)\Z")
_RESOURCES = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM": "bram", "URAM": "uram", "SRL": "srl"}
_ORDER = ("LUT", "FF", "DSP", "BRAM")
_PERIODS = {
    "CP required": "clock_required_ns",
    "CP achieved post-synthesis": "clock_post_synthesis_ns",
    "CP achieved post-implementation": "clock_post_implementation_ns",
}
_VERDICTS = {
    "Timing met": True,
    "* Timing was met": True,
    "Timing not met": False,
    "* Timing was not met": False,
    "No Sequential Path": None,
}
_STAGES = {"Place & Route": "Post-Implementation", "RTL Synthesis": "Post-Synthesis"}
_ROWS = {
    "Target": "CP required",
    "Post-Synthesis": "CP achieved post-synthesis",
    "Post-Route": "CP achieved post-implementation",
}


def recognises(block: Block) -> bool:
    return any(line.startswith("Implementation tool:") for line in block.lines[:20])


def recognises_run(block: Block) -> bool:
    return any(line.startswith(f"== {stage} Resource Summary") for line in block.lines for stage in _STAGES)


def read_implementation(block: Block, spot: Spot) -> ExportReport:
    """``export_syn.rpt`` or ``export_impl.rpt`` of Vitis HLS, whose table states the clock periods in ns."""
    parts = sections(block, spot)
    stages = [name for name in _STAGES if f"{name} Resource Summary" in parts]
    if len(stages) != 1:
        raise spot.error(f"{len(stages)} summaries of resources instead of one")
    stage = stages[0]
    general = next((part.after(r"\+ General Information:", spot) for part in parts.values()), None)
    head = {} if general is None else fields_in(general, spot, "* ")
    fields = fields_in(parts[f"{stage} Resource Summary"], spot)
    timing = parts.get(f"{stage} Timing Summary", Block(()))
    table = table_in(timing.after(r"\* Timing was", spot), spot)
    if table is not None and table.columns != ("Timing", "Period (ns)"):
        raise spot.at(f"line {table.line}").error("a table of other columns than Timing and Period (ns)")
    fields |= {_ROWS[row[0]]: row[1] for row in (table.rows if table else ()) if row[0] in _ROWS}
    version = version_of(head, spot)
    report = ExportReport(
        kind="export",
        file=spot.file,
        tool=None if version is None else "Vitis HLS",
        version=version,
        project=head.get("Project"),
        part=values.part(head.get("Target device"), spot.at("Target device")),
        stage=_STAGES[stage],
        timing_met=_verdict(timing, spot),
        **_figures(fields, spot),
    )
    _check(report, spot)
    return report


def read(block: Block, spot: Spot) -> ExportReport:
    fields = fields_in(block, spot)
    tool = _TOOL.match(fields.get("Implementation tool", ""))
    report = ExportReport(
        kind="export",
        file=spot.file,
        tool=None if tool is None else "Vivado",
        version=None if tool is None else checks.check_version(tool["version"], spot),
        project=fields.get("Project"),
        part=values.part(fields.get("Device target"), spot.at("Device target")),
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
    checks.check_sequence(list(fields), _ORDER, spot.at("resources"))
    for title, name in _RESOURCES.items():
        found[name] = values.whole_number(fields.get(title), spot.at(title))
    for title, name in _PERIODS.items():
        period = values.clock(fields.get(title), spot.at(title), "ns")
        found[name] = None if period is None else period.ns
    return found


def _check(report: ExportReport, spot: Spot) -> None:
    """What is placed has room on the part; the verdict is that of the last stage reached."""
    device = available(report.part) if report.stage == "Post-Implementation" else None
    for name in ("lut", "ff", "dsp", "uram") if device is not None else ():
        checks.check_order(getattr(report, name), getattr(device, name), spot.at(f"{name} of {report.part}"))
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
