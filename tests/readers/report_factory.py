"""Writes small reports in the layouts of the vendors' tools, from one description of a design.

The figures are computed, so every redundancy a real report has is there; no text is copied from one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESOURCES = ("BRAM_18K", "DSP", "FF", "LUT", "URAM")


@dataclass(frozen=True)
class FakeModule:
    name: str
    cycles: int
    used: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    ii: int = 1

    @property
    def instance(self) -> str:
        return f"grp_{self.name}_fu_{100 + self.cycles}"


@dataclass(frozen=True)
class Fake:
    """One design; resources in the order of RESOURCES."""

    top: str = "myproject"
    version: str = "2023.1"
    part: str = "xcvu13p-flga2577-2-e"
    cycles: tuple[int, int] = (12, 12)
    interval: tuple[int, int] = (1, 1)
    pipeline: str = "yes"
    target_ns: float = 5.0
    estimated_ns: float = 3.612
    uncertainty_ns: float = 1.35
    modules: tuple[FakeModule, ...] = (
        FakeModule(
            "dense_latency_ap_fixed_16_6_5_3_0_ap_fixed_16_6_5_3_0_config2_s", 4, (0, 21, 900, 3100, 0)
        ),
        FakeModule("relu_ap_fixed_16_6_5_3_0_ap_ufixed_8_0_4_0_0_relu_config4_s", 0, (0, 0, 0, 340, 0)),
        FakeModule(
            "dense_latency_ap_ufixed_8_0_4_0_0_ap_fixed_16_6_5_3_0_config5_s", 6, (3, 40, 1400, 2750, 0)
        ),
    )
    own: tuple[int, int, int, int, int] = (0, 0, 611, 17, 0)
    available: tuple[int, int, int, int, int] = (5376, 12288, 3456000, 1728000, 1280)
    date: str = "Mon Mar 03 10:00:00 2025"
    project: str = "myproject_prj"

    @property
    def is_vitis(self) -> bool:
        return self.version > "2020.1"

    @property
    def has_ns(self) -> bool:
        return self.version >= "2019.2"

    @property
    def tool(self) -> str:
        return "Vitis HLS" if self.is_vitis else "Vivado HLS"

    @property
    def inside(self) -> tuple[int, ...]:
        return tuple(sum(module.used[i] for module in self.modules) for i in range(5))

    @property
    def used(self) -> tuple[int, ...]:
        return tuple(one + two for one, two in zip(self.inside, self.own, strict=True))

    def names(self) -> tuple[str, ...]:
        return (
            RESOURCES if self.is_vitis else tuple("DSP48E" if name == "DSP" else name for name in RESOURCES)
        )

    def time(self, cycles: int) -> str:
        ns = cycles * max(self.target_ns, self.estimated_ns)
        if ns == 0:
            return "0 ns"
        for scale, unit in ((1e9, "sec"), (1e6, "ms"), (1e2, "us")):
            if ns >= scale:
                return f"{ns / {'us': 1e3}.get(unit, scale):.3f} {unit}"
        return f"{ns:.3f} ns"


def table(rows: list[list[str]], header: list[list[str]], indent: str = "") -> list[str]:
    """Rows between borders; ``header`` lines have one cell for each column."""
    widths = [max(len(row[i]) for row in [*header, *rows] if row) + 1 for i in range(len(header[0]))]
    border = "+" + "+".join("-" * (width + 1) for width in widths) + "+"
    lines = [border]
    lines += [
        "|" + "|".join(cell.rjust(width) + " " for cell, width in zip(row, widths, strict=True)) + "|"
        for row in header
    ]
    lines.append(border)
    for row in rows:
        cells = "|".join(cell.rjust(width) + " " for cell, width in zip(row, widths, strict=True))
        lines.append("|" + cells + "|" if row[0] != "---" else border)
    return [indent + line for line in [*lines, border]]


def csynth_xml(fake: Fake) -> str:
    best, worst = fake.cycles
    lines = [
        "<profile>",
        "<ReportVersion>",
        f"<Version>{fake.version}</Version>",
        "</ReportVersion>",
        "",
        "<UserAssignments>",
        "<unit>ns</unit>",
        "<ProductFamily>virtexuplus</ProductFamily>",
        f"<Part>{fake.part}</Part>",
        f"<TopModelName>{fake.top}</TopModelName>",
        f"<TargetClockPeriod>{fake.target_ns:.2f}</TargetClockPeriod>",
        f"<ClockUncertainty>{fake.uncertainty_ns:.2f}</ClockUncertainty>",
        *(["<FlowTarget>vivado</FlowTarget>"] if fake.is_vitis else []),
        "</UserAssignments>",
        "",
        "<PerformanceEstimates>",
        f"<PipelineType>{fake.pipeline}</PipelineType>",
        "<SummaryOfTimingAnalysis>",
        "<unit>ns</unit>",
        f"<EstimatedClockPeriod>{fake.estimated_ns:.3f}</EstimatedClockPeriod>",
        "</SummaryOfTimingAnalysis>",
        "<SummaryOfOverallLatency>",
        "<unit>clock cycles</unit>",
        f"<Best-caseLatency>{best}</Best-caseLatency>",
        f"<Average-caseLatency>{(best + worst) // 2}</Average-caseLatency>",
        f"<Worst-caseLatency>{worst}</Worst-caseLatency>",
    ]
    if fake.has_ns:
        for case, cycles in (("Best", best), ("Average", (best + worst) // 2), ("Worst", worst)):
            lines.append(f"<{case}-caseRealTimeLatency>{fake.time(cycles)}</{case}-caseRealTimeLatency>")
    if fake.pipeline in ("yes", "function"):
        lines.append(f"<PipelineInitiationInterval>{fake.interval[1]}</PipelineInitiationInterval>")
        lines.append(f"<PipelineDepth>{worst + 1}</PipelineDepth>")
    lines += [
        f"<Interval-{end}>{value}</Interval-{end}>"
        for end, value in zip(("min", "max"), fake.interval, strict=True)
    ]
    lines += ["</SummaryOfOverallLatency>", "</PerformanceEstimates>", "", "<AreaEstimates>"]
    for block, counts in (("Resources", fake.used), ("AvailableResources", fake.available)):
        lines += [
            f"<{block}>",
            *(f"<{n}>{c}</{n}>" for n, c in zip(fake.names(), counts, strict=True)),
            f"</{block}>",
        ]
    return "\n".join([*lines, "</AreaEstimates>", "</profile>", ""])


def csynth_rpt(fake: Fake) -> str:
    unit = " ns" if fake.has_ns else ""
    clock = [
        f"{fake.target_ns:.2f}{unit}",
        f"{fake.estimated_ns:.3f}{unit}",
        f"{fake.uncertainty_ns:.2f}{unit}",
    ]
    head = _latency_head(fake)
    rows = [
        [m.instance, m.name, *_latency_cells(fake, (m.cycles, m.cycles), (m.ii, m.ii), "yes")]
        for m in fake.modules
    ]
    lines = [
        "",
        "=" * 64,
        f"== {fake.tool} Report for '{fake.top}'",
        "=" * 64,
        f"* Date:           {fake.date}",
        "",
        f"* Version:        {fake.version} (Build 1 on Jan 01 2024)",
        f"* Project:        {fake.project}",
        "* Solution:       solution1",
        "* Product family: virtexuplus",
        f"* Target device:  {fake.part}",
        "",
        "",
        "=" * 64,
        "== Performance Estimates",
        "=" * 64,
        "+ Timing: " if fake.has_ns else "+ Timing (ns): ",
        "    * Summary: ",
        *table([["ap_clk", *clock]], [["Clock", "Target", "Estimated", "Uncertainty"]], "    "),
        "",
        "+ Latency: " if fake.has_ns else "+ Latency (clock cycles): ",
        "    * Summary: ",
        *table([_latency_cells(fake, fake.cycles, fake.interval, fake.pipeline)], head, "    "),
        "",
        "    + Detail: ",
        "        * Instance: ",
        *table(rows, [["", "", *head[0]], ["Instance", "Module", *head[1]]], "        "),
        "",
        "        * Loop: ",
        "        N/A",
        "",
        "",
        "=" * 64,
        "== Utilization Estimates",
        "=" * 64,
        "* Summary: ",
        *_utilization(fake),
        "",
        "+ Detail: ",
        "    * Instance: ",
        *_areas(fake),
        "",
    ]
    return "\n".join(lines)


def _latency_head(fake: Fake) -> list[list[str]]:
    if fake.has_ns:
        groups = ["Latency (cycles)"] * 2 + ["Latency (absolute)"] * 2 + ["Interval"] * 2 + ["Pipeline"]
        return [groups, ["min", "max"] * 3 + ["Type"]]
    return [["Latency"] * 2 + ["Interval"] * 2 + ["Pipeline"], ["min", "max"] * 2 + ["Type"]]


def _latency_cells(fake: Fake, cycles: tuple[int, int], interval: tuple[int, int], kind: str) -> list[str]:
    times = [fake.time(value) for value in cycles] if fake.has_ns else []
    return [*(str(value) for value in cycles), *times, *(str(value) for value in interval), kind]


def _utilization(fake: Fake) -> list[str]:
    shares = [
        "0" if used == 0 else ("~0" if 100 * used < there else str(100 * used // there)) if there else "0"
        for used, there in zip(fake.used, fake.available, strict=True)
    ]
    rows = [
        ["DSP", *["-"] * 5],
        ["Expression", *["-"] * 5],
        ["Instance", *map(str, fake.inside)],
        ["Register", *map(str, fake.own)],
        ["---", *["---"] * 5],
        ["Total", *map(str, fake.used)],
        ["---", *["---"] * 5],
        ["Available SLR", *(str(there // 4) for there in fake.available)],
        ["---", *["---"] * 5],
        ["Available", *map(str, fake.available)],
        ["---", *["---"] * 5],
        ["Utilization (%)", *shares],
    ]
    return table(rows, [["Name", *fake.names()]])


def _areas(fake: Fake) -> list[str]:
    rows = [[module.instance, module.name, *map(str, module.used)] for module in fake.modules]
    rows += [["---", *["---"] * 6], ["Total", "", *map(str, fake.inside)]]
    return table(rows, [["Instance", "Module", *fake.names()]], "    ")


def summary_rpt(fake: Fake) -> str:
    """Vitis ``csynth.rpt``."""
    slack = fake.target_ns - fake.uncertainty_ns - fake.estimated_ns
    rows = [_tree_row("+ " + fake.top, fake.cycles[1], fake.interval[1], slack, fake.used, fake)]
    rows += [_tree_row(" + " + m.instance, m.cycles, m.ii, slack, m.used, fake) for m in fake.modules]
    head = [
        ["Modules", "Issue", "", "Latency", "Latency", "Iteration", "", "Trip", "", "", "", "", "", ""],
        [
            "& Loops",
            "Type",
            "Slack",
            "(cycles)",
            "(ns)",
            "Latency",
            "Interval",
            "Count",
            "Pipelined",
            "BRAM",
            "DSP",
            "FF",
            "LUT",
            "URAM",
        ],
    ]
    width = max(len(row[0]) for row in rows)
    rows = [[row[0].ljust(width), *row[1:]] for row in rows]
    body = [line.replace("| ", "|", 1) if "+ " in line else line for line in table(rows, head, "    ")]
    return "\n".join(
        [
            "",
            "=" * 64,
            f"== Synthesis Summary Report of '{fake.top}'",
            "=" * 64,
            "+ General Information: ",
            f"    * Date:           {fake.date}",
            f"    * Version:        {fake.version} (Build 1 on Jan 01 2024)",
            f"    * Project:        {fake.project}",
            "    * Solution:       solution1 (Vivado IP Flow Target)",
            "    * Product family: virtexuplus",
            f"    * Target device:  {fake.part}",
            "",
            "",
            "+ Performance & Resource Estimates: ",
            "",
            "    PS: '+' for module; 'o' for loop; '*' for dataflow",
            *body,
            "",
            "",
        ]
    )


def _tree_row(name: str, cycles: int, ii: int, slack: float, used: tuple[int, ...], fake: Fake) -> list[str]:
    bram, dsp, ff, lut, uram = (
        "-" if count == 0 else f"{count} ({'~0' if 100 * count < there else 100 * count // there}%)"
        for count, there in zip(used, fake.available, strict=True)
    )
    ns = f"{cycles * max(fake.target_ns, fake.estimated_ns):.3f}"
    return [name, "-", f"{slack:.2f}", str(cycles), ns, "-", str(ii), "-", "yes", bram, dsp, ff, lut, uram]


def cosim_rpt(
    cycles: tuple[int, int, int] = (12, 12, 12), status: str = "Pass", total: int | None = None
) -> str:
    figures = [str(value) for value in cycles] + ["1", "1", "1"] if status == "Pass" else ["NA"] * 6
    group = "(Clock Cycles)" if total is not None else ""
    rule = "+----------+----------+" + ("-" * 47 + "+") * 2 + ("-" * 22 + "+" if total is not None else "")
    last = "" if total is None else f"{total}".rjust(22) + "|"
    none = "" if total is None else "NA".rjust(22) + "|"
    return "\n".join(
        [
            "Report time       : Mon Mar  3 11:00:00 UTC 2025.",
            "Solution          : solution1.",
            "Simulation tool   : xsim.",
            "",
            rule,
            f"|          |          |{f'Latency{group}'.center(47)}|{f'Interval{group}'.center(47)}|"
            + ("" if total is None else " Total Execution Time |"),
            "+   RTL    +  Status  +"
            + ("-" * 47 + "+") * 2
            + ("" if total is None else "    (Clock Cycles)    +"),
            "|          |          |"
            + ("      min      |      avg      |      max      |" * 2)
            + ("" if total is None else " " * 22 + "|"),
            rule,
            "|      VHDL|        NA|" + "|".join(["NA".rjust(15)] * 6) + "|" + none,
            f"|   Verilog|{status.rjust(10)}|" + "|".join(value.rjust(15) for value in figures) + "|" + last,
            rule,
            "",
        ]
    )


def csim_log(errors: int = 0, message: str = "") -> str:
    lines = [
        "INFO: [SIM 2] *************** CSIM start ***************",
        "   Compiling ../../../../myproject_test.cpp in debug mode",
        *([message] if message else []),
        f"INFO: [SIM 1] CSim done with {errors} errors.",
        "INFO: [SIM 3] *************** CSIM finish ***************",
    ]
    return "\n".join([*lines, ""])


def export_rpt(fake: Fake, achieved_ns: float = 4.1, required_ns: float = 5.0) -> str:
    bram, dsp, ff, lut, uram = fake.used
    return "\n".join(
        [
            "",
            f"Implementation tool: Xilinx Vivado v.{fake.version}",
            f"Project:             {fake.project}",
            "Solution:            solution1",
            f"Device target:       {fake.part}",
            "Report date:         Mon Mar 03 12:00:00 UTC 2025",
            "",
            "#=== Post-Implementation Resource usage ===",
            f"LUT:{lut:14}",
            f"FF:{ff:15}",
            f"DSP:{dsp:14}",
            f"BRAM:{bram:13}",
            f"URAM:{uram:13}",
            f"SRL:{3:14}",
            "#=== Final timing ===",
            f"CP required:    {required_ns:.3f}",
            "CP achieved post-synthesis:    3.107",
            f"CP achieved post-implementation:    {achieved_ns:.3f}",
            "Timing met" if achieved_ns <= required_ns else "Timing not met",
            "",
        ]
    )


def export_impl_rpt(fake: Fake, routed_ns: float = 4.3) -> str:
    """``export_impl.rpt`` of Vitis HLS."""
    bram, dsp, ff, lut, uram = fake.used
    verdict = "* Timing was met" if routed_ns <= fake.target_ns else "* Timing was not met"
    periods = [
        ["Target", f"{fake.target_ns:.3f}"],
        ["Post-Synthesis", "3.107"],
        ["Post-Route", f"{routed_ns:.3f}"],
    ]
    return "\n".join(
        [
            "",
            "=" * 64,
            "== Implementation Results",
            "=" * 64,
            "+ General Information:",
            f"    * Version:         {fake.version} (Build 1 on Jan 01 2024)",
            f"    * Project:         {fake.project}",
            f"    * Target device:   {fake.part}",
            "",
            "=" * 64,
            "== Place & Route Resource Summary",
            "=" * 64,
            f"LUT:              {lut}",
            f"FF:               {ff}",
            f"DSP:              {dsp}",
            f"BRAM:             {bram}",
            f"URAM:             {uram}",
            "SRL:              3",
            "",
            "",
            "=" * 64,
            "== Place & Route Timing Summary",
            "=" * 64,
            verdict,
            *table(periods, [["Timing", "Period (ns)"]]),
            "",
        ]
    )


def _vivado_head(fake: Fake, command: str, state: str) -> list[str]:
    return [
        "Copyright notice",
        "-" * 80,
        f"| Tool Version : Vivado v.{fake.version} (lin64) Build 1 Mon Jan  1 00:00:00 MST 2024",
        "| Date         : Mon Mar  3 12:00:00 2025",
        "| Host         : a machine",
        f"| Command      : {command}",
        f"| Design       : {fake.top}",
        f"| Device       : {fake.part}",
        f"| Design State : {state}",
        "-" * 80,
        "",
    ]


def utilization_rpt(
    fake: Fake, state: str = "Synthesized", ramb: tuple[int, int] = (1, 3), slrs: int = 0
) -> str:
    """``ramb`` counts RAMB36 and RAMB18; ``slrs`` regions share what is used, the first takes the rest."""
    _, dsp, ff, lut, uram = fake.used
    ramb36, ramb18 = ramb
    tile = ramb36 + ramb18 / 2
    _, dsps, ffs, luts, urams = fake.available

    def row(name: str, used: float, there: int) -> list[str]:
        return [name, f"{used:g}", "0", "0", str(there), f"{100 * used / there:.2f}"]

    head = [["Site Type", "Used", "Fixed", "Prohibited", "Available", "Util%"]]
    logic = [
        row("CLB LUTs*", lut, luts),
        row("  LUT as Logic", lut - 7, luts),
        row("  LUT as Memory", 7, luts // 2),
        row("CLB Registers", ff, ffs),
    ]
    memory = [
        row("Block RAM Tile", tile, 2688),
        row("  RAMB36/FIFO*", ramb36, 2688),
        row("  RAMB18", ramb18, 5376),
        row("URAM", uram, urams),
    ]
    return "\n".join(
        [
            *_vivado_head(fake, "report_utilization -file vivado_synth.rpt", state),
            "Utilization Design Information",
            "",
            "1. CLB Logic",
            "------------",
            "",
            *table(logic, head),
            "",
            "2. BLOCKRAM",
            "-----------",
            "",
            *table(memory, head),
            "",
            "3. ARITHMETIC",
            "-------------",
            "",
            *table([row("DSPs", dsp, dsps)], head),
            "",
            *(_regions(fake, ramb, slrs) if slrs else []),
        ]
    )


def _regions(fake: Fake, ramb: tuple[int, int], slrs: int) -> list[str]:
    """The table of super logic regions, in the columns that Vivado 2020 to 2023 print."""
    _, dsp, ff, lut, uram = fake.used
    _, dsps, ffs, luts, urams = fake.available

    def row(name: str, used: float, there: int) -> list[str]:
        parts = [used // slrs] * (slrs - 1)
        parts = [used - sum(parts), *parts]
        return [
            name,
            *(f"{part:g}" for part in parts),
            *(f"{100 * part * slrs / there:.2f}" for part in parts),
        ]

    names = [f"SLR{index}" for index in range(slrs)]
    rows = [
        row("CLB LUTs", lut, luts),
        row("  LUT as Logic", lut - 7, luts),
        row("CLB Registers", ff, ffs),
        row("Block RAM Tile", ramb[0] + ramb[1] / 2, 2688),
        row("  RAMB36/FIFO", ramb[0], 2688),
        row("  RAMB18", ramb[1], 5376),
        row("URAM", uram, urams),
        row("DSPs", dsp, dsps),
    ]
    title = "14. SLR CLB Logic and Dedicated Block Utilization"
    head = [["Site Type", *names, *(f"{name} %" for name in names)]]
    return [title, "-" * len(title), "", *table(rows, head), ""]


def timing_rpt(fake: Fake, wns_ns: float = 0.214) -> str:
    failing, tns = (0, 0.0) if wns_ns >= 0 else (7, 3 * wns_ns)
    titles = [
        "WNS(ns)",
        "TNS(ns)",
        "TNS Failing Endpoints",
        "TNS Total Endpoints",
        "WHS(ns)",
        "THS(ns)",
        "THS Failing Endpoints",
        "THS Total Endpoints",
    ]
    figures = [f"{wns_ns:.3f}", f"{tns:.3f}", str(failing), "4000", "0.021", "0.000", "0", "4000"]

    def lines(names: list[str], cells: list[str]) -> list[str]:
        widths = [max(len(name), len(cell)) for name, cell in zip(names, cells, strict=True)]
        rows = (names, ["-" * len(name) for name in names], cells)
        return [
            "    " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]

    rule = "-" * 90
    period = fake.target_ns
    return "\n".join(
        [
            *_vivado_head(fake, "report_timing_summary -file timing.rpt", "Routed"),
            "Timing Summary Report",
            "",
            rule,
            "| Design Timing Summary",
            "| ---------------------",
            rule,
            "",
            *lines(titles, figures),
            "",
            "",
            "All user specified timing constraints are met."
            if wns_ns >= 0
            else "Timing constraints are not met.",
            "",
            rule,
            "| Clock Summary",
            "| -------------",
            rule,
            "",
            "Clock   Waveform(ns)         Period(ns)      Frequency(MHz)",
            "-----   ------------         ----------      --------------",
            f"ap_clk  {{0.000 {period / 2:.3f}}}        {period:.3f}           {1000 / period:.3f}",
            "",
            rule,
            "| Intra Clock Table",
            "| -----------------",
            rule,
            "",
            *lines(["Clock", *titles], ["ap_clk", *figures]),
            "",
            rule,
            "| Inter Clock Table",
            "| -----------------",
            rule,
            "",
        ]
    )


def hls_app(fake: Fake) -> str:
    head = '<AutoPilot:project xmlns:AutoPilot="com.autoesl.autopilot.project"'
    return f"""{head} name="{fake.project}" top="{fake.top}">
    <files>
        <file name="firmware/myproject.cpp" sc="0" tb="false"/>
    </files>
    <solutions>
        <solution name="solution1" status=""/>
    </solutions>
