"""What configurations of steps are made of: a parameter with its help and search range, what all steps have, what all
training has.

The search range of a parameter stands in its ``json_schema_extra["search"]`` and is read by studies; ``search_space``
collects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field

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


def _is_five(restarts: int) -> bool:
    """Left out of digests, so that runs of earlier versions keep theirs."""
    return restarts == 5


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

    @property
    def brief(self) -> str:
        """The step and the settings that differ from its defaults, for people."""
        fields = type(self).model_fields
        told = [
            f"{name}={value}"
            for name, value in self.model_dump().items()
            if name not in ("step", "seed", "reference")
            and value != fields[name].get_default(call_default_factory=True)
        ]
        return " ".join([self.step, *told])

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
    schedule: Literal["constant", "cosine", "exponential", "restarts"] = parameter(
        "cosine",
        "how the learning rate falls to 1 % of its start; restarts: cosines one after another, each to 3 % and from 95 % of "
        "the start before (Loshchilov, Hutter, arXiv:1608.03983)",
        search=["constant", "cosine", "exponential"],
    )
    restarts: int = parameter(5, "schedule restarts: how many cosines", ge=1, le=1000, exclude_if=_is_five)
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
