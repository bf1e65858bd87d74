"""An embedding as tables: one of each of its columns, all at the address that its whole number is."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from pquant_hls.network.kinds.tables import addressing
from pquant_hls.network.lookup import MOST_INDEX_BITS, FixedPointTable
from pquant_hls.qor import FixedType


def has_tables(layer: Any) -> bool:
    """Whether Keras' Embedding is few enough tables: up to 4,096 rows, and no mask for what follows."""
    return not layer.mask_zero and layer.input_dim <= 1 << MOST_INDEX_BITS


def embedding_in_layers(layer: Any, x: Any, name: str) -> Any:
    """Keras' Embedding of whole numbers 0 to rows - 1, a Keras tensor (batch, ...), as layers that convert exactly.

    The last is called ``name``, its result (batch, ..., columns). Numbers beyond the rows, for which Keras raises or gives
    zeros, saturate at the address' bits; places behind the last row hold zeros.
    """
    rows = np.asarray(layer.embeddings, np.float64)
    width = max(1, (len(rows) - 1).bit_length())
    entries = np.zeros((1 << width, rows.shape[1]))
    entries[: len(rows)] = rows
    places = addressing(FixedType(width, width, False), f"{name}_address")(x)
    shape = (*x.shape[1:], 1)
    columns = []
    for place, column in enumerate(entries.T):
        word = f"{name}_column{place}"
        looked_up = FixedPointTable(width, width, column, False, name=word)(places)
        own = f"{word}_kept" if len(entries.T) > 1 else name
        columns.append(keras.layers.Reshape(shape, name=own)(looked_up))
    return keras.layers.Concatenate(axis=-1, name=name)(columns) if len(columns) > 1 else columns[0]
