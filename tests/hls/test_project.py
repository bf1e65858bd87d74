"""The written project: complete, readable, built as it is, and unable to take the caller down."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.csim import Library, build, compare, predict
from pquant_hls.errors import DataError, OutputError, SpecError, ToolFailed, ToolNotFound, UnsupportedModel
from pquant_hls.hls import HlsProject, Port, convert, load_project
from pquant_hls.network import keras_predict
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.spec import HlsSpec
from tests.helpers import known
from tests.hls.hls_zoo import VECTOR, act, bits, chain, dense, model_of


@pytest.fixture
def copy(project: HlsProject, tmp_path: Path) -> Path:
    """The project's folder, copied to be edited."""
    shutil.copytree(project.path, tmp_path / "copy")
    return tmp_path / "copy"


def library_of(body: str, tmp_path: Path, project: HlsProject) -> Library:
    """A csim library whose top function is this C."""
    source = tmp_path / "top.c"
    source.write_text(
        "#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\nconst int pquant_csim_probes = 0;\n"
        f"static void top(const double *x, double *y) {{ {body} }}\n"
        "int pquant_csim(size_t rows, const double *const *x, double *const *y, double *const *probes) {\n"
        "    for (size_t i = 0; i < rows; i++) top(x[0] + 6 * i, y[0] + 3 * i);\n    return 0;\n}\n"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", str(source), "-o", str(tmp_path / "top.so")], check=True)
    return Library(tmp_path / "top.so", project, "0")


def test_importing_the_room_loads_no_framework() -> None:
    code = "import sys, pquant_hls.hls; print({'tensorflow', 'keras', 'hls4ml', 'qkeras'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_the_folder_is_complete_for_the_tools(project: HlsProject) -> None:
    present = {path.relative_to(project.path).as_posix() for path in project.path.rglob("*")}
    needed = {
        "build_prj.tcl",
        "project.tcl",
        "firmware/myproject.cpp",
        "firmware/parameters.h",
        "myproject_test.cpp",
    }
    assert (
        needed | {"pquant_graph.zip", "pquant_project.json", "firmware/nnet_utils", "firmware/ap_types"}
        <= present
    )
    settings = (project.path / "project.tcl").read_text()
    assert re.search(r"clock_period 5(\.0)?\n", settings)
    assert "27%" in settings


def test_the_clock_uncertainty_of_the_spec_is_in_the_project(tagger: Any, tmp_path: Path) -> None:
    spec = HlsSpec.parse(
        {"clock_uncertainty": 1.35, "clock_ns": "360 MHz", "backend": "Vivado", "part": "xc7vx690tffg1927-2"}
    )
    settings = (convert(tagger, spec, tmp_path / "p").path / "project.tcl").read_text()
    assert "set clock_uncertainty 1.35" in settings
    assert "2.77" in settings
    assert "xc7vx690tffg1927-2" in settings


def test_trace_calls_are_hidden_from_synthesis(project: HlsProject) -> None:
    source = (project.firmware / "myproject.cpp").read_text()
    visible = re.sub(r"#ifndef __SYNTHESIS__.*?#endif", "", source, flags=re.S)
    assert "save_layer_output" in source
    assert "save_layer_output" not in visible


def test_nothing_is_printed(tagger: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    convert(tagger, HlsSpec(), tmp_path / "p")
    assert capfd.readouterr().out == ""


def test_loading_gives_back_what_was_written(project: HlsProject) -> None:
    again = load_project(project.path)
    assert (again.path, again.name, again.outputs) == (project.path, project.name, project.outputs)
    assert known(again.graph).digest() == known(project.graph).digest()
    assert again.digest() == project.digest()
    assert again.spec == HlsSpec()
    assert again.inputs[0].shape == (6,)
    assert again.inputs[0].type == FixedType(8, 4, True, "RND_CONV", "SAT")
    assert list(again.traced) == ["fc1", "fc1_quantized_relu", "fc2", "fc3"]
    info = json.loads((project.path / "pquant_project.json").read_text())
    assert info["schema_version"] == 1
    assert info["versions"]["hls4ml"]


def test_a_project_without_our_files_is_read_from_its_sources(project: HlsProject, copy: Path) -> None:
    for name in ("pquant_project.json", "pquant_graph.zip"):
        (copy / name).unlink()
    foreign = load_project(copy)
    assert (foreign.spec, foreign.graph) == (None, None)
    assert (foreign.inputs, foreign.outputs, foreign.traced) == (
        project.inputs,
        project.outputs,
        project.traced,
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "no such project folder"),
        (lambda p: (p / "firmware/myproject.cpp").unlink(), "not an hls4ml project"),
        (lambda p: (p / "firmware/defines.h").unlink(), "missing"),
        (lambda p: (p / "pquant_project.json").write_text("{"), "damaged"),
        (lambda p: (p / "pquant_project.json").write_text('{"schema_version": 9}'), "this version"),
        (lambda p: (p / "pquant_graph.zip").write_bytes(b"PK"), "damaged"),
    ],
)
def test_a_damaged_project_is_named(copy: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(copy)
    with pytest.raises(UnsupportedModel, match=words):
        load_project(copy)


def test_a_folder_in_use_is_left_alone(tagger: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        convert(tagger, HlsSpec(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_inexact_conversion_takes_a_float_model(tmp_path: Path) -> None:
    import keras

    model = model_of(
        [
            (
                VECTOR,
                lambda x: keras.layers.Dense(3, activation="softmax")(
                    keras.layers.Dense(4, activation="relu")(x)
                ),
            )
        ]
    )
    with pytest.raises(UnsupportedModel, match="weights-off-grid"):
        convert(model, HlsSpec(), tmp_path / "exact")
    graph = convert(model, HlsSpec.parse({"precision": "ap_fixed<16,6>"}), tmp_path / "p", exact=False).graph
    first = next(node for node in known(graph).nodes if node.op == "dense")
    assert first.types["weight"] == FixedType(16, 6)
    # hls4ml writes decimals rounded to the type's own precision; ap_fixed then truncates
    assert np.abs(first.arrays["weight"].values - model.layers[1].kernel.numpy()).max() < 1.5 * 2.0**-10


def test_an_inexact_conversion_takes_a_recurrent_layer(tmp_path: Path) -> None:
    """Each step's cell becomes dense layers, which share the layer's weights."""
    import qkeras

    from tests.hls.hls_zoo import SEQUENCE

    roles = ("kernel", "recurrent", "bias")
    layer = qkeras.QSimpleRNN(3, **{f"{role}_quantizer": bits(4) for role in roles})
    graph = convert(model_of([(SEQUENCE, chain(layer))]), HlsSpec(), tmp_path / "p", exact=False).graph
    shapes = {node.arrays["weight"].codes.shape for node in known(graph).nodes if "weight" in node.arrays}
    assert {shape[-2:] for shape in shapes} == {(3, 3)}


def test_the_graph_holds_the_design(project: HlsProject) -> None:
    graph = known(project.graph)
    assert [node.op for node in graph.nodes] == ["input", "dense", "relu", "dense", "dense"]
    assert graph.node("fc2").result == FixedType(5, 2, True, "RND_CONV", "SAT")
    assert graph.node("fc1").arrays["weight"].codes.shape == (6, 8)
    assert graph.outputs == ("fc3",)
    assert FixedPointGraph.load(project.path / "pquant_graph.zip").digest() == graph.digest()


def test_the_graph_alone_computes_the_same(project: HlsProject, tagger: Any, jets: np.ndarray) -> None:
    """Integers only: sums of codes, then each result type's own rounding and saturation."""
    values: dict[str, np.ndarray] = {}
    for node in known(project.graph).nodes:
        if node.op == "input":
            result = jets.astype(np.float64)
        else:
            (source,) = (values[name] for name in node.inputs)
            dense_layer = node.op == "dense"
            result = (
                source @ node.arrays["weight"].values + node.arrays["bias"].values
                if dense_layer
                else source.clip(min=0)
            )
        values[node.name] = node.result.quantize(result)
    assert np.array_equal(values["fc3"], keras_predict(tagger, jets))


def test_padding_strides_and_pools_are_explicit(tmp_path: Path) -> None:
    import keras

    from tests.hls.hls_zoo import IMAGE, conv2d, depthwise

    layers = (conv2d(2, 3, padding="same", strides=2), depthwise(2), keras.layers.MaxPooling2D(2))
    graph = convert(model_of([(IMAGE, chain(*layers))]), HlsSpec(), tmp_path / "p").graph
    conv, depth, pool = known(graph).nodes[1:4]
    assert (conv.op, conv.attrs["strides"], conv.attrs["padding"]) == ("conv2d", [2, 2], [[0, 1], [0, 1]])
    assert conv.arrays["weight"].codes.shape == (3, 3, 2, 2)
    assert (depth.op, depth.arrays["weight"].codes.shape) == ("depthwise_conv2d", (2, 2, 2, 1))
    assert (pool.op, pool.attrs["pool"]) == ("max_pooling2d", [2, 2])


def test_no_compiler_is_said(project: HlsProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolNotFound, match=r"apt-get install g\+\+"):
        build(project, cache=tmp_path)


@pytest.mark.gxx
def test_csim_equals_keras_layer_by_layer(library: Library, tagger: Any, jets: np.ndarray) -> None:
    comparison = compare(library, tagger, jets)
    assert (comparison.exact, comparison.match, comparison.first, comparison.likely) == (
        True,
        1.0,
        None,
        None,
    )
    assert [layer.layer for layer in comparison.layers] == ["fc1", "fc1_quantized_relu", "fc2", "fc3"]
    assert np.array_equal(predict(library, jets), keras_predict(tagger, jets))


@pytest.mark.gxx
def test_the_library_is_kept_and_the_project_left_clean(
    library: Library, project: HlsProject, cache: Path
) -> None:
    before = library.path.stat().st_mtime_ns
    assert build(project, cache=cache).path.stat().st_mtime_ns == before
    assert not list(project.path.rglob("*.so"))
    assert list(cache.rglob(".part-*")) == []


@pytest.mark.gxx
def test_a_copied_project_with_another_weight_is_built_itself(
    library: Library, copy: Path, cache: Path, tagger: Any, jets: np.ndarray
) -> None:
    """Neither the cache nor a path baked into the library leads back to the folder it came from."""
    weights = sorted((copy / "firmware" / "weights").glob("w*.txt"))[1]
    values = weights.read_text().split(", ")
    values[0] = str(float(values[0]) + 0.25)
    weights.write_text(", ".join(values))
    (copy / "firmware" / "defines.h").write_text(
        (copy / "firmware" / "defines.h")
        .read_text()
        .replace("typedef ap_fixed<5,2,AP_RND_CONV", "typedef ap_fixed<5,2,AP_TRN")
    )
    edited = build(load_project(copy), cache=cache)
    assert edited.digest != library.digest
    comparison = compare(edited, tagger, jets)
    first = known(comparison.first)
    assert first.layer == "fc2"
    assert first.differing > 0
    assert first.max_lsb >= 1
    assert {"firmware/defines.h", f"firmware/weights/{weights.name}"} <= set(
        re.findall(r"firmware/[\w./]+", known(comparison.likely))
    )
    assert "fc2" in str(first)


@pytest.mark.gxx
def test_a_compiler_error_shows_file_and_line(copy: Path, cache: Path) -> None:
    source = copy / "firmware" / "myproject.cpp"
    source.write_text(source.read_text().replace("nnet::relu<", "nnet::rely<", 1))
    with pytest.raises(ToolFailed, match=r"firmware/myproject\.cpp:\d+:\d+: error:.*rely"):
        build(load_project(copy), cache=cache)


@pytest.mark.gxx
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("*(volatile int *)0 = 1;", "SIGSEGV"),
        ("abort();", "SIGABRT"),
        ('fprintf(stderr, "ERROR: file w2.txt does not exist\\n"); exit(1);', "status 1: ERROR: file w2.txt"),
        ("for (volatile int i = 0; i < 1;) {}", "longer than 2 s"),
        ('fprintf(stderr, "ERROR: Expected 8 values but read only 7 values\\n");', "read only 7"),
    ],
)
def test_whatever_the_library_does_the_caller_lives(
    body: str, words: str, tmp_path: Path, project: HlsProject, jets: np.ndarray
) -> None:
    with pytest.raises(ToolFailed, match=words):
        predict(library_of(body, tmp_path, project), jets, timeout_s=2)


@pytest.mark.gxx
def test_a_library_that_takes_all_memory_is_stopped(
    tmp_path: Path, project: HlsProject, jets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PQUANT_HLS_MEMORY_MB", "300")
    body = "for (;;) memset(malloc(1 << 22), 1, 1 << 22);"
    with pytest.raises(ToolFailed, match="csim took more than 300 MB of memory"):
        predict(library_of(body, tmp_path, project), jets)


@pytest.mark.gxx
def test_values_pass_the_bridge_whole(tmp_path: Path, project: HlsProject) -> None:
    x = np.random.default_rng(0).normal(size=(5, 6))
    doubled = predict(library_of("for (int i = 0; i < 3; i++) y[i] = 2 * x[i];", tmp_path, project), x)
    assert np.array_equal(doubled, 2 * x[:, :3])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((4, 5)), r"expected \(n, 6\), got \(4, 5\)"),
        (np.full((1, 6), np.nan), "NaN"),
        (np.float64(1.0), "expected"),
    ],
)
def test_inputs_that_do_not_fit(project: HlsProject, tmp_path: Path, x: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        predict(Library(tmp_path / "none.so", project, "0"), x)


@pytest.mark.gxx
def test_a_project_without_trace_calls_is_compared_by_its_outputs(
    library: Library, project: HlsProject, tagger: Any, jets: np.ndarray
) -> None:
    silent = Library(library.path, load_project(project.path), library.digest)
    object.__setattr__(silent.project, "traced", {})
    comparison = compare(silent, tagger, jets)
    assert comparison.exact
    assert comparison.layers == ()
    assert any("only its outputs" in note for note in comparison.notes)


@pytest.mark.gxx
def test_another_model_is_noticed(library: Library, jets: np.ndarray) -> None:
    with pytest.raises(UnsupportedModel, match="outputs of"):
        compare(library, model_of([(VECTOR, chain(dense(4), act(bits(4))))]), jets)


def test_a_port_knows_its_size() -> None:
    assert Port("x", (4, 3, 2)).size == 24


def test_a_strategy_without_its_package_is_named(
    tagger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        SpecError,
        match=r"hls\.strategy: distributed_arithmetic needs da4ml \(pip install 'pquant_hls\[da\]'\)",
    ):
        convert(tagger, HlsSpec.parse({"strategy": "distributed_arithmetic"}), tmp_path / "p")


@pytest.mark.parametrize("name", ["class", "std", "nnet", "w2", "layer3_t", "main"])
def test_a_project_name_with_a_meaning_in_cpp_is_refused(tagger: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match=r"hls\.project_name: '.*' has a meaning"):
        convert(tagger, HlsSpec.parse({"project_name": name}), tmp_path / "p")


def test_an_unwritable_place_is_named(tagger: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write the HLS project"):
        convert(tagger, HlsSpec(), tmp_path / "file" / "p")


def test_hls4ml_s_own_record_names_the_folder(project: HlsProject) -> None:
    record = (project.path / "hls4ml_config.yml").read_text()
    assert f'OutputDir: "{project.path}"' in record
    assert ".part-" not in record
