"""The docstrings' examples run, and the commands refuse what they do not know."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pquant_hls.cli import main
from pquant_hls.cli.pipeline import pipeline_job
from pquant_hls.spec import Recipe

MODULES = ("adaptive", "auto_tuning", "compose", "hep", "standard", "validation")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    found = doctest.testmod(import_module(f"pquant_hls.pipelines.{name}"))
    assert found.attempted >= 1
    assert found.failed == 0


RECIPE = {
    "steps": [
        {"step": "prune", "sparsity": 0.3},
        {"step": "quantize", "bits": 6, "epochs": 2, "batch_size": 64},
    ],
    "budget": {"latency_ns": 60},
    "hls": {"clock_ns": 4},
    "seed": 7,
}


@pytest.mark.parametrize(
    ("name", "kind", "pairs"),
    [
        ("standard", "StandardCompressionPipeline", ["target_compression=5", "preserve_accuracy=0.9"]),
        (
            "auto",
            "AutoTuningPipeline",
            ["n_trials=3", "epochs=1", "search_space={bits: [4, 6]}", "objective=latency_accuracy"],
        ),
        ("trigger", "TriggerPipeline", ["sparsity=0.8", "allow=clock"]),
        ("tagger", "TaggerPipeline", ["rank=8", "gates=[{metric: auc, max_loss: 0.1}]"]),
        ("validation", "ValidationPipeline", ["max_degradation=0.1"]),
        ("adaptive", "AdaptivePipeline", ["max_accuracy_loss=0.1"]),
        ("custom", "CompressionPipeline", []),
        ("compression", "CompressionPipeline", []),
    ],
)
def test_every_pipeline_has_its_command(
    name: str, kind: str, pairs: list[str], model: Any, train: Any, val: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pquant_hls.pipelines import AutoTuningPipeline, Pipeline, as_dataset

    asked: list[Any] = []
    monkeypatch.setattr(Pipeline, "run", lambda self, *_, **__: asked.append(self))
    monkeypatch.setattr(AutoTuningPipeline, "execute", lambda self, *_, **__: asked.append(self))
    job = pipeline_job(name, pairs, Recipe.parse(RECIPE), {"out": Path("run"), "resume": False})
    job(model, as_dataset(model, train, val))
    (made,) = asked
    assert type(made).__name__ == kind
    assert (made.setup.hls.clock_ns, made.setup.budget.latency_ns, made.setup.seed) == (4, 60, 7)
    assert made.setup.training == {"batch_size": 64}
    if name == "auto":
        spec = made.spec
        assert (spec.epochs, spec.final_epochs, spec.n_trials, spec.objective) == (
            1,
            2,
            3,
            "latency_accuracy",
        )
    else:
        assert made.setup.epochs == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["compress", "--pipeline", "standrad"], "one of standard, auto"),
        (["compress", "--pipeline", "standard", "--set", "target"], "name=value"),
        (["tune", "--objective", "speed"], "objective"),
        (["tune", "--study", "no_such_study.yaml"], "no_such_study.yaml"),
    ],
)
def test_bad_options_end_with_two_and_one_line(
    words: list[str], text: str, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "m.keras").touch()
    with pytest.raises(SystemExit) as left:
        main(
            [*words, "--model", str(tmp_path / "m.keras"), "--data", "d.npz", "--out", str(tmp_path / "run")]
        )
    assert left.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert text in line
    assert not (tmp_path / "run").exists()
