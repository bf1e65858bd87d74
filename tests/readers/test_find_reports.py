"""Project folders: layouts, newest run, wrappers, layers, and reports that belong to different runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pquant_hls.errors import NotMeasured, ReportError
from pquant_hls.readers import find_reports, read_project
from tests.helpers import cycles_of, latency_of, resources_of
from tests.readers.report_factory import (
    Fake,
    FakeModule,
    cosim_rpt,
    csim_log,
    csynth_rpt,
    csynth_xml,
    summary_rpt,
    timing_rpt,
    utilization_rpt,
    write_project,
)

OLD = Fake(version="2019.2", pipeline="function", uncertainty_ns=0.62)


@pytest.mark.parametrize("fake", [OLD, Fake()], ids=["vivado", "vitis"])
@pytest.mark.parametrize("layout", ["solution", "component"])
def test_every_layout_gives_latency_resources_and_layers(tmp_path: Path, fake: Fake, layout: str) -> None:
    write_project(tmp_path, fake, layout=layout)
    qor = read_project(tmp_path)
    assert (qor.source, qor.tool, qor.part) == ("csynth", f"{fake.tool} {fake.version}", fake.part)
    assert qor.latency is not None
    assert (qor.latency.cycles_max, qor.latency.worst_ns) == (12, 60.0)
    assert qor.resources is not None
    assert qor.resources.lut == 6207
    assert [(layer.name, layer.op, layer.cycles) for layer in qor.layers] == [
        ("fc1", "dense", 4),
        ("relu1", "relu", 0),
        ("output", "dense", 6),
    ]


def test_layers_keep_instance_names_without_the_firmware(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "firmware" / "myproject.cpp").unlink()
    layers = read_project(tmp_path).layers
    assert [layer.op for layer in layers] == ["dense_latency", "relu", "dense_latency"]


def test_the_report_folder_itself_will_do(tmp_path: Path) -> None:
    solution = write_project(tmp_path)
    assert find_reports(solution / "syn" / "report").top == "myproject"
    assert find_reports(solution).top == "myproject"


def test_the_newest_run_is_taken_by_the_date_in_the_report(tmp_path: Path) -> None:
    write_project(tmp_path, Fake(cycles=(30, 30), date="Tue Mar 04 10:00:00 2025"), layout="component")
    older = write_project(tmp_path, Fake())
    for path in (older / "syn" / "report").iterdir():
        os.utime(path, (4e9, 4e9))  # copying gives new file times to old reports
    latency = read_project(tmp_path).latency
    assert latency is not None
    assert latency.cycles_max == 30


def test_a_wrapper_is_told_from_the_network_inside(tmp_path: Path) -> None:
    solution = write_project(tmp_path)
    wrapper = Fake(top="myproject_axi", cycles=(400, 400), pipeline="dataflow", interval=(300, 300))
    (solution / "syn" / "report" / "myproject_axi_csynth.xml").write_text(csynth_xml(wrapper))
    (solution.parent / "hls.app").write_text('<project name="myproject_prj" top="myproject_axi"></project>')
    reports = find_reports(tmp_path)
    assert (reports.top, reports.design) == ("myproject_axi", "myproject")
    assert reports.wrapper is not None
    qor = read_project(tmp_path)
    assert qor.latency is not None
    assert qor.latency.cycles_max == 12
    assert any("myproject_axi" in note for note in qor.notes)


def test_without_project_files_the_top_is_the_function_no_other_contains(tmp_path: Path) -> None:
    fake = replace(OLD, modules=(FakeModule("dense_config2", 4, (0, 1, 2, 3, 0)),))
    inner = replace(fake, top="dense_config2", cycles=(4, 4), modules=())
    for one in (fake, inner):
        (tmp_path / f"{one.top}_csynth.rpt").write_text(csynth_rpt(one))
    assert find_reports(tmp_path).top == "myproject"


def test_a_wrapper_and_its_network_need_no_project_file(tmp_path: Path) -> None:
    wrapper = replace(OLD, top="myproject_axi", cycles=(400, 400))
    for one in (OLD, wrapper):
        (tmp_path / f"{one.top}_csynth.xml").write_text(csynth_xml(one))
    reports = find_reports(tmp_path)
    assert (reports.top, reports.design) == ("myproject_axi", "myproject")


def test_a_summary_alone_names_its_function(tmp_path: Path) -> None:
    (tmp_path / "csynth.rpt").write_text(summary_rpt(Fake(top="jedi")))
    qor = read_project(tmp_path)
    assert qor.latency is not None
    assert (find_reports(tmp_path).top, qor.latency.cycles_max, qor.latency.worst_ns) == ("jedi", 12, 60.0)
    assert qor.metrics["csynth_latency_ns_max"] == 60.0


def test_functions_of_equal_right_need_a_name(tmp_path: Path) -> None:
    for top in ("one", "two"):
        (tmp_path / f"{top}_csynth.rpt").write_text(csynth_rpt(replace(OLD, top=top)))
    with pytest.raises(ReportError, match="one, two"):
        find_reports(tmp_path)
    assert find_reports(tmp_path, top="two").design == "two"


def test_reports_of_two_runs_are_refused(tmp_path: Path) -> None:
    solution = write_project(tmp_path)
    (solution / "syn" / "report" / "myproject_csynth.rpt").write_text(csynth_rpt(Fake(cycles=(13, 13))))
    with pytest.raises(ReportError, match="two runs"):
        read_project(tmp_path)


def test_cosim_and_vivado_stand_beside_csynth_and_decide_when_asked(tmp_path: Path) -> None:
    placed = replace(Fake(), own=(0, 0, 600, 1000, 0))
    write_project(
        tmp_path,
        cosim=cosim_rpt((11, 12, 14)),
        vsynth=utilization_rpt(placed, "Routed"),
        timing=timing_rpt(Fake(), -0.311),
    )
    qor = read_project(tmp_path)
    assert (qor.metrics["cosim_cycles_max"], qor.metrics["wns_ns"]) == (14, -0.311)
    assert (resources_of(qor).lut, qor.metrics["vsynth_lut"]) == (6207, 7190)
    by_cosim, by_vivado = read_project(tmp_path, source="cosim"), read_project(tmp_path, source="vsynth")
    assert (by_cosim.source, cycles_of(by_cosim), latency_of(by_cosim).worst_ns) == ("cosim", 14, 70.0)
    assert (by_vivado.source, resources_of(by_vivado).lut) == ("vsynth", 7190)
    assert latency_of(by_vivado).worst_ns == pytest.approx(12 * 5.311)


def test_the_latest_stage_of_vivado_counts(tmp_path: Path) -> None:
    solution = write_project(tmp_path, vsynth=utilization_rpt(Fake()))
    runs = solution / "impl" / "verilog" / "project.runs" / "impl_1"
    runs.mkdir(parents=True)
    routed = utilization_rpt(replace(Fake(), own=(0, 0, 611, 2000, 0)), "Routed")
    (runs / "bd_0_wrapper_utilization_routed.rpt").write_text(routed)
    assert resources_of(read_project(tmp_path, source="vsynth")).lut == 8190


def test_a_failed_simulation_is_noted(tmp_path: Path) -> None:
    write_project(tmp_path, csim=csim_log(1, "@E Simulation failed: SIGSEGV."))
    assert any("SIGSEGV" in note for note in read_project(tmp_path).notes)


def test_a_failed_cosim_measures_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, cosim=cosim_rpt(status="Fail"))
    assert any("co-simulation failed" in note for note in read_project(tmp_path).notes)
    with pytest.raises(NotMeasured):
        read_project(tmp_path, source="cosim")


def test_missing_sources_are_not_measured(tmp_path: Path) -> None:
    write_project(tmp_path)
    with pytest.raises(NotMeasured):
        read_project(tmp_path, source="vsynth")
    with pytest.raises(ReportError, match="no such project folder"):
        read_project(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReportError, match="no synthesis report"):
        read_project(tmp_path / "empty")


def test_vivado_reports_alone_still_give_resources(tmp_path: Path) -> None:
    (tmp_path / "vivado_synth.rpt").write_text(utilization_rpt(Fake()))
    qor = read_project(tmp_path, source="vsynth")
    assert (qor.source, qor.latency, resources_of(qor).lut) == ("vsynth", None, 6207)
    with pytest.raises(NotMeasured):
        read_project(tmp_path)


def test_several_runs_of_one_design_are_told_and_several_designs_refused(tmp_path: Path) -> None:
    first = write_project(tmp_path)
    shutil.copytree(first, first.parent / "solution2")
    assert "2 runs" in read_project(tmp_path).notes[0]
    write_project(tmp_path / "models" / "a")
    with pytest.raises(ReportError, match=r"2 designs in this folder.*models/a"):
        read_project(tmp_path)


def test_components_of_different_functions_are_different_designs(tmp_path: Path) -> None:
    for top in ("one", "two"):
        report = tmp_path / top / "hls" / "syn" / "report"
        report.mkdir(parents=True)
        (report / "csynth.rpt").write_text(summary_rpt(Fake(top=top)))
    with pytest.raises(ReportError, match="2 designs"):
        find_reports(tmp_path)
    assert find_reports(tmp_path / "two").top == "two"


def test_the_copies_of_the_unified_flow_will_do(tmp_path: Path) -> None:
    reports = tmp_path / "component" / "reports"
    reports.mkdir(parents=True)
    (reports / "hls_compile.rpt").write_text(summary_rpt(Fake()))
    (reports / "hls_cosim.rpt").write_text(cosim_rpt((11, 11, 11)))
    qor = read_project(tmp_path, source="cosim")
    assert qor.latency is not None
    assert qor.latency.cycles_max == 11
    write_project(tmp_path / "component", layout="component")
    assert read_project(tmp_path).latency is not None
    assert find_reports(tmp_path).xml is not None, "the whole reports come before the copies"


def test_the_configuration_of_the_workspace_names_the_top(tmp_path: Path) -> None:
    report = tmp_path / "component" / "work" / "hls" / "syn" / "report"
    report.mkdir(parents=True)
    for top in ("myproject", "other"):
        (report / f"{top}_csynth.xml").write_text(csynth_xml(Fake(top=top)))
    (tmp_path / "component" / "hls_config.cfg").write_text("[hls]\nsyn.top=other\n")
    assert find_reports(tmp_path).top == "other"


def test_a_report_of_another_function_under_this_name_is_refused(tmp_path: Path) -> None:
    solution = write_project(tmp_path)
    for name in ("csynth.rpt", "myproject_csynth.rpt"):
        (solution / "syn" / "report" / name).unlink()
    (solution / "syn" / "report" / "myproject_csynth.xml").write_text(csynth_xml(Fake(top="other")))
    with pytest.raises(ReportError, match=r"myproject_csynth\.xml.*other"):
        read_project(tmp_path)


def test_reports_older_than_the_firmware_are_noted(tmp_path: Path) -> None:
    solution = write_project(tmp_path)
    for path in (solution / "syn" / "report").iterdir():
        os.utime(path, (1e9, 1e9))
    assert any("newer than its reports" in note for note in read_project(tmp_path).notes)


def _folder_of_that_name(report: Path) -> None:
    (report / "csynth.rpt").unlink()
    (report / "csynth.rpt").mkdir()
    (report / "z_csynth.xml").mkdir()


def _links_to_nowhere(report: Path) -> None:
    (report / "self_csynth.rpt").symlink_to(report / "self_csynth.rpt")
    (report / "gone_csynth.xml").symlink_to("/nonexistent")
    (report / "up").symlink_to(report.parent)


def _a_huge_neighbour(report: Path) -> None:
    with (report / "huge_csynth.rpt").open("wb") as stream:
        stream.truncate(2**32)


def _a_damaged_date(report: Path) -> None:
    path = report / "csynth.rpt"
    path.write_text(path.read_text().replace("* Date:           Mon", "* Date:           Xyz"))


@pytest.mark.parametrize(
    "disturb", [_folder_of_that_name, _links_to_nowhere, _a_huge_neighbour, _a_damaged_date]
)
def test_what_else_lies_in_the_folder_does_not_matter(
    tmp_path: Path, disturb: Callable[[Path], None]
) -> None:
    disturb(write_project(tmp_path) / "syn" / "report")
    latency = read_project(tmp_path).latency
    assert latency is not None
    assert latency.cycles_max == 12


def test_folders_that_are_named_like_reports_are_no_reports(tmp_path: Path) -> None:
    (tmp_path / "myproject_csynth.xml").mkdir()
    with pytest.raises(ReportError, match="no synthesis report"):
        find_reports(tmp_path)


def test_a_second_report_that_breaks_off_is_noted(tmp_path: Path) -> None:
    text = write_project(tmp_path) / "syn" / "report" / "myproject_csynth.rpt"
    text.write_text(text.read_text()[: text.read_text().index("* Summary", 1700)])
    assert any(
        "myproject_csynth.rpt: resource totals missing" in note for note in read_project(tmp_path).notes
    )


def test_vivado_figures_of_another_design_are_noted(tmp_path: Path) -> None:
    write_project(tmp_path, vsynth=utilization_rpt(Fake(top="design_1_wrapper")))
    assert any("is of design_1_wrapper" in note for note in read_project(tmp_path).notes)
