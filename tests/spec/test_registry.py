"""Steps are found by entry points, ours as anybody's, and a message names what is wrong, not how it was made."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import STEP_GROUP, Recipe, StudySpec, config_class, step_config, step_names
from pquant_hls.spec.model import unknown_key
from pquant_hls.spec.plugins import by_name
from pquant_hls.spec.steps import PruneConfig

OWN = EntryPoint("prune", "pquant_hls.spec.steps:PruneConfig", STEP_GROUP)


def offer(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr("pquant_hls.spec.registry.points_of", lambda group: by_name(group, points))


def test_our_own_steps_are_entry_points_like_anybodys() -> None:
    assert {"prune", "low_rank", "quantize", "fine_tune"} <= set(step_names())
    assert config_class("prune") is PruneConfig


def test_a_recipe_is_checked_without_tensorflow() -> None:
    code = (
        "import sys; from pquant_hls.spec import Recipe; Recipe.load('jet_tagger_vu13p_200mhz')\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'qkeras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_source_tree_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, EntryPoint("scale", "theirs:Scaling", STEP_GROUP))
    with pytest.raises(SpecError, match=r"not registered: the package is imported but not installed.*-e \."):
        Recipe.parse({"steps": [{"step": "prune"}], "budget": {"latency_ns": 60}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("no_such_module:Scaling", "cannot be loaded: No module"),
        ("pquant_hls.spec:Scaling", "cannot be loaded: .*Scaling"),
        ("pquant_hls.spec:step_names", "not a Step class or a StepConfig"),
        ("pquant_hls.spec:Budget", "Budget, not a Step class or a StepConfig"),
    ],
)
def test_what_is_no_step_is_told(value: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, OWN, EntryPoint("scale", value, STEP_GROUP))
    with pytest.raises(SpecError, match=f"{STEP_GROUP}: step 'scale' .*{text}"):
        step_config({"step": "scale"})
    with pytest.raises(SpecError, match=r"did you mean 'prune\.sparsity'"):
        StudySpec.parse({"space": {"prune.sparsty": [0, 0.5]}})


def test_two_packages_that_offer_one_name_are_both_told(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, OWN, EntryPoint("prune", "theirs.steps:Pruner", STEP_GROUP))
    with pytest.raises(SpecError, match=r"'prune' is offered by pquant_hls\S+ and theirs\.steps:Pruner"):
        step_config({"step": "prune"})


@pytest.mark.parametrize("name", ["key_prj", "keyproj", "key_projj"])
def test_a_layer_with_key_in_its_name_is_named_rightly(name: str) -> None:
    assert unknown_key(name, ["key_proj", "query"], "layer") == "unknown layer, did you mean 'key_proj'?"
    assert unknown_key("zzz", ["key_proj"], "layer") == "unknown layer, known are key_proj"
