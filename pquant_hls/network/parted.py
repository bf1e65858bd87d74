"""Models of other files: an architecture and its weights apart, and zips of Keras 2, each made an ordinary file first."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py

from pquant_hls.errors import UnsupportedModel
from pquant_hls.errors.bounds import CONFIG_BYTES, json_values

WEIGHTS = ("{stem}.weights.h5", "{stem}_weights.h5", "{stem}.h5", "{stem}_weights.hdf5", "weights.h5")
"""Where the weights of ``{stem}.json`` are looked for, in its folder."""


def weights_beside(path: Path) -> Path:
    """The file with the weights of an architecture in JSON.

    Raises
    ------
    UnsupportedModel : none of the usual names is there.
    """
    names = [name.format(stem=path.stem) for name in WEIGHTS]
    found = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
    if found is None:
        raise UnsupportedModel(
            "holds an architecture, and no weights lie beside it",
            where=path,
            mend=f"put them into {', '.join(names[:3])}",
        )
    return found


def architecture(path: Path) -> Any:
    """What a JSON file of ``model.to_json()`` holds.

    Raises
    ------
    UnsupportedModel : another file, or one larger than a configuration may be.
    """
    if path.stat().st_size > CONFIG_BYTES:
        raise UnsupportedModel(f"is larger than {CONFIG_BYTES:,} bytes", where=path)
    try:
        found = json_values(path.read_bytes())
    except (ValueError, TypeError) as cause:
        raise UnsupportedModel(f"is not JSON: {cause}", where=path) from cause
    if not isinstance(found, dict) or "class_name" not in found:
        raise UnsupportedModel("holds no model, as model.to_json() gives it", where=path)
    return found


def in_one_file(path: Path, weights: Path, folder: Path) -> Path:
    """One HDF5 file of an architecture and weights that ``save_weights`` of Keras 2 wrote, or that lie in a whole model.

    Raises
    ------
    UnsupportedModel : weights of another form.
    """
    made = folder / "model.h5"
    with h5py.File(weights, "r") as file, h5py.File(made, "w") as target:
        source = _by_layer(file)
        if source is None:
            raise UnsupportedModel("holds no weights by layer", where=weights)
        target.attrs["model_config"] = json.dumps(_as_in_hdf5(architecture(path)))
        for name in ("keras_version", "backend"):
            found = source.attrs.get(name, file.attrs.get(name))
            if found is not None:
                target.attrs[name] = found
        group = target.create_group("model_weights")
        for name, value in source.attrs.items():
            group.attrs[name] = value
        for name in source:
            source.copy(name, group)
    return made


def _as_in_hdf5(part: Any) -> Any:
    """A configuration as files of HDF5 have it: classes by their names alone, which Keras 3 reads as Keras 2's."""
    if isinstance(part, dict):
        left_out = ("module", "registered_name", "build_config") if "class_name" in part else ()
        return {key: _as_in_hdf5(value) for key, value in part.items() if key not in left_out}
    return [_as_in_hdf5(value) for value in part] if isinstance(part, list) else part


def is_by_layer(weights: Path) -> bool:
    """Whether a file holds weights in Keras 2's form, which names its layers: alone, or in a whole model."""
    try:
        with h5py.File(weights, "r") as file:
            return _by_layer(file) is not None
    except OSError as cause:
        raise UnsupportedModel(f"is not an HDF5 file: {cause}", where=weights) from cause


def _by_layer(file: h5py.File) -> h5py.Group | None:
    """The group whose attributes name the layers; None for none."""
    inner = file.get("model_weights")
    groups = [file, *([inner] if isinstance(inner, h5py.Group) else [])]
    return next((group for group in groups if "layer_names" in group.attrs), None)


def of_keras_2(path: Path, folder: Path, version: str) -> Path:
    """A zip of Keras 2 as an HDF5 file, which Keras 3 reads; by tf_keras, with nothing in it executed.

    Raises
    ------
    UnsupportedModel : tf_keras is not installed, or cannot load it, as with layers that are not its own.
    """
    mend = "save it there as .h5, which this stack reads"
    try:
        import tf_keras  # type: ignore[import-untyped]  # has no types
    except ImportError as cause:
        raise UnsupportedModel(f"was written by Keras {version}", where=path, mend=mend) from cause
    made = folder / "model.h5"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls .h5 old; it is asked for on purpose
            tf_keras.models.load_model(path, compile=False, safe_mode=True).save(made)
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
        AttributeError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as cause:
        said = " ".join(str(cause).split())[:200]
        raise UnsupportedModel(
            f"was written by Keras {version}, and cannot be read: {said}", where=path, mend=mend
        ) from cause
    return made
