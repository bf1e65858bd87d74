"""Layers and forms of networks, each a small model of its own: what a network may be made of, by name."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from pquant_hls.testing.forms.functions import function_forms
from pquant_hls.testing.forms.kernels import kernel_forms
from pquant_hls.testing.forms.pieces import Form
from pquant_hls.testing.forms.sequences import sequence_forms
from pquant_hls.testing.forms.structure import structure_forms


def forms() -> dict[str, Form]:
    """Shape of the input, and what builds the model on it, by name; new layers at each call."""
    return {**structure_forms(), **kernel_forms(), **function_forms(), **sequence_forms()}


def form_model(form: Form, name: str, seed: int = 1) -> Any:
    """The model of one form, with weights and averages that matter; layers' names begin with ``name``."""
    shape, build = form
    start = keras.Input(shape, name=f"{name}_in")
    model = keras.Model(start, build(start), name=name)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        word = variable.path.rsplit("/", 1)[-1]
        if word in ("gamma", "moving_variance", "variance"):
            variable.assign(rng.uniform(0.5, 2.0, variable.shape).astype(np.float32))
        elif variable.dtype == "float32":
            variable.assign(rng.uniform(-0.9, 0.9, variable.shape).astype(np.float32))
    return model


__all__ = ["Form", "form_model", "forms"]
