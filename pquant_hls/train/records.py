"""What training reads and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.datasets.loaders import as_given, is_loader
from pquant_hls.errors import DataError
from pquant_hls.network.graph import calls
from pquant_hls.network.table import input_names, input_shapes, output_names, scored_names

Array = NDArray[Any]

FIELDS = ("x_train", "y_train", "x_val", "y_val")


class TrainingData(Protocol):
    """What training reads of a data set.

    Each x holds numbers (events, ...), read as float32; a list in the model's order for several inputs. Each y holds class
    numbers (events,), one-hot rows, 0/1 flags or values to be met, or None; for several outputs a list in the model's order
    or a dict by output name. ``w_train`` and ``w_val``, where they are there, are event weights (events,).
    """

    @property
    def x_train(self) -> Any: ...
    @property
    def y_train(self) -> Any: ...
    @property
    def x_val(self) -> Any: ...
    @property
    def y_val(self) -> Any: ...


@dataclass(frozen=True)
class Parts:
    """A data set put together from what was given; absent parts are None."""

    x_train: Any
    y_train: Any = None
    x_val: Any = None
    y_val: Any = None
    classes: tuple[str, ...] = ()
    w_train: Any = None
    w_val: Any = None
    targets: tuple[str, ...] = ()


def as_data(given: Any, model: keras.Model) -> TrainingData:
    """A data set as steps read it, checked against the model's inputs.

    ``given`` may be an object or a mapping with ``x_train`` and whatever else there is of ``y_train``,
    ``x_val``, ``y_val``, ``w_train``, ``w_val`` and ``classes``; a pair (x, y); inputs alone; or a loader of batches, such as
    ``tf.data.Dataset``, read once. Several inputs are a list in the
    model's order or a dict by input name; what comes back holds lists. An object that has all four and no
    dict comes back as it is.

    Raises DataError for anything else, no events, shapes that do not fit, and NaN or infinity;
    UnsupportedModel as ``calls`` does.
    """
    calls(model)
    data = _loaded(given, model) if _loads(given) else _gathered(given)
    for part in ("train", "val"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        if isinstance(x, Mapping):
            data = Parts(**{**_fields(data), f"x_{part}": inputs_of(model, x)})
        if isinstance(y, Mapping):
            data = Parts(**{**_fields(data), f"y_{part}": labels_by_output(model, y, f"y_{part}")})
        if part == "train" and x is None:
            raise DataError("no inputs", where="x_train")
        if part == "train" or not is_empty(x):
            _check_inputs(model, inputs_of(model, x), f"x_{part}")
    return data


def _loads(given: Any) -> bool:
    return not hasattr(given, "x_train") and is_loader(given)


def _loaded(given: Any, model: keras.Model) -> Parts:
    found = as_given(given, [1 + len(shape) for shape in input_shapes(model)], "data")
    return Parts(found.x, found.y, w_train=found.w)


def _gathered(given: Any) -> TrainingData:
    if isinstance(given, Mapping):
        named = "x_train" in given
        return Parts(**{key: given[key] for key in _KNOWN if key in given}) if named else Parts(given)
    if hasattr(given, "x_train"):
        complete = all(hasattr(given, name) for name in FIELDS)
        return given if complete else Parts(**_fields(given))
    if isinstance(given, tuple) and len(given) == 2:
        return Parts(*given)
    if not isinstance(given, list) and np.ndim(given) == 0:
        raise DataError(
            f"a {type(given).__name__} is not a data set",
            mend="give an object with x_train, y_train, x_val and y_val, a pair (x, y), or inputs alone",
        )
    return Parts(given)


_KNOWN = (*FIELDS, "classes", "w_train", "w_val", "targets")


def _fields(data: Any) -> dict[str, Any]:
    return {name: getattr(data, name) for name in _KNOWN if hasattr(data, name)}


def is_empty(x: Any) -> bool:
    """Whether a part of a data set is not there."""
    if x is None or isinstance(x, Mapping):
        return x is None
    parts = as_list(x)
    return not parts or parts[0].size == 0


def as_list(x: Any) -> list[Array]:
    """Inputs as a list of arrays, one for each input of the model."""
    try:
        return [np.asarray(part, np.float32) for part in (x if isinstance(x, list | tuple) else [x])]
    except (TypeError, ValueError) as cause:
        raise DataError(f"inputs are not numbers: {cause}") from cause


def inputs_of(model: keras.Model, x: Any) -> list[Array]:
    """Inputs in the model's order, float32; a dict is read by input name."""
    if not isinstance(x, Mapping):
        return as_list(x)
    names = input_names(model)
    if set(x) != set(names):
        raise DataError(f"inputs {', '.join(map(str, x))} for a model that reads {', '.join(names)}")
    return as_list([x[name] for name in names])


