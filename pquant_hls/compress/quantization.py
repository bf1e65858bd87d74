"""Quantization: float or QKeras layers become QKeras layers on grids that hls4ml keeps bit for bit."""

from __future__ import annotations

from typing import Any

import keras

from pquant_hls.compress.calibration import sample
from pquant_hls.compress.fine_tuning import class_figures, training_figures, training_notes
from pquant_hls.compress.guard import guarded
from pquant_hls.compress.odd_bias import with_odd_biases
from pquant_hls.compress.quantized import (
    Widths,
    check_quantizable,
    quantized_twin,
    separated,
    with_clean_names,
)
from pquant_hls.compress.sensitivity import allocate
from pquant_hls.compress.step import Outcome, Step
from pquant_hls.errors import DataError
from pquant_hls.network.folding import fold_batchnorm
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.train import check_training, fit, targets_of


class QuantizationCompression(Step[QuantizeConfig]):
    """Fold BatchNormalization, calibrate integer bits on data, put QKeras quantizers in; ``qat`` trains with
    them.

    A model that is quantized already gets the new widths and keeps its underlying weights.
    """

    Config = QuantizeConfig

    def apply(self, model: keras.Model, data: Any) -> Outcome:
        """Data is needed: at least inputs for calibration, with labels or a teacher for ``qat``."""
        if data is None:
            raise DataError(
                "calibration needs inputs", mend="give a data set, or at least a sample of inputs"
            )
        model = separated(model)
        check_quantizable(model, self.config)
        training = self.config.mode == "qat" and self.config.epochs > 0
        if training:
            check_training(model, data, self.config, self.teacher)
        before = class_figures(model if self.teacher is None else self.teacher, data, self.config, "before")
        folded = fold_batchnorm(model)
        inputs, widths = sample(data, self.config), Widths.of(folded, self.config)
        notes: tuple[str, ...] = ()
        if self.config.allocation == "sensitivity":
            targets = targets_of(model, data, self.config)
            widths, notes = allocate(folded, widths, inputs, targets, self.config)
        made = with_clean_names(quantized_twin(folded, widths, inputs, self.config))
        figures: dict[str, float | None] = {}
        if training:
            history = fit(made, data, self.config, teacher=self.teacher, progress=self.progress)
            notes, figures = (*notes, *training_notes(history)), training_figures(history)
        if self.config.rounding == "odd_bias":
            made = with_odd_biases(made)
        figures |= {**before, **class_figures(made, data, self.config, "after")}
        return Outcome(made, (*notes, *guarded(made, inputs)), figures)
