"""The jet-tagger pipeline: low rank and 8 bits; to preserve rare classes, floors on their efficiency and the best
epoch by loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from pquant_hls.datasets import Dataset
from pquant_hls.engine import (
    CompressionResult,
    Ending,
    Gate,
    Goal,
    Point,
    Score,
    TaggerResult,
    Workbench,
    dropped,
)
from pquant_hls.errors import DataError, SpecError
from pquant_hls.network import calls
from pquant_hls.pipelines.base import Pipeline
from pquant_hls.pipelines.setup import Setup, several
from pquant_hls.pipelines.walk import AnyStep, Walk
from pquant_hls.spec import Spec
from pquant_hls.spec.steps import Bits, FineTuneConfig, LowRankConfig, QuantizeConfig

RARE = 0.8
"""A class is rare below this share of the average class."""

RATES = (0.01, 0.1)


class TaggerPlan(Spec):
    """Settings of ``compress_jet_tagger``.

    ``rank`` : of every layer it makes cheaper; where it is no less than what pays, the largest that pays.
    ``bits`` : width. ``rare_classes`` : names or numbers; empty: those below 0.8 of the average frequency or,
    where none is, all. ``max_efficiency_loss`` : floor below the original's efficiency at
    ``background_rate``, both shares.
    """

    rank: int = Field(64, ge=1)
    bits: Bits = 8
    preserve_rare_classes: bool = True
    rare_classes: Annotated[tuple[int | str, ...], BeforeValidator(several)] = ()
    background_rate: float = Field(0.01, gt=0, lt=1)
    max_efficiency_loss: float = Field(0.03, ge=0, le=1)

    def gates(self, data: Dataset) -> tuple[Gate, ...]:
        """Efficiency floors of the rare classes."""
        if not self.preserve_rare_classes:
            return ()
        absent = [name for index, name in enumerate(data.classes) if index not in np.asarray(data.y_val)]
        if absent:
            raise DataError(
                f"no events of class {', '.join(absent)}: its efficiency is not known", where="val"
            )
        rate = f"efficiency@{self.background_rate:g}"
        return tuple(Gate(f"{rate}:{name}", max_loss=self.max_efficiency_loss) for name in self.rare(data))

    def rare(self, data: Dataset) -> tuple[str, ...]:
        """Names of the classes to preserve."""
        if self.rare_classes:
            return tuple(_class_name(name, data.classes) for name in self.rare_classes)
        signals = data.classes[1:] if data.n_classes == 2 else data.classes
        counts = np.bincount(np.asarray(data.y_train, np.int64), minlength=data.n_classes)
        found = tuple(name for name in signals if counts[data.classes.index(name)] < RARE * counts.mean())
        return found or signals


def _class_name(given: int | str, classes: Sequence[str]) -> str:
    name = classes[given] if isinstance(given, int) and 0 <= given < len(classes) else str(given)
    if name not in classes:
        raise SpecError(f"{given!r} is no class, they are {', '.join(classes)}", where="rare_classes")
    return name


class TaggerPipeline(Pipeline):
    """``HEPCompressionPipeline.compress_jet_tagger`` as a policy."""

    name: ClassVar[str] = "tagger"
    result: ClassVar[type[CompressionResult]] = TaggerResult

    def __init__(self, plan: TaggerPlan, rare: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.rare = plan, tuple(rare)

    def settings(self) -> dict[str, Any]:
        return {"plan": self.plan.model_dump(mode="json")}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        """Low rank where it pays; then the width, two bits wider each time a floor breaks."""
        goal = Goal(gates=setup.gates, budget=setup.budget)
        walk = Walk(bench, start)
        fit = setup.fit()
        if self.plan.preserve_rare_classes:
            fit |= {
                "monitor": "loss",
                "rare_classes": self.rare,
                "max_efficiency_loss": self.plan.max_efficiency_loss,
                "background_rate": self.plan.background_rate,
            }
        walk.attempt("low rank", self._low_rank(start, fit), lambda _, after: goal.lost(bench, after))
        kept = any(
            walk.attempt(
                "quantization", [QuantizeConfig(bits=bits, **fit)], lambda _, after: goal.lost(bench, after)
            )
            for bits in range(self.plan.bits, min(16, self.plan.bits + 6) + 1, 2)
        )
        if kept:
            walk.attempt("fine-tuning", [FineTuneConfig(**fit)], lambda _, after: goal.lost(bench, after))
            reason = "no floor on the rare classes is seen to break" if goal.gates else "done"
        else:
            reason = f"no width up to {min(16, self.plan.bits + 6)} bits keeps the floors"
            goal = Goal(gates=goal.gates, budget=goal.budget, broken="quantized model within the floors")
        now = bench.score(walk.point)
        results = {"original": _accuracy(bench.baseline), "compressed": _accuracy(now)}
        results |= by_class(bench.baseline, now)
        return Ending(walk.point, goal, reason, tuple(walk.history), {"results": results})

    def _low_rank(self, start: Point, fit: dict[str, Any]) -> list[AnyStep]:
        ranks = useful_ranks(start.model, self.plan.rank)
        return [LowRankConfig(layers=ranks, energy=1.0, seed=fit["seed"]), FineTuneConfig(**fit)]


def useful_ranks(model: Any, most: int) -> dict[str, int]:
    """Rank of each dense layer: ``most``, or the largest r with r (m + n) < m n for a kernel of m x n."""
    found = {}
    for call in calls(model):
        kernels = [array for array in call.weights if array.ndim == 2]
        if kernels and "Dense" in call.kind:
            m, n = kernels[0].shape
            rank = min(most, (m * n - 1) // (m + n))
            if rank >= 1:
                found[call.name] = rank
    return found


def _accuracy(score: Score | None) -> dict[str, float | None]:
    """Accuracy on the validation events with its error, shares; None without a figure."""
    found = None if score is None else score.figures.get("accuracy")
    return {
        "accuracy": None if found is None else found.value,
        "accuracy_error": None if found is None else found.error,
    }


def by_class(before: Score | None, after: Score) -> dict[str, Any]:
    """AUC and efficiency at 1 % and 10 % background of each class, before and after: [value, error], shares.

    ``dropped`` tells whether a figure fell by more than the error of the difference.
    """
    old = Score({}) if before is None else before
    classes = [name.removeprefix("auc:") for name in after.figures if name.startswith("auc:")]
    return {
        name: {
            figure: _pair(old, after, f"{figure}:{name}")
            for figure in ("auc", *(f"efficiency@{r:g}" for r in RATES))
        }
        for name in classes
    }


def _pair(before: Score, after: Score, name: str) -> dict[str, Any]:
    return {
        "before": before.plain().get(name),
        "after": after.plain().get(name),
        "dropped": dropped(before, after, name),
    }
