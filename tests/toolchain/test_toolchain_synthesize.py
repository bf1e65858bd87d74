"""Synthesis with mock tools that write reports, fail in each known way, hang or die."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pquant_hls.errors import ReportError, ToolFailed, ToolNotFound, UnsupportedModel
from pquant_hls.toolchain import synthesize
from tests.helpers import cycles_of, latency_of, resources_of
from tests.programs.program_mocks import Clock, is_gone
from tests.readers.report_factory import (
    Fake,
    cosim_rpt,
    csynth_rpt,
    csynth_xml,
    summary_rpt,
    utilization_rpt,
    write_project,
)

AddTool = Callable[..., Path]
OLD = Fake(version="2019.2", pipeline="function", uncertainty_ns=0.62)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the Vitis backend without reports."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "project.tcl").write_text('set project_name "myproject"\nset backend "vitis"\n')
    (folder / "build_prj.tcl").write_text("source [file join $tcldir build_opt.tcl]\n")
    return folder


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the mock tool writes, by step."""
    folder = tmp_path / "canned"
    fill(folder, Fake())
    monkeypatch.setenv("MOCK_REPORTS", str(folder))
    return folder


def fill(folder: Path, fake: Fake) -> None:
    report = folder / "syn" / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "myproject_csynth.xml").write_text(csynth_xml(fake))
    (report / "myproject_csynth.rpt").write_text(csynth_rpt(fake))
    if fake.is_vitis:
        (report / "csynth.rpt").write_text(summary_rpt(fake))


