"""QONNX where it is exact: executed by qonnx against csim; what wraps, is cut or is too wide is refused by layer."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import ToolNotFound, UnsupportedModel
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node
from pquant_hls.rtl import Emulator
from pquant_hls.rtl.project import inputs_in_range
from tests.firmware import miniature
from tests.helpers import Edit, Shell

HERE = importlib.util.find_spec("onnx") is not None and importlib.util.find_spec("qonnx") is not None
needs_qonnx = pytest.mark.skipif(not HERE, reason="needs onnx and qonnx: pip install 'pquant_hls[qonnx]'")


def kind(text: str) -> FixedType:
    return FixedType.parse(text)


def chain(*nodes: Node) -> FixedPointGraph:
    return FixedPointGraph(nodes, (nodes[-1].name,))


def dense(accum: str = "ap_fixed<20,10>", result: str = "ap_fixed<20,10>") -> FixedPointGraph:
    weight = FixedArray(np.random.default_rng(1).integers(-16, 16, (4, 3)), 4)
    bias = FixedArray(np.array([3, -2, 1]), 3)
    types = {"weight": kind("ap_fixed<5,1>"), "bias": kind("ap_fixed<6,3>"), "accum": kind(accum)}
    x = Node("x", "input", (), (4,), kind("ap_fixed<8,4,AP_RND_CONV,AP_SAT>"))
    fc = Node("fc", "dense", ("x",), (3,), kind(result), types, {"weight": weight, "bias": bias})
    return chain(x, fc)


def modes() -> FixedPointGraph:
    """Each mode of a store that qonnx has, behind a ReLU, a sum and a difference."""
    x = Node("x", "input", (), (6,), kind("ap_fixed<8,4,AP_RND_CONV,AP_SAT>"))
    nodes = [x, Node("relu", "relu", ("x",), (6,), kind("ap_ufixed<6,2,AP_RND,AP_SAT>"))]
    for mode in ("TRN", "TRN_ZERO", "RND", "RND_CONV", "RND_INF", "RND_ZERO"):
        for clip in ("SAT", "SAT_SYM"):
            name = f"{mode}_{clip}"
            nodes.append(Node(name, "quantize", ("x",), (6,), kind(f"ap_fixed<5,3,AP_{mode},AP_{clip}>")))
    nodes.append(Node("sum", "add", ("relu", "x"), (6,), kind("ap_fixed<9,5>")))
    nodes.append(Node("less", "subtract", ("relu", "x"), (6,), kind("ap_fixed<9,5,AP_TRN,AP_SAT>")))
    nodes.append(Node("shaped", "reshape", ("less",), (2, 3), kind("ap_fixed<9,5>")))
    return FixedPointGraph(tuple(nodes), tuple(node.name for node in nodes[2:]))


def image() -> FixedPointGraph:
    rng = np.random.default_rng(2)
    arrays = {
        "weight": FixedArray(rng.integers(-8, 8, (2, 3, 2, 4)), 3),
        "bias": FixedArray(rng.integers(-8, 8, 4), 3),
    }
    types = {"weight": kind("ap_fixed<4,1>"), "bias": kind("ap_fixed<4,1>")}
    attrs = {"strides": [1, 2], "padding": [[1, 0], [0, 1]], "dilation": [1, 1]}
    x = Node("x", "input", (), (4, 5, 2), kind("ap_fixed<6,3,AP_RND_CONV,AP_SAT>"))
    conv = Node("conv", "conv2d", ("x",), (4, 2, 4), kind("ap_fixed<14,8>"), types, arrays, attrs)
    scale = {"scale": FixedArray(rng.integers(-4, 4, 4), 2), "bias": FixedArray(rng.integers(-8, 8, 4), 2)}
    norm = Node(
        "norm", "batchnorm", ("conv",), (4, 2, 4), kind("ap_fixed<12,6,AP_RND_CONV,AP_SAT>"), {}, scale
    )
    return chain(x, conv, norm)


@needs_qonnx
@pytest.mark.parametrize("make", [dense, modes, image])
def test_qonnx_computes_what_the_emulator_computes(make: object) -> None:
    from pquant_hls.export.qonnx import _runner
    from pquant_hls.export.qonnx_model import qonnx_model

    graph: FixedPointGraph = make()  # type: ignore[operator]
    x = np.asarray(inputs_in_range(graph, 40)) * 1.7  # off the grid, and beyond the range
    wanted = Emulator(graph).predict(x)
    run = _runner(qonnx_model(graph))
    for row, event in enumerate(x):
        found = run({"x": event[None].astype(np.float32)})
        for index, values in enumerate(wanted if isinstance(wanted, list) else [wanted]):
            np.testing.assert_array_equal(found[f"output_{index}"][0], values[row])


@needs_qonnx
@pytest.mark.gxx
def test_a_firmware_is_written_and_proven(
    shell: Shell, tmp_path: Path, csim_cache: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    project, out = miniature.project(tmp_path / "one"), tmp_path / "mini.onnx"
    status, _, err = shell("export", "qonnx", project, "--out", out)
    assert (status, "fc1: QONNX cannot say this exactly: the accumulator ap_fixed<16,8> cuts" in err) == (
        2,
        True,
    )
    edit(project, "firmware/defines.h", "ap_fixed<16,8> model_default_t", "ap_fixed<20,8> model_default_t")
    status, said, err = shell("export", "qonnx", project, "--out", out)
    assert (status, "256 vectors" in said) == (0, True), err
    model = onnx.load(out)
    assert [node.op_type for node in model.graph.node].count("Quant") >= 6
    assert shell("export", "qonnx", project, "--out", out)[0] == 2


@needs_qonnx
def test_what_is_not_exact_is_refused_by_layer() -> None:
    from pquant_hls.export.qonnx_model import qonnx_model

    x = Node("x", "input", (), (4,), kind("ap_fixed<8,4>"))
    narrow = Node("q", "quantize", ("x",), (4,), kind("ap_fixed<4,2>"))
    odd = Node("q", "quantize", ("x",), (4,), kind("ap_fixed<4,2,AP_RND_MIN_INF,AP_SAT>"))
    soft = Node("q", "softmax", ("x",), (4,), kind("ap_fixed<8,1>"))
    bit = Node("q", "quantize", ("x",), (4,), kind("ap_fixed<1,1,AP_TRN,AP_SAT>"))
    wide = Node("q", "quantize", ("x",), (4,), kind("ap_fixed<30,8>"))
    cases = [
        (dense(accum="ap_fixed<10,4>"), r"fc: .*cuts products|fc: .*beyond the accumulator"),
        (dense(accum="ap_fixed<14,4>"), r"fc: .*sums may lie beyond the accumulator ap_fixed<14,4>"),
        (dense(result="ap_fixed<9,4>"), r"fc: .*ap_fixed<9,4> may wrap"),
        (chain(x, narrow), r"q: .*ap_fixed<4,2> may wrap \(-8 to 7.9375\)"),
        (chain(x, odd), r"q: .*Quant has no RND_MIN_INF"),
        (chain(x, soft), r"q: .*no rule for softmax"),
        (chain(x, wide), r"q: .*more than 24 bits"),
        (chain(x, bit), r"q: .*for -1 or 1"),
    ]
    for graph, said in cases:
        with pytest.raises(UnsupportedModel, match=said):
            qonnx_model(graph)


@pytest.mark.skipif(HERE, reason="onnx and qonnx are installed")
def test_without_the_packages_their_install_line_is_named(tmp_path: Path) -> None:
    from pquant_hls.export import export_qonnx
    from pquant_hls.hls import load_project

    project = load_project(miniature.project(tmp_path / "one"))
    with pytest.raises(ToolNotFound, match=r"pquant_hls\[qonnx\]"):
        export_qonnx(project, tmp_path / "mini.onnx")
