"""Configurations of the compression steps: each parameter once, with type, default, help and search range.

A recipe lists them as ``{step: prune, sparsity: 0.5}``. What they share stands in ``spec/step.py``, quantization in
``spec/quantize.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pquant_hls.spec.budget import Budget
from pquant_hls.spec.quantize import QuantizeConfig
from pquant_hls.spec.step import (
    MAX_BITS,
    MIN_BITS,
    Bits,
    Place,
    Sparsity,
    StepConfig,
    Targets,
    TrainingConfig,
    Turn,
    parameter,
)

__all__ = [
    "MAX_BITS",
    "MIN_BITS",
    "Bits",
    "FineTuneConfig",
    "HardwareResource",
    "LowRankConfig",
    "Place",
    "PruneConfig",
    "PruneLayersConfig",
    "QuantizeConfig",
    "Sparsity",
    "StepConfig",
    "Targets",
    "TeachingConfig",
    "TrainingConfig",
    "Turn",
    "parameter",
]

HardwareResource = Literal["lut", "ff", "dsp", "bram", "cycles"]
"""What a design can take less of; ``bram`` counts blocks of 18 kb."""


def _is_lut(value: str) -> bool:
    """Left out of digests, so that runs of earlier versions keep theirs."""
    return value == "lut"


def _is_none(value: str | None) -> bool:
    """As ``_is_lut``."""
    return value is None


def _is_weight(value: str) -> bool:
    """As ``_is_lut``."""
    return value == "weight"


class PruneConfig(TrainingConfig):
    """Remove units (structured) or set weights to zero (magnitude, N:M)."""

    made_by: ClassVar[str] = "pquant_hls.compress.pruning:PruningCompression"
    place: ClassVar[Place] = Place.CUTS

    step: Literal["prune"] = "prune"
    sparsity: Sparsity = parameter(
        0.5, "share removed; sparsity_of says of what", search=(0.0, 0.9), ladder="sparsity"
    )
    sparsity_of: Literal["units", "weights", "resource"] = parameter(
        "units",
        "units: hidden units or filters; weights: kernel entries, which zeroing methods count; resource: of "
        "method knapsack",
    )
    method: Literal["structured", "magnitude", "n_m", "knapsack"] = parameter(
        "structured",
        "structured rebuilds a smaller model; magnitude and n_m keep its shape and set zeros; knapsack gives up "
        "the least loss for the resource saved",
    )
    resource: HardwareResource = parameter(
        "lut",
        "knapsack: what the estimated design shall take less of; sparsity is the share saved",
        exclude_if=_is_lut,
    )
    granularity: Literal["weight", "group", "unit"] = parameter(
        "weight",
        "knapsack: what is given up whole: a weight, the weights that share a multiplier (bram: a port of memory), "
        "or a unit, which is removed",
        exclude_if=_is_weight,
    )
    importance: Literal["l1", "l2", "batchnorm", "taylor", "random"] = parameter(
        "taylor",
        "what ranks units (zeroing methods rank by |weight|, or at random)",
        search=["l1", "l2", "taylor"],
    )
    ranking: Literal["global", "layer", "fan"] = parameter(
        "layer",
        "layer: the same share of each layer; global: one ranking over all; fan: weights shared by fan-in + fan-out "
        "(Erdos-Renyi), what zeroing methods do unless told otherwise",
        search=["global", "layer"],
    )
    min_units: int = parameter(2, "units that every layer keeps", ge=1)
    latency_aware: bool = parameter(
        False, "cut first where the estimator's cycles are paid", search=[False, True]
    )
    layers: dict[str, Sparsity] = parameter({}, "share removed of single layers, in place of sparsity")
    keep: dict[str, Annotated[int, Field(ge=1)]] = parameter(
        {}, "units that single layers keep, in place of a share"
    )
    exclude: tuple[str, ...] = parameter((), "layers that are left as they are")
    reference: dict[str, Annotated[int, Field(ge=1)]] = parameter(
        {}, "units of the original's layers: sparsity then counts from them, not from the model given"
    )
    reference_weights: int | None = parameter(
        None, "kernel weights of the original, the same for sparsity of weights", ge=1
    )
    n: int = parameter(2, "non-zero weights kept in each block of m", ge=1)
    m: int = parameter(4, "block length along a kernel's input axis", ge=2)
    rounds: int = parameter(1, "zeroing methods: cuts on the way to the sparsity", ge=1, le=100)
    ramp: Literal["linear", "cubic"] = parameter(
        "cubic", "how sparsity grows over the rounds (Zhu, Gupta 2017)"
    )
    epochs: int = parameter(0, "epochs of recovery after each cut", ge=0, le=10_000)
    reconstruct: bool = parameter(
        True, "structured: refit the readers of removed units to the original's sums, where there is data"
    )
    samples: int = parameter(2048, "inputs for Taylor importance and for reconstruction", ge=1)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("method", "structured") == "structured":
            return values
        if values.get("method") == "knapsack":
            return {"sparsity_of": "resource", "ranking": "global", **values}
        filled = {"sparsity_of": "weights", "ranking": "fan", **values}
        n, m = values.get("n", 2), values.get("m", 4)
        if values.get("method") == "n_m" and isinstance(n, int) and isinstance(m, int) and m > 0:
            filled.setdefault("sparsity", max(0.0, 1 - n / m))
        return filled

    @model_validator(mode="after")
    def _packs(self) -> Self:
        if self.method != "knapsack":
            if self.sparsity_of == "resource":
                raise ValueError("sparsity_of 'resource' is what method 'knapsack' counts")
            return self
        if self.sparsity_of != "resource" or self.ranking != "global":
            raise ValueError("method 'knapsack' weighs loss against the resource: no sparsity_of, no ranking")
        if self.layers:
            raise ValueError("method 'knapsack' decides for all layers together: exclude single ones instead")
        if self.resource == "cycles" and self.granularity != "weight":
            raise ValueError(
                "cycles fall with levels of adders: granularity weight (units: method structured, latency_aware)"
            )
        if self.importance == "batchnorm" and self.granularity != "unit":
            raise ValueError("importance 'batchnorm' ranks units: granularity unit, or another importance")
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.method != "structured" and self.sparsity_of == "units":
            raise ValueError(f"method {self.method!r} removes weights: sparsity_of cannot be 'units'")
        if self.method != "structured" and (self.keep or self.latency_aware):
            raise ValueError(f"method {self.method!r} removes no units: keep and latency_aware do not apply")
        if self.method == "structured" and self.ranking == "fan":
            raise ValueError("ranking 'fan' shares weights: method 'structured' takes layer or global")
        if self.method == "n_m" and self.n >= self.m:
            raise ValueError(f"n:m keeps fewer than m weights, got {self.n}:{self.m}")
        if self.method == "n_m" and abs(self.sparsity - (1 - self.n / self.m)) > 1e-9:
            raise ValueError(
                f"{self.n}:{self.m} is a sparsity of {1 - self.n / self.m:g}, got {self.sparsity:g}"
            )
        return self

    def turns(self) -> dict[str, Turn]:
        """``sparsity``, unless single layers or n:m say how much goes; each method has a sparsity of its own."""
        fixed = self.method == "n_m" or bool(self.layers) or bool(self.keep)
        units = self.method == "knapsack" and self.granularity == "unit"
        return {} if fixed else {"sparsity": Turn("sparsity", "knapsack of units" if units else self.method)}

    def turned(self, values: Mapping[str, float], units: Mapping[str, int]) -> Self:
        """Sparsity counts from the original's units, whatever is left of them."""
        return self.with_(**values, reference=dict(units)) if self.turns() else self


