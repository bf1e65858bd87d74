"""A tiny classifier and its events, shared by the tests with real parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def events() -> tuple[np.ndarray, np.ndarray]:
    """900 events of three overlapping classes: float32 (900, 6) and int (900,)."""
    rng = np.random.default_rng(7)
    labels = rng.permutation(np.arange(900) % 3)
    centres = rng.normal(0, 1.2, (3, 6))
    return (centres[labels] + rng.normal(0, 1.0, (900, 6))).astype(np.float32), labels


@pytest.fixture(scope="session")
def train(events: Any) -> Any:
    return events[0][:500], events[1][:500]


@pytest.fixture(scope="session")
def val(events: Any) -> Any:
    return events[0][500:700], events[1][500:700]


@pytest.fixture(scope="session")
def test_events(events: Any) -> Any:
    return events[0][700:], events[1][700:]


@pytest.fixture(scope="session")
def model(train: Any, val: Any) -> Any:
    """A trained float 6-10-6-3 network."""
    from pquant_hls.network import build_mlp
    from pquant_hls.pipelines import as_dataset
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    net = build_mlp(6, (10, 6), 3, seed=1)
    fit(net, as_dataset(net, train, val), FineTuneConfig(epochs=15, batch_size=50, learning_rate=1e-2))
    return net
