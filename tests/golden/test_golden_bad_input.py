"""Bad input to golden vectors: named, mended, and nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.csim import build
from pquant_hls.errors import DataError, GoldenError, OutputError, ToolFailed, UnsupportedModel
from pquant_hls.golden import Golden, Rule, check, record
from pquant_hls.golden.vectors import input_vectors, output_vectors
from pquant_hls.hls import Port, load_project
from pquant_hls.qor import FixedType
from tests.helpers import Edit, known

X = np.zeros((4, 3))


@pytest.mark.gxx
def test_a_golden_file_keeps_everything(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mini.golden"
    golden.save(path)
    back = Golden.load(path)
    assert np.array_equal(back.x, golden.x)
    assert np.array_equal(back.y, golden.y)
    assert (back.rule, back.digest, back.files, back.versions) == (
        golden.rule,
        golden.digest,
        golden.files,
        golden.versions,
    )
    assert all(np.array_equal(back.layers[name], golden.layers[name]) for name in golden.layers)
    first = path.read_bytes()
    back.save(path)
    assert path.read_bytes() == first
    assert [entry.name for entry in path.parent.iterdir()] == ["mini.golden"]
    # a checkout with other line ends is the same golden
    path.write_bytes(first.replace(b"\n", b"\r\n"))
    assert np.array_equal(Golden.load(path).y, golden.y)


@pytest.mark.gxx
def test_a_damaged_golden_is_refused_wherever_it_is_cut_or_altered(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "mini.golden"
    golden.save(path)
    text = path.read_text()
    body = text.index("BEGIN VECTORS") + 60
    damaged = [text[:cut] for cut in (0, 10, 400, len(text) // 2, len(text) - 30)]
    damaged.append(text[:body] + ("A" if text[body] != "A" else "B") + text[body + 1 :])
    damaged.append(text.replace('"count": 128', '"count": 127'))
    damaged.append(text.replace('"schema_version": 1', '"schema_version": 9'))
    damaged.append(text.replace('"mode": "exact"', '"mode": "any"'))
    damaged.append(text.replace('"shape": [128, 3]', '"shape": [128, 300000]'))
    damaged.append("\x00é")
    for broken in damaged:
        path.write_text(broken)
        with pytest.raises(GoldenError, match=r"mini\.golden: "):
            Golden.load(path)
    with pytest.raises(GoldenError, match="cannot be read"):
        Golden.load(tmp_path / "none.golden")


@pytest.mark.gxx
def test_a_golden_that_cannot_be_written(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        golden.save(tmp_path / "file" / "mini.golden")


@pytest.mark.gxx
def test_a_golden_of_another_shape(golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit) -> None:
    edit(mini_project, "firmware/mini.cpp", "result_t layer4_out[2]", "result_t layer4_out[1]")
    with pytest.raises(GoldenError, match=r"outputs hold \[2\] values, the project's \[1\]"):
        check(mini_project, golden, cache=csim_cache)


@pytest.mark.gxx
def test_a_project_without_trace_calls_has_its_layers_compared(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    for size in ("layer2_t", "layer3_t", "result_t"):
        edit(mini_project, "firmware/mini.cpp", f"nnet::save_layer_output<{size}>", "// no trace ")
    edit(mini_project, "firmware/weights/w2.txt", "-0.", "0.")
    result = check(mini_project, golden, cache=csim_cache)
    assert not result.outputs.passed
    assert result.layer == "fc1"


@pytest.mark.parametrize(
    "missing",
    [
        "firmware/mini.cpp",
        "firmware/defines.h",
        "firmware/nnet_utils/nnet_helpers.h",
    ],
)
def test_missing_files_are_named(mini_project: Path, csim_cache: Path, missing: str) -> None:
    path = mini_project / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UnsupportedModel, match=r"missing|is not there|not an hls4ml project"):
        record(mini_project, X, cache=csim_cache)


@pytest.mark.gxx
def test_a_project_of_hls4ml_0_6_runs(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    """It reads weights from the folder it runs in, and its top tells sizes."""
    edit(mini_project, "firmware/nnet_utils/nnet_helpers.h", "WEIGHTS_DIR", "SOME_DIR")
    edit(
        mini_project, "firmware/nnet_utils/nnet_helpers.h", "std::string(SOME_DIR)", 'std::string("weights")'
    )
    sizes = "unsigned short &const_size_in_1, unsigned short &const_size_out_1) {"
    edit(mini_project, "firmware/mini.cpp", "layer4_out[2]) {", f"layer4_out[2], {sizes}")
    (mini_project / "mini_bridge.cpp").unlink()
    assert check(mini_project, golden, cache=csim_cache).passed


@pytest.mark.gxx
def test_a_compiler_error_keeps_file_line_and_message(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/mini.cpp", "layer3_t layer3_out[2];", "layer3_t layer3_outt[2];")
    with pytest.raises(ToolFailed, match=r"firmware/mini\.cpp:\d+:\d+: error: .*layer3_out"):
        check(mini_project, golden, cache=csim_cache)
    # the failed compile left nothing behind that the mended project would trip over
    edit(mini_project, "firmware/mini.cpp", "layer3_outt", "layer3_out")
    assert check(mini_project, golden, cache=csim_cache).passed


@pytest.mark.gxx
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("*(volatile int *)0 = 1;", "SIGSEGV"),
        ('std::cerr << "no such table" << std::endl; exit(7);', "status 7: no such table"),
        ("exit(0);", "before it had given its outputs"),
        ("volatile bool forever = true; while (forever) {}", "took longer than 3 s"),
    ],
)
def test_a_library_that_dies_or_hangs_takes_nobody_along(
    golden: Golden,
    mini_project: Path,
    csim_cache: Path,
    edit: Edit,
    statement: str,
    said: str,
) -> None:
    edit(
        mini_project,
        "firmware/mini.cpp",
        "    layer2_t layer2_out[2];",
        f"    {statement}\n    layer2_t layer2_out[2];",
    )
    build(load_project(mini_project), cache=csim_cache)
    timeout_s = 3.0 if "longer" in said else 60.0
    with pytest.raises(ToolFailed, match=said):
        check(mini_project, golden, cache=csim_cache, timeout_s=timeout_s)


@pytest.mark.gxx
def test_a_short_weights_file_is_an_error_not_a_number(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/weights/w4.txt", ", 0.37500", "")
    with pytest.raises(ToolFailed, match="Expected 4 values"):
        check(mini_project, golden, cache=csim_cache)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((4, 2)), r"expected \(n, 3\), got \(4, 2\)"),
        (np.zeros((0, 3)), "at least one is needed"),
        (np.full((2, 3), np.nan), "NaN"),
        (np.full((2, 3), 1e300), "very large"),
        ([["a", "b", "c"]], "not an array of numbers"),
    ],
)
def test_inputs_that_do_not_fit(mini_project: Path, csim_cache: Path, x: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        record(mini_project, x, cache=csim_cache)


def test_labels_that_do_not_fit(mini_project: Path, csim_cache: Path) -> None:
    with pytest.raises(DataError, match=r"expected class indices \(4,\)"):
        record(mini_project, X, labels=np.zeros(3, int), rule=Rule("decision"), cache=csim_cache)
    with pytest.raises(DataError, match="float64"):
        record(mini_project, X, labels=np.zeros(4), cache=csim_cache)


@pytest.mark.parametrize(
    "kind", ["ap_fixed<64,32>", "ap_fixed<8,60>", "ap_ufixed<1,-20>", "ap_int<12>", None]
)
def test_any_input_type_gets_exact_integers(kind: str | None) -> None:
    port = Port("x", (2, 2), None if kind is None else FixedType.parse(kind))
    (found,) = input_vectors(
        (port,), np.array([[1.5, -2.0, 0.0, 3.25]]) * (1 if kind is None else known(port.type).lsb)
    )
    assert found.values.shape == (1, 2, 2)
    assert np.array_equal(found.values * 2.0**found.frac_bits, found.codes.reshape(1, 2, 2))
    assert np.any(found.codes)


def test_outputs_keep_the_lsb_of_their_type_or_the_coarsest_grid() -> None:
    values = np.array([[0.75], [-2.5]])
    assert output_vectors(Port("y", (1,), FixedType(16, 6)), values).frac_bits == 10
    assert output_vectors(Port("y", (1,)), values).codes.tolist() == [[3], [-10]]
    for kind, wrong in ((FixedType(4, 4), values), (FixedType(80, 70), values * 2.0**60), (None, values / 3)):
        with pytest.raises(UnsupportedModel, match="y: csim gave values off the grid"):
            output_vectors(Port("y", (1,), kind), wrong)
