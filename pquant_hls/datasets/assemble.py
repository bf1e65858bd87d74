"""Named arrays, from whatever file or function, turned into a Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets.labels import Place, class_numbers
from pquant_hls.datasets.records import SPLITS, About, Dataset, Inputs, Origin, Part, Split, ZeroBias
from pquant_hls.datasets.split import SHARES, split_rows
from pquant_hls.errors import DataError

Array = npt.NDArray[Any]

KEYS_MEND = "name the arrays x and y, or x_train, y_train, x_val, y_val, x_test and y_test"
UNSPLIT = "all"
VALIDATION_SHARES = (0.8, 0.2)
"""Shares kept for training and taken for validation where a split set brings no validation events."""


ZERO_BIAS, ZERO_BIAS_HZ = "x_zero_bias", "zero_bias_hz"
RESERVED = frozenset(
    {"line", "notes", "classes", "class_names", "features", "feature_names", ZERO_BIAS, ZERO_BIAS_HZ}
)
"""Keys beside the arrays; ``line`` is that of the first event in a text, ``notes`` what its reader left out."""


def assemble(arrays: Mapping[str, Any], *, name: str, where: str, seed: int) -> Dataset:
    """A Dataset of arrays named x and y (then split by `seed`), or x_train, y_train, x_test, ...

    Names are read without regard to case. `classes` (or `class_names`) and `features` (or `feature_names`)
    are optional names; without any y there are no labels. `x_zero_bias` are events without a trigger and
    `zero_bias_hz` the rate of all of them together, which trigger rates are read from. Other arrays are not
    used, and `meta["notes"]` says so. Raises DataError where arrays are missing, are not numbers, or differ in
    length.
    """
    given = {key.lower(): value for key, value in arrays.items()}
    classes, features = _names(given, "classes", "class_names"), _names(given, "features", "feature_names")
    if "x_train" in given:
        parts = _given_parts(given, where)
    elif "x" in given:
        parts = {UNSPLIT: (_inputs(given["x"], "x", where), _optional(given, "y"))}
    else:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"holds no x; found {found}", where=where, mend=KEYS_MEND)
    unit, first = ("line", int(given["line"])) if "line" in given else ("row", 0)
    labelled, numbered = _number_labels(parts, classes, where, lambda row: f"{unit} {row + first}")
    split, rows = _in_three(labelled, seed)
    notes = (*given.get("notes", ()), *_unused(given, parts))
    meta = {"source": where, **({"notes": notes} if notes else {})}
    about = About(
        numbered, features or (), name, meta, Origin(rows, unit, first), _zero_bias(given, split, where)
    )
    return Dataset.from_parts(split, about)


def _zero_bias(given: Mapping[str, Any], parts: Mapping[Split, Part], where: str) -> ZeroBias | None:
    """The zero-bias sample; DataError for one without its rate, or of another shape than the inputs."""
    if ZERO_BIAS not in given and ZERO_BIAS_HZ not in given:
        return None
    for key, other in ((ZERO_BIAS, ZERO_BIAS_HZ), (ZERO_BIAS_HZ, ZERO_BIAS)):
        if key not in given:
            raise DataError(f"holds {other} but no {key}", where=where, mend="a rate needs both")
    x, rate = _inputs(given[ZERO_BIAS], ZERO_BIAS, where), np.asarray(given[ZERO_BIAS_HZ])
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not (np.isfinite(rate) & (rate > 0)).all():
        raise DataError(f"{ZERO_BIAS_HZ} is {rate.tolist()}, not one rate in Hz above 0", where=where)
    shape = parts["train"][0].shape[1:]
    if x.shape[1:] != shape or not len(x):
        raise DataError(f"{ZERO_BIAS} has shape {x.shape}, the inputs are (events, {shape})", where=where)
    if not np.isfinite(x).all():
        raise DataError(f"{ZERO_BIAS} holds NaN or infinity", where=where)
    return ZeroBias(x, float(rate.reshape(())))


def _unused(given: Mapping[str, Any], parts: Mapping[str, Any]) -> list[str]:
    """Arrays that nothing reads, in words; sample weights are the usual ones."""
    used = {"x", "y"} if UNSPLIT in parts else {f"{axis}_{which}" for axis in "xy" for which in SPLITS}
    found = sorted(set(given) - used - RESERVED)
    weights = [
        key for key in found if key in {"w", "weight", "weights", "sample_weight"} or key.startswith("w_")
    ]
    others = [key for key in found if key not in weights]
    told = [f"{', '.join(weights)}: event weights are not used, every event counts alike"] if weights else []
    return told + ([f"{', '.join(others)}: not read, no array of this name is known"] if others else [])


def _given_parts(given: Mapping[str, Any], where: str) -> dict[str, tuple[Inputs, Array | None]]:
    if "x_test" not in given:
        raise DataError("holds x_train but no x_test", where=where, mend=KEYS_MEND)
    present = [which for which in SPLITS if f"x_{which}" in given]
    parts: dict[str, tuple[Inputs, Array | None]] = {
        which: (_inputs(given[f"x_{which}"], f"x_{which}", where), _optional(given, f"y_{which}"))
        for which in present
    }
    unlabelled = [which for which in present if parts[which][1] is None]
    if 0 < len(unlabelled) < len(present):
        raise DataError(f"holds labels for some splits but no y_{unlabelled[0]}", where=where, mend=KEYS_MEND)
    return parts


def _number_labels(
    parts: Mapping[str, tuple[Inputs, Array | None]], classes: Sequence[str] | None, where: str, place: Place
) -> tuple[dict[str, Part], tuple[str, ...]]:
    """The parts with class numbers for labels: numbered over all parts together, so that names agree."""
    for which, (x, y) in parts.items():
        if y is not None and len(x) != len(y):
            suffix = "" if which == UNSPLIT else f"_{which}"
            raise DataError(f"x{suffix} has {len(x)} events but y{suffix} has {len(y)} labels", where=where)
    labels = [y for _, y in parts.values() if y is not None]
    if not labels:
        return {which: (x, None) for which, (x, _) in parts.items()}, tuple(classes or ())
    if len({y.shape[1:] for y in labels}) > 1:
        raise DataError(f"labels differ in shape: {[y.shape for y in labels]}", where=where)
    ends = np.cumsum([len(y) for y in labels])[:-1]
    if UNSPLIT not in parts:
        place = _place_in(list(parts), [len(y) for y in labels])
    numbers, names = class_numbers(np.concatenate(labels), classes, where, place)
    numbered = zip(parts.items(), np.split(numbers, ends), strict=True)
    return {which: (x, chunk) for (which, (x, _)), chunk in numbered}, names


def _place_in(names: Sequence[str], sizes: Sequence[int]) -> Place:
    """The row of one of several arrays, by its number in all of them together."""
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def place(row: int) -> str:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return f"row {row - int(starts[part])} of y_{names[part]}"

    return place


Rows = dict[Split, npt.NDArray[np.int64]]


def _in_three(parts: Mapping[str, Part], seed: int) -> tuple[dict[Split, Part], Rows]:
    """Three parts, and for each event its row in the array it was given in."""
    if UNSPLIT in parts:
        return _divide(parts[UNSPLIT], seed, SHARES)
    rows: Rows = {which: np.arange(len(parts[which][0])) for which in SPLITS if which in parts}
    if "val" in parts:
        return {which: parts[which] for which in SPLITS}, rows
    divided, shares = _divide(parts["train"], seed, VALIDATION_SHARES)
    return divided | {"test": parts["test"]}, rows | shares


def _divide(part: Part, seed: int, shares: tuple[float, ...]) -> tuple[dict[Split, Part], Rows]:
    x, y = part
    rows = split_rows(len(x), y, seed, shares)
    return {which: (x[chosen], None if y is None else y[chosen]) for which, chosen in rows.items()}, rows


def _inputs(value: Any, key: str, where: str) -> Inputs:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{key} holds {array.dtype}, not numbers", where=where)
    if array.ndim < 2:
        mend = "inputs are (events, features...)"
        raise DataError(f"{key} has shape {array.shape}", where=where, mend=mend)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, which check_dataset reports
        return array.astype(np.float32)


def _optional(given: Mapping[str, Any], key: str) -> Array | None:
    return None if given.get(key) is None else np.asarray(given[key])


def _names(given: Mapping[str, Any], *keys: str) -> tuple[str, ...] | None:
    for key in keys:
        if given.get(key) is not None:
            return tuple(str(name) for name in np.asarray(given[key]).reshape(-1))
    return None
