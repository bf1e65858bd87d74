"""Readers at their public edge: one file, one record or one ReportError."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from pquant_hls.errors import ReportError
from pquant_hls.readers import (
    AppReport,
    ApsReport,
    CosimReport,
    CsimReport,
    CsynthReport,
    ExportReport,
    Report,
    TimingReport,
    UtilizationReport,
    read_report,
    read_text,
)
from tests.helpers import known
from tests.readers.report_factory import (
    Fake,
    cosim_rpt,
    csim_log,
    csynth_rpt,
    csynth_xml,
    every_kind,
    export_impl_rpt,
    export_rpt,
    hls_app,
    solution_aps,
    summary_rpt,
    timing_rpt,
    utilization_rpt,
)

LAYOUTS = [
    Fake(
        version="2016.4",
        pipeline="function",
        part="xc7vx690tffg1927-2",
        available=(2940, 3600, 866400, 433200, 0),
    ),
    Fake(version="2020.1", pipeline="dataflow", cycles=(900, 910), interval=(545, 885), estimated_ns=8.431),
    Fake(),
    Fake(version="2025.1", pipeline="no", cycles=(980, 2477), interval=(981, 2478)),
]


R = TypeVar("R", bound=Report)


def read_as(kind: type[R], text: str) -> R:
    """A report's record, which must be of the kind."""
    report = read_text(text, "file")
    assert isinstance(report, kind)
    return report


def csynth(text: str) -> CsynthReport:
    return read_as(CsynthReport, text)


@pytest.mark.parametrize("fake", LAYOUTS, ids=lambda fake: fake.version)
@pytest.mark.parametrize("write", [csynth_xml, csynth_rpt])
def test_csynth_figures_come_back_as_written(fake: Fake, write: Any) -> None:
    report = csynth(write(fake))
    latency = report.latency
    assert (report.tool, report.version, report.top, report.part) == (
        fake.tool,
        fake.version,
        fake.top,
        fake.part,
    )
    assert (latency.cycles_min, latency.cycles_max) == fake.cycles
    assert (report.interval_min, report.interval_max) == fake.interval
    assert (latency.clock_target_ns, latency.clock_estimated_ns) == (fake.target_ns, fake.estimated_ns)
    used = report.resources
    assert [used.bram_18k, used.dsp, used.ff, used.lut, used.uram] == list(fake.used)
    assert used.available is not None
    assert used.available.lut == fake.available[3]
    assert report.missing == ()


def test_absolute_latency_is_none_where_the_old_tool_does_not_print_it() -> None:
    assert csynth(csynth_xml(LAYOUTS[0])).latency_ns_max is None
    assert csynth(csynth_xml(LAYOUTS[1])).latency_ns_max == pytest.approx(910 * 8.431, abs=1.0)


def test_both_forms_of_one_run_agree() -> None:
    for fake in LAYOUTS:
        xml, text = csynth(csynth_xml(fake)), csynth(csynth_rpt(fake))
        different = {"kind", "modules", "date"}  # the XML states no date
        assert xml.model_dump(exclude=different) == text.model_dump(exclude=different)


def test_modules_carry_cycles_and_resources_of_their_instance() -> None:
    first = csynth(csynth_rpt(Fake())).modules[0]
    assert (first.cycles_max, first.dsp, first.lut) == (4, 21, 3100)


def test_summary_has_no_clock_and_reads_a_dash_as_none_used() -> None:
    report = csynth(summary_rpt(Fake()))
    assert report.timing_met is None
    assert report.slack_ns == pytest.approx(0.04)
    assert (report.latency.cycles_max, report.resources.dsp, report.resources.uram) == (12, 61, 0)
    assert [module.cycles_max for module in report.modules] == [4, 0, 6]


def test_the_oldest_summaries_print_the_slack_with_the_other_sign() -> None:
    old = csynth(summary_rpt(Fake()).replace("2023.1 (", "2020.2 ("))
    assert old.slack_ns == pytest.approx(-0.04)
    assert csynth(summary_rpt(Fake())).slack_ns == pytest.approx(0.04)