def labels_by_output(model: keras.Model, y: Any, where: str) -> list[Any]:
    """The labels of each output: a list in the model's order, a dict by name, or bare ones for one output.

    An output that is an activation may be named by the layer before it, so that labels fit a model before and
    after quantization. Raises DataError for a number or names of outputs that the model does not have.
    """
    names = output_names(model)
    if y is None:
        return [None] * len(names)
    if isinstance(y, Mapping):
        keys = [name if name in y else other for name, other in zip(names, scored_names(model), strict=True)]
        if set(y) != set(keys):
            raise DataError(
                f"labels for {', '.join(map(str, y))}, but the outputs are {', '.join(names)}",
                where=where,
                mend="give labels for every output by its name, or for none",
            )
        return [y[key] for key in keys]
    several = isinstance(y, list | tuple)
    if len(names) == 1:
        return [y[0] if several and len(y) == 1 and np.ndim(y[0]) > 0 else y]
    if not several or len(y) != len(names):
        given = f"{len(y)} sets" if several else "one set"
        raise DataError(
            f"{given} of labels for {len(names)} outputs",
            where=where,
            mend=f"give a list, or a dict by name: {', '.join(names)}",
        )
    return list(y)


def _check_inputs(model: keras.Model, given: list[Array], where: str) -> None:
    shapes = input_shapes(model)
    if len(shapes) != len(given):
        raise DataError(f"{len(given)} arrays for a model of {len(shapes)} inputs", where=where)
    for shape, part in zip(shapes, given, strict=True):
        found = part.shape[1:]
        if part.ndim == 0 or not fits(found, shape):
            raise DataError(f"events of shape {found} for an input of shape {shape}", where=where)
        if len(part) != len(given[0]):
            raise DataError(f"inputs of {len(given[0])} and of {len(part)} events", where=where)
        if not np.isfinite(part).all():
            bad = int((~np.isfinite(part)).sum())
            raise DataError(
                f"{bad} of {part.size} values are NaN or infinite",
                where=where,
                mend="remove those events or replace the values",
            )
    if len(given[0]) == 0:
        raise DataError("no events", where=where)


def fits(found: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    """Whether a shape is the wanted one; None stands for any size."""
    return len(shape) == len(found) and all(n in (None, m) for n, m in zip(shape, found, strict=True))


@dataclass(frozen=True)
class EpochReport:
    """One epoch. ``loss`` is the training loss; validation figures are None without labels; seconds of wall
    time.
    """

    epoch: int
    epochs: int
    loss: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingHistory:
    """All epochs, the one restored (0: the weights it started from), and whether the rare classes' floors
    hold.
    """

    epochs: tuple[EpochReport, ...]
    best_epoch: int
    floors: dict[int, float]
    floors_met: bool | None


Progress = Callable[[EpochReport], None]


@dataclass(frozen=True)
class HeldVariable:
    """A variable that is to end at certain values: ``project`` gives the allowed tensor nearest to a tensor of its shape."""

    variable: Any
    project: Callable[[Any], Any]


class Pressure(Protocol):
    """What a training pays beside its losses, and who watches it."""

    def penalty(self) -> Any:
        """Scalar tensor, added to the loss of every gradient step; traced once."""

    def before(self, epoch: int) -> None:
        """Called before each epoch, counted from 1."""

    def after(self, epoch: int, standing: tuple[float, float]) -> None:
        """Called after each epoch. ``standing``: what rare classes miss of their floors, negative, and the validation
        score, higher is better; by them the best epoch is chosen."""
