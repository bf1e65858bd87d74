"""The command line's words for tasks and figures of merit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pquant_hls.cli.compress import asking
from pquant_hls.errors import SpecError
from pquant_hls.qor import QoR, Quality
from pquant_hls.spec import Recipe
from tests.helpers import Shell


@pytest.fixture
def recipe() -> Recipe:
    told = {
        "steps": [{"step": "quantize", "bits": 6}],
        "budget": {"latency_ns": 50, "max_accuracy_loss": 0.02},
    }
    return Recipe.parse(told)


def test_quality_stands_in_place_of_the_recipes(recipe: Recipe) -> None:
    found = asking(recipe, ["mse=5 %", "auc=>= 0.9"], None)
    assert found.budget.quality == {"mse": "5 %", "auc": ">= 0.9"}
    assert (found.budget.max_accuracy_loss, found.budget.latency_ns) == (None, 50)
    assert asking(recipe, [], None) is recipe


def test_tasks_for_all_outputs_or_by_name(recipe: Recipe) -> None:
    assert asking(recipe, [], "score").task == "score"
    assert asking(recipe, [], "pt=regression, id=classes").task == {"pt": "regression", "id": "classes"}


@pytest.mark.parametrize(
    ("quality", "task", "message"),
    [
        (["mse"], None, "--quality: got 'mse'"),
        (["mse=little"], None, "says neither a loss nor a limit"),
        ([], "regressions", "task"),
    ],
)
def test_words_that_are_none(recipe: Recipe, quality: list[str], task: str | None, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        asking(recipe, quality, task)


def test_the_gate_judges_a_figure_of_the_record(shell: Shell, tmp_path: Path) -> None:
    mse = Quality(
        value=0.0106,
        error=0.0004,
        events=900,
        original=0.01,
        loss_error=0.0002,
        lower_is_better=True,
        relative=True,
    )
    file = tmp_path / "qor.json"
    record = QoR(quality={"mse": mse}, part="xcvu13p-flga2577-2-e").model_dump(mode="json")
    file.write_text(json.dumps(record))
    status, said, _ = shell("gate", file, "--limit", "mse=2 %", "--json")
    checks = {check["name"]: check["verdict"] for check in json.loads(said)["checks"]}
    assert (status, checks["mse"]) == (1, "MISSED")
    _, said, _ = shell("gate", file, "--limit", "mse=20 %", "--limit", "auc=>= 0.9")
    assert "mse 0.0106 ± 0.0002 (limit <= 0.012): MET" in said
    assert "auc: it was not measured: UNKNOWN" in said
    status, _, complaint = shell("gate", file, "--limit", "mse=little")
    assert (status, "unknown limit 'mse=little'" in complaint) == (2, True)
