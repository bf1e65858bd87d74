"""The jets that ship with the package, and the public set that they stand in for."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.labels import class_numbers
from pquant_hls.datasets.records import SPLITS, About, Dataset
from pquant_hls.errors import DataError

BUNDLED = "lhc_jets"
OPENML_PREFIX = "openml:"
TUTORIAL_SEED = 42  # of the split that the public set is always quoted with


def load_lhc_jets() -> Dataset:
    """The bundled jets: 16 observables, standardised with mean and width of the training split; 5 classes.

    The split is fixed in the file. `meta` holds the file's own description and, in the units it names, the
    `mean` and `scale` that undo the standardisation: observable = x * scale + mean.
    """
    file = Path(str(resources.files("pquant_hls.datasets") / f"{BUNDLED}.npz"))
    with np.load(file, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    x, y, split = arrays["x"].astype(np.float64), arrays["y"].astype(np.int64), arrays["split"]
    mean, scale = _standardisation(x[split == 0])
    x32 = ((x - mean) / scale).astype(np.float32)
    parts = {which: (x32[split == code], y[split == code]) for code, which in enumerate(SPLITS)}
    meta = json.loads(str(arrays["meta"])) | {"mean": mean.tolist(), "scale": scale.tolist()}
    about = About(_texts(arrays["class_names"]), _texts(arrays["feature_names"]), BUNDLED, meta)
    return Dataset.from_parts(parts, about)


def load_openml(name: str) -> Dataset:
    """A classification set of openml.org, e.g. the 830,000 real jets of `hls4ml_lhc_jets_hlf`.

    Split and standardised as the hls4ml tutorial does: a random fifth with seed 42 for the test, the last
    quarter of the rest for validation; mean and width are those of everything but the test. Raises DataError
    where the set cannot be fetched.
    """
    where = f"{OPENML_PREFIX}{name}"
    bunch = _fetch(name, where)
    numbers, classes = class_numbers(np.asarray(bunch["target"]), None, where)
    from sklearn.model_selection import train_test_split

    x = np.asarray(bunch["data"], dtype=np.float64)
    x_rest, x_test, y_rest, y_test = train_test_split(x, numbers, test_size=0.2, random_state=TUTORIAL_SEED)
    mean, scale = _standardisation(x_rest)
    last = int(0.75 * len(x_rest))
    raw = ((x_rest[:last], y_rest[:last]), (x_rest[last:], y_rest[last:]), (x_test, y_test))
    scaled = [(((x - mean) / scale).astype(np.float32), labels) for x, labels in raw]
    parts = dict(zip(SPLITS, scaled, strict=True))
    meta = {"source": where, "mean": mean.tolist(), "scale": scale.tolist()}
    return Dataset.from_parts(parts, About(classes, _texts(bunch["feature_names"]), where, meta))


def _fetch(name: str, where: str) -> Any:
    from sklearn.datasets import fetch_openml

    try:
        return fetch_openml(name, version="active", as_frame=False, parser="auto")
    except ImportError as error:
        mend = "pip install 'pquant_hls[data]'"
        raise DataError("reading OpenML needs pandas", where=where, mend=mend) from error
    except (OSError, ValueError) as error:  # no network, and OpenML's own refusals
        raise DataError(
            f"could not be fetched: {str(error).strip() or type(error).__name__}",
            where=where,
            mend=f"check the network and the name, or use the bundled '{BUNDLED}'",
        ) from error


def _standardisation(x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and width of each column of x (events, features); a constant column has width 1."""
    width = x.std(axis=0)
    return x.mean(axis=0), np.where(width > 0.0, width, 1.0)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
