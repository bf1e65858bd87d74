"""Configurations of the compression steps: each parameter once, with type, default, help and search range.

A recipe lists them as ``{step: prune, sparsity: 0.5}``. The search range of a parameter stands in its
``json_schema_extra["search"]`` and is read by studies; ``search_space`` collects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from pquant_hls.spec.budget import Budget
from pquant_hls.spec.model import Spec

MIN_BITS, MAX_BITS = 2, 16


class Place(IntEnum):
    """Where a step stands in the usual order of a study."""

    DEPTH = 0
    FACTORS = 1
    CUTS = 2
    OTHER = 3
    GRID = 4
    TRAINING = 5


class Turn(NamedTuple):
    """The ladder of ``loop:`` on which the loop turns a parameter.

    Of several parameters with the same ladder and ``of`` only the one that rules the result is turned.
    """

    ladder: Literal["sparsity", "rank", "bits", "reuse_factor", "dropped_layers"]
    of: str = ""


def parameter(
    default: Any, text: str, *, search: Any = None, ladder: str | None = None, **limits: Any
) -> Any:
    """A field with its help, its search range where studies may vary it, its ladder where the loop may turn it.

    ``search`` is ``(low, high)``, ``(low, high, "log")`` for a logarithmic range, or a list of choices. ``ladder``
    names a field of ``LoopSpec``: ``sparsity``, ``bits``, ``rank`` or ``dropped_layers``.
    """
    extra: dict[str, Any] = {} if search is None else {"search": _as_search(search)}
    if ladder is not None:
        extra["ladder"] = ladder
    return Field(default, description=text, json_schema_extra=extra or None, **limits)


def _as_search(search: Any) -> dict[str, Any]:
    if isinstance(search, list):
        return {"choices": search}
    low, high, *rest = search
    return {"low": low, "high": high, "log": rest == ["log"]}


def _is_half_even(rounding: str) -> bool:
    """What 0.1.0 did not know stays out of a run's identity while it is not used, so that its runs can be resumed."""
    return rounding == "half_even"


def _fraction(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"a sparsity lies in [0, 1), got {value!r}")
    return value


def _width(value: int) -> int:
    if value == 1:
        raise ValueError("1-bit quantized_bits is garbage in hls4ml: use kernel 'binary', or at least 2 bits")
    if not MIN_BITS <= value <= MAX_BITS:
        raise ValueError(f"bits lie in {MIN_BITS}..{MAX_BITS}, got {value!r}")
    return value


Sparsity = Annotated[float, AfterValidator(_fraction)]
"""A share in [0, 1) of what is removed."""

Bits = Annotated[int, AfterValidator(_width)]
"""Total width of a fixed-point number, sign included."""


_NAMING = ("layers", "keep", "exclude", "activations")
HardwareResource = Literal["lut", "ff", "dsp", "bram", "cycles"]
"""What a design can take less of; ``bram`` counts blocks of 18 kb."""


Targets = Literal["auto", "classes", "values"]
"""What an output's labels are."""


