"""Named arrays, from whatever file or function, turned into a Dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets import several
from pquant_hls.datasets.beside import (
    SIGNAL,
    UNSPLIT,
    WEIGHTS,
    ZERO_BIAS,
    ZERO_BIAS_HZ,
    Rows,
    event_weights,
    read_inputs,
    signals_of,
    zero_bias_of,
)
from pquant_hls.datasets.labels import Place, read_labels
from pquant_hls.datasets.records import SPLITS, About, Dataset, Origin, Part, Split
from pquant_hls.datasets.several import Several
from pquant_hls.datasets.split import SHARES, split_rows
from pquant_hls.errors import DataError

Array = npt.NDArray[Any]

KEYS_MEND = (
    "name the arrays x and y, or x_train, y_train, x_val, y_val, x_test and y_test; of several inputs x.NAME"
)
VALIDATION_SHARES = (0.8, 0.2)
"""Shares kept for training and taken for validation where a split set brings no validation events."""

TOLD = ("task", "unit")
GROUPED = re.compile(
    r"(?P<base>[xy](?:_(?:train|val|test|zero_bias|signal))?|task|unit)[./](?P<name>.+)", re.IGNORECASE
)
"""``x.jets``, ``y_train/pt``: one of several inputs, outputs or signal samples, by name."""
RESERVED = frozenset(
    {
        *("line", "notes", "classes", "class_names", "features", "feature_names"),
        *(ZERO_BIAS, ZERO_BIAS_HZ, SIGNAL, *TOLD),
    }
)
"""Keys beside the arrays; ``line`` is that of the first event in a text, ``notes`` what its reader left out."""
VALUES = {"regression": True, "flags": True, "autoencoder": True, "classes": False}
"""Tasks whose labels are values, or class numbers, however they look."""


def assemble(arrays: Mapping[str, Any], *, name: str, where: str, seed: int) -> Dataset:
    """A Dataset of arrays named x and y (then split by `seed`), or x_train, y_train, x_test, ...

    Names are read without regard to case. Several inputs or outputs are a list or a mapping of arrays, or arrays named
    ``x.jets``, ``x.scalars``, ``y.pt``. `classes` (or `class_names`) and `features` (or `feature_names`)
    are optional names; without any y there are no labels. `w` (or w_train, ...) are event weights. `x_zero_bias` are
    events without a trigger and `zero_bias_hz` the rate of all of them together, which trigger rates are read from;
    ``x_signal.<name>`` are samples that an anomaly detector should find. `task` and `unit` are texts, or mappings by
    output. Other arrays are not used, and `meta["notes"]` says so. Raises DataError where arrays are missing, are not
    numbers, or differ in length.
    """
    given = _gathered(arrays)
    classes, features = _names(given, "classes", "class_names"), _names(given, "features", "feature_names")
    if "x_train" in given:
        parts = _given_parts(given, where)
    elif "x" in given:
        parts = {UNSPLIT: (read_inputs(given["x"], "x", where), _optional(given, "y"))}
    else:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"holds no x; found {found}", where=where, mend=KEYS_MEND)
    unit, first = ("line", int(given["line"])) if "line" in given else ("row", 0)
    told = _told(given, "task")
    labelled, numbered = _read_all(parts, classes, where, (lambda row: f"{unit} {row + first}", told))
    split, rows = _in_three(labelled, seed)
    notes = (*given.get("notes", ()), *_unused(given, parts))
    meta = {"source": where, **({"notes": notes} if notes else {})}
    about = About(
        numbered,
        features or (),
        name,
        meta,
        Origin(rows, unit, first),
        zero_bias_of(given, split, where),
        signals_of(given, split, where),
        event_weights(given, parts, rows, where),
        told,
        _told(given, "unit"),
    )
    return Dataset.from_parts(split, about)


def _gathered(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name in lower case; those of a group, such as ``x.jets``, together under the group's."""
    found: dict[str, Any] = {}
    for key, value in arrays.items():
        grouped = GROUPED.fullmatch(key)
        if grouped is None:
            found[key.lower()] = value
        else:
            found.setdefault(grouped["base"].lower(), {})[grouped["name"]] = value
    return found


def _told(given: Mapping[str, Any], key: str) -> str | dict[str, str]:
    """A text, or texts by output."""
    value = given.get(key)
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return {str(name): str(np.asarray(text).reshape(-1)[0]) for name, text in value.items()}
    return str(np.asarray(value).reshape(-1)[0])


def _unused(given: Mapping[str, Any], parts: Mapping[str, Any]) -> list[str]:
    """Arrays that nothing reads, in words."""
    split = "" if UNSPLIT in parts else "_"
    endings = [""] if UNSPLIT in parts else list(SPLITS)
    used = {f"{base}{split}{end}" for base in ("x", "y", *WEIGHTS) for end in endings}
    found = sorted(set(given) - used - RESERVED)
    return [f"{', '.join(found)}: not read, no array of this name is known"] if found else []


def _given_parts(given: Mapping[str, Any], where: str) -> dict[str, Part]:
    if "x_test" not in given:
        raise DataError("holds x_train but no x_test", where=where, mend=KEYS_MEND)
    present = [which for which in SPLITS if f"x_{which}" in given]
    parts: dict[str, Part] = {
        which: (read_inputs(given[f"x_{which}"], f"x_{which}", where), _optional(given, f"y_{which}"))
        for which in present
    }
    unlabelled = [which for which in present if parts[which][1] is None]
    if 0 < len(unlabelled) < len(present):
        raise DataError(f"holds labels for some splits but no y_{unlabelled[0]}", where=where, mend=KEYS_MEND)
    return parts


