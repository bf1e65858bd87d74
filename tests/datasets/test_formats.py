"""Every accepted format gives the same arrays back, in the same split."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pquant_hls.datasets import Dataset, load_dataset
from pquant_hls.errors import DataError
from tests.helpers import known


def _write(folder: Path, suffix: str, x: np.ndarray, y: np.ndarray) -> str:
    """Write x and y in a format; the name to load them by."""
    path = folder / f"jets{suffix}"
    if suffix == ".npz":
        np.savez(path, x=x, y=y)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["x"], file["y"] = x, y
    elif suffix == ".csv":
        np.savetxt(
            path, np.column_stack([x, y]), delimiter=",", header="a,b,c,label", comments="", fmt="%.9g"
        )
    elif suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = {name: x[:, i] for i, name in enumerate("abc")}
        parquet.write_table(pyarrow.table(columns | {"label": y}), path)
    elif suffix == ".npy":
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        return f"{folder / 'x.npy'},{folder / 'y.npy'}"
    return str(path)


def _rows(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All events of a data set in an order that does not depend on the split."""
    x = np.concatenate([data.x_train, data.x_val, data.x_test])
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    order = np.lexsort(x.T)
    return x[order], y[order]


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".h5", ".csv", ".parquet"])
def test_each_format_gives_the_events_back(tmp_path: Path, arrays: dict[str, Any], suffix: str) -> None:
    data = load_dataset(_write(tmp_path, suffix, arrays["x"], arrays["y"]))
    order = np.lexsort(arrays["x"].T)
    x, y = _rows(data)
    assert np.array_equal(x, arrays["x"][order])
    assert np.array_equal(y, arrays["y"][order])
    assert (x.dtype, y.dtype) == (np.dtype(np.float32), np.dtype(np.int64))
    assert data.classes == ("0", "1", "2")
    assert data.sample_shape == (3,)
    if suffix in (".csv", ".parquet"):
        assert data.features == ("a", "b", "c")


def test_all_formats_split_alike(tmp_path: Path, arrays: dict[str, Any]) -> None:
    names = [_write(tmp_path, suffix, arrays["x"], arrays["y"]) for suffix in (".npz", ".npy", ".h5", ".csv")]
    loaded = [load_dataset(name) for name in names]
    for other in loaded[1:]:
        assert np.array_equal(loaded[0].x_test, other.x_test)
        assert np.array_equal(known(loaded[0].y_val), known(other.y_val))


def test_a_folder_may_hold_inputs_alone(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.save(tmp_path / "x.npy", arrays["x"])
    data = load_dataset(tmp_path)
    assert data.y_train is None
    assert data.y_test is None
    assert data.n_classes == 0
    assert len(data.x_train) == 60


def test_the_split_keeps_the_classes_shares_and_follows_the_seed(
    tmp_path: Path, arrays: dict[str, Any]
) -> None:
    name = _write(tmp_path, ".npz", arrays["x"], arrays["y"])
    data, again, other = load_dataset(name), load_dataset(name), load_dataset(name, seed=1)
    for y, counts in ((data.y_train, (30, 18, 12)), (data.y_val, (10, 6, 4)), (data.y_test, (10, 6, 4))):
        assert tuple(np.bincount(known(y))) == counts
    assert data.digest == again.digest
    assert data.digest != other.digest
    assert tuple(np.bincount(known(other.y_train))) == (30, 18, 12)


def test_given_splits_stay_as_they_are(tmp_path: Path, arrays: dict[str, Any]) -> None:
    x, y = arrays["x"], arrays["y"]
    np.savez(
        tmp_path / "split.npz",
        X_train=x[:50],
        Y_train=y[:50],
        x_val=x[50:60],
        y_val=y[50:60],
        x_test=x[60:],
        y_test=y[60:],
        class_names=["g", "q", "t"],
    )
    data = load_dataset(tmp_path / "split.npz")
    assert np.array_equal(data.x_train, x[:50])
    assert np.array_equal(known(data.y_val), y[50:60])
    assert np.array_equal(data.x_test, x[60:])
    assert data.classes == ("g", "q", "t")


def test_validation_is_taken_from_train_where_none_is_given(tmp_path: Path, arrays: dict[str, Any]) -> None:
    x, y = arrays["x"], np.arange(100) % 2
    np.savez(tmp_path / "split.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    data = load_dataset(tmp_path / "split.npz")
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (64, 16, 20)
    assert np.array_equal(data.x_test, x[80:])


def test_one_hot_labels_become_class_numbers(tmp_path: Path, arrays: dict[str, Any]) -> None:
    plain = load_dataset(_write(tmp_path, ".npz", arrays["x"], arrays["y"]))
    np.savez(tmp_path / "one_hot.npz", x=arrays["x"], y=np.eye(3)[arrays["y"]])
    found = load_dataset(tmp_path / "one_hot.npz")
    assert np.array_equal(known(found.y_train), known(plain.y_train))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32, object])
