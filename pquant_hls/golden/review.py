"""Two firmwares beside each other: the review of a merge request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pquant_hls.csim import compiled
from pquant_hls.errors import GoldenError
from pquant_hls.golden.check import first_divergent
from pquant_hls.golden.compare import Decision, Mismatch, Rule, compare_outputs
from pquant_hls.golden.layout import changed_files, file_digests, open_project
from pquant_hls.golden.run import run_traced
from pquant_hls.golden.vectors import Arrays, input_vectors
from pquant_hls.hls import HlsProject, Port


@dataclass(frozen=True)
class Review:
    """What ``new`` does otherwise than ``old`` on ``count`` inputs.

    ``ports`` says in words which ports have other names, shapes or types. ``differing`` are the inputs (indices, sorted) on
    which an output value differs, ``worst_lsbs`` the largest difference in LSB of the old type. ``layer`` is the first one
    of those that both have which differs, on ``layer_inputs`` inputs; None where none does or none is alike. ``decision``
    and ``flipped`` are for a threshold: rates of both, and the inputs on which the decision is another.
    """

    old: str
    new: str
    count: int
    ports: tuple[str, ...]
    differing: tuple[int, ...]
    worst_lsbs: float
    mismatches: tuple[Mismatch, ...]
    layer: str | None
    layer_inputs: int
    changed: tuple[str, ...]
    decision: Decision | None = None
    flipped: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return not self.differing and not self.ports


def review(
    old: Path | HlsProject,
    new: Path | HlsProject,
    x: Arrays,
    *,
    decision: Rule | None = None,
    cache: Path | None = None,
    timeout_s: float = 600.0,
) -> Review:
    """Run csim of two firmwares on the same real inputs (n, *shape), one array for each port of ``old``.

    Parameters
    ----------
    decision : a rule of mode ``decision``, for the events that change sides of its threshold.

    Raises
    ------
    GoldenError : the two have other numbers of values at their ports.
    UnsupportedModel, ToolNotFound, ToolFailed, DataError : as ``record``.
    """
    sides = open_project(old), open_project(new)
    _check_sizes(*sides)
    inputs = input_vectors(sides[0].inputs, x)
    found, notes = [], []
    for side in sides:
        with compiled(side, cache, timeout_s) as library:
            found.append(run_traced(library, inputs, timeout_s))
            notes += [f"{side.path}: {note}" for note in library.notes]
    (before, layers), (after, others) = found
    plain = compare_outputs(before, after, Rule())
    judged = None if decision is None else compare_outputs(before, after, decision)
    layer, layer_inputs = first_divergent(layers, others)
    apart = sorted(set(layers) ^ set(others))
    if apart:
        notes.append(f"layers of one side only: {', '.join(apart)}")
    return Review(
        str(sides[0].path),
        str(sides[1].path),
        len(inputs[0].codes),
        tuple(_ports(*sides)),
        plain.wrong_inputs,
        plain.worst_lsbs,
        plain.mismatches,
        layer,
        layer_inputs,
        tuple(changed_files(file_digests(sides[0]), file_digests(sides[1]))),
        None if judged is None else judged.decision,
        () if decision is None else _flipped(before[0].values, after[0].values, decision),
        tuple(notes),
    )


def _flipped(before: np.ndarray, after: np.ndarray, rule: Rule) -> tuple[int, ...]:
    sides = [values.reshape(len(values), -1)[:, rule.channel] > rule.threshold for values in (before, after)]
    return tuple(np.flatnonzero(sides[0] != sides[1]).tolist())


def _check_sizes(old: HlsProject, new: HlsProject) -> None:
    for word, one, two in (("inputs", old.inputs, new.inputs), ("outputs", old.outputs, new.outputs)):
        sizes = [port.size for port in one], [port.size for port in two]
        if sizes[0] != sizes[1]:
            raise GoldenError(
                f"its {word} hold {sizes[1]} values, those of {old.path} {sizes[0]}",
                where=new.path,
                mend="two firmwares are compared where they take and give the same numbers",
            )


def _ports(old: HlsProject, new: HlsProject) -> Iterator[str]:
    for one, two in zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True):
        for word, before, after in _facts(one, two):
            if before != after:
                yield f"port {one.name}: {word} {before} is {after} now"


def _facts(one: Port, two: Port) -> Sequence[tuple[str, object, object]]:
    before, after = (None if port.type is None else port.type.text for port in (one, two))
    return [("shape", one.shape, two.shape), ("type", before, after)]
