"""Designs over a grid of a recipe's parameters: each is built and looked at, the best that fits is handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from pquant_hls.datasets import Dataset
from pquant_hls.decide import unmet
from pquant_hls.engine import (
    Bench,
    CompressionResult,
    Ending,
    Event,
    Fidelity,
    Goal,
    Listener,
    Order,
    Point,
    Watch,
    listener_of,
    loss,
    quantized,
    run_policy,
)
from pquant_hls.errors import (
    NoGain,
    NotMeasured,
    OutputError,
    PquantError,
    SpecError,
    ToolFailed,
    ToolNotFound,
)
from pquant_hls.qor.words import trial_outcome
from pquant_hls.reporting import Picture, frame, read_run
from pquant_hls.reporting.of_grid import heat_figure
from pquant_hls.spec import Recipe
from pquant_hls.spec.model import unknown_key
from pquant_hls.store import Entry
from pquant_hls.tune.worker import check_workers, make_ahead

if TYPE_CHECKING:
    from pandas import DataFrame

    from pquant_hls.network.model import Model

Grid = Mapping[str, Sequence[Any]]


class SweepResult(CompressionResult):
    """Of a sweep: unpacks to (frame of the designs, heat map of their accuracy). ``qor`` and ``model`` are those of the
    design that was handed over."""

    @property
    def frame(self) -> DataFrame:
        """A pandas frame with a row for each design."""
        return frame(read_run(self.folder), kinds=("trial",))

    def heat(self, value: str = "accuracy") -> Picture:
        """``accuracy``, ``worst_ns`` or ``ratio`` over the first two parameters of the grid."""
        return heat_figure(read_run(self.folder), value)

    def parts(self) -> tuple[DataFrame, Picture]:
        return self.frame, self.heat()


def sweep(
    model: Model,
    data: Dataset,
    recipe: Recipe,
    grid: Grid,
    out: str | Path | None = None,
    *,
    fidelity: Fidelity = "sketch",
    workers: int = 1,
    **watch: Unpack[Watch],
) -> SweepResult:
    """Build the design of every combination of a grid, and hand over the most accurate that the budget allows.

    Parameters
    ----------
    model : a Keras model; it is not changed.
    data : inputs float32 (n, *model input shape) and integer labels (n,) in three splits.
    recipe : what all designs have in common; its loop is not run.
    grid : values by the path of a parameter in the recipe: ``{"steps.0.sparsity": [0, 0.5], "steps.1.bits": [6, 8]}``,
        ``hls.reuse_factor`` too. The last one turns fastest; steps that designs have in common are made once.
    out : the run folder, ``runs/sweep-<digest>`` without it; the same call takes up an interrupted sweep in it.
    fidelity : ``sketch``: the estimator's latency and the Keras model's accuracy; ``measure``: csim of each.
    workers : processes that make designs at the same time; 1: none beside this one. The result is the same, whatever
        becomes of them. Each imports TensorFlow and holds the data.
    watch : ``verbose``, ``listen``: what is shown while it works (``engine.Watch``).

    Raises
    ------
    SpecError : before any training, for a path that the recipe does not have or a value that it refuses.
    UnsupportedModel, DataError, OutputError, ToolNotFound : before any training.
    NotMeasured : no design could be made.
    """
    check_workers(workers)
    order = Order(recipe.hls, recipe.budget, listener=listener_of(**watch), task=recipe.task)
    policy = GridSweep(recipe, {path: tuple(values) for path, values in grid.items()}, fidelity)
    if workers > 1:
        policy.prepare = partial(make_ahead, policy, workers, model, data)
    return run_policy(policy, model, data, order, None if out is None else Path(out), resume=True)


def combinations(recipe: Recipe, grid: Grid) -> Iterator[tuple[dict[str, Any], Recipe]]:
    """(values by path, the recipe with them) of each point of a grid."""
    if not grid or not all(grid.values()):
        raise SpecError("a grid names parameters, each with its values", where="grid")
    for values in product(*grid.values()):
        params = dict(zip(grid, values, strict=True))
        told = recipe.model_dump(mode="json")
        for path, value in params.items():
            _put(told, path, value)
        yield params, Recipe.parse(told)


def _put(told: Any, path: str, value: Any) -> None:
    """Set a parameter by its path; SpecError for one that is not there."""
    *way, last = path.split(".")
    for part in way:
        told = told[_key(told, part, path)]
    told[_key(told, last, path)] = value


def _key(told: Any, part: str, path: str) -> Any:
    if not isinstance(told, dict | list):
        raise SpecError(f"nothing lies beneath {told!r}", where=f"grid: {path}")
    known = [str(number) for number in range(len(told))] if isinstance(told, list) else list(told)
    if part not in known:
        raise SpecError(unknown_key(part, known, "parameter"), where=f"grid: {path}")
    return int(part) if isinstance(told, list) else part


@dataclass(frozen=True)
class Tried:
    """A design of the grid, and what is recorded of it."""

    point: Point
    entry: Entry

    @property
    def fits(self) -> bool:
        """Whether it is expected to meet every limit."""
        return self.entry.status == "kept"

    @property
    def rank(self) -> tuple[Any, ...]:
        """Higher is better: it fits, then accuracy, then speed; among those that do not fit, speed first."""
        worst = self.entry.figures.get("worst_ns")
        speed = -float("inf") if worst is None else -float(worst)
        accuracy = self.entry.figures.get("accuracy") or 0.0
        return (True, accuracy, speed) if self.fits else (False, speed, accuracy)


class GridSweep:
    """A sweep as a policy."""

    name: ClassVar[str] = "sweep"
    result = SweepResult

    def __init__(self, recipe: Recipe, grid: Grid, fidelity: Fidelity = "sketch") -> None:
        self.recipe, self.grid, self.fidelity = recipe, grid, fidelity
        self.designs = list(combinations(recipe, grid))
        self.prepare: Callable[[Path, Listener], None] | None = None
        """Makes steps and designs ahead in the run folder, where several workers do."""

    def identity(self, setup: Order) -> dict[str, Any]:
        del setup
        return self.asked()

    def asked(self) -> dict[str, Any]:
        """Recipe, grid and fidelity, as JSON."""
        told = {path: list(values) for path, values in self.grid.items()}
        return {"recipe": self.recipe.model_dump(mode="json"), "grid": told, "fidelity": self.fidelity}

    def policy(self, bench: Bench, start: Point, setup: Order) -> Ending:
        del setup
        if self.prepare is not None:
            self.prepare(bench.run.path, bench.listen)
        goal, tried, history = Goal(budget=self.recipe.budget), [], []
        for number, (params, recipe) in enumerate(self.designs):
            entry = Entry(kind="trial", name=f"trial {number}", number=number, settings={"params": params})
            try:
                tried.append(self._tried(bench, start, goal, entry, recipe))
                entry = tried[-1].entry
                words = _told(entry)
            except (ToolNotFound, ToolFailed, OutputError):
                raise
            except PquantError as cause:
                entry, words = entry.with_(status="failed", reason=str(cause)), str(cause)
            bench.record(entry, f"{entry.name}: {words}")
            history.append(entry)
        if not tried:
            raise NotMeasured("no design could be made", where=bench.run.path, mend="its ledger says why")
        best = max(tried, key=lambda found: found.rank)
        fit = sum(found.fits for found in tried)
        reason = f"{best.entry.name} of {len(self.designs)} is the best, {fit} are expected to fit"
        return Ending(best.point, goal, reason, tuple(history))

    def looked_at(self, bench: Bench, start: Point, recipe: Recipe, name: str) -> Point:
        """The design of one recipe, made and sketched or measured."""
        point = start
        for step in recipe.steps:
            try:
                point = bench.apply(point, step, hls=recipe.hls)
            except NoGain as cause:  # a rank that saves nothing leaves the model as it is
                bench.listen(Event("note", f"{name}: {cause}"))
        look = bench.sketch if self.fidelity == "sketch" else bench.measure
        return look(point, exact=quantized(point), hls=recipe.hls)

    def _tried(self, bench: Bench, start: Point, goal: Goal, entry: Entry, recipe: Recipe) -> Tried:
        """The design of one recipe, looked at and judged."""
        point = self.looked_at(bench, start, recipe, entry.name)
        checks = [check for check in goal.judge(bench, point).checks if not check.exactness]
        failing = unmet(checks)
        status = "rolled_back" if failing else "kept"
        figures = {**_figures(bench, point), **failing}
        return Tried(
            point,
            entry.with_(parent=start.digest, digest=point.digest, figures=figures, status=status),
        )


def _figures(bench: Bench, point: Point) -> dict[str, Any]:
    score = bench.score(point)
    accuracy, fallen = (
        score.figures.get("accuracy"),
        None if bench.baseline is None else loss(bench.baseline, score),
    )
    latency, resources = (None, None) if point.qor is None else (point.qor.latency, point.qor.resources)
    return {
        "accuracy": None if accuracy is None else accuracy.value,
        "accuracy_error": None if accuracy is None else accuracy.error,
        "degradation": None if fallen is None else fallen[0],
        "degradation_error": None if fallen is None else fallen[1],
        "compression_ratio": point.ratio,
        "cycles": None if latency is None else latency.cycles_max,
        "worst_ns": None if latency is None else latency.worst_ns_hi,
        "lut": None if resources is None else resources.lut,
    }


def _told(entry: Entry) -> str:
    values = ", ".join(f"{path} {value}" for path, value in entry.settings["params"].items())
    outcome = trial_outcome(entry.status, entry.figures)
    names = ", ".join(entry.figures.get("broke") or entry.figures.get("open") or ())
    return f"{values}: {names}{' ' if names else ''}{outcome}"
