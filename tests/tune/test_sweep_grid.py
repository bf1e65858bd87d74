"""Sweeps: a grid over a recipe, every design on the ledger, the best that fits handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe
from pquant_hls.tune.grid import combinations

RECIPE = Recipe.parse(
    {
        "steps": [
            {"step": "prune", "sparsity": 0.0},
            {"step": "quantize", "bits": 8, "epochs": 1, "batch_size": 64},
        ],
        "budget": {"latency_ns": 1000, "max_accuracy_loss": 0.5},
    }
)
GRID: dict[str, list[Any]] = {"steps.0.sparsity": [0.0, 0.5], "steps.1.bits": [4, 8]}


def test_a_grid_gives_every_recipe_the_last_parameter_fastest() -> None:
    found = list(combinations(RECIPE, {**GRID, "hls.reuse_factor": [1]}))
    assert [tuple(params.values()) for params, _ in found] == [
        (0.0, 4, 1),
        (0.0, 8, 1),
        (0.5, 4, 1),
        (0.5, 8, 1),
    ]
    told = found[2][1].model_dump()
    assert (told["steps"][0]["sparsity"], told["steps"][1]["bits"]) == (0.5, 4)
    assert RECIPE.model_dump()["steps"][0]["sparsity"] == 0.0


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({}, "grid: a grid names parameters, each with its values"),
        ({"steps.0.sparsity": []}, "grid: a grid names parameters"),
        ({"steps.0.sparsty": [0.5]}, "grid: steps.0.sparsty: unknown parameter, did you mean 'sparsity'"),
        ({"steps.2.bits": [4]}, "grid: steps.2.bits: unknown parameter, known are 0, 1"),
        ({"steps.0.sparsity.more": [4]}, "grid: steps.0.sparsity.more: nothing lies beneath 0.0"),
        ({"steps.1.bits": [4, "many"]}, "steps.1.bits"),
    ],
)
def test_a_wrong_grid_is_told_before_any_training(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        list(combinations(RECIPE, grid))


@pytest.fixture(scope="module")
def toy() -> tuple[Any, Any]:
    """A float 5-8-2 network and 500 events."""
    from pquant_hls.datasets.assemble import assemble
    from pquant_hls.network import build_mlp

    rng = np.random.default_rng(3)
    y = np.arange(500) % 2
    x = rng.normal(0, 1, (500, 5)) + np.where(y[:, None] == 1, 0.8, -0.8) * np.array([1, 1, 0, 0, 1])
    data = assemble({"x": x.astype(np.float32), "y": y}, name="toy", where="toy", seed=0)
    return build_mlp(5, (8,), 2, seed=0), data


@pytest.mark.gxx
def test_a_sweep_gives_a_frame_and_a_heat_map_and_goes_on_where_it_was(
    toy: tuple[Any, Any], tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    from pquant_hls import sweep

    result = sweep(*toy, RECIPE, GRID, tmp_path / "sweep")
    frame, heat = result
    assert list(frame["step"]) == ["trial 0", "trial 1", "trial 2", "trial 3"]
    assert list(frame["steps.0.sparsity"]) == [0.0, 0.0, 0.5, 0.5]
    assert list(frame["steps.1.bits"]) == [4, 8, 4, 8]
    assert frame["worst_ns"].notna().all()
    assert frame.loc[2, "weights"] is None or frame.loc[2, "ratio"] > frame.loc[0, "ratio"]
    assert [row[0] for row in heat.table.rows] == ["4", "8"]
    assert heat.table.heads[1:] == ("steps.0.sparsity 0.0", "steps.0.sparsity 0.5")
    assert float(heat.table.rows[1][1].rstrip("*")) == pytest.approx(100 * frame.loc[1, "accuracy"], abs=0.01)
    best = frame[frame["broke"] == ""].sort_values(["accuracy", "worst_ns"], ascending=[False, True]).iloc[0]
    assert result.reason.startswith(f"{best['step']} of 4 is the best")
    assert result.qor.csim_match == 1.0, "what is handed over is measured"
    steps = sorted((tmp_path / "sweep" / "steps").iterdir())
    assert sum(path.name.startswith("prune") for path in steps) <= 2, "a step in common is made once"

    ledger = (tmp_path / "sweep" / "ledger.jsonl").read_text()
    again = sweep(*toy, RECIPE, GRID, tmp_path / "sweep")
    assert (tmp_path / "sweep" / "ledger.jsonl").read_text() == ledger
    assert again.frame.equals(frame)
    with pytest.raises(SpecError, match="no figure 'speed'"):
        result.heat("speed")
    assert "worst latency, ns" in result.heat("worst_ns").alt or "4 designs" in result.heat("worst_ns").alt
