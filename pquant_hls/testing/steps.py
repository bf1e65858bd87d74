"""What every compression step must keep to: a test class for authors of steps.

    class TestMyStep(StepConformance):
        @pytest.fixture
        def step(self): return MyStep(strength=0.5)

``model`` and ``data`` may be overridden too, as fixtures; the defaults are a small float classifier and 256
events.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_origin

import keras
import numpy as np
import pytest

from pquant_hls.compress import CompressedModel, Step, StepRecord
from pquant_hls.errors import SpecError
from pquant_hls.network import build_mlp, load_model, model_digest, n_outputs, save_model
from pquant_hls.train import scores


class StepConformance:
    """Subclass, give the fixture ``step``, and pytest runs the rest."""

    @pytest.fixture
    def step(self) -> Step[Any]:
        """The step under test."""
        raise NotImplementedError("give a fixture 'step' that returns your step")

    @pytest.fixture
    def model(self) -> keras.Model:
        """The model it is tried on."""
        return build_mlp(6, (8, 8), 3, seed=1)

    @pytest.fixture
    def data(self) -> Any:
        """Inputs float32 (256, 6) and labels of three classes, the same for training and validation."""
        rng = np.random.default_rng(0)
        y = rng.integers(3, size=256)
        x = (rng.standard_normal((256, 6)) + 2 * np.eye(6)[y]).astype(np.float32)
        return SimpleNamespace(
            x_train=x, y_train=y, x_val=x, y_val=y, x_test=x, y_test=y, classes=("a", "b", "c"), features=()
        )

    @pytest.fixture
    def result(self, step: Step[Any], model: keras.Model, data: Any) -> CompressedModel:
        """One application of the step."""
        return step.compress(model, data)

    def test_parameters_are_declared(self, step: Step[Any]) -> None:
        fields = type(step.config).model_fields
        assert get_origin(fields["step"].annotation) is Literal, "Config.step must be Literal['your_step']"
        missing = [name for name, declared in fields.items() if name != "step" and not declared.description]
        assert not missing, f"no help for {missing}"

    def test_search_ranges_can_be_set(self, step: Step[Any]) -> None:
        for name, found in step.config.search_space().items():
            for value in found.get("choices") or [found["low"], found["high"]]:
                assert getattr(type(step)(**{name: value}).config, name) == value

    def test_unknown_parameter_is_refused(self, step: Step[Any]) -> None:
        with pytest.raises(SpecError, match="no_such_parameter"):
            type(step)(no_such_parameter=1)

    def test_callers_model_is_untouched(self, step: Step[Any], model: keras.Model, data: Any) -> None:
        before, outputs = model_digest(model), scores(model, data.x_val)
        step.compress(model, data)
        assert model_digest(model) == before
        np.testing.assert_array_equal(scores(model, data.x_val), outputs)

    def test_record_tells_parent_and_child(
        self, result: CompressedModel, model: keras.Model, step: Step[Any]
    ) -> None:
        assert result.record.step == step.config.step
        assert result.record.parent == model_digest(model)
        assert result.record.child == model_digest(result.model)
        assert result.record.before.parameters == sum(array.size for array in model.get_weights())

    def test_record_survives_json(self, result: CompressedModel) -> None:
        assert StepRecord.model_validate_json(result.record.model_dump_json()) == result.record

    def test_inputs_and_outputs_keep_their_shape(
        self, result: CompressedModel, model: keras.Model, data: Any
    ) -> None:
        assert n_outputs(result.model) == n_outputs(model)
        found = scores(result.model, data.x_val)
        assert found.shape == scores(model, data.x_val).shape
        assert np.isfinite(found).all()

    def test_result_survives_saving(self, result: CompressedModel, data: Any, tmp_path: Path) -> None:
        again = load_model(save_model(result.model, tmp_path / "model.keras"))
        np.testing.assert_array_equal(scores(again, data.x_val), scores(result.model, data.x_val))

    def test_same_seed_gives_the_same_model(
        self, step: Step[Any], result: CompressedModel, model: keras.Model, data: Any
    ) -> None:
        assert step.compress(model, data).record.child == result.record.child