class TeachingConfig(TrainingConfig):
    """How a network of fewer layers is refitted to the one it was made of, and learns from it."""

    step: Literal["prune_layers"] = "prune_layers"
    samples: int = parameter(4096, "inputs to which the next layer is refitted", ge=1)
    epochs: int = parameter(20, "epochs of training after that", ge=0, le=10_000, search=(5, 50, "log"))
    distillation: float = parameter(
        0.5,
        "weight of the original's soft targets against the labels; 1 needs no labels",
        ge=0,
        le=1,
        search=(0.0, 1.0),
    )


class PruneLayersConfig(TeachingConfig):
    """Leave hidden layers out, and let the shallower network learn from the deeper one."""

    made_by: ClassVar[str] = "pquant_hls.compress.layer_pruning:LayerPruning"
    place: ClassVar[Place] = Place.DEPTH

    dropped_layers: int = parameter(
        1,
        "hidden layers left out, those first that lose least",
        ge=0,
        le=64,
        search=(0, 2),
        ladder="dropped_layers",
    )
    layers: tuple[str, ...] = parameter((), "the layers that are left out, in place of a number")
    exclude: tuple[str, ...] = parameter((), "layers that stay")
    reference: tuple[str, ...] = parameter(
        (), "layers of the original: the number then counts from them, not from the model given"
    )

    @model_validator(mode="after")
    def _stays_or_goes(self) -> Self:
        both = [name for name in self.layers if name in self.exclude]
        if both:
            raise ValueError(f"{both[0]!r} stands in layers and in exclude")
        return self

    def turns(self) -> dict[str, Turn]:
        """``dropped_layers``, unless the layers are named."""
        return {} if self.layers else super().turns()

    def turned(self, values: Mapping[str, float], units: Mapping[str, int]) -> Self:
        """The number counts from the original's layers, whatever is left of them."""
        return super().turned(values, units).with_(reference=tuple(units)) if self.turns() else self


