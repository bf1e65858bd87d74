"""``quickstart`` and ``compress``: the main job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pquant_hls.engine import CompressionResult
    from pquant_hls.spec import Recipe

EXIT_OF_VERDICT = {"MET": 0, "MISSED": 1, "UNKNOWN": 4}
DEFAULT_RECIPE = "jet_tagger_vu13p_200mhz"
SHOWCASE = "jet_tagger_learned_40ns"
"""Of quickstart: the better way, where the network and the time it takes are known."""

Recipe_ = Annotated[str, typer.Option("--recipe", help="a YAML file, or the name of a shipped recipe")]
Out = Annotated[Path, typer.Option("--out", help="run folder; new or empty")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with the interrupted run in --out")]
Report_ = Annotated[
    Path | None,
    typer.Option("--report", help="with --resume and measure: report, the report that the run waits for"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout, progress on stderr")]
Backend = Annotated[
    str | None, typer.Option("--backend", help="Vitis, Vivado or an added one, in place of the recipe's")
]
BudgetNs = Annotated[
    str | None, typer.Option("--budget", help="latency budget such as '60 ns', in place of the recipe's")
]
Quality_ = Annotated[
    list[str] | None,
    typer.Option(
        "--quality",
        help="what may be lost of a figure of merit, such as 'mse=5 %' or 'auc=>= 0.9', in place of the recipe's limits on "
        "quality; may be repeated (docs/tasks.md)",
    ),
]
Task_ = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="what is asked of the outputs, where it is not found: regression, or pt=regression,id=classes",
    ),
]
Smaller = Annotated[
    bool,
    typer.Option(
        "--smaller", help="where the architecture is the limit, train the network of fewer layers that fits"
    ),
]
PIPELINES_HELP = "in place of the loop: standard, auto, trigger, tagger, validation, adaptive, ptq or custom"


def register(app: typer.Typer) -> None:
    app.command()(quickstart)
    app.command()(compress)


def quickstart(
    out: Out = Path("runs/quickstart"),
    recipe: Recipe_ = SHOWCASE,
    backend: Backend = None,
    budget: BudgetNs = None,
    resume: Resume = False,
    json: Json = False,
) -> int:
    """Train a jet tagger on the bundled jets and compress it until its firmware meets the budget."""
    from pquant_hls.cli.console import Terminal

    settings = recipe_with(recipe, backend, budget)
    listen = Terminal()
    listen.line(f"recipe {settings.name}: {settings.description}")
    return _run(
        lambda: _trained_tagger(settings, listen), settings, out, resume=resume, json=json, listen=listen
    )


def compress(
    model: Annotated[Path, typer.Option("--model", help="Keras model: .keras, or .h5 of Keras 2 or 3")],
    data: Annotated[
        str,
        typer.Option("--data", help=".npz, .h5, .csv, .parquet, 'x.npy,y.npy' or package.module:function"),
    ],
    out: Out,
    recipe: Recipe_ = DEFAULT_RECIPE,
    backend: Backend = None,
    budget: BudgetNs = None,
    quality: Quality_ = None,
    task: Task_ = None,
    smaller: Smaller = False,
    resume: Resume = False,
    report: Report_ = None,
    json: Json = False,
    pipeline: Annotated[str | None, typer.Option("--pipeline", help=PIPELINES_HELP)] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="option of the pipeline, name=value; may be repeated")
    ] = None,
) -> int:
    """Compress a Keras model until its firmware meets the recipe's budget, or say why it cannot."""
    from pquant_hls.cli.console import Terminal

    settings, load, listen = recipe_with(recipe, backend, budget), loader(model, data), Terminal()
    settings = asking(settings, quality or [], task)
    if smaller:
        settings = training_smaller(settings, pipeline)
    if pipeline is None and not option:
        return _run(load, settings, out, resume=resume, json=json, listen=listen, report=report)
    from pquant_hls.cli.pipeline import pipeline_job, show_result

    job = pipeline_job(
        pipeline, option or [], settings, {"out": out, "resume": resume, "listen": listen, "report": report}
    )

    return run_job(load, job, show_result, out, resume=resume, json=json, listen=listen)


def loader(model: Path, data: str) -> Any:
    """A function that loads both files, to be called when stdout is kept clean; a model that is not there is told at once."""
    from pquant_hls.errors import UnsupportedModel

    if not model.exists():
        mend = "give a .keras or .h5 file; `pquant-hls quickstart` needs none"
        raise UnsupportedModel("no such model file", where=model, mend=mend)

    def load() -> tuple[Any, Any]:
        from pquant_hls.datasets import load_dataset
        from pquant_hls.network import load_model

        return load_model(model), load_dataset(data)

    return load


def recipe_with(source: str, backend: str | None, budget: str | None) -> Recipe:
    """The recipe with the command line's own words in place."""
    from pquant_hls.spec import Budget, HlsSpec, Recipe

    recipe = Recipe.load(source)
    if backend is not None:
        hls = {**recipe.hls.model_dump(), "backend": backend}
        recipe = recipe.with_(hls=HlsSpec.parse(hls, path="--backend"))
    if budget is not None:
        limits = {**recipe.budget.model_dump(), "latency_ns": budget}
        recipe = recipe.with_(budget=Budget.parse(limits, path="--budget"))
    return recipe


