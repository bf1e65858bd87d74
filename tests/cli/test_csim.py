"""``pquant-hls csim``: exit statuses, words and clean JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import Edit, Shell, Tiny


@pytest.fixture
def csim(shell: Shell, csim_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """``csim(words...)`` gives (exit status, stdout, stderr)."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))

    return lambda *words: shell("csim", *words)


@pytest.mark.gxx
def test_record_check_show(csim: Shell, mini_project: Path, tmp_path: Path, edit: Edit) -> None:
    golden = tmp_path / "mini.golden"
    status, said, _ = csim("record", mini_project, "--golden", golden, "--random", 50, "--seed", 3)
    assert status == 0
    assert "50 vectors of mini" in said
    assert csim("check", mini_project, "--golden", golden)[:2] == (
        0,
        "csim passed: mini, 50 inputs, every bit equal\n",
    )
    assert "output  layer4_out (2,), ap_fixed<12,6>, kept in steps of 0.015625" in csim("show", golden)[1]
    edit(mini_project, "firmware/weights/w4.txt", "0.53125", "0.56250")
    status, said, _ = csim("check", mini_project, "--golden", golden)
    assert status == 1
    assert "first divergent layer: out" in said
    status, said, _ = csim(
        "check", mini_project, "--golden", golden, "--mode", "lsb", "--tolerance-lsb", 99, "--json"
    )
    found = json.loads(said)
    assert status == 1
    assert found["outputs"]["passed"] is True
    assert found["weights"] == [{"file": "w4", "index": 0, "text": "0.5625", "header": "0.53125"}]


@pytest.mark.gxx
def test_recorded_inputs_labels_and_rule(csim: Shell, mini_project: Path, tmp_path: Path) -> None:
    golden, x = tmp_path / "mini.golden", np.linspace(-4, 4, 60).reshape(20, 3)
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "x.dat", x)
    np.save(tmp_path / "y.npy", np.arange(20) % 2)
    rule = ("--mode", "decision", "--threshold", 0.5, "--agreement", 0.9)
    files = ("--inputs", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    assert csim("record", mini_project, "--golden", golden, *files, *rule)[0] == 0
    said = csim("check", mini_project, "--golden", golden)[1]
    assert "same decision, channel 0 > 0.5 on at least 90 % of the inputs" in said
    assert "signal efficiency" in said
    again = ("record", mini_project, "--golden", golden, "--inputs", tmp_path / "x.dat")
    status, _, complaint = csim(*again)
    assert status == 2
    assert "exists already" in complaint
    assert csim(*again, "--overwrite")[0] == 0


@pytest.mark.gxx
def test_bad_input_is_one_line_and_status_two(csim: Shell, mini_project: Path, tmp_path: Path) -> None:
    golden = tmp_path / "mini.golden"
    csim("record", mini_project, "--golden", golden, "--random", 8)
    cut = tmp_path / "cut.golden"
    cut.write_text(golden.read_text()[:500])
    (tmp_path / "x.npy").write_text("text")
    np.save(tmp_path / "wide.npy", np.zeros((2, 5)))
    new = ("record", mini_project, "--golden", tmp_path / "new.golden")
    for words, said in (
        (("check", mini_project, "--golden", cut), "cut.golden: is truncated"),
        (("check", mini_project, "--golden", tmp_path / "none"), "cannot be read"),
        (("check", tmp_path / "none", "--golden", golden), "no such project folder"),
        (("check", mini_project, "--golden", golden, "--mode", "close"), "unknown mode 'close'"),
        ((*new, "--inputs", tmp_path / "x.npy"), "x.npy: cannot be read"),
        ((*new, "--inputs", tmp_path / "wide.npy"), "expected (n, 3), got (2, 5)"),
    ):
        status, out, complaint = csim(*words)
        assert (status, out) == (2, "")
        assert said in complaint
        assert complaint.count("\n") == 1
    assert not (tmp_path / "new.golden").exists()


@pytest.mark.gxx
def test_a_compiler_error_is_status_three(
    csim: Shell, mini_project: Path, tmp_path: Path, edit: Edit
) -> None:
    csim("record", mini_project, "--golden", tmp_path / "mini.golden", "--random", 8)
    edit(mini_project, "firmware/mini.cpp", "layer2_t layer2_out[2];", "layer9_t layer2_out[2];")
    status, _, complaint = csim("check", mini_project, "--golden", tmp_path / "mini.golden")
    assert status == 3
    assert "firmware/mini.cpp:" in complaint
    assert "layer9_t" in complaint


@pytest.mark.gxx
@pytest.mark.slow
def test_diff_names_the_first_layer_of_an_edited_project(
    csim: Shell, tiny: Tiny, tmp_path: Path, edit: Edit
) -> None:
    project = shutil.copytree(tiny.project, tmp_path / "project")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(-4, 4, (200, 4)))
    edit(project, "firmware/defines.h", "ap_ufixed<6,2,AP_RND_CONV", "ap_ufixed<6,2,AP_TRN")
    words = ("diff", tiny.model, "--data", tmp_path / "x.npy", "--project", project)
    status, said, _ = csim(*words)
    assert status == 1
    assert "first divergent layer: relu1" in said
    found = json.loads(csim(*words, "--json")[1])
    assert found["first_divergent_layer"] == "relu1"
    assert found["layers"][0]["differing"] == 0


