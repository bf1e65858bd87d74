"""The auto-tuning pipeline: an Optuna study as a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pquant_hls.engine import CompressionResult
from pquant_hls.network import model_digest
from pquant_hls.pipelines.data import as_dataset
from pquant_hls.pipelines.setup import setup_of
from pquant_hls.spec import StudySpec
from pquant_hls.store import digest_of
from pquant_hls.tune import tune_model

if TYPE_CHECKING:
    from pquant_hls.network.model import Model


class AutoTuningPipeline:
    """Search rank, bits, sparsity, step order and reuse factor for the best ``objective`` within the budget.

    Parameters
    ----------
    search_space : ranges by parameter, e.g. ``{"bits": [4, 8], "sparsity": [0.0, 0.8], "rank": [4, 32]}``; ``order``,
        ``bits_per_layer``, ``reuse_factor`` and any ``<step>.<parameter>`` too.
        None: bits and sparsity.
    objective : ``compression_accuracy`` (accuracy * ln ratio), ``compression_only``, ``latency_accuracy``,
        ``resources_accuracy``, or a function of TrialFigures, higher is better.
    options : of StudySpec (n_trials, timeout_s or timeout, quality, final_epochs, tolerance, sampler, storage) and of
        Setup; ``epochs`` are those of a trial's trainings.

    >>> AutoTuningPipeline({"bits": [4, 8]}, n_trials=3).spec.n_trials
    3
    """

    def __init__(
        self,
        search_space: Mapping[str, Any] | None = None,
        objective: str | Callable[..., float] = "compression_accuracy",
        **options: Any,
    ) -> None:
        if "timeout" in options:
            options["timeout_s"] = options.pop("timeout")
        own = {name: options.pop(name) for name in list(options) if name in STUDY}
        self.setup = setup_of({"epochs": StudySpec.model_fields["epochs"].default, **options}, STUDY)
        self.objective = objective if callable(objective) else None
        values = {
            **own,
            **({} if search_space is None else {"space": search_space}),
            "epochs": self.setup.epochs,
        }
        self.spec = StudySpec.parse(values if callable(objective) else {**values, "objective": objective})

    def execute(
        self, model: Model, train: Any, val: Any = None, test: Any = None, **options: Any
    ) -> CompressionResult:
        """Run the study; arguments and errors as for the other pipelines, and NotMeasured where no trial
        succeeded.

        Unpacks to (final_model, best_config). The study is ``study.db`` in the run folder and resumes there.
        """
        setup = self.setup.with_(**options)
        data = as_dataset(model, train, val, test, seed=setup.seed, task=setup.task)
        spec = self.spec.with_(
            hls=setup.hls,
            task=setup.task,
            budget=setup.budget,
            gates=tuple(asdict(gate) for gate in setup.gates),
            seed=setup.seed,
            epochs=setup.epochs,
            training=dict(setup.training),
        )
        told = {**spec.identity(), "n_trials": spec.n_trials, "timeout_s": spec.timeout_s}
        key = digest_of([told, model_digest(model), data.digest])[:12]
        out = Path("runs") / f"tune-{key}" if setup.out is None else setup.out
        resume = setup.resume or setup.out is None
        return tune_model(
            model, data, spec, out, objective=self.objective, resume=resume, listen=setup.listener
        )


STUDY = ("quality", "name", "n_trials", "timeout_s", "final_epochs", "tolerance", "sampler", "storage")
"""Options of the study, not of Setup."""
