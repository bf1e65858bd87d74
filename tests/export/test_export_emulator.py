"""Emulators compute what csim computes, keep to their namespace, and are not written where they would not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import GoldenError, OutputError, SpecError, ToolFailed
from pquant_hls.export import export_emulator
from pquant_hls.golden import random_inputs, record
from pquant_hls.hls import convert, load_project
from pquant_hls.spec import HlsSpec
from tests.helpers import Edit, Tiny, single

pytestmark = pytest.mark.gxx

LOADER = """
#pragma once
#include <any>
namespace hls4mlEmulator {
struct Model {
    virtual void prepare_input(std::any) = 0;
    virtual void predict() = 0;
    virtual void read_result(std::any) = 0;
    virtual ~Model() = default;
};
}
"""
"""The interface of CMSSW's loader, in our own words."""

PROGRAM = """
#include "jets_v1_cmssw.cpp"
#include <cstdio>
int main() {
    ap_fixed<8,4,AP_RND_CONV,AP_SAT> x[3] = {0.5, -1.25, 3};
    ap_fixed<12,6> y[2];
    double given[3] = {0.5, -1.25, 3}, wanted[2];
    hls4mlEmulator::Model *model = create_model();
    model->prepare_input(static_cast<ap_fixed<8,4,AP_RND_CONV,AP_SAT> *>(x));
    model->predict();
    model->read_result(static_cast<ap_fixed<12,6> *>(y));
    destroy_model(model);
    jets_v1::predict(given, wanted);
    return double(y[0]) == wanted[0] && double(y[1]) == wanted[1] && wanted[0] != 0 ? 0 : 1;
}
"""


@pytest.fixture(autouse=True)
def own_cache(csim_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)


def test_a_moved_emulator_still_checks_and_finds_a_change(mini_project: Path, tmp_path: Path) -> None:
    made = export_emulator(load_project(mini_project), tmp_path / "out", "jets_v1")
    shutil.rmtree(mini_project)
    folder = Path(shutil.move(made.path, tmp_path / "elsewhere"))
    assert "jets_v1: 256 vectors, every value equals csim" in make(folder, "check").stdout
    assert json.loads((folder / "emulator.json").read_text())["outputs"][0]["type"] == "ap_fixed<12,6>"
    source = folder / "jets_v1.cpp"
    assert "from_txt<weight2_t" not in source.read_text(), "no weights are read from files"
    source.write_text(source.read_text().replace("{0.50000,", "{0.53125,"))
    changed = make(folder, "check")
    assert changed.returncode != 0
    assert "differs: layer4_out[0]" in changed.stdout


BOTH = """
import ctypes, sys
import numpy as np
x, names = np.load("x.npy"), sys.argv[1:]
# Symbols shared, the way that makes plain hls4ml libraries clash.
libraries = [ctypes.CDLL(f"{name}/{name}.so", mode=ctypes.RTLD_GLOBAL) for name in names]
for name, library in zip(names, libraries):
    rows, predict = np.zeros((len(x), 2)), library[f"_ZN{len(name)}{name}7predictEPdS0_"]
    predict.argtypes = [np.ctypeslib.ndpointer(ctypes.c_double, flags="C_CONTIGUOUS")] * 2
    for row, values in zip(rows, x):
        predict(values, row)
    np.save(f"{name}.npy", rows)
"""


def test_two_versions_live_in_one_program(mini_project: Path, tmp_path: Path, edit: Edit) -> None:
    folders: dict[str, Path] = {}
    wanted: list[np.ndarray] = []
    x = record(load_project(mini_project), random_inputs(load_project(mini_project), 50, seed=5)).x
    for name in ("jets_v1", "jets_v2"):
        project = load_project(mini_project)
        folders[name] = export_emulator(project, tmp_path / name, name).path
        assert make(folders[name]).returncode == 0
        wanted.append(single(record(project, x).y))
        for file in ("txt", "h"):
            edit(mini_project, f"firmware/weights/w2.{file}", "0.75000", "-0.75000")
    np.save(tmp_path / "x.npy", x)
    subprocess.run([sys.executable, "-c", BOTH, *folders], cwd=tmp_path, check=True, timeout=120)
    found = [np.load(tmp_path / f"{name}.npy") for name in folders]
    one, two = wanted
    assert not np.array_equal(one, two)
    assert all(np.array_equal(new, old) for new, old in zip(found, wanted, strict=True))


