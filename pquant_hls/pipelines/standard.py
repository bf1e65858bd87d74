"""The standard pipeline: analyse, compress in stages towards a ratio, roll back what costs too much,
fine-tune."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pquant_hls.compress import Accounting
from pquant_hls.engine import Ending, Goal, Point, Workbench, floors_keeping
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.climb import Climb, bits_between, halfway
from pquant_hls.pipelines.learned import learning, loses_nothing, standing
from pquant_hls.pipelines.sensitivity import LayerSensitivity, sensitivity
from pquant_hls.pipelines.setup import Setup, validated
from pquant_hls.pipelines.split import FLOAT_BITS, MARGIN, kept_at, kept_from, width_for, zeros_save
from pquant_hls.pipelines.walk import Walk
from pquant_hls.spec import StepConfig
from pquant_hls.spec.steps import FineTuneConfig, LowRankConfig, PruneConfig, QuantizeConfig

LOST_ENERGY = (0.02, 0.05, 0.1)
BITS = (8, 6, 5, 4, 3)
MOST_SPARSITY = 0.95

ROUNDS = 3
"""Cuts on the way to a share of zeros, with recovery after each."""

EARLY = 0.6
"""Part of the way to the last share of weights, in its logarithm, that goes while weights are float; the rest is cut
where widths are known and the ratio can be counted."""

LEAST_CUT = 0.05
"""A share of zeros that is not worth a training of its own."""

MOST_CUTS = 4
LEARNED = "learned widths"
DESIGNS = 100
"""Of one training that are looked at: neighbours differ by a few percent, so that no ratio is far from the target."""
LEARNING: dict[str, Any] = {"batch_size": 256, "learning_rate": 2e-3, "distillation": 0.8}
"""How stages train unless told otherwise; the original is the teacher."""


Ratio = Annotated[float, Field(gt=1, allow_inf_nan=False)]
Preserved = Annotated[float, Field(gt=0, le=1)]
Epochs = Annotated[int, Field(ge=0, le=10_000)] | None


class StandardCompressionPipeline(Trainable):
    """Learned widths: one training passes through designs of all ratios. Where each of the target's ratio loses accuracy, also
    weights set to zero and fewer bits by sensitivity, with the original as teacher; where a zero weight saves nothing
    (resource strategy, reuse, io_stream) low rank, whole units and fewer bits alone. Each stage only while the target is not
    reached; the most accurate end of these ways is handed over.

    Parameters
    ----------
    target_compression : 32 x all weights of the original / bits of the weights left.
    preserve_accuracy : share of the baseline's validation accuracy (of other tasks of what their searches go by) that
        every stage must keep. A stage that
        falls below is rolled back and tried once with half the step.
    analyse : also measure how sensitive each layer is to rank, sparsity and bits; where units go, those that stand out
        are spared.
    learned_epochs : of the training that learns widths; None: ``learned.LEARNED_EPOCHS`` for each of ``epochs``, fewer for
        networks of more than ``learned.SMALL`` multiplications; 0 leaves it out.
    options : of Setup. With a budget the verdict demands its limits too.

    >>> StandardCompressionPipeline(target_compression=6, epochs=2).target
    6.0
    """

    name: ClassVar[str] = "standard"

    def __init__(
        self,
        target_compression: float = 8.0,
        preserve_accuracy: float = 0.98,
        *,
        analyse: bool = True,
        learned_epochs: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.target: float = validated(Ratio, target_compression, "target_compression")
        self.preserve: float = validated(Preserved, preserve_accuracy, "preserve_accuracy")
        self.analyse: bool = validated(bool, analyse, "analyse")
        self.learned_epochs: int | None = validated(Epochs, learned_epochs, "learned_epochs")

    def settings(self) -> dict[str, Any]:
        learnt = {} if self.learned_epochs is None else {"learned_epochs": self.learned_epochs}
        return {
            "target_compression": self.target,
            "preserve_accuracy": self.preserve,
            "analyse": self.analyse,
            **learnt,
        }

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        goal = Goal(self.target, (*floors_keeping(bench.baseline, self.preserve), *setup.gates), setup.budget)
        walk, zeros = Walk(bench, start), zeros_save(bench.hls)
        step = learning(self.learned_epochs, bench, setup) if zeros else None
        learnt = None if step is None else self._learned(walk, goal, step)
        if step is not None and learnt is not None and loses_nothing(bench, learnt):
            return self._by_learning(walk, step, learnt, goal)
        climb = self._climbed(bench, walk, goal, setup)
        if (
            step is None
            or learnt is None
            or (climb.reached and standing(bench, walk.point) >= standing(bench, learnt))
        ):
            return Ending(walk.point, goal, climb.summary(), tuple(walk.history))
        return self._by_learning(walk, step, learnt, goal)

    def _learned(self, walk: Walk, goal: Goal, step: QuantizeConfig) -> Point | None:
        """The most accurate of the designs that one training passes through at the target's ratio; None where it has none
        above the floors, or widths cannot be learned."""
        try:
            family = walk.bench.family(walk.point, step, most=DESIGNS)
        except (SpecError, UnsupportedModel) as cause:
            walk.write(LEARNED, [step], walk.point, None, ("failed", str(cause)))
            return None
        small = [point for point in family if (point.ratio or 0.0) >= self.target]
        kept = [point for point in small if goal.lost(walk.bench, point) is None]
        if not kept:
            far = (
                f"none of {len(family)} designs has a ratio of {self.target:g}"
                if not small
                else (goal.lost(walk.bench, small[-1]) or "")
            )
            walk.write(LEARNED, [step], walk.point, small[-1] if small else None, ("rolled_back", far))
            return None
        return max(kept, key=lambda point: standing(walk.bench, point))

    def _by_learning(self, walk: Walk, step: QuantizeConfig, learnt: Point, goal: Goal) -> Ending:
        walk.write(LEARNED, [step], walk.point, learnt)
        reason = f"compression ratio {learnt.ratio or 1.0:.2f} reaches the target of {self.target:g} by learned widths"
        return Ending(learnt, goal, reason, tuple(walk.history))

    def _climbed(self, bench: Workbench, walk: Walk, goal: Goal, setup: Setup) -> Climb:
        """Stage by stage, from where ``walk`` stands."""
        start, zeros = walk.point, zeros_save(bench.hls)
        spared = LayerSensitivity()
        if self.analyse:
            spared = sensitivity(bench, start, "magnitude" if zeros else "structured")
        walk.history.extend(spared.records)
        climb = Climb(walk, goal, self.target)
        if zeros:
            self._by_zeros(climb, start, setup)
        else:
            self._by_units(climb, start, spared, setup)
        walk.attempt("fine-tuning", [_tune(setup)], climb.worse)
        return climb

    def _by_zeros(self, climb: Climb, start: Point, setup: Setup) -> None:
        """Most zeros while weights are float, then the width, then as many zeros as the ratio still needs.

        No layer is spared: zeros are shared by fan-in + fan-out and bits by a measurement of their own.
        """
        if start.account is None:
            return
        bits, walk, original = width_for(self.target), climb.walk, start.account
        first = 1 - kept_at(original, self.target, bits) ** EARLY
        climb.stage(
            "pruning",
            [first] if first > LEAST_CUT else [],
            lambda s: [_zero(s, setup, 0.5)],
            halfway,
        )
        climb.stage("quantization", [bits], lambda b: [_by_sensitivity(b, setup)], bits_between)
        climb.stage(
            "further pruning",
            self._missing(walk, original, bits),
            lambda s: [_zero(s, setup), _tune(setup)],
            lambda _, s: (s + _sparsity(walk.point, original)) / 2,
        )
        climb.stage(
            "fewer bits", range(bits - 1, 1, -1), lambda b: [_by_sensitivity(b, setup)], lambda *_: None
        )

    def _missing(self, walk: Walk, original: Accounting, bits: int) -> Iterator[float]:
        """Shares of zeros at which the ratio is reached, counted anew after each cut."""
        for _ in range(MOST_CUTS):
            if walk.point.account is None:
                return
            yield 1 - kept_from(walk.point.account, original, self.target, bits)

    def _by_units(self, climb: Climb, start: Point, spared: LayerSensitivity, setup: Setup) -> None:
        """Low rank, whole units, fewer bits, more units."""
        climb.stage("low rank", LOST_ENERGY, lambda lost: self._low_rank(lost, spared, setup), halfway)
        climb.stage(
            "pruning",
            _shares(self._needed(climb.walk.point)),
            lambda s: self._prune(s, start, spared, setup),
            halfway,
        )
        climb.stage("quantization", BITS, lambda bits: self._quantize(bits, spared, setup), bits_between)
        climb.stage(
            "further pruning",
            _further(climb.walk.point, start),
            lambda s: self._prune(s, start, spared, setup),
            halfway,
        )

    def _needed(self, point: Point) -> float:
        """Share of the weights to prune so that the mildest quantization then reaches the target."""
        return max(0.0, 1 - (point.ratio or 1.0) * FLOAT_BITS / BITS[0] / (MARGIN * self.target))

    def _low_rank(self, lost: float, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        step = LowRankConfig(energy=1 - lost, exclude=spared.layers("rank"), seed=setup.seed)
        return [step, FineTuneConfig(**_fit(setup))]

    def _prune(self, share: float, start: Point, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        weights = None if start.account is None else start.account.kernel_weights
        return [
            PruneConfig(
                sparsity=round(share, 4),
                sparsity_of="weights",
                reference_weights=weights,
                ranking="global",
                exclude=spared.layers("sparsity"),
                **_fit(setup),
            )
        ]

    def _quantize(self, bits: float, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        wider = {name: min(16, int(bits) + 2) for name in spared.layers("bits")}
        return [QuantizeConfig(bits=int(bits), layers=wider, **_fit(setup))]


def _fit(setup: Setup, times: float = 1.0) -> dict[str, Any]:
    """Fields of a training of so many times the epochs asked for."""
    asked = {**LEARNING, **setup.fit()}
    return {**asked, "epochs": math.ceil(times * asked["epochs"])}


def _zero(share: float, setup: Setup, times: float = 1.0) -> StepConfig:
    return PruneConfig(
        method="magnitude",
        sparsity=round(share, 4),
        ranking="fan",
        rounds=ROUNDS,
        **_fit(setup, times),
    )


def _by_sensitivity(bits: float, setup: Setup) -> StepConfig:
    """Biases, which nobody prunes, as wide as uniform weights would be."""
    return QuantizeConfig(bits=int(bits), bias_bits=int(bits), allocation="sensitivity", **_fit(setup, 2))


def _tune(setup: Setup) -> StepConfig:
    return FineTuneConfig(**_fit(setup, 2))


def _sparsity(point: Point, original: Accounting) -> float:
    """Share of the original's kernel weights that are gone."""
    return 0.0 if point.account is None else 1 - point.account.nonzero_weights / original.kernel_weights


def _shares(needed: float) -> tuple[float, ...]:
    """Half of the pruning that is needed, then all of it; none where quantization alone is expected to do."""
    return () if needed <= 0 else (needed / 2, min(needed, MOST_SPARSITY))


def _further(point: Point, start: Point) -> tuple[float, ...]:
    """Three times a fifth of the weights that are left; all shares count from the original."""
    if point.account is None or start.account is None:
        return ()
    left = point.account.nonzero_weights / start.account.kernel_weights
    return tuple(min(1 - left * 0.8**n, MOST_SPARSITY) for n in (1, 2, 3))
