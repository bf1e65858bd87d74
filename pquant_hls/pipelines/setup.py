"""What every pipeline is told beside its own settings: target, budget, gates, seed, folder, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from pquant_hls.engine import Event, Gate, Listener
from pquant_hls.engine.watch import default_verbose, listener_of
from pquant_hls.errors import SpecError
from pquant_hls.spec import Budget, HlsSpec
from pquant_hls.spec.model import Spec, as_spec_error, unknown_key
from pquant_hls.spec.quality import TaskText
from pquant_hls.spec.steps import TrainingConfig
from pquant_hls.spec.study import GateSpec


def as_budget(value: Any) -> Budget | None:
    """A Budget from one, a mapping, a number of ns or a text such as ``"50 ns"``."""
    if value is None or isinstance(value, Budget):
        return value
    values = value if isinstance(value, Mapping) else {"latency_ns": value}
    return Budget.parse(values, path="budget")


def _as_hls(value: Any) -> HlsSpec:
    return value if isinstance(value, HlsSpec) else HlsSpec.parse(value, path="hls")


def _as_gates(value: Any) -> tuple[Gate, ...]:
    """Gates, or mappings of what makes one."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise SpecError(f"expected a list of gates, got {value!r}", where="gates")
    return tuple(_as_gate(entry, f"gates.{index}") for index, entry in enumerate(value))


def _as_gate(entry: Any, path: str) -> Gate:
    return entry if isinstance(entry, Gate) else Gate(**GateSpec.parse(entry, path=path).model_dump())


def _as_training(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise SpecError(f"expected settings of a training, got {value!r}", where="training")
    TrainingConfig.parse({"step": "training", **value}, path="training")
    return dict(value)


def several(value: Any) -> Any:
    """A single value as a tuple of one."""
    return (value,) if isinstance(value, str | int | float) else value


def validated(kind: Any, value: Any, where: str) -> Any:
    """``value`` as an annotated type, or a SpecError that names ``where``."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as cause:
        raise as_spec_error(cause, Spec, where) from None


Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
"""A share of one, such as an accuracy that may be lost."""


class Setup(Spec):
    """Options common to all pipelines.

    hls : backend, part, clock. budget : limits the verdict demands (None: the pipeline's own goal only).
    gates : floors on trigger figures. epochs : passes of each training. training : further fields of
    TrainingConfig, such as ``{"learning_rate": 2e-3}``. task : what is asked of the outputs, for all or by name; empty:
    found from labels and model. out : run folder; None means
    ``runs/<pipeline>-<digest>``, taken up again by itself. resume : go on with the run in ``out``. report : with
    ``measure: report`` the synthesis report of the design that the run waits for. verbose : 0 silent (the default in
    pytest), 1 stages (elsewhere), 2 epochs too; in a terminal a moving line, in a notebook a bar, elsewhere plain lines on
    stderr through the logger ``pquant_hls``. listen : a function of Event in place of that.
    """

    hls: Annotated[HlsSpec, BeforeValidator(_as_hls)] = HlsSpec()
    budget: Annotated[Budget | None, BeforeValidator(as_budget)] = None
    gates: Annotated[tuple[Any, ...], BeforeValidator(_as_gates)] = ()
    epochs: int = Field(8, ge=0, le=10_000)
    training: Annotated[dict[str, Any], BeforeValidator(_as_training)] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, lt=2**32)
    task: TaskText = ""
    out: Path | None = None
    resume: bool = False
    report: Path | None = None
    verbose: int = Field(default_factory=default_verbose, ge=0, le=2)
    listen: Callable[[Event], None] | None = None

    @property
    def listener(self) -> Listener:
        return listener_of(self.verbose, self.listen)

    def fit(self, **changes: Any) -> dict[str, Any]:
        """Fields of a training step: epochs, seed and whatever else was asked for."""
        return {"epochs": self.epochs, "seed": self.seed, **self.training, **changes}

    def identity(self) -> dict[str, Any]:
        """What a run's digest depends on of these options."""
        told = self.model_dump(mode="json", include={"hls", "budget", "epochs", "training", "seed", "task"})
        return {**told, "gates": [repr(gate) for gate in self.gates]}


def setup_of(options: Mapping[str, Any], own: Iterable[str] = ()) -> Setup:
    """A Setup from keywords; one that it does not know is named, with the nearest of these and of ``own``."""
    for name in options:
        if name not in Setup.model_fields:
            raise SpecError(unknown_key(name, [*own, *Setup.model_fields], "option"), where=name)
    return Setup.parse(options)
