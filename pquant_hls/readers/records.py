"""What a report file says, one frozen record for each kind. None means that the file does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pquant_hls.qor import RESOURCE_NAMES, Latency, LayerQoR, QoR, Record, Resources

Kind = Literal[
    "csynth_xml",
    "csynth_rpt",
    "csynth_summary",
    "utilization",
    "timing",
    "export",
    "cosim",
    "csim",
    "app",
    "aps",
]
FloatNs = Annotated[float, Field(allow_inf_nan=False)]
Cycles = Annotated[int, Field(ge=0)]
Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Names = Mapping[str, tuple[str, str]]
NO_NAMES: Names = MappingProxyType({})
_INDEX = re.compile(r"config(?P<index>\d+)")
_OP = re.compile(r"(?P<op>[a-z][a-z0-9_]*?)(?:_(?:ap_u?fixed|array|config|ac_|\d)|_s\Z|\Z)")


class Report(Record):
    """Base of all reports; ``file`` is the path it was read from, ``version`` the tool's, e.g. ``2023.1``.

    ``remarks`` say what else of the file a reader should know, such as a second report in it.
    """

    kind: Kind
    file: str
    tool: str | None = None
    version: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def tool_text(self) -> str | None:
        """Tool and version as one text, e.g. ``Vitis HLS 2023.1``."""
        return None if self.tool is None else f"{self.tool} {self.version or ''}".strip()


class ReportModule(Record):
    """One instance inside a design: its own latency (cycles), interval (cycles) and resources."""

    instance: str
    module: str
    cycles_min: Cycles | None = None
    cycles_max: Cycles | None = None
    ii_cycles: Cycles | None = None
    lut: Count | None = None
    ff: Count | None = None
    dsp: Count | None = None
    bram_18k: Count | None = None
    uram: Count | None = None

    def to_layer(self, names: Names = NO_NAMES) -> LayerQoR:
        """As a layer; ``names`` give (layer, operation) by the N of ``configN`` in the module's name."""
        indices = _INDEX.findall(self.module)
        known = names.get(indices[-1]) if indices else None
        prefix = _OP.match(self.module)
        name, op = known or (self.instance, prefix["op"] if prefix else self.module)
        spread = "" if self.cycles_min in (None, self.cycles_max) else f"best case {self.cycles_min} cycles"
        notes = (self.module if known else "", spread)
        return LayerQoR(
            name=name,
            op=op,
            cycles=self.cycles_max,
            ii_cycles=self.ii_cycles,
            lut=self.lut,
            ff=self.ff,
            dsp=self.dsp,
            bram_18k=self.bram_18k,
            note="; ".join(text for text in notes if text),
        )


class CsynthReport(Report):
    """Estimate of C synthesis for one function.

    ``latency_ns_min`` and ``latency_ns_max`` are the tool's own real-time latencies. ``interval_min`` and
    ``interval_max`` are in cycles; ``latency.ii_cycles`` is the larger. ``slack_ns`` and ``issue`` stand only
    in the summary. ``date`` is when the tool wrote a text, by the clock of its machine. ``missing`` names what
    the file should have and lacks, as when it was cut short.
    """

    top: str | None = None
    part: str | None = None
    pipeline_type: str | None = None
    latency: Latency = Latency()
    latency_ns_min: FloatNs | None = None
    latency_ns_max: FloatNs | None = None
    interval_min: Cycles | None = None
    interval_max: Cycles | None = None
    resources: Resources = Resources()
    modules: tuple[ReportModule, ...] = ()
    issue: str | None = None
    slack_ns: FloatNs | None = None
    date: datetime | None = None
    missing: tuple[str, ...] = ()

    @property
    def timing_met(self) -> bool | None:
        """As the tool flags it, estimated period + uncertainty <= target; None for a summary, which has no clock."""
        return self.latency.timing_met

    @property
    def timing_met_with_uncertainty(self) -> bool | None:
        """Version 0.1.0's name of ``timing_met``."""
        return self.timing_met

    @property
    def clock_met(self) -> bool | None:
        """Estimated clock period <= target, the uncertainty left out."""
        return self.latency.clock_met

    @property
    def is_empty(self) -> bool:
        """Whether the tool built nothing at all: it does so where no output depends on an input."""
        used = (getattr(self.resources, name) for name in RESOURCE_NAMES)
        counts = [value for value in used if value is not None]
        return bool(counts) and not any(counts) and not self.latency.cycles_max

    def to_qor(self, names: Names = NO_NAMES) -> QoR:
        """As a QoR, the tool's own real times among ``metrics``; ``names`` as for ``to_layer``."""
        times = {"csynth_latency_ns_min": self.latency_ns_min, "csynth_latency_ns_max": self.latency_ns_max}
        return QoR(
            source="csynth",
            tool=self.tool_text,
            part=self.part,
            latency=self.latency,
            resources=self.resources,
            layers=tuple(module.to_layer(names) for module in self.modules),
            metrics={name: value for name, value in times.items() if value is not None},
            notes=self.gaps,
        )

    @property
    def gaps(self) -> tuple[str, ...]:
        """Remarks, what is ``missing`` and that nothing was built, as notes that name the file."""
        empty = (f"{self.file}: nothing was built, the tool removed the whole function",)
        return (
            *self.remarks,
            *(f"{self.file}: {what} missing" for what in self.missing),
            *(empty if self.is_empty else ()),
        )


