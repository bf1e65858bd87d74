"""Emulators and Verilog of designs whose single values have types of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.export import export_emulator
from pquant_hls.hls import HlsProject, convert
from pquant_hls.network import keras_predict
from pquant_hls.qor import FixedPointGraph
from pquant_hls.rtl import simulate, to_verilog
from pquant_hls.rtl.emulator import Emulator
from pquant_hls.spec import HlsSpec
from tests.helpers import known
from tests.hls.hls_zoo import VECTOR, chain, dense, elements, inputs_of, model_of

pytestmark = pytest.mark.gxx


@pytest.fixture(scope="module")
def model() -> Any:
    return model_of([(VECTOR, chain(dense(8), elements(3, (8,), "RND_CONV", "SAT"), dense(3)))])


@pytest.fixture(scope="module")
def project(model: Any, tmp_path_factory: pytest.TempPathFactory) -> HlsProject:
    return convert(model, HlsSpec(), tmp_path_factory.mktemp("own") / "project")


@pytest.mark.slow
def test_an_exported_emulator_computes_what_csim_does(
    project: HlsProject, csim_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    made = export_emulator(project, tmp_path / "out", "own_v1")
    told = subprocess.run(["make", "check"], cwd=made.path, capture_output=True, text=True, check=False)
    assert "own_v1: 256 vectors, every value equals csim" in told.stdout, told.stderr


def test_the_graph_of_a_project_keeps_the_types(project: HlsProject, model: Any, tmp_path: Path) -> None:
    graph = known(project.graph)
    graph.save(tmp_path / "graph.zip")
    again, [x] = FixedPointGraph.load(tmp_path / "graph.zip"), inputs_of(model)
    [grid] = [node.grid for node in again.nodes if node.grid is not None]
    assert np.array_equal(grid.width, model.get_layer(index=3).grid.width)
    assert again.digest() == graph.digest()
    assert np.array_equal(Emulator(again).predict(x), keras_predict(model, x))


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_verilog_gives_the_same_words(project: HlsProject, model: Any, tmp_path: Path) -> None:
    graph = known(project.graph)
    x = inputs_of(model)[0][:64]
    found = simulate(to_verilog(graph, HlsSpec().target, tmp_path / "rtl"), x)
    assert np.array_equal(found.outputs, keras_predict(model, x))
