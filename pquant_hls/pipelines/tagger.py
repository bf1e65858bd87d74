"""The jet-tagger pipeline: low rank and 8 bits; to preserve rare classes, floors on their efficiency and the best
epoch by loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pquant_hls.datasets import Dataset, several
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
from pquant_hls.pipelines.setup import Setup
from pquant_hls.pipelines.setup import several as as_tuple
from pquant_hls.pipelines.walk import AnyStep, Walk
from pquant_hls.spec import Spec
from pquant_hls.spec.steps import Bits, FineTuneConfig, LowRankConfig, QuantizeConfig
from pquant_hls.train.purpose import purpose_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

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
    rare_classes: Annotated[tuple[int | str, ...], BeforeValidator(as_tuple)] = ()
    background_rate: float = Field(0.01, gt=0, lt=1)
    max_efficiency_loss: float = Field(0.03, ge=0, le=1)

    def gates(self, tagger: Tagger) -> tuple[Gate, ...]:
        """Efficiency floors of the rare classes, and as much of what the other outputs' searches go by."""
        if not self.preserve_rare_classes:
            return ()
        absent = [name for index, name in enumerate(tagger.classes) if index not in tagger.y_val]
        if absent:
            raise DataError(
                f"no events of class {', '.join(absent)}: its efficiency is not known", where="val"
            )
        rate = f"{tagger.prefix}efficiency@{self.background_rate:g}"
        names = (*(f"{rate}:{name}" for name in self.rare(tagger)), *tagger.others)
        return tuple(Gate(name, max_loss=self.max_efficiency_loss) for name in names)

    def rare(self, tagger: Tagger) -> tuple[str, ...]:
        """Names of the classes to preserve."""
        if self.rare_classes:
            return tuple(_class_name(name, tagger.classes) for name in self.rare_classes)
        signals = tagger.classes[1:] if len(tagger.classes) == 2 else tagger.classes
        counts = np.bincount(tagger.y_train, minlength=len(tagger.classes))
        found = tuple(name for name in signals if counts[tagger.classes.index(name)] < RARE * counts.mean())
        return found or signals


@dataclass(frozen=True)
class Tagger:
    """The output that tells classes apart: class numbers int64 (events,), names, what stands before its figures' names, and
    the ``others``' figures that searches go by."""

    y_train: NDArray[np.int64]
    y_val: NDArray[np.int64]
    classes: tuple[str, ...]
    prefix: str = ""
    others: tuple[str, ...] = ()


def tagged(model: Model, data: Dataset, task: str | Mapping[str, str] = "") -> Tagger:
    """The first output of a model that tells classes apart; DataError where there is none with labels."""
    purpose = purpose_of(model, data, task)
    found = purpose.fitted(model, data)
    names = [question.task.name for question in purpose.questions]
    if "classes" not in names or found.y_train is None:
        raise DataError("no labels of an output that tells classes apart", where="train")
    place = names.index("classes")
    train, val = (several.arrays_of(y)[place].reshape(-1) for y in (found.y_train, found.y_val))
    width = max(2, purpose.questions[place].output.width)
    classes = data.classes if len(data.classes) == width else tuple(map(str, range(width)))
    others = tuple(name for index, name in enumerate(purpose.headlines) if index != place)
    return Tagger(train, val, classes, purpose.prefix(place), others)


def _class_name(given: int | str, classes: Sequence[str]) -> str:
    name = classes[given] if isinstance(given, int) and 0 <= given < len(classes) else str(given)
    if name not in classes:
        raise SpecError(f"{given!r} is no class, they are {', '.join(classes)}", where="rare_classes")
    return name


class TaggerPipeline(Pipeline):
    """``HEPCompressionPipeline.compress_jet_tagger`` as a policy."""

    name: ClassVar[str] = "tagger"
    result: ClassVar[type[CompressionResult]] = TaggerResult

    def __init__(self, plan: TaggerPlan, rare: Sequence[str], prefix: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.rare, self.prefix = plan, tuple(rare), prefix

    def settings(self) -> dict[str, Any]:
        return {"plan": self.plan.model_dump(mode="json")}

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        """Low rank where it pays; then the width, two bits wider each time a floor breaks."""
        goal = Goal(gates=setup.gates, budget=setup.budget)
        walk = Walk(bench, start)
        fit = setup.fit()
        if (
            self.plan.preserve_rare_classes and not self.prefix
        ):  # of several outputs the gates alone hold the floors
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
        before = None if bench.baseline is None else one_output(bench.baseline, self.prefix)
        now = one_output(now, self.prefix)
        results = {"original": _accuracy(before), "compressed": _accuracy(now)}
        results |= by_class(before, now)
        return Ending(walk.point, goal, reason, tuple(walk.history), {"results": results})

    def _low_rank(self, start: Point, fit: dict[str, Any]) -> list[AnyStep]:
        ranks = useful_ranks(start.model, self.plan.rank)
        return [LowRankConfig(layers=ranks, energy=1.0, seed=fit["seed"]), FineTuneConfig(**fit)]


def useful_ranks(model: Model, most: int) -> dict[str, int]:
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


def one_output(score: Score, prefix: str) -> Score:
    """The figures of one output, under their bare names."""
    found = {
        name.removeprefix(prefix): value for name, value in score.figures.items() if name.startswith(prefix)
    }
    return Score(found)


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
