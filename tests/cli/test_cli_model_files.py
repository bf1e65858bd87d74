"""Every form of model file that people have, given to ``pquant-hls lint``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras  # type: ignore[import-untyped]  # has no types
from keras import layers as kl
from qkeras import QActivation, QDense, quantized_bits

from pquant_hls.qor.words import counted
from pquant_hls.spec import plugins
from tests.helpers import Shell

CUSTOM = """import keras

class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


def quantized() -> keras.Model:
    grid = {name: quantized_bits(6, 0, alpha=1) for name in ("kernel_quantizer", "bias_quantizer")}
    rounded = QActivation(quantized_bits(8, 3, alpha=1), name="q_in")
    model = keras.Sequential([keras.Input((4,)), rounded, QDense(3, name="fc1", **grid)])
    rng = np.random.default_rng(0)
    model.set_weights([rng.integers(-8, 8, part.shape) / 32 for part in model.get_weights()])
    return model


def old() -> tf_keras.Model:
    return tf_keras.Sequential([tf_keras.layers.Dense(3, name="fc1", input_shape=(4,))])


def whole(name: str, make: Callable[[], keras.Model] = quantized) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        make().save(folder / name)
        return folder / name

    return write


def apart(weights: str, make: Callable[[], keras.Model] = quantized) -> Callable[[Path], Path]:
    """An architecture, its weights beside it."""

    def write(folder: Path) -> Path:
        model = make()
        (folder / "net.json").write_text(model.to_json())
        model.save_weights(folder / weights)
        return folder / "net.json"

    return write


def misnamed(folder: Path) -> Path:
    return whole("net.h5")(folder).rename(folder / "net.keras")


FILES: dict[str, tuple[Callable[[Path], Path], int]] = {
    "Keras 3 .keras": (whole("net.keras"), 0),
    "Keras 3 .h5": (whole("net.h5"), 0),
    "HDF5 named .keras": (misnamed, 0),
    "Keras 3 .json and weights": (apart("net.weights.h5"), 0),
    "Keras 2 .keras": (whole("net.keras", old), 1),
    "Keras 2 .h5": (whole("net.h5", old), 1),
    "Keras 2 .json and weights": (apart("net_weights.h5", old), 1),
}
"""What writes each, and the errors, of a float kernel, which tell that it was read."""


@pytest.mark.parametrize("name", FILES)
def test_lint_reads_every_form_of_model_file(name: str, shell: Shell, tmp_path: Path) -> None:
    write, errors = FILES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # .h5 is old; it is asked for
        path = write(tmp_path)
    status, out, err = shell("lint", path)
    assert (status, err) == (1 if errors else 0, "")
    assert f"{path}: {counted(errors, 'error')}" in " ".join(out.split())


def test_lint_takes_a_custom_layer_from_the_module_that_is_named(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twice_layers.py").write_text(CUSTOM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_custom", [])
    layer = plugins.import_module_beside("twice_layers").Twice
    keras.Sequential([keras.Input((3,)), layer(name="twice")]).save("net.keras")
    status, _, err = shell("lint", "net.keras")
    assert status == 2
    assert "--custom MODULE:Twice" in " ".join(err.split())
    status, out, _ = shell("--custom", "twice_layers", "lint", "net.keras")
    assert status == 1
    assert "Twice, a class of its own" in " ".join(out.split())


def test_lint_says_that_weights_do_not_fit(shell: Shell, tmp_path: Path) -> None:
    path = apart("net.weights.h5")(tmp_path)
    path.write_text(keras.Sequential([keras.Input((5,)), kl.Dense(3, name="fc1")]).to_json())
    status, _, err = shell("lint", path)
    assert status == 2
    assert "its weights do not fit its layers" in " ".join(err.split())
