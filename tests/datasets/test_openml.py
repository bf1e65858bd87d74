"""The public set: split and scaled as the hls4ml tutorial does; a clear error without a network."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from pquant_hls.datasets import load_dataset
from pquant_hls.errors import DataError
from tests.helpers import known

datasets = pytest.importorskip("sklearn.datasets")


def _answer(monkeypatch: pytest.MonkeyPatch, reply: dict[str, Any] | Exception) -> None:
    def fetch_openml(name: str, **_options: Any) -> dict[str, Any]:
        if isinstance(reply, Exception):
            raise reply
        return reply | {"asked": name}

    monkeypatch.setattr(datasets, "fetch_openml", fetch_openml)


def test_the_set_is_split_and_scaled_as_in_the_tutorial(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(5)
    x, labels = rng.normal(3.0, 2.0, size=(200, 2)), np.array([*"gqtwz"] * 40, dtype=object)
    _answer(monkeypatch, {"data": x, "target": labels, "feature_names": ["zlogz", "mass"]})
    data = load_dataset("openml:hls4ml_lhc_jets_hlf")
    rest, test, y_rest, y_test = train_test_split(x, labels, test_size=0.2, random_state=42)
    scaler = StandardScaler().fit(rest)
    assert np.allclose(data.x_test, scaler.transform(test), atol=1e-6)
    assert np.allclose(np.concatenate([data.x_train, data.x_val]), scaler.transform(rest), atol=1e-6)
    assert [data.classes[label] for label in known(data.y_test)] == y_test.tolist()
    assert [data.classes[label] for label in known(data.y_val)] == y_rest[120:].tolist()
    assert data.features == ("zlogz", "mass")


@pytest.mark.parametrize(
    "failure",
    [URLError("Name or service not known"), ValueError("Dataset nonsense not found."), TimeoutError()],
)
def test_what_cannot_be_fetched_says_so(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    _answer(monkeypatch, failure)
    with pytest.raises(DataError, match=r"nonsense: could not be fetched: .*use the bundled 'lhc_jets'"):
        load_dataset("openml:nonsense")
