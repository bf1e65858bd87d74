"""What the tools do by habit is read; what no tool does is refused, within bounds of time and memory."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest

from pquant_hls.errors import ReportError
from pquant_hls.readers import (
    CosimReport,
    CsynthReport,
    UtilizationReport,
    read_project,
    read_report,
    read_text,
)
from tests.readers.report_factory import (
    Fake,
    FakeModule,
    cosim_rpt,
    csynth_rpt,
    csynth_xml,
    export_rpt,
    summary_rpt,
    timing_rpt,
    utilization_rpt,
    write_project,
)

EMPTY = Fake(cycles=(0, 0), interval=(1, 1), pipeline="no", estimated_ns=0.0, modules=(), own=(0, 0, 0, 0, 0))


def summary_of(fake: Fake, folder: Path) -> Path:
    path = folder / "syn" / "report" / "csynth.rpt"
    path.write_text(summary_rpt(fake))
    return path


def grown(fake: Fake, lut: int) -> Fake:
    return replace(fake, own=(*fake.own[:3], fake.own[3] + lut, fake.own[4]))


@pytest.mark.parametrize("more", [1, 2, -2, 6])
def test_a_summary_that_counts_luts_a_little_otherwise_is_of_the_same_run(tmp_path: Path, more: int) -> None:
    fake = Fake()
    summary_of(grown(fake, more), write_project(tmp_path, fake))
    qor = read_project(tmp_path)
    assert qor.resources is not None
    lut = fake.used[3]
    assert qor.resources.lut == lut
    (note,) = [text for text in qor.notes if "same run" in text]
    assert f"LUT {lut:,}" in note
    assert f"{lut + more:,}" in note


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (grown(Fake(), 400), "lut"),
        (replace(Fake(), cycles=(13, 13)), "cycles_max"),
        (replace(Fake(), part="xcvu9p-flga2104-2-i", available=(4320, 6840, 2364480, 1182240, 960)), "part"),
        (replace(grown(Fake(), 2), date="Tue Mar 04 10:00:00 2025"), "date"),
        (replace(Fake(), version="2022.2"), "version"),
    ],
    ids=["much more", "cycles", "part", "another day", "version"],
)
def test_two_runs_are_told_apart(tmp_path: Path, other: Fake, words: str) -> None:
    summary_of(other, write_project(tmp_path, Fake()))
    with pytest.raises(ReportError, match=rf"{words}.*reports of two runs") as caught:
        read_project(tmp_path)
    assert "delete those of the other" in (caught.value.mend or "")


def test_modules_of_one_run_agree_to_the_last_lut(tmp_path: Path) -> None:
    """Only the summary counts otherwise: XML and text of a function are two prints of one record."""
    solution = write_project(tmp_path, Fake())
    (solution / "syn" / "report" / "myproject_csynth.rpt").write_text(csynth_rpt(grown(Fake(), 2)))
    with pytest.raises(ReportError, match="lut"):
        read_project(tmp_path)


# SLR0 to SLR3 of a routed U250 design, github openkasugai/hardware-design, and SLR0 to SLR2 of a VU9P one,
# fyquah/hardcaml_zprize (figures from their pages; the totals of the first are printed there, too).
U250 = ((185688, 228277, 108015, 24459), (215945, 335319, 118243, 39190), (220, 428, 124, 25.5))


def test_regions_of_a_large_device_add_up_to_its_totals() -> None:
    """The U250's rows: LUT 546,439 and FF 708,697 in all, half a tile of block RAM in the last region."""
    fake = Fake(part="xcu250-figd2104-2l-e")
    assert (sum(U250[0]), sum(U250[1])) == (546439, 708697)
    text = utilization_rpt(
        replace(fake, modules=(), own=(0, 0, 708697, 546439, 0)), "Routed", (0, 1595), slrs=4
    )
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if "SLR CLB Logic" in line)
    for name, counts in zip(("CLB LUTs", "CLB Registers", "Block RAM Tile"), U250, strict=True):
        at = next(
            i
            for i in range(start, len(lines))
            if lines[i].split("|")[1:2] and lines[i].split("|")[1].strip() == name
        )
        cells = lines[at].split("|")
        cells[2:6] = [str(count).rjust(len(cells[2]) - 1) + " " for count in counts]
        lines[at] = "|".join(cells)
    report = read_text("\n".join(lines) + "\n", "u250")
    assert isinstance(report, UtilizationReport)
    assert (report.resources.lut, report.resources.ff) == (546439, 708697)
    assert tuple(used.lut for used in report.slrs) == U250[0]
    assert [used.bram_18k for used in report.slrs] == [440, 856, 248, 51]
    assert report.to_qor().metrics["slr3_ff"] == 39190


