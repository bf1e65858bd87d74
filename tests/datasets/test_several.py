"""Several inputs and outputs, values, weights and signal samples, from every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pquant_hls.datasets import Dataset, check_dataset, load_dataset, remarks
from pquant_hls.datasets.assemble import assemble
from pquant_hls.errors import DataError

EVENTS = 50


@pytest.fixture
def several() -> dict[str, np.ndarray]:
    """Jets (4, 3) and scalars (2,), a class and a momentum, weights and a signal."""
    rng = np.random.default_rng(0)
    return {
        "x.jets": rng.normal(size=(EVENTS, 4, 3)),
        "x.scalars": rng.normal(size=(EVENTS, 2)),
        "y.id": rng.permutation(np.arange(EVENTS) % 2),
        "y.pt": rng.exponential(20, EVENTS),
        "w": rng.uniform(0, 2, EVENTS),
        "x_signal.tt.jets": rng.normal(size=(7, 4, 3)),
        "x_signal.tt.scalars": rng.normal(size=(7, 2)),
    }


def in_npz(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(folder / "d.npz", **arrays)  # type: ignore[arg-type]  # numpy types it for positional arrays
    return folder / "d.npz"


def in_h5(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    with h5py.File(folder / "d.h5", "w") as file:
        for name, array in arrays.items():
            file[name.replace(".", "/")] = array
    return folder / "d.h5"


def in_folder(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    for name, array in arrays.items():
        path = folder.joinpath("npy", *name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".npy"), array)
    return folder / "npy"


@pytest.mark.parametrize("write", [in_npz, in_h5, in_folder])
def test_formats_agree(tmp_path: Path, several: dict[str, np.ndarray], write: Callable[..., Path]) -> None:
    found = load_dataset(write(tmp_path, several))
    assert {name: part.shape for name, part in found.x_train.items()} == {
        "jets": (30, 4, 3),
        "scalars": (30, 2),
    }
    assert (found.y_val["id"].dtype, found.y_val["pt"].dtype) == (np.int64, np.float32)
    assert [len(weights) for weights in found.weights.values()] == [30, 10, 10]
    assert {name: part.shape for name, part in found.signals["tt"].items()} == {
        "jets": (7, 4, 3),
        "scalars": (7, 2),
    }
    assert found.digest == assemble(several, name="d", where="d", seed=0).digest


def test_events_stay_together(several: dict[str, np.ndarray]) -> None:
    """Of each event all arrays come from the same row."""
    several = several | {"x.scalars": np.arange(2 * EVENTS).reshape(EVENTS, 2).astype(float)}
    found = assemble(several, name="d", where="d", seed=3)
    for which in ("train", "val", "test"):
        x, y = found.split(which)
        rows = (x["scalars"][:, 0] / 2).astype(int)
        np.testing.assert_array_equal(x["jets"], several["x.jets"][rows].astype(np.float32))
        np.testing.assert_array_equal(y["id"], several["y.id"][rows])
        np.testing.assert_array_equal(found.weights[which], several["w"][rows])


def test_columns_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        "a,b,w,y.pt,y.id\n" + "".join(f"{i},1,{i % 3},{i + 0.5},{i % 2}\n" for i in range(20))
    )
    found = load_dataset(tmp_path / "d.csv")
    assert found.features == ("a", "b")
    assert sorted(found.y_train) == ["id", "pt"]
    assert found.weights["train"].max() == 2
    assert "column 'w' is taken for event weights" in found.notes


def test_values_are_no_classes() -> None:
    x, y = np.ones((EVENTS, 2)), np.linspace(0, 3, EVENTS)
    found = assemble({"x": x, "y": y, "unit": "GeV"}, name="d", where="d", seed=0)
    assert found.y_train.dtype == np.float32
    assert (found.n_classes, found.unit) == (0, "GeV")
    whole = assemble({"x": x, "y": np.full(EVENTS, 3e7), "task": "regression"}, name="d", where="d", seed=0)
    assert whole.y_train.dtype == np.float32
    flags = assemble({"x": x, "y": np.ones((EVENTS, 3))}, name="d", where="d", seed=0)
    assert flags.y_train.shape == (30, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x.scalars": np.ones((EVENTS - 1, 2))}, r"different numbers of events: x\.jets 50, x\.scalars 49"),
        ({"y.pt": np.ones(EVENTS - 1)}, r"x has 50 events but y\.pt has 49 labels"),
        ({"w": -np.ones(EVENTS)}, r"w holds -1\.0 at row 0"),
        ({"w": np.zeros(EVENTS)}, r"w holds 0\.0 at row 0"),
        ({"w": np.ones(3)}, r"w holds 3 float64 for 50 events"),
        (
            {"x_zero_bias.jets": np.ones((9, 4, 3)), "zero_bias_hz": 4e7},
            "x_zero_bias: holds jets, the inputs are jets, scalars",
        ),
        ({"x_signal.hh": np.ones((9, 2))}, r"x_signal\.signal: holds hh, the inputs are jets"),
        ({"y": {"id": np.zeros(EVENTS), "pt": None}}, r"y\.pt is None"),
    ],
)
def test_what_does_not_fit_is_named(
    several: dict[str, np.ndarray], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        assemble(several | changes, name="d", where="d", seed=0)


def test_signals_are_named_samples() -> None:
    x = np.random.default_rng(1).normal(size=(EVENTS, 3))
    found = assemble({"x": x, "x_signal.hh": x[:5], "x_signal.susy": x[:7]}, name="d", where="d", seed=0)
    assert {name: len(sample) for name, sample in found.signals.items()} == {"hh": 5, "susy": 7}
    alone = assemble({"x": x, "x_signal": x[:5]}, name="d", where="d", seed=0)
    assert list(alone.signals) == ["signal"]
    assert alone.digest != assemble({"x": x}, name="d", where="d", seed=0).digest


def test_signals_of_several_inputs(several: dict[str, np.ndarray]) -> None:
    hh = {"x_signal.hh.jets": np.ones((5, 4, 3)), "x_signal.hh.scalars": np.ones((5, 2))}
    found = assemble(several | hh, name="d", where="d", seed=0)
    assert {name: part.shape for name, part in found.signals["hh"].items()} == {
        "jets": (5, 4, 3),
        "scalars": (5, 2),
    }


def test_remarks_name_the_input(several: dict[str, np.ndarray]) -> None:
    several["x.scalars"][:5, 1] = -999
    found = assemble(several, name="d", where="d", seed=0)
    assert any("feature scalars.1" in text for text in remarks(found))


def test_a_model_of_one_input_takes_no_two(several: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="2 arrays for a model of 1 inputs"):
        check_dataset(assemble(several, name="d", where="d", seed=0), (2,), 2)


def test_weights_and_tasks_belong_to_the_digest() -> None:
    x, y = np.ones((4, 2), np.float32), np.arange(4) % 2
    plain = Dataset(x, y, x, y, x, y)
    assert plain.digest != Dataset(x, y, x, y, x, y, weights={"train": np.ones(4)}).digest
    assert plain.digest != Dataset(x, y, x, y, x, y, task="regression").digest


def test_a_sample_is_read_by_the_names_of_its_arrays() -> None:
    x = {"jets": np.zeros((EVENTS, 4, 3)), "muons": np.ones((EVENTS, 4, 3)), "scalars": np.ones((EVENTS, 2))}
    turned = {name: x[name][:6] for name in reversed(x)}
    found = assemble({"x": x, "x_signal": {"tt": turned}}, name="d", where="d", seed=0)
    assert list(found.signals["tt"]) == list(x)
    assert not found.signals["tt"]["jets"].any()
    zero_bias = {"x_zero_bias": turned, "zero_bias_hz": 4e7}
    with pytest.raises(DataError, match=r"x_zero_bias: the inputs and this sample must both be lists"):
        assemble({"x": list(x.values()), **zero_bias}, name="d", where="d", seed=0)
    other = {**turned, "photons": turned["jets"]}
    with pytest.raises(DataError, match=r"x_signal\.tt: holds scalars, muons, jets, photons, the inputs are"):
        assemble({"x": x, "x_signal": {"tt": other}}, name="d", where="d", seed=0)
