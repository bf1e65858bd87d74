"""Pipelines on what is no plain classifier: two heads, a reconstruction, several inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pquant_hls.decide import Verdict
from pquant_hls.pipelines import (
    CompressionPipeline,
    HEPCompressionPipeline,
    PtqPipeline,
    StandardCompressionPipeline,
)
from pquant_hls.reporting import read_run
from tests.engine.task_networks import KINDS

TRAINING: dict[str, Any] = {"epochs": 1, "training": {"batch_size": 100}}


def test_a_tagger_of_two_heads_keeps_its_classes_and_its_momentum(tmp_path: Path) -> None:
    model, data = KINDS["two_heads"]()
    pipeline = HEPCompressionPipeline(out=tmp_path / "run", **TRAINING)
    floors: dict[str, Any] = {"background_rate": 0.2, "max_efficiency_loss": 0.5}
    found = pipeline.compress_jet_tagger(model, data, **floors)
    assert found.verdict is Verdict.MET, found.reason
    assert found.qor.csim_match == 1.0
    names = {name for name in found.qor.quality if name.startswith("id.efficiency@0.2:")}
    assert names <= {f"id.efficiency@0.2:{name}" for name in ("qcd", "tau", "top")}
    assert names
    assert "pt.rmse" in found.basis
    assert found.results is not None
    assert {"qcd", "tau", "top"} < set(found.results)
    assert read_run(found.folder).verdict is Verdict.MET


@pytest.mark.parametrize("kind", ["autoencoder", "nested"])
def test_a_reconstruction_keeps_a_share_of_its_quality(kind: str, tmp_path: Path) -> None:
    model, data = KINDS[kind]()
    told: dict[str, Any] = {"analyse": False, "out": tmp_path / "run", **TRAINING}
    found = StandardCompressionPipeline(3.0, 0.5, **told).execute(model, data)
    assert found.verdict is Verdict.MET, found.reason
    assert "rmse" in found.basis
    assert read_run(found.folder).verdict is Verdict.MET
    seen = CompressionPipeline([{"step": "quantize"}]).evaluate(model, found, data)["figures"]["rmse"]
    share = (seen["compressed"][0] - seen["original"][0]) / seen["original"][0]
    assert seen["loss"][0] == pytest.approx(share, rel=1e-9)


HEADLINES = {"autoencoder": ["rmse"], "two_heads": ["id.accuracy", "pt.rmse"]}


@pytest.mark.parametrize("kind", HEADLINES)
def test_calibration_alone_keeps_what_the_tasks_go_by(kind: str, tmp_path: Path) -> None:
    model, data = KINDS[kind]()
    found = PtqPipeline(12, 0.2, out=tmp_path / "run").execute(model, data)
    assert found.verdict is Verdict.MET, found.reason
    assert all(name in found.basis for name in HEADLINES[kind])
