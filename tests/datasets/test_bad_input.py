"""Each kind of bad data is refused in one line that names the file, the cause and the place."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pquant_hls.datasets import Dataset, check_dataset, load_dataset
from pquant_hls.errors import DataError
from tests.helpers import known


@pytest.fixture
def data() -> Dataset:
    """20 events of 2 features in each split, 2 classes."""
    x, y = np.ones((20, 2), np.float32), np.arange(20) % 2
    return Dataset(x, y, x.copy(), y.copy(), x.copy(), y.copy(), ("g", "q"), name="jets")


def test_what_fits_passes(data: Dataset) -> None:
    check_dataset(data, (2,), 2)
    check_dataset(data, (None,), 2)
    check_dataset(data, (2,), 1)
    check_dataset(replace(data, y_train=None, y_val=None, y_test=None, classes=()), (2,), 7)


@pytest.mark.parametrize(
    ("shape", "outputs", "message"),
    [
        ((3,), 2, r"jets: x_train: events have shape \(2,\) but the model takes \(3,\)"),
        ((2, 1), 2, r"events have shape \(2,\) but the model takes \(2, 1\)"),
        ((2,), 5, r"jets: has 2 classes \(g, q\) but the model has 5 outputs"),
    ],
)
def test_a_model_of_another_shape(data: Dataset, shape: tuple[int, ...], outputs: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_dataset(data, shape, outputs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_placed(data: Dataset, value: float) -> None:
    data.x_val[7, 1] = value
    data.x_val[9, 0] = value
    with pytest.raises(
        DataError, match=r"x_val: 2 of 40 values are NaN or infinite, first -?\w+ at index \(7, 1\)"
    ):
        check_dataset(data, (2,), 2)


@pytest.mark.parametrize("label", [-1, 2, 9])
def test_a_label_outside_the_classes(data: Dataset, label: int) -> None:
    known(data.y_test)[4] = label
    with pytest.raises(
        DataError, match=rf"y_test: label {label} at row 4 is outside the model's classes 0 to 1"
    ):
        check_dataset(data, (2,), 2)


def test_labels_that_are_not_whole_numbers(data: Dataset) -> None:
    with pytest.raises(DataError, match="y_val: labels are float64, not whole numbers"):
        check_dataset(replace(data, y_val=known(data.y_val).astype(np.float64)), (2,), 2)


def test_one_label_per_event(data: Dataset) -> None:
    with pytest.raises(DataError, match=r"y_train: labels have shape \(19,\) for 20 events"):
        check_dataset(replace(data, y_train=known(data.y_train)[1:]), (2,), 2)
    with pytest.raises(DataError, match=r"y_train: labels have shape \(20, 2\) for 20 events"):
        check_dataset(replace(data, y_train=np.eye(2, dtype=np.int64)[known(data.y_train)]), (2,), 2)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_empty_split(data: Dataset, split: str) -> None:
    empty: dict[str, Any] = {f"x_{split}": np.empty((0, 2), np.float32), f"y_{split}": np.empty(0, np.int64)}
    with pytest.raises(DataError, match=f"x_{split}: has no events"):
        check_dataset(replace(data, **empty), (2,), 2)


def test_more_classes_in_the_labels_than_outputs(data: Dataset) -> None:
    with pytest.raises(DataError, match=r"has 3 classes \(g, q, t\) but the model has 2 outputs"):
        check_dataset(replace(data, classes=("g", "q", "t")), (2,), 2)


X, Y = np.ones((10, 2)), np.arange(10) % 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"inputs": X, "y": Y}, r"holds no x; found inputs, y \(name the arrays x and y"),
        ({"x": X, "y": Y[:9]}, "x has 10 events but y has 9 labels"),
        ({"x": X[:, 0], "y": Y}, r"x has shape \(10,\)"),
        ({"x": X.astype(str), "y": Y}, "x holds <U32, not numbers"),
        (
            {"x": X, "y": np.where(np.arange(10) == 0, 0.5, Y)},
            r"label 0.5 at row 0 is not a class number, nor are 0 others \(.*say task: regression",
        ),
        ({"x": X, "y": Y + 0.5, "task": "classes"}, "label 0.5 at row 0 is not a class number"),
        (
            {"x": X, "y": np.where(Y == 1, np.nan, 0)},
            "label nan at row 1 is not a class number, nor are 4 others",
        ),
        (
            {"x": X, "y": np.ones((10, 3)), "task": "classes"},
            r"label row 0 is \[1.0, 1.0, 1.0\], not one-hot; 10 of 10 are not",
        ),
        ({"x": X, "y": np.where(np.arange(10) == 5, np.nan, 7.56)}, r"label nan at row 5 is not a number"),
        ({"x": X, "y": np.full((10, 2, 2), np.nan)}, r"label \[\[nan, nan\].* at row 0 is not a number"),
        ({"x": X, "y": [*"gqgqgqgqgz"], "classes": ["g", "q"]}, "label 'z' at row 9 is not one of g, q"),
        ({"x_train": X, "y_train": Y}, "holds x_train but no x_test"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "holds labels for some splits but no y_test"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[1:]}, "x_test has 10 events but y_test has 9"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": np.eye(2)[Y]}, "labels differ in shape"),
    ],
)
def test_arrays_that_are_no_data_set(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **content)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(path)
    assert caught.value.where == str(path)


def test_numbers_kept_as_texts_are_no_names_of_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((1500, 2)), y=np.linspace(0, 9, 1500).astype(str))
    with pytest.raises(DataError, match=r"label '0.0' at row 0 would name one of 1,500 classes"):
        load_dataset(tmp_path / "d.npz")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", x=np.array([{"code": 1}], dtype=object), y=Y)
    np.save(tmp_path / "x.npy", np.array([{"code": 1}], dtype=object))
    for name in (tmp_path / "evil.npz", tmp_path):
        with pytest.raises(DataError, match=r"cannot be read: .*allow_pickle=False"):
            load_dataset(name)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".csv", ".parquet"])
def test_a_damaged_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"PK\x03\x04 no such thing, 1\n2")
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


def test_a_file_damaged_within(tmp_path: Path, arrays: dict[str, Any]) -> None:
    path = tmp_path / "jets.npz"
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"jets.npz: cannot be read: "):
        load_dataset(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "needs at least one feature column and the label column"),
        ("label\n1\n", "needs at least one feature column and the label column"),
        ("a,b,label\n", "has a header but no events"),
        ("a,b,label\n1,,0\n", "cannot be read: could not convert string '' to float32 at row 0, column 2"),
        ("a,b,label\n1,2,0\n1,2\n", "cannot be read"),
    ],
)
def test_a_wrong_table(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path / "bad.csv")


def test_an_h5_file_without_arrays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_group("model_weights")
    with pytest.raises(DataError, match="holds no x; found nothing"):
        load_dataset(tmp_path / "weights.h5")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.npz", "absent.npz: no such file or folder"),
        ("x.npy,y.npy", "x.npy: no such file"),
        ("x.npy,y.npy,z.npy", "is not a pair of .npy files"),
        ("notes.txt", r"cannot read '.txt' \(give one of .npz, .h5"),
        (".", "x.npy: no such file"),
    ],
)
def test_a_name_that_is_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("jets", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_dataset(name)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jets.parquet").write_bytes(b"PAR1")
    real_import = builtins.__import__

    def no_pyarrow(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    with pytest.raises(DataError, match=r"needs pyarrow \(pip install 'pquant_hls\[data\]'\)"):
        load_dataset(tmp_path / "jets.parquet")
