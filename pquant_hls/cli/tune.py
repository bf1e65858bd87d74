"""``tune``: an Optuna study from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.compress import (
    DEFAULT_RECIPE,
    BudgetNs,
    Json,
    Out,
    Recipe_,
    Resume,
    loader,
    recipe_with,
    run_job,
)

if TYPE_CHECKING:
    from pquant_hls.spec import StudySpec


def register(app: typer.Typer) -> None:
    app.command()(tune)


def tune(
    model: Annotated[Path, typer.Option("--model", help="Keras model: .keras, or .h5 of Keras 2 or 3")],
    data: Annotated[str, typer.Option("--data", help="as for compress; also lhc_jets, the bundled jets")],
    out: Out,
    study: Annotated[
        Path | None, typer.Option("--study", help="a YAML file; without one the recipe's target and budget")
    ] = None,
    recipe: Recipe_ = DEFAULT_RECIPE,
    budget: BudgetNs = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="number of trials, in place of the study's")
    ] = None,
    objective: Annotated[str | None, typer.Option("--objective", help="in place of the study's")] = None,
    resume: Resume = False,
    json: Json = False,
) -> int:
    """Search bits, sparsity and whatever the study names for the best design within the budget."""
    from pquant_hls.cli.console import Terminal
    from pquant_hls.cli.pipeline import show_result

    changes = {"n_trials": trials, "objective": objective}
    spec = _spec(study, recipe, budget).with_(
        **{name: value for name, value in changes.items() if value is not None}
    )
    listen = Terminal()

    def job(keras_model: Any, dataset: Any) -> Any:
        from pquant_hls.tune import tune_model

        return tune_model(keras_model, dataset, spec, out, resume=resume, listen=listen)

    return run_job(loader(model, data), job, show_result, out, resume=resume, json=json, listen=listen)


def _spec(study: Path | None, recipe: str, budget: str | None) -> StudySpec:
    from pquant_hls.spec import Budget, StudySpec

    if study is None:
        chosen = recipe_with(recipe, None, budget)
        return StudySpec(name=chosen.name, hls=chosen.hls, budget=chosen.budget, seed=chosen.seed)
    spec = StudySpec.load(study)
    if budget is None:
        return spec
    limits = {} if spec.budget is None else spec.budget.model_dump()
    return spec.with_(budget=Budget.parse({**limits, "latency_ns": budget}, path="--budget"))