class BlockRam(Record):
    """Block RAM as Vivado counts it: one tile holds one RAMB36 or two RAMB18, so tiles may be halves."""

    tile: Count | None = None
    ramb36: Count | None = None
    ramb18: Count | None = None


class UtilizationReport(Report):
    """Vivado ``report_utilization``; ``state`` is e.g. Synthesized or Routed, ``bram_18k`` 2 x tiles.

    ``slrs`` has what lies in each super logic region of a device of several, SLR0 first; empty elsewhere.
    """

    design: str | None = None
    part: str | None = None
    state: str | None = None
    resources: Resources = Resources()
    bram: BlockRam = BlockRam()
    bram_available: BlockRam = BlockRam()
    slrs: tuple[Resources, ...] = ()
    missing: tuple[str, ...] = ()

    def to_qor(self) -> QoR:
        notes = (*self.remarks, *(f"{self.file}: {what} missing" for what in self.missing))
        return QoR(
            source="vsynth",
            tool=self.tool_text,
            state=self.state,
            part=self.part,
            resources=self.resources,
            metrics=self.shares_of_slrs,
            notes=notes,
        )

    @property
    def shares_of_slrs(self) -> dict[str, float | None]:
        """``{"slr0_lut": 8640.0, ...}``: what lies in each region."""
        return {
            f"slr{index}_{name}": value
            for index, used in enumerate(self.slrs)
            for name in RESOURCE_NAMES
            if (value := getattr(used, name)) is not None
        }


class TimingReport(Report):
    """Vivado ``report_timing_summary``: slack for setup (worst, total) and hold (worst), in ns.

    ``clock`` and ``clock_period_ns`` are those of the first of ``clocks`` clocks.
    """

    design: str | None = None
    part: str | None = None
    state: str | None = None
    wns_ns: FloatNs | None = None
    tns_ns: FloatNs | None = None
    failing_endpoints: int | None = None
    endpoints: int | None = None
    whs_ns: FloatNs | None = None
    clock: str | None = None
    clock_period_ns: FloatNs | None = None
    clocks: int | None = None
    timing_met: bool | None = None

    @property
    def achieved_ns(self) -> float | None:
        """Shortest period (ns) that the setup paths would have met, period - WNS; None unless the clock is the only one."""
        if self.wns_ns is None or self.clock_period_ns is None or self.clocks != 1:
            return None
        return self.clock_period_ns - self.wns_ns

    def to_qor(self) -> QoR:
        metrics = {"wns_ns": self.wns_ns, "tns_ns": self.tns_ns, "whs_ns": self.whs_ns}
        return QoR(
            source="vsynth",
            tool=self.tool_text,
            state=self.state,
            part=self.part,
            metrics=metrics,
            notes=self.remarks,
        )