def test_timing_met_is_as_the_tool_flags_it_exact_on_the_boundary() -> None:
    on_edge = csynth(csynth_xml(Fake(estimated_ns=3.65)))
    beyond = csynth(csynth_xml(Fake(estimated_ns=3.651)))
    assert (on_edge.timing_met, beyond.timing_met) == (True, False)
    assert beyond.clock_met is True


@pytest.mark.parametrize("word", ["undef", "?", "NA", "N/A", "-"])
def test_what_the_tool_does_not_know_is_none(word: str) -> None:
    text = csynth_xml(Fake(pipeline="no"))
    for tag in (
        "Best-caseLatency",
        "Average-caseLatency",
        "Worst-caseLatency",
        "Interval-min",
        "Interval-max",
    ):
        start, end = text.index(f"<{tag}>") + len(tag) + 2, text.index(f"</{tag}>")
        text = text[:start] + word + text[end:]
    latency = csynth(text).latency
    assert (latency.cycles_min, latency.cycles_max, latency.ii_cycles) == (None, None, None)


def test_carriage_returns_change_nothing() -> None:
    for name, text in every_kind().items():
        assert read_text(text.replace("\n", "\r\n"), name) == read_text(text, name)


def test_text_in_front_of_a_report_is_passed_over() -> None:
    printed = "INFO: some run\n0.1 0.2 0.3\n" + csynth_rpt(Fake())
    assert csynth(printed).latency.cycles_max == 12


def test_block_ram_tiles_count_double_and_may_be_halves() -> None:
    report = read_text(utilization_rpt(Fake(), ramb=(1, 3)), "file")
    assert isinstance(report, UtilizationReport)
    assert (report.bram.tile, report.resources.bram_18k) == (2.5, 5)


def test_timing_export_cosim_and_project_files() -> None:
    timing = read_as(TimingReport, timing_rpt(Fake(), -0.311))
    export = read_as(ExportReport, export_rpt(Fake(), 5.2))
    assert (timing.wns_ns, timing.timing_met, timing.achieved_ns) == (-0.311, False, 5.311)
    assert (export.clock_post_implementation_ns, export.timing_met) == (5.2, False)
    cosim = known(read_as(CosimReport, cosim_rpt((10, 11, 14), total=40)).run)
    failed = known(read_as(CosimReport, cosim_rpt(status="Fail")).run)
    assert (cosim.latency_max, cosim.total_cycles) == (14, 40)
    assert (failed.status, failed.latency_max) == ("Fail", None)
    assert read_as(AppReport, hls_app(Fake())).top == "myproject"
    assert read_as(ApsReport, solution_aps("200MHz")).clock_period_ns == 5.0


def test_a_simulation_passes_only_when_it_ends_without_errors() -> None:
    whole = csim_log()
    assert read_as(CsimReport, whole).passed is True
    assert read_as(CsimReport, csim_log(2)).passed is False
    log = csim_log(0, "ERROR: [SIM 211-100] 'csim_design' failed: compilation error(s).")
    failed = read_as(CsimReport, log)
    assert (failed.passed, known(failed.first_error).startswith("ERROR: [SIM 211-100]")) == (False, True)
    cut = read_as(CsimReport, whole[: whole.index("INFO: [SIM 1]")])
    assert (cut.passed, cut.errors) == (None, None)


def test_both_forms_of_the_export_report_agree() -> None:
    old, new = read_text(export_rpt(Fake(), 4.3), "old"), read_text(export_impl_rpt(Fake(), 4.3), "new")
    different = {"file", "tool"}
    assert old.model_dump(exclude=different) == new.model_dump(exclude=different)
    assert read_as(ExportReport, export_impl_rpt(Fake(), 5.3)).timing_met is False