class StepConfig(Spec):
    """What every step's configuration has; ``step`` names the step in recipes.

    ``made_by`` is the Step class as ``module:Class``, loaded when it is needed; ``place`` where studies put it.
    """

    made_by: ClassVar[str] = ""
    place: ClassVar[Place] = Place.OTHER

    step: str
    seed: int = parameter(0, "seed of every random choice of this step", ge=0)

    @classmethod
    def search_space(cls) -> dict[str, dict[str, Any]]:
        """Search range of each parameter that has one: ``{"low", "high", "log"}`` or ``{"choices"}``."""
        found = {}
        for name, declared in cls.model_fields.items():
            extra = declared.json_schema_extra
            if isinstance(extra, Mapping) and "search" in extra:
                found[name] = dict(extra["search"])  # type: ignore[arg-type]  # JSON as pydantic types it
        return found

    def turns(self) -> dict[str, Turn]:
        """Parameters that the closed loop may turn, with their ladders; those that are None are not turned."""
        found = {}
        for name, declared in type(self).model_fields.items():
            extra = declared.json_schema_extra
            if isinstance(extra, Mapping) and "ladder" in extra and getattr(self, name) is not None:
                found[name] = Turn(extra["ladder"])  # type: ignore[arg-type]  # JSON as pydantic types it
        return found

    def named_layers(self) -> set[str]:
        """Layers that it names in ``layers``, ``keep``, ``exclude`` or ``activations``."""
        return {name for key in _NAMING for name in getattr(self, key, ())}

    def aimed(self, budget: Budget | None) -> Self:
        """With what follows from the run's budget (None: it has none) where the configuration leaves it open."""
        del budget
        return self

    def turned(self, values: Mapping[str, float], units: Mapping[str, int]) -> Self:
        """With the loop's present values. ``units`` are those of the original's layers."""
        del units
        return self.with_(**{name: type(getattr(self, name))(value) for name, value in values.items()})


class TrainingConfig(StepConfig):
    """Parameters of the training routine that fine-tuning, QAT and pruning rounds share."""

    epochs: int = parameter(10, "passes over the training data", ge=0, le=10_000, search=(2, 50, "log"))
    batch_size: int = parameter(512, "samples in one gradient step", ge=1, search=[128, 256, 512, 1024])
    learning_rate: float = parameter(
        1e-3, "Adam's first learning rate", gt=0, lt=10, search=(1e-4, 1e-2, "log")
    )
    schedule: Literal["constant", "cosine", "exponential"] = parameter(
        "cosine",
        "how the learning rate falls to 1 % of its start",
        search=["constant", "cosine", "exponential"],
    )
    patience: int | None = parameter(
        None, "epochs without a better validation score before stopping; none: all epochs", ge=1
    )
    monitor: Literal["accuracy", "loss"] = parameter(
        "accuracy", "the validation score whose best epoch is restored; loss where an output has no accuracy"
    )
    distillation: float = parameter(
        0.0,
        "weight of the teacher's soft targets against the labels; 1 needs no labels",
        ge=0,
        le=1,
        search=(0.0, 1.0),
    )
    temperature: float = parameter(
        2.0, "softens teacher and student alike", gt=0, le=100, search=(1.0, 8.0, "log")
    )
    synthetic: float = parameter(
        0.0, "without labels: mixed and jittered samples for each real one, in its range", ge=0, le=1000
    )
    jitter: float = parameter(
        0.1, "width of the synthetic samples' noise, in standard deviations", ge=0, le=2
    )
    targets: Targets | dict[str, Targets] = parameter(
        "auto",
        "what labels are, for all outputs or by name: class numbers, or values to be met (regression); auto: "
        "values where a linear output's labels are not whole numbers",
    )
    output_weights: dict[str, Annotated[float, Field(ge=0)]] = parameter(
        {}, "several outputs: weight of single ones' losses, by name; left out: 1"
    )
    class_balance: bool = parameter(
        False, "weigh each class by the inverse of its frequency", search=[False, True]
    )
    preserve_rare_classes: bool = parameter(
        False,
        "floors for rare_classes, and the best epoch by loss; where none are named, for those rarer than 0.8 of "
        "the average class, or if none is, for all",
    )
    rare_classes: tuple[int | str, ...] = parameter(
        (), "classes whose efficiency must not fall, by name or index"
    )
    background_rate: float = parameter(0.01, "false-positive rate at which efficiencies are read", gt=0, lt=1)
    max_efficiency_loss: float = parameter(
        0.02, "floor of each rare class: its efficiency before, less this", ge=0, le=1
    )


def _is_lut(value: str) -> bool:
    """Left out of digests, so that runs of earlier versions keep theirs."""
    return value == "lut"


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


