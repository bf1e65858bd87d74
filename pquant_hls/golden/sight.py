"""What a golden cannot see: outputs that never move, inputs that reach few values."""

from __future__ import annotations

import numpy as np

from pquant_hls.golden.file import Golden
from pquant_hls.golden.vectors import Vectors

FEW_VALUES = 8
"""Distinct values of an input port, of all its elements together, below which little of its type is tried."""


def blind_spots(golden: Golden) -> tuple[str, ...]:
    """In words, what this golden would not notice; empty where outputs move and inputs spread."""
    outputs = (text for port in golden.outputs for text in _still(port))
    return (*outputs, *(text for port in golden.inputs for text in _fixed(port)), *_few(golden))


def sees_nothing(golden: Golden) -> bool:
    """Whether no output ever moves though the inputs do: then hardly any change of weights shows."""
    stirred = any(_moves(port).any() for port in golden.inputs)
    return stirred and not any(_moves(port).any() for port in golden.outputs)


def label_accuracy(golden: Golden) -> float | None:
    """Share of the labels that the recorded outputs give: the largest of several channels, else the sign of one.

    None without labels, and for several output ports.
    """
    if golden.labels is None or len(golden.outputs) != 1:
        return None
    codes = golden.outputs[0].codes
    decided = np.argmax(codes, axis=1) if codes.shape[1] > 1 else (codes[:, 0] > 0).astype(np.int64)
    return float(np.mean(decided == golden.labels))


def _moves(port: Vectors) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    moves: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.any(port.codes != port.codes[:1], axis=0)
    return moves


def _still(port: Vectors) -> list[str]:
    moves = _moves(port)
    still = np.flatnonzero(~moves)
    if still.size == 0 or len(port.codes) < 2:
        return []
    value = port.codes[0, still[0]] * port.lsb
    if still.size == moves.size:
        return [f"output {port.name} is {value:g} on every input: nothing that changes before it will show"]
    return [f"output {port.name}: {still.size} of {moves.size} channels never move ({_few_of(still)})"]


def _few_of(places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    return ", ".join(map(str, places[:5])) + (", ..." if places.size > 5 else "")


def _fixed(port: Vectors) -> list[str]:
    still = np.flatnonzero(~_moves(port))
    if still.size == 0 or len(port.codes) < 2:
        return []
    return [
        f"input {port.name}: {still.size:,} of {port.codes.shape[1]:,} values never move ({_few_of(still)})"
    ]


def _few(golden: Golden) -> list[str]:
    found = []
    for port in golden.inputs:
        values = len(np.unique(port.codes))
        possible = 2**port.type.width if port.type is not None else 2**16
        if values < min(FEW_VALUES, possible, port.codes.size):
            found.append(f"input {port.name} takes {values:,} values of the {possible:,} of its type")
    return found
