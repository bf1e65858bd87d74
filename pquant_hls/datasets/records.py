"""The record every room above reads: the arrays of three splits, what belongs to them, and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pquant_hls.datasets import several
from pquant_hls.datasets.several import Several

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

Inputs = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Part = tuple[Any, Any]
"""Inputs and labels of a split (None: none), each an array, a list, or a dict by name."""


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

    x: Several
    hz: float


class About(NamedTuple):
    """What belongs to a data set beside its arrays; fields as in Dataset."""

    classes: tuple[str, ...]
    features: tuple[str, ...]
    name: str
    meta: Mapping[str, Any]
    origin: Origin | None = None
    zero_bias: ZeroBias | None = None
    signals: Mapping[str, Several] = MappingProxyType({})
    weights: Mapping[Split, npt.NDArray[np.float64]] = MappingProxyType({})
    task: str | Mapping[str, str] = ""
    unit: str | Mapping[str, str] = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels in three splits.

    x_* : float32 (events, ...), in the scale the model was or will be trained on; of several inputs a list in the model's
    order, or a dict by input name.
    y_* : int64 (events,), class numbers from 0; or float32 (events,) or (events, k), values to be met or 0/1 flags; of
    several outputs a list or a dict of these; None in all splits where there are no labels.
    classes : names by class number, or of the columns of flags. features : names of the last axis of x; empty where
    unknown.
    meta : origin of the data; not part of the digest. ``meta["notes"]``, where it is there, says in words what
    of a file was left out or read otherwise than written. origin : the file's row of each event, where known.
    zero_bias : a sample that trigger rates are read from. signals : samples of what an anomaly detector should find, by
    name. weights : float64 (events,) by split, of training and of every figure. task : what is asked of the outputs, for
    all or by name (docs/tasks.md); empty: found from labels and model. unit : of values to be met, for all or by output.
    """

    x_train: Any
    y_train: Any
    x_val: Any
    y_val: Any
    x_test: Any
    y_test: Any
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    origin: Origin | None = None
    zero_bias: ZeroBias | None = None
    signals: Mapping[str, Several] = field(default_factory=lambda: MappingProxyType({}))
    weights: Mapping[Split, npt.NDArray[np.float64]] = field(default_factory=lambda: MappingProxyType({}))
    task: str | Mapping[str, str] = ""
    unit: str | Mapping[str, str] = ""
    targets: tuple[str, ...] = ()
    """What each output is trained towards, once a model is known: ``train.tasks.fitted`` fills it in."""
    given: str = ""
    """The digest of the data that these were made from, where a model's task changed them."""

    @classmethod
    def from_parts(cls, parts: Mapping[Split, Part], about: About) -> Dataset:
        """A Dataset of (x, y) by split."""
        (x_train, y_train), (x_val, y_val), (x_test, y_test) = parts["train"], parts["val"], parts["test"]
        return cls(x_train, y_train, x_val, y_val, x_test, y_test, *about)

    def split(self, which: Split) -> Part:
        """Inputs and labels of one split."""
        return getattr(self, f"x_{which}"), getattr(self, f"y_{which}")

    @property
    def w_train(self) -> npt.NDArray[np.float64] | None:
        """Weights of the training events; None: every event counts alike."""
        return self.weights.get("train")

    @property
    def w_val(self) -> npt.NDArray[np.float64] | None:
        """Weights of the validation events."""
        return self.weights.get("val")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the (first) input of one event, without the batch axis."""
        return tuple(int(size) for size in several.event_shapes(self.x_train)[0])

    def events(self, which: Split) -> int:
        """Number of events of a split."""
        return several.events_in(self.split(which)[0], f"x_{which}")

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
        if self.given:
            return self.given
        sha = hashlib.sha256(repr((self.classes, self.features)).encode())
        for name, array in self._arrays():
            sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
            for start in range(0, max(1, len(array)), CHUNK):
                sha.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
        if self.task or self.unit:
            sha.update(repr((_plain(self.task), _plain(self.unit))).encode())
        return sha.hexdigest()

    def _arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        for which in SPLITS:
            x, y = self.split(which)
            yield from _called(f"x_{which}", x)
            if y is not None:
                yield from _called(f"y_{which}", y)
            if which in self.weights:
                yield f"w_{which}", self.weights[which]
        if self.zero_bias is not None:
            yield from _called(f"x_zero_bias {self.zero_bias.hz!r}", self.zero_bias.x)
        for signal, x in self.signals.items():
            yield from _called(f"signal {signal}", x)


CHUNK = 65_536
"""Events that are read at once where all of an array must be seen, which may lie on disk."""


def _called(name: str, given: Several) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    yield from ((f"{name}.{part}" if part else name, array) for part, array in several.named_arrays(given))


def _plain(told: str | Mapping[str, str]) -> Any:
    return told if isinstance(told, str) else sorted(told.items())
