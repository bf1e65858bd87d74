"""The base of every compression step, and how a step is found by its name."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Generic, TypeVar

import keras

from pquant_hls.compress.accounting import account
from pquant_hls.compress.cost import Cost, DesignCost
from pquant_hls.compress.odd_bias import has_odd_biases, with_odd_biases
from pquant_hls.compress.record import Accounting, CompressedModel, StepRecord
from pquant_hls.errors import NotMeasured, SpecError, UnsupportedModel
from pquant_hls.network.graph import clone
from pquant_hls.network.paths import cut_off
from pquant_hls.network.table import model_digest
from pquant_hls.qor import QoR
from pquant_hls.spec.registry import STEP_GROUP, load_step, offered
from pquant_hls.spec.steps import StepConfig
from pquant_hls.train import Progress, as_data

C = TypeVar("C", bound=StepConfig)


@dataclass(frozen=True)
class Outcome:
    """What a step's hook hands back: the new model, remarks, and figures it measured."""

    model: keras.Model
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float | None] = field(default_factory=dict)


class Step(ABC, Generic[C]):
    """One compression step. A subclass names its ``Config`` and writes ``apply``.

    Parameters
    ----------
    config : a configuration, a mapping, or None to give its fields by name in ``settings``.
    teacher : model whose soft targets training may use.
    cost : estimates the design made from a model, as ``DesignCost(hls)``; None leaves cycles unknown.
    progress : called after each epoch of training.
    """

    Config: ClassVar[type[StepConfig]]

    def __init__(
        self,
        config: C | Mapping[str, Any] | None = None,
        *,
        teacher: keras.Model | None = None,
        cost: Cost | None = None,
        progress: Progress | None = None,
        **settings: Any,
    ) -> None:
        self.config: C = self._parse(config, settings)
        self.teacher, self.cost, self.progress = teacher, cost, progress

    def _parse(self, config: Any, settings: dict[str, Any]) -> Any:
        if isinstance(config, self.Config):
            return config.with_(**settings) if settings else config
        if isinstance(config, StepConfig):
            raise SpecError(
                f"{type(self).__name__} takes {self.Config.__name__}, got {type(config).__name__}"
            )
        return self.Config.parse({**({} if config is None else config), **settings})

    @abstractmethod
    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Compress. ``model`` is the step's own copy and may be changed; ``data`` is a data set or None."""

    def most(self, model: keras.Model) -> Mapping[str, float]:  # noqa: ARG002
        """The largest value of a parameter that this model has a use for, by name; those without a bound are left out."""
        return {}

    def compress(self, model: keras.Model, data: Any = None) -> CompressedModel:
        """Run the step; the caller's model is not touched. The record's notes name outputs that it cuts off.

        ``data`` has x_train, y_train, x_val, y_val as float32 (events, ...) and int (events,), labels may be
        None; what else it may be, ``models.train.as_data`` says.
        Raises SpecError, UnsupportedModel or DataError, naming the layer or key, before any training.
        """
        start, before = time.monotonic(), self.account(model)
        outcome = self.apply(clone(model), None if data is None else as_data(data, model))
        return self.recorded(model, outcome, before, time.monotonic() - start)

    def recorded(
        self, model: keras.Model, outcome: Outcome, before: Accounting, seconds: float
    ) -> CompressedModel:
        """What was made of ``model``, with the record of it."""
        if has_odd_biases(model):  # training moves them off
            outcome = replace(outcome, model=with_odd_biases(outcome.model))
        record = StepRecord(
            step=self.config.step,
            config=self.config.model_dump(mode="json"),
            before=before,
            after=self.account(outcome.model),
            seconds=seconds,
            parent=model_digest(model),
            child=model_digest(outcome.model),
            notes=(*outcome.notes, *cut_off(model, outcome.model)),
            figures=dict(outcome.figures),
        )
        return CompressedModel(outcome.model, record)

    def account(self, model: keras.Model) -> Accounting:
        """Figures of a model, with estimated cycles where ``cost`` can tell them."""
        counted = account(model)
        qor = self.estimate(model)
        if qor is None or qor.latency is None:
            return counted
        layers = {layer.name: layer.cycles for layer in qor.layers if layer.cycles is not None}
        return counted.model_copy(update={"cycles": qor.latency.cycles_max, "layer_cycles": layers})

    def estimator(self) -> Cost:
        """``cost``, or where none is given the estimate for the default ``HlsSpec``."""
        return DesignCost() if self.cost is None else self.cost

    def estimate(self, model: keras.Model) -> QoR | None:
        """The design's estimate; None without ``cost`` or for a model it cannot take."""
        if self.cost is None:
            return None
        try:
            return self.cost(model)
        except (NotMeasured, UnsupportedModel):
            return None


def step_class(name: str) -> type[Step[Any]]:
    """The Step class of a recipe step, whichever installed package offers it; SpecError where none does."""
    found = offered(name)
    if issubclass(found, StepConfig):
        found = load_step(EntryPoint(name, found.made_by, STEP_GROUP))
    if not issubclass(found, Step):
        raise SpecError(f"step {name!r} is {found.__name__}, not a Step class", where=STEP_GROUP)
    return found


def step_from_config(
    config: StepConfig,
    *,
    teacher: keras.Model | None = None,
    cost: Cost | None = None,
    progress: Progress | None = None,
) -> Step[Any]:
    """The step that a recipe's configuration describes."""
    return step_class(config.step)(config, teacher=teacher, cost=cost, progress=progress)
