"""Data that do not stay in memory lie on disk, and are the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pquant_hls.datasets import load_dataset, readers, several, spill
from pquant_hls.datasets.loaders import as_given
from pquant_hls.errors import DataError

EVENTS = 1000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 bytes stay in memory, 100 events are read at once."""
    for module in (spill, readers, several):
        monkeypatch.setattr(module, "IN_MEMORY", 4000)
        monkeypatch.setattr(module, "ROWS", 100)


def events() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(EVENTS, 5)).astype(np.float32), "y": rng.integers(0, 3, EVENTS)}


def lies_on_disk(array: np.ndarray) -> bool:
    return isinstance(array, np.memmap) or isinstance(array.base, np.memmap)


@pytest.mark.usefixtures("small")
def test_batches_are_put_together_on_disk() -> None:
    x, y = events().values()
    found = as_given(((x[i : i + 64], y[i : i + 64]) for i in range(0, EVENTS, 64)), [2], "train")
    assert lies_on_disk(found.x)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.y, y)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("form", ["h5", "parquet", "npy"])
def test_files_are_streamed(tmp_path: Path, form: str) -> None:
    arrays = events()
    path = tmp_path / f"d.{form}"
    if form == "h5":
        with h5py.File(path, "w") as file:
            file.update(arrays)
    elif form == "parquet":
        import pandas as pd

        table = pd.DataFrame(arrays["x"], columns=list("abcde"))
        table.assign(y=arrays["y"]).to_parquet(path)
    else:
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    found = load_dataset(path)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([found.x_train, found.x_val, found.x_test]), 0), np.sort(arrays["x"], 0)
    )
    assert found.n_classes == 3


@pytest.mark.usefixtures("small")
def test_given_splits_stay_on_disk(tmp_path: Path) -> None:
    """Memory-mapped arrays of float32 are not copied, and have the digest of those in memory."""
    x, y = events().values()
    for which in ("train", "val", "test"):
        np.save(tmp_path / f"x_{which}.npy", x)
        np.save(tmp_path / f"y_{which}.npy", y)
    mapped = load_dataset(tmp_path)
    assert lies_on_disk(mapped.x_train)
    np.savez(
        tmp_path / "d.npz",
        **{
            f"{key}_{which}": part for which in ("train", "val", "test") for key, part in (("x", x), ("y", y))
        },
    )
    assert mapped.digest == load_dataset(tmp_path / "d.npz").digest


@pytest.mark.usefixtures("small")
def test_batches_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="batches do not fit together"):
        as_given([np.ones((400, 5)), np.ones((400, 5)), np.ones((4, 6))], [2], "train")
