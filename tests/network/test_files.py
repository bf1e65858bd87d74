"""Model files: what loads, what is refused, and that writing is whole or not at all."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import qkeras

from pquant_hls.errors import OutputError, SpecError, UnsupportedModel
from pquant_hls.lint import lint
from pquant_hls.network import build_mlp, load_model, model_digest, save_model
from pquant_hls.spec import plugins
from pquant_hls.train import scores

L = keras.layers


def qkeras_model() -> keras.Model:
    fixed = qkeras.quantized_bits(6, 1, alpha=1.0)
    return keras.Sequential(
        [
            keras.Input((4,)),
            qkeras.QActivation(fixed, name="q"),
            qkeras.QDense(5, kernel_quantizer=fixed, bias_quantizer=fixed, name="d"),
            qkeras.QActivation(qkeras.quantized_relu(5, 2), name="r"),
            L.Dense(2, name="o"),
        ]
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("build", [lambda: build_mlp(4, (5,), 2), qkeras_model])
def test_saved_models_come_back(build: Callable[[], keras.Model], suffix: str, tmp_path: Path) -> None:
    model = build()
    again = load_model(save_model(model, tmp_path / f"m{suffix}"))
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    np.testing.assert_array_equal(scores(again, x), scores(model, x))
    assert model_digest(again) == model_digest(model)
    assert [path.name for path in tmp_path.iterdir()] == [f"m{suffix}"]


def legacy_file(folder: Path, layer: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """A .h5 as Keras 2.15 wrote it, with one layer of three units behind four inputs."""
    entry = {
        "class_name": "InputLayer",
        "config": {
            "batch_input_shape": [None, 4],
            "dtype": "float32",
            "sparse": False,
            "ragged": False,
            "name": "in",
        },
    }
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": [entry, layer]}}
    path = folder / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"in", b"d"]
        weights.attrs["keras_version"], weights.attrs["backend"] = "2.15.0", "tensorflow"
        weights.create_group("in").attrs["weight_names"] = []
        group = weights.create_group("d")
        group.attrs["weight_names"] = [f"d/{name}:0".encode() for name in arrays]
        for name, array in arrays.items():
            group[f"d/{name}:0"] = array
    return path


ZEROS = {"class_name": "Zeros", "config": {}}
GLOROT = {"class_name": "GlorotUniform", "config": {"seed": None}}


@pytest.mark.parametrize("kind", ["Dense", "QDense"])
def test_files_of_keras_2_come_in(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"kernel": rng.normal(0, 0.3, (4, 3)).astype(np.float32), "bias": np.full(3, 0.25, np.float32)}
    config = {
        "name": "d",
        "trainable": True,
        "dtype": "float32",
        "units": 3,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": GLOROT,
        "bias_initializer": ZEROS,
    }
    if kind == "QDense":
        fixed = {
            "bits": 6,
            "integer": 0,
            "symmetric": 0,
            "alpha": 1.0,
            "keep_negative": True,
            "use_stochastic_rounding": False,
            "qnoise_factor": 1.0,
        }
        quantizer = {"class_name": "quantized_bits", "config": fixed, "__passive_serialization__": True}
        config |= {
            "kernel_quantizer": quantizer,
            "bias_quantizer": quantizer,
            "kernel_range": None,
            "bias_range": None,
        }
    model = load_model(legacy_file(tmp_path, {"class_name": kind, "config": config}, arrays))
    x = rng.normal(size=(6, 4)).astype(np.float32)
    kernel = arrays["kernel"] if kind == "Dense" else np.clip(np.round(arrays["kernel"] * 32), -32, 31) / 32
    np.testing.assert_allclose(scores(model, x), x @ kernel + 0.25, rtol=1e-5, atol=1e-6)


def lambda_file(folder: Path, suffix: str) -> Path:
    inner = keras.Sequential([keras.Input((3,)), L.Lambda(lambda x: x * 2, name="evil")], name="inner")
    model = keras.Sequential([keras.Input((3,)), inner])
    path = folder / f"l{suffix}"
    model.save(path)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_are_refused_by_name(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedModel, match="layer 'evil' is a Lambda, which carries code and is not executed"
    ):
        load_model(lambda_file(tmp_path, suffix))


def keras_2_file(folder: Path) -> Path:
    path = folder / "old.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
    return path


def weights_file(folder: Path) -> Path:
    build_mlp(4, (5,), 2).save_weights(folder / "only.weights.h5")
    return folder / "only.weights.h5"


def text_file(folder: Path, suffix: str) -> Path:
    path = folder / f"not{suffix}"
    path.write_text("not a model")
    return path


def broken_file(folder: Path) -> Path:
    path = save_model(build_mlp(4, (5,), 2), folder / "m.keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"Dense"', b'"Denze"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in parts.items():
            archive.writestr(name, blob)
    return path


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (keras_2_file, "was written by Keras 2.15.0, and cannot be read"),
        (weights_file, "holds no model configuration"),
        (lambda folder: text_file(folder, ".keras"), "is not a Keras model"),
        (lambda f: f / "none.h5", "no such model file"),
        (lambda folder: text_file(folder, ".h5"), "is not an HDF5 file"),
        (broken_file, "cannot be loaded"),
        (lambda folder: text_file(folder, ".txt"), "is not a model file"),
        (lambda folder: folder, "is not a model file"),
    ],
)
def test_what_is_not_a_model_is_told(make: Callable[[Path], Path], text: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(UnsupportedModel) as caught:
        load_model(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def summed() -> keras.Model:
    x = keras.Input((3,))
    return keras.Model(x, L.Dense(2)(x) + L.Dense(2)(x))


def test_an_h5_file_of_operations_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Keras writes it and cannot read it: TypeError: too many positional arguments."""
    with pytest.raises(OutputError, match=r"\(Add\), as in a \+ b, .*save the model as .keras"):
        save_model(summed(), tmp_path / "m.h5")
    assert list(tmp_path.iterdir()) == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summed().save(tmp_path / "keras.h5")
    with pytest.raises(
        UnsupportedModel, match=r"keras.h5: operations on tensors \(Add\), .* keras.layers.Add"
    ):
        load_model(tmp_path / "keras.h5")
    assert len(load_model(save_model(summed(), tmp_path / "m.keras")).layers) == 3


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_mlp(4, (5,), 2)
    path = save_model(model, tmp_path / "m.keras")
    before = path.read_bytes()

    def full(self: object, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(type(model), "save", full)
    with pytest.raises(OutputError, match="no space left"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.parametrize("name", ["m.onnx", "missing/m.keras"])
def test_unusable_targets_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        save_model(build_mlp(4, (5,), 2), tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "other"), [(".h5", ".keras"), (".keras", ".h5"), (".keras", ".hdf5"), (".h5", ".hdf5")]
)
def test_the_content_and_not_the_name_tells_the_format(suffix: str, other: str, tmp_path: Path) -> None:
    """Keras 2 wrote HDF5 under any name."""
    model = build_mlp(4, (5,), 2)
    path = save_model(model, tmp_path / f"m{suffix}").rename(tmp_path / f"renamed{other}")
    assert model_digest(load_model(path)) == model_digest(model)


def saved_model_folder(folder: Path) -> Path:
    (folder / "saved").mkdir()
    (folder / "saved" / "saved_model.pb").write_bytes(b"x")
    return folder / "saved"


def bytes_file(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def zip_file(folder: Path, **members: str) -> Path:
    with zipfile.ZipFile(folder / "z.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.json", text)
    return folder / "z.keras"


def h5_of(folder: Path, config: str) -> Path:
    with h5py.File(folder / "c.h5", "w") as file:
        file.attrs["model_config"] = config
    return folder / "c.h5"


def wide_layer(units: object) -> str:
    return json.dumps({"class_name": "Dense", "config": {"name": "d", "units": units}})


DEEP = "[" * 40_000 + "]" * 40_000


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (saved_model_folder, "is a SavedModel folder, which Keras 3 does not load"),
        (lambda f: bytes_file(f, "e.keras", b""), "is empty (copy it again)"),
        (lambda f: bytes_file(f, "l.h5", b"version https://git-lfs.github.com/spec/v1\n"), "git-lfs pointer"),
        (lambda f: bytes_file(f, "g.keras", b"\x1f\x8b\x08\x00rest"), "is compressed by gzip (gunzip it)"),
        (lambda f: bytes_file(f, "t.keras", b"\x89HDF\r\n\x1a\nrest"), "is not an HDF5 file"),
        (lambda f: bytes_file(f, "t.h5", b"PK\x03\x04rest"), "is not a Keras model"),
        (lambda f: zip_file(f, other="{}"), "no item named 'config.json'"),
        (lambda f: zip_file(f, config="{}", metadata="[]"), "is not a Keras model"),
        (lambda f: zip_file(f, config=DEEP, metadata="{}"), "nested too deeply"),
        (lambda f: zip_file(f, config=" " * 2**25, metadata="{}"), "unpacks to 33,554,432 bytes, more than"),
        (
            lambda f: zip_file(f, config=wide_layer(50_000_000), metadata="{}"),
            "layer 'd' has 50,000,000 values",
        ),
        (lambda f: h5_of(f, DEEP), "nested too deeply"),
        (lambda f: h5_of(f, "{"), "its configuration is damaged"),
        (lambda f: h5_of(f, wide_layer(50_000_000)), "layer 'd' has 50,000,000 values"),
    ],
)
def test_what_comes_under_a_models_name_is_told(
    make: Callable[[Path], Path], text: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    with pytest.raises(UnsupportedModel) as caught:
        load_model(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_weights_that_were_never_written_are_not_asked_for(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.attrs["model_config"] = "{}"
        file.create_dataset("w", (2**40,), np.float32, chunks=(2**20,))
    with pytest.raises(UnsupportedModel, match="states 4,398,046,511,104 bytes of weights"):
        load_model(tmp_path / "b.h5")


CUSTOM = """import keras

class MyVeryOwnScaling(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("given", ["my_layers:MyVeryOwnScaling", "my_layers"])
def test_a_custom_layer_is_named_whole_and_taken_from_its_module(
    suffix: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_layers.py").write_text(CUSTOM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_custom", [])
    layer = plugins.import_module_beside("my_layers").MyVeryOwnScaling
    keras.Sequential([keras.Input((3,)), layer(), L.Dense(2)]).save(f"c{suffix}")
    with pytest.raises(UnsupportedModel, match="holds a MyVeryOwnScaling, a class that") as caught:
        load_model(f"c{suffix}")
    assert "pquant-hls --custom MODULE:MyVeryOwnScaling" in str(caught.value)
    plugins.use_custom([given])
    model = load_model(f"c{suffix}")
    assert type(model.layers[0]).__name__ == "MyVeryOwnScaling"
    rules = [(found.rule, found.message) for found in lint(model) if found.layer == model.layers[0].name]
    assert ("unsupported-layer", "MyVeryOwnScaling, a class of its own, has no exact conversion") in rules


def test_a_custom_module_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ends.py").write_text("raise SystemExit(0)")
    for given, text in (
        ("no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("ends:A", "cannot be imported: SystemExit"),
        ("json:Nothing", "module json has no class 'Nothing'"),
    ):
        monkeypatch.setattr(plugins, "_custom", [given])
        with pytest.raises(SpecError, match=text):
            plugins.custom_classes()


def test_a_model_that_clips_is_no_constraint_of_qkeras(tmp_path: Path) -> None:
    """Both are called Clip."""
    x = keras.Input((3,))
    y = qkeras.QDense(2, kernel_quantizer=qkeras.quantized_bits(4, 0, alpha=1), name="fc")(
        keras.ops.clip(x, -1.0, 0.5)
    )
    keras.Model(x, y).save(tmp_path / "m.keras")
    model = load_model(tmp_path / "m.keras")
    assert type(model.get_layer("fc").kernel_constraint).__name__ == "Clip"
    given = np.array([[-3.0, 0.0, 3.0]], np.float32)
    np.testing.assert_array_equal(model(given), model(np.clip(given, -1, 0.5)))
