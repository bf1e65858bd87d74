"""Compression as trigger people ask for it: a latency in ns for any model, rare classes kept for a jet
tagger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pquant_hls.datasets import Dataset
from pquant_hls.engine import CompressionResult
from pquant_hls.errors import DataError
from pquant_hls.pipelines.data import as_dataset, without_data
from pquant_hls.pipelines.setup import Setup, setup_of
from pquant_hls.pipelines.tagger import TaggerPipeline, TaggerPlan, tagged
from pquant_hls.pipelines.trigger import TriggerPipeline, TriggerPlan
from pquant_hls.spec import Budget, Spec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

NO_DATA = "no data was given: trained and judged on standard normal inputs"
PLANNED = (*TriggerPlan.model_fields, *TaggerPlan.model_fields)


class HEPCompressionPipeline:
    """Two policies of the field. ``options`` are those of Setup, TriggerPlan and TaggerPlan, for every call.

    >>> HEPCompressionPipeline(epochs=4).options
    {'epochs': 4}
    """

    def __init__(self, **options: Any) -> None:
        own, rest = _split(options)
        for plan, values in own.items():
            plan.parse(values)
        setup_of(rest, PLANNED)
        self.options = options

    def compress_trigger_model(
        self,
        model: Model,
        target_latency_ns: float | str = 100,
        train: Any = None,
        val: Any = None,
        test: Any = None,
        *,
        calibration: Any = None,
        **options: Any,
    ) -> CompressionResult:
        """Compress until the firmware's worst-case latency is within ``target_latency_ns``, or say why it cannot.

        Starts from 0.9 of the weights pruned (whole units) and 6 bits, tightens while the budget is missed,
        and gives accuracy back while it stays met.

        Parameters
        ----------
        model : Keras model; it is not changed.
        target_latency_ns : ns, or text with a unit such as ``"2 BX"``.
        train, val, test : as ``as_dataset`` takes them. Without ``train`` the model teaches itself (distillation)
            on ``calibration``, unlabelled inputs (events, *input shape), or where that is missing too on
            standard normal inputs, which only suit a model of standardised features; accuracy is then
            agreement with the original.
        options : fields of TriggerPlan (sparsity, bits, max_accuracy_loss, allow, ...) and of Setup.

        Returns
        -------
        CompressionResult, which unpacks to (model, qor, history). MISSED comes with the best feasible model.

        Raises
        ------
        UnsupportedModel, DataError, SpecError, OutputError, ToolNotFound : before any training.
        """
        own, merged = _split({**self.options, **options})
        if isinstance(merged.get("budget"), Mapping):  # what it says besides, such as deliver: rtl
            merged["budget"] = {**merged["budget"], "latency_ns": target_latency_ns}
        plan, setup = TriggerPlan.parse(own[TriggerPlan]), setup_of(merged, PLANNED)
        data = _events(model, calibration if train is None else train, val, test, setup)
        budget = (
            {"max_accuracy_loss": plan.max_accuracy_loss}
            if setup.budget is None
            else setup.budget.model_dump()
        )
        merged["budget"] = Budget.parse({**budget, "latency_ns": target_latency_ns}, path="budget")
        if {"labels", "inputs"} & set(data.meta):  # nobody but the original can teach on these
            merged["training"] = {"distillation": 1.0, "synthetic": 1.0, "monitor": "loss", **setup.training}
        return TriggerPipeline(plan, **merged).run(model, data)

    def compress_jet_tagger(
        self,
        model: Model,
        train: Any,
        preserve_rare_classes: bool = True,
        val: Any = None,
        test: Any = None,
        **options: Any,
    ) -> CompressionResult:
        """Compress a classifier and keep the rare classes' efficiency at fixed background.

        Parameters
        ----------
        model : Keras model; it is not changed. train, val, test : as ``as_dataset`` takes them.
        preserve_rare_classes : put floors on their efficiency, and train towards them.
        options : fields of TaggerPlan (rank, bits, rare_classes, background_rate, ...) and of Setup.

        Returns
        -------
        CompressionResult, which unpacks to (model, results). ``results["original"]`` and ``["compressed"]`` have
        ``accuracy`` and its error (shares), ``results[class][figure]`` before and after as [value, error] for
        ``auc``, ``efficiency@0.01`` and ``efficiency@0.1``, all on the validation events.
        """
        given = {**self.options, **options, "preserve_rare_classes": preserve_rare_classes}
        own, merged = _split(given)
        plan, setup = TaggerPlan.parse(own[TaggerPlan]), setup_of(merged, PLANNED)
        data = as_dataset(model, train, val, test, seed=setup.seed, task=setup.task)
        tagger = tagged(model, data, setup.task)
        merged["gates"] = (*plan.gates(tagger), *setup.gates)
        return TaggerPipeline(plan, plan.rare(tagger), tagger.prefix, **merged).run(model, data)


def _events(model: Model, sample: Any, val: Any, test: Any, setup: Setup) -> Dataset:
    """What is given; without any events standard normal inputs."""
    if sample is not None:
        return as_dataset(model, sample, val, test, seed=setup.seed, task=setup.task)
    if val is not None or test is not None:
        raise DataError("val or test was given without events to train on", where="train")
    return without_data(model, seed=setup.seed, remark=NO_DATA, task=setup.task)


def _split(options: Mapping[str, Any]) -> tuple[dict[type[Spec], dict[str, Any]], dict[str, Any]]:
    """(fields of each plan, the rest, which are those of Setup)."""
    plans: tuple[type[Spec], ...] = (TriggerPlan, TaggerPlan)
    own = {plan: {name: options[name] for name in plan.model_fields if name in options} for plan in plans}
    taken = {name for values in own.values() for name in values}
    return own, {name: value for name, value in options.items() if name not in taken}
