"""The simulated trigger set that ships with the package: zero-bias crossings and signals, as object collections and scalars."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.records import SPLITS, About, Dataset, ZeroBias
from pquant_hls.errors import DataError

TRIGGERS = "triggers"
PREFIX = "bundled:"
COLLECTIONS = ("muons", "electrons", "jets", "scalars")
PT_UNIT_GEV, ETA_UNIT = 32.0, 2.5
"""What momenta and pseudorapidities are divided by; angles by pi."""
SHARES = (0.6, 0.8)
RATE_FROM = 1_800
"""Zero-bias crossings in front of this one are trained on, those behind it tell rates."""
JET_PT, DEEP, HEADS = "jet_pt", "top_or_zero_bias", "id_and_jet_pt"
Arrays = Mapping[str, npt.NDArray[np.float32]]


def load_triggers(kind: str) -> Dataset:
    """One reading of the set, by what stands behind ``bundled:``.

    - ``triggers``: collections of muons (4, 3), electrons (4, 3) and jets (6, 3), each pt, eta, phi, and scalars (3,): missing
      energy, its angle, sum of jets. No labels; every signal, and a zero-bias sample for rates.
    - ``triggers:flat``: the same in one row (45,), for an autoencoder.
    - ``triggers:jet_pt``: a regression: the true pt (GeV) of the leading jet from the two leading jets and the scalars (9,), on
      signals and crossings with a jet; zero bias for rates.
    - ``triggers:id_and_jet_pt``: the same inputs, for two heads: ``id``, the process (zero bias or a signal), and ``pt`` (GeV).
    - ``triggers:top_or_zero_bias``: classes from the jets alone (6, 3), for a deep set.

    Momenta are in units of 32 GeV, eta of 2.5, angles of pi. ``meta`` holds the file's own description.

    Raises
    ------
    DataError : no such reading.
    """
    if kind not in _READINGS:
        known = ", ".join(f"{PREFIX}{name}" for name in _READINGS)
        raise DataError(f"no bundled data set {kind!r}", where=f"{PREFIX}{kind}", mend=f"one of {known}")
    file = Path(str(resources.files("pquant_hls.datasets") / f"{TRIGGERS}.npz"))
    with np.load(file, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return _READINGS[kind](arrays, json.loads(str(arrays["meta"])))


def _scaled(arrays: Arrays, process: str, rows: slice = slice(None)) -> dict[str, npt.NDArray[np.float32]]:
    """The collections of a process in the network's units."""
    units = dict.fromkeys(COLLECTIONS, (PT_UNIT_GEV, ETA_UNIT, np.pi))
    units["scalars"] = (PT_UNIT_GEV, np.pi, PT_UNIT_GEV)
    return {
        name: (arrays[f"{process}.{name}"][rows] / np.array(units[name])).astype(np.float32)
        for name in COLLECTIONS
    }


def _flat(parts: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return np.concatenate([part.reshape(len(part), -1) for part in parts.values()], axis=1)


def _dealt(x: Any, y: Any, about: About) -> Dataset:
    """In the file's order, which is random: 60, 20 and 20 %."""
    count = len(next(iter(x.values())) if isinstance(x, Mapping) else x)
    ends = [0, *(int(share * count) for share in SHARES), count]
    rows = [slice(low, high) for low, high in pairwise(ends)]

    def take(given: Any, part: slice) -> Any:
        if given is None:
            return None
        return (
            {name: array[part] for name, array in given.items()}
            if isinstance(given, Mapping)
            else given[part]
        )

    return Dataset.from_parts(
        {which: (take(x, part), take(y, part)) for which, part in zip(SPLITS, rows, strict=True)}, about
    )


def _hz(meta: Mapping[str, Any]) -> float:
    return float(meta["zero_bias_hz"])


def _anomaly(arrays: Arrays, meta: dict[str, Any], form: Callable[[Any], Any], name: str) -> Dataset:
    signals = {signal: form(_scaled(arrays, signal)) for signal in meta["signals"]}
    bias = ZeroBias(form(_scaled(arrays, "zero_bias", slice(RATE_FROM, None))), _hz(meta))
    about = About((), (), name, meta, zero_bias=bias, signals=MappingProxyType(signals))
    return _dealt(form(_scaled(arrays, "zero_bias", slice(RATE_FROM))), None, about)


def _leading(parts: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return np.concatenate([parts["jets"][:, :2].reshape(-1, 6), parts["scalars"]], axis=1)


def _jet_pt(arrays: Arrays, meta: dict[str, Any]) -> Dataset:
    x, _, truth, bias = _jets_and_truth(arrays, meta)
    about = About((), (), f"{TRIGGERS}:{JET_PT}", meta, zero_bias=bias, task="regression", unit="GeV")
    return _dealt(x, truth, about)


def _two_heads(arrays: Arrays, meta: dict[str, Any]) -> Dataset:
    x, process, truth, bias = _jets_and_truth(arrays, meta)
    classes = ("zero_bias", *meta["signals"])
    about = About(classes, (), f"{TRIGGERS}:{HEADS}", meta, zero_bias=bias, unit={"pt": "GeV"})
    return _dealt(x, {"id": process, "pt": truth}, about)


def _jets_and_truth(
    arrays: Arrays, meta: Mapping[str, Any]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float32], ZeroBias]:
    """Inputs (events, 9), the process' number and the leading jet's true pt in GeV (events,) where there is a jet, shuffled;
    zero bias."""
    processes = ("zero_bias", *meta["signals"])
    rows = {process: slice(RATE_FROM) if process == "zero_bias" else slice(None) for process in processes}
    x = np.concatenate([_leading(_scaled(arrays, process, rows[process])) for process in processes])
    truth = np.concatenate([arrays[f"{process}.truth"][rows[process], 2] for process in processes])
    counts = [len(arrays[f"{process}.truth"][rows[process]]) for process in processes]
    number = np.repeat(np.arange(len(processes)), counts)
    order = np.random.default_rng(0).permutation(np.flatnonzero((x[:, 0] > 0) & (truth > 0)))
    bias = ZeroBias(_leading(_scaled(arrays, "zero_bias", slice(RATE_FROM, None))), _hz(meta))
    return x[order], number[order], truth[order].astype(np.float32), bias


def _deep_set(arrays: Arrays, meta: dict[str, Any]) -> Dataset:
    signal, background = (
        _scaled(arrays, "ttbar")["jets"],
        _scaled(arrays, "zero_bias", slice(RATE_FROM))["jets"],
    )
    x = np.concatenate([background, signal])
    y = np.repeat(np.arange(2), [len(background), len(signal)])
    order = np.random.default_rng(0).permutation(len(x))
    bias = ZeroBias(_scaled(arrays, "zero_bias", slice(RATE_FROM, None))["jets"], _hz(meta))
    about = About(("zero_bias", "ttbar"), ("pt", "eta", "phi"), f"{TRIGGERS}:{DEEP}", meta, zero_bias=bias)
    return _dealt(x[order], y[order], about)


_READINGS: Mapping[str, Callable[[Arrays, dict[str, Any]], Dataset]] = {
    TRIGGERS: lambda arrays, meta: _anomaly(arrays, meta, dict, TRIGGERS),
    f"{TRIGGERS}:flat": lambda arrays, meta: _anomaly(arrays, meta, _flat, f"{TRIGGERS}:flat"),
    f"{TRIGGERS}:{JET_PT}": _jet_pt,
    f"{TRIGGERS}:{HEADS}": _two_heads,
    f"{TRIGGERS}:{DEEP}": _deep_set,
}