def test_diff_takes_one_file_for_each_input_of_the_model(csim: Shell, tmp_path: Path) -> None:
    import keras
    import qkeras

    x, y = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    sides = [
        qkeras.QActivation(qkeras.quantized_relu(4, 2), name=f"relu_{side.name}")(side) for side in (x, y)
    ]
    keras.Model([x, y], keras.layers.Concatenate()(sides)).save(tmp_path / "two.keras")
    rng = np.random.default_rng(0)
    files = []
    for name, width in (("left", 2), ("right", 3)):
        np.save(tmp_path / f"{name}.npy", rng.normal(0, 2, (20, width)))
        files += ["--data", tmp_path / f"{name}.npy"]
    status, said, _ = csim("diff", tmp_path / "two.keras", *files)
    assert status == 0, said
    assert "csim equals Keras on 100 %" in said
    status, _, complaint = csim("diff", tmp_path / "two.keras", *files[:2])
    assert status == 2
    assert "takes" in complaint
    arrays = {f"x.{name}": np.load(tmp_path / f"{name}.npy") for name in ("right", "left")}
    np.savez(tmp_path / "both.npz", **arrays)
    status, said, _ = csim("diff", tmp_path / "two.keras", "--data", tmp_path / "both.npz")
    assert status == 0, said
    assert "csim equals Keras on 100 %" in said


@pytest.mark.gxx
def test_diff_of_a_mended_model_tells_how_far_it_lies_from_the_original(csim: Shell, tmp_path: Path) -> None:
    import keras
    import qkeras

    first = qkeras.QActivation(qkeras.quantized_bits(8, 3, alpha=1))
    scaled = {
        "kernel_quantizer": "quantized_bits(4,0,alpha='auto')",
        "bias_quantizer": qkeras.quantized_bits(6, 0, alpha=1),
    }
    model = keras.Sequential([keras.Input((4,)), first, qkeras.QDense(3, **scaled), keras.layers.Softmax()])
    model.save(tmp_path / "scaled.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(-4, 4, (50, 4)))
    words = ("diff", tmp_path / "scaled.keras", "--data", tmp_path / "x.npy", "--fix", tmp_path / "new.keras")
    status, said, _ = csim(*words)
    assert (status, (tmp_path / "new.keras").is_file()) == (0, True), said
    assert "scaled.keras: output 0: 150 of 150 values are not the original's, by up to" in said
    assert "csim equals Keras on 100 % of the output values\n" in said
    assert csim(*words)[0] == 2