@pytest.mark.parametrize(
    ("part", "slrs", "available"),
    [
        ("xcu50-fsvh2104-2-e", 2, (2688, 5952, 1743360, 871680, 640)),
        ("xcu55c-fsvh2892-2L-e", 3, (4032, 9024, 2607360, 1303680, 960)),
        ("xcu250-figd2104-2L-e", 4, (5376, 12288, 3456000, 1728000, 1280)),
        ("xcvu9p-flga2104-2-i", 3, (4320, 6840, 2364480, 1182240, 960)),
        ("xcvu13p-flga2577-2-e", 4, (5376, 12288, 3456000, 1728000, 1280)),
    ],
)
def test_placed_reports_of_parts_with_regions_are_read(
    part: str, slrs: int, available: tuple[int, int, int, int, int]
) -> None:
    fake = Fake(part=part, available=available)
    text = utilization_rpt(fake, "Fully Placed", (0, 0), slrs=slrs).replace("2688", str(available[0] // 2))
    report = read_text(text.replace("5376", str(available[0])), "file")
    assert isinstance(report, UtilizationReport)
    assert (report.resources.lut, report.resources.ff, report.resources.dsp) == (
        fake.used[3],
        fake.used[2],
        fake.used[1],
    )
    assert len(report.slrs) == slrs
    assert sum(used.lut or 0 for used in report.slrs) == fake.used[3]
    assert report.missing == ()


def test_regions_that_do_not_add_up_are_left_out_with_a_word() -> None:
    fake = Fake()
    text = utilization_rpt(fake, "Routed", slrs=4)
    first = fake.used[3] - 3 * (fake.used[3] // 4)
    head, table = text.split("14. SLR")
    report = read_text(f"{head}14. SLR{table.replace(f' {first} ', f' {first + 1} ', 1)}", "file")
    assert isinstance(report, UtilizationReport)
    assert report.slrs == ()
    assert report.resources.lut == fake.used[3]
    assert "regions that add up to the total missing" in report.to_qor().notes[0]


def test_versal_names_its_sites_in_its_own_way() -> None:
    """``Registers``, ``DSP Slices``, ``RAMB36E5``: names as in finn's test of a VCK190 report (Xilinx/finn)."""
    fake = Fake(part="xcvc1902-vsva2197-2MP-e-S", available=(1934, 1968, 1799680, 899840, 463))
    text = (
        utilization_rpt(fake, "Fully Placed")
        .replace("CLB Registers", "Registers")
        .replace("RAMB36/FIFO*", "RAMB36E5")
    )
    text = (
        text.replace("RAMB18 ", "RAMB18E5* ")
        .replace("| DSPs", "| DSP Slices")
        .replace("|           DSPs |", "|     DSP Slices |")
    )
    report = read_text(text, "file")
    assert isinstance(report, UtilizationReport)
    assert (report.resources.ff, report.resources.dsp, report.bram.ramb36, report.bram.ramb18) == (
        fake.used[2],
        fake.used[1],
        1,
        3,
    )


def test_a_table_of_sites_with_other_columns_is_refused_by_name() -> None:
    text = utilization_rpt(Fake()).replace("Available", "Free     ")
    with pytest.raises(ReportError, match="columns that are not known: Site Type, Used, Fixed"):
        read_text(text, "file")


@pytest.mark.parametrize("write", [csynth_rpt, csynth_xml])
def test_a_function_that_the_tool_removed_is_read_and_said(write: object) -> None:
    assert callable(write)
    report = read_text(write(EMPTY).replace("0.000 ns", "0 ns").replace("0.000<", "0<"), "file")
    assert isinstance(report, CsynthReport)
    assert report.is_empty
    assert (report.latency.cycles_max, report.latency.clock_estimated_ns, report.resources.lut) == (0, 0.0, 0)
    assert any("nothing was built" in note for note in report.to_qor().notes)


@pytest.mark.parametrize("write", [csynth_rpt, csynth_xml])
def test_a_clock_of_zero_with_logic_is_damage(write: object) -> None:
    assert callable(write)
    text = write(Fake()).replace("3.612 ns", "0 ns").replace(">3.612<", ">0<")
    with pytest.raises(ReportError, match="0 ns for a design that has logic"):
        read_text(text, "file")


@pytest.mark.parametrize("total", [None, 40])
def test_a_row_of_cosim_has_the_cells_of_its_heading(total: int | None) -> None:
    text = cosim_rpt((10, 10, 10), total=total)
    row = next(line for line in text.splitlines() if "Verilog" in line)
    more = row.replace("|   Verilog|      Pass|", "|   Verilog|      Pass|             10|")
    with pytest.raises(ReportError, match="not one whole row"):
        read_text(text.replace(row, more), "file")
    short = row[: row.rstrip("|").rindex("|") + 1]
    with pytest.raises(ReportError, match="not one whole row"):
        read_text(text.replace(row, short), "file")


def test_cosim_of_one_transaction_has_no_interval() -> None:
    text = cosim_rpt((10, 10, 10))
    row = next(line for line in text.splitlines() if "Verilog" in line)
    report = read_text(text.replace(row, row.replace("              1", "             NA")), "file")
    assert isinstance(report, CosimReport)
    assert report.run is not None
    assert (report.run.latency_max, report.run.ii_max) == (10, None)
    qor = report.to_qor()
    assert qor.metrics["cosim_passed"] == 1.0
    assert qor.latency is not None
    assert qor.latency.ii_cycles is None


def test_a_cosim_that_passed_without_counting_says_that_it_passed() -> None:
    text = cosim_rpt()
    row = next(line for line in text.splitlines() if "Verilog" in line)
    none = row.replace("             12", "             NA").replace("              1", "             NA")
    report = read_text(text.replace(row, none), "file")
    assert isinstance(report, CosimReport)
    qor = report.to_qor()
    assert (qor.latency, qor.metrics) == (None, {"cosim_passed": 1.0})
    assert "passed" in qor.notes[0]


def test_cycles_and_ns_of_a_summary_are_held_against_each_other_both_ways() -> None:
    fake = Fake(modules=(FakeModule("one", 4), FakeModule("two", 1)), estimated_ns=3.3)
    text = summary_rpt(fake)
    row = next(line for line in text.splitlines() if "+ grp_two" in line)
    for wrong in (
        row.replace("  1 |   5.000", " 21 |   5.000"),
        row.replace("5.000", "0.238"),
        row.replace("5.000", "9.238"),
    ):
        assert wrong != row
        with pytest.raises(ReportError, match=r"for one cycle|clock period"):
            read_text(text.replace(row, wrong), "file")


@pytest.mark.parametrize(
    "texts",
    [
        (csynth_rpt(Fake()), csynth_rpt(Fake(cycles=(13, 13)))),
        (utilization_rpt(Fake()), utilization_rpt(Fake())),
        (timing_rpt(Fake()), timing_rpt(Fake())),
        (cosim_rpt(), cosim_rpt((13, 13, 13))),
        (summary_rpt(Fake()), summary_rpt(Fake())),
        (export_rpt(Fake()), export_rpt(Fake())),
        (csynth_xml(Fake()), csynth_xml(Fake())),
    ],
    ids=["csynth", "utilization", "timing", "cosim", "summary", "export", "xml"],
)
def test_two_reports_of_a_kind_in_one_file_are_refused(texts: tuple[str, str]) -> None:
    with pytest.raises(ReportError):
        read_text("".join(texts), "file")


def test_a_report_of_another_kind_behind_the_first_is_told() -> None:
    report = read_text(csynth_rpt(Fake()) + cosim_rpt(), "file")
    assert isinstance(report, CsynthReport)
    assert "co-simulation report too" in report.to_qor().notes[0]
    both = read_text(utilization_rpt(Fake()) + timing_rpt(Fake()), "file")
    assert "timing report too" in both.remarks[0]


def test_timing_is_met_as_the_tool_flags_it() -> None:
    """1.659 ns of 2 ns with 0.54 ns of uncertainty: the tool flags a violation of 0.199 ns."""
    report = read_text(csynth_rpt(Fake(target_ns=2.0, estimated_ns=1.659, uncertainty_ns=0.54)), "file")
    assert isinstance(report, CsynthReport)
    assert (report.timing_met, report.clock_met) == (False, True)
    assert report.latency.slack_ns == pytest.approx(-0.199)


def test_a_summary_alone_tells_the_time_that_it_prints() -> None:
    fake = Fake(cycles=(64, 64), target_ns=3.5, estimated_ns=2.0, uncertainty_ns=0.5)
    report = read_text(summary_rpt(fake), "file")
    assert isinstance(report, CsynthReport)
    qor = report.to_qor()
    assert qor.latency is not None
    assert (qor.latency.worst_ns, qor.latency.worst_ns_lo, qor.latency.worst_ns_hi) == (224.0, 224.0, 224.0)
    assert qor.latency.clock_target_ns is None


def test_a_refusal_says_what_helps() -> None:
    with pytest.raises(ReportError) as caught:
        read_text(csynth_rpt(Fake()).replace("3.612 ns", "3,612 ns"), "file")
    assert caught.value.mend


def test_a_line_of_blanks_and_a_swarm_of_elements_end_soon(tmp_path: Path) -> None:
    """Bounded by what they allocate, not by a clock: the regexes never see the line, the tree stops growing."""
    with pytest.raises(ReportError, match="300000 characters"):
        read_text("x" + " " * 299_998 + "x\n" + csynth_rpt(Fake()), "file")
    (tmp_path / "swarm.xml").write_bytes(b"<profile>" + b"<a/>" * 10_000_000 + b"</profile>")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ReportError, match="500,000 elements"):
        read_report(tmp_path / "swarm.xml")
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
    )  # kB: the text twice, no tree
