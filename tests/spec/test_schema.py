"""The JSON Schema of recipes and studies takes what the reader takes, and names what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no types of its own
import pytest
import yaml

from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe, StudySpec
from pquant_hls.spec.registry import step_names
from pquant_hls.spec.schema import recipe_schema, study_schema
from tests.helpers import Shell

CONFIGS = Path(__file__).parents[2] / "hls_configs"
RECIPE: dict[str, Any] = {
    "steps": [{"step": "prune", "sparsity": 0.5}, {"step": "quantize", "bits": 6}],
    "hls": {"clock_ns": "360 MHz", "clock_uncertainty": "27%"},
    "budget": {"latency_ns": "2 BX"},
}


def refused(recipe: dict[str, Any]) -> bool:
    return bool(list(jsonschema.Draft202012Validator(recipe_schema()).iter_errors(recipe)))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_fit_the_schema_that_their_first_line_names(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=recipe.schema.json"
    jsonschema.validate(yaml.safe_load(text), recipe_schema())


@pytest.mark.parametrize("what", ["recipe", "study"])
def test_the_shipped_schema_is_the_one_of_this_version(what: str, shell: Shell, tmp_path: Path) -> None:
    """Where it differs: ``pquant-hls schema recipe --out hls_configs/recipe.schema.json``."""
    assert shell("schema", what, "--out", tmp_path / "made.json")[0] == 0
    assert (tmp_path / "made.json").read_text() == (CONFIGS / f"{what}.schema.json").read_text()
    assert shell("schema", what)[1] == (tmp_path / "made.json").read_text()


def test_every_installed_step_has_its_own_keys() -> None:
    jsonschema.Draft202012Validator.check_schema(recipe_schema())
    for name in step_names():
        step = {"step": name}
        assert not refused({**RECIPE, "steps": [step]})
        assert refused({**RECIPE, "steps": [{**step, "sparsty": 0.5}]}), "a misspelt key"
    assert not refused(RECIPE)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": [{"step": "prone"}]},
        {"steps": [{"sparsity": 0.5}]},
        {"budget": {"latency": 5}},
        {"hls": {"io_type": "io_serial"}},
        {"loop": {"bits": {"min": 1}}},
        {"unheard": "a"},
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(change: dict[str, Any]) -> None:
    recipe = {**RECIPE, **change}
    assert refused(recipe)
    with pytest.raises(SpecError):
        Recipe.parse(recipe)


@pytest.mark.parametrize(
    "step",
    [
        {"step": "quantize", "method": "ptq"},
        {"step": "quantize", "allocation": "learned", "price": 1e-5},
        {"step": "quantize", "allocation": "learned", "price": {"start": 1e-6, "end": 1e-4}},
        {"step": "quantize", "allocation": "learned", "target": {"ebops": 500}},
    ],
)
def test_other_words_that_the_reader_takes_are_in_it(step: dict[str, Any]) -> None:
    recipe = {**RECIPE, "steps": [step]}
    Recipe.parse(recipe)
    assert not refused(recipe)


def test_a_study_may_write_its_ranges_in_every_form() -> None:
    study: dict[str, Any] = {
        "space": {
            "bits": [4, 8],
            "rank": True,
            "prune.importance": ["l1", "l2"],
            "sparsity": {"low": 0, "high": 1},
        },
        "budget": {"latency_ns": 40},
    }
    jsonschema.validate(study, study_schema())
    study["space"]["sparsity"] = {"low": 0.0, "high": 0.5}
    StudySpec.parse(study)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**study, "n_trails": 5}, study_schema())
