"""Architectures with their weights apart, files of Keras 2, and HDF5 under a name of Keras'."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import tf_keras  # type: ignore[import-untyped]  # has no types
from keras import Input, Sequential
from keras import layers as kl

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network import load_model

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def model() -> Sequential:
    return Sequential([Input((4,)), kl.Dense(3, activation="relu", name="a"), kl.Dense(2, name="b")])


def old_model() -> tf_keras.Model:
    layers = tf_keras.layers
    return tf_keras.Sequential([layers.Dense(3, activation="relu", input_shape=(4,)), layers.Dense(2)])


def test_json_with_weights_of_keras_3(tmp_path: Path) -> None:
    made = model()
    (tmp_path / "net.json").write_text(made.to_json())
    made.save_weights(tmp_path / "net.weights.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "net.json")(X), made(X))


@pytest.mark.parametrize("name", ["net_weights.h5", "net.h5"])
def test_json_with_weights_of_keras_2(name: str, tmp_path: Path) -> None:
    made = old_model()
    (tmp_path / "net.json").write_text(made.to_json())
    made.save_weights(tmp_path / name)
    np.testing.assert_allclose(load_model(tmp_path / "net.json")(X), made(X), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_of_keras_2(suffix: str, tmp_path: Path) -> None:
    made = old_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .h5 is old; it is asked for
        made.save(tmp_path / f"old{suffix}")
    np.testing.assert_allclose(load_model(tmp_path / f"old{suffix}")(X), made(X), rtol=1e-6)


def test_hdf5_under_the_name_of_a_zip(tmp_path: Path) -> None:
    made = old_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save(tmp_path / "old.h5")
    shutil.move(tmp_path / "old.h5", tmp_path / "old.keras")
    np.testing.assert_allclose(load_model(tmp_path / "old.keras")(X), made(X), rtol=1e-6)


def test_what_is_missing_or_other_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(model().to_json())
    with pytest.raises(UnsupportedModel, match="no weights lie beside it"):
        load_model(path)
    (tmp_path / "net.h5").write_bytes(b"no weights")
    with pytest.raises(UnsupportedModel, match="is not an HDF5 file"):
        load_model(path)
    for text, said in (("{", "is not JSON"), ("[1]", "holds no model")):
        path.write_text(text)
        with pytest.raises(UnsupportedModel, match=said):
            load_model(path)


def test_weights_that_lie_in_a_whole_model(tmp_path: Path) -> None:
    made = model()
    (tmp_path / "net.json").write_text(made.to_json())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save(tmp_path / "net.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "net.json")(X), made(X))


@pytest.mark.parametrize(
    ("name", "units"), [("net.weights.h5", [5, 2]), ("net_weights.h5", [5, 2]), ("net_weights.h5", [3])]
)
def test_weights_of_another_architecture_are_told(name: str, units: list[int], tmp_path: Path) -> None:
    saved = model() if name == "net.weights.h5" else old_model()
    saved.save_weights(tmp_path / name)
    other = Sequential([Input((4,)), *(kl.Dense(count, name="ab"[i]) for i, count in enumerate(units))])
    (tmp_path / "net.json").write_text(other.to_json())
    with pytest.raises(UnsupportedModel, match="its weights do not fit its layers") as caught:
        load_model(tmp_path / "net.json")
    assert "saved with this architecture" in str(caught.value)
