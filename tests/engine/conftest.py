"""A run of the main job on few jets, shared by the tests of engine and command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pquant_hls.datasets import Dataset

if TYPE_CHECKING:  # loads TensorFlow, which the tests of score and forecast beside it do without
    from pquant_hls.engine import CompressionResult, Event

RECIPE = {
    "name": "small",
    "steps": [
        {"step": "prune", "sparsity": 0.25},
        {"step": "quantize", "bits": 8, "epochs": 2, "batch_size": 256},
    ],
    "budget": {"latency_ns": 1000, "max_accuracy_loss": 0.3},
}


class Finished(NamedTuple):
    result: CompressionResult
    folder: Path
    events: list[Event]


@pytest.fixture(scope="session")
def few_jets() -> Dataset:
    """3,000 bundled jets in three splits."""
    from pquant_hls.datasets import load_dataset

    jets = load_dataset("lhc_jets")
    parts = {
        f"{name}_{part}": getattr(jets, f"{name}_{part}")[:1000]
        for name in "xy"
        for part in ("train", "val", "test")
    }
    return dataclasses.replace(jets, **parts, name="few")


@pytest.fixture(scope="session")
def small_tagger(few_jets: Dataset) -> Any:
    """A float 16-12-8-5 tagger, barely trained."""
    from pquant_hls.network import build_mlp
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    model = build_mlp(16, (12, 8), 5, seed=1)
    fit(model, few_jets, FineTuneConfig(epochs=6, batch_size=128, learning_rate=5e-3))
    return model


@pytest.fixture(scope="session")
def finished(few_jets: Dataset, small_tagger: Any, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished run of the recipe."""
    from pquant_hls.engine import compress_model
    from pquant_hls.spec import Recipe

    events: list[Event] = []
    folder = tmp_path_factory.mktemp("main") / "run"
    result = compress_model(small_tagger, few_jets, Recipe.parse(RECIPE), folder, listen=events.append)
    return Finished(result, folder, events)
