"""Quantization: float or QKeras layers become QKeras layers on grids that hls4ml keeps bit for bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras

from pquant_hls.compress.calibration import sample
from pquant_hls.compress.fine_tuning import class_figures, training_figures, training_notes
from pquant_hls.compress.guard import guarded
from pquant_hls.compress.learned import Learned, learn
from pquant_hls.compress.odd_bias import with_odd_biases
from pquant_hls.compress.quantized import Widths, check_quantizable, quantized_twin
from pquant_hls.compress.record import CompressedModel
from pquant_hls.compress.rewritten import separated, with_clean_names, with_functions_apart, without_elements
from pquant_hls.compress.sensitivity import allocate
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.errors import DataError, SpecError
from pquant_hls.network.folding import fold_batchnorm
from pquant_hls.network.graph import clone
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.train import as_data, check_training, fit, targets_of


class QuantizationCompression(Step[QuantizeConfig]):
    """Fold BatchNormalization, calibrate integer bits on data, put QKeras quantizers in; ``qat`` trains with
    them.

    A model that is quantized already gets the new widths and keeps its underlying weights. With ``allocation: learned``
    the uniform widths are where the training of the widths begins.
    """

    Config = QuantizeConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Data is needed: at least inputs for calibration, with labels or a teacher for ``qat``."""
        made, notes = self._calibrated(model, data)
        before = class_figures(model if self.teacher is None else self.teacher, data, self.config, "before")
        figures: dict[str, float | None] = {}
        if self.config.allocation == "learned":
            found = self._learnt(made, data)
            point, made, remarks = found.chosen()
            history = replace(found.history, best_epoch=point.epoch)
            notes, figures = (*notes, *remarks), training_figures(history)
        elif self._trains:
            history = fit(made, data, self.config, teacher=self.teacher, progress=self.progress)
            notes, figures = (*notes, *training_notes(history)), training_figures(history)
        made = self._rounded(made)
        figures |= {**before, **class_figures(made, data, self.config, "after")}
        return Outcome(made, (*notes, *guarded(made, sample(data, self.config))), figures)

    def learn(self, model: keras.Model, data: Any) -> Learned:
        """All designs that one training of widths passes through and that no other beats; ``compress`` takes one of them.

        Raises as ``compress`` does, and SpecError unless the widths are to be learned.
        """
        if self.config.allocation != "learned":
            raise SpecError(
                f"is {self.config.allocation!r}: one design comes of it",
                where="allocation",
                mend="set it to learned",
            )
        model = clone(model)
        data = None if data is None else as_data(data, model)
        return self._learnt(self._calibrated(model, data)[0], data)

    def designs(self, model: keras.Model, data: Any, most: int = 24) -> Iterator[CompressedModel]:
        """The designs of ``learn`` as ``compress`` gives one: at most so many, cheapest first."""
        start, before = time.monotonic(), self.account(model)
        found, inputs = self.learn(model, data), sample(as_data(data, model), self.config)
        for point in found.search.front.spread(most):
            made = self._rounded(found.design(point))
            figures = training_figures(replace(found.history, best_epoch=point.epoch))
            outcome = Outcome(made, guarded(made, inputs), figures)
            yield self.recorded(model, outcome, before, time.monotonic() - start)

    def _rounded(self, made: keras.Model) -> keras.Model:
        return with_odd_biases(made) if self.config.rounding == "odd_bias" else made

    @property
    def _trains(self) -> bool:
        return self.config.mode == "qat" and self.config.epochs > 0

    def _learnt(self, made: keras.Model, data: Any) -> Learned:
        return learn(made, data, self.config, teacher=self.teacher, cost=self.cost, progress=self.progress)

    def _calibrated(self, model: keras.Model, data: Any) -> tuple[keras.Model, tuple[str, ...]]:
        """The quantized twin before any training, and remarks."""
        if data is None:
            raise DataError(
                "calibration needs inputs", mend="give a data set, or at least a sample of inputs"
            )
        model = without_elements(separated(model))
        check_quantizable(model, self.config)
        if self._trains:
            check_training(model, data, self.config, self.teacher)
        folded = fold_batchnorm(with_functions_apart(model, self.config))
        inputs, widths = sample(data, self.config), Widths.of(folded, self.config)
        notes: tuple[str, ...] = ()
        if self.config.allocation == "sensitivity":
            targets = targets_of(model, data, self.config)
            widths, notes = allocate(folded, widths, inputs, targets, self.config)
        return with_clean_names(quantized_twin(folded, widths, inputs, self.config)), notes
