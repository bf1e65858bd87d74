"""The Verilog project: what is written, what a simulator sees, what Yosys counts."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pquant_hls.errors import GoldenError, NotMeasured, OutputError, ToolFailed, ToolNotFound
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node, Target
from pquant_hls.rtl import (
    RtlProject,
    emulate,
    load_rtl_project,
    measure_rtl,
    simulate,
    synthesize,
    to_verilog,
)
from pquant_hls.rtl.project import inputs_in_range
from pquant_hls.rtl.synthesis import resources
from tests.helpers import cycles_of, known, latency_of, resources_of, single
from tests.rtl import rtl_graphs as graphs

TARGET = Target(part="xcvu13p-flga2577-2-e", clock_ns=5.0, clock_uncertainty_ns=1.35)


def small_net(seed: int = 0, widths: tuple[int, ...] = (4, 6, 3)) -> FixedPointGraph:
    rng = np.random.default_rng(seed)
    nodes = [Node("x", "input", (), widths[:1], FixedType(6, 2))]
    for index, (n_in, n_out) in enumerate(pairwise(widths)):
        arrays = {
            "weight": FixedArray(rng.integers(-8, 8, (n_in, n_out)), 3),
            "bias": FixedArray(rng.integers(-8, 8, n_out), 3),
        }
        last = nodes[-1].name
        nodes.append(
            Node(
                f"dense{index}",
                "dense",
                (last,),
                (n_out,),
                FixedType(16, 8),
                {"accum": FixedType(16, 8)},
                arrays,
            )
        )
        relu = FixedType(6, 3, signed=False, rounding="RND_CONV", saturation="SAT")
        nodes.append(Node(f"relu{index}", "relu", (f"dense{index}",), (n_out,), relu))
    return FixedPointGraph(tuple(nodes[:-1]), (nodes[-2].name,), name="net")


@pytest.fixture(scope="module")
def net() -> FixedPointGraph:
    return small_net()


@pytest.fixture(scope="module")
def project(net: FixedPointGraph, tmp_path_factory: pytest.TempPathFactory) -> RtlProject:
    return to_verilog(net, TARGET, tmp_path_factory.mktemp("rtl") / "net")


def test_simulated_outputs_and_cycles_are_those_of_the_emulator_and_the_construction(
    project: RtlProject, net: FixedPointGraph
) -> None:
    x = inputs_in_range(net, 40, seed=3)
    found = simulate(project, x)
    np.testing.assert_array_equal(found.outputs, emulate(net, x))
    assert found.cycles == project.latency_cycles == project.stages + 1


def test_a_design_may_be_asked_for_the_stages_of_another(
    project: RtlProject, net: FixedPointGraph, tmp_path: Path
) -> None:
    deeper = to_verilog(net, TARGET, tmp_path / "net", least_stages=project.stages + 2)
    assert deeper.latency_cycles == project.latency_cycles + 2
    x = inputs_in_range(net, 8, seed=3)
    found = simulate(deeper, x)
    assert found.cycles == deeper.latency_cycles
    np.testing.assert_array_equal(found.outputs, emulate(net, x))
    assert to_verilog(net, TARGET, tmp_path / "least", least_stages=1).stages == project.stages


ANY_GRAPH = st.one_of(
    graphs.pointwise_graph(),
    graphs.merge_graph(),
    graphs.pool_graph(),
    graphs.conv_graph(),
    graphs.dense_graph(),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=ANY_GRAPH)
def test_random_graphs_simulate_as_they_are_emulated(
    tmp_path_factory: pytest.TempPathFactory, graph: FixedPointGraph
) -> None:
    x = inputs_in_range(graph, 20, seed=1)
    expected = listed(emulate(graph, x))
    assume(any((out != out[:1]).any() for out in expected))  # a drawn graph may ignore its inputs
    built = to_verilog(graph, TARGET, tmp_path_factory.mktemp("rtl") / "p")
    for got, want in zip(listed(simulate(built, x).outputs), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def listed(outputs: np.ndarray | list[np.ndarray]) -> list[np.ndarray]:
    return outputs if isinstance(outputs, list) else [outputs]


def test_a_user_can_run_the_testbench_by_the_line_in_the_readme(project: RtlProject) -> None:
    assert (
        f"iverilog -g2012 -o tb {project.name}_tb.v ../src/*.v && vvp tb"
        in (project.path / "README.md").read_text()
    )
    sim = project.path / "sim"
    sources = [str(path) for path in (project.testbench, *project.sources)]
    subprocess.run(["iverilog", "-g2012", "-o", "tb", *sources], cwd=sim, check=True)
    said = subprocess.run(["vvp", "-n", "tb"], cwd=sim, check=True, capture_output=True, text=True).stdout
    assert f"PASS: 64 vectors, latency {project.latency_cycles} cycles" in said


def test_an_edited_line_is_noticed(net: FixedPointGraph, tmp_path: Path) -> None:
    built = to_verilog(net, TARGET, tmp_path / "p")
    core = built.sources[1]
    lines = core.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "model_out[" in line and "<=" in line)
    lines[at] = lines[at].replace("<= ", "<= ~")  # the output register takes the inverse
    core.write_text("\n".join(lines))
    with pytest.raises(ToolFailed, match="never gives the golden outputs"):
        simulate(built)


def test_one_more_register_is_noticed(net: FixedPointGraph, tmp_path: Path) -> None:
    built = to_verilog(net, TARGET, tmp_path / "p")
    top = built.sources[0]
    wide = sum(port.bits for port in built.ports[0])
    text = top.read_text().replace(".model_inp(core_in)", ".model_inp(late)")
    top.write_text(
        text.replace(
            "wire [", f"reg [{wide - 1}:0] late; always @(posedge clk) late <= core_in;\n    wire [", 1
        )
    )
    assert simulate(built).cycles == built.latency_cycles + 1


def test_a_faster_clock_takes_more_stages_and_never_a_longer_one(
    net: FixedPointGraph, tmp_path: Path
) -> None:
    built = [
        to_verilog(
            net, Target(part=TARGET.part, clock_ns=ns, clock_uncertainty_ns=0.1 * ns), tmp_path / str(ns)
        )
        for ns in (20.0, 5.0, 2.5)
    ]
    stages = [project.stages for project in built]
    assert stages == sorted(stages)
    assert stages[0] == 1 < stages[-1]
    for project, ns in zip(built, (20.0, 5.0, 2.5), strict=True):
        assert project.stage_typical_ns <= 0.9 * ns
        assert project.stage_worst_ns <= ns


def test_the_family_changes_the_stages(net: FixedPointGraph, tmp_path: Path) -> None:
    old = to_verilog(net, TARGET.model_copy(update={"part": "xc7vx690tffg1927-2"}), tmp_path / "v7")
    new = to_verilog(net, TARGET, tmp_path / "vu13p")
    assert old.stages > new.stages
    with pytest.raises(NotMeasured, match="versal"):
        to_verilog(net, TARGET.model_copy(update={"part": "xcvc1902-vsva2197-2MP-e-S"}), tmp_path / "versal")


def test_two_designs_share_no_module_name(net: FixedPointGraph, tmp_path: Path) -> None:
    named = [to_verilog(net, TARGET, tmp_path / name, name=name) for name in ("first", "second")]
    modules = [
        {
            line.split()[1]
            for path in project.sources
            for line in path.read_text().splitlines()
            if line.startswith("module ")
        }
        for project in named
    ]
    assert modules[0].isdisjoint(modules[1])
    assert all(name.startswith("first") for name in modules[0])


def test_the_written_folder_is_read_back_and_says_what_it_is(
    project: RtlProject, net: FixedPointGraph
) -> None:
    again = load_rtl_project(project.path)
    assert again.graph.digest() == net.digest()
    assert (again.latency_cycles, again.target) == (project.latency_cycles, TARGET)
    assert json.loads((project.path / "rtl.json").read_text())["schema_version"] == 1
    assert "create_clock -name clk -period 5.0" in (project.path / "constraints" / "net.xdc").read_text()
    assert "-part xcvu13p-flga2577-2-e" in (project.path / "vivado.tcl").read_text()


def test_a_folder_of_something_else_is_left_alone(net: FixedPointGraph, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError):
        to_verilog(net, TARGET, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_own_folder_is_replaced_whole(net: FixedPointGraph, tmp_path: Path) -> None:
    to_verilog(net, TARGET, tmp_path / "p", name="old")
    to_verilog(net, TARGET, tmp_path / "p", name="new")
    assert {path.name for path in (tmp_path / "p" / "src").iterdir()} == {"new.v", "new_core.v"}


@pytest.mark.parametrize("damage", ["{", "{}", '{"schema_version": 99}', "[1]"])
def test_a_damaged_description_is_named(project: RtlProject, tmp_path: Path, damage: str) -> None:
    (tmp_path / "rtl.json").write_text(damage)
    with pytest.raises(OutputError, match=r"rtl\.json"):
        load_rtl_project(tmp_path)


def test_without_a_simulator_the_mend_is_said(
    project: RtlProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolNotFound, match="apt-get install iverilog"):
        simulate(project)


def test_without_any_tool_the_record_holds_cycles_and_says_what_is_missing(
    net: FixedPointGraph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    qor = measure_rtl(net, TARGET, tmp_path / "p")
    assert qor.latency is not None
    assert qor.latency.cycles_max is not None
    assert qor.resources is not None
    assert qor.resources.lut is not None
    assert qor.metrics == {}
    assert sum("apt-get install iverilog" in note for note in qor.notes) == 1
    assert sum("pip install 'pquant_hls[rtl]'" in note for note in qor.notes) == 1


def test_without_simulation_the_cycles_are_those_of_construction(
    net: FixedPointGraph, tmp_path: Path
) -> None:
    whole, bare = (
        measure_rtl(net, TARGET, tmp_path / name, yosys=False, simulation=name == "whole")
        for name in ("whole", "bare")
    )
    assert known(bare.latency).cycles_max == known(whole.latency).cycles_max
    assert "cycles by construction, not simulated" in bare.notes
    assert not any("not simulated" in note for note in whole.notes)


def test_golden_outputs_that_are_not_csims_are_refused(net: FixedPointGraph, tmp_path: Path) -> None:
    x = inputs_in_range(net, 8)
    expected = single(emulate(net, x))
    expected[5, 1] += 0.125
    with pytest.raises(GoldenError, match=r"\[5, 1\]"):
        measure_rtl(net, TARGET, tmp_path / "p", x_golden=x, expected=expected)


def test_yosys_counts_the_cells_and_the_record_can_be_judged(tmp_path: Path) -> None:
    pytest.importorskip("pyosys")
    net = small_net(widths=(2, 2))
    x = inputs_in_range(net, 16)
    qor = measure_rtl(net, TARGET, tmp_path / "p", x_golden=x, expected=emulate(net, x))
    project = load_rtl_project(tmp_path / "p")
    assert (qor.design, qor.source) == ("rtl", "rtl")
    assert qor.resources is not None
    low, lut, high = (known(qor.metrics[f"yosys_lut{end}"]) for end in ("_lo", "", "_hi"))
    assert 0 < low <= lut <= high
    # the registers of the pipeline, less what Yosys finds constant or moves into shift registers
    assert 0 < known(qor.metrics["yosys_ff"]) <= project.register_bits == resources_of(qor).ff
    assert (qor.resources.dsp, qor.metrics["yosys_dsp"]) == (0, 0)
    assert cycles_of(qor) == project.latency_cycles
    assert latency_of(qor).ii_cycles == 1
    assert latency_of(qor).worst_ns == latency_of(qor).worst_ns_hi == project.latency_cycles * 5.0


def test_luts_are_an_interval_as_vivado_may_pack_them() -> None:
    used = resources(
        {"LUT2": 10, "LUT5": 3, "LUT6": 4, "SRL16E": 1, "INV": 2, "FDRE": 7, "RAMB36E2": 1, "CARRY4": 9}
    )
    assert (used.lut, used.intervals["lut"], used.ff, used.bram_18k, used.dsp) == (18, (12, 20), 7, 2, 0)


def test_yosys_time_limit_is_kept(project: RtlProject) -> None:
    pytest.importorskip("pyosys")
    with pytest.raises(ToolFailed, match="Yosys took longer"):
        synthesize(project, timeout_s=0.2)


def test_a_refused_graph_leaves_nothing_behind(net: FixedPointGraph, tmp_path: Path) -> None:
    soft = Node("soft", "softmax", net.outputs, (3,), FixedType(8, 1))
    with pytest.raises(NotMeasured, match="soft"):
        to_verilog(FixedPointGraph((*net.nodes, soft), ("soft",)), TARGET, tmp_path / "p")
    assert list(tmp_path.iterdir()) == []