class ExportReport(Report):
    """HLS export report after Vivado synthesis or implementation; ``bram`` as the tool counts it."""

    project: str | None = None
    part: str | None = None
    stage: str | None = None
    lut: Count | None = None
    ff: Count | None = None
    dsp: Count | None = None
    bram: Count | None = None
    uram: Count | None = None
    srl: Count | None = None
    clock_required_ns: FloatNs | None = None
    clock_post_synthesis_ns: FloatNs | None = None
    clock_post_implementation_ns: FloatNs | None = None
    timing_met: bool | None = None

    def to_qor(self) -> QoR:
        metrics = {
            "clock_post_synthesis_ns": self.clock_post_synthesis_ns,
            "clock_post_implementation_ns": self.clock_post_implementation_ns,
        }
        resources = Resources(lut=self.lut, ff=self.ff, dsp=self.dsp, uram=self.uram)
        return QoR(
            source="vsynth",
            tool=self.tool_text,
            state="Routed" if self.stage == "Post-Implementation" else "Synthesized",
            part=self.part,
            resources=resources,
            metrics=metrics,
            notes=self.remarks,
        )


class CosimRun(Record):
    """Result of C/RTL co-simulation in one language; latencies and intervals in cycles."""

    status: str
    latency_min: Cycles | None = None
    latency_avg: Cycles | None = None
    latency_max: Cycles | None = None
    ii_min: Cycles | None = None
    ii_avg: Cycles | None = None
    ii_max: Cycles | None = None
    total_cycles: Cycles | None = None


class CosimReport(Report):
    vhdl: CosimRun | None = None
    verilog: CosimRun | None = None

    @property
    def run(self) -> CosimRun | None:
        """The language that was simulated; Verilog when both were."""
        runs = [run for run in (self.verilog, self.vhdl) if run is not None and run.status != "NA"]
        return runs[0] if runs else None

    def to_qor(self) -> QoR:
        run = self.run
        if run is None:
            return QoR(source="cosim", notes=(f"{self.file}: no language was simulated",))
        metrics: dict[str, float | None] = {"cosim_passed": float(run.status == "Pass")}
        if run.status != "Pass":
            return QoR(
                source="cosim", metrics=metrics, notes=(f"{self.file}: co-simulation says {run.status}",)
            )
        if run.latency_max is None:
            note = f"{self.file}: co-simulation passed, but counted no cycles"
            return QoR(source="cosim", metrics=metrics, notes=(note,))
        latency = Latency(cycles_min=run.latency_min, cycles_max=run.latency_max, ii_cycles=run.ii_max)
        return QoR(source="cosim", latency=latency, metrics=metrics)


class CsimReport(Report):
    """C simulation: ``errors`` as the tool counted them; ``is_finished`` is None where the log breaks off."""

    errors: Annotated[int, Field(ge=0)] | None = None
    is_finished: bool | None = None
    first_error: str | None = None

    @property
    def passed(self) -> bool | None:
        """False with an error, True when it ran to its end without one, None when the log does not tell."""
        if self.first_error is not None or self.errors not in (None, 0):
            return False
        return True if self.is_finished and self.errors == 0 else None

    @property
    def said(self) -> str:
        """The verdict in words."""
        if self.passed:
            return "C simulation passed"
        counted = f"{self.errors} errors" if self.errors else "it did not come to its end"
        return f"C simulation did not pass: {self.first_error or counted}"

    def to_qor(self) -> QoR:
        return QoR(source="report", notes=(self.said,))


class AppReport(Report):
    """HLS project file: project name, top function, listed files and solutions."""

    project: str | None = None
    top: str | None = None
    files: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()


class ApsReport(Report):
    """HLS solution file; ``clock_uncertainty`` is as written, e.g. ``27%``."""

    solution: str | None = None
    project: str | None = None
    flow: str | None = None
    part: str | None = None
    clock_period_ns: FloatNs | None = None
    clock_uncertainty: str | None = None


AnyReport = (
    CsynthReport
    | UtilizationReport
    | TimingReport
    | ExportReport
    | CosimReport
    | CsimReport
    | AppReport
    | ApsReport
)
