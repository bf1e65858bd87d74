"""Several weights behind one library: chosen by name, each equal to its own csim, in CMS' layout, in threads."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.errors import GoldenError, SpecError
from pquant_hls.export import export_cmssw
from pquant_hls.golden import record
from pquant_hls.hls import HlsProject, load_project
from tests.firmware import miniature
from tests.helpers import Edit, Shell, single

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
#include "emulator.h"
#include "ap_fixed.h"
#include "jets_v2.h"
#include <cstdio>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
int main() {
    void *library = dlopen("jets_v2/jets_v2.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return 1;
    auto model = ((hls4mlEmulator::Model * (*)()) dlsym(library, "create_model"))();
    auto destroy = (void (*)(hls4mlEmulator::Model *)) dlsym(library, "destroy_model");
    X x[3] = {0.5, -1.25, 3};
    Y y[2];
    for (std::string name : {"first", "", "second", "first"}) {
        if (name.empty()) continue;
        model->prepare_input(name);
        model->prepare_input(static_cast<X *>(x));
        model->predict();
        model->read_result(static_cast<Y *>(y));
        std::printf("%s %.17g %.17g\\n", name.c_str(), double(y[0]), double(y[1]));
    }
    double plain[3] = {0.5, -1.25, 3};
    try {
        model->prepare_input(static_cast<double *>(plain));
        return 2;
    } catch (const std::bad_any_cast &) {
    }
    try {
        model->prepare_input(std::string("third"));
        return 3;
    } catch (const std::invalid_argument &cause) {
        std::printf("%s\\n", cause.what());
    }
    destroy(model);
}
"""
X = np.array([[0.5, -1.25, 3.0]])


@pytest.fixture(autouse=True)
def own_cache(csim_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))


@pytest.fixture
def two(tmp_path: Path, edit: Edit) -> dict[str, HlsProject]:
    places = [miniature.project(tmp_path / name) for name in ("one", "other")]
    edit(places[1], "firmware/weights.h", "{0.12500, 0.50000}", "{0.25000, 0.50000}")
    return dict(zip(("first", "second"), map(load_project, places), strict=True))


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)


def test_weights_are_chosen_by_name_in_cmssws_loader(two: dict[str, HlsProject], tmp_path: Path) -> None:
    wanted = {name: single(record(one, X).y)[0] for name, one in two.items()}
    assert not np.array_equal(wanted["first"], wanted["second"])
    made = export_cmssw(two, tmp_path / "jets", "jets_v2")
    assert (made.vectors, made.computed) == (256, {"first": "integers", "second": "integers"})
    extras = tmp_path / "extras" / "include" / "hls4ml"
    extras.mkdir(parents=True)
    (extras / "emulator.h").write_text(LOADER)
    shutil.rmtree(two["first"].path)
    assert "set EMULATOR_EXTRAS to the folder" in make(tmp_path / "jets").stderr
    built = make(tmp_path / "jets", "install", f"EMULATOR_EXTRAS={tmp_path / 'extras'}", "PREFIX=here")
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "jets" / "here" / "lib64" / "jets_v2.so").is_file()
    stated = json.loads((made.path / "emulator.json").read_text())["cmssw"]
    kinds = [
        f"-D{side}={stated[call].removesuffix(' *')}"
        for side, call in zip("XY", ("prepare_input", "read_result"), strict=True)
    ]
    assert all(f"`{kind}`" in (made.path / "README.md").read_text() for kind in stated.values())
    (tmp_path / "jets" / "main.cpp").write_text(PROGRAM)
    folders = [f"-I{extras}", f"-I{made.path / 'ap_types'}", f"-I{made.path}"]
    subprocess.run(
        ["g++", "-std=c++17", "-w", *kinds, *folders, "main.cpp", "-ldl", "-o", "main"],
        cwd=tmp_path / "jets",
        check=True,
    )
    done = subprocess.run(["./main"], cwd=tmp_path / "jets", capture_output=True, text=True, check=True)
    *rows, refused = done.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["first", "second", "first"]
    for row in rows:
        name, *values = row.split()
        assert [float(value) for value in values] == wanted[name].tolist()
    assert refused == "jets_v2 has no weights called third"


