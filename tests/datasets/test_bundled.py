"""The jets that ship with the package."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from pquant_hls.datasets import Dataset, check_dataset, load_dataset
from tests.helpers import known

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def jets() -> Dataset:
    return load_dataset("lhc_jets")


def test_they_fit_the_usual_tagger(jets: Dataset) -> None:
    check_dataset(jets, (16,), 5)
    assert jets.classes == ("g", "q", "t", "w", "z")
    assert jets.x_train.dtype == np.float32
    assert known(jets.y_train).dtype == np.int64


def test_the_file_is_small_and_holds_about_fifty_thousand(jets: Dataset) -> None:
    file = resources.files("pquant_hls.datasets") / "lhc_jets.npz"
    assert len(file.read_bytes()) < 4 * MEGABYTE
    assert sum(jets.meta["class_balance"].values()) == 50_000


def test_the_split_is_balanced_and_fixed(jets: Dataset) -> None:
    for y, expected in ((jets.y_train, 6_000), (jets.y_val, 2_000), (jets.y_test, 2_000)):
        assert np.bincount(known(y)).tolist() == [expected] * 5
    again = load_dataset("lhc_jets", seed=9)
    assert again.digest == jets.digest
    assert np.array_equal(again.x_test, jets.x_test)


def test_no_jet_is_in_two_splits(jets: Dataset) -> None:
    rows = np.concatenate([jets.x_train, jets.x_val, jets.x_test])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_training_jets_are_standardised_and_can_be_turned_back(jets: Dataset) -> None:
    assert np.allclose(jets.x_train.mean(axis=0), 0.0, atol=1e-4)
    assert np.allclose(jets.x_train.std(axis=0), 1.0, atol=1e-4)
    physical = jets.x_test * np.array(jets.meta["scale"]) + np.array(jets.meta["mean"])
    mass, count = (jets.features.index(name) for name in ("mass_mmdt", "multiplicity"))
    assert np.allclose(physical[:, count], np.round(physical[:, count]), atol=1e-3)
    for name, low, high in (("t", 160, 180), ("w", 76, 84), ("z", 87, 95)):
        masses = physical[jets.y_test == jets.classes.index(name), mass]
        counts, edges = np.histogram(masses, bins=125, range=(10.0, 260.0))  # above the massless peak
        assert low < edges[np.argmax(counts)] < high


def test_the_file_says_where_it_comes_from(jets: Dataset) -> None:
    assert set(jets.meta) >= {
        "schema_version",
        "seed",
        "versions",
        "selection",
        "units",
        "class_balance",
        "split",
    }
    assert set(jets.meta["units"]) == set(jets.features)
    assert jets.meta["units"]["mass_mmdt"] == "GeV"
    assert "pythia8mc" in jets.meta["versions"]
    assert jets.meta["class_balance"] == dict.fromkeys(jets.classes, 10_000)


def test_the_digest_follows_the_arrays(jets: Dataset) -> None:
    changed = jets.x_val.copy()
    changed[0, 0] += 1.0
    assert replace(jets, x_val=changed).digest != jets.digest
    assert replace(jets, x_val=jets.x_val.copy()).digest == jets.digest


def test_the_room_is_light_to_import() -> None:
    code = (
        "import sys, pquant_hls.datasets as d; d.load_dataset('lhc_jets');"
        "print([m for m in ('tensorflow', 'sklearn', 'pandas', 'h5py', 'pyarrow') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