def _read_all(
    parts: Mapping[str, Part],
    classes: Sequence[str] | None,
    where: str,
    how: tuple[Place, str | Mapping[str, str]],
) -> tuple[dict[str, Part], tuple[str, ...]]:
    """The parts with labels read, each output's over all parts together, so that names agree. ``how`` : the name of a
    row, and the task that the data tell."""
    for which, (x, y) in parts.items():
        suffix = "" if which == UNSPLIT else f"_{which}"
        events = several.events_in(x, f"x{suffix}")
        for name, labels in several.named_arrays(y) if y is not None else ():
            if len(labels) != events:
                called = f"y{suffix}{f'.{name}' if name else ''}"
                raise DataError(
                    f"x{suffix} has {events} events but {called} has {len(labels)} labels", where=where
                )
    given = {which: y for which, (_, y) in parts.items() if y is not None}
    if not given:
        return {which: (x, None) for which, (x, _) in parts.items()}, tuple(classes or ())
    first = next(iter(given.values()))
    if any(
        [name for name, _ in several.named_arrays(y)] != [name for name, _ in several.named_arrays(first)]
        for y in given.values()
    ):
        raise DataError("labels are of other outputs in one split than in another", where=where)
    read = {name: _read(name, given, classes, (where, *how)) for name, _ in several.named_arrays(first)}
    ys = {which: _rebuilt(first, {name: found[0][which] for name, found in read.items()}) for which in given}
    names = next(iter(read.values()))[1] if len(read) == 1 else tuple(classes or ())
    return {which: (x, ys[which]) for which, (x, _) in parts.items()}, names


def _rebuilt(like: Several, found: Mapping[str, Array]) -> Several:
    if isinstance(like, Mapping):
        return dict(found)
    return list(found.values()) if several.is_several(like) else found[""]


def _read(
    name: str,
    given: Mapping[str, Several],
    classes: Sequence[str] | None,
    how: tuple[str, Place, str | Mapping[str, str]],
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Labels of one output in all parts, and the names of its classes."""
    where, place, told = how
    labels = {which: dict(several.named_arrays(y))[name] for which, y in given.items()}
    shapes = [np.shape(y)[1:] for y in labels.values()]
    if len(set(shapes)) > 1:
        raise DataError(f"labels differ in shape: {[np.shape(y) for y in labels.values()]}", where=where)
    if UNSPLIT not in given:
        place = _place_in(list(labels), [len(y) for y in labels.values()])
    task = told if isinstance(told, str) else told.get(name, "")
    own = classes if not name else None
    whole = np.concatenate([np.asarray(y) for y in labels.values()])
    numbers, names = read_labels(
        whole, own, f"{where}: y.{name}" if name else where, place, values=VALUES.get(task)
    )
    ends = np.cumsum([len(y) for y in labels.values()])[:-1]
    return dict(zip(labels, np.split(numbers, ends), strict=True)), names


def _place_in(names: Sequence[str], sizes: Sequence[int]) -> Place:
    """The row of one of several arrays, by its number in all of them together."""
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def place(row: int) -> str:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return f"row {row - int(starts[part])} of y_{names[part]}"

    return place


def _in_three(parts: Mapping[str, Part], seed: int) -> tuple[dict[Split, Part], Rows]:
    """Three parts, and for each event its row in the array it was given in."""
    if UNSPLIT in parts:
        return _divide(parts[UNSPLIT], seed, SHARES)
    rows: Rows = {which: np.arange(several.events_in(parts[which][0])) for which in SPLITS if which in parts}
    if "val" in parts:
        return {which: parts[which] for which in SPLITS}, rows
    divided, shares = _divide(parts["train"], seed, VALIDATION_SHARES)
    return divided | {"test": parts["test"]}, rows | shares


def _divide(part: Part, seed: int, shares: tuple[float, ...]) -> tuple[dict[Split, Part], Rows]:
    """The shares hold within each class of the (first) output that has classes."""
    x, y = part
    labels = [] if y is None else [array for array in several.arrays_of(y) if array.dtype.kind in "iu"]
    rows = split_rows(several.events_in(x), labels[0] if labels else None, seed, shares)
    return {
        which: (several.take_rows(x, chosen), None if y is None else several.take_rows(y, chosen))
        for which, chosen in rows.items()
    }, rows


def _optional(given: Mapping[str, Any], key: str) -> Any:
    value = given.get(key)
    if value is None:
        return None
    parts: dict[str, Any] = dict(several.named_arrays(value)) if several.is_several(value) else {}
    if missing := [name for name, part in parts.items() if part is None]:
        raise DataError(f"{key}.{missing[0]} is None", mend="give labels for every output, or for none")
    if isinstance(value, list | tuple) and not all(hasattr(part, "shape") for part in value):
        return np.asarray(value)
    return several.change_each(value, np.asarray) if several.is_several(value) else np.asarray(value)


def _names(given: Mapping[str, Any], *keys: str) -> tuple[str, ...] | None:
    for key in keys:
        if given.get(key) is not None:
            return tuple(str(name) for name in np.asarray(given[key]).reshape(-1))
    return None