def test_threads_share_a_bank_and_a_change_in_one_set_is_found(
    two: dict[str, HlsProject], tmp_path: Path
) -> None:
    folder = export_cmssw(two, tmp_path / "jets", "jets_v2").path
    raced = make(folder, "threads")
    assert raced.returncode == 0, raced.stdout + raced.stderr
    assert "256 vectors of each of 2 weights, every value equals csim, in 8 threads" in raced.stdout
    first, second = (folder / "vectors" / f"{name}.txt" for name in two)
    second.write_text(first.read_text())
    assert "second: vector 0 differs: layer4_out[" in make(folder, "check").stdout


def test_a_repository_takes_further_versions(
    two: dict[str, HlsProject], tmp_path: Path, shell: Shell
) -> None:
    project, repository = two["first"].path, tmp_path / "jets"
    words = ("export", "cmssw", f"a={project}", "--out", repository, "--namespace")
    status, said, _ = shell(*words, "jets_v1")
    assert (status, "weights a: computed by integers" in said) == (0, True)
    (repository / "Makefile").write_text("# edited\n" + (repository / "Makefile").read_text())
    status, said, _ = shell(*words, "jets_v2", "--json")
    assert json.loads(said)["computed"] == {"a": "integers"}
    assert (repository / "Makefile").read_text().startswith("# edited")
    done = make(repository, "check")
    assert [f"jets_v{n}: 256 vectors of each of 1 weights" in done.stdout for n in (1, 2)] == [True, True]
    status, _, said = shell(*words, "jets_v2")
    assert (status, "exists already" in said) == (2, True)


def test_what_no_graph_says_is_computed_by_its_sources(
    two: dict[str, HlsProject], tmp_path: Path, edit: Edit
) -> None:
    """A statement written by hand stands against the graph; the sources compute what csim does."""
    place = two["second"].path
    edit(
        place,
        "firmware/mini.cpp",
        "    layer3_t layer3_out[",
        "    layer2_out[0] = layer2_out[1];\n    layer3_t layer3_out[",
    )
    made = export_cmssw({**two, "second": load_project(place)}, tmp_path / "jets", "jets_v3")
    assert made.computed["first"] == "integers"
    assert made.computed["second"].startswith("the firmware's sources (")
    assert "namespace jets_v3::second" in (made.path / "NN" / "second.cpp").read_text()
    done = make(made.path, "threads")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_deployed_firmware_is_written_back(tmp_path: Path) -> None:
    made = export_cmssw(
        {"a": load_project(miniature.deployed(tmp_path / "old"))}, tmp_path / "new", "mini_v2"
    )
    assert made.path == tmp_path / "new" / "mini_v2"
    assert (made.path / "mini_emulator_v2.cpp").is_file()


def test_what_is_no_bank_is_refused_and_leaves_nothing(
    two: dict[str, HlsProject], mini_project: Path, tmp_path: Path, edit: Edit, shell: Shell
) -> None:
    out = tmp_path / "jets"
    for name in ("jets", "jets_v", "v1", "a__b_v1", "std_v"):
        with pytest.raises(SpecError, match=r"NAME_vN|cannot be a C"):
            export_cmssw(two, out, name)
    with pytest.raises(SpecError, match=r"'run-1' cannot be a C\+\+ namespace"):
        export_cmssw({"run-1": two["first"]}, out, "jets_v1")
    with pytest.raises(SpecError, match="one golden cannot prove several weights"):
        export_cmssw(two, out, "jets_v1", golden=record(two["first"], X))
    place = two["second"].path
    edit(place, "firmware/defines.h", "ap_fixed<12,6>", "ap_fixed<13,6>")
    wide = load_project(place)
    with pytest.raises(
        SpecError, match=r"second has the outputs 2 x ap_fixed<13,6>; first has 2 x ap_fixed<12,6>"
    ):
        export_cmssw({**two, "second": wide}, out, "jets_v1")
    edit(mini_project, "firmware/weights/w2.h", "0.75000", "-0.75000")
    with pytest.raises(GoldenError, match=r"w2\[2\]"):
        export_cmssw({"a": load_project(mini_project)}, out, "jets_v1")
    status, _, said = shell("export", "cmssw", place, "--weights", place, "--namespace", "a_v1", "--out", out)
    assert (status, "two weights are called 'other'" in said) == (2, True)
    status, _, said = shell("export", place, "--weights", place, "--namespace", "a_v1", "--out", out)
    assert (status, "export cmssw DESIGN" in said) == (2, True)
    assert not out.exists() or not any(out.iterdir())
