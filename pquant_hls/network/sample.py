"""Inputs drawn where a model comes with none."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from pquant_hls.network.graph import Call, topology
from pquant_hls.network.table import input_shapes

MOVES = frozenset({"Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "Dropout", "Concatenate"})
"""Layers that give the values they take."""


def unit_inputs(model: keras.Model, count: int = 1000, seed: int = 0) -> Any:
    """Standard normal inputs, float32 (count, *input shape), a list of them for several inputs; an axis of no fixed size has
    one place. An input that an Embedding reads gets whole numbers, each of them one of its rows.
    """
    rng = np.random.default_rng(seed)
    found = []
    for rows, shape in zip(_rows(model), input_shapes(model), strict=True):
        whole = (count, *[size or 1 for size in shape])
        drawn = rng.standard_normal(whole, np.float32) if rows is None else rng.integers(0, rows, whole)
        found.append(drawn.astype(np.float32))
    return found[0] if len(found) == 1 else found


def _rows(model: keras.Model) -> list[int | None]:
    """Of each input the rows of the smallest Embedding that reads it, moved or not; None where none does."""
    graph = topology(model)
    found: dict[str, int] = {}
    for call in reversed(graph.calls):  # readers come before what they read
        for name, rows in zip(call.inputs, _read(call, found.get(call.output)), strict=True):
            if rows is not None:
                found[name] = min(rows, found.get(name, rows))
    return [found.get(name) for name in graph.inputs]


def _read(call: Call, behind: int | None) -> list[int | None]:
    """Of each tensor that the call reads the rows that it is looked up in; ``behind``: those its result is."""
    if isinstance(call.layer, keras.Model):
        return _rows(call.layer)
    if call.kind == "Embedding":
        return [int(call.layer.input_dim)]
    moves = call.kind in MOVES or (call.is_operation and len(call.inputs) == 1)
    return [behind if moves else None] * len(call.inputs)
