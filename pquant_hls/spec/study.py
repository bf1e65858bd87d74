"""The study: which settings to search, what to prefer, and the budget that every winner must stay within."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from pquant_hls.errors import SpecError
from pquant_hls.spec.budget import Budget
from pquant_hls.spec.hls import HlsSpec
from pquant_hls.spec.model import Spec, as_spec_error, unknown_key
from pquant_hls.spec.quality import TaskText
from pquant_hls.spec.registry import config_class, step_names
from pquant_hls.spec.text import read_yaml

ALIASES = {
    "rank": "low_rank.rank",
    "energy": "low_rank.energy",
    "sparsity": "prune.sparsity",
    "bits": "quantize.bits",
}
"""Short names of the parameters that studies usually vary."""

REUSE, ORDER, LAYER_BITS = "reuse_factor", "order", "bits_per_layer"
SPECIAL = (REUSE, ORDER, LAYER_BITS)
"""Names that are no step's parameter: reuse factor of the firmware, order of the steps, a width for each
layer."""


def _is_none(value: object) -> bool:
    """What 0.1.0 did not know stays out of a study's identity: its studies can be resumed."""
    return value is None


class Range(Spec):
    """Values of one parameter: from ``low`` to ``high`` (by ``step``, or logarithmic with ``log``), or one of
    ``choices``."""

    low: float | None = None
    high: float | None = None
    step: float | None = Field(None, gt=0, exclude_if=_is_none)
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise ValueError(f"low {self.low:g} exceeds high {self.high:g}")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a logarithmic range starts above 0")
        if self.step is not None and (self.log or self.choices is not None):
            raise ValueError("a step goes with low and high, and not with log")
        if self.choices is not None and not self.choices:
            raise ValueError("choices is empty")
        return self


class GateSpec(Spec):
    """A floor on a figure such as ``auc`` or ``efficiency@0.01:top``: ``max_loss`` against the original, or
    ``minimum``, both shares."""

    metric: str = Field(min_length=1)
    max_loss: float | None = Field(None, ge=0, le=1)
    minimum: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.max_loss is None and self.minimum is None:
            raise ValueError("give max_loss or minimum")
        return self


def full_name(name: str) -> str:
    """``prune.sparsity`` for ``sparsity``; raises ValueError for what no installed step has."""
    found = ALIASES.get(name, name)
    step, _, parameter = found.partition(".")
    if found in SPECIAL or (step in step_names() and parameter in config_class(step).model_fields):
        return found
    raise ValueError(f"{name}: {unknown_key(name, [*ALIASES, *SPECIAL, *_searchable()], 'parameter')}")


def _searchable() -> Iterator[str]:
    """Every parameter that a step declares a range for; a package that cannot be loaded has none to offer."""
    for step in step_names():
        with suppress(SpecError):
            yield from (f"{step}.{parameter}" for parameter in config_class(step).search_space())


def parameter_of(name: str) -> FieldInfo | None:
    """The declaration of ``<step>.<parameter>`` or of the reuse factor; None for what is neither."""
    if name == REUSE:
        return HlsSpec.model_fields[REUSE]
    step, _, parameter = name.partition(".")
    return config_class(step).model_fields[parameter] if parameter else None


def as_range(name: str, given: Any) -> Range:
    """A range from ``[low, high]``, ``(low, high, step)``, a list of choices, keys, or True for the range that the
    step itself declares."""
    if isinstance(given, Range):
        return given
    if isinstance(given, Mapping):
        return Range.parse(given, path=name)
    if isinstance(given, list | tuple):
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in given)
        if name != REUSE and numbers and len(given) == 2:
            return Range.parse({"low": given[0], "high": given[1]}, path=name)
        if name != REUSE and numbers and _may_be_stepped(given):
            if isinstance(given, list):
                raise ValueError(
                    f"{name}: {given} may be low, high, step or three choices: give {{low, high, step}} or {{choices}}"
                )
            return Range.parse(dict(zip(("low", "high", "step"), given, strict=True)), path=name)
        return Range.parse({"choices": tuple(given)}, path=name)
    if given is True or given is None:
        return _declared(name)
    raise ValueError(
        f"{name}: expected [low, high], (low, high, step), a list of choices or true, got {given!r}"
    )


def _may_be_stepped(values: Sequence[float]) -> bool:
    """Whether three numbers can be low, high, step: the last one fits between the others and is no further choice."""
    return len(values) == 3 and values[0] < values[1] and 0 < values[2] <= values[1] - values[0]