def add_step(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_csynth_gives_latency_resources_and_layers(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    lines: list[str] = []
    qor = synthesize(project, on_line=lines.append)
    assert (qor.source, qor.tool, cycles_of(qor), resources_of(qor).lut) == (
        "csynth",
        "Vitis HLS 2023.1",
        12,
        6207,
    )
    assert len(qor.layers) == 3
    assert any("Opening project" in line for line in lines)
    assert "Opening project" in (project / "synthesis.log").read_text()


def test_vitis_gets_its_options_by_file(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    synthesize(project)
    assert (project / "arguments.txt").read_text().split("\n") == ["-f", "build_prj.tcl"]
    options = (project / "build_opt.tcl").read_text()
    assert [line.split() for line in options.splitlines()[1:4]] == [
        ["reset", "1"],
        ["csim", "0"],
        ["synth", "1"],
    ]


def test_the_newer_vitis_is_called_by_its_own_name(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis-run")
    assert cycles_of(synthesize(project)) == 12
    assert (project / "arguments.txt").read_text().split("\n") == ["--mode", "hls", "--tcl", "build_prj.tcl"]


def test_vivado_gets_its_options_as_one_argument(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vivado_hls")
    (project / "project.tcl").write_text('set project_name "myproject"\nset backend "vivado"\n')
    (project / "build_prj.tcl").write_text("array set opt {}\n")
    shutil.rmtree(reports / "syn")
    fill(reports, OLD)
    assert synthesize(project).tool == "Vivado HLS 2019.2"
    arguments = (project / "arguments.txt").read_text().split("\n")
    assert arguments[:2] == ["-f", "build_prj.tcl"]
    assert arguments[2].startswith("reset=1 csim=0 synth=1 cosim=0")


def test_all_steps_are_read(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    add_tool("vivado")
    add_step(reports, "sim/report/myproject_cosim.rpt", cosim_rpt((12, 12, 14)))
    add_step(reports, "vivado/vivado_synth.rpt", utilization_rpt(Fake()))
    qor = synthesize(project, steps=("csynth", "cosim", "vsynth"))
    assert (qor.metrics["cosim_cycles_max"], qor.metrics["vsynth_lut"]) == (14, 6207)
    by_cosim = synthesize(project, steps=("csynth", "cosim", "vsynth"), source="cosim")
    assert (by_cosim.source, cycles_of(by_cosim)) == ("cosim", 14)


FAILURES = {
    "license": ("license", "XILINXD_LICENSE_FILE"),
    "part": ("xcvu13p-flga2577-2-e", "Add Design Tools or Devices"),
    "syntax": ("firmware/myproject.cpp:42:9", "C\\+\\+ file"),
    "gcc": ("firmware/myproject.cpp:42:9", "C\\+\\+ file"),
    "size": ("Pre-synthesis failed", "reuse factor"),
    "other": ("IMPL 213-28", "log"),
    "error_but_zero": ("HLS 200-1505", "log"),
    "silent": ("without a report", "log"),
    "die": ("SIGKILL", "memory"),
}


@pytest.mark.parametrize("mode", FAILURES)
def test_each_known_failure_is_explained(
    mode: str, project: Path, reports: Path, add_tool: AddTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", mode)
    words, mend = FAILURES[mode]
    with pytest.raises(ToolFailed, match=words) as caught:
        synthesize(project)
    assert caught.value.mend is not None
    assert re.search(mend, caught.value.mend)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("mode", ["hang", "stubborn"])
def test_a_tool_that_hangs_is_ended_with_its_children(
    mode: str,
    project: Path,
    reports: Path,
    add_tool: AddTool,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", mode)
    with pytest.raises(ToolFailed, match="took longer than 900 s; last line: INFO: still working"):
        synthesize(project, timeout_s=900, on_line=clock.put_forward)
    assert is_gone(int((project / "child.pid").read_text()))


def test_old_reports_are_never_taken_for_new(
    project: Path, reports: Path, add_tool: AddTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    write_project(project, Fake(cycles=(30, 30)))
    monkeypatch.setenv("MOCK_MODE", "silent")
    with pytest.raises(ToolFailed, match="no new report of csynth"):
        synthesize(project)


def test_an_old_vivado_report_is_left_out(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    (project / "vivado_synth.rpt").write_text(utilization_rpt(Fake()))
    assert "vsynth_lut" not in synthesize(project).metrics


def test_a_step_without_its_report_is_a_failure(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    with pytest.raises(ToolFailed, match="no new report of cosim"):
        synthesize(project, steps=("csynth", "cosim"))


def test_cosim_alone_keeps_the_synthesis_before_it(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    synthesize(project)
    add_step(reports, "sim/report/myproject_cosim.rpt", cosim_rpt((12, 12, 13)))
    qor = synthesize(project, steps=("cosim",))
    assert (cycles_of(qor), qor.metrics["cosim_cycles_max"]) == (12, 13)


def test_a_damaged_report_is_told_as_such(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    path = reports / "syn" / "report" / "myproject_csynth.xml"
    path.write_text(path.read_text()[:800])
    with pytest.raises(ReportError, match="not well-formed"):
        synthesize(project)


def test_reports_cut_short_are_never_believed(
    project: Path, reports: Path, add_tool: AddTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", "truncated")
    with pytest.raises(ReportError, match="csynth"):
        synthesize(project)


@pytest.mark.parametrize("mode", ["bytes", "flood"])
def test_whatever_a_tool_prints_its_reports_count(
    mode: str, project: Path, reports: Path, add_tool: AddTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", mode)
    lines: list[str] = []
    assert cycles_of(synthesize(project, on_line=lines.append)) == 12
    assert max(map(len, lines)) < 200_000, "a line without an end is handed on in pieces"
    expected = (
        "delay 3 \ufffds \ufffd\x00 [/opt/tool] [HLS 1-1]" if mode == "bytes" else "INFO: one more line"
    )
    assert expected in lines


def test_missing_tools_are_named_with_the_mend(project: Path, add_tool: AddTool) -> None:
    with pytest.raises(ToolNotFound, match=r"vitis_hls, vitis-run.*settings64"):
        synthesize(project)
    add_tool("vitis_hls")
    with pytest.raises(ToolNotFound, match="vivado is not on PATH"):
        synthesize(project, steps=("csynth", "vsynth"))


def test_a_command_prefix_carries_the_tool(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis-run")
    with pytest.raises(ToolNotFound, match=r"behind env, which says: .*which"):
        synthesize(project, prefix=("env",))
    add_tool("which", "#!/bin/sh\n[ $1 = vitis-run ] && echo /far/bin/$1\n")
    assert cycles_of(synthesize(project, prefix=("env",))) == 12


@pytest.mark.parametrize("missing", ["project.tcl", "build_prj.tcl"])
def test_another_folder_is_refused(project: Path, add_tool: AddTool, missing: str) -> None:
    add_tool("vitis_hls")
    (project / missing).unlink()
    with pytest.raises(UnsupportedModel, match=missing):
        synthesize(project)


def test_an_unknown_step_is_refused(project: Path) -> None:
    with pytest.raises(UnsupportedModel, match="placement"):
        synthesize(project, steps=("placement",))


@pytest.mark.corpus
@pytest.mark.parametrize("stem", ["v2022.2_mlp", "v2019.2_mlp", "v2021.1_mlp", "v2023.1_cnn_crlf"])
def test_real_reports_come_through(
    corpus: Path, project: Path, reports: Path, add_tool: AddTool, stem: str
) -> None:
    add_tool("vitis_hls")
    shutil.rmtree(reports / "syn")
    target = reports / "syn" / "report"
    target.mkdir(parents=True)
    for kind in ("xml", "rpt"):
        source = corpus / "synthesis_corpus" / "reports" / f"{stem}_csynth.{kind}"
        shutil.copyfile(source, target / f"myproject_csynth.{kind}")
    qor = synthesize(project)
    assert latency_of(qor).worst_ns is not None
    assert latency_of(qor).worst_ns == pytest.approx(qor.metrics["csynth_latency_ns_max"], rel=2e-3)
    assert len(qor.layers) >= 4


def test_the_worst_of_two_runs_is_not_mixed(project: Path, reports: Path, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    synthesize(project)
    fill(reports, replace(Fake(), cycles=(20, 20)))
    assert cycles_of(synthesize(project)) == 20
