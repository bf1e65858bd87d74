"""Small networks and data for the steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from pquant_hls.network import build_mlp
from pquant_hls.spec.steps import FineTuneConfig
from pquant_hls.train import fit

CLASSES = ("a", "b", "c")


def blobs(events: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping classes in eight features."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=events)
    centres = np.random.default_rng(7).normal(0, 0.9, (3, 8))
    return (centres[y] + rng.standard_normal((events, 8))).astype(np.float32), y.astype(np.int64)


@pytest.fixture(scope="session")
def data() -> Any:
    (x_train, y_train), (x_val, y_val) = blobs(1500, 1), blobs(600, 2)
    return SimpleNamespace(
        x_train=x_train,
        y_train=y_train,
        x_val=x_val,
        y_val=y_val,
        x_test=x_val,
        y_test=y_val,
        classes=CLASSES,
    )


@pytest.fixture(scope="session")
def unlabelled(data: Any) -> Any:
    """A calibration sample: 200 inputs, no labels."""
    return SimpleNamespace(
        x_train=data.x_train[:200], y_train=None, x_val=data.x_train[:200], y_val=None, classes=()
    )


@pytest.fixture(scope="session")
def tagger(data: Any) -> keras.Model:
    """A trained float network 8-16-12-3; tests must not change it."""
    model = build_mlp(8, (16, 12), 3, seed=3)
    fit(model, data, FineTuneConfig(epochs=6, batch_size=64, learning_rate=5e-3))
    return model


@pytest.fixture(scope="session")
def quantized_tagger(tagger: keras.Model, data: Any) -> keras.Model:
    """The same at 6 bits, calibrated only."""
    from pquant_hls.compress import QuantizationCompression

    return QuantizationCompression(bits=6, mode="ptq").compress(tagger, data).model