</AutoPilot:project>
"""


def solution_aps(period: str = "5", uncertainty: str = "27%") -> str:
    return f"""<AutoPilot:solution xmlns:AutoPilot="com.autoesl.autopilot.solution">
    <name>
        <value string="solution1"/>
    </name>
    <project>
        <value string="myproject_prj"/>
    </project>
    <flowTarget value="vivado"/>
    <targetInfo>
        <TargetInfo value="xcvu13p:-flga2577:-2-e"/>
    </targetInfo>
    <clockList>
        <clock name="default" uncertainty="{uncertainty}" period="{period}"/>
    </clockList>
</AutoPilot:solution>
"""


def every_kind() -> dict[str, str]:
    """One text for each kind of report and layout, by file name."""
    old = Fake(
        version="2016.4",
        pipeline="function",
        uncertainty_ns=0.62,
        part="xc7vx690tffg1927-2",
        available=(2940, 3600, 866400, 433200, 0),
        own=(0, 0, 5, 5, 0),
    )
    vivado = Fake(
        version="2020.1", pipeline="dataflow", cycles=(900, 910), interval=(545, 885), estimated_ns=8.431
    )
    slow = Fake(version="2024.1", pipeline="no", cycles=(980, 2477), interval=(981, 2478))
    found = {}
    for name, fake in (("old", old), ("vivado", vivado), ("vitis", Fake()), ("slow", slow)):
        found[f"{name}_csynth.xml"] = csynth_xml(fake)
        found[f"{name}_csynth.rpt"] = csynth_rpt(fake)
    return found | {
        "csynth.rpt": summary_rpt(Fake()),
        "myproject_cosim.rpt": cosim_rpt(),
        "myproject_csim.log": csim_log(),
        "total_cosim.rpt": cosim_rpt((10, 12, 14), total=40),
        "myproject_export.rpt": export_rpt(Fake()),
        "export_impl.rpt": export_impl_rpt(Fake()),
        "vivado_synth.rpt": utilization_rpt(Fake()),
        "slr_utilization.rpt": utilization_rpt(Fake(), "Fully Placed", slrs=4),
        "timing.rpt": timing_rpt(Fake()),
        "missed_timing.rpt": timing_rpt(Fake(), -0.311),
        "hls.app": hls_app(Fake()),
        "solution1.aps": solution_aps(),
    }


def write_project(root: Path, fake: Fake = Fake(), *, layout: str = "solution", **files: str) -> Path:
    """A project folder of hls4ml with reports in the layout asked for; returns the solution folder.

    ``files`` add or replace reports by keyword: ``cosim``, ``vsynth``, ``timing``, ``export``.
    """
    solution = root / (f"{fake.project}/solution1" if layout == "solution" else "work/hls")
    report = solution / "syn" / "report"
    report.mkdir(parents=True, exist_ok=True)
    (root / "firmware").mkdir(exist_ok=True)
    (root / "project.tcl").write_text(
        'variable project_name\nset project_name "myproject"\nset backend "vitis"\n'
    )
    (root / "firmware" / "myproject.cpp").write_text(
        "void myproject() {\n"
        "    nnet::dense<input_t, layer2_t, config2>(fc1_input, layer2_out, w2, b2); // fc1\n"
        "    nnet::relu<layer2_t, layer4_t, relu_config4>(layer2_out, layer4_out); // relu1\n"
        "    nnet::dense<layer4_t, result_t, config5>(layer4_out, layer5_out, w5, b5); // output\n}\n"
    )
    (report / f"{fake.top}_csynth.xml").write_text(csynth_xml(fake))
    (report / f"{fake.top}_csynth.rpt").write_text(csynth_rpt(fake))
    if fake.is_vitis:
        (report / "csynth.rpt").write_text(summary_rpt(fake))
    if layout == "solution":
        (solution.parent / ("hls.app" if fake.is_vitis else "vivado_hls.app")).write_text(hls_app(fake))
    else:
        (solution.parent / "hls_config.cfg").write_text(f"part={fake.part}\n[hls]\nsyn.top={fake.top}\n")
    places = {
        "csim": solution / "csim" / "report" / f"{fake.top}_csim.log",
        "cosim": solution / "sim" / "report" / f"{fake.top}_cosim.rpt",
        "vsynth": root / "vivado_synth.rpt",
        "timing": solution / "impl" / "report" / "verilog" / f"{fake.top}_timing_routed.rpt",
        "export": solution / "impl" / "report" / "verilog" / f"{fake.top}_export.rpt",
    }
    for name, text in files.items():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        places[name].write_text(text)
    return solution
