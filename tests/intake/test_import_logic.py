"""Programs of alkaid and da4ml, read from what these packages write, as projects whose csim computes the same bits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alkaid.trace import FVArrayInput, trace
from alkaid.trace import HWConfig as Hardware

from pquant_hls.errors import UnsupportedModel
from pquant_hls.estimate import estimate
from pquant_hls.firmware import find, read_graph
from pquant_hls.hls import load_project
from pquant_hls.intake import logic_file
from pquant_hls.intake.logic import logic_graph
from pquant_hls.measure import measure_project, target_of
from pquant_hls.qor import FixedPointGraph
from pquant_hls.qor.logic import Code, Logic, LogicOp
from pquant_hls.rtl import emulate
from pquant_hls.rtl.logic import comb_logic, read_logic
from pquant_hls.spec import HlsSpec
from tests.helpers import Shell

RNG = np.random.default_rng(3)
HIDDEN, OUT = RNG.integers(-8, 8, (6, 8)) / 8, RNG.integers(-8, 8, (8, 3)) / 4
X = np.random.default_rng(4).uniform(-9.0, 9.0, (500, 6))


def network(x: Any) -> Any:
    """Sums, relus, casts, products, maxima and a result that is always 0."""
    hidden = np.maximum(x @ HIDDEN, 0).quantize(0, 3, 2)
    sums = hidden @ OUT + 0.25
    larger = np.maximum(-sums[:1], sums[1:2])
    return np.concatenate([sums, larger, sums[:1] * hidden[:1], hidden[:1] - hidden[:1]])


@pytest.fixture(scope="module")
def alkaid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = FVArrayInput(6, Hardware(1, 1, -1))
    path = tmp_path_factory.mktemp("alkaid") / "tagger.json.gz"
    trace(x, network(x.quantize(1, 3, 3))).save(path)
    return path


@pytest.fixture(scope="module")
def da4ml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    da4ml = pytest.importorskip("da4ml.trace", reason="needs da4ml, the extra 'da'")
    x = da4ml.FixedVariableArrayInput(6, da4ml.HWConfig(1, -1, -1))
    folder = tmp_path_factory.mktemp("da4ml")
    (folder / "model").mkdir()
    da4ml.comb_trace(x, network(x.quantize(1, 3, 3))).save(folder / "model" / "comb.json")
    return folder


def test_a_program_is_read_kept_and_run_as_it_was_saved(alkaid_file: Path) -> None:
    from alkaid.types import CombLogic

    logic = read_logic(alkaid_file)
    graph = logic_graph(logic, HlsSpec())
    again = FixedPointGraph.from_bytes(graph.to_bytes())
    expected = CombLogic.load(alkaid_file).predict(graph.inputs[0].result.quantize(X))
    assert np.array_equal(emulate(again, X), expected)
    assert np.unique(expected, axis=0).shape[0] > 100


def test_da4ml_negations_become_operations_of_their_own(da4ml_folder: Path) -> None:
    da4ml: Any = pytest.importorskip("da4ml.cmvm.types")

    file = logic_file(da4ml_folder)
    assert file is not None
    saved = da4ml.CombLogic.load(file)
    assert {op.opcode for op in saved.ops} & {-6, -2, -3}  # else nothing is tested
    x = np.floor(X * 8) / 8
    assert np.array_equal(comb_logic(read_logic(file)).predict(x), saved.predict(x))


def test_slower_clocks_need_fewer_cycles(alkaid_file: Path) -> None:
    graph = logic_graph(read_logic(alkaid_file), HlsSpec())
    found = [estimate(graph, target_of(HlsSpec(clock_ns=clock))).latency for clock in (1.5, 5.0, 12.0)]
    cycles = [one.cycles_max for one in found if one is not None and one.cycles_max is not None]
    assert len(cycles) == 3
    assert cycles[0] > cycles[1] >= cycles[2]


@pytest.mark.gxx
@pytest.mark.slow
def test_an_imported_program_is_measured_checked_and_read_from_its_sources(
    alkaid_file: Path, tmp_path: Path, shell: Shell
) -> None:
    out = tmp_path / "project"
    status, said, _ = shell(
        "import", alkaid_file, "-o", out, "--part", "xcvu13p-flga2577-2-e", "--clock", "2.5"
    )
    assert status == 0
    assert "csim equals alkaid's interpreter on 1,000 vectors" in said
    project = load_project(out)
    assert project.graph is not None
    assert shell("csim", "check", out, "--golden", out / "pquant_golden.npz")[0] == 0
    for source in ("estimate", "rtl"):
        qor = measure_project(out, source, work=tmp_path / "rtl")
        assert qor.latency is not None
        assert qor.resources is not None
        assert qor.resources.lut is not None
    read = read_graph(find(out))
    assert [node.op for node in read.nodes] == ["input", "logic"]
    assert np.array_equal(emulate(read, X), emulate(project.graph, X))
    assert shell("lint", out)[0] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[1, 2]", "no combinational program"),
        ('{"meta": "ALIRFSM"}', "a ALIRFSM"),
        ('{"meta": "ALIRModel", "spec_version": 9, "model": [1,2,3,4,5,[],7,8]}', "version"),
        ('{"meta": "ALIRModel", "spec_version": 4, "model": [[1,1],[0],[0],[0],[false],[]]}', "damaged"),
        (
            '{"meta": "ALIRModel", "spec_version": 4, "model": [[1,1],[0],[5],[0],[false],[],1,1]}',
            "none of 0",
        ),
        (
            '{"meta": "ALIRModel", "spec_version": 4, "model": [[1,1],[2],[0],[0],[false],[],1,1]}',
            "shifts its inputs",
        ),
        ("[[1,1],[0],[0],[0],[false],[[0,0,77,0,[0,1,1],0,0]],1,1]", "77 is not da4ml's"),
    ],
)
def test_what_is_no_program_is_said(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "comb.json"
    path.write_text(text)
    with pytest.raises(UnsupportedModel, match=said):
        read_logic(path)


def test_truncated_and_missing_files_are_said(tmp_path: Path) -> None:
    path = tmp_path / "comb.json.gz"
    path.write_bytes(gzip.compress(json.dumps([0] * 1000).encode())[:-20])
    with pytest.raises(UnsupportedModel, match="is no JSON"):
        read_logic(path)
    with pytest.raises(UnsupportedModel, match="no such file"):
        read_logic(tmp_path / "other.json")


def op(code: int, reads: tuple[int, ...] = (), data: tuple[int, ...] = (), high: int = 7) -> LogicOp:
    return LogicOp(code, reads, data, 0, high, 0)


@pytest.mark.parametrize(
    ("ops", "said"),
    [
        ((op(Code.INPUT, (), (1,)),), "reads input 1 of 1"),
        ((op(Code.ADD, (0, 1), (0,)),), "not computed before"),
        ((op(Code.INPUT, (), ()),), "is no operation"),
        ((op(42),), "is no operation"),
        ((op(Code.SUM, (0,), (1, 0)),), "is no operation"),
        ((op(Code.INPUT, (), (0,), high=1 << 60),), "at most 53 bits"),
        ((op(Code.INPUT, (), (0,)), op(Code.TABLE, (0,), (0,))), "table 0 of 0"),
    ],
)
def test_damaged_programs_are_refused(ops: tuple[LogicOp, ...], said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        Logic(1, ops, ((0, 0, False),))
