"""hls4ml projects of other tools: types of single values and sums made of adders are read, proven and taken in."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from qkeras import QActivation, QConv1D, QConv2D, QDense, quantized_bits

from pquant_hls.errors import OutputError, SpecError, UnsupportedModel
from pquant_hls.firmware import find, read_graph
from pquant_hls.hls import convert, load_project
from pquant_hls.hls.project import GRAPH_FILE, PROJECT_FILE
from pquant_hls.intake import import_project
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.qor import FixedGrid, Node
from pquant_hls.qor.graph import ADDERS_OF
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from tests.helpers import Edit, Shell, known

pytestmark = [pytest.mark.gxx, pytest.mark.slow]
CODE = "firmware/nnet_utils/nnet_code_gen.h"
IO_TYPES = ("io_parallel", "io_stream")
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


def convolutions() -> keras.Model:
    """Of one axis and of two, with zeros around, strides, and a window of one place."""
    kernel = {
        "kernel_quantizer": quantized_bits(4, 1, alpha=1),
        "bias_quantizer": quantized_bits(4, 1, alpha=1),
    }
    rows, image = keras.Input((7, 3)), keras.Input((5, 4, 2))
    x = QActivation(quantized_bits(6, 2, alpha=1))(rows)
    x = QConv1D(3, 3, padding="same", strides=2, **kernel)(x)
    x = QConv1D(2, 1, **kernel)(QActivation("quantized_relu(6,3)")(x))
    x = QDense(2, **kernel)(keras.layers.Flatten()(QActivation("quantized_relu(6,3)")(x)))
    y = QActivation(quantized_bits(6, 2, alpha=1))(image)
    y = QConv2D(2, (2, 3), padding="same", **kernel)(y)
    y = QConv2D(2, 2, strides=2, **kernel)(QActivation("quantized_relu(6,3)")(y))
    model = keras.Model([rows, image], [x, y])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.0, 0.6, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Convolutions in distributed arithmetic by io_type, with this package's record."""
    pytest.importorskip("da4ml", reason="needs da4ml, the extra 'da'")
    folders = {io_type: tmp_path_factory.mktemp("summed") / "project" for io_type in IO_TYPES}
    for io_type, folder in folders.items():
        spec = {"strategy": "distributed_arithmetic", "io_type": io_type, "project_name": "summed"}
        convert(convolutions(), HlsSpec.parse(spec), folder)
    return folders


def alike(node: Node, other: Node) -> bool:
    """Whether both compute the same by the same adders."""
    arrays = all(np.array_equal(node.arrays[key].values, other.arrays[key].values) for key in other.arrays)
    attrs = {key: node.attrs.get(key) for key in other.attrs if key not in ("reuse_factor", ADDERS_OF)}
    return arrays and attrs == {key: other.attrs[key] for key in attrs} and node.adders is not None


@pytest.mark.parametrize(("io_type", "count"), [("io_parallel", 4), ("io_stream", 5)])
def test_convolutions_of_adders_are_read_as_what_was_written(
    summed: dict[str, Path], io_type: str, count: int
) -> None:
    """In parallel the dense layer is a program instead."""
    found, saved = read_graph(find(summed[io_type])), known(load_project(summed[io_type]).graph)
    weighted = [node for node in found.nodes if node.kind.weighted]
    assert len(weighted) == count
    assert [node.name for node in weighted if not alike(node, saved.node(node.name))] == []


def without_record(project: Path, folder: Path) -> Path:
    copied = Path(shutil.copytree(project, folder))
    for name in (GRAPH_FILE, PROJECT_FILE):
        (copied / name).unlink()
    return copied


@pytest.mark.parametrize("io_type", IO_TYPES)
def test_convolutions_of_adders_are_taken_in(summed: dict[str, Path], io_type: str, tmp_path: Path) -> None:
    taken = import_project(
        without_record(summed[io_type], tmp_path / "bare"), tmp_path / "taken", vectors=100
    )
    assert taken.project.graph is not None, taken.proof


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("buffer[0][3] =    data[0]", "buffer[0][3] =    data[1]", "its windows are no convolution's"),
        ("model_out[0] = ", "model_out[0] = 2 * ", "its sums are none that weights"),
    ],
)
def test_a_convolution_changed_by_hand_is_not_read(
    summed: dict[str, Path], tmp_path: Path, edit: Edit, old: str, new: str, said: str
) -> None:
    project = without_record(summed["io_parallel"], tmp_path / "bare")
    edit(project, CODE, old, new)
    with pytest.raises(UnsupportedModel, match=said):
        read_graph(find(project))


def test_types_that_hls4ml_puts_into_the_sums_stand_before_them(
    summed: dict[str, Path], tmp_path: Path
) -> None:
    """As its pass ``FuseQuantizerIntoDALayers`` does where each channel has one type: here the second has no bits."""
    project = without_record(summed["io_parallel"], tmp_path / "bare")
    code = (project / CODE).read_text()
    start = re.search(r"void (dense_da_\d+)\(inp_t model_inp\[9\].*?\n\}", code, re.DOTALL)
    assert start is not None
    kinds = ["ap_fixed<4, 3, AP_RND, AP_SAT> {} = model_inp[{}];", "ap_ufixed<1, 0> {} = 0;"]
    lines = [kinds[place % 3 == 1].format(f"model_inp_q_{place}", place) for place in range(9)]
    body = re.sub(r"= model_inp\[(\d+)\];", r"= model_inp_q_\1;", start[0])
    body = body.replace("#pragma HLS INLINE", "\n    ".join(["#pragma HLS INLINE", *lines]), 1)
    body = re.sub(r"(ap_fixed<[^>]*> v\d+) = model_inp_q_\d*[147];", r"\1 = 0;", body)
    (project / CODE).write_text(code.replace(start[0], body))
    graph = read_graph(find(project))
    [typed] = [node for node in graph.nodes if node.grid is not None]
    assert typed.grid is not None
    assert typed.grid.width[0].tolist() == [4, 0, 4]
    [sums] = [node for node in graph.nodes if typed.name in node.inputs]
    assert not sums.arrays["weight"].codes[:, 1].any()


def test_a_function_changed_by_hand_stands_against_the_graph(
    foreign: tuple[Path, np.ndarray], tmp_path: Path, edit: Edit
) -> None:
    project = Path(shutil.copytree(foreign[0], tmp_path / "edited"))
    old = next(text for text in ("out[2] = 0;", "model_out[0] = ") if text in (project / CODE).read_text())
    edit(project, CODE, old, old.replace("= ", "= 2 * ", 1))
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
