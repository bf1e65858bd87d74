"""Which source a design is measured by, with and without the vendor's tool on PATH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import ToolFailed
from pquant_hls.hls import HlsProject
from pquant_hls.measure import measure_better, measure_design, measure_project
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.spec import Budget, HlsSpec
from tests.helpers import cycles_of, known, latency_of
from tests.readers.report_factory import Fake, csynth_rpt, csynth_xml, summary_rpt

BUDGET = Budget(latency_ns=60)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HlsProject:
    """A project of one dense layer, and what a mock tool reports of it (12 cycles)."""
    folder, canned = tmp_path / "project", tmp_path / "canned" / "syn" / "report"
    folder.mkdir()
    canned.mkdir(parents=True)
    (folder / "project.tcl").write_text('set project_name "myproject"\nset backend "vitis"\n')
    (folder / "build_prj.tcl").write_text("source [file join $tcldir build_opt.tcl]\n")
    for name, text in (
        ("myproject_csynth.xml", csynth_xml),
        ("myproject_csynth.rpt", csynth_rpt),
        ("csynth.rpt", summary_rpt),
    ):
        (canned / name).write_text(text(Fake()))
    monkeypatch.setenv("MOCK_REPORTS", str(tmp_path / "canned"))
    kind, rng = FixedType(8, 3), np.random.default_rng(0)
    weights = {
        "weight": FixedArray(rng.integers(-60, 60, (16, 8)), 6),
        "bias": FixedArray(rng.integers(-9, 9, 8), 6),
    }
    types = {"weight": FixedType(8, 2), "bias": FixedType(8, 2), "accum": FixedType(22, 9)}
    nodes = (
        Node("x", "input", (), (16,), kind),
        Node("fc", "dense", ("x",), (8,), FixedType(22, 9), types, weights),
    )
    return HlsProject(
        path=folder,
        name="myproject",
        inputs=(),
        outputs=(),
        spec=HlsSpec(),
        graph=FixedPointGraph(nodes, ("fc",)),
    )


def test_auto_estimates_where_there_is_no_tool(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path
) -> None:
    qor = measure_design(project, BUDGET, tmp_path)
    assert qor.source == "estimate"
    assert latency_of(qor).is_interval
    assert measure_better(project, qor) is None


def test_auto_synthesises_where_there_is_one_and_keeps_the_estimators_error(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path
) -> None:
    guess = measure_design(project, BUDGET, tmp_path)
    add_tool("vitis_hls")
    qor = measure_design(project, BUDGET, tmp_path)
    assert (qor.source, cycles_of(qor)) == ("csynth", 12)
    assert not latency_of(qor).is_interval
    assert qor.metrics["estimate_error_cycles"] == cycles_of(guess) - 12


def test_an_open_estimate_is_resolved_by_synthesis(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path
) -> None:
    guess = measure_design(project, Budget(latency_ns=60, measure="estimate"), tmp_path)
    add_tool("vitis_hls")
    better = measure_better(project, guess)
    assert better is not None
    assert better.source == "csynth"
    assert measure_better(project, better) is None, "nothing is better than the tool's own figure"


def test_a_tool_that_fails_is_not_replaced_by_a_guess(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", "license")
    with pytest.raises(ToolFailed, match=r"(?i)licen"):
        measure_design(project, BUDGET, tmp_path)


def test_an_estimate_stays_open_where_the_tool_fails(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess = measure_design(project, Budget(latency_ns=60, measure="estimate"), tmp_path)
    add_tool("vitis_hls")
    monkeypatch.setenv("MOCK_MODE", "license")
    left = known(measure_better(project, guess))
    assert (left.source, left.latency) == ("estimate", guess.latency)
    assert "valid license" in left.notes[-1]


def test_a_prefix_says_where_the_tool_is(
    project: HlsProject, add_tool: Callable[..., Path], tmp_path: Path
) -> None:
    far = tmp_path / "far"
    near = add_tool("far_run", f'#!/bin/sh\nprintf \'%s\\n\' "$*" >> {far}\nexec "$@"\n')
    add_tool("vitis_hls")
    add_tool("which", '#!/bin/sh\ncommand -v "$1"\n')
    elsewhere = replace(project, spec=HlsSpec(tool_prefix=(str(near),)))
    assert measure_design(elsewhere, BUDGET, tmp_path).source == "csynth"
    assert "build_prj.tcl" in far.read_text()


def test_a_report_file_alone_is_measured(project: HlsProject, tmp_path: Path) -> None:
    path = tmp_path / "canned" / "syn" / "report" / "myproject_csynth.xml"
    assert cycles_of(measure_project(path)) == 12
