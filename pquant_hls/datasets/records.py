"""The record every room above reads: six arrays, their classes and features, and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

Inputs = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Part = tuple[Inputs, Labels | None]


@dataclass(frozen=True, eq=False)
class Origin:
    """Where each event stood before the splits were made, so that an error names the user's own row.

    rows : int64 (events,) by split, counted from 0. unit, first : what users count, and the number of row 0
    (a text's ``line`` 2 behind a header).
    """

    rows: Mapping[Split, npt.NDArray[np.int64]]
    unit: str = "row"
    first: int = 0

    def place(self, which: Split, index: int) -> str:
        return f"{self.unit} {int(self.rows[which][index]) + self.first}"


class ZeroBias(NamedTuple):
    """Events as the beam gives them, taken without any trigger: what sets a trigger's rate.

    x : float32 (events, ...), as the inputs of the splits. hz : rate of all of them together, in Hz.
    """

    x: Inputs
    hz: float


class About(NamedTuple):
    """What belongs to a data set beside its arrays; fields as in Dataset."""

    classes: tuple[str, ...]
    features: tuple[str, ...]
    name: str
    meta: Mapping[str, Any]
    origin: Origin | None = None
    zero_bias: ZeroBias | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and class labels in three splits.

    x_* : float32 (events, ...), in the scale the model was or will be trained on.
    y_* : int64 (events,), class numbers from 0; None in all splits where there are no labels.
    classes : names by class number. features : names of the last axis of x; empty where unknown.
    meta : origin of the data; not part of the digest. ``meta["notes"]``, where it is there, says in words what
    of a file was left out or read otherwise than written. origin : the file's row of each event, where known.
    zero_bias : a sample that trigger rates are read from.
    """

    x_train: Inputs
    y_train: Labels | None
    x_val: Inputs
    y_val: Labels | None
    x_test: Inputs
    y_test: Labels | None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    origin: Origin | None = None
    zero_bias: ZeroBias | None = None

    @classmethod
    def from_parts(cls, parts: Mapping[Split, Part], about: About) -> Dataset:
        """A Dataset of (x, y) by split."""
        (x_train, y_train), (x_val, y_val), (x_test, y_test) = parts["train"], parts["val"], parts["test"]
        return cls(x_train, y_train, x_val, y_val, x_test, y_test, *about)

    def split(self, which: Split) -> Part:
        """Inputs and labels of one split."""
        return getattr(self, f"x_{which}"), getattr(self, f"y_{which}")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the input of one event, without the batch axis."""
        return tuple(int(size) for size in self.x_train.shape[1:])

    def place(self, which: Split, index: int) -> str:
        """The event as its user counts it, ``row 17`` or ``line 19``; by the split's own rows where unknown."""
        return f"row {index}" if self.origin is None else self.origin.place(which, index)

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the user's file was left out or read otherwise than written, in words."""
        return tuple(self.meta.get("notes", ()))

    def _repr_html_(self) -> str:
        """What a notebook shows: splits, shapes, classes and what of the file was left out."""
        from pquant_hls.qor.cards import card

        events = ", ".join(f"{len(self.split(which)[0]):,} {which}" for which in SPLITS)
        rows = [("events", events), ("input", " x ".join(map(str, self.sample_shape)))]
        rows += [("classes", ", ".join(self.classes))] if self.classes else []
        rows += [("features", ", ".join(self.features))] if self.features else []
        rows += (
            [("zero bias", f"{len(self.zero_bias.x):,} events, {self.zero_bias.hz:g} Hz")]
            if self.zero_bias
            else []
        )
        return card(f"data set {self.name}".strip(), [*rows, ("digest", self.digest[:12])], self.notes)

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 where there are no labels."""
        return len(self.classes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over names, types, shapes and bytes of all arrays, and class and feature names."""
        sha = hashlib.sha256(repr((self.classes, self.features)).encode())
        for name, array in self._arrays():
            sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def _arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        for which in SPLITS:
            x, y = self.split(which)
            yield f"x_{which}", x
            if y is not None:
                yield f"y_{which}", y
        if self.zero_bias is not None:
            yield f"x_zero_bias {self.zero_bias.hz!r}", self.zero_bias.x
