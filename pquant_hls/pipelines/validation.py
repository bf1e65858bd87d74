"""The validation pipeline: the user's steps one by one, each checked, and the last good model handed back."""

from __future__ import annotations

from typing import Any, ClassVar

from pquant_hls.engine import CompressionResult, Ending, Goal, Point, ValidationResult, Workbench, floors_on
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.setup import Setup, Share, validated
from pquant_hls.pipelines.steps import describe, steps_of
from pquant_hls.pipelines.walk import Walk, name_of


class ValidationPipeline(Trainable):
    """Apply ``steps`` in order and validate after each; stop at the first that degrades too much.

    ``execute`` unpacks to (compressed, history); each entry has ``step``, ``accuracy``, ``degradation``, ``parent`` and
    ``digest``.

    Parameters
    ----------
    steps : steps as ``CompressionPipeline`` takes them.
    max_degradation : largest drop of validation accuracy against the original's on the same split, as a share
        (0.05 is five points; of an rmse 5 %). A drop inside its own statistical error is not called one.

    >>> ValidationPipeline([{"step": "prune", "sparsity": 0.5}]).max_degradation
    0.05
    """

    name: ClassVar[str] = "validation"
    result: ClassVar[type[CompressionResult]] = ValidationResult

    def __init__(self, steps: Any, max_degradation: float = 0.05, **options: Any) -> None:
        super().__init__(**options)
        self.steps = steps_of(steps)
        self.max_degradation: float = validated(Share, max_degradation, "max_degradation")

    def settings(self) -> dict[str, Any]:
        return {"steps": describe(self.steps), "max_degradation": self.max_degradation}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        gates = (*floors_on(bench.baseline, self.max_degradation), *setup.gates)
        goal = Goal(gates=gates, budget=setup.budget)
        walk = Walk(bench, start)
        for number, step in enumerate(self.steps, start=1):
            kept = walk.attempt(name_of(step), [step], lambda _, after: goal.lost(bench, after))
            if kept or walk.idle:  # a step that changed nothing did no harm
                continue
            why = f"step {number} ({name_of(step)}) was not kept, rolled back: {walk.history[-1].why}"
            stopped = Goal(gates=gates, budget=setup.budget, broken="every step kept")
            return Ending(
                walk.point, stopped, f"{why}; the last good model is handed back", tuple(walk.history)
            )
        return Ending(walk.point, goal, f"all {len(self.steps)} steps held", tuple(walk.history))