def asking(recipe: Recipe, quality: Sequence[str], task: str | None) -> Recipe:
    """The recipe with what the command line says of the outputs' tasks and of their figures."""
    from pquant_hls.errors import SpecError
    from pquant_hls.spec import Budget

    changes: dict[str, Any] = {}
    if quality:
        pairs = [text.partition("=") for text in quality]
        if bad := [name for name, equals, _ in pairs if not equals]:
            mend = "write figure=loss, e.g. --quality 'mse=5 %'"
            raise SpecError(f"got {bad[0]!r}", where="--quality", mend=mend)
        named = {name.strip(): text.strip() for name, _, text in pairs}
        without = dict.fromkeys(("max_accuracy_loss", "min_accuracy"))
        limits = {**recipe.budget.model_dump(), **without, "quality": named}
        changes["budget"] = Budget.parse(limits, path="--quality")
    if task is not None:
        several = dict(part.strip().partition("=")[::2] for part in task.split(","))
        changes["task"] = several if "=" in task else task
    return recipe.with_(**changes) if changes else recipe


def training_smaller(recipe: Recipe, pipeline: str | None = None) -> Recipe:
    """The recipe with ``loop.smaller``, as it is where it says how; SpecError for a pipeline, which has no loop to go on."""
    from pquant_hls.errors import SpecError
    from pquant_hls.spec.steps import TeachingConfig

    if pipeline is not None:
        raise SpecError(
            f"is of the loop, not of pipeline {pipeline}", where="--smaller", mend="leave --pipeline out"
        )
    how = recipe.loop.smaller or TeachingConfig()
    return recipe.with_(loop=recipe.loop.with_(smaller=how))


def _trained_tagger(recipe: Recipe, listen: Any) -> tuple[Any, Any]:
    from pquant_hls.datasets import load_dataset
    from pquant_hls.engine import Event, epoch_event
    from pquant_hls.network import build_mlp
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    data = load_dataset("lhc_jets")
    listen.line(f"{data.name}: {len(data.x_train):,} jets to train on, classes {' '.join(data.classes)}")
    model = build_mlp(data.sample_shape[0], (64, 32, 32), data.n_classes, seed=recipe.seed)
    listen(Event("stage", "train the float 16-64-32-32-5 tagger"))
    config = FineTuneConfig(epochs=20, batch_size=256, learning_rate=3e-3, seed=recipe.seed)
    fit(model, data, config, progress=lambda report: listen(epoch_event(report)))
    return model, data


def _run(
    load: Any,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool,
    json: bool,
    listen: Any,
    report: Path | None = None,
) -> int:
    def job(model: Any, data: Any) -> CompressionResult:
        from pquant_hls.engine import compress_model

        return compress_model(model, data, recipe, out, resume=resume, listen=listen, report=report)

    return run_job(
        load, job, lambda result: _show(result, recipe), out, resume=resume, json=json, listen=listen
    )


def run_job(load: Any, job: Any, show: Any, out: Path, *, resume: bool, json: bool, listen: Any) -> int:
    """Load, work and show: ``load() -> (model, data)``, ``job(model, data) -> result``; the verdict's exit status."""
    from pquant_hls.cli.console import clean_stdout, load_tensorflow, print_json
    from pquant_hls.engine import Event
    from pquant_hls.errors import OutputError
    from pquant_hls.store import check_free

    check_free(out, resume=resume)
    try:
        with clean_stdout():
            listen(Event("stage", "loading TensorFlow, QKeras and hls4ml"))
            load_tensorflow()
            result = job(*load())
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; add --resume to go on with {out}\n")
        raise
    finally:
        listen.close()
    if json:
        print_json(as_json(result))
    else:
        show(result)
    if not out.is_dir():
        raise OutputError("the run folder is gone", where=out)
    return EXIT_OF_VERDICT[str(result.verdict)]


def as_json(result: CompressionResult) -> dict[str, Any]:
    """A result for machines."""
    return {
        "schema_version": 1,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "basis": result.basis,
        "folder": str(result.folder),
        "qor": result.qor.model_dump(mode="json"),
        "rounds": [entry.told() for entry in result.history],
        "compression_ratio": result.ratio,
        "best_config": result.best_config,
        "results": result.results,
    }


def _show(result: CompressionResult, recipe: Recipe) -> None:
    from pquant_hls.cli.closing import Closing
    from pquant_hls.cli.console import output_console
    from pquant_hls.cli.tables import rounds_table
    from pquant_hls.reporting import read_run

    console = output_console()
    console.print(rounds_table(console, result.history, result.baseline_accuracy, limits_text(recipe)))
    Closing.of_run(read_run(result.folder)).show(console)


def limits_text(recipe: Recipe) -> str:
    """The budget in words."""
    from pquant_hls.qor.words import limits

    hls = recipe.hls
    clock = f"{hls.clock_ns:.4g} ns clock, uncertainty {hls.clock_uncertainty_ns:.3g} ns"
    return (
        f"{limits(recipe.budget.model_dump())} | {hls.backend}, {hls.part}, {clock}, reuse {hls.reuse_factor}"
    )
