"""The steps that ship, and one of a user's own, held to the conformance class."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

import keras
import pytest

from pquant_hls.compress import (
    FineTuning,
    LowRankCompression,
    Outcome,
    PruningCompression,
    QuantizationCompression,
    Step,
    step_class,
)
from pquant_hls.errors import SpecError
from pquant_hls.spec.steps import StepConfig, parameter
from pquant_hls.testing.steps import StepConformance


class ScaleConfig(StepConfig):
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


def test_steps_of_other_packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "scale"

        @staticmethod
        def load() -> type[Step[Any]]:
            return Scaling

    monkeypatch.setattr(
        "pquant_hls.compress.step.entry_points", lambda group: [Point] if group == "pquant_hls.steps" else []
    )
    assert step_class("scale") is Scaling


@pytest.mark.parametrize(
    ("offered", "text"),
    [(ImportError("no module"), "cannot be loaded: no module"), (print, "not a Step class")],
)
def test_steps_that_are_none_are_told(offered: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "scale"

        @staticmethod
        def load() -> Any:
            if isinstance(offered, Exception):
                raise offered
            return offered

    monkeypatch.setattr("pquant_hls.compress.step.entry_points", lambda group: [Point])
    with pytest.raises(SpecError, match=f"pquant_hls.steps: step 'scale' .*{text}"):
        step_class("scale")
    with pytest.raises(SpecError, match="one of prune, low_rank, quantize, fine_tune, scale"):
        step_class("polish")


def test_importing_the_rooms_does_not_import_tensorflow() -> None:
    code = (
        "import sys, pquant_hls.compress, pquant_hls.network; from pquant_hls.train import roc_auc; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'qkeras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