class QuantizeConfig(TrainingConfig):
    """Turn layers into QKeras layers on fixed-point grids that hls4ml keeps exactly."""

    made_by: ClassVar[str] = "pquant_hls.compress.quantization:QuantizationCompression"
    place: ClassVar[Place] = Place.GRID

    step: Literal["quantize"] = "quantize"
    bits: Bits = parameter(
        6,
        "width of weights and biases; by sensitivity: the uniform width whose EBOPs are spent",
        search=(3, 8),
        ladder="bits",
    )
    layers: dict[str, Bits] = parameter({}, "width of single layers' weights")
    kernel: Literal["fixed", "binary", "ternary"] = parameter(
        "fixed", "kind of weight: fixed point, +-1, or -1 0 +1"
    )
    bias_bits: Bits | None = parameter(None, "width of biases; left out: the layer's weights', at least 6")
    activation_bits: Bits | None = parameter(None, "width of activations; left out: bits", search=(3, 8))
    activations: dict[str, Bits] = parameter(
        {}, "width of single layers' activations, by the layer they follow"
    )
    input_bits: Bits | None = parameter(None, "width of inputs; left out: the activations', at least 8")
    allocation: Literal["uniform", "sensitivity"] = parameter(
        "uniform", "sensitivity: bits by measured loss against EBOPs saved", search=["uniform", "sensitivity"]
    )
    min_bits: Bits = parameter(2, "least width that sensitivity may give")
    max_bits: Bits | None = parameter(None, "largest width that sensitivity may give; left out: bits + 4")
    mode: Literal["ptq", "qat"] = parameter(
        "qat", "ptq: calibrate only; qat: then train with the quantizers in place"
    )
    calibration: Literal["mse", "percentile", "max"] = parameter(
        "mse", "how integer bits are read off weights and data", search=["mse", "percentile", "max"]
    )
    percentile: float = parameter(99.9, "percentile of |x| that must fit, in percent", gt=50, le=100)
    samples: int = parameter(4096, "inputs used for calibration", ge=1)
    rounding: Literal["half_even", "odd_bias"] = parameter(
        "half_even",
        "odd_bias: biases get one more, always odd, bit, so that no sum lies half way between two steps and the "
        "firmware truncates where Keras rounds; the same values in fewer LUTs",
        exclude_if=_is_half_even,
    )

    @model_validator(mode="before")
    @classmethod
    def _name(cls, values: Any) -> Any:
        """``method: ptq`` is ``mode: ptq``: the word that pruning has for it."""
        if not isinstance(values, Mapping) or "method" not in values:
            return values
        if "mode" in values:
            raise ValueError("method and mode are the same: give one of them")
        return {("mode" if name == "method" else name): value for name, value in values.items()}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_bits > self.top_bits:
            raise ValueError(f"min_bits {self.min_bits} exceeds max_bits {self.top_bits}")
        if self.kernel != "fixed" and (self.layers or self.allocation == "sensitivity"):
            raise ValueError(
                f"a {self.kernel} kernel has one width: layers and allocation 'sensitivity' do not apply"
            )
        return self

    @property
    def top_bits(self) -> int:
        """``max_bits`` or its default."""
        return min(MAX_BITS, self.bits + 4) if self.max_bits is None else self.max_bits

    @property
    def default_activation_bits(self) -> int:
        return self.bits if self.activation_bits is None else self.activation_bits

    @property
    def default_input_bits(self) -> int:
        return max(8, self.default_activation_bits) if self.input_bits is None else self.input_bits


class FineTuneConfig(TrainingConfig):
    """Train on from the model's present weights; the best epoch is restored."""

    made_by: ClassVar[str] = "pquant_hls.compress.fine_tuning:FineTuning"
    place: ClassVar[Place] = Place.TRAINING

    step: Literal["fine_tune"] = "fine_tune"


class SweepConfig(StepConfig):
    """Remove the units that no output depends on or that depend on no input; the values stay the same."""

    made_by: ClassVar[str] = "pquant_hls.compress.dead_units:DeadUnitRemoval"
    place: ClassVar[Place] = Place.TRAINING

    step: Literal["sweep"] = "sweep"