def test_a_report_cut_before_its_totals_says_what_is_missing() -> None:
    text = csynth_rpt(Fake())
    report = csynth(
        text[
            : text.index("|                Total")
            if "|                Total" in text
            else text.index("Total")
        ]
    )
    assert report.latency.cycles_max == 12
    assert report.resources.lut is None
    assert report.missing == ("resource totals",)


BAD: dict[str, Callable[[], str]] = {
    "target and estimate swapped": lambda: (
        csynth_rpt(Fake()).replace("5.00 ns", "X").replace("3.612 ns", "5.00 ns").replace("X", "3.612 ns")
    ),
    "share of no part": lambda: summary_rpt(Fake()).replace("6207 (~0%)", "620700 (~0%)"),
    "another table's heading": lambda: csynth_rpt(Fake()).replace("    * Summary:", "    * Instance:", 2),
    "header off its border": lambda: csynth_rpt(Fake()).replace(" BRAM_18K", "BRAM_18K", 1),
    "counts of no part": lambda: csynth_xml(Fake()).replace("<LUT>1728000", "<LUT>1728001"),
    "swapped blocks": lambda: (
        csynth_xml(Fake())
        .replace("Resources>", "Other>")
        .replace("AvailableOther>", "Resources>")
        .replace("<Other>", "<AvailableResources>")
        .replace("</Other>", "</AvailableResources>")
    ),
    "cycles against ns": lambda: csynth_xml(Fake()).replace("Latency>12<", "Latency>13<"),
    "negative": lambda: csynth_xml(Fake()).replace("<LUT>6207", "<LUT>-6207"),
    "huge": lambda: csynth_xml(Fake()).replace("<LUT>6207", "<LUT>62070000000"),
    "two of one tag": lambda: csynth_xml(Fake()).replace("<FF>2911</FF>", "<FF>2911</FF><FF>2912</FF>"),
    "unit": lambda: csynth_xml(Fake()).replace("60.000 ns", "60.000 us"),
    "unknown unit": lambda: csynth_xml(Fake()).replace("60.000 ns", "60.000 ps"),
    "depth": lambda: csynth_xml(Fake()).replace("Depth>13", "Depth>31"),
    "interval": lambda: csynth_rpt(Fake(interval=(40, 40))),
    "total": lambda: csynth_rpt(Fake()).replace("6207", "6208"),
    "cells": lambda: csynth_rpt(Fake()).replace("ap_clk |", "ap_clk "),
    "share": lambda: utilization_rpt(Fake()).replace("2911", "9211"),
    "tiles": lambda: utilization_rpt(Fake()).replace("2.5", "3.5"),
    "verdict": lambda: export_rpt(Fake()).replace("Timing met", "Timing not met"),
    "slack": lambda: timing_rpt(Fake(), -0.311).replace("-0.311", "-0.011", 1),
    "order": lambda: cosim_rpt((14, 12, 10)),
    "bomb": lambda: '<!DOCTYPE a [<!ENTITY b "1">]>' + csynth_xml(Fake()).replace("6207", "&b;"),
    "outside entity": lambda: (
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><profile>&b;</profile>'
    ),
    "not closed": lambda: csynth_xml(Fake())[:900],
    "empty": lambda: "",
    "other": lambda: "== Design Size Report\n",
    "other XML": lambda: "<html></html>",
    "two reports": lambda: csynth_rpt(Fake()) + csynth_rpt(Fake()),
}


@pytest.mark.parametrize("damage", BAD)
def test_a_contradiction_is_an_error_that_names_the_file(damage: str) -> None:
    with pytest.raises(ReportError) as caught:
        read_text(BAD[damage](), "some/file.rpt")
    assert str(caught.value).startswith("some/file.rpt")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be read"):
        read_report(tmp_path / "none.rpt")


