"""A package of somebody else, installed beside ours: its steps in a recipe, a study, ``>>``, pipelines and the loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna
import pytest

from pquant_hls import engine
from pquant_hls.compress import step_class
from pquant_hls.engine import Point, closed_loop
from pquant_hls.errors import SpecError
from pquant_hls.pipelines import CompressionPipeline, ValidationPipeline, prune, step
from pquant_hls.pipelines.walk import name_of, settings_of
from pquant_hls.spec import Recipe, StudySpec, step_names
from pquant_hls.tune import OBJECTIVES
from pquant_hls.tune.space import orders, steps_in
from pquant_hls.tune.study import Search
from tests.helpers import known
from tests.pipelines.instant import Folder, InstantBench, Law, Toy

CONFIG = """
from typing import ClassVar, Literal
from pquant_hls.spec.steps import StepConfig, parameter

class ClipConfig(StepConfig):
    made_by: ClassVar[str] = "their_steps.step:Clip"
    step: Literal["clip"] = "clip"
    share: float = parameter(0.2, "share of the weights cut off", ge=0, lt=1, search=(0.1, 0.5), ladder="sparsity")
"""
STEP = """
from typing import Literal
from pquant_hls.compress import Outcome, Step
from pquant_hls.spec.steps import StepConfig, parameter
from their_steps.config import ClipConfig

class Clip(Step[ClipConfig]):
    Config = ClipConfig
    def apply(self, model, data):
        return Outcome(model)

class ShiftConfig(StepConfig):
    step: Literal["shift"] = "shift"
    by: int = parameter(1, "places", ge=0, search=(0, 3))

class Shift(Step[ShiftConfig]):
    Config = ShiftConfig
    def apply(self, model, data):
        return Outcome(model)
"""
ENTRIES = "[pquant_hls.steps]\nclip = their_steps.config:ClipConfig\nshift = their_steps.step:Shift\n"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The distribution ``their-steps`` on the path: one step by a lazy configuration, one by its class."""
    package, info = tmp_path / "their_steps", tmp_path / "their_steps-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "config.py").write_text(CONFIG)
    (package / "step.py").write_text(STEP)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-steps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("their_steps")]:
        del sys.modules[name]


class Bench(InstantBench):
    """One that knows their steps too."""

    def _stepped(self, model: Toy, step: Any) -> Toy:
        if step.step == "clip":
            return replace(model, kept=min(model.kept, 1 - step.share))
        if step.step == "shift":
            return replace(model, trained=model.trained + step.by)
        return super()._stepped(model, step)

    def apply(self, point: Point, step: Any, *, hls: Any = None) -> Point:
        return super().apply(point, getattr(step, "config", step))


RECIPE: dict[str, Any] = {
    "steps": [{"step": "clip", "share": 0.3}, {"step": "quantize", "bits": 6}, {"step": "shift"}],
    "budget": {"latency_ns": 15},
    "loop": {"max_rounds": 40},
}


def test_a_recipe_takes_them_and_imports_a_step_only_where_it_must() -> None:
    assert {"clip", "shift", "prune"} <= set(step_names())
    recipe = Recipe.parse({**RECIPE, "steps": RECIPE["steps"][:2]})
    assert "their_steps.step" not in sys.modules
    assert [step.step for step in recipe.steps] == ["clip", "quantize"]
    assert step_class("clip").__name__ == "Clip"
    assert step_class("shift").__name__ == "Shift"
    with pytest.raises(SpecError, match=r"steps\.0\.shar: unknown key, did you mean 'share'"):
        Recipe.parse({**RECIPE, "steps": [{"step": "clip", "shar": 0.3}]})
    with pytest.raises(SpecError, match=r"steps\.0\.step: unknown step, did you mean 'clip'"):
        Recipe.parse({**RECIPE, "steps": [{"step": "clipp"}]})


def test_steps_join_in_every_form() -> None:
    from their_steps.config import ClipConfig  # type: ignore[import-not-found]  # a fixture writes it
    from their_steps.step import Clip  # type: ignore[import-not-found]  # a fixture writes it

    joined = prune(0.5) >> "clip" >> {"step": "clip", "share": 0.1} >> ClipConfig() >> step("shift", by=2)
    assert [name_of(each) for each in joined.steps] == ["prune", "clip", "clip", "clip", "shift"]
    assert [name_of(each) for each in ("clip" >> prune(0.5)).steps] == ["clip", "prune"]
    assert isinstance((prune(0.5) >> Clip(share=0.1)).steps[1], Clip)


def test_pipelines_run_them() -> None:
    for pipeline in (step("clip", share=0.4) >> step("quantize", bits=6), ValidationPipeline(["clip"], 0.2)):
        bench = Bench(Law())
        ending = pipeline.policy(bench, bench.start(Toy()), pipeline.setup)
        assert ending.history[0]["step"] == "clip"
        assert ending.history[0]["kept"]
        assert ending.best.model.kept < 1
    assert isinstance(pipeline, ValidationPipeline)
    (clip,) = CompressionPipeline({"methods": ["clip"], "clip": {"share": 0.1}}).steps
    assert settings_of(clip)["share"] == 0.1


def test_the_loop_turns_the_parameter_that_their_configuration_declares() -> None:
    recipe = Recipe.parse(RECIPE)
    bench = Bench(Law(per_sparsity=0.01, per_bit=0.001, interval=0), budget=recipe.budget)
    found = closed_loop(bench, bench.start(Toy()), recipe)
    assert dict(found.rounds[0].knobs) == {"steps.0.share": 0.3, "steps.1.bits": 6}
    turned = {done.move.knob for done in found.rounds if done.move is not None}
    assert turned == {"steps.0.share", "steps.1.bits"}
    assert found.entries[1]["knobs"] == {"share": 0.3, "bits": 6}
    assert found.best.model.kept < 0.7


def test_a_study_searches_them_and_drops_none_in_silence(tmp_path: Path) -> None:
    values = {"space": {"clip.share": [0.2, 0.4], "shift.by": True, "bits": [4, 6]}, "n_trials": 4}
    spec = StudySpec.parse({**values, "budget": {"latency_ns": 100}})
    assert steps_in(spec) == ("clip", "shift", "quantize"), "a step that does not say stands before quantize"
    assert "shift clip quantize" in orders(spec)
    assert (spec.space["shift.by"].low, spec.space["shift.by"].high) == (0, 3)
    bench = Bench(Law(), budget=known(spec.budget), run=Folder(path=tmp_path))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    search = Search(cast("engine.Bench", bench), spec, bench.start(Toy()), OBJECTIVES[spec.objective], study)
    search.run()
    ending = search.winner()
    assert 0.6 <= ending.best.model.kept <= 0.8
    assert {"clip.share", "shift.by", "bits"} == set(ending.extra["best_config"])
    assert all(isinstance(trial.params["shift.by"], int) for trial in study.trials)
    with pytest.raises(SpecError, match=r"did you mean 'clip\.share'"):
        StudySpec.parse({"space": {"clip.shar": True}})
    with pytest.raises(SpecError, match="share"):
        StudySpec.parse({"space": {"clip.share": [0.2, 1.5]}})
