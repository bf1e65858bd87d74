"""The main job: a recipe's closed loop as a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pquant_hls.datasets import Dataset
from pquant_hls.decide import Limit
from pquant_hls.engine.bench import Bench, Point
from pquant_hls.engine.events import Listener, silent
from pquant_hls.engine.goal import Ending, Goal
from pquant_hls.engine.handover import CompressionResult
from pquant_hls.engine.loop import closed_loop
from pquant_hls.engine.policy import Order, run_policy
from pquant_hls.errors import NotMeasured, SpecError, UnsupportedModel
from pquant_hls.estimate import with_fewer_layers
from pquant_hls.network import dense_sizes
from pquant_hls.spec import REPORT, Recipe


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
        found = closed_loop(bench, start, self.recipe)
        number = 1 + found.points.index(found.best)
        goal, reason = Goal(budget=setup.budget), found.action.reason
        if found.action.limit is Limit.ARCHITECTURE:
            reason = f"{reason}; {_smaller_architecture(start.model, self.recipe)}"
        return Ending(found.best, goal, reason, found.entries, handed_over=number)


def _smaller_architecture(model: Any, recipe: Recipe) -> str:
    """Which network with fewer of its layers would fit, in words."""
    try:
        fits = with_fewer_layers(dense_sizes(model), recipe.hls.target, recipe.budget)
    except (NotMeasured, UnsupportedModel) as cause:
        return f"whether one of fewer layers fits is not known: {cause}"
    if fits is None:
        return "by the estimate none of its networks with fewer layers fits either"
    latency = fits.qor.latency
    ns = "" if latency is None or latency.worst_ns_hi is None else f", at most {latency.worst_ns_hi:g} ns"
    how = f"{fits.strategy} strategy, reuse {fits.reuse_factor}"
    return f"by the estimate, not trained, {fits.shape} at {fits.bits} bits would fit ({how}{ns}): `pquant-hls suggest`"


def compress_model(
    model: Any,
    data: Dataset,
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    listen: Listener = silent,
    report: str | Path | None = None,
) -> CompressionResult:
    """Compress ``model`` by ``recipe`` until its firmware meets the budget, or say why it cannot.

    Parameters
    ----------
    model : a Keras model; it is not changed.
    data : inputs float32 (n, *model input shape) and integer labels (n,) in three splits.
    out : the run folder, empty or new; with ``resume`` one of an interrupted run of the same three.
    report : with ``measure: report`` the synthesis report, or a folder of them, of the design the run waits for.

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
    order = Order(recipe.hls, recipe.budget, listener=listen, report=given)
    return run_policy(ClosedLoop(recipe), model, data, order, Path(out), resume=resume)