# The reports of real tools. Names as in expected.json: where ours differ, the dotted path into our record.
RENAMED = {
    "timing": {"first_clock": "clock", "first_clock_period_ns": "clock_period_ns"},
    "aps": {"clock_period": "clock_period_ns"},
    "csynth": {
        **{f"clock_{name}_ns": f"latency.clock_{name}_ns" for name in ("target", "uncertainty", "estimated")},
        "latency_cycles_min": "latency.cycles_min",
        "latency_cycles_max": "latency.cycles_max",
        "ii_min": "interval_min",
        "ii_max": "interval_max",
        "timing_met": "clock_met",
        "timing_met_with_uncertainty": "timing_met",
    },
}


def look_up(report: BaseModel, kind: str, key: str) -> Any:
    if kind == "utilization" and key.partition(".")[2] in ("bram_tile", "ramb36", "ramb18"):
        block = "bram_available" if key.startswith("available") else "bram"
        key = f"{block}.{key.partition('.')[2].replace('bram_', '')}"
    elif key.startswith("used.") and kind == "export":
        key = key.removeprefix("used.")
    elif key.startswith(("used.", "available.")):
        key = f"resources.{key.removeprefix('used.')}"
    else:
        key = RENAMED.get(kind.partition("_")[0], {}).get(key, key)
    value: Any = report
    for name in key.split("."):
        value = getattr(value, name) if value is not None else None
    return list(value) if isinstance(value, tuple) else value


def flat(expect: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in expect.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


@pytest.mark.corpus
def test_every_real_report_gives_exactly_what_is_expected(corpus: Path) -> None:
    folder = corpus / "synthesis_corpus" / "reports"
    differences = []
    for name, entry in json.loads((folder / "expected.json").read_text()).items():
        expect = flat(entry["expect"])
        error = expect.pop("error", None)
        if expect.pop("not_a_synthesis_report", False) or (error and not expect):
            with pytest.raises(ReportError):
                read_report(folder / name)
            continue
        report = read_report(folder / name)
        assert report.kind == entry["kind"]
        assert bool(getattr(report, "missing", ())) == (error is not None), name
        got = {key: look_up(report, entry["kind"], key) for key in expect}
        differences += [(name, key, value, got[key]) for key, value in expect.items() if got[key] != value]
    assert differences == []


def test_a_part_is_read_as_each_tool_writes_it() -> None:
    for part in (
        "xcvu13p:-flga2577:-2-e",
        "xc7z020:clg400:-1",
        "xc7vx690tffg1927-2",
        "xcvc1902-vsva2197-2MP-e-S",
    ):
        report = read_text(solution_aps().replace("xcvu13p:-flga2577:-2-e", part), "file")
        assert report.model_dump()["part"] == part


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder.xml").mkdir()
    os.mkfifo(tmp_path / "pipe.xml")
    for name, words in (("folder.xml", "cannot be read"), ("pipe.xml", "not a file")):
        with pytest.raises(ReportError, match=rf"{name}.*{words}"):
            read_report(tmp_path / name)


def test_a_design_without_paths_has_no_slack() -> None:
    text = timing_rpt(Fake()).replace("  0.214", "    inf")
    report = read_text(text, "file")
    assert isinstance(report, TimingReport)
    assert (report.wns_ns, report.achieved_ns) == (None, None)


def test_another_encoding_with_its_mark_is_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "report").write_bytes(csynth_rpt(Fake()).encode(encoding))
        report = read_report(tmp_path / "report")
        assert isinstance(report, CsynthReport)
        assert report.latency.cycles_max == 12


def test_a_share_below_a_hundredth_of_a_percent_is_read_and_checked() -> None:
    fake = replace(Fake(), own=(0, 0, 5, 100, 0), modules=())
    text = utilization_rpt(fake)
    small = re.sub(r" 0\.01 \|", "<0.01 |", text, count=1)
    assert small != text
    report = read_text(small, "file")
    assert isinstance(report, UtilizationReport)
    assert report.resources.lut == 100
    with pytest.raises(ReportError, match=r"<0\.01 % is not 900"):
        read_text(small.replace(" 100 |", " 900 |").replace(" 93 |", " 893 |"), "file")


