"""``compress --pipeline``: a pipeline with a recipe's target, budget, steps and training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pquant_hls.errors import SpecError
from pquant_hls.spec.text import yaml_values

if TYPE_CHECKING:
    from pquant_hls.engine import CompressionResult
    from pquant_hls.spec import Recipe

NAMES = ("standard", "auto", "trigger", "tagger", "validation", "adaptive", "ptq", "custom")
ALIASES = {"compression": "custom", "auto_tuning": "auto"}
TRAINING = ("epochs", "batch_size", "learning_rate", "schedule")

Job = Callable[[Any, Any], "CompressionResult"]


def pipeline_job(name: str | None, given: Sequence[str], recipe: Recipe, run: Mapping[str, Any]) -> Job:
    """The pipeline as a function of model and data; raises SpecError for an unknown name or option."""
    name = ALIASES.get(name or "", name)
    if name not in NAMES:
        raise SpecError(f"got {name!r}", where="--pipeline", mend=f"one of {', '.join(NAMES)}")
    training = _training(recipe)
    if (
        name == "auto" and "epochs" in training
    ):  # a recipe's training is the full schedule, a trial's is short
        training["final_epochs"] = training.pop("epochs")
    options = {
        **training,
        "hls": recipe.hls,
        "seed": recipe.seed,
        "budget": recipe.budget,
        "task": recipe.task,
        **run,
        **_pairs(given),
    }
    return lambda model, data: _call(name, recipe, options, model, data)


def _call(name: str, recipe: Recipe, options: dict[str, Any], model: Any, data: Any) -> CompressionResult:
    from pquant_hls import pipelines

    if name == "trigger":
        return pipelines.HEPCompressionPipeline(**options).compress_trigger_model(
            model, _latency(recipe), data
        )
    if name == "tagger":
        return pipelines.HEPCompressionPipeline(**options).compress_jet_tagger(model, data)
    if name == "standard":
        return pipelines.StandardCompressionPipeline(**options).execute(model, data)
    if name == "ptq":
        return pipelines.PtqPipeline(**_untrained(options)).execute(model, data)
    if name == "adaptive":
        return pipelines.AdaptivePipeline(**options).execute(model, data)
    if name == "auto":
        return pipelines.AutoTuningPipeline(**options).execute(model, data)
    made = pipelines.ValidationPipeline if name == "validation" else pipelines.CompressionPipeline
    return made(recipe.steps, **options).execute(model, data)


def _untrained(options: dict[str, Any]) -> dict[str, Any]:
    """Without what a recipe says of training."""
    return {key: value for key, value in options.items() if key not in ("epochs", "training")}


def _latency(recipe: Recipe) -> float:
    if recipe.budget.latency_ns is None:
        raise SpecError(
            "the trigger pipeline needs a latency", where="budget.latency_ns", mend="add --budget '100 ns'"
        )
    return recipe.budget.latency_ns


def _training(recipe: Recipe) -> dict[str, Any]:
    """Epochs and training fields of the recipe's last step that trains."""
    found: dict[str, Any] = {}
    for step in recipe.steps:
        values = step.model_dump(exclude_unset=True)
        found |= {name: values[name] for name in TRAINING if values.get(name)}
    epochs = {"epochs": found.pop("epochs")} if "epochs" in found else {}
    return {**epochs, "training": found}


def _pairs(given: Sequence[str]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in given]
    for name, sign, _ in pairs:
        if not sign or not name.isidentifier():
            raise SpecError(
                f"got {name!r}", where="--set", mend="write name=value, e.g. --set target_compression=8"
            )
    return {name: yaml_values(value, f"--set {name}") for name, _, value in pairs}


def show_result(result: CompressionResult) -> None:
    """Each line of history, what the pipeline or study was after, and the closing block."""
    from pquant_hls.cli.closing import Closing
    from pquant_hls.cli.console import output_console
    from pquant_hls.cli.tables import lines_table
    from pquant_hls.reporting import lines, read_run

    console, run = output_console(), read_run(result.folder)
    console.print(lines_table(console, lines(result.history, result.baseline_accuracy)))
    for line in _own_figures(result, tuple(run.budget.get("quality") or ())):
        console.print(line)
    Closing.of_run(run).show(console)


def _own_figures(result: CompressionResult, named: Sequence[str]) -> Iterator[str]:
    """Quality on the validation split, the ratio, and a study's winner; of figures by bin or class those that are ``named``."""
    from pquant_hls.qor.words import lost_of, percent, points, quality_text

    lost = points(*lost_of(result.qor, result.baseline_accuracy))
    ratio = "-" if result.ratio is None else f"{result.ratio:.2f}"
    for name, found in result.qor.quality.items():
        if ":" not in name or name in named:
            yield f"csim {quality_text(name, found)} (validation)"
    if result.qor.accuracy is None and result.qor.quality:
        yield f"ratio {ratio}"
    else:
        accuracy = percent(result.qor.accuracy, result.qor.metrics.get("accuracy_error"))
        original = percent(result.baseline_accuracy)
        yield f"csim accuracy {accuracy} (validation), original {original}, loss {lost} points, ratio {ratio}"
    if result.best_config is not None:
        yield f"best configuration: {result.best_config}"
