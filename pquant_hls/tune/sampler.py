"""Draws that can be repeated: each has a seed of its own, from the study's seed, the trial's number and the parameter."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from pquant_hls.spec import StudySpec
from pquant_hls.store import digest_of


class Repeatable(optuna.samplers.BaseSampler):
    """The study's sampler, made anew for each draw.

    A trial that is drawn again after the same trials gets the same values, whatever was drawn of it before; no two
    trials share a seed, whichever worker draws them.
    """

    def __init__(self, spec: StudySpec) -> None:
        self.spec = spec

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        found: dict[str, BaseDistribution] = self._fresh(trial).infer_relative_search_space(study, trial)
        return found

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        found: dict[str, Any] = self._fresh(trial).sample_relative(study, trial, search_space)
        return found

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._fresh(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def _fresh(self, trial: FrozenTrial, parameter: str = "") -> optuna.samplers.BaseSampler:
        seed = int(digest_of([self.spec.seed, trial.number, parameter])[:8], 16)
        if self.spec.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        if self.spec.sampler == "nsgaii":
            return optuna.samplers.NSGAIISampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(5, self.spec.n_trials // 4))