def _declared(name: str) -> Range:
    if name in (ORDER, LAYER_BITS):
        return Range(choices=(True,))
    step, _, parameter = name.partition(".")
    declared = config_class(step).search_space() if parameter else {}
    if parameter not in declared:
        raise ValueError(f"{name}: no range is declared for it, give [low, high] or choices")
    return Range.parse(declared[parameter], path=name)


def _space(values: Any) -> dict[str, Range]:
    if not isinstance(values, Mapping):
        raise ValueError(f"expected parameters and ranges, got {type(values).__name__}")
    wanted = {name: given for name, given in values.items() if given is not False}
    full: dict[str, str] = {}
    for name in wanted:
        if full_name(name) in full:
            raise ValueError(f"{full[full_name(name)]} and {name} are the same parameter: give one of them")
        full[full_name(name)] = name
    try:
        found = {name: as_range(whole, wanted[name]) for whole, name in full.items()}
    except SpecError as cause:
        raise ValueError(str(cause)) from cause
    for whole, name in full.items():
        _check_values(whole, found[name])
    return found


def _check_values(name: str, found: Range) -> None:
    """Every value must be one that the step's parameter takes; found out here, not in each trial."""
    declared = parameter_of(name)
    if declared is None:
        return
    annotated: Any = Annotated[
        declared.annotation, *declared.metadata, None
    ]  # a bare Literal has no metadata
    kind: TypeAdapter[Any] = TypeAdapter(annotated)
    for value in found.choices if found.choices is not None else (found.low, found.high):
        try:
            kind.validate_python(value)
        except ValidationError as cause:
            raise ValueError(str(as_spec_error(cause, Spec, name))) from None


class StudySpec(Spec):
    """What to search and what to prefer. The budget is a constraint and enters no score.

    ``space`` names parameters (``bits``, ``sparsity``, ``rank``, or ``<step>.<parameter>``) with their
    ranges, and ``reuse_factor``, ``order``, ``bits_per_layer``. Steps with a parameter in it are run,
    quantization always.
    """

    schema_version: Literal[1] = 1
    name: str = Field("study", min_length=1)
    seed: int = Field(0, ge=0)
    space: Annotated[dict[str, Range], BeforeValidator(_space)] = Field(
        default_factory=lambda: _space({"bits": True, "sparsity": True}), validate_default=True
    )
    objective: Literal[
        "compression_accuracy", "compression_only", "latency_accuracy", "resources_accuracy"
    ] = "compression_accuracy"
    quality: str = Field(
        "accuracy",
        min_length=1,
        description="the figure objectives take for accuracy: auc, efficiency@0.01:top, ...; of other tasks than classes "
        "accuracy stands for what their searches go by",
    )
    hls: HlsSpec = HlsSpec()
    task: TaskText = ""
    budget: Budget | None = None
    gates: tuple[GateSpec, ...] = ()
    n_trials: int = Field(20, ge=1, le=10_000)
    timeout_s: float | None = Field(None, gt=0, description="no new trial starts after so many seconds")
    epochs: int = Field(3, ge=0, le=1000, description="epochs of each training in a trial")
    final_epochs: int = Field(
        12, ge=0, le=10_000, description="epochs of each training of the winner's full schedule"
    )
    training: dict[str, Any] = Field(
        {}, description="further fields of every training, such as learning_rate"
    )
    tolerance: float = Field(
        0.03, ge=0, le=1, description="share of the score the winner may lose when compressed again"
    )
    sampler: Literal["tpe", "random", "nsgaii"] = "tpe"
    storage: str | None = Field(
        None,
        min_length=1,
        description="URL of a database that several workers share; left out: study.db in the run folder",
    )
    heartbeat_s: float = Field(
        15.0,
        gt=0,
        description="seconds between a worker's signs of life; after three of silence its trial is run again",
    )

    @property
    def parameters(self) -> dict[str, Range]:
        """The space by full names, such as ``quantize.bits`` for ``bits``."""
        return {full_name(name): found for name, found in self.space.items()}

    def as_given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by full names under the names that ``space`` was given."""
        short = {full_name(name): name for name in self.space}
        return {short.get(name, name): value for name, value in values.items()}

    def identity(self) -> dict[str, Any]:
        """What a study's digest depends on, however its parameters were called."""
        told = self.model_dump(mode="json", exclude={"n_trials", "timeout_s", "storage", "heartbeat_s"})
        return {**told, "space": {full_name(name): found for name, found in told["space"].items()}}

    @classmethod
    def load(cls, source: str | Path) -> StudySpec:
        """Read a study from a YAML file; raises SpecError with its path."""
        path = Path(source)
        return cls.parse(read_yaml(path), path=path.name)
