"""Golden vectors of a project that hls4ml wrote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.golden import check, compare_weights, random_inputs, record, write_testbench
from pquant_hls.hls import load_project
from tests.helpers import Edit, Tiny

pytestmark = [pytest.mark.gxx, pytest.mark.slow]


@pytest.fixture
def project(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.project, tmp_path / "project"))


def test_record_check_and_the_vendors_test_bench_agree(project: Path, csim_cache: Path) -> None:
    golden = record(project, random_inputs(load_project(project), 64), cache=csim_cache)
    assert golden.hls4ml == "1.3.0"
    assert list(golden.layers) == ["fc1", "relu1", "out"]
    assert len(np.unique(golden.y)) > 20
    assert check(project, golden, cache=csim_cache).passed
    write_testbench(project, golden.x, golden.y)
    sources = ["firmware/tiny.cpp", "tiny_test.cpp"]
    weights = f'-DWEIGHTS_DIR="{project}/firmware/weights"'
    command = ["g++", "-O0", "-w", "-std=c++17", "-Ifirmware/ap_types", weights, *sources, "-o", "bench"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    subprocess.run(["./bench"], cwd=project, check=True, capture_output=True)
    printed = np.loadtxt(project / "tb_data" / "csim_results.log")
    assert np.allclose(printed, golden.y, rtol=0, atol=golden.outputs[0].lsb / 4)


def test_each_copy_of_the_weights_is_the_models(project: Path, edit: Edit) -> None:
    assert compare_weights(load_project(project)) == ()
    header = project / "firmware" / "weights" / "w3.h"
    values = header.read_text().partition("= {")[2].split(",")[0]
    edit(project, "firmware/weights/w3.h", f"= {{{values}", "= {0.03125")
    (difference,) = compare_weights(load_project(project))
    assert (difference.file, difference.index, difference.header) == ("w3", 0, "0.03125")


def test_another_hls4ml_is_noted(project: Path, csim_cache: Path, edit: Edit) -> None:
    golden = record(project, random_inputs(load_project(project), 64), cache=csim_cache)
    edit(project, "pquant_project.json", '"hls4ml": "1.3.0"', '"hls4ml": "1.4.0"')
    result = check(project, golden, cache=csim_cache)
    assert result.passed
    assert result.notes == ("the project was written by hls4ml 1.4.0, the golden's by 1.3.0",)
