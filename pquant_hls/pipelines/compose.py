"""Pipelines of a user's own: any steps in any order, from a configuration or joined by ``>>``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pquant_hls.compress import Accounting, DesignCost, Step, account, compression_ratio
from pquant_hls.datasets import Dataset
from pquant_hls.datasets.loaders import as_given
from pquant_hls.engine import (
    CompressionResult,
    Ending,
    Goal,
    Point,
    Score,
    Workbench,
    check_model,
    loss,
    quantized,
    score_of,
)
from pquant_hls.engine.jury import Jury, keras_witness
from pquant_hls.errors import DataError, NoGain, NotMeasured, UnsupportedModel
from pquant_hls.network import input_shapes, n_outputs
from pquant_hls.pipelines.base import Trainable
from pquant_hls.pipelines.data import as_dataset, without_data
from pquant_hls.pipelines.setup import Setup
from pquant_hls.pipelines.steps import as_steps, describe, steps_of
from pquant_hls.pipelines.walk import AnyStep, Walk, name_of
from pquant_hls.qor import QoR
from pquant_hls.spec.steps import (
    FineTuneConfig,
    LowRankConfig,
    PruneConfig,
    QuantizeConfig,
    TrainingConfig,
)
from pquant_hls.train import class_metrics, probabilities
from pquant_hls.train.purpose import purpose_of

if TYPE_CHECKING:
    from pquant_hls.network.model import Model


class CompressionPipeline(Trainable):
    """Steps in order, each from the last one's weights.

    Parameters
    ----------
    config : ``{"methods": ["low_rank", "pruning", "quantization"], "pruning": {"sparsity": 0.5}, ...}``, or a
        list of names, mappings, configurations or Step objects.

    Two pipelines join by ``>>``, as do a pipeline and a step.

    >>> [step.step for step in (prune(0.5) >> quantize(6) >> fine_tune()).steps]
    ['prune', 'quantize', 'fine_tune']
    """

    name: ClassVar[str] = "compression"

    def __init__(self, config: Any, **options: Any) -> None:
        super().__init__(**options)
        self.steps = steps_of(config)

    def settings(self) -> dict[str, Any]:
        return {"steps": describe(self.steps)}

    def __rshift__(self, other: Any) -> CompressionPipeline:
        after = other.steps if isinstance(other, CompressionPipeline) else as_steps([other])
        joined = CompressionPipeline([*self.steps, *after])
        joined.setup = self.setup
        return joined

    def __rrshift__(self, other: Any) -> CompressionPipeline:
        return CompressionPipeline([other]) >> self

    def policy(self, bench: Workbench, start: Point, setup: Setup) -> Ending:
        """Every step is kept but one that has nothing to gain; what they cost is in the history and, with a
        budget or gates, in the verdict."""
        walk, left_out = Walk(bench, start), []
        for step in self.steps:
            try:
                after = bench.apply(walk.point, step)
            except NoGain as cause:
                left_out.append(f"{name_of(step)} left out: {cause}")
                walk.write(name_of(step), [step], walk.point, None, ("left_out", str(cause)))
                continue
            walk.write(name_of(step), [step], walk.point, after)
            walk.point = after
        done = f"{len(self.steps) - len(left_out)} of {len(self.steps)} steps done"
        if not quantized(walk.point):
            left_out.append("not quantized: firmware only comes near this model, add a quantize step")
        goal = Goal(gates=setup.gates, budget=setup.budget)
        return Ending(walk.point, goal, "; ".join([done, *left_out]), tuple(walk.history))

    def compress(self, model: Model, train: Any = None, val: Any = None, **options: Any) -> CompressionResult:
        """As ``execute``; without ``val`` a fifth of ``train`` is held back for validation. Where no step trains,
        ``train`` may be left out: standard normal inputs then calibrate and judge, which the result says.

        Raises
        ------
        DataError : no ``train``, and a step that trains.
        """
        if train is not None:
            return self.execute(model, train, val, **options)
        if (trained := next((found for found in self.steps if _trains(found)), None)) is not None:
            raise DataError(
                f"step {name_of(trained)} trains and no events were given",
                where="train",
                mend=f"give events, or set its epochs to 0{_by_calibration(trained)}",
            )
        check_model(model)
        setup = self.setup.with_(**options)
        return self.run(model, without_data(model, seed=setup.seed, task=setup.task), **options)

    def evaluate(self, original: Model, compressed: Any, val: Any) -> dict[str, Any]:
        """Compare two models (or a CompressionResult) on the same events.

        ``val`` is a pair (x, y), a loader or a Dataset, whose validation split is taken. Returns accuracies
        (shares, with errors) of both and figures by class; of other tasks than classes ``figures`` by name, each with
        ``original``, ``compressed`` as [value, error] and ``loss`` as [value, error], positive is worse; beside them
        ``total_compression`` (ratio, weights, size in
        bytes), ``ebops``, ``latency`` (worst case in ns by the estimator, None where it cannot tell).

        Raises
        ------
        DataError : no labels.
        """
        model = compressed.model if isinstance(compressed, CompressionResult) else compressed
        for each in (original, model):
            check_model(each)
        before, after = account(original), account(model)
        return {
            **self._qualities(original, model, val),
            "total_compression": _compression(before, after),
            "ebops": {"original": before.ebops, "compressed": after.ebops},
            "latency": {
                "original": self._latency(original),
                "compressed": self._latency(model),
                "source": "estimate",
            },
        }

    def _qualities(self, original: Model, model: Model, val: Any) -> dict[str, Any]:
        data = _held_out(original, val, self.setup.task)
        purpose = purpose_of(original, data, self.setup.task)
        data = purpose.fitted(original, data)
        if not purpose.is_plain:
            jury = Jury(purpose, data, keras_witness(original, keep_softmax=False))
            return {
                "figures": _by_figure(
                    *(
                        jury.score(keras_witness(each, keep_softmax=False), "val")
                        for each in (original, model)
                    )
                )
            }
        if data.y_val is None:
            raise DataError("has no labels to compare with", where="val")
        classes = data.classes or tuple(map(str, range(max(2, n_outputs(original)))))
        before, after = (
            _Figures.of(each, data.x_val, np.asarray(data.y_val), classes) for each in (original, model)
        )
        return {
            "original_accuracy": before.accuracy[0],
            "original_accuracy_error": before.accuracy[1],
            "compressed_accuracy": after.accuracy[0],
            "compressed_accuracy_error": after.accuracy[1],
            "accuracy_loss": before.accuracy[0] - after.accuracy[0],
            "per_class": {
                name: {"original": row, "compressed": after.classes.get(name)}
                for name, row in before.classes.items()
            },
        }

    def _latency(self, model: Model) -> dict[str, float | None] | None:
        qor = _estimate(model, self.setup)
        if qor.latency is None:
            return None
        found = qor.latency
        return {
            "cycles": found.cycles_max,
            "worst_ns": found.worst_ns,
            "lo_ns": found.worst_ns_lo,
            "hi_ns": found.worst_ns_hi,
        }


def prune(sparsity: float = 0.5, **settings: Any) -> CompressionPipeline:
    """A pipeline of one pruning step; ``settings`` are fields of PruneConfig."""
    return CompressionPipeline([PruneConfig.parse({"sparsity": sparsity, **settings})])


def step(name: str, **settings: Any) -> CompressionPipeline:
    """A pipeline of one step by its name, whichever installed package offers it; ``settings`` are its fields."""
    return CompressionPipeline([{"step": name, **settings}])


def quantize(bits: int = 6, **settings: Any) -> CompressionPipeline:
    """A pipeline of one quantization step; ``settings`` are fields of QuantizeConfig."""
    return CompressionPipeline([QuantizeConfig.parse({"bits": bits, **settings})])


def low_rank(rank: int | None = None, **settings: Any) -> CompressionPipeline:
    """A pipeline of one low-rank step; ``settings`` are fields of LowRankConfig."""
    return CompressionPipeline([LowRankConfig.parse({"rank": rank, **settings})])


def fine_tune(epochs: int = 10, **settings: Any) -> CompressionPipeline:
    """A pipeline of one fine-tuning step; ``settings`` are fields of FineTuneConfig."""
    return CompressionPipeline([FineTuneConfig.parse({"epochs": epochs, **settings})])


def _trains(step: AnyStep) -> bool:
    config = step.config if isinstance(step, Step) else step
    calibrates = isinstance(config, QuantizeConfig) and config.mode == "ptq"
    return isinstance(config, TrainingConfig) and config.epochs > 0 and not calibrates


def _by_calibration(step: AnyStep) -> str:
    return ", or its mode to ptq" if name_of(step) == "quantize" else ""


class _Figures:
    """One model on one set of events."""

    def __init__(self, score: Score, classes: dict[str, Any]) -> None:
        share = score.figures["accuracy"]
        self.accuracy, self.classes = (share.value, share.error), classes

    @classmethod
    def of(cls, model: Model, x: Any, y: Any, classes: tuple[str, ...]) -> _Figures:
        found = probabilities(model, x)
        rows = {row.name: row.as_dict() for row in class_metrics(found, y, classes)}
        return cls(score_of(found, y, classes), rows)


def _by_figure(before: Score, after: Score) -> dict[str, Any]:
    """Each figure of two models on the same events."""
    old, new = before.plain(), after.plain()
    return {
        name: {"original": old[name], "compressed": new.get(name), "loss": loss(before, after, name)}
        for name in old
    }


def _held_out(model: Model, val: Any, task: Any) -> Dataset:
    """The events to compare on, as the validation split of a data set."""
    if hasattr(val, "x_val"):
        return val  # type: ignore[no-any-return]  # a Dataset
    given = as_given(val, [1 + len(shape) for shape in input_shapes(model)], "val")
    unlabelled = Dataset(given.x, None, given.x, None, given.x, None, task=task)
    if given.y is None and purpose_of(model, unlabelled, task).is_plain:
        raise DataError("has no labels to compare with", where="val")
    part = tuple(each for each in given if each is not None)
    part = part if len(part) > 1 else part[0]
    return as_dataset(model, part, part, task=task)


def _compression(before: Accounting, after: Accounting) -> dict[str, Any]:
    return {
        "compression_ratio": compression_ratio(before, after),
        "original_parameters": before.parameters,
        "compressed_parameters": after.parameters,
        "compressed_nonzero": after.nonzero,
        "original_bytes": before.weight_bits / 8,
        "compressed_bytes": after.weight_bits / 8,
    }


def _estimate(model: Model, setup: Setup) -> QoR:
    """The estimator on the model as firmware; a float model at the target's default precision."""
    try:
        return DesignCost(setup.hls)(model)
    except (UnsupportedModel, NotMeasured) as cause:
        return QoR(notes=(str(cause),))
