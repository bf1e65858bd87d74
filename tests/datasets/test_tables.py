"""Tables as pandas writes them: numbered columns, row numbers written along, marks for missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.datasets import Dataset, check_dataset, load_dataset, remarks
from pquant_hls.errors import DataError

pandas = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = RNG.integers(0, 5, 200)


def events(data: Dataset) -> int:
    return len(data.x_train) + len(data.x_val) + len(data.x_test)


@pytest.mark.parametrize("width", [2, 3, 4, 16])
@pytest.mark.parametrize("label", [None, "label", "target"])
@pytest.mark.parametrize("start", [0, 1])
def test_a_header_of_numbers_is_no_event(tmp_path: Path, width: int, label: str | None, start: int) -> None:
    x = RNG.normal(size=(200, width))
    columns = [*range(start, start + width), start + width if label is None else label]
    pandas.DataFrame(np.column_stack([x, Y]), columns=columns).to_csv(tmp_path / "d.csv", index=False)
    data = load_dataset(tmp_path / "d.csv")
    assert events(data) == 200
    assert data.classes == ("0", "1", "2", "3", "4")
    assert data.features == tuple(map(str, columns[:-1]))
    check_dataset(data, (width,), 5)


def test_events_that_start_with_small_numbers_are_no_header(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("0,1,2\n1,0,2\n" * 20)
    assert events(load_dataset(tmp_path / "d.csv")) == 40


@pytest.mark.parametrize("named", [True, False])
def test_row_numbers_written_along_are_left_out_with_a_word(tmp_path: Path, named: bool) -> None:
    table = pandas.DataFrame(X, columns=list("abcd"))
    table["label"] = Y
    if named:
        table.index.name = "index"
    table.to_csv(tmp_path / "d.csv")
    data = load_dataset(tmp_path / "d.csv")
    assert data.features == ("a", "b", "c", "d")
    assert "counts the rows: left out" in data.notes[0]
    plain = tmp_path / "plain.csv"
    table.to_csv(plain, index=False)
    assert load_dataset(plain).notes == ()
    assert np.array_equal(load_dataset(plain).x_train, data.x_train)


def test_row_numbers_without_any_header_are_left_out(tmp_path: Path) -> None:
    pandas.DataFrame(np.column_stack([X, Y])).to_csv(tmp_path / "d.csv", header=False)
    data = load_dataset(tmp_path / "d.csv")
    assert (data.sample_shape, events(data)) == ((4,), 200)
    assert "left out" in data.notes[0]


def test_an_index_in_parquet_is_not_the_label(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame(X, columns=list("abcd"))
    table["kind"] = Y
    table.index = RNG.permutation(200)
    table.to_parquet(tmp_path / "d.parquet")
    data = load_dataset(tmp_path / "d.parquet")
    assert data.features == ("a", "b", "c", "d")
    assert data.classes == ("0", "1", "2", "3", "4")
    assert "__index_level_0__" in data.notes[0]


def test_an_ordered_feature_of_its_own_name_is_kept(tmp_path: Path) -> None:
    table = pandas.DataFrame({"time": range(200), "a": X[:, 0], "label": Y})
    table.to_csv(tmp_path / "d.csv", index=False)
    data = load_dataset(tmp_path / "d.csv")
    assert (data.features, data.notes) == (("time", "a"), ())


def test_arrays_that_nothing_reads_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y, w=np.ones(200), run=np.ones(200))
    data = load_dataset(tmp_path / "d.npz")
    assert [weights.sum() for weights in data.weights.values()] == [120, 40, 40]
    assert data.notes[0].startswith("run: not read")
    split: dict[str, Any] = {
        f"{axis}_{which}": array for axis, array in (("x", X), ("y", Y)) for which in ("train", "test")
    }
    np.savez(tmp_path / "s.npz", **split, w_train=np.ones(200))
    with pytest.raises(DataError, match="weights for some splits but none for test"):
        load_dataset(tmp_path / "s.npz")


@pytest.mark.parametrize("label", [3e7, 1e18, 1e300])
def test_a_label_that_is_an_event_number_is_refused_at_its_row(tmp_path: Path, label: float) -> None:
    y = Y.astype(float)
    y[42] = label
    np.savez(tmp_path / "d.npz", x=X, y=y)
    with pytest.raises(
        DataError, match=r"label \d+ at row 42 would be one of as many classes, of 200 events"
    ):
        load_dataset(tmp_path / "d.npz")


def test_errors_name_the_row_of_the_file(tmp_path: Path) -> None:
    x = X.copy()
    x[17, 2] = np.nan
    np.savez(tmp_path / "d.npz", x=x, y=Y)
    with pytest.raises(DataError, match=r"first nan at row 17, \(2,\)"):
        check_dataset(load_dataset(tmp_path / "d.npz"), (4,), 5)
    table = pandas.DataFrame(x, columns=list("abcd"))
    table["label"] = Y
    table.to_csv(tmp_path / "d.csv", index=False, na_rep="nan")
    with pytest.raises(DataError, match="first nan at line 19, feature c"):
        check_dataset(load_dataset(tmp_path / "d.csv"), (4,), 5)
    y = Y.copy()
    y[17] = 9
    np.savez(tmp_path / "l.npz", x=X, y=y, classes=list("abcdefghij"))
    with pytest.raises(DataError, match="label 9 at row 17 is outside"):
        check_dataset(load_dataset(tmp_path / "l.npz"), (4,), 5)


def test_rows_of_given_splits_are_those_of_their_own_arrays(tmp_path: Path) -> None:
    y = Y[:50].astype(float)
    y[7] = 0.5
    np.savez(tmp_path / "d.npz", x_train=X[:150], y_train=Y[:150], x_test=X[150:], y_test=y)
    with pytest.raises(DataError, match=r"label 0\.5 at row 7 of y_test"):
        load_dataset(tmp_path / "d.npz")


@pytest.mark.parametrize("end", ["sys.exit(0)", "raise SystemExit", "raise RuntimeError('no disk')", "1 / 0"])
def test_what_the_users_function_raises_is_an_error_of_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    name = f"mod_{abs(len(end))}"
    (tmp_path / f"{name}.py").write_text(f"import sys\n\ndef f():\n    {end}\n")
    (tmp_path / f"top_{name}.py").write_text(f"import sys\n{end}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"{name}:f: raised"):
        load_dataset(f"{name}:f")
    with pytest.raises(DataError, match="cannot be imported, it raised"):
        load_dataset(f"top_{name}:f")


def data_of(x: np.ndarray, features: tuple[str, ...] = ()) -> Dataset:
    x = x.astype(np.float32)
    return Dataset(x, None, x, None, x, None, features=features)


def test_a_mark_for_missing_values_is_named_before_training() -> None:
    x = RNG.normal(size=(4000, 3))
    x[::20, 1] = -999
    told = remarks(data_of(x, ("pt", "eta", "phi")))
    assert "feature eta: 5 % of the events are at -999" in told[0]
    assert "steps of 8" in told[1]
    assert "pt (" in told[1]


def test_a_feature_of_small_spread_is_named_with_an_exact_factor() -> None:
    x = RNG.normal(size=(4000, 2)) * [100.0, 0.01]
    (told,) = remarks(data_of(x))
    assert "1 (0.01)" in told
    assert "exact in fixed point" in told


def test_usual_data_need_no_remark() -> None:
    assert remarks(load_dataset("lhc_jets")) == ()
    assert remarks(data_of(RNG.integers(0, 2, (500, 6)).astype(float))) == ()
    assert remarks(data_of(np.ones((500, 2)))) == ()
