"""Model files: ``.keras`` of Keras 3, ``.h5`` of Keras 2 or 3, with or without QKeras layers."""

from __future__ import annotations

import itertools
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

from pquant_hls.errors import OutputError, PquantError, UnsupportedModel
from pquant_hls.network.frontend import FRONT_ENDS

SUFFIXES = (".keras", ".h5", ".hdf5")
_CODE_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers whose file holds or calls code instead of numbers."""


def custom_objects() -> dict[str, Any]:
    """The front-ends' layers, quantizers and constraints by name, as Keras' loaders want them."""
    return {name: found for front in FRONT_ENDS.values() for name, found in front.objects().items()}


def load_model(path: str | Path) -> keras.Model:
    """The model in a file, not compiled.

    Nothing in the file is executed: Keras' safe mode stays on, and layers that carry code are refused first.

    Raises
    ------
    UnsupportedModel : no such file, not a model, written by Keras 2 as ``.keras``, or with a layer that
        carries code.
    """
    path = Path(path)
    if not path.exists():
        raise UnsupportedModel("no such model file", where=path)
    if path.suffix not in SUFFIXES or not path.is_file():
        raise UnsupportedModel("is not a model file", where=path, mend=f"give a {', '.join(SUFFIXES)} file")
    config = _read_keras(path) if path.suffix == ".keras" else _read_h5(path)
    _refuse_code(config, path)
    if path.suffix != ".keras":
        _refuse_operations(_operations(config), path, UnsupportedModel)
    return _load(path)


def _read_keras(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            version = json.loads(archive.read("metadata.json")).get("keras_version", "3")
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as cause:
        raise UnsupportedModel(f"is not a Keras model: {cause}", where=path) from cause
    if str(version).startswith("2."):
        raise UnsupportedModel(
            f"was written by Keras {version}", where=path, mend="save it there as .h5, which this stack reads"
        )
    return config


def _read_h5(path: Path) -> Any:
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
    except OSError as cause:
        raise UnsupportedModel(f"is not an HDF5 file: {cause}", where=path) from cause
    if config is None:
        raise UnsupportedModel(
            "holds no model configuration", where=path, mend="save the whole model, not its weights only"
        )
    return json.loads(config)


def _refuse_code(config: Any, path: Path) -> None:
    for found in _objects(config):
        if found.get("class_name") in _CODE_LAYERS:
            inner = found.get("config")
            name = inner.get("name", "?") if isinstance(inner, dict) else "?"
            raise UnsupportedModel(
                f"layer {name!r} is a {found['class_name']}, which carries code and is not executed",
                where=path,
                mend="replace it by ordinary layers",
            )


def _operations(config: Any) -> list[str]:
    """Operations on tensors in the configuration of a .h5 file, which is all that it keeps of them: a name."""
    lists = [found["layers"] for found in _objects(config) if isinstance(found.get("layers"), list)]
    layers = [layer for layer in itertools.chain(*lists) if isinstance(layer, dict)]
    return [
        str(layer.get("class_name"))
        for layer in layers
        if isinstance(inner := layer.get("config"), dict) and set(inner) == {"name"}
    ]


def _refuse_operations(names: list[str], path: Path, error: type[PquantError]) -> None:
    if names:
        listed = ", ".join(sorted(set(names)))
        raise error(
            f"operations on tensors ({listed}), as in a + b, cannot be read back from a {path.suffix} file",
            where=path,
            mend="save the model as .keras, or write them as layers: keras.layers.Add()([a, b])",
        )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        yield config
    inner = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    for value in inner:
        yield from _objects(value)


def _load(path: Path) -> keras.Model:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of optimizer slots and input names of old files
            model = keras.models.load_model(
                path, custom_objects=custom_objects(), compile=False, safe_mode=True
            )
    except (ValueError, TypeError, KeyError, OSError, AttributeError, ImportError, IndexError) as cause:
        reason = " ".join(str(cause).split())[:300]
        raise UnsupportedModel(f"cannot be loaded: {type(cause).__name__}: {reason}", where=path) from cause
    if not isinstance(model, keras.Model):
        raise UnsupportedModel(f"holds a {type(model).__name__}, not a model", where=path)
    return model


def save_model(model: keras.Model, path: str | Path) -> Path:
    """Write ``.keras`` or ``.h5`` whole or not at all.

    Raises
    ------
    OutputError : the file cannot be written, or Keras could not read it again (operations on tensors in ``.h5``).
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OutputError(f"unknown model format {path.suffix!r}", where=path, mend="use .keras or .h5")
    if path.suffix != ".keras":
        made = [call for call in getattr(model, "operations", ()) if not isinstance(call, keras.Layer)]
        _refuse_operations([type(call).__name__ for call in made], path, OutputError)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as folder:
            part = Path(folder) / f"model{path.suffix}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras calls .h5 old; it is asked for on purpose
                model.save(part)
            part.replace(path)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause}", where=path) from cause
    return path
