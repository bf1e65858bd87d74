"""Evaluators by name and entry point: the built-in ones, and one of a package that this one has never heard of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.cli import main
from pquant_hls.errors import NotMeasured, SpecError, ToolNotFound
from pquant_hls.hls import HlsProject
from pquant_hls.measure import EVALUATORS, Evaluator, check_source, measure_design, measure_project
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.spec import Budget, HlsSpec, Recipe
from tests.helpers import Tiny, known, resources_of

Install = Callable[..., None]
BUILT_IN = ("cosim", "csynth", "estimate", "report", "rtl", "vsynth")
MINE = """
from pquant_hls.errors import NotMeasured
from pquant_hls.measure import Design, Evaluator
from pquant_hls.qor import Latency, QoR


class Mine(Evaluator):
    def measure(self, design: Design) -> QoR:
        if not (design.path / "cycles.txt").is_file():
            raise NotMeasured("the board is off", where=design.path)
        cycles = int((design.path / "cycles.txt").read_text())
        (design.work / "board.log").write_text("asked")
        return QoR(latency=Latency(cycles_max=cycles, clock_target_ns=4.0, clock_estimated_ns=3.0))


class OfVerilog(Mine):
    describes = "rtl"


no_evaluator = 7
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A distribution with entry points on ``sys.path``, as pip would leave it."""

    def add(name: str, points: str, module: str = "") -> None:
        site = tmp_path / f"site_{name}"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pquant_hls.evaluators]\n{points}\n")
        (site / f"{name}_module.py").write_text(module)
        monkeypatch.syspath_prepend(str(site))

    yield add
    monkeypatch.undo()
    for module in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[module]


@pytest.fixture
def mine(install: Install) -> None:
    install("mine", "mine = mine_module:Mine\nmine_rtl = mine_module:OfVerilog", MINE)


@pytest.fixture
def project(tmp_path: Path) -> HlsProject:
    folder, kind = tmp_path / "project", FixedType(8, 3)
    folder.mkdir()
    weights = {
        "weight": FixedArray(np.ones((4, 2), np.int64), 6),
        "bias": FixedArray(np.ones(2, np.int64), 6),
    }
    types = {"weight": FixedType(8, 2), "bias": FixedType(8, 2), "accum": FixedType(22, 9)}
    nodes = (
        Node("x", "input", (), (4,), kind),
        Node("fc", "dense", ("x",), (2,), FixedType(22, 9), types, weights),
    )
    return HlsProject(folder, "myproject", (), (), spec=HlsSpec(), graph=FixedPointGraph(nodes, ("fc",)))


def test_our_own_are_registered_as_a_third_partys_are() -> None:
    assert EVALUATORS.names() == BUILT_IN
    assert all(isinstance(EVALUATORS.find(name), Evaluator) for name in BUILT_IN)


@pytest.mark.usefixtures("mine")
def test_another_packages_measures_a_project_by_its_name(
    project: HlsProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.path / "cycles.txt").write_text("11")
    found = measure_project(project.path, using="mine", work=tmp_path)
    assert found.latency is not None
    assert (found.source, found.latency.worst_ns) == ("mine", 44.0)
    assert (tmp_path / "board.log").read_text() == "asked"
    with pytest.raises(SystemExit) as left:
        main(["measure", str(project.path), "--using", "mine"])
    assert left.value.code == 0
    assert "source: mine" in capsys.readouterr().out


@pytest.mark.usefixtures("mine")
def test_a_budget_names_it(project: HlsProject, tmp_path: Path) -> None:
    recipe = Recipe.parse(
        {"name": "x", "steps": [{"step": "prune"}], "budget": {"latency_ns": 60, "measure": "mine"}}
    )
    check_source(recipe.budget, HlsSpec())
    silent = measure_design(project, recipe.budget, tmp_path)
    assert (silent.source, silent.latency) == ("mine", None)
    assert "the board is off" in silent.notes[0]
    (project.path / "cycles.txt").write_text("11")
    found = measure_design(project, recipe.budget, tmp_path)
    assert found.latency is not None
    assert (found.source, found.latency.cycles_max) == ("mine", 11)


@pytest.mark.usefixtures("mine")
def test_what_it_cannot_tell_is_an_error_where_it_is_asked_for(project: HlsProject) -> None:
    with pytest.raises(NotMeasured, match="the board is off"):
        measure_project(project.path, using="mine")


@pytest.mark.usefixtures("mine")
def test_figures_of_another_design_are_refused_before_any_work() -> None:
    check_source(Budget(latency_ns=60, deliver="rtl", measure="mine_rtl"), HlsSpec())
    with pytest.raises(SpecError, match="mine_rtl describes the rtl design, and hls is delivered"):
        check_source(Budget(latency_ns=60, measure="mine_rtl"), HlsSpec())


def test_a_tool_that_is_absent_is_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolNotFound, match="csynth needs Vitis HLS, which is not on PATH"):
        check_source(Budget(latency_ns=60, measure="csynth"), HlsSpec())
    check_source(Budget(latency_ns=60), HlsSpec())


def test_an_unknown_name_is_an_error_that_lists_the_known(project: HlsProject) -> None:
    listed = r"unknown evaluator 'board' \(known are cosim, csynth, estimate, report, rtl, vsynth\)"
    with pytest.raises(SpecError, match=listed):
        measure_project(project.path, using="board")
    with pytest.raises(SpecError, match=listed) as caught:
        Budget.parse({"latency_ns": 60, "measure": "board"}, path="budget")
    assert caught.value.where == "budget.measure"


def test_what_a_package_offers_is_checked(install: Install, project: HlsProject) -> None:
    install("wrong", "gone = nowhere:It\nseven = wrong_module:no_evaluator", MINE)
    with pytest.raises(SpecError, match="evaluator 'gone' cannot be loaded: No module named 'nowhere'"):
        measure_project(project.path, using="gone")
    with pytest.raises(SpecError, match="evaluator 'seven' is a int, no Evaluator"):
        measure_project(project.path, using="seven")


def test_a_name_that_two_packages_offer_is_an_error(install: Install, project: HlsProject) -> None:
    install("other", "csynth = other_module:Mine", MINE)
    with pytest.raises(SpecError, match="'csynth' is offered by other_module:Mine and pquant_hls"):
        measure_project(project.path, using="estimate")


def test_the_design_is_asked_for_only_what_it_has(project: HlsProject, tmp_path: Path) -> None:
    bare = replace(project, graph=None)
    found = measure_design(bare, Budget(latency_ns=60, measure="estimate"), tmp_path)
    assert (found.source, found.latency) == ("estimate", None)
    assert "calls a layer" in found.notes[0], "there is neither a graph nor sources to read one from"
    foreign = replace(project, spec=None)
    assert measure_design(foreign, Budget(latency_ns=60), tmp_path).latency is None


def test_looking_at_every_evaluator_and_backend_loads_no_training_stack() -> None:
    code = (
        "import sys\nfrom pquant_hls.measure import EVALUATORS\nfrom pquant_hls.spec import BACKENDS\n"
        "[registry.find(name) for registry in (EVALUATORS, BACKENDS) for name in registry.names()]\n"
        "sys.exit(str({'tensorflow', 'keras', 'hls4ml', 'alkaid'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.gxx
def test_a_project_that_was_edited_is_measured_as_it_is_now(tiny: Tiny, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.project, tmp_path / "edited"))
    before = measure_project(folder, "estimate")
    assert not any("edited" in note for note in before.notes)
    defines = folder / "firmware" / "defines.h"
    text = defines.read_text()
    assert text.count("typedef ap_fixed<8,4,AP_RND_CONV,AP_SAT,0> input_t;") == 1
    defines.write_text(
        text.replace(
            "ap_fixed<8,4,AP_RND_CONV,AP_SAT,0> input_t", "ap_fixed<14,4,AP_RND_CONV,AP_SAT,0> input_t"
        )
    )
    after = measure_project(folder, "estimate")
    assert "edited since the conversion: firmware/defines.h" in after.notes
    assert known(resources_of(after).lut) != known(resources_of(before).lut)
