"""Pruning: units really removed, or weights set to zero in any pattern or in N:M blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from pquant_hls.compress.calibration import sample
from pquant_hls.compress.channels import Channels, trace_channels
from pquant_hls.compress.cut import Cut
from pquant_hls.compress.fine_tuning import class_figures, training_figures, training_notes
from pquant_hls.compress.hardware import pack_weights, taken
from pquant_hls.compress.importance import unit_scores
from pquant_hls.compress.latency import CycleCounter
from pquant_hls.compress.reconstruction import Pruned, reconstruct
from pquant_hls.compress.selection import choose_channels
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.compress.surgery import remove
from pquant_hls.compress.unit_costs import units_to_pack
from pquant_hls.compress.zeros import zero_weights
from pquant_hls.errors import DataError
from pquant_hls.spec.steps import PruneConfig
from pquant_hls.train import check_training, fit


class PruningCompression(Step[PruneConfig]):
    """Remove units (``structured``) or set weights to zero (``magnitude``, ``n_m``), or either by what it saves in the
    design (``knapsack``); zeros survive later training.

    ``sparsity`` counts from the model given, or from ``reference`` / ``reference_weights`` of an original, so
    that a loop may ask for a total.
    """

    Config = PruneConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Data is needed for Taylor importance and for epochs of recovery; None does otherwise."""
        if self.config.epochs > 0:
            self._check_training(model, data)
        judged = model if self.teacher is None else self.teacher
        before = {} if data is None else class_figures(judged, data, self.config, "before")
        whole_units = self.config.method == "structured" or self.config.granularity == "unit"
        made = self._structured(model, data) if whole_units else self._zeros(model, data)
        after = {} if data is None else class_figures(made.model, data, self.config, "after")
        return replace(made, figures={**made.figures, **before, **after})

    def _check_training(self, model: keras.Model, data: Any) -> None:
        if data is None:
            raise DataError(
                "epochs of recovery need data", where="epochs", mend="set epochs: 0 or give a data set"
            )
        check_training(model, data, self.config, self.teacher)

    def _structured(self, model: keras.Model, data: Any) -> Outcome:
        channels = trace_channels(model)
        cut, packed = self._cut(model, channels, data)
        smaller = remove(model, channels, cut.dropped)
        if self.config.reconstruct and data is not None:
            reconstruct(smaller, model, Pruned(channels, frozenset(cut.dropped)), sample(data, self.config))
        figures, notes = self._recover(smaller, data)
        if packed:
            packed[f"{self.config.resource}_after"] = self._takes(smaller)
        return Outcome(smaller, (*_remarks(cut), *notes), {**figures, **packed})

    def _cut(self, model: keras.Model, channels: Channels, data: Any) -> tuple[Cut, dict[str, float]]:
        """The channels that go, and the knapsack's figures where it chooses them."""
        scores = unit_scores(model, channels, data, self.config)
        if self.config.method == "knapsack":
            return units_to_pack(model, channels, scores, self.config, self.estimator())
        aware = self.config.latency_aware
        counter = CycleCounter.of(model, channels, self.estimator()) if aware else None
        return choose_channels(channels, scores, self.config, counter), {}

    def _zeros(self, model: keras.Model, data: Any) -> Outcome:
        """Cut, recover, cut again: sparsity grows along the ramp (Zhu and Gupta, arXiv:1710.01878)."""
        figures: dict[str, float | None] = {}
        notes: tuple[str, ...] = ()
        missed: tuple[str, ...] = ()
        packed: dict[str, float] = {}
        for share in ramp(self.config):
            if self.config.method == "knapsack":
                whole = packed.get(f"{self.config.resource}_whole")
                missed, packed = pack_weights(
                    model, data, self.config, self.estimator(), share=share, whole=whole
                )
            else:
                missed = zero_weights(model, self.config, share)
            figures, notes = self._recover(model, data)
        if packed:
            packed[f"{self.config.resource}_after"] = self._takes(model)
        return Outcome(model, (*missed, *notes), {**figures, **packed})

    def _takes(self, model: keras.Model) -> float:
        return taken(self.estimator()(model), self.config.resource)

    def _recover(self, model: keras.Model, data: Any) -> tuple[dict[str, float | None], tuple[str, ...]]:
        if self.config.epochs == 0:
            return {}, ()
        history = fit(model, data, self.config, teacher=self.teacher, progress=self.progress)
        return training_figures(history), training_notes(history)


def ramp(config: PruneConfig) -> list[float]:
    """Share of the final sparsity reached after each round, the last one 1."""
    steps = [(index + 1) / config.rounds for index in range(config.rounds)]
    return steps if config.ramp == "linear" else [1 - (1 - step) ** 3 for step in steps]


def _remarks(cut: Cut) -> tuple[str, ...]:
    if not cut.dropped:
        return ("no unit removed: the share is less than one, or every layer is at its least",)
    removed: dict[str, int] = {}
    for item in cut.dropped:
        for name, count in cut.members[item].items():
            removed[name] = removed.get(name, 0) + count
    return tuple(
        f"{name}: {removed[name]} of {kept + removed[name]} units removed"
        for name, kept in cut.kept.items()
        if name in removed
    )
