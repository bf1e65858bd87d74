"""A backend that this package does not know is measured as itself: never by another's tool, rules or name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import SpecError, ToolFailed, ToolNotFound
from pquant_hls.hls import HlsProject
from pquant_hls.measure import has_synthesis, measure_design, target_of
from pquant_hls.programs import Executable, Limits
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Latency, Node, QoR
from pquant_hls.spec import BACKENDS, Backend, Budget, HlsSpec, Recipe
from pquant_hls.toolchain import doctor, synthesize

AddTool = Callable[..., Path]
BUDGET = Budget(latency_ns=60)
TOOL = """#!/bin/sh
if [ "$1" = --version ]; then echo 'Third HLS 7.1'; exit 0; fi
echo "$@" > arguments.txt
echo '{"cycles": 9}' > third.json
"""


def read(folder: Path) -> QoR:
    cycles = json.loads((folder / "third.json").read_text())["cycles"]
    latency = Latency(cycles_min=cycles, cycles_max=cycles, clock_target_ns=4.0, clock_estimated_ns=3.5)
    return QoR(source="csynth", tool="Third HLS 7.1", latency=latency)


THIRD = Backend(
    name="Third",
    programs=(Executable("third_hls", arguments=("--script", "build_prj.tcl")),),
    uncertainty="10%",
    strategies=("latency",),
    io_types=("io_parallel",),
    read=read,
)


@pytest.fixture(autouse=True)
def third() -> Iterator[Backend]:
    BACKENDS.register("Third", THIRD)
    yield THIRD
    BACKENDS.unregister("Third")


@pytest.fixture
def project(tmp_path: Path) -> HlsProject:
    folder, kind = tmp_path / "project", FixedType(8, 3)
    folder.mkdir()
    (folder / "project.tcl").write_text('set project_name "myproject"\nset backend "third"\n')
    (folder / "build_prj.tcl").write_text("source [file join $tcldir build_opt.tcl]\n")
    weights = {
        "weight": FixedArray(np.ones((4, 2), np.int64), 6),
        "bias": FixedArray(np.ones(2, np.int64), 6),
    }
    types = {"weight": FixedType(8, 2), "bias": FixedType(8, 2), "accum": FixedType(22, 9)}
    nodes = (
        Node("x", "input", (), (4,), kind),
        Node("fc", "dense", ("x",), (2,), FixedType(22, 9), types, weights),
    )
    graph = FixedPointGraph(nodes, ("fc",))
    return HlsProject(
        path=folder, name="myproject", inputs=(), outputs=(), spec=HlsSpec(backend="third"), graph=graph
    )


def test_its_own_program_is_run_and_its_own_report_read(project: HlsProject, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    add_tool("vivado_hls")
    with pytest.raises(ToolNotFound, match="third_hls is not on PATH"):
        synthesize(project.path)
    add_tool("third_hls", TOOL)
    assert synthesize(project.path).tool == "Third HLS 7.1"
    assert (project.path / "arguments.txt").read_text().split() == ["--script", "build_prj.tcl"]


def test_a_design_is_measured_by_it_where_it_is_and_estimated_by_nobody(
    project: HlsProject, add_tool: AddTool, tmp_path: Path
) -> None:
    add_tool("vitis_hls")
    assert project.spec is not None
    assert not has_synthesis(project.spec)
    assert target_of(project.spec).tool is None
    without = measure_design(project, BUDGET, tmp_path)
    assert without.latency is None
    assert "no rules for this backend" in without.notes[0]
    add_tool("third_hls", TOOL)
    assert has_synthesis(project.spec)
    found = measure_design(project, BUDGET, tmp_path)
    assert found.latency is not None
    assert (found.source, found.tool, found.latency.cycles_max) == ("csynth", "Third HLS 7.1", 9)


def test_its_limits_hold(project: HlsProject, add_tool: AddTool) -> None:
    BACKENDS.register("Third", replace(THIRD, limits=Limits(0.5)))
    add_tool("third_hls", "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(ToolFailed, match=r"took longer than 0\.5 s"):
        synthesize(project.path)


def test_the_doctor_names_it(add_tool: AddTool) -> None:
    add_tool("third_hls", TOOL)
    checks = {check.name: check for check in doctor()}
    assert checks["third_hls"].version == "7.1"
    assert "Third projects" in checks["third_hls"].means
    assert "license" not in checks, "a tool without a license of AMD's"


def test_what_it_builds_is_its_own_word() -> None:
    assert HlsSpec(backend="third").clock_uncertainty_ns == pytest.approx(0.5)
    with pytest.raises(SpecError, match="Third builds no io_type 'io_stream', known are io_parallel"):
        HlsSpec.parse({"backend": "Third", "io_type": "io_stream"})


def test_an_unknown_backend_is_refused_at_the_recipe_naming_the_known() -> None:
    recipe = {
        "name": "one",
        "steps": [{"step": "prune"}],
        "budget": {"latency_ns": 60},
        "hls": {"backend": "Fourth"},
    }
    with pytest.raises(SpecError, match=r"unknown backend 'Fourth' .*Third, Vitis, Vivado") as caught:
        Recipe.parse(recipe)
    assert caught.value.where == "hls.backend"


def test_a_project_of_an_unknown_backend_is_run_by_nobody(project: HlsProject, add_tool: AddTool) -> None:
    add_tool("vitis_hls")
    add_tool("vivado_hls")
    (project.path / "project.tcl").write_text('set project_name "myproject"\nset backend "fourth"\n')
    with pytest.raises(SpecError, match="unknown backend 'fourth'"):
        synthesize(project.path)
