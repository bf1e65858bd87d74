"""The standard pipeline: analyse, compress in stages towards a ratio, roll back what costs too much,
fine-tune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pquant_hls.engine import Ending, Gate, Goal, Point, Workbench, loss
from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.setup import Setup, validated
from pquant_hls.pipelines.walk import AnyStep, Walk
from pquant_hls.spec import StepConfig
from pquant_hls.spec.steps import FineTuneConfig, LowRankConfig, PruneConfig, QuantizeConfig
from pquant_hls.store import Entry

LOST_ENERGY = (0.02, 0.05, 0.1)
BITS = (8, 6, 5, 4, 3)
FLOAT_BITS = 32
MOST_SPARSITY = 0.95
MARGIN = 1.02
"""Aimed beyond the target: biases are not pruned in proportion, and training moves quantized weights off
zero."""

PROBES = ("rank", "sparsity", "bits")

Make = Callable[[float], Sequence[AnyStep]]
Milder = Callable[[float | None, float], float | None]


Ratio = Annotated[float, Field(gt=1, allow_inf_nan=False)]
Preserved = Annotated[float, Field(gt=0, le=1)]


class StandardCompressionPipeline(Trainable):
    """Low rank, structured pruning and quantization, each only while the target is not reached.

    Parameters
    ----------
    target_compression : 32 x all weights of the original / bits of the weights left.
    preserve_accuracy : share of the baseline's validation accuracy that every stage must keep. A stage that
        falls below is rolled back and tried once with half the step.
    analyse : also measure how sensitive each layer is to rank, sparsity and bits, and spare those that stand
        out.
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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.target: float = validated(Ratio, target_compression, "target_compression")
        self.preserve: float = validated(Preserved, preserve_accuracy, "preserve_accuracy")
        self.analyse: bool = validated(bool, analyse, "analyse")

    def settings(self) -> dict[str, Any]:
        return {
            "target_compression": self.target,
            "preserve_accuracy": self.preserve,
            "analyse": self.analyse,
        }

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        baseline = (None if bench.baseline is None else bench.baseline.value()) or 0.0
        floor = Gate("accuracy", max_loss=(1 - self.preserve) * baseline)
        goal = Goal(self.target, (floor, *setup.gates), setup.budget)
        walk = Walk(bench, start)
        spared = sensitivity(bench, start) if self.analyse else LayerSensitivity()
        walk.history.extend(spared.records)
        climb = Climb(walk, goal, self.target)
        climb.stage("low rank", LOST_ENERGY, lambda lost: self._low_rank(lost, spared, setup), _halfway)
        climb.stage(
            "pruning",
            _shares(self._needed(walk.point)),
            lambda s: self._prune(s, start, spared, setup),
            _halfway,
        )
        climb.stage("quantization", BITS, lambda bits: self._quantize(bits, spared, setup), _bits_between)
        climb.stage(
            "further pruning",
            _further(walk.point, start),
            lambda s: self._prune(s, start, spared, setup),
            _halfway,
        )
        walk.attempt("fine-tuning", [FineTuneConfig(**setup.fit())], climb.worse)
        return Ending(walk.point, goal, climb.summary(), tuple(walk.history))

    def _needed(self, point: Point) -> float:
        """Share of the weights to prune so that the mildest quantization then reaches the target."""
        return max(0.0, 1 - (point.ratio or 1.0) * FLOAT_BITS / BITS[0] / (MARGIN * self.target))

    def _low_rank(self, lost: float, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        step = LowRankConfig(energy=1 - lost, exclude=spared.layers("rank"), seed=setup.seed)
        return [step, FineTuneConfig(**setup.fit())]

    def _prune(self, share: float, start: Point, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        weights = None if start.account is None else start.account.kernel_weights
        return [
            PruneConfig(
                sparsity=round(share, 4),
                sparsity_of="weights",
                reference_weights=weights,
                ranking="global",
                exclude=spared.layers("sparsity"),
                **setup.fit(),
            )
        ]

    def _quantize(self, bits: float, spared: LayerSensitivity, setup: Setup) -> list[StepConfig]:
        wider = {name: min(16, int(bits) + 2) for name in spared.layers("bits")}
        return [QuantizeConfig(bits=int(bits), layers=wider, **setup.fit())]


@dataclass
class Climb:
    """Stages of growing strength, while the target is not reached and the floors hold."""

    walk: Walk
    goal: Goal
    target: float
    limits: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        return (self.walk.point.ratio or 1.0) >= self.target

    def stage(self, name: str, rungs: Sequence[float], make: Make, milder: Milder) -> None:
        """Climb ``rungs``; a rung that falls below a floor is tried once milder, and ends the stage."""
        held: float | None = None
        for rung in rungs:
            if self.reached:
                return
            if self.walk.attempt(name, make(rung), self._objection):
                held = rung
                self.limits.pop(name, None)
                continue
            if self.walk.idle:  # too little to remove one unit: the next rung asks for more
                self.limits[name] = self.walk.history[-1].why
                continue
            half = milder(held, rung) if self.walk.possible else None
            if half is None or not self.walk.attempt(f"{name}, milder", make(half), self._objection):
                self.limits[name] = self.walk.history[-1].why
            return

    def _objection(self, before: Point, after: Point) -> str | None:
        if (after.ratio or 0.0) <= (before.ratio or 1.0):
            return f"does not compress: ratio {after.ratio or 0.0:.2f} after {before.ratio or 1.0:.2f}"
        return self.goal.lost(self.walk.bench, after)

    def worse(self, before: Point, after: Point) -> str | None:
        """Why fine-tuning did harm: less accurate, or training gave back weights that the target needs."""
        fallen = loss(self.walk.bench.score(before), self.walk.bench.score(after))
        if fallen is not None and fallen[0] > 0:
            return "is less accurate than before"
        lost_target = self.reached and (after.ratio or 0.0) < self.target
        return (
            f"falls to ratio {after.ratio or 0.0:.2f}"
            if lost_target
            else self.goal.lost(self.walk.bench, after)
        )

    def summary(self) -> str:
        ratio = self.walk.point.ratio or 1.0
        if self.reached:
            return f"compression ratio {ratio:.2f} reaches the target of {self.target:g}"
        limits = (
            "; ".join(f"{name}: {limit}" for name, limit in self.limits.items())
            or "every stage is at its end"
        )
        return f"stopped at compression ratio {ratio:.2f} of {self.target:g}: {limits}"


@dataclass(frozen=True)
class LayerSensitivity:
    """What halving a layer's rank or units, or 4-bit weights in it, cost in accuracy, without any
    training."""

    records: tuple[Entry, ...] = ()

    def layers(self, kind: str) -> tuple[str, ...]:
        """Layers that stand out: more than twice the median cost of their kind."""
        found = {
            entry.settings["layer"]: entry.figures["degradation"]
            for entry in self.records
            if entry.settings["probe"] == kind
        }
        middle = median(found.values()) if found else 0.0
        return tuple(
            name
            for name, cost in found.items()
            if cost > 2 * max(middle, 0.0) and cost > 0.01 and len(found) > 1
        )


def sensitivity(bench: Workbench, start: Point) -> LayerSensitivity:
    """Probe each layer with weights by rank, sparsity and bits, one at a time."""
    units = {} if start.account is None else start.account.units
    entries = [
        found
        for name, width in units.items()
        for kind in PROBES
        if (found := _probe(bench, start, name, width, kind))
    ]
    for entry in entries:
        bench.record(entry, entry.reason)
    return LayerSensitivity(tuple(entries))


def _probe(bench: Workbench, start: Point, layer: str, width: int, kind: str) -> Entry | None:
    step: StepConfig
    if kind == "rank":
        step = LowRankConfig(layers={layer: max(1, width // 4)}, energy=1.0, roll_back=False)
    elif kind == "sparsity":
        step = PruneConfig(layers={layer: 0.5}, sparsity=0.0, importance="l1")
    else:
        step = QuantizeConfig(bits=16, layers={layer: 4}, mode="ptq", calibration="max")
    try:
        score = bench.score(bench.apply(start, step))
    except (
        SpecError,
        UnsupportedModel,
    ):  # no units to remove in an output layer, no rank that saves anything
        return None
    fallen = None if bench.baseline is None else loss(bench.baseline, score)
    if fallen is None:
        return None
    return Entry(
        kind="sensitivity",
        name="sensitivity",
        parent=start.digest,
        settings={"layer": layer, "probe": kind},
        figures={"degradation": fallen[0], "degradation_error": fallen[1]},
        reason=f"{layer} probed by {kind}: {100 * fallen[0]:.2f} points lost",
    )


def _shares(needed: float) -> tuple[float, ...]:
    """Half of the pruning that is needed, then all of it; none where quantization alone is expected to do."""
    return () if needed <= 0 else (needed / 2, min(needed, MOST_SPARSITY))


def _further(point: Point, start: Point) -> tuple[float, ...]:
    """Three times a fifth of the weights that are left; all shares count from the original."""
    if point.account is None or start.account is None:
        return ()
    left = point.account.nonzero_weights / start.account.kernel_weights
    return tuple(min(1 - left * 0.8**n, MOST_SPARSITY) for n in (1, 2, 3))


def _halfway(held: float | None, tried: float) -> float:
    return ((held or 0.0) + tried) / 2


def _bits_between(held: float | None, tried: float) -> float | None:
    """The width between the last that held and this one; the first falls back to twice its width."""
    middle = (16 if held is None else held) - ((16 if held is None else held) - tried) // 2
    return None if middle in (held, tried) else middle