def test_a_timing_report_of_several_clocks_tells_no_achieved_period() -> None:
    text = timing_rpt(Fake())
    one = read_text(text, "file")
    assert isinstance(one, TimingReport)
    assert one.clocks == 1
    assert one.achieved_ns == pytest.approx(5.0 - 0.214)
    more = text.replace("ap_clk  {", "clk2    {0.000 1.000}        2.000           500.000\nap_clk  {", 1)
    two = read_text(more, "file")
    assert isinstance(two, TimingReport)
    assert (two.clocks, two.clock_period_ns, two.achieved_ns) == (2, 2.0, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("xcvu13p-flga2577-2-e", "xcvu9p-flga2104-2-e"),  # counts of another device
        ("myproject", "my\x00project"),
        ("60.000 ns", "1 us"),
        ("xcvu13p-", "xcvu\ufffd3p-"),
    ],
)
def test_what_no_tool_writes_is_refused(old: str, new: str) -> None:
    text = csynth_xml(Fake())
    assert old in text
    with pytest.raises(ReportError, match="file"):
        read_text(text.replace(old, new), "file")


RESOURCE_COLUMNS = [("DSP", "BRAM_18K"), ("FF", "LUT"), ("BRAM_18K", "URAM")]


@pytest.mark.parametrize(
    ("write", "pair"),
    [
        *((write, pair) for write in (csynth_rpt, csynth_xml) for pair in RESOURCE_COLUMNS),
        *((summary_rpt, pair) for pair in [("DSP", "BRAM"), ("FF", "LUT"), ("BRAM", "URAM")]),
        *((utilization_rpt, pair) for pair in [("Used", "Fixed"), ("Used", "Available"), ("DSPs", "URAM")]),
    ],
)
def test_columns_that_changed_places_are_refused(write: Any, pair: tuple[str, str]) -> None:
    one, two = pair
    text = write(Fake())
    swapped = re.sub(rf"(?<![\w-])({one}|{two})(?![\w-])", lambda hit: two if hit[1] == one else one, text)
    assert swapped != text
    with pytest.raises(ReportError):
        read_text(swapped, "file")


def test_an_instance_that_stands_twice_is_refused() -> None:
    lines = csynth_rpt(Fake()).splitlines(keepends=True)
    rows = [index for index, line in enumerate(lines) if "|grp_relu" in line.replace(" ", "")]
    for index in rows:
        with pytest.raises(ReportError, match="instance"):
            read_text("".join([*lines[: index + 1], *lines[index:]]), "file")
    assert len(rows) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("Slice LUTs", "Slice Registers", "DSPs"),  # 7 series
        ("Slice LUTs*", "Slice Registers", "DSPs"),  # before optimisation
        ("CLB LUTs", "CLB Registers", "DSPs"),  # UltraScale and UltraScale+
        ("CLB LUTs", "Registers", "DSP Slices"),  # Versal
    ],
)
def test_every_familys_names_of_sites_are_read(names: tuple[str, str, str]) -> None:
    text = utilization_rpt(Fake())
    for old, new in zip(("CLB LUTs*", "CLB Registers", "DSPs"), names, strict=True):
        text = text.replace(old, new)
    report = read_text(text, "file")
    assert isinstance(report, UtilizationReport)
    used = report.resources
    assert (used.lut, used.ff, used.dsp, report.missing) == (6207, 2911, 61, ())


@pytest.mark.parametrize("word", ["?", "NA", "N/A", "-", ""])
def test_a_site_vivado_does_not_tell_is_none(word: str) -> None:
    lines = utilization_rpt(Fake()).splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if "DSPs" in line)
    lines[at] = lines[at].replace(" 61 ", f" {word} ").replace(" 0.50 ", f" {word} ")
    report = read_text("".join(lines), "file")
    assert isinstance(report, UtilizationReport)
    assert (report.resources.dsp, report.missing) == (None, ("dsp",))