def test_class_numbers_of_any_type_are_taken(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    monkeypatch.setitem(sys.modules, "numbers_of", _Numbers(kind))
    data = load_dataset("numbers_of:arrays")
    assert known(data.y_train).dtype == np.int64
    assert np.bincount(known(data.y_train)).tolist() == [6, 6]


class _Numbers:
    """A module whose `arrays` gives labels 0 and 1 of a type."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((20, 2)), (np.arange(20) % 2).astype(self.kind)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".csv", ".parquet"])
def test_names_as_labels_become_classes(tmp_path: Path, arrays: dict[str, Any], suffix: str) -> None:
    if suffix == ".csv":
        lines = [",".join([*map(str, row), name]) for row, name in _named(arrays)]
        (tmp_path / "jets.csv").write_text("\n".join(["a,b,c,kind", *lines]), encoding="utf-8")
        name = str(tmp_path / "jets.csv")
    elif suffix == ".h5":
        name = str(tmp_path / "jets.h5")
        with h5py.File(name, "w") as file:
            file["x"] = arrays["x"]
            file["y"] = [label for _, label in _named(arrays)]
    else:
        name = _write(tmp_path, suffix, arrays["x"], np.array([label for _, label in _named(arrays)]))
    data = load_dataset(name)
    assert data.classes == ("gluon", "quark", "top")
    assert tuple(np.bincount(known(data.y_train))) == (30, 18, 12)


def _named(arrays: dict[str, Any]) -> list[tuple[list[float], str]]:
    names = ("gluon", "quark", "top")
    return [(row.tolist(), names[label]) for row, label in zip(arrays["x"], arrays["y"], strict=True)]


@pytest.mark.parametrize("column", ["label", "y", "Target"])
def test_a_csv_label_column_is_found_by_name(tmp_path: Path, column: str) -> None:
    (tmp_path / "jets.csv").write_text(f"a,{column},b\n" + "1.5,0,2.5\n3.5,1,4.5\n" * 10, encoding="utf-8")
    data = load_dataset(tmp_path / "jets.csv")
    assert data.features == ("a", "b")
    assert set(np.unique(data.x_train)) == {1.5, 2.5, 3.5, 4.5}
    assert tuple(np.bincount(known(data.y_train))) == (6, 6)


def test_a_csv_without_header_has_its_label_last(tmp_path: Path) -> None:
    (tmp_path / "jets.csv").write_text("1.5,2.5,0\n3.5,4.5,1\n" * 10, encoding="utf-8")
    data = load_dataset(tmp_path / "jets.csv")
    assert data.features == ("x0", "x1")
    assert len(data.x_train) + len(data.x_val) + len(data.x_test) == 20


FUNCTIONS = """
import numpy as np
from pquant_hls.datasets import Dataset

def pair():
    return np.ones((10, 2, 2)), np.arange(10) % 2

def mapping():
    return {"x": np.ones((10, 4)), "y": np.arange(10) % 2, "features": ["a", "b", "c", "d"]}

def dataset():
    x, y = np.ones((4, 2), np.float32), np.arange(4) % 2
    return Dataset(x, y, x, y, x, y, ("no", "yes"), name="mine")

def nothing():
    return 3

constant = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module beside the user, who stands in its folder."""
    (tmp_path / "my_jets.py").write_text(FUNCTIONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield "my_jets"
    sys.modules.pop("my_jets", None)


def test_a_function_may_return_arrays_a_mapping_or_a_dataset(module: str) -> None:
    assert load_dataset(f"{module}:pair").sample_shape == (2, 2)
    assert load_dataset(f"{module}:mapping").features == ("a", "b", "c", "d")
    assert load_dataset(f"{module}:dataset").name == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_jets:nothing", r"my_jets:nothing: returned int \(return a Dataset, \(x, y\) or a mapping"),
        ("my_jets:absent", "module my_jets has no function 'absent'"),
        ("my_jets:constant", "module my_jets has no function 'constant'"),
        ("no_such_module:load", "cannot be imported: No module named 'no_such_module'"),
    ],
)
def test_a_wrong_function_is_named(module: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(name)
    assert str(Path.cwd()) not in sys.path
