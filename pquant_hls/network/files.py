"""Model files: ``.keras`` of Keras 3, ``.h5`` of Keras 2 or 3, with or without QKeras layers."""

from __future__ import annotations

import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from pquant_hls.errors import OutputError, PquantError, UnsupportedModel
from pquant_hls.errors.bounds import CONFIG_BYTES, MODEL_BYTES, MODEL_UNITS, json_values, unpacked
from pquant_hls.files import replacing, scratch
from pquant_hls.network.affine import FixedPointScale
from pquant_hls.network.elements import FixedPointQuantizer
from pquant_hls.network.frontend import FRONT_ENDS
from pquant_hls.network.layernorm import FixedPointLayerNorm
from pquant_hls.network.lookup import FixedPointTable
from pquant_hls.network.parted import architecture, in_one_file, is_by_layer, of_keras_2, weights_beside
from pquant_hls.network.recurrent import RecurrentState
from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.network.sums import SumOver
from pquant_hls.spec.plugins import custom_classes

SUFFIXES = (".keras", ".h5", ".hdf5")
_CODE_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers whose file holds or calls code instead of numbers."""


_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the model itself", "git lfs pull"),
    (b"\x1f\x8b", "is compressed by gzip", "gunzip it"),
    (b"BZh", "is compressed by bzip2", "bunzip2 it"),
    (b"\xfd7zXZ", "is compressed by xz", "unxz it"),
)
"""What else comes under a model's name: first bytes, what it is, the mend."""


_DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    OSError,
    AttributeError,
    ImportError,
    IndexError,
    RecursionError,
    MemoryError,
    tf.errors.ResourceExhaustedError,
)
"""What Keras raises for a file that is damaged or not whole."""


OWN = (
    FixedPointLayerNorm,
    FixedPointQuantizer,
    FixedPointScale,
    FixedPointSoftmax,
    FixedPointTable,
    RecurrentState,
    SumOver,
)
"""This package's own layers."""


def custom_objects() -> dict[str, Any]:
    """Layers, quantizers and constraints by name, as Keras' loaders want them: this package's, the front-ends' and those
    that the user named (``spec.plugins.use_custom``).
    """
    own = {layer.__name__: layer for layer in OWN}
    fronts = {name: found for front in FRONT_ENDS.values() for name, found in front.objects().items()}
    return {**own, **fronts, **custom_classes()}


def load_model(path: str | Path) -> keras.Model:
    """The model in a file, not compiled; its content and not its name tells the format.

    Nothing in the file is executed: Keras' safe mode stays on, and layers that carry code are refused first.

    Raises
    ------
    UnsupportedModel : no such file, not a model (what it is instead is told), of Keras 2 with layers not its own, with a layer
        that carries code or of a class that is not known here, or larger than ``errors.bounds`` allow.
    """
    path = Path(path)
    if not path.exists():
        raise UnsupportedModel("no such model file", where=path, mend="give a .keras or .h5 file")
    if path.is_dir() and (path / "saved_model.pb").is_file():
        mend = "load it with the Keras 2 that wrote it and save it as .h5"
        raise UnsupportedModel("is a SavedModel folder, which Keras 3 does not load", where=path, mend=mend)
    if path.suffix == ".json" and path.is_file():
        return _of_two_files(path)
    if path.suffix not in SUFFIXES or not path.is_file():
        known = ", ".join((*SUFFIXES, ".json"))
        raise UnsupportedModel("is not a model file", where=path, mend=f"give a {known} file")
    suffix = _format(path)
    if suffix == ".keras" and (version := _version(path)).startswith("2."):
        with scratch() as folder:
            return _loaded(of_keras_2(path, Path(folder), version), path)
    return _loaded(path, path)


def _of_two_files(path: Path) -> keras.Model:
    """An architecture in JSON, with its weights in a file beside it (``parted.WEIGHTS``)."""
    weights, config = weights_beside(path), architecture(path)
    _check(config, path)
    with scratch() as folder:
        if is_by_layer(weights):
            return _loaded(in_one_file(path, weights, Path(folder)), path)
        named = Path(folder) / "model.weights.h5"  # Keras takes no other name
        named.symlink_to(weights.absolute())
        try:
            model = keras.models.model_from_json(
                path.read_text(encoding="utf-8"), custom_objects=custom_objects()
            )
            model.load_weights(named)
        except _DAMAGE as cause:
            raise _unloadable(cause, path) from cause
    return model


def _loaded(path: Path, where: Path) -> keras.Model:
    """The model in the file ``path``, which the user calls ``where``, once its configuration is checked."""
    suffix = _format(path)
    try:
        config = _read_keras(path) if suffix == ".keras" else _read_h5(path)
        _check(config, where)
        if suffix != ".keras":
            _refuse_operations(_operations(config), where, UnsupportedModel)
    except RecursionError as cause:
        raise UnsupportedModel("its configuration is nested too deeply", where=where) from cause
    if suffix == path.suffix or (suffix, path.suffix) == (".h5", ".hdf5"):
        return _load(path, where)
    with scratch() as folder:
        named = Path(folder) / f"model{suffix}"
        named.symlink_to(path.absolute())
        return _load(named, where)


def _format(path: Path) -> str:
    """``.keras`` or ``.h5``, by the first bytes; by the name where they tell nothing."""
    with path.open("rb") as file:
        start = file.read(32)
    if not start:
        raise UnsupportedModel("is empty", where=path, mend="copy it again")
    for first, said, mend in _OTHERS:
        if start.startswith(first):
            raise UnsupportedModel(said, where=path, mend=mend)
    if start.startswith(_HDF5):
        return ".h5"
    return ".keras" if start.startswith(_ZIP) or path.suffix == ".keras" else ".h5"


