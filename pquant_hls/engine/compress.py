"""The main job: a recipe's closed loop as a policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from pquant_hls.datasets import Dataset
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.goal import Ending
from pquant_hls.engine.handover import CompressionResult
from pquant_hls.engine.policy import Order, run_policy
from pquant_hls.engine.smaller import loop_then_smaller
from pquant_hls.engine.watch import Watch, listener_of
from pquant_hls.errors import SpecError
from pquant_hls.spec import REPORT, Recipe

if TYPE_CHECKING:
    from pquant_hls.network.model import Model


class ClosedLoop:
    """Rounds of a recipe until its budget is met or a limit stops them."""

    name: ClassVar[str] = "loop"
    result = CompressionResult

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def identity(self, setup: Order) -> dict[str, Any]:
        del setup
        return {"recipe": self.recipe.model_dump(mode="json")}

    def policy(self, bench: Bench, start: Point, setup: Order) -> Ending:
        del setup
        return loop_then_smaller(bench, start, self.recipe)


def compress_model(
    model: Model,
    data: Dataset,
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    report: str | Path | None = None,
    **watch: Unpack[Watch],
) -> CompressionResult:
    """Compress ``model`` by ``recipe`` until its firmware meets the budget, or say why it cannot.

    Parameters
    ----------
    model : a Keras model; it is not changed.
    data : inputs and labels in three splits, as docs/tasks.md says for each task.
    out : the run folder, empty or new; with ``resume`` one of an interrupted run of the same three.
    report : with ``measure: report`` the synthesis report, or a folder of them, of the design the run waits for.
    watch : ``verbose``, ``listen``: what is shown while it works (``engine.Watch``).

    Raises
    ------
    UnsupportedModel, DataError, OutputError, ToolNotFound : before any training starts.
    Waiting : with ``measure: report``, where a design's synthesis is to be run elsewhere first.
    """
    if report is not None and recipe.budget.measure != REPORT:
        raise SpecError(
            f"a report was given, but budget.measure is {recipe.budget.measure}",
            where="report",
            mend="set budget.measure: report",
        )
    given = None if report is None else Path(report)
    order = Order(recipe.hls, recipe.budget, listener=listener_of(**watch), report=given, task=recipe.task)
    return run_policy(ClosedLoop(recipe), model, data, order, Path(out), resume=resume)
