"""The simulated trigger set that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

from pquant_hls.datasets import load_dataset
from pquant_hls.errors import DataError


def test_collections_signals_and_rates() -> None:
    data = load_dataset("bundled:triggers")
    assert {name: part.shape[1:] for name, part in data.x_train.items()} == {
        "muons": (4, 3),
        "electrons": (4, 3),
        "jets": (6, 3),
        "scalars": (3,),
    }
    assert set(data.signals) == {"w_to_e_nu", "z_to_mu_mu", "ttbar", "h_to_bb"}
    assert data.zero_bias is not None
    assert data.zero_bias.hz == pytest.approx(40.08e6 * 2544 / 3564)
    assert data.y_train is None
    assert "simulated" in data.meta["about"]
    flat = load_dataset("bundled:triggers:flat")
    assert flat.x_train.shape[1] == 45
    jets = slice(24, 42)
    assert np.array_equal(flat.x_train[:, jets], data.x_train["jets"].reshape(-1, 18))


def test_signals_look_like_what_they_are() -> None:
    """Momenta in units of 32 GeV, each collection from its hardest object on."""
    data = load_dataset("bundled:triggers")
    leading = {
        name: {part: x[part][:, 0, 0] for part in ("muons", "electrons", "jets")}
        for name, x in data.signals.items()
    }
    background = data.x_train
    assert np.median(leading["z_to_mu_mu"]["muons"]) * 32 == pytest.approx(40, abs=10)
    # about half of the electrons lie beyond |eta| of 2.5
    assert np.quantile(leading["w_to_e_nu"]["electrons"], 0.75) * 32 == pytest.approx(36, abs=8)
    assert np.median(leading["ttbar"]["jets"]) > 2 * np.median(background["jets"][:, 0, 0])
    assert np.mean(background["muons"][:, 0, 0] > 0) < 0.2
    for name in ("muons", "electrons", "jets"):
        assert (np.diff(background[name][..., 0], axis=1) <= 0).all()
        assert np.abs(background[name][..., 2]).max() <= 1.0


def test_true_momenta_and_classes() -> None:
    data = load_dataset("bundled:triggers:jet_pt")
    assert (data.task, data.unit) == ("regression", "GeV")
    assert (data.y_train > 0).all()
    assert np.corrcoef(data.x_train[:, 0], data.y_train)[0, 1] > 0.7
    classes = load_dataset("bundled:triggers:top_or_zero_bias")
    assert classes.classes == ("zero_bias", "ttbar")
    assert set(np.unique(classes.y_val)) == {0, 1}


def test_two_heads_are_the_same_events() -> None:
    """``pt`` is that of the regression, ``id`` tells the process: leading jets of top quarks are harder than zero bias'."""
    both, alone = load_dataset("bundled:triggers:id_and_jet_pt"), load_dataset("bundled:triggers:jet_pt")
    assert both.classes == ("zero_bias", "w_to_e_nu", "z_to_mu_mu", "ttbar", "h_to_bb")
    for which in ("train", "val", "test"):
        (x, labels), (same, truth) = both.split(which), alone.split(which)
        assert np.array_equal(x, same)
        assert np.array_equal(labels["pt"], truth)
    pt = {name: both.y_train["pt"][both.y_train["id"] == k] for k, name in enumerate(both.classes)}
    assert np.median(pt["ttbar"]) > 3 * np.median(pt["zero_bias"])
    assert (both.unit, both.task) == ({"pt": "GeV"}, "")


def test_another_reading_is_refused_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"no bundled data set 'jets'.*bundled:triggers:flat"):
        load_dataset("bundled:jets")