def test_the_plugin_gives_the_same_numbers(mini_project: Path, tmp_path: Path) -> None:
    folder = export_emulator(load_project(mini_project), tmp_path / "out", "jets_v1").path
    (folder / "emulator.h").write_text(LOADER)
    (folder / "main.cpp").write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++17", "-Iap_types", "main.cpp", "-o", "main"], cwd=folder, check=True)
    subprocess.run(["./main"], cwd=folder, check=True)


def test_what_cannot_be_handed_over_is_refused_and_leaves_nothing(
    mini_project: Path, tmp_path: Path, edit: Edit
) -> None:
    project, out = load_project(mini_project), tmp_path / "out"
    for name in ("a-b", "2x", "std", "class", "a__b", ""):
        with pytest.raises(SpecError, match="cannot be a C\\+\\+ namespace"):
            export_emulator(project, out, name)
    with pytest.raises(OutputError, match="exists already"):
        export_emulator(project, tmp_path, "jets_v1")
    golden = record(project, random_inputs(project, 8))
    edit(mini_project, "firmware/weights/w2.h", "0.75000", "-0.75000")
    with pytest.raises(GoldenError, match=r"w2\[2\]: csim reads 0.75, synthesis -0.75"):
        export_emulator(project, out, "jets_v1")
    edit(mini_project, "firmware/weights/w2.txt", "0.75000", "-0.75000")
    with pytest.raises(GoldenError, match="another design"):
        export_emulator(project, out, "jets_v1", golden=golden)
    golden = record(project, random_inputs(project, 8))
    edit(mini_project, "firmware/mini.h", "#endif", "int mini_v1;\n#endif")
    wrong = record(project, golden.x)
    wrong.outputs[0].codes[3, 1] += 1
    with pytest.raises(ToolFailed, match=r"vector 3 differs: layer4_out\[1\]"):
        export_emulator(project, out, "jets_v1", golden=wrong)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mini"], "nothing half-written is left"


@pytest.mark.slow
def test_networks_that_hls4ml_wrote(tiny: Tiny, tmp_path: Path) -> None:
    assert export_emulator(load_project(tiny.project), tmp_path / "mlp", "mlp").vectors == 256


@pytest.mark.slow
def test_a_stream_of_convolutions(tmp_path: Path) -> None:
    import keras
    from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(2)
    grid = {name: quantized_bits(5, 0, alpha=1) for name in ("kernel_quantizer", "bias_quantizer")}
    model = keras.Sequential(
        [
            keras.Input((5, 5, 1)),
            QActivation(quantized_bits(6, 2, alpha=1), name="q_in"),
            QConv2D(2, 2, name="conv", **grid),
            QActivation(quantized_relu(5, 2), name="relu"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flat"),
            QDense(2, name="out", **grid),
        ]
    )
    project = convert(model, HlsSpec(io_type="io_stream"), tmp_path / "project")
    made = export_emulator(project, tmp_path / "out", "images")
    assert not (made.path / "images_cmssw.cpp").exists(), "the loader passes arrays, not streams"


def test_the_makefile_builds_the_plugin_and_the_types_are_stated(mini_project: Path, tmp_path: Path) -> None:
    folder = export_emulator(load_project(mini_project), tmp_path / "out", "jets_v1").path
    extras = tmp_path / "extras" / "include"
    extras.mkdir(parents=True)
    (extras / "emulator.h").write_text(LOADER)
    assert "set EMULATOR_EXTRAS to the folder" in make(folder, "plugin").stderr
    made = make(folder, "plugin", f"EMULATOR_EXTRAS={extras.parent}")
    assert (made.returncode, (folder / "jets_v1_cmssw.so").is_file()) == (0, True), made.stderr
    stated = json.loads((folder / "emulator.json").read_text())["cmssw"]
    assert stated == {
        "prepare_input": "ap_fixed<8,4,AP_RND_CONV,AP_SAT> *",
        "read_result": "ap_fixed<12,6> *",
    }
    readme = (folder / "README.md").read_text()
    for kind in stated.values():
        assert f"`{kind}`" in readme


def test_threads_give_the_same_numbers_and_race_for_nothing(mini_project: Path, tmp_path: Path) -> None:
    """Under ThreadSanitizer, which ends a program that races with another status."""
    folder = export_emulator(load_project(mini_project), tmp_path / "out", "jets_v1").path
    made = make(folder, "threads")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "256 vectors, every value equals csim, in 8 threads" in made.stdout
    source = folder / "jets_v1.cpp"
    source.write_text(source.read_text().replace("static thread_local", "static"))
    raced = make(folder, "threads")
    assert raced.returncode != 0
    assert "data race" in raced.stderr or "differs" in raced.stdout
