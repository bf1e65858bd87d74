"""The steps that ship, and one of a user's own, held to the conformance class."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Literal

import keras
import pytest

from pquant_hls.compress import (
    FineTuning,
    LayerPruning,
    LowRankCompression,
    Outcome,
    PruningCompression,
    QuantizationCompression,
    Step,
    step_class,
)
from pquant_hls.errors import SpecError
from pquant_hls.spec import STEP_GROUP
from pquant_hls.spec.plugins import by_name
from pquant_hls.spec.steps import StepConfig, parameter
from pquant_hls.testing.steps import StepConformance


class ScaleConfig(StepConfig):
    made_by: ClassVar[str] = f"{__name__}:Scaling"

    step: Literal["scale"] = "scale"
    factor: float = parameter(0.5, "what every weight is multiplied by", gt=0, search=(0.1, 1.0))


class Scaling(Step[ScaleConfig]):
    """A user's own step."""

    Config = ScaleConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        model.set_weights([self.config.factor * array for array in model.get_weights()])
        return Outcome(model, (f"scaled by {self.config.factor}",))


class TestOwnStep(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return Scaling(factor=0.25)


class TestPruning(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return PruningCompression(sparsity=0.5)


class TestLayerPruning(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return LayerPruning(dropped_layers=1, epochs=1, batch_size=64)


class TestLowRank(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return LowRankCompression(rank=2)


class TestQuantization(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return QuantizationCompression(bits=6, mode="ptq")


class TestFineTuning(StepConformance):
    @pytest.fixture
    def step(self) -> Step[Any]:
        return FineTuning(epochs=1, batch_size=64)


def offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Our own steps and one of another package."""
    ours = entry_points(group=STEP_GROUP)
    points = [*ours, EntryPoint("scale", value, STEP_GROUP)]
    monkeypatch.setattr("pquant_hls.spec.registry.points_of", lambda group: by_name(group, points))


@pytest.mark.parametrize("name", ["Scaling", "ScaleConfig"])
def test_steps_of_other_packages_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{__name__}:{name}")
    assert step_class("scale") is Scaling


@pytest.mark.parametrize(
    ("value", "text"),
    [("no_such_module:X", "cannot be loaded: No module"), ("pathlib:Path", "not a Step class")],
)
def test_steps_that_are_none_are_told(value: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, value)
    with pytest.raises(SpecError, match=f"pquant_hls.steps: step 'scale' .*{text}"):
        step_class("scale")
    with pytest.raises(
        SpecError, match="unknown step, known are fine_tune, low_rank, prune, prune_layers, quantize, scale"
    ):
        step_class("xxx")


def test_importing_the_rooms_does_not_import_tensorflow() -> None:
    code = (
        "import sys, pquant_hls.compress, pquant_hls.network; from pquant_hls.train import roc_auc; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'qkeras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