def _read_keras(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked(archive, MODEL_BYTES)
            unpacked(archive, CONFIG_BYTES, "config.json")
            unpacked(archive, CONFIG_BYTES, "metadata.json")
            config = json_values(archive.read("config.json"))
            json_values(archive.read("metadata.json")).keys()
            return config
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, AttributeError) as cause:
        raise UnsupportedModel(f"is not a Keras model: {cause}", where=path) from cause


def _version(path: Path) -> str:
    """The Keras that wrote a zip, 3 where it is not told; whether it is a model is told when it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked(archive, MODEL_BYTES)
            unpacked(archive, CONFIG_BYTES, "metadata.json")
            unpacked(archive, CONFIG_BYTES, "config.json")
            _check(json_values(archive.read("config.json")), path)
            return str(json_values(archive.read("metadata.json")).get("keras_version", "3"))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, AttributeError, RecursionError):
        return "3"


def _read_h5(path: Path) -> Any:
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            stated = _stated(file)
    except OSError as cause:
        raise UnsupportedModel(f"is not an HDF5 file: {cause}", where=path) from cause
    if stated > MODEL_BYTES:  # what was never written takes no room in the file
        raise UnsupportedModel(f"states {stated:,} bytes of weights, more than {MODEL_BYTES:,}", where=path)
    if config is None:
        raise UnsupportedModel(
            "holds no model configuration", where=path, mend="save the whole model, not its weights only"
        )
    try:
        return json_values(config)
    except (ValueError, TypeError) as cause:
        raise UnsupportedModel(f"its configuration is damaged: {cause}", where=path) from cause


def _stated(file: h5py.File) -> int:
    """Bytes of all arrays in a file, written or not."""
    sizes: list[int] = []

    def add(_: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            sizes.append(int(found.size or 0) * int(found.dtype.itemsize))

    file.visititems(add)
    return sum(sizes)


def _check(config: Any, path: Path) -> None:
    for found in _objects(config):
        _refuse_code(found, path)
        _refuse_size(found, path)


def _refuse_code(found: dict[str, Any], path: Path) -> None:
    if found.get("class_name") in _CODE_LAYERS:
        raise UnsupportedModel(
            f"layer {_name(found)!r} is a {found['class_name']}, which carries code and is not executed",
            where=path,
            mend="replace it by ordinary layers",
        )


def _refuse_size(found: dict[str, Any], path: Path) -> None:
    """Keras makes a layer's weights before it looks for them in the file."""
    inner = found.get("config")
    if not isinstance(inner, dict):
        return
    shapes = (inner.get(key) or () for key in ("batch_shape", "batch_input_shape"))
    axes = [size for shape in shapes if isinstance(shape, list) for size in shape]
    for size in (inner.get("units"), inner.get("filters"), *axes):
        if isinstance(size, int) and size > MODEL_UNITS:
            raise UnsupportedModel(
                f"layer {_name(found)!r} has {size:,} values on one axis, more than {MODEL_UNITS:,}",
                where=path,
            )


def _name(found: dict[str, Any]) -> str:
    inner = found.get("config")
    return str(inner.get("name", "?")) if isinstance(inner, dict) else "?"


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


_UNKNOWN_CLASS = re.compile(
    r"(?:Could not locate class|Unknown layer:|Unknown object:|Could not (?:interpret|deserialize) class) '?(?P<name>[\w.>]+)"
)


_UNFIT = re.compile(r"mismatch|objects could not be loaded|expected \d+ variables")
"""In what Keras says of weights of another architecture."""


def _load(path: Path, where: Path) -> keras.Model:
    """The model in the file ``path``, which the user calls ``where``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of optimizer slots and input names of old files
            model = keras.models.load_model(
                path, custom_objects=custom_objects(), compile=False, safe_mode=True
            )
    except _DAMAGE as cause:
        raise _unloadable(cause, where) from cause
    if not isinstance(model, keras.Model):
        raise UnsupportedModel(f"holds a {type(model).__name__}, not a model", where=where)
    return model


def _unloadable(cause: Exception, where: Path) -> UnsupportedModel:
    """What Keras said of a file, and the mend where a class is missing."""
    reason = " ".join(str(cause).split())
    unknown = _UNKNOWN_CLASS.search(reason)
    if unknown is None and _UNFIT.search(reason):
        mend = "take the weights that were saved with this architecture"
        return UnsupportedModel(f"its weights do not fit its layers: {reason[:300]}", where=where, mend=mend)
    if unknown is None:
        return UnsupportedModel(f"cannot be loaded: {type(cause).__name__}: {reason[:300]}", where=where)
    name = unknown["name"].rpartition(">")[2]
    return UnsupportedModel(
        f"holds a {name}, a class that neither Keras nor a front-end has",
        where=where,
        mend=f"name its module before the command: pquant-hls --custom MODULE:{name} ...",
    )


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
        calls = [call for call in getattr(model, "operations", ()) if not isinstance(call, keras.Layer)]
        _refuse_operations([type(call).__name__ for call in calls], path, OutputError)
    try:
        with replacing(path) as made, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls .h5 old; it is asked for on purpose
            model.save(made)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause}", where=path) from cause
    return path
