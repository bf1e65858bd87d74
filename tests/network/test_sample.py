"""Inputs drawn for a model that comes with none: numbers that an embedding has rows for."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pquant_hls.network import unit_inputs

L = keras.layers


def test_normal_values_but_whole_numbers_where_rows_are_looked_up() -> None:
    values, few, many = keras.Input((5, 2)), keras.Input((5,)), keras.Input((3, 1))
    inner = keras.Sequential([keras.Input((3, 1)), L.Reshape((3,)), L.Embedding(30, 2)])
    wide = L.Flatten()(inner(many))
    looked_up = L.Concatenate()([values, L.Embedding(4, 2)(few), L.Embedding(7, 1)(few)])
    model = keras.Model([values, few, many], [looked_up, wide])
    x = unit_inputs(model, 400)
    assert [(part.shape, part.dtype) for part in x] == [
        ((400, 5, 2), np.float32), ((400, 5), np.float32), ((400, 3, 1), np.float32)
    ]  # fmt: skip
    assert abs(float(x[0].std()) - 1) < 0.1
    assert set(np.unique(x[1])) == {0, 1, 2, 3}
    assert set(np.unique(x[2])) == set(range(30))
    assert model.predict(x, verbose=0)[0].shape == (400, 5, 5)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_column_of_a_table(seed: int) -> None:
    x = keras.Input((6, 3))
    model = keras.Model(x, L.Embedding(3, 2)(x[..., 1]))
    found = unit_inputs(model, 50, seed)
    assert found.shape == (50, 6, 3)
    assert np.isfinite(model.predict(found, verbose=0)).all()
