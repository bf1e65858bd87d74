"""hls4ml projects of other tools: types of single values and sums made of adders are read, proven and taken in."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from qkeras import QActivation, QDense, quantized_bits

from pquant_hls.errors import OutputError, SpecError, UnsupportedModel
from pquant_hls.firmware import find, read_graph
from pquant_hls.hls import convert, load_project
from pquant_hls.hls.project import GRAPH_FILE, PROJECT_FILE
from pquant_hls.intake import import_project
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.qor import FixedGrid
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from tests.helpers import Edit, Shell

pytestmark = [pytest.mark.gxx, pytest.mark.slow]
X = np.random.default_rng(0).normal(0.0, 2.0, (200, 4))


def own_types() -> keras.Model:
    """As HGQ2 has it through hls4ml: each value of each layer's input in a type of its own, one of them without bits."""
    widths = np.array([5, 6, 0, 4])
    grid = FixedGrid(widths, np.array([2, 3, 0, 2]), widths > 0, "RND", "WRAP")
    kernel = {
        "kernel_quantizer": quantized_bits(6, 1, alpha=1),
        "bias_quantizer": quantized_bits(6, 1, alpha=1),
    }
    x = inputs = keras.Input((4,))
    x = QActivation(quantized_bits(10, 4, alpha=1))(x)
    x = FixedPointQuantizer.of(grid)(x)
    x = QDense(5, **kernel)(x)
    x = QActivation("quantized_relu(6,3)")(x)
    model = keras.Model(inputs, QDense(3, **kernel)(x))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.0, 0.6, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module", params=["latency", "distributed_arithmetic"])
def foreign(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, np.ndarray]:
    """A project without this package's record, and what its saved graph gave."""
    if request.param == "distributed_arithmetic":
        pytest.importorskip("da4ml", reason="needs da4ml, the extra 'da'")
    folder = tmp_path_factory.mktemp("foreign") / "project"
    project = convert(own_types(), HlsSpec(strategy=request.param, project_name="tagger"), folder)
    assert project.graph is not None
    expected = emulate(project.graph, X)
    for name in (GRAPH_FILE, PROJECT_FILE):
        (folder / name).unlink()
    return folder, np.asarray(expected)


def test_functions_written_for_one_layer_are_read(foreign: tuple[Path, np.ndarray]) -> None:
    graph = read_graph(find(foreign[0]))
    assert [node.grid is not None for node in graph.nodes].count(True) == 1
    assert np.array_equal(emulate(graph, X), foreign[1])


def test_a_project_is_taken_in_and_everything_works_on_it(
    foreign: tuple[Path, np.ndarray], tmp_path: Path, shell: Shell
) -> None:
    out = tmp_path / "taken"
    status, said, _ = shell("import", foreign[0], "-o", out)
    assert status == 0
    assert "layers equal to csim on 1,000 vectors" in said
    project = load_project(out)
    assert project.spec is not None
    assert project.graph is not None
    assert np.array_equal(emulate(project.graph, X), foreign[1])
    assert str(out) in (out / "hls4ml_config.yml").read_text()
    assert shell("csim", "check", out, "--golden", out / "pquant_golden.npz")[0] == 0
    status, said, _ = shell("gate", out, "--limit", "latency_ns=100")
    assert status == 0
    assert "MET" in said
    with pytest.raises(UnsupportedModel, match="of this package already"):
        import_project(out, tmp_path / "again")


def test_a_function_changed_by_hand_stands_against_the_graph(
    foreign: tuple[Path, np.ndarray], tmp_path: Path, edit: Edit
) -> None:
    project = Path(shutil.copytree(foreign[0], tmp_path / "edited"))
    code = "firmware/nnet_utils/nnet_code_gen.h"
    old = next(text for text in ("out[2] = 0;", "model_out[0] = ") if text in (project / code).read_text())
    edit(project, code, old, old.replace("= ", "= 2 * ", 1))
    taken = import_project(project, tmp_path / "taken", vectors=50)
    assert taken.project.graph is None
    assert "no rule reads" in taken.proof[0]


def test_what_cannot_be_taken_in_is_said(foreign: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(OutputError, match="not empty"):
        import_project(foreign[0], tmp_path / "full")
    bare = Path(shutil.copytree(foreign[0] / "firmware", tmp_path / "bare" / "firmware"))
    with pytest.raises(SpecError, match="--part and --clock"):
        import_project(bare, tmp_path / "taken")
