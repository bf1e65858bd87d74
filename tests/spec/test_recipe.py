"""Recipes: shipped ones load, wrong ones name the path and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget, HlsSpec, Recipe, recipe_names

GOOD = {
    "steps": [{"step": "prune", "sparsity": 0.5}, {"step": "quantize", "bits": 6}],
    "budget": {"latency_ns": 60},
}


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load_and_read_back(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    (tmp_path / "again.yaml").write_text(recipe.dump())
    assert Recipe.load(tmp_path / "again.yaml") == recipe


def test_there_are_recipes_for_the_known_triggers() -> None:
    assert len(recipe_names()) >= 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": [{"step": "prune", "sparsty": 0.5}]},
            r"steps\.0\.sparsty: unknown key, did you mean 'sparsity'\?",
        ),
        (
            {"steps": [{"step": "prun", "sparsity": 0.5}]},
            r"steps\.0\.step: unknown step, did you mean 'prune'\?",
        ),
        ({"steps": [{"sparsity": 0.5}]}, r"steps\.0: a step needs its name"),
        ({"steps": [{"step": "prune", "sparsity": 1.0}]}, r"steps\.0\.sparsity: .*\[0, 1\)"),
        ({"steps": [{"step": "quantize", "bits": "six"}]}, r"steps\.0\.bits: .*integer"),
        ({"steps": []}, r"steps: "),
        ({"steps": "prune"}, r"steps: .*list"),
        ({"budgets": {"latency_ns": 5}}, r"budgets: unknown key, did you mean 'budget'"),
        ({"budget": {}}, r"budget: no limit is set"),
        ({"budget": {"latency_ns": "60 parsec"}}, r"budget\.latency_ns: unknown unit 'parsec'"),
        ({"budget": {"latency_ns": -5}}, r"budget\.latency_ns: .*greater than 0"),
        (
            {"budget": {"latency_ns": 60, "resources": {"luts": 5}}},
            r"budget\.resources\.luts: unknown key, did you mean 'lut'",
        ),
        ({"budget": {"latency_ns": 60, "measure": "rtl"}}, r"budget: .*deliver: rtl"),
        ({"budget": {"latency_ns": 2}}, r"less than one clock"),
        ({"hls": {"clock_ns": "0 MHz"}}, r"hls\.clock_ns: a frequency must be positive"),
        ({"hls": {"strategy": "fast"}}, r"hls\.strategy: "),
        ({"loop": {"bits": {"min": 1}}}, r"loop\.bits\.min: "),
        ({"schema_version": 2}, r"schema_version: "),
        ({"task": "regressoin"}, r"^task: input should be .*'regression'.*, got 'regressoin'"),
        ({"task": {"pt": "regressoin"}}, r"^task: input should be"),
    ],
)
def test_a_wrong_recipe_names_its_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Recipe.parse({**GOOD, **change})


@pytest.mark.parametrize(
    ("text", "message"),
    [("steps: [", "is not YAML"), ("- 1\n", "expected keys and values"), ("", "required")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=rf"mine\.yaml.*{message}"):
        Recipe.load(path)


def test_a_missing_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(SpecError, match="jet_tagger_vu13p_200mhz"):
        Recipe.load("no_such_recipe")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SpecError, match=r"mine\.yaml"):
        Recipe.load(path)


@pytest.mark.parametrize(("text", "ns"), [("60 ns", 60), ("0.06 us", 60), ("2 BX", 50), (60, 60), ("60", 60)])
def test_times_have_units(text: str | int, ns: int) -> None:
    assert Budget(latency_ns=text).latency_ns == pytest.approx(ns)


@pytest.mark.parametrize(("text", "ns"), [("200 MHz", 5), ("360MHz", 1000 / 360), ("5 ns", 5), (25, 25)])
def test_clocks_are_periods_or_frequencies(text: str | int, ns: float) -> None:
    assert HlsSpec(clock_ns=text).clock_ns == pytest.approx(ns)


@pytest.mark.parametrize(
    ("backend", "uncertainty", "ns"),
    [("Vitis", None, 1.35), ("Vivado", None, 0.625), ("Vitis", "10%", 0.5), ("Vitis", 0.3, 0.3)],
)
def test_uncertainty_follows_the_backend_unless_stated(
    backend: str, uncertainty: str | float | None, ns: float
) -> None:
    assert HlsSpec(backend=backend, clock_uncertainty=uncertainty).clock_uncertainty_ns == pytest.approx(ns)


def test_specs_cannot_be_changed_and_copies_are_validated() -> None:
    recipe = Recipe.parse(GOOD)
    with pytest.raises(Exception, match="frozen"):
        recipe.name = "other"  # type: ignore[misc]  # refused is what is tested
    with pytest.raises(SpecError, match="name"):
        recipe.with_(name="")