class LowRankConfig(StepConfig):
    """Replace a kernel by the product of two thinner ones."""

    made_by: ClassVar[str] = "pquant_hls.compress.low_rank:LowRankCompression"
    place: ClassVar[Place] = Place.FACTORS

    step: Literal["low_rank"] = "low_rank"
    rank: int | None = parameter(
        None, "rank of every layer it makes cheaper", ge=1, search=(2, 64, "log"), ladder="rank"
    )
    energy: float | None = parameter(
        None,
        "kept share of the squared singular values; 0.95 where nothing else chooses",
        gt=0,
        le=1,
        search=(0.7, 0.999),
    )
    gain: bool = parameter(False, "choose the rank by the estimator's gain, at least min_energy kept")
    min_energy: float = parameter(0.8, "least kept energy when gain chooses", gt=0, le=1)
    error: Literal["weights", "outputs"] = parameter(
        "weights",
        "what a rank keeps most of: the kernel, or a dense layer's sums on the data, where inputs that hardly vary "
        "hardly count",
        search=["weights", "outputs"],
    )
    samples: int = parameter(2048, "inputs that error 'outputs' looks at", ge=1)
    layers: dict[str, Annotated[int, Field(ge=1)]] = parameter({}, "rank of single layers")
    exclude: tuple[str, ...] = parameter((), "layers that are left as they are")
    roll_back: bool | None = parameter(
        None,
        "take back a factorization that adds estimated cycles; none: unless the budget limits no latency",
    )

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [
            name
            for name, on in (
                ("rank", self.rank is not None),
                ("energy", self.energy is not None),
                ("gain", self.gain),
            )
            if on
        ]
        if len(given) > 1:
            raise ValueError(f"one rule chooses the rank, got {' and '.join(given)}")
        return self

    def aimed(self, budget: Budget | None) -> Self:
        """Cycles are charged where a latency is the goal; elsewhere fewer multiplications are gain enough."""
        timed = (
            budget is not None and (budget.latency_ns, budget.latency_cycles, budget.ii_cycles) != (None,) * 3
        )
        return self if self.roll_back is not None else self.with_(roll_back=timed)


class FineTuneConfig(TrainingConfig):
    """Train on from the model's present weights; the best epoch is restored."""

    made_by: ClassVar[str] = "pquant_hls.compress.fine_tuning:FineTuning"
    place: ClassVar[Place] = Place.TRAINING

    step: Literal["fine_tune"] = "fine_tune"
    lock: Literal["structure"] | None = parameter(
        None,
        "structure: every weight keeps its sign and has no more signed digits than now, zeros stay zero, so that cycles stay "
        "(gate --lock checks it)",
        exclude_if=_is_none,
    )


class SweepConfig(StepConfig):
    """Remove the units that no output depends on or that depend on no input; the values stay the same."""

    made_by: ClassVar[str] = "pquant_hls.compress.dead_units:DeadUnitRemoval"
    place: ClassVar[Place] = Place.TRAINING

    step: Literal["sweep"] = "sweep"
