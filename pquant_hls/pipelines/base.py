"""What all pipelines share: data in, a policy over the bench, one judged and handed-over result out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from pquant_hls.datasets import Dataset
from pquant_hls.engine import CompressionResult, Ending, Point, Workbench, run_policy
from pquant_hls.pipelines.data import as_dataset
from pquant_hls.pipelines.setup import Setup, setup_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model


class Pipeline(ABC):
    """A policy over the bench. A subclass writes ``policy``; ``run`` does the rest.

    ``options`` are those of Setup: hls, budget, gates, epochs, training, seed, out, resume, verbose, listen.
    """

    name: ClassVar[str] = "pipeline"
    result: ClassVar[type[CompressionResult]] = CompressionResult

    def __init__(self, **options: Any) -> None:
        own = [name for name in signature(type(self)).parameters if name != "options"]
        self.setup = setup_of(options, own)

    @abstractmethod
    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        """Move from ``start`` (the original, with its accounting) by ``bench`` and say where to stop."""

    def settings(self) -> Mapping[str, Any]:
        """The pipeline's own settings, for the run's digest and record."""
        return {}

    def identity(self, setup: Setup) -> dict[str, Any]:
        """What a run's digest depends on beside model and data."""
        return {"pipeline": self.name, "settings": self.settings(), **setup.identity()}

    def run(self, model: Model, data: Dataset, **options: Any) -> CompressionResult:
        """Run the policy in a run folder, measure what it chose by csim, judge it, hand it over."""
        setup = self.setup.with_(**options)
        return run_policy(self, model, data, setup, setup.out, resume=setup.resume)


class Trainable(Pipeline):
    """A pipeline called as ``execute(model, train, val)``."""

    def execute(
        self, model: Model, train: Any, val: Any = None, test: Any = None, **options: Any
    ) -> CompressionResult:
        """Compress ``model``, which is not changed.

        Parameters
        ----------
        model : Keras model. train, val, test : as ``as_dataset`` takes them; x float32 (events, *input
            shape), y integer (events,). Decisions use ``val`` only; ``test`` is read once, at the end.
        options : of Setup, in place of the constructor's.

        Raises
        ------
        UnsupportedModel, DataError, SpecError, OutputError, ToolNotFound : before any training.
        """
        setup = self.setup.with_(**options)
        data = as_dataset(model, train, val, test, seed=setup.seed, task=setup.task)
        return self.run(model, data, **options)
